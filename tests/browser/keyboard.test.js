// The main journeys by keyboard alone: nothing is clicked, and whoever tabs always sees where they are.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { FIRST_PASSWORD, SECOND_PASSWORD, arrive, field, heading, password, signIn } from "./person.js";
import { start } from "./server.js";

const MOST_STEPS = 40;

let server;
let browser;

before(async () => {
  server = await start({ dev: true });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Whether something has the focus, and shows it. */
async function isFocused(target) {
  return target.evaluate((element) => {
    if (document.activeElement !== element) return false;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) throw new Error(`no focus to be seen: ${element.outerHTML}`);
    return true;
  });
}

/** Goes on with Tab until something has the focus. */
async function tabTo(page, target) {
  await target.waitFor();
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (await isFocused(target)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not lead to ${target}`);
}

async function type(page, target, text) {
  await tabTo(page, target);
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(text);
}

async function enter(page, target) {
  await tabTo(page, target);
  await page.keyboard.press("Enter");
}

const link = (page, name) => page.getByRole("link", { name, exact: true });
const region = (page, name) => page.getByRole("region", { name, exact: true });

for (const javaScriptEnabled of [true, false]) {
  test(`an account's life ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
    const { context, page, complaints } = await arrive(browser, server.base, { javaScriptEnabled });
    const email = `barbara-${javaScriptEnabled}@example.org`;

    // Signing up. Typing begins in the first field, and Enter in a field sends the form.
    await page.goto("/");
    await enter(page, link(page, "Sign up"));
    await page.locator('[name="traits.email"]:focus').waitFor();
    await page.keyboard.type(email);
    await page.keyboard.press("Enter");
    await page.locator('[name="password"]:focus').waitFor();
    await page.keyboard.type("short");
    await page.keyboard.press("Enter");
    // What was refused has the focus, and is described by why.
    const refused = page.locator('[name="password"][aria-invalid="true"]:focus');
    await refused.waitFor();
    assert.match(await refused.evaluate((f) => f.getAttribute("aria-describedby")), /messages/);
    await page.keyboard.type(FIRST_PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL("/");
    assert.equal(await heading(page), "Welcome back");

    // Somebody else signs in meanwhile.
    const other = await arrive(browser, server.base);
    await signIn(other.page, email);
    await other.page.waitForURL("/");

    // Another name. The focus is at what is told about it.
    await enter(page, link(page, "Settings"));
    await page.waitForURL(/settings/);
    await type(page, page.getByLabel("First name"), "Augusta");
    await page.keyboard.press("Enter");
    await region(page, "Profile").locator('[role="status"]:focus').waitFor();
    assert.equal(await page.getByLabel("First name").inputValue(), "Augusta");

    // Another password, by the table of contents.
    await page.reload();
    await enter(page, page.getByRole("navigation", { name: "Parts of the settings" }).getByRole("link", { name: "Password" }));
    await page.keyboard.press("Tab");
    assert.ok(await isFocused(password(page)), "the link leads to the field");
    await page.keyboard.type(SECOND_PASSWORD);
    await page.keyboard.press("Enter");
    await region(page, "Password").locator('[role="status"]:focus').waitFor();

    // The other session ends.
    const sessions = region(page, "Where you are signed in");
    await enter(page, sessions.getByRole("button", { name: /^Sign out: / }).first());
    await sessions.locator('[role="status"]:focus').waitFor();
    await other.page.goto("/settings");
    assert.match(other.page.url(), /\/login\?flow=/);

    // Signing out and in again.
    await page.reload();
    await enter(page, link(page, "Sign out"));
    await page.waitForURL("/");
    await enter(page, link(page, "Sign in"));
    await page.locator('[name="identifier"]:focus').waitFor();
    await page.keyboard.type(email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(FIRST_PASSWORD);
    await page.keyboard.press("Enter");
    // The old password is refused: whoever goes on typing hears why.
    const again = page.locator('[name="password"][aria-describedby~="notices"]:focus');
    await again.waitFor();
    assert.equal(await field(page, "E-mail").inputValue(), email);
    await page.keyboard.type(SECOND_PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL("/");
    assert.equal(await heading(page), "Welcome back");
    assert.deepEqual(complaints, []);
    await other.context.close();
    await context.close();
  });
}

test("the first link skips to the content", async () => {
  const { context, page } = await arrive(browser, server.base);
  await page.goto("/");
  await page.keyboard.press("Tab");
  const skip = link(page, "Skip to the content");
  assert.ok(await isFocused(skip));
  assert.ok((await skip.boundingBox()).y >= 0, "it can be seen");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.ok(await isFocused(link(page, "Sign in")));
  await context.close();
});
