// Proving an address and getting back into an account, by what the development mailbox shows, as mails are read: by opening
// the message and copying the code or following the link.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch } from "./browser.js";
import { SECOND_PASSWORD, arrive, field, heading, password, press, signIn, signUp } from "./person.js";
import { start } from "./server.js";

const WITH = {
  SELFSERVICE_FLOWS_RECOVERY_ENABLED: "true",
  SELFSERVICE_FLOWS_VERIFICATION_ENABLED: "true",
  SELFSERVICE_METHODS_LINK_ENABLED: "true",
};

let server;
let browser;

before(async () => {
  server = await start({ dev: true, settings: () => WITH });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens the newest message to an address, in a tab of its own, and gives its text. */
async function newestMail(context, email) {
  const mails = await context.newPage();
  await mails.goto(server.mailbox);
  await mails.getByRole("listitem").filter({ hasText: email }).first().getByRole("link").click();
  const text = await mails.locator(".mail-text").innerText();
  await mails.close();
  return text;
}

const codeIn = (text) => text.match(/^\d{6}$/m)[0];
const codeField = (page) => page.locator('input[name="code"]');

/** Whether the first address of whoever is signed in here is verified. */
async function isVerified(page) {
  const session = await (await page.request.get(`${server.base}/sessions/whoami`)).json();
  return session.identity.verifiable_addresses[0].verified;
}

for (const scripts of [true, false]) {
  describe(scripts ? "with scripts" : "without scripts", () => {
    const who = (name) => `${name}-${scripts ? "a" : "b"}@example.org`;
    const visitor = () => arrive(browser, server.base, { javaScriptEnabled: scripts });

    test("an address is verified by the code in the mail", async () => {
      const { context, page, complaints } = await visitor();
      const email = who("ada");
      await signUp(page, email);
      assert.equal(await isVerified(page), false);
      await page.goto("/verification");
      await field(page, "E-mail").fill(email);
      await press(page, "Continue");
      await codeField(page).waitFor();
      assert.equal(await codeField(page).getAttribute("autocomplete"), "one-time-code");
      assert.equal(await codeField(page).getAttribute("inputmode"), "numeric");
      const code = codeIn(await newestMail(context, email));
      // Mail programs put blanks around what is copied.
      await codeField(page).fill(`${code.slice(0, 3)} ${code.slice(3)} `);
      await press(page, "Continue");
      await page.getByRole("status").first().waitFor();
      assert.equal(await isVerified(page), true);
      assert.deepEqual(complaints, []);
      await context.close();
    });

    test("the link in the mail fills in the code", async () => {
      const { context, page } = await visitor();
      const email = who("grace");
      await signUp(page, email);
      const link = (await newestMail(context, email)).match(/http:\S+verification\S+/)[0];
      await page.goto(link);
      assert.match(await codeField(page).inputValue(), /^\d{6}$/);
      assert.equal(await isVerified(page), false, "to look at it proves nothing");
      await press(page, "Continue");
      await page.getByRole("status").first().waitFor();
      assert.equal(await isVerified(page), true);
      await context.close();
    });

    test("who forgot the password gets back in and sets another", async () => {
      const first = await visitor();
      const email = who("edsger");
      await signUp(first.page, email);
      await first.context.close();

      const { context, page, complaints } = await visitor();
      await page.goto("/login");
      await page.getByRole("link", { name: /forgot|recover/i }).click();
      await field(page, "E-mail").fill(email);
      await press(page, "Continue");
      await codeField(page).waitFor();
      await codeField(page).fill("000000");
      await press(page, "Continue");
      await page.getByRole("alert").first().waitFor();
      await codeField(page).fill(codeIn(await newestMail(context, email)));
      await press(page, "Continue");
      await page.waitForURL(/\/settings\?flow=/);
      assert.equal(await heading(page), "Settings");
      await password(page).fill(SECOND_PASSWORD);
      await page.getByRole("region", { name: "Password" }).getByRole("button", { name: "Save" }).click();
      await page.getByRole("status").getByText("Your changes are saved.").waitFor();
      assert.equal(await isVerified(page), true, "the code proved the address, too");
      assert.deepEqual(complaints, []);
      await context.close();

      const again = await visitor();
      await signIn(again.page, email, SECOND_PASSWORD);
      await again.page.waitForURL("/");
      assert.equal(await heading(again.page), "Welcome back");
      await again.context.close();
    });

    test("another code can be asked for once the first had time to arrive", async () => {
      const { context, page } = await visitor();
      const email = who("barbara");
      await signUp(page, email);
      await page.goto("/recovery");
      // Whoever is signed in has nothing to recover.
      await context.clearCookies();
      await page.goto("/recovery");
      await field(page, "E-mail").fill(email);
      await press(page, "Continue");
      await codeField(page).waitFor();
      const first = codeIn(await newestMail(context, email));
      const again = page.locator('button[name="email"]');
      const left = () => again.evaluate((b) => getComputedStyle(b, "::after").getPropertyValue("--seconds-left"));
      const isHeldBack = () => again.evaluate((b) => getComputedStyle(b).pointerEvents === "none");
      assert.ok(await isHeldBack());
      const before = Number(await left());
      assert.ok(before > 0 && before <= 30, `${before} seconds`);
      await again.evaluate((b) => b.getAnimations({ subtree: true }).forEach((a) => (a.currentTime = 20_500)));
      assert.ok(Number(await left()) <= 10, await left());
      await again.evaluate((b) => b.getAnimations({ subtree: true }).forEach((a) => a.finish()));
      assert.ok(!(await isHeldBack()));
      await again.click();
      await page.waitForLoadState();
      const second = codeIn(await newestMail(context, email));
      assert.notEqual(first, second);
      await codeField(page).fill(second);
      await press(page, "Continue");
      await page.waitForURL(/\/settings\?flow=/);
      await context.close();
    });
  });
}

test("a pasted code arrives whole, and the field has the focus", async () => {
  const { context, page } = await arrive(browser, server.base, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto("/recovery");
  await field(page, "E-mail").fill("nobody@example.org");
  await press(page, "Continue");
  await page.locator('input[name="code"]:focus').waitFor();
  await page.evaluate(() => navigator.clipboard.writeText(" 123 456\n"));
  await page.keyboard.press("Control+V");
  assert.equal(await codeField(page).inputValue(), "123456");
  await context.close();
});
