// A server below a path, whose flows end on a page of another origin.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { start } from "./server.js";

const PASSWORD = "correct horse battery";

let application;
let home;
let server;
let browser;

before(async () => {
  application = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<h1>The application</h1>"));
  application.listen(0, "127.0.0.1");
  await once(application, "listening");
  home = `http://127.0.0.1:${application.address().port}/`;
  server = await start({
    settings: (port) => ({
      SERVE_PUBLIC_BASE_URL: `http://localhost:${port}/auth/`,
      SELFSERVICE_ALLOWED_RETURN_URLS: home,
    }),
  });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  application?.closeAllConnections();
  application?.close();
});

test("a form leads to an allowed page elsewhere, which the browser's rules for forms must know", async () => {
  const page = await browser.newPage({ baseURL: server.base });
  page.setDefaultTimeout(15_000);
  await page.goto(`/auth/registration?return_to=${encodeURIComponent(`${home}next`)}`);
  assert.match(page.url(), /\/auth\/registration\?flow=/);
  await page.getByLabel("E-mail", { exact: true }).fill("joan@example.org");
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.locator('input[name="password"]').fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.waitForURL(`${home}next`);
  assert.equal(await page.getByRole("heading").innerText(), "The application");

  await page.goto(`/auth/login?return_to=${encodeURIComponent(home)}`);
  // A sign-up that signs in leads straight on.
  if (page.url() !== home) {
    await page.getByLabel("E-mail", { exact: true }).fill("joan@example.org");
    await page.locator('input[name="password"]').fill(PASSWORD);
    await page.getByRole("button", { name: /^Sign in/ }).click();
    await page.waitForURL(home);
  }
  await page.goto("/auth/");
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Welcome back");
  const colour = await page.locator("a.primary").evaluate((link) => getComputedStyle(link).backgroundColor);
  assert.notEqual(colour, "rgba(0, 0, 0, 0)", "the style sheet is found below the path");
  await page.close();
});
