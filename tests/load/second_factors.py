#!/usr/bin/env python3
"""Measures what a second factor costs: the server's CPU time a request, for people with one and for people without.

  tests/load/second_factors.py --server 'target/dist/portcullis serve -c {config} --dev'

Half of the people have an authenticator app and twelve backup codes beside their password. One native client after the other asks
whoami, begins settings, reads the form and signs in; those with second factors then prove one, each code once. CPU time is that of
all threads of the server. Exit status 1 if any answer is wrong.
"""
import argparse
import base64
import hashlib
import hmac
import http.client
import os
import secrets
import struct
import sys
import time

from serving import Folder, Refused, Server, begin, call, sign_in

METHODS = {"totp": {"enabled": True, "config": {"issuer": "Load"}}, "lookup_secret": {"enabled": True}}
# Each person proves several factors within a minute, and settings may be changed by whoever has only one.
CHANGE = {"selfservice": {"methods": METHODS, "flows": {"settings": {"required_aal": "highest_available"}}},
          "session": {"whoami": {"required_aal": "aal1"}}, "security": {"guess_limit": {"max_tries": 0}},
          # Hashing would hide everything else.
          "hashers": {"algorithm": "bcrypt", "bcrypt": {"cost": 4}}}
PASSWORD = "correct-heron-58-lantern"


def one_time_code(secret):
    """What an authenticator app shows now (RFC 6238)."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time() // 30)), hashlib.sha1).digest()
    place = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[place:place + 4])[0] & 0x7fffffff) % 1_000_000:06}"


class Person:
    """An account, with or without second factors."""

    def __init__(self, operator, number, strong):
        self.email = f"{'strong' if strong else 'plain'}-{number}@example.org"
        credentials = {"password": {"config": {"password": PASSWORD}}}
        if strong:
            self.secret = base64.b32encode(secrets.token_bytes(20)).decode()
            url = f"otpauth://totp/Load:{self.email}?algorithm=SHA1&digits=6&issuer=Load&period=30&secret={self.secret}"
            credentials["totp"] = {"config": {"totp_url": url}}
        status, out = call(operator, "POST", "/admin/identities",
                           {"schema_id": "person", "traits": {"email": self.email}, "credentials": credentials})
        if status != 201:
            raise Refused("a new account", status, out)


def cpu(server):
    """Microseconds that the server's threads have run."""
    tasks = f"/proc/{server.process.pid}/task"
    total = 0
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1000


def measured(server, count, work):
    """CPU time of the server for each of `count` calls."""
    began = cpu(server)
    for number in range(count):
        work(number)
    return (cpu(server) - began) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="command; {config} is replaced by a configuration file's path")
    parser.add_argument("--people", type=int, default=100, help="of each kind")
    parser.add_argument("--requests", type=int, default=2000)
    args = parser.parse_args()
    figures = {}
    with Folder() as folder, Server(args.server, folder, change=CHANGE) as server:
        server.start()
        operator = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=60)
        client = http.client.HTTPConnection("127.0.0.1", server.public, timeout=60)

        def good(what, answer):
            if answer[0] != 200:
                raise Refused(what, *answer)
            return answer[1]

        def get(path, token):
            return good(path, call(client, "GET", path, headers={"X-Session-Token": token}))

        def prove(token, payload):
            flow = get("/self-service/login/api?aal=aal2", token)
            good("a second step", call(client, "POST", f"/self-service/login?flow={flow['id']}", payload, {"X-Session-Token": token}))

        def backup_code(token):
            """Makes backup codes, keeps them, and gives one."""
            path = begin(client, "settings", token)
            head = {"X-Session-Token": token}
            made = good("new backup codes", call(client, "POST", path, {"method": "lookup_secret", "lookup_secret_regenerate": True}, head))
            node = next(n for n in made["ui"]["nodes"] if n["attributes"].get("id") == "lookup_secret_codes")
            kept = call(client, "POST", path, {"method": "lookup_secret", "lookup_secret_confirm": True}, head)
            good("backup codes that are kept", kept)
            return node["attributes"]["text"]["context"]["secrets"][0]["context"]["secret"]

        def note(what, kind, count, work):
            figures.setdefault(what, {})[kind] = measured(server, count, work)

        for kind in ("without", "with"):
            people = [Person(operator, n, kind == "with") for n in range(args.people)]
            token = []
            note("login, password", kind, args.people, lambda n: token.append(sign_in(client, (people[n].email, PASSWORD))))
            if kind == "with":
                note("login, second step by app", kind, args.people,
                     lambda n: prove(token[n], {"method": "totp", "totp_code": one_time_code(people[n].secret)}))
                codes = [backup_code(each) for each in token]
                again = [sign_in(client, (person.email, PASSWORD)) for person in people]
                note("login, second step by backup code", kind, args.people,
                     lambda n: prove(again[n], {"method": "lookup_secret", "lookup_secret": codes[n]}))
            note("whoami", kind, args.requests, lambda n: get("/sessions/whoami", token[n % args.people]))
            note("settings, begin", kind, args.requests, lambda n: begin(client, "settings", token[n % args.people]))
            flows = [get("/self-service/settings/api", each)["id"] for each in token]
            note("settings, read", kind, args.requests,
                 lambda n: get(f"/self-service/settings/flows?id={flows[n % args.people]}", token[n % args.people]))
    print(f"{'CPU a request':36} {'without':>10} {'with':>10}")
    for what, of in sorted(figures.items()):
        print(f"{what:36} " + " ".join(f"{of[kind]:7.0f} us" if kind in of else f"{'-':>10}" for kind in ("without", "with")))


if __name__ == "__main__":
    try:
        main()
    except Refused as wrong:
        sys.exit(str(wrong))
