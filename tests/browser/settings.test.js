// Settings that ask for a fresh sign-in each time: what was typed is not lost on the way.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { FIRST_PASSWORD, SECOND_PASSWORD, arrive, field, heading, password, press, signIn, signUp } from "./person.js";
import { start } from "./server.js";

let server;
let browser;

before(async () => {
  server = await start({ dev: true, settings: () => ({ SELFSERVICE_FLOWS_SETTINGS_PRIVILEGED_SESSION_MAX_AGE: "1ms" }) });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const save = (page, area) => page.getByRole("region", { name: area, exact: true }).getByRole("button", { name: "Save" }).click();

for (const javaScriptEnabled of [true, false]) {
  test(`a change is finished after a sign-in, ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
    const { context, page, complaints } = await arrive(browser, server.base, { javaScriptEnabled });
    const email = `ada-${javaScriptEnabled}@example.org`;
    await signUp(page, email);
    await page.goto("/settings");
    await page.getByLabel("Last name").fill("Lovelace");
    await password(page).fill(SECOND_PASSWORD);
    await save(page, "Password");
    await page.waitForURL(/login/);
    assert.equal(await heading(page), "Confirm that it is you");
    await page.getByText("Your change is not lost").waitFor();
    await password(page).fill(FIRST_PASSWORD);
    await press(page, "Sign in");
    await page.waitForURL(/settings/);
    await page.getByRole("region", { name: "Password" }).getByText("Your changes are saved.").waitFor();
    // Another form of the page was being filled in: only a script can keep that.
    assert.equal(await page.getByLabel("Last name").inputValue(), javaScriptEnabled ? "Lovelace" : "");
    assert.equal(await page.getByText("It is not saved yet.").count(), javaScriptEnabled ? 1 : 0);
    assert.equal(await password(page).inputValue(), "");
    await page.goto("/settings");
    assert.equal(await page.getByLabel("Last name").inputValue(), "", "it is kept once");
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test(`what was typed is there after a lost session, ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
    const { context, page } = await arrive(browser, server.base, { javaScriptEnabled });
    const email = `grace-${javaScriptEnabled}@example.org`;
    await signUp(page, email);
    await page.goto("/settings");
    const other = await arrive(browser, server.base);
    await signIn(other.page, email);
    await other.page.waitForURL("/");
    await other.page.goto("/settings");
    const sessions = other.page.getByRole("region", { name: "Where you are signed in" });
    await sessions.getByRole("button", { name: /^Sign out/ }).first().click();
    await other.page.getByRole("status").first().waitFor();
    await other.context.close();

    await page.getByLabel("First name").fill("Brewster");
    await save(page, "Profile");
    await page.waitForURL(/login/);
    await field(page, "E-mail").fill(email);
    await password(page).fill(FIRST_PASSWORD);
    await press(page, "Sign in");
    await page.waitForURL(/settings/);
    assert.equal(await page.getByLabel("First name").inputValue(), "Brewster");
    await save(page, "Profile");
    await page.getByText("Your changes are saved.").waitFor();
    await context.close();
  });
}

test("nobody else is shown what was typed", async () => {
  const { context, page } = await arrive(browser, server.base);
  await signUp(page, "first@example.org");
  await page.goto("/settings");
  await page.getByLabel("Last name").fill("Secret");
  await password(page).fill("short");
  // The page is left before it comes back.
  await page.route(/settings\?flow/, (route) => route.abort());
  await save(page, "Password").catch(() => {});
  await page.waitForFunction(() => sessionStorage.getItem("portcullis-unsaved") !== null).catch(() => {});
  await page.unroute(/settings\?flow/);
  await context.clearCookies();
  await signUp(page, "second@example.org");
  await page.goto("/settings");
  assert.equal(await page.getByLabel("Last name").inputValue(), "");
  assert.equal(await page.evaluate(() => sessionStorage.getItem("portcullis-unsaved")), null, "nor is it kept any longer");
  await context.close();
});
