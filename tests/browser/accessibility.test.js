// axe-core on every page, in light and dark, wide and on a phone: it finds nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { launch } from "./browser.js";
import { FIRST_PASSWORD, arrive, field, password, press, signIn, signUp } from "./person.js";
import { relyingParty, start } from "./server.js";

const PHONE = { width: 390, height: 844 };
const WIDE = { width: 1200, height: 900 };

let server;
let browser;

before(async () => {
  const everything = {
    SELFSERVICE_FLOWS_VERIFICATION_ENABLED: "true",
    SELFSERVICE_FLOWS_RECOVERY_ENABLED: "true",
    SELFSERVICE_METHODS_TOTP_ENABLED: "true",
    SELFSERVICE_METHODS_LOOKUP_SECRET_ENABLED: "true",
    ...relyingParty("WEBAUTHN"),
    ...relyingParty("PASSKEY"),
  };
  server = await start({ dev: true, settings: () => everything });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Looks at the page as it is now. */
async function check(page, what) {
  await page.evaluate(axe.source);
  for (const [colorScheme, viewport] of [["light", WIDE], ["dark", PHONE]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    const told = violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => `${n.html} ${n.failureSummary}`).join("; ")}`);
    assert.deepEqual(told, [], `${what}, ${colorScheme}`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${what} is ${overflow} pixels wider than a screen of ${viewport.width}`);
  }
}

test("signing up, in and out", async () => {
  const { context, page } = await arrive(browser, server.base);
  await page.goto("/");
  await check(page, "start");
  await page.goto("/registration");
  await check(page, "registration");
  await page.getByLabel("First name").fill("x".repeat(201));
  await page.getByLabel("Last name").fill("x".repeat(201));
  await field(page, "E-mail").fill("ada@example.org");
  await press(page, "Sign up");
  await page.getByText("Some fields need another look").waitFor();
  await check(page, "refused registration");
  await page.getByLabel("First name").fill("Ada");
  await page.getByLabel("Last name").fill("");
  await press(page, "Sign up");
  await password(page).fill("short");
  await press(page, "Sign up");
  await page.waitForSelector('[aria-invalid="true"]');
  await check(page, "refused password");
  await password(page).fill(FIRST_PASSWORD);
  await press(page, "Sign up");
  await page.waitForURL((url) => !url.pathname.startsWith("/registration"));
  await page.goto("/");
  await check(page, "start, signed in");
  await page.goto("/login?refresh=true");
  await check(page, "refresh");
  await context.clearCookies();
  await page.goto("/login");
  await check(page, "login");
  await field(page, "E-mail").fill("ada@example.org");
  await password(page).fill("wrong");
  await page.locator('button[value="password"]').click();
  await page.getByRole("alert").first().waitFor();
  await check(page, "refused login");
  await context.close();
});

test("settings", async () => {
  const { context, page } = await arrive(browser, server.base);
  await signUp(page, "grace@example.org");
  for (const userAgent of ["curl/8.14.1", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"]) {
    const other = await arrive(browser, server.base, { userAgent });
    await signIn(other.page, "grace@example.org");
    await other.page.waitForURL("/");
    await other.context.close();
  }
  await page.goto("/settings");
  await check(page, "settings");
  await page.getByRole("region", { name: "Profile" }).getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").waitFor();
  await check(page, "saved settings");
  await password(page).fill("short");
  await page.getByRole("region", { name: "Password" }).getByRole("button", { name: "Save" }).click();
  await page.waitForSelector('[aria-invalid="true"]');
  await check(page, "refused settings");
  await press(page, "Sign out everywhere else");
  await page.getByText("You are signed out everywhere else.").waitFor();
  await check(page, "a single session");
  await context.close();
});

test("second factors", async () => {
  const { context, page } = await arrive(browser, server.base);
  await signUp(page, "barbara@example.org");
  await page.goto("/settings");
  await press(page, "Make new backup codes");
  // The page begins where the codes are.
  const codes = page.locator(".card:focus .codes");
  await codes.waitFor();
  assert.equal(await codes.getByRole("listitem").count(), 12);
  await check(page, "backup codes");
  await page.emulateMedia({ media: "print" });
  assert.ok(await codes.isVisible());
  for (const other of ["Profile", "Password"]) assert.ok(!(await page.getByRole("heading", { name: other }).isVisible()), other);
  assert.ok(await page.getByText("barbara@example.org").first().isVisible(), "paper says whose codes they are");
  await page.emulateMedia({ media: "screen" });
  await press(page, "I have kept the backup codes");
  await page.getByRole("status").waitFor();
  await page.locator('[name="totp_code"]').fill("000000");
  await page.locator('button[value="totp"]').click();
  await page.locator('[name="totp_code"][aria-invalid="true"]:focus').waitFor();
  await check(page, "refused code of an app");
  await context.close();
});

test("recovery", async () => {
  const { context, page } = await arrive(browser, server.base);
  await page.goto("/recovery");
  await check(page, "recovery");
  await field(page, "E-mail").fill("nobody@example.org");
  await press(page, "Continue");
  await page.locator('[name="code"]:focus').waitFor();
  await check(page, "recovery code");
  await context.close();
});

test("a code, from the form to the mailbox and back", async () => {
  const { context, page } = await arrive(browser, server.base);
  await page.goto(server.mailbox);
  await signUp(page, "edsger@example.org");
  await page.goto("/verification");
  await check(page, "verification");
  await field(page, "E-mail").fill("edsger@example.org");
  await press(page, "Continue");
  const code = page.locator('input[name="code"]');
  await code.waitFor();
  await check(page, "verification code");

  const mailbox = await arrive(browser, server.base);
  await mailbox.page.goto(server.mailbox);
  await check(mailbox.page, "mailbox");
  await mailbox.page.getByRole("link", { name: /verify/i }).first().click();
  await check(mailbox.page, "message");
  assert.deepEqual(mailbox.complaints, []);
  const text = await mailbox.page.getByRole("region", { name: "Text" }).innerText();
  await code.fill(text.match(/^[0-9]{6}$/m)[0]);
  await press(page, "Continue");
  await page.getByRole("link", { name: "Continue" }).waitFor();
  await check(page, "verified");
  await mailbox.context.close();
  await context.close();
});

test("errors", async () => {
  const { context, page } = await arrive(browser, server.base);
  await page.goto("/self-service/login/browser?return_to=https://elsewhere.example.org/");
  await page.getByText("Details for support").click();
  await check(page, "error");
  await page.goto("/error?id=nothing");
  await check(page, "unknown error");
  await context.close();
});
