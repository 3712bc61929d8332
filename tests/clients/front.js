// A small front end as somebody has it who moves here from Ory Kratos: Express, Ory's client, Ory's components.
// It knows nothing but the address of the public port.
import { once } from "node:events";
import { createRequire } from "node:module";
import { Configuration, FrontendApi } from "@ory/client-fetch";
import express from "express";

const elements = createRequire(import.meta.url)("@ory/elements-markup");

/** A page around what the components rendered. */
const page = (title, body) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body>${body}</body></html>`;

/** The flows that one card shows: their titles, and how they are fetched. */
const cards = {
  login: { title: "Sign in", fetch: (api, id, cookie) => api.getLoginFlow({ id, cookie }) },
  registration: { title: "Sign up", fetch: (api, id, cookie) => api.getRegistrationFlow({ id, cookie }) },
  recovery: { title: "Recover", fetch: (api, id, cookie) => api.getRecoveryFlow({ id, cookie }) },
  verification: { title: "Verify", fetch: (api, id, cookie) => api.getVerificationFlow({ id, cookie }) },
};

/** Starts the front end of a server: its address and how to stop it. `base` is that of the public port. */
export async function front(port, base) {
  const api = new FrontendApi(new Configuration({ basePath: base }));
  const app = express();

  for (const [kind, { title, fetch }] of Object.entries(cards)) {
    app.get(`/${kind}`, async (request, response) => {
      if (!request.query.flow) return response.redirect(303, `${base}/self-service/${kind}/browser`);
      const flow = await fetch(api, request.query.flow, request.headers.cookie);
      const additionalProps = { loginURL: "/login", signupURL: "/registration", forgotPasswordURL: "/recovery" };
      response.send(page(title, elements.UserAuthCard({ title, flow, flowType: kind, additionalProps }, { locale: "en" })));
    });
  }

  app.get("/settings", async (request, response) => {
    if (!request.query.flow) return response.redirect(303, `${base}/self-service/settings/browser`);
    const { cookie } = request.headers;
    const flow = await api.getSettingsFlow({ id: request.query.flow, cookie });
    const { logout_url: logoutUrl } = await api.createBrowserLogoutFlow({ cookie });
    const screen = elements.UserSettingsScreen({ flow, logoutUrl }, { flow, logoutUrl }, { locale: "en" });
    response.send(page("Settings", screen.Nav + screen.Body));
  });

  app.get("/error", async (request, response) => {
    const error = await api.getFlowError({ id: request.query.id });
    response.send(page("Error", elements.UserErrorCard({ error, backUrl: "/", title: "Error" }, { locale: "en" })));
  });

  app.get("/", async (request, response) => {
    const session = await api.toSession({ cookie: request.headers.cookie }).catch(() => undefined);
    const who = session ? `signed in as ${session.identity.traits.email}` : "nobody is signed in";
    response.send(page("Home", `<h1>${who}</h1>`));
  });

  // What a client throws is shown, so that a test that fails says why.
  app.use((error, _request, response, _next) => {
    response.status(500).send(page("Broken", `<h1>Broken</h1><pre>${String(error.stack)}</pre>`));
  });

  const server = app.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    base: `http://localhost:${server.address().port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
