"""A server of its own for each of the scripts beside this file, its databases, and one request at a time.

Everything lives in one temporary folder and on free ports of this machine, and is gone at the end.
"""
import glob
import http.client
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SCHEMA = {
    "$id": "person", "type": "object",
    "properties": {"traits": {"type": "object", "required": ["email"], "properties": {
        "email": {"type": "string", "format": "email", "ory.sh/kratos": {
            "credentials": {"password": {"identifier": True}}, "verification": {"via": "email"}, "recovery": {"via": "email"}}},
        "name": {"type": "string"}}}},
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def lay(value, over):
    """Lays a change over a configuration: mappings join, anything else replaces."""
    for key, new in over.items():
        if isinstance(new, dict) and isinstance(value.get(key), dict):
            lay(value[key], new)
        else:
            value[key] = new


def call(connection, method, path, body=None, headers=None):
    """One request on a kept connection: status and JSON body."""
    data = None if body is None else json.dumps(body)
    head = {"Accept": "application/json", **({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
    connection.request(method, path, body=data, headers=head)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if text else None


class Refused(RuntimeError):
    """An answer that is not the one that was hoped for."""

    def __init__(self, what, status, body):
        super().__init__(f"{what} was answered {status}: {json.dumps(body)[:400]}")
        self.status = status


def begin(connection, kind, token=None):
    """Begins a native flow: the path to submit it to."""
    status, flow = call(connection, "GET", f"/self-service/{kind}/api", headers={"X-Session-Token": token} if token else None)
    if status != 200:
        raise Refused(f"a {kind} flow", status, flow)
    return f"/self-service/{kind}?flow={flow['id']}"


def sign_in(connection, person):
    """A native sign-in of an address and a password: the session's token."""
    path = begin(connection, "login")
    status, out = call(connection, "POST", path, {"method": "password", "identifier": person[0], "password": person[1]})
    if status != 200:
        raise Refused("a sign-in", status, out)
    return out["session_token"]


def import_person(connection, email, password):
    """Makes an account over the admin port: its id."""
    status, out = call(connection, "POST", "/admin/identities", {"schema_id": "person", "traits": {"email": email},
                       "credentials": {"password": {"config": {"password": password}}}})
    if status != 201:
        raise Refused("a new account", status, out)
    return out["id"]


def at(took, share):
    """The value below which a share of the sorted ones lies."""
    return took[min(len(took) - 1, int(len(took) * share))]


def ask(port, token, until, pause):
    """Times whoami until `until`: milliseconds, sorted, and how many answers were not 200."""
    connection, took, wrong = http.client.HTTPConnection("127.0.0.1", port, timeout=60), [], 0
    while time.monotonic() < until:
        began = time.perf_counter()
        status, _ = call(connection, "GET", "/sessions/whoami", headers={"X-Session-Token": token})
        took.append((time.perf_counter() - began) * 1000)
        wrong += status != 200
        time.sleep(pause)
    return sorted(took), wrong


def row(name, took):
    """A line of figures."""
    return f"{name:34} n {len(took):6}  p50 {at(took, .5):7.2f}  p99 {at(took, .99):7.2f}  max {took[-1]:7.2f} ms"


class Folder:
    """A temporary folder that others may look into, gone at the end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="portcullis-load-")
        os.chmod(self.path, 0o755)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Server:
    """A server by its command, in which {config} stands for the path of its configuration."""

    def __init__(self, command, folder, dsn=None, change=None):
        self.folder, self.process = folder, None
        self.public, self.admin = free_port(), free_port()
        self.database, self.log = os.path.join(folder, "db.sqlite"), os.path.join(folder, "server.log")
        with open(os.path.join(folder, "person.json"), "w") as f:
            json.dump(SCHEMA, f)
        config = {
            "dsn": dsn or f"sqlite://{self.database}", "log": {"level": "error"},
            "serve": {"public": {"port": self.public, "host": "127.0.0.1", "base_url": f"http://127.0.0.1:{self.public}/"},
                      "admin": {"port": self.admin, "host": "127.0.0.1"}},
            "identity": {"schemas": [{"id": "person", "url": f"file://{folder}/person.json"}], "default_schema_id": "person"},
            "selfservice": {"default_browser_return_url": "http://127.0.0.1:4455/",
                            "methods": {"password": {"config": {"haveibeenpwned_enabled": False}}}},
            "secrets": {"default": [secrets.token_hex(16)], "cipher": [secrets.token_hex(16)]},
        }
        lay(config, change or {})
        path = os.path.join(folder, "config.json")
        with open(path, "w") as f:
            json.dump(config, f)
        self.command = [a.replace("{config}", path) for a in shlex.split(command)]

    def spawn(self):
        """Starts it and does not wait."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=log)

    def wait(self, patience=60):
        """Waits until it says that it is ready."""
        until = time.monotonic() + patience
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
                if call(connection, "GET", "/health/ready")[0] == 200:
                    return self
            except (OSError, http.client.HTTPException):
                pass
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.said()[-2000:]}")
            if time.monotonic() > until:
                raise RuntimeError(f"the server was not ready within {patience} s")
            time.sleep(0.01)

    def start(self):
        self.spawn()
        return self.wait()

    def said(self):
        """What it logged so far."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def kill(self):
        """SIGKILL: nothing that it had in mind is done any more."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM, and waits for its orderly end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def memory(self):
        """What it holds in memory, in MiB."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmRSS"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.stop()


class Postgres:
    """A PostgreSQL of our own (Debian's programs), with its defaults: everything is synced."""

    def __init__(self, folder):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            raise RuntimeError("no PostgreSQL is installed")
        self.programs, self.port = found[-1], free_port()
        self.folder = os.path.join(folder, "postgres")
        os.mkdir(self.folder)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.data = os.path.join(self.folder, "data")
        if self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres").wait() != 0:
            raise RuntimeError("PostgreSQL makes no database")
        self.dsn = f"postgres://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def run(self, program, *args):
        """Starts one of its programs as its user."""
        who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        with open(os.path.join(os.path.dirname(self.folder), "postgres.out"), "ab") as out:
            return subprocess.Popen([os.path.join(self.programs, program), *args], stdout=out, stderr=out, cwd="/", **who)

    def start(self, patience=60):
        """Starts it and waits until it answers. It is our own child, so that a killed one is buried and not in its way."""
        self.process = self.run("postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder,
                                "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=100")
        until = time.monotonic() + patience
        while self.run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)).wait() != 0:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("PostgreSQL does not start")
            time.sleep(0.02)
        return self

    def kill(self):
        """SIGKILL to the first of its processes and to all that it made, and waits until they are gone."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            made = [int(pid) for pid in f.read().split()]
        self.process.kill()
        self.process.wait()
        for pid in made:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        while any(alive(pid) for pid in made):
            time.sleep(0.01)

    def stop_at_once(self):
        """Ends without a checkpoint: what was not written out must be found in the log again."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(60)

    def rows(self, sql):
        """What a statement gives, each row a list."""
        wrapped = f"SELECT to_json(ARRAY(SELECT row_to_json(x) FROM ({sql}) x))"
        out = subprocess.run(["psql", "-X", "-At", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-c", wrapped],
                             check=True, capture_output=True, text=True).stdout
        return [list(row.values()) for row in json.loads(out)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop_at_once()


def alive(pid):
    """Whether a process is there and not only waits to be buried."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
