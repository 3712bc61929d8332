// Security keys, passkeys, authenticator apps and backup codes on the built-in pages, with an authenticator of the browser's own.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { FIRST_PASSWORD, arrive, field, heading, password, press, signIn, signUp } from "./person.js";
import { relyingParty, start } from "./server.js";

let server;
let browser;

before(async () => {
  server = await start({
    dev: true,
    settings: (port) => ({
      SERVE_PUBLIC_BASE_URL: `http://localhost:${port}/`,
      ...relyingParty("WEBAUTHN"),
      ...relyingParty("PASSKEY"),
      SELFSERVICE_METHODS_TOTP_ENABLED: "true",
      SELFSERVICE_METHODS_LOOKUP_SECRET_ENABLED: "true",
    }),
  });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Somebody with an authenticator: a `usb` key, or one that is part of the computer (`internal`). */
async function withAuthenticator(transport) {
  const person = await arrive(browser, server.base);
  const devtools = await person.context.newCDPSession(person.page);
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport,
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const credentials = async () => (await devtools.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
  return { ...person, devtools, authenticatorId, credentials };
}

const area = (page, name) => page.getByRole("region", { name, exact: true });
const saved = (page) => page.getByText("Your changes are saved.").first().waitFor();

async function signOut(page) {
  await page.goto("/");
  await page.getByRole("button", { name: /^Sign out/ }).or(page.getByRole("link", { name: /^Sign out/ })).first().click();
  await page.waitForFunction(() => document.querySelector("h1")?.textContent.includes("Welcome") || location.pathname === "/login");
}

test("a passkey is added, signs in without a name, and is removed", async () => {
  const { context, page, complaints, credentials } = await withAuthenticator("internal");
  await signUp(page, "ada@example.org");
  await page.goto("/settings");
  await area(page, "Passkeys").getByRole("button", { name: "Add a passkey" }).click();
  await saved(page);
  const [made] = await credentials();
  assert.equal(made.rpId, "localhost");
  assert.equal(made.isResidentCredential, true);
  await signOut(page);
  await page.goto("/login");
  // The browser offers it where the identifier is typed, and here somebody takes it at once.
  await page.waitForURL("/");
  assert.notEqual(await heading(page), "Welcome");
  await signOut(page);
  await page.addInitScript(() => {
    PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  await page.goto("/login");
  await press(page, "Sign in with a passkey");
  await page.waitForURL("/");
  await page.goto("/settings");
  assert.equal(await page.locator('input[name="traits.email"]').inputValue(), "ada@example.org");
  await area(page, "Passkeys").getByRole("button", { name: /^Remove/ }).click();
  await saved(page);
  assert.equal(await area(page, "Passkeys").getByRole("button", { name: /^Remove/ }).count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a passkey signs up, named after what was typed", async () => {
  const { context, page, complaints, credentials } = await withAuthenticator("internal");
  await page.goto("/registration");
  await field(page, "E-mail").fill("grace@example.org");
  await press(page, "Sign up");
  await press(page, "Sign up with a passkey");
  await page.waitForURL("/");
  const [made] = await credentials();
  assert.equal(made.userName, "grace@example.org");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a security key is the second step of signing in", async () => {
  const { context, page, complaints } = await withAuthenticator("usb");
  await signUp(page, "mary@example.org");
  await page.goto("/settings");
  await field(page, "Name of the security key").fill("Blue key");
  await press(page, "Add a security key");
  await saved(page);
  await page.getByText("Blue key").first().waitFor();
  await signOut(page);
  await signIn(page, "mary@example.org");
  await page.waitForURL(/login/);
  await press(page, "Use a security key");
  await page.waitForURL("/");
  assert.notEqual(await heading(page), "Welcome");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a key that is there already is told in words, and the page goes on", async () => {
  const { context, page } = await withAuthenticator("usb");
  const told = [];
  page.on("dialog", async (dialog) => {
    told.push(dialog.message());
    await dialog.accept();
  });
  await signUp(page, "joan@example.org");
  await page.goto("/settings");
  const add = async () => {
    await field(page, "Name of the security key").fill("Again");
    await press(page, "Add a security key");
  };
  await add();
  await saved(page);
  await add();
  for (let tries = 0; told.length === 0 && tries < 50; tries += 1) await page.waitForTimeout(100);
  assert.deepEqual(told, ["This key is already set up."]);
  await context.close();
});

/** The code of an authenticator app (RFC 6238), some steps from now. */
function code(secret, steps = 0) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

test("an authenticator app and backup codes are set up and used", async () => {
  const { context, page, complaints } = await arrive(browser, server.base);
  await signUp(page, "hedy@example.org");
  await page.goto("/settings");
  await page.locator('img[src^="data:image/png"]').waitFor();
  const secret = (await page.locator("main").innerText()).match(/\b[A-Z2-7]{32}\b/)[0];
  await page.locator('input[name="totp_code"]').fill(code(secret));
  await page.locator('button[value="totp"]').click();
  await saved(page);
  await press(page, "Make new backup codes");
  const codes = await page.locator(".codes code").allInnerTexts();
  assert.equal(codes.length, 12);
  await press(page, "I have kept the backup codes");
  await saved(page);

  await signOut(page);
  await signIn(page, "hedy@example.org");
  await page.waitForURL(/login/);
  await page.locator('input[name="totp_code"]').fill(code(secret, 1));
  await press(page, "Use an authenticator app");
  await page.waitForURL("/");

  await signOut(page);
  await signIn(page, "hedy@example.org");
  await page.waitForURL(/login/);
  await page.locator('input[name="lookup_secret"]').fill(codes[0]);
  await press(page, "Use a backup code");
  await page.waitForURL("/");
  assert.notEqual(await heading(page), "Welcome");
  assert.deepEqual(complaints, []);
  await context.close();
});
