// A server as somebody gets it who starts it for the first time: no configuration, an empty folder.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PATIENCE = 30_000;

/** Whether a port of this machine can be listened on; 0 gives any free one. Answers with the port, or undefined. */
async function freePort(wanted) {
  const probe = createServer();
  probe.listen(wanted, "127.0.0.1");
  try {
    await once(probe, "listening");
  } catch {
    return undefined;
  }
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** Variables for `--dev` with which a password takes next to no time. */
const QUICK = { HASHERS_ALGORITHM: "bcrypt", HASHERS_BCRYPT_COST: "4" };

/** Variables that switch a kind of keys on, bound to this machine's name. */
export const relyingParty = (method) => ({
  [`SELFSERVICE_METHODS_${method}_ENABLED`]: "true",
  [`SELFSERVICE_METHODS_${method}_CONFIG_RP_ID`]: "localhost",
  [`SELFSERVICE_METHODS_${method}_CONFIG_RP_DISPLAY_NAME`]: "Portcullis",
});

/**
 * Starts `portcullis serve`, with the usual ports if they are free.
 * `settings` gives further variables of its environment, from the public port; `dev`: in development mode.
 */
export async function start({ settings = () => ({}), dev = false } = {}) {
  const binary = process.env.PORTCULLIS;
  if (!binary) throw new Error("the variable PORTCULLIS must name the program");
  const folder = await mkdtemp(join(tmpdir(), "portcullis-browser-"));
  const env = { PATH: process.env.PATH, HOME: folder };
  let [port, adminPort] = [4433, 4434];
  if ((await freePort(4433)) === undefined || (await freePort(4434)) === undefined) {
    [port, adminPort] = [await freePort(0), await freePort(0)];
    Object.assign(env, { SERVE_PUBLIC_PORT: String(port), SERVE_ADMIN_PORT: String(adminPort) });
  }
  Object.assign(env, dev ? QUICK : {}, settings(port));
  const base = `http://localhost:${port}`;
  const process_ = spawn(binary, dev ? ["serve", "--dev"] : ["serve"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [process_.stdout, process_.stderr]) stream.on("data", (text) => (said += text));
  const ended = once(process_, "exit");

  const until = Date.now() + PATIENCE;
  for (;;) {
    if (process_.exitCode !== null) throw new Error(`the server ended at once:\n${said}`);
    const ready = await fetch(`${base}/health/ready`).catch(() => undefined);
    if (ready?.ok) break;
    if (Date.now() > until) {
      process_.kill("SIGKILL");
      throw new Error(`the server was not ready in time:\n${said}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }

  return {
    base,
    mailbox: `http://localhost:${adminPort}/dev/mailbox`,
    said: () => said,
    admin: `http://localhost:${adminPort}/admin`,
    async stop() {
      process_.kill("SIGTERM");
      const patience = setTimeout(() => process_.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(patience);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
