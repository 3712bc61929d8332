// Ory's components in a real browser: a front end made for Ory Kratos shows every flow from our JSON.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { launch } from "../browser/browser.js";
import { start } from "../browser/server.js";
import { front } from "./front.js";

const PASSWORD = "correct horse battery";
const EMAIL = "elements@example.org";

let server;
let ui;
let browser;
let page;

/** A port that is free now: the server must know the front end's address before either starts. */
async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

before(async () => {
  const port = await freePort();
  const home = `http://localhost:${port}`;
  const settings = { SELFSERVICE_DEFAULT_BROWSER_RETURN_URL: `${home}/`, SELFSERVICE_ALLOWED_RETURN_URLS: home };
  for (const kind of ["login", "registration", "settings", "recovery", "verification", "error"]) {
    settings[`SELFSERVICE_FLOWS_${kind.toUpperCase()}_UI_URL`] = `${home}/${kind}`;
  }
  server = await start({ settings: () => settings });
  ui = await front(port, server.base);
  browser = await launch();
  page = await browser.newPage({ baseURL: ui.base });
  page.setDefaultTimeout(15_000);
});

after(async () => {
  await browser?.close();
  ui?.stop();
  await server?.stop();
});

const field = (name) => page.locator(`input[name="${name}"]:not([type="hidden"])`);
const submit = (value) => page.locator(`button[name="method"][value="${value}"], input[name="method"][value="${value}"]`);

test("somebody signs up, in two steps", async () => {
  await page.goto("/registration");
  assert.match(page.url(), /\/registration\?flow=/);
  await field("traits.email").fill(EMAIL);
  await submit("profile").click();
  await field("password").fill("short");
  await submit("password").click();
  // The refusal stands at the field, in the components' own words for the message's id.
  await page.getByText(/password must be at least/i).waitFor();
  await field("password").fill(PASSWORD);
  await submit("password").click();
  await page.waitForURL(/:\d+\/(\?.*)?$/);
});

test("and in", async () => {
  await page.context().clearCookies();
  await page.goto("/login");
  await field("identifier").fill(EMAIL);
  await field("password").fill("wrong password");
  await submit("password").click();
  await page.getByText(/credentials are invalid/i).waitFor();
  assert.equal(await field("identifier").inputValue(), EMAIL);
  await field("password").fill(PASSWORD);
  await submit("password").click();
  await page.getByText(`signed in as ${EMAIL}`).waitFor();
});

test("changes a name and a password", async () => {
  await page.goto("/settings");
  await field("traits.name.first").fill("Element");
  await submit("profile").click();
  await page.getByText(/changes have been saved/i).waitFor();
  assert.equal(await field("traits.name.first").inputValue(), "Element");
  await field("password").fill(`another ${PASSWORD}`);
  await submit("password").click();
  await page.getByText(/changes have been saved/i).waitFor();
});

test("signs out", async () => {
  await page.goto("/settings");
  await page.locator('a[href*="/self-service/logout?token="]').first().click();
  await page.getByText("nobody is signed in").waitFor();
});

test("an error has its page", async () => {
  await page.goto(`${server.base}/self-service/login/browser?return_to=https://evil.example/`);
  assert.match(page.url(), /\/error\?id=/);
  await page.getByText(/return_to|not allowed/i).first().waitFor();
});
