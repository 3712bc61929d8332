// Social sign-in on the built-in pages, with npm's oidc-provider as the other side: sign up, link in settings, sign in, join an
// account, complete details, be refused, try a provider out.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, test } from "node:test";
import axe from "axe-core";
import Provider from "oidc-provider";
import { launch } from "./browser.js";
import { FIRST_PASSWORD, arrive, follow, heading, press, signUp } from "./person.js";
import { start } from "./server.js";

const MAPPER = `
local claims = std.extVar('claims');
{
  identity: {
    traits: { [if 'email' in claims then 'email']: claims.email, name: { [if 'given_name' in claims then 'first']: claims.given_name } },
    verified_addresses: if 'email_verified' in claims then [{ via: 'email', value: claims.email }] else [],
  },
}`;

let peer;
let server;
let browser;

/** A provider whose pages ask for a name and believe it. */
async function startProvider() {
  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const issuer = `http://localhost:${listener.address().port}`;
  // Where we are is known only after our own start, so any callback of this machine will do.
  const client = {
    client_id: "portcullis",
    client_secret: "a-client-secret-for-browsers",
    redirect_uris: ["http://localhost/placeholder"],
    grant_types: ["authorization_code"],
    response_types: ["code"],
  };
  const provider = new Provider(issuer, {
    clients: [client],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["given_name"] },
    // Claims stand in the ID token, as most providers have them.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ["a key of tests"] },
    findAccount: (_, id) => ({
      accountId: id,
      // Some people keep their address to themselves.
      claims: () => (id.startsWith("shy") ? { sub: id, given_name: "Shy" } : { sub: id, email: `${id}@example.org`, email_verified: true, given_name: "Grace" }),
    }),
  });
  provider.Client.prototype.redirectUriAllowed = (uri) => /^http:\/\/localhost:\d+\/self-service\/methods\/oidc\/callback\/acme$/.test(uri);
  listener.on("request", provider.callback());
  return {
    issuer,
    async stop() {
      listener.close();
      listener.closeAllConnections();
    },
  };
}

before(async () => {
  peer = await startProvider();
  server = await start({
    dev: true,
    settings: () => ({
      SELFSERVICE_METHODS_OIDC_ENABLED: "true",
      SELFSERVICE_METHODS_OIDC_CONFIG_PROVIDERS: JSON.stringify([
        {
          id: "acme",
          provider: "generic",
          label: "Acme",
          client_id: "portcullis",
          client_secret: "a-client-secret-for-browsers",
          issuer_url: peer.issuer,
          mapper_url: `base64://${Buffer.from(MAPPER).toString("base64")}`,
          scope: ["openid", "email", "profile"],
        },
      ]),
      SELFSERVICE_FLOWS_REGISTRATION_AFTER_OIDC_HOOKS: JSON.stringify([{ hook: "session" }]),
    }),
  });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await peer?.stop();
});

/** Signs in on the provider's own pages, and agrees to what they ask. */
async function agree(page, name) {
  await page.waitForURL((url) => url.href.startsWith(peer.issuer));
  await page.locator('input[name="login"]').fill(name);
  await page.locator('input[name="password"]').fill("anything");
  await page.locator('button[type="submit"]').click();
  await page.locator('button[type="submit"]').click();
}

/** Turns back on the provider's own pages. */
async function refuse(page) {
  await page.waitForURL((url) => url.href.startsWith(peer.issuer));
  await page.locator('input[name="login"]').waitFor();
  await page.getByText("Cancel").click();
}

/** The id of a new trial of the provider. */
async function beginTrial() {
  const answer = await fetch(`${server.admin}/test-login-flows`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ provider_id: "acme" }),
  });
  assert.equal(answer.status, 201);
  return (await answer.json()).id;
}

/** What axe-core finds on the page. */
async function findings(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join("; ")}`);
}

const isHere = (url) => url.href.startsWith(server.base);
const whoami = (page) => page.evaluate(() => fetch("/sessions/whoami").then((answer) => answer.json()));

for (const javaScriptEnabled of [true, false]) {
  const suffix = javaScriptEnabled ? "with" : "without";

  test(`somebody signs up and in by a provider, ${suffix} scripts`, async () => {
    const name = `grace-${javaScriptEnabled}`;
    const first = await arrive(browser, server.base, { javaScriptEnabled });
    await first.page.goto("/registration");
    await press(first.page, "Sign up with Acme");
    await agree(first.page, name);
    await first.page.waitForURL(isHere);
    assert.equal((await whoami(first.page)).identity.traits.email, `${name}@example.org`);
    assert.deepEqual(first.complaints.filter((text) => /Content Security Policy/.test(text)), [], "forms may end at the provider");
    await first.context.close();

    const again = await arrive(browser, server.base, { javaScriptEnabled });
    await again.page.goto("/login");
    await press(again.page, "Sign in with Acme");
    await agree(again.page, name);
    await again.page.waitForURL(isHere);
    const session = await whoami(again.page);
    assert.equal(session.identity.traits.email, `${name}@example.org`);
    assert.deepEqual(session.authentication_methods.map((proof) => proof.provider), ["acme"]);
    await again.context.close();
  });

  test(`somebody links and unlinks a provider, ${suffix} scripts`, async () => {
    const name = `hopper-${javaScriptEnabled}`;
    const { context, page } = await arrive(browser, server.base, { javaScriptEnabled });
    await signUp(page, `somebody-${javaScriptEnabled}@example.org`);
    await page.goto("/settings");
    const accounts = page.getByRole("region", { name: "Connected accounts" });
    await press(page, "Connect: Acme");
    await agree(page, name);
    await page.waitForURL((url) => isHere(url) && url.pathname === "/settings");
    await accounts.getByText("Your changes are saved.").waitFor();

    await accounts.getByText("Connected", { exact: true }).waitFor();
    if (javaScriptEnabled) assert.deepEqual(await findings(page), []);

    const other = await arrive(browser, server.base, { javaScriptEnabled });
    await other.page.goto("/login");
    await press(other.page, "Sign in with Acme");
    await agree(other.page, name);
    await other.page.waitForURL(isHere);
    assert.equal((await whoami(other.page)).identity.traits.email, `somebody-${javaScriptEnabled}@example.org`);
    await other.context.close();

    await page.goto("/settings");
    await accounts.getByRole("button", { name: "Disconnect: Acme" }).click();
    await page.getByRole("button", { name: "Connect: Acme", exact: true }).waitFor();
    assert.equal(await accounts.getByText("Connected", { exact: true }).count(), 0);
    await context.close();
  });
}

test("somebody whose address has an account joins it by signing in", async () => {
  const { context, page } = await arrive(browser, server.base);
  await signUp(page, "lovelace@example.org");
  const other = await arrive(browser, server.base);
  await other.page.goto("/login");
  await press(other.page, "Sign in with Acme");
  await agree(other.page, "lovelace");
  await other.page.waitForURL((url) => isHere(url) && url.pathname === "/login");
  await other.page.getByText("There is already an account for lovelace@example.org").waitFor();
  await other.page.locator('input[name="password"]').fill(FIRST_PASSWORD);
  await other.page.getByRole("button", { name: /^Sign in/ }).first().click();
  await other.page.waitForURL((url) => isHere(url) && url.pathname === "/");
  const session = await whoami(other.page);
  assert.deepEqual(session.authentication_methods.map((proof) => proof.method), ["password", "oidc"]);
  await other.context.close();
  await context.close();
});

for (const javaScriptEnabled of [true, false]) {
  const suffix = javaScriptEnabled ? "with" : "without";

  test(`what a provider does not tell is asked for, ${suffix} scripts`, async () => {
    const { context, page } = await arrive(browser, server.base, { javaScriptEnabled });
    const name = `shy-${javaScriptEnabled}`;
    await page.goto("/registration");
    await press(page, "Sign up with Acme");
    await agree(page, name);
    await page.waitForURL((url) => isHere(url) && url.pathname === "/registration");
    await page.getByText("Almost done.").waitFor();
    assert.equal(await page.getByLabel("First name").inputValue(), "Shy", "what it did tell is filled in");
    await page.locator('[name="traits.email"][aria-invalid="true"]:focus').waitFor();
    if (javaScriptEnabled) assert.deepEqual(await findings(page), []);
    await page.keyboard.type(`${name}@example.org`);
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => isHere(url) && url.pathname === "/");
    assert.equal((await whoami(page)).identity.traits.email, `${name}@example.org`);
    await context.close();
  });

  test(`whoever turns back at the provider is told, ${suffix} scripts`, async () => {
    const { context, page } = await arrive(browser, server.base, { javaScriptEnabled });
    for (const [path, button, again] of [["/login", "Sign in with Acme"], ["/registration", "Sign up with Acme", "Continue with Acme"]]) {
      await page.goto(path);
      await press(page, button);
      await refuse(page);
      await page.waitForURL((url) => isHere(url) && url.pathname === path);
      await page.getByRole("alert").getByText(/did not sign you in \(access_denied/).waitFor();
      await page.getByRole("button", { name: again ?? button, exact: true }).waitFor();
    }
    await follow(page, "Start again");
    await page.getByLabel("First name").waitFor();
    await signUp(page, `undecided-${javaScriptEnabled}@example.org`);
    await page.goto("/settings");
    await press(page, "Connect: Acme");
    await refuse(page);
    await page.waitForURL((url) => isHere(url) && url.pathname === "/settings");
    const accounts = page.getByRole("region", { name: "Connected accounts" });
    await accounts.locator('[role="alert"]:focus').getByText(/did not sign you in/).waitFor();
    await accounts.getByRole("button", { name: "Connect: Acme", exact: true }).waitFor();
    await context.close();
  });

  test(`an administrator tries a provider out, ${suffix} scripts`, async () => {
    const { context, page, complaints } = await arrive(browser, server.base, { javaScriptEnabled });
    await page.goto(`/login?flow=${await beginTrial()}`);
    assert.equal(await heading(page), "Trial of Acme");
    await press(page, "Sign in with Acme");
    await agree(page, `tried-${javaScriptEnabled}`);
    await page.waitForURL((url) => isHere(url) && url.pathname === "/session/test-oidc");
    await page.getByRole("status").getByText("Everything worked").waitFor();
    const told = page.getByRole("region", { name: "What the provider told" });
    const claims = JSON.parse(await told.locator("pre").textContent());
    assert.equal(claims.email, `tried-${javaScriptEnabled}@example.org`);
    assert.equal(await page.getByRole("listitem").getByText("Done", { exact: true }).count(), 7);
    if (javaScriptEnabled) {
      assert.deepEqual(await findings(page), []);
      await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.base });
      await told.getByRole("button", { name: "Copy" }).click();
      await told.getByRole("button", { name: "Copied" }).waitFor();
      assert.deepEqual(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), claims);
      await page.setViewportSize({ width: 390, height: 844 });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "it fits a phone");
    }
    const shown = page.url();
    const other = await arrive(browser, server.base);
    await other.page.goto(shown);
    assert.equal(await heading(other.page), "This trial was made in another browser");
    await other.context.close();
    await press(page, "Delete this trial");
    await page.waitForURL(/deleted/);
    assert.equal(await heading(page), "The trial is deleted");
    assert.deepEqual(complaints.filter((text) => text.includes(server.base) || /Policy/.test(text)), []);
    await page.goto(shown);
    assert.equal(await heading(page), "There is no such trial");
    await context.close();
  });

  test(`a trial says at which step it failed, ${suffix} scripts`, async () => {
    const { context, page } = await arrive(browser, server.base, { javaScriptEnabled });
    await page.goto(`/login?flow=${await beginTrial()}`);
    await press(page, "Sign in with Acme");
    await agree(page, `shy-trial-${javaScriptEnabled}`);
    await page.waitForURL((url) => isHere(url) && url.pathname === "/session/test-oidc");
    await page.getByRole("alert").getByText(/schema refuses/).waitFor();
    const refused = page.getByRole("region", { name: "What the identity schema refuses" });
    await refused.getByText("/traits/email").waitFor();
    if (javaScriptEnabled) assert.deepEqual(await findings(page), []);
    await context.close();
  });
}
