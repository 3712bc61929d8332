// What a person does with the built-in pages, once with scripts and once without them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch } from "./browser.js";
import { FIRST_PASSWORD, SECOND_PASSWORD, arrive, field, follow, heading, password, press, signIn, signUp } from "./person.js";
import { start } from "./server.js";

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

const visitor = (scripts) => arrive(browser, server.base, { javaScriptEnabled: scripts });

for (const scripts of [true, false]) {
  describe(scripts ? "with scripts" : "without scripts", () => {
    const who = (name) => `${name}-${scripts ? "a" : "b"}@example.org`;

    test("an account's whole life", async () => {
      const { context, page, complaints } = await visitor(scripts);
      const email = who("ada");
      await signUp(page, email);
      assert.equal(await heading(page), "Welcome back");
      assert.ok(await page.getByText(email).isVisible());

      await follow(page, "Settings");
      assert.equal(await heading(page), "Settings");
      assert.equal(await page.getByLabel("First name").inputValue(), "Ada");
      await page.getByLabel("First name").fill("Augusta");
      const profile = page.getByRole("region", { name: "Profile" });
      await profile.getByRole("button", { name: "Save" }).click();
      await page.getByRole("status").getByText("Your changes are saved.").waitFor();
      await page.reload();
      assert.equal(await page.getByLabel("First name").inputValue(), "Augusta");

      await password(page).fill(SECOND_PASSWORD);
      await page.getByRole("region", { name: "Password" }).getByRole("button", { name: "Save" }).click();
      await page.getByRole("status").getByText("Your changes are saved.").waitFor();

      await page.getByRole("link", { name: "Sign out", exact: true }).click();
      await page.waitForURL("/");
      assert.equal(await heading(page), "Welcome");

      await signIn(page, email);
      await page.getByRole("alert").first().waitFor();
      assert.equal(await field(page, "E-mail").inputValue(), email, "the name stays");
      assert.equal(await password(page).inputValue(), "", "the password does not");
      await password(page).fill(SECOND_PASSWORD);
      await page.getByRole("button", { name: /^Sign in/ }).click();
      await page.waitForURL("/");
      assert.equal(await heading(page), "Welcome back");
      assert.deepEqual(complaints, []);
      await context.close();
    });

    test("a refused form keeps what was typed and says what to mend", async () => {
      const { context, page } = await visitor(scripts);
      await page.goto("/registration");
      assert.match(page.url(), /\/registration\?flow=/);
      // A browser's own check would stop this one; the server must do as well.
      await page.getByLabel("First name").fill("x".repeat(201));
      await field(page, "E-mail").fill(who("grace"));
      await press(page, "Sign up");
      const first = page.getByLabel("First name");
      await page.waitForSelector('[aria-invalid="true"]');
      assert.equal(await first.inputValue(), "x".repeat(201));
      assert.equal(await first.getAttribute("aria-invalid"), "true");
      assert.equal(await field(page, "E-mail").inputValue(), who("grace"));
      assert.match(await page.title(), /^Error: /);
      const told = await first.getAttribute("aria-describedby");
      assert.notEqual((await page.locator(`#${told}`).innerText()).trim(), "");

      await first.fill("Grace");
      await press(page, "Sign up");
      await password(page).fill("short");
      await press(page, "Sign up");
      await page.waitForSelector('[name="password"][aria-invalid="true"]');
      await page.getByRole("button", { name: "Back" }).click();
      assert.equal(await page.getByLabel("First name").inputValue(), "Grace", "also from the second step");
      await context.close();
    });

    test("settings lead through the sign-in and back, and end other sessions", async () => {
      const { context, page, complaints } = await visitor(scripts);
      const email = who("edsger");
      await signUp(page, email);

      const other = await visitor(scripts);
      await other.page.goto("/settings");
      assert.match(other.page.url(), /\/login\?flow=/);
      await field(other.page, "E-mail").fill(email);
      await password(other.page).fill(FIRST_PASSWORD);
      await other.page.getByRole("button", { name: /^Sign in/ }).click();
      await other.page.goto("/settings");
      assert.equal(await heading(other.page), "Settings");

      await page.goto("/settings");
      const sessions = page.getByRole("region", { name: "Where you are signed in" });
      const before = await sessions.getByRole("listitem").count();
      assert.ok(before >= 2, "this session, the other one, and perhaps that of the sign-up");
      // Newest first, after the one of this browser.
      await sessions.getByRole("listitem").nth(1).getByRole("button", { name: /^Sign out/ }).click();
      await sessions.getByRole("listitem").nth(before - 1).waitFor({ state: "detached" });
      assert.equal(await sessions.getByRole("listitem").count(), before - 1);
      assert.match(page.url(), /\/settings\?flow=/);
      await other.page.goto("/settings");
      assert.match(other.page.url(), /\/login\?flow=/, "the other browser is signed out");
      assert.deepEqual(complaints, []);
      await other.context.close();
      await context.close();
    });
  });
}

test("a password can be looked at while it is typed", async () => {
  const { context, page } = await visitor(true);
  await page.goto("/login");
  await password(page).fill(FIRST_PASSWORD);
  const reveal = page.getByRole("button", { name: "Show: Password" });
  await reveal.click();
  assert.equal(await password(page).getAttribute("type"), "text");
  await page.getByRole("button", { name: "Hide: Password" }).click();
  assert.equal(await password(page).getAttribute("type"), "password");
  await context.close();
});

test("a stale form leads to a new one", async () => {
  const { context, page } = await visitor(false);
  await page.goto("/login?flow=9b9f5d5e-6a52-4b0e-8a0f-0f6f4a3f2b1c");
  assert.match(page.url(), /\/login\?flow=/);
  assert.equal(await heading(page), "Sign in");
  assert.ok(!page.url().includes("9b9f5d5e"));
  await context.close();
});

test("an error is told in words", async () => {
  const { context, page } = await visitor(false);
  await page.goto("/self-service/login/browser?return_to=https://elsewhere.example.org/");
  assert.match(page.url(), /\/error\?id=/);
  assert.equal(await heading(page), "This link cannot be followed");
  await page.goto("/error?id=nothing");
  assert.equal(await heading(page), "There is nothing here");
  await context.close();
});

test("a browser without cookies is told so, and goes round in no circle", async () => {
  let url = `${server.base}/login`;
  for (let hops = 0; ; hops += 1) {
    assert.ok(hops < 5, "a circle");
    const answer = await fetch(url, { redirect: "manual", headers: { accept: "text/html" } });
    if (answer.status === 303) {
      url = new URL(answer.headers.get("location"), url).href;
      continue;
    }
    assert.equal(answer.status, 403);
    assert.match(await answer.text(), /Cookies are needed here/);
    break;
  }
});

test("pages keep others out, and their style sheet stays with the browser", async () => {
  const page = await fetch(`${server.base}/`);
  const policy = page.headers.get("content-security-policy");
  for (const rule of ["default-src 'self'", "frame-ancestors 'none'", "form-action 'self'"]) assert.ok(policy.includes(rule), policy);
  assert.ok(!policy.includes("unsafe"), policy);
  assert.match(page.headers.get("cache-control"), /no-store/);
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  const html = await page.text();
  assert.ok(!/<script>|<style|style=|onclick/.test(html), html);
  const [, style] = html.match(/href="([^"]*\.css[^"]*)"/);
  const sheet = await fetch(new URL(style, server.base));
  assert.equal(sheet.headers.get("cache-control"), "public, max-age=31536000, immutable");
  assert.equal(sheet.headers.get("set-cookie"), null);
  const again = await fetch(new URL(style, server.base), { headers: { "if-none-match": sheet.headers.get("etag") } });
  assert.equal(again.status, 304);
});
