#!/usr/bin/env python3
"""Measures how long whoami takes while many people sign in.

  tests/load/sign_in_storm.py --server 'target/dist/portcullis serve -c {config}'

Starts the server on a SQLite file of its own with the default password hash (bcrypt, cost 12), makes people, and lets
clients sign in one after the other without a pause, each a process of its own. Beside them one more process asks whoami
with a session token on kept connections, every few milliseconds, and notes each answer's time. Exit status 1 if the 99th percentile
is above the limit or any answer is wrong.
"""
import argparse
import http.client
import json
import multiprocessing
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SCHEMA = {
    "$id": "person", "type": "object",
    "properties": {"traits": {"type": "object", "properties": {
        "email": {"type": "string", "format": "email", "ory.sh/kratos": {"credentials": {"password": {"identifier": True}}}}}}},
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def call(connection, method, path, body=None, headers=None):
    """One request on a kept connection: status and JSON body."""
    data = None if body is None else json.dumps(body)
    head = {"Accept": "application/json", **({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
    connection.request(method, path, body=data, headers=head)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if text else None


def sign_in(connection, person):
    """A native sign-in: the session's token."""
    _, flow = call(connection, "GET", "/self-service/login/api")
    path = "/self-service/login?flow=" + flow["id"]
    status, out = call(connection, "POST", path, {"method": "password", "identifier": person[0], "password": person[1]})
    if status != 200:
        raise RuntimeError(f"sign-in answered {status}: {out}")
    return out["session_token"]


def storm(port, people, at, until, done):
    connection, count, wrong = http.client.HTTPConnection("127.0.0.1", port, timeout=120), 0, 0
    while time.monotonic() < until:
        try:
            sign_in(connection, people[(at + count) % len(people)])
        except RuntimeError:
            wrong += 1
        count += 1
    done.put((count, wrong))


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="command; {config} is replaced by a configuration file's path")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pause", type=float, default=0.002, help="seconds between two questions")
    parser.add_argument("--limit", type=float, default=10, help="milliseconds that the 99th percentile may take")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="storm-")
    public, admin = free_port(), free_port()
    with open(os.path.join(folder, "person.json"), "w") as f:
        json.dump(SCHEMA, f)
    config = os.path.join(folder, "config.json")
    with open(config, "w") as f:
        json.dump({
            "dsn": f"sqlite://{folder}/db.sqlite", "log": {"level": "error"},
            "serve": {"public": {"port": public, "host": "127.0.0.1", "base_url": f"http://127.0.0.1:{public}/"},
                      "admin": {"port": admin, "host": "127.0.0.1"}},
            "identity": {"schemas": [{"id": "person", "url": f"file://{folder}/person.json"}], "default_schema_id": "person"},
            "selfservice": {"default_browser_return_url": "http://127.0.0.1:4455/"},
            "secrets": {"default": [secrets.token_hex(16)], "cipher": [secrets.token_hex(16)]},
        }, f)
    server = subprocess.Popen([a.replace("{config}", config) for a in shlex.split(args.server)], cwd=os.getcwd())
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", admin)).close()
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit("the server ended")
                time.sleep(0.01)
        operator = http.client.HTTPConnection("127.0.0.1", admin)
        people = []
        for i in range(args.people):
            person = (f"p{i}@example.org", "Pw-" + secrets.token_urlsafe(12))
            status, out = call(operator, "POST", "/admin/identities", {"schema_id": "person", "traits": {"email": person[0]},
                               "credentials": {"password": {"config": {"password": person[1]}}}})
            if status != 201:
                sys.exit(f"no person was made: {out}")
            people.append(person)
        token = sign_in(http.client.HTTPConnection("127.0.0.1", public), people[0])
        calm, wrong_calm = ask(public, token, time.monotonic() + 3, args.pause)
        done, until = multiprocessing.Queue(), time.monotonic() + args.seconds + 1
        clients = [multiprocessing.Process(target=storm, args=(public, people, i, until, done)) for i in range(args.clients)]
        for c in clients:
            c.start()
        time.sleep(1)
        busy, wrong_busy = ask(public, token, until, args.pause)
        counts = [done.get() for _ in clients]
        for c in clients:
            c.join()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        shutil.rmtree(folder)
    at = lambda took, share: took[min(len(took) - 1, int(len(took) * share))]
    for name, took in (("calm", calm), (f"{args.clients} clients sign in", busy)):
        print(f"whoami, {name:24} n {len(took):6}  p50 {at(took, .5):6.2f}  p99 {at(took, .99):6.2f}  max {took[-1]:6.2f} ms")
    wrong = wrong_calm + wrong_busy + sum(w for _, w in counts)
    signed_in = sum(c for c, _ in counts)
    print(f"sign-ins {signed_in}, {signed_in / (args.seconds + 1):.1f} a second; wrong answers {wrong}")
    sys.exit(1 if wrong or at(busy, .99) > args.limit else 0)


if __name__ == "__main__":
    main()
