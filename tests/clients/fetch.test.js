// Ory's client for fetch: an app and a browser application sign up, ask who they are, change settings, sign out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Configuration, FrontendApi, IdentityApi, ResponseError } from "@ory/client-fetch";
import { start } from "../browser/server.js";

const PASSWORD = "correct horse battery";

let server;
let frontend;
let admin;

before(async () => {
  server = await start();
  frontend = new FrontendApi(new Configuration({ basePath: server.base }));
  admin = new IdentityApi(new Configuration({ basePath: server.admin.replace(/\/admin$/, "") }));
});

after(() => server?.stop());

/** The status and the error of a call that is refused. */
async function refused(call) {
  const error = await call.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  assert.ok(error instanceof ResponseError, String(error));
  return { status: error.response.status, body: await error.response.json() };
}

/** A user agent: keeps cookies as a browser does, for one client of the browser's kind. */
function agent() {
  const jar = new Map();
  const remember = async ({ response }) => {
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split(/=(.*)/s);
      if (/max-age=(-|0)/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
  };
  const api = new FrontendApi(new Configuration({ basePath: server.base, headers: { accept: "application/json" }, middleware: [{ post: remember }] }));
  return { api, cookie: () => [...jar].map((pair) => pair.join("=")).join("; ") };
}

/** The value of a node. */
const value = (flow, name) => flow.ui.nodes.find((node) => node.attributes.name === name)?.attributes.value;

test("a native app", async () => {
  const traits = { email: "app@example.org", name: { first: "App" } };
  const registration = await frontend.createNativeRegistrationFlow();
  assert.ok(registration.expires_at instanceof Date);
  const weak = await refused(
    frontend.updateRegistrationFlow({ flow: registration.id, updateRegistrationFlowBody: { method: "password", password: "short", traits } }),
  );
  assert.equal(weak.status, 400);
  const signedUp = await frontend.updateRegistrationFlow({
    flow: registration.id,
    updateRegistrationFlowBody: { method: "password", password: PASSWORD, traits },
  });
  assert.equal(signedUp.identity.traits.email, traits.email);

  const login = await frontend.createNativeLoginFlow();
  const signedIn = await frontend.updateLoginFlow({
    flow: login.id,
    updateLoginFlowBody: { method: "password", identifier: traits.email, password: PASSWORD },
  });
  const xSessionToken = signedIn.session_token;
  const session = await frontend.toSession({ xSessionToken });
  assert.equal(session.identity.traits.name.first, "App");
  assert.equal(session.authenticator_assurance_level, "aal1");

  const settings = await frontend.createNativeSettingsFlow({ xSessionToken });
  const changed = await frontend.updateSettingsFlow({
    flow: settings.id,
    xSessionToken,
    updateSettingsFlowBody: { method: "profile", traits: { ...traits, name: { first: "Another" } } },
  });
  assert.deepEqual([changed.state, changed.identity.traits.name.first], ["success", "Another"]);
  const again = await frontend.getSettingsFlow({ id: settings.id, xSessionToken });
  assert.equal(again.ui.messages[0].id, 1050001);

  await frontend.performNativeLogout({ performNativeLogoutBody: { session_token: xSessionToken } });
  assert.equal((await refused(frontend.toSession({ xSessionToken }))).status, 401);
});

test("an application in a browser", async () => {
  const { api, cookie } = agent();
  const traits = { email: "spa@example.org", name: { first: "Spa" } };
  const registration = await api.createBrowserRegistrationFlow();
  const body = { method: "password", password: PASSWORD, traits };
  const forged = await refused(api.updateRegistrationFlow({ flow: registration.id, updateRegistrationFlowBody: body, cookie: cookie() }));
  assert.deepEqual([forged.status, forged.body.error.id], [403, "security_csrf_violation"]);
  await api.updateRegistrationFlow({
    flow: registration.id,
    cookie: cookie(),
    updateRegistrationFlowBody: { ...body, csrf_token: value(registration, "csrf_token") },
  });

  const login = await api.createBrowserLoginFlow({ cookie: cookie(), refresh: true });
  const signedIn = await api.updateLoginFlow({
    flow: login.id,
    cookie: cookie(),
    updateLoginFlowBody: { method: "password", identifier: traits.email, password: PASSWORD, csrf_token: value(login, "csrf_token") },
  });
  assert.equal(signedIn.session.identity.traits.email, traits.email);

  const settings = await api.createBrowserSettingsFlow({ cookie: cookie() });
  const changed = await api.updateSettingsFlow({
    flow: settings.id,
    cookie: cookie(),
    updateSettingsFlowBody: { method: "password", password: `another ${PASSWORD}`, csrf_token: value(settings, "csrf_token") },
  });
  assert.equal(changed.state, "success");
  assert.deepEqual(changed.continue_with.map((item) => item.action), ["redirect_browser_to"]);

  assert.deepEqual(await api.listMySessions({ cookie: cookie() }), []);
  const { logout_token: token } = await api.createBrowserLogoutFlow({ cookie: cookie() });
  await api.updateLogoutFlow({ token, cookie: cookie() });
  assert.equal((await refused(api.toSession({ cookie: cookie() }))).status, 401);
});

test("an operator", async () => {
  const traits = { email: "made@example.org", name: { first: "Made" } };
  const made = await admin.createIdentity({ createIdentityBody: { schema_id: "default", traits } });
  const patched = await admin.patchIdentity({ id: made.id, jsonPatch: [{ op: "replace", path: "/traits/name/first", value: "Patched" }] });
  assert.equal(patched.traits.name.first, "Patched");
  const found = await admin.listIdentities({ credentialsIdentifier: "made@example.org" });
  assert.ok(found.length <= 1);
  assert.ok((await admin.listIdentities({ pageSize: 250 })).some((identity) => identity.id === made.id));
  const taken = await refused(admin.createIdentity({ createIdentityBody: { schema_id: "default", traits: { email: "app@example.org" }, credentials: { password: { config: { password: PASSWORD } } } } }));
  assert.equal(taken.status, 409);
  await admin.deleteIdentity({ id: made.id });
  assert.equal((await refused(admin.getIdentity({ id: made.id }))).status, 404);
});
