// What a person sees, and what a person does.

export const FIRST_PASSWORD = "correct horse battery";
export const SECOND_PASSWORD = "staple wagon melody";

/** A person with a browser of their own. What the browser complains about is kept. */
export async function arrive(browser, base, options = {}) {
  const context = await browser.newContext({ baseURL: base, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { context, page, complaints };
}

export const heading = (page) => page.getByRole("heading", { level: 1 }).innerText();
export const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
export const follow = (page, name) => page.getByRole("link", { name, exact: true }).click();
export const field = (page, name) => page.getByLabel(name, { exact: true });
export const password = (page) => page.locator('input[name="password"]');

export async function signUp(page, email, secret = FIRST_PASSWORD) {
  await page.goto("/");
  await follow(page, "Sign up");
  await field(page, "E-mail").fill(email);
  await page.getByLabel("First name").fill("Ada");
  await press(page, "Sign up");
  await password(page).fill(secret);
  await press(page, "Sign up");
  await page.waitForURL("/");
  // Whether a new account is signed in at once is the configuration's choice.
  if ((await heading(page)) === "Welcome") {
    await signIn(page, email, secret);
    await page.waitForURL("/");
  }
}

export async function signIn(page, email, secret = FIRST_PASSWORD) {
  await page.goto("/");
  await follow(page, "Sign in");
  await field(page, "E-mail").fill(email);
  await password(page).fill(secret);
  await page.locator('button[value="password"]').click();
}
