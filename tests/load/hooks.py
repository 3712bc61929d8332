#!/usr/bin/env python3
"""Kills the server at random moments while people sign up and in, and looks whether every web hook that is owed was called.

  tests/load/hooks.py --server 'target/debug/portcullis serve -c {config} --dev' --rounds 20

Each sign-up has a hook that is only told and one that is awaited, each sign-in one that is only told. The service that they call
is slow, drops connections and fails now and then. After the last round, with time for leases to end, it must be true that

  every account there is was told to both hooks, and every sign-in that was answered was told: at least once;
  a hook told of no account that is not there;
  a call that was made twice has the same number both times (`webhook-id`), and its signature is right;
  nothing is owed any more, and nothing was given up.

`--seed` repeats chance. Exit status 1 if any of this is not so.
"""
import argparse
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import random
import sys
import threading
import time

from serving import Folder, Refused, Server, begin, call

SECRET = "a-secret-that-hooks-are-signed-with"
PASSWORD = "kestrel-Zw4-91-mortar"
LOST = (OSError, http.client.HTTPException)


class Service:
    """What the hooks call. Who was told what stands in `told`: by path and number, what was said."""

    def __init__(self, seed):
        self.told, self.faults, self.calls = {}, [], 0
        self.lock, self.chance, self.calm = threading.Lock(), random.Random(seed), False
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                manner = service.take(self.path, self.headers, body)
                if manner == "drop":
                    self.close_connection = True
                    return
                self.send_response(manner)
                self.send_header("content-length", "0")
                self.end_headers()

        class Listener(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # callers are killed

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, headers, body):
        """Writes a call down, unless it is one that is treated badly: gives the status, or `drop`."""
        with self.lock:
            self.calls += 1
            lot = 1.0 if self.calm else self.chance.random()
        # The awaited hook behaves: its failures would be told to clients, which is looked at elsewhere.
        if path != "/awaited" and lot < 0.1:
            return "drop" if lot < 0.05 else 503
        time.sleep(0.002 if lot > 0.3 else 0.05)
        number, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        mac = hmac.new(SECRET.encode(), f"{number}.{at}.".encode() + body, hashlib.sha256).digest()
        with self.lock:
            if headers.get("webhook-signature") != "v1," + base64.b64encode(mac).decode():
                self.faults.append(f"{path}: a signature is wrong: {dict(headers)}")
            said = json.loads(body)
            if self.told.setdefault(path, {}).setdefault(number, said) != said:
                self.faults.append(f"{path}: {number} said two things")
        return 200

    def emails(self, path):
        with self.lock:
            return [said["email"] for said in self.told.get(path, {}).values()]


def configuration(service):
    def hook(path, **more):
        program = base64.b64encode(b"function(ctx) { email: ctx.identity.traits.email }").decode()
        return {"hook": "web_hook", "config": {"url": service.url + path, "method": "POST", "body": f"base64://{program}", **more}}

    ignore = {"response": {"ignore": True}}
    return {
        "hashers": {"algorithm": "bcrypt", "bcrypt": {"cost": 4}},
        "clients": {"web_hook": {"timeout": "1s", "signing_secrets": [SECRET]}},
        "selfservice": {"flows": {
            "registration": {"style": "unified", "after": {"password": {"hooks": [
                hook("/told", **ignore), hook("/awaited"), {"hook": "session"}]}}},
            "login": {"after": {"password": {"hooks": [hook("/signed-in", **ignore)]}}}}},
    }


class Client(threading.Thread):
    """Signs people up, and in, until the server is gone."""

    def __init__(self, port, prefix, ledger):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.prefix, self.ledger, self.odd = prefix, ledger, []

    def run(self):
        try:
            for number in range(1_000_000):
                self.step(f"{self.prefix}-{number}@example.org")
        except LOST:
            pass
        except Refused as e:
            if e.status < 500:
                self.odd.append(str(e))
        self.connection.close()

    def step(self, email):
        path = begin(self.connection, "registration")
        status, out = call(self.connection, "POST", path, {
            "method": "password", "password": PASSWORD, "traits": {"email": email}})
        if status != 200:
            raise Refused("a sign-up", status, out)
        self.ledger["up"].append(email)
        path = begin(self.connection, "login")
        status, out = call(self.connection, "POST", path, {
            "method": "password", "identifier": email, "password": PASSWORD})
        if status != 200:
            raise Refused("a sign-in", status, out)
        self.ledger["in"].append(email)


def everybody(port):
    """The addresses of all accounts."""
    connection, found, page = http.client.HTTPConnection("127.0.0.1", port, timeout=60), [], 0
    while True:
        _, some = call(connection, "GET", f"/admin/identities?per_page=500&page={page}")
        found += [person["traits"]["email"] for person in some]
        if len(some) < 500:
            return found
        page += 1


def settle(server, patience):
    """Waits until nothing is owed; gives what still is."""
    until = time.monotonic() + patience
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=60)
        _, left = call(connection, "GET", "/admin/hooks/calls?page_size=1000")
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chance, ledger, faults = random.Random(args.seed), {"up": [], "in": []}, []
    service = Service(args.seed)
    with Folder() as folder:
        server = Server(args.server, folder, change=configuration(service))
        for number in range(args.rounds):
            server.start()
            clients = [Client(server.public, f"r{number}c{c}", ledger) for c in range(args.clients)]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0.05, 1.5))
            server.kill()
            for client in clients:
                client.join(60)
                faults += client.odd
        service.calm = True
        server.start()
        # What was on its way when the last kill came is let go when its lease is over.
        left = settle(server, 120)
        there = everybody(server.admin)
        server.kill()
    for path, wanted in (("/told", there), ("/awaited", there), ("/signed-in", ledger["in"])):
        told = service.emails(path)
        if missing := set(wanted) - set(told):
            faults.append(f"{path}: {len(missing)} were not told, such as {sorted(missing)[:3]}")
        if extra := set(told) - set(there):
            faults.append(f"{path}: told of {len(extra)} who are not there, such as {sorted(extra)[:3]}")
    if missing := set(ledger["up"]) - set(there):
        faults.append(f"{len(missing)} sign-ups that were answered are gone")
    if left:
        faults.append(f"{len(left)} calls are still owed or were given up, such as {left[0]}")
    faults += service.faults
    print(f"{args.rounds} kills, {len(there)} accounts ({len(ledger['up'])} answered), {len(ledger['in'])} sign-ins, {service.calls} calls")
    for fault in faults:
        print(fault)
    print(f"{'failed' if faults else 'passed'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
