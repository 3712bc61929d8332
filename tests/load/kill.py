#!/usr/bin/env python3
"""Kills the server, or its PostgreSQL, at random moments under load, and looks whether every answer is still true.

  tests/load/kill.py --server 'target/debug/portcullis serve -c {config} --dev' --rounds 100
  tests/load/kill.py --server '...' --database postgres --victim postgres --rounds 10

In each round clients sign up, sign in, change their name, address and password, and sign out; each keeps a ledger of what
was answered, and of the one thing that was asked and not answered. Then comes SIGKILL; sometimes it hits the start after
the last one. After the next start everything is looked at that a client touched in the round, and a sample of the rest
(after the last round: everything):

  what was answered is true; what was asked and not answered has happened whole or not at all;
  the unique rows of identifiers and addresses are exactly those of the accounts; there is no account without its mail and
  no mail without its account; the flows that were begun are there (unless the power of PostgreSQL was cut);
  SQLite: the file that the kill left behind is sound before the server sees it again, also if somebody else has
  looked into it beside the server.

`--seed` repeats chance: who does what, and when the kill comes. A round passes or fails; exit status 1 if one fails.
"""
import argparse
import http.client
import json
import os
import random
import secrets
import shutil
import sqlite3
import sys
import threading
import time
import uuid

from serving import Folder, Postgres, Refused, Server, begin, call

CONFIG = {
    "hashers": {"algorithm": "bcrypt", "bcrypt": {"cost": 4}},
    "selfservice": {"flows": {
        "registration": {"style": "unified", "after": {"password": {"hooks": [{"hook": "session"}]}}},
        "settings": {"after": {"password": {"hooks": [{"hook": "revoke_active_sessions"}]}}},
        "verification": {"enabled": True}}},
}
# How often a client does what.
WEIGHTS = {"sign_up": 4, "sign_in": 4, "rename": 4, "readdress": 2, "password": 2, "sign_out": 3, "flow": 2}
LOST = (OSError, http.client.HTTPException)


class Person:
    """An account as its client knows it. At most one thing is in doubt: asked, and not answered."""

    def __init__(self, email, name, password):
        self.email, self.name, self.password = email, name, password
        self.id = None
        self.tokens, self.dead = set(), set()
        self.former = set()
        # Sessions that were made by a sign-in nobody was told about.
        self.untold = 0
        self.doubt = None

    def __repr__(self):
        return f"{self.email} ({self.id}, in doubt: {self.doubt})"


class Client(threading.Thread):
    """Does one thing after the other until it is told to stop or the server is gone."""

    def __init__(self, number, port, seed, people, others):
        super().__init__(daemon=True)
        self.number, self.chance, self.people, self.others = number, random.Random(seed), people, others
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.stopped = threading.Event()
        self.touched, self.flows, self.counts, self.odd = set(), [], {}, []

    def run(self):
        try:
            while not self.stopped.is_set():
                try:
                    self.step()
                except Refused as e:
                    if e.status < 500:
                        raise
                    self.others[e.status] = self.others.get(e.status, 0) + 1
        except LOST:
            pass
        except Exception as e:  # a fault of this script must not look like a quiet client
            self.odd.append(f"client {self.number}: {type(e).__name__}: {e}")
        self.connection.close()

    def step(self):
        sure = [p for p in self.people if p.doubt is None]
        signed_in = [p for p in sure if p.tokens]
        what = self.chance.choices(list(WEIGHTS), WEIGHTS.values())[0]
        if what == "flow":
            path = begin(self.connection, "login")
            self.flows.append(path.partition("flow=")[2])
        elif what == "sign_up" or not sure:
            what = "sign_up"
            self.sign_up()
        elif what == "sign_in":
            self.sign_in(self.chance.choice(sure))
        elif signed_in:
            person = self.chance.choice(signed_in)
            token = self.chance.choice(sorted(person.tokens))
            getattr(self, what)(person, token)
        else:
            return
        self.counts[what] = self.counts.get(what, 0) + 1

    def word(self):
        return f"{self.number}-{self.chance.getrandbits(48):012x}"

    def submit(self, person, doubt, method, path, body, token=None, good=(200,)):
        """Asks for a change. The doubt about it ends only with an answer; one of the server's own troubles is none."""
        person.doubt = doubt
        self.touched.add(person)
        status, out = call(self.connection, method, path, body, {"X-Session-Token": token} if token else None)
        if status >= 500:
            self.others[status] = self.others.get(status, 0) + 1
            # It says itself that it does not know; this client leaves the account alone until somebody has looked.
            return None
        person.doubt = None
        if status not in good:
            self.odd.append(f"{doubt[0]} of {person} was answered {status}: {json.dumps(out)[:400]}")
            return None
        return out if out is not None else {}

    def sign_up(self):
        word = self.word()
        person = Person(f"p{word}@example.org", f"N {word}", f"Pw-{word}-{self.word()}")
        path = begin(self.connection, "registration")
        self.people.append(person)
        out = self.submit(person, ("sign_up",), "POST", path, {
            "method": "password", "password": person.password, "traits": {"email": person.email, "name": person.name}})
        if out:
            person.id = out["identity"]["id"]
            person.tokens.add(out["session_token"])

    def sign_in(self, person):
        path = begin(self.connection, "login")
        out = self.submit(person, ("sign_in",), "POST", path,
                          {"method": "password", "identifier": person.email, "password": person.password})
        if out:
            person.tokens.add(out["session_token"])

    def change(self, person, token, doubt, body):
        path = begin(self.connection, "settings", token)
        return self.submit(person, doubt, "POST", path, body, token)

    def rename(self, person, token):
        name = f"N {self.word()}"
        body = {"method": "profile", "traits": {"email": person.email, "name": name}}
        if self.change(person, token, ("rename", name), body):
            person.name = name

    def readdress(self, person, token):
        email = f"p{self.word()}@example.org"
        body = {"method": "profile", "traits": {"email": email, "name": person.name}}
        if self.change(person, token, ("readdress", email), body):
            person.former.add(person.email)
            person.email = email

    def password(self, person, token):
        password = f"Pw-{self.word()}-{self.word()}"
        if self.change(person, token, ("password", password, token), {"method": "password", "password": password}):
            person.password = password
            ended(person, token)

    def sign_out(self, person, token):
        if self.submit(person, ("sign_out", token), "DELETE", "/self-service/logout/api", {"session_token": token},
                       good=(204,)) is not None:
            person.tokens.remove(token)
            person.dead.add(token)


def ended(person, kept):
    """A new password ends all sessions but the one that set it."""
    person.dead |= person.tokens - {kept}
    person.tokens = {kept}
    person.untold = 0


class Auditor:
    """Looks whether the server still agrees with the ledgers."""

    def __init__(self, server):
        self.public = http.client.HTTPConnection("127.0.0.1", server.public, timeout=30)
        self.admin = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=30)
        self.faults, self.looked, self.undone, self.done = [], 0, 0, 0

    def fault(self, text):
        self.faults.append(text)

    def signs_in(self, email, password):
        """The token of a sign-in, or None if it is refused."""
        path = begin(self.public, "login")
        status, out = call(self.public, "POST", path, {"method": "password", "identifier": email, "password": password})
        if status == 200:
            return out["session_token"]
        if status != 400:
            self.fault(f"a sign-in of {email} was answered {status}: {out}")
        return None

    def whose(self, token):
        """The identity that a token's session belongs to, or None if the session does not count any more."""
        status, out = call(self.public, "GET", "/sessions/whoami", headers={"X-Session-Token": token})
        if status not in (200, 401):
            self.fault(f"whoami was answered {status}: {out}")
        return out["identity"]["id"] if status == 200 else None

    def account(self, person):
        """What the admin API shows of somebody."""
        if person.id is None:
            path = f"/admin/identities?credentials_identifier={person.email}"
            status, found = call(self.admin, "GET", path)
            if status != 200 or len(found) > 1:
                self.fault(f"{person} was searched: {status}: {found}")
            if not found:
                return None
            person.id = found[0]["id"]
        status, out = call(self.admin, "GET", f"/admin/identities/{person.id}?include_credential=password")
        return out if status == 200 else None

    def look(self, person):
        """Compares an account with its ledger, and settles what was in doubt. False if it never came to be."""
        self.looked += 1
        kind, *more = person.doubt or (None,)
        account = self.account(person)
        if account is None:
            if kind == "sign_up":
                self.undone += 1
                # The address must be as free as before.
                path = begin(self.public, "registration")
                status, out = call(self.public, "POST", path, {"method": "password", "password": person.password,
                                   "traits": {"email": person.email, "name": person.name}})
                if status != 200:
                    self.fault(f"{person}: nobody has the address, and nobody can have it: {status}: {out}")
                    return False
                person.id, person.doubt = out["identity"]["id"], None
                person.tokens.add(out["session_token"])
                return True
            self.fault(f"{person} is gone")
            return False
        happened = self.settle(person, kind, more, account)
        if kind:
            self.done += happened
            self.undone += not happened
        person.doubt = None
        self.compare(person, account)
        return True

    def settle(self, person, kind, more, account):
        """Whether the thing in doubt has happened; if so, it is in the ledger from now on."""
        if kind == "sign_up":
            person.untold += 1
            return True
        if kind == "sign_in":
            person.untold += 1
            return False
        if kind == "rename" and account["traits"].get("name") == more[0]:
            person.name = more[0]
            return True
        if kind == "readdress" and account["traits"].get("email") == more[0]:
            person.former.add(person.email)
            person.email = more[0]
            return True
        if kind == "password":
            before, after = (self.signs_in(person.email, p) for p in (person.password, more[0]))
            if bool(before) == bool(after):
                self.fault(f"{person}: the old password is {'good' if before else 'bad'}, and so is the new one")
            if after:
                person.password = more[0]
                ended(person, more[1])
            person.tokens.add(after or before or more[1])
            return bool(after)
        if kind == "sign_out" and self.whose(more[0]) is None:
            person.tokens.remove(more[0])
            person.dead.add(more[0])
            return True
        return False

    def compare(self, person, account):
        wanted = {"email": person.email, "name": person.name}
        if account["traits"] != wanted:
            self.fault(f"{person} has the traits {account['traits']} instead of {wanted}")
        shown = {
            "identifiers": account.get("credentials", {}).get("password", {}).get("identifiers"),
            "verifiable": [a["value"] for a in account.get("verifiable_addresses") or []],
            "recovery": [a["value"] for a in account.get("recovery_addresses") or []]}
        for what, values in shown.items():
            if values != [person.email]:
                self.fault(f"{person}: {what} are {values}")
        for token in person.tokens:
            if (whose := self.whose(token)) != person.id:
                self.fault(f"{person}: a session that was given is {whose or 'gone'}")
        for token in person.dead:
            if self.whose(token) is not None:
                self.fault(f"{person}: a session that was ended lives")
        status, listed = call(self.admin, "GET", f"/admin/identities/{person.id}/sessions?active=true&page_size=500")
        if status != 200 or not len(person.tokens) <= len(listed or []) <= len(person.tokens) + person.untold:
            self.fault(f"{person}: {status}, {len(listed or [])} sessions instead of {len(person.tokens)} and at most "
                       f"{person.untold} that nobody was told of")
        token = self.signs_in(person.email, person.password)
        if token is None:
            self.fault(f"{person} cannot sign in")
        else:
            # Only so that the ledgers do not grow without end.
            status, _ = call(self.public, "DELETE", "/self-service/logout/api", {"session_token": token})
            if status != 204:
                self.fault(f"{person} cannot sign out: {status}")
            person.dead = {token}
        for email in sorted(person.former)[:2]:
            if self.signs_in(email, person.password):
                self.fault(f"{person} signs in by the former address {email}")

    def flow(self, id):
        status, _ = call(self.public, "GET", f"/self-service/login/flows?id={id}")
        if status != 200:
            self.fault(f"a flow that was begun is answered {status}")


TABLES = {
    "identities": "SELECT id, traits, verifiable_addresses, recovery_addresses FROM identities",
    "credentials": "SELECT identity_id, kind, identifiers FROM credentials",
    "credential_identifiers": "SELECT identity_id, kind, identifier FROM credential_identifiers",
    "verifiable_addresses": "SELECT identity_id, via, value FROM verifiable_addresses",
    "recovery_addresses": "SELECT identity_id, via, value FROM recovery_addresses",
    "sessions": "SELECT DISTINCT identity_id FROM sessions",
    "recipients": "SELECT DISTINCT recipient FROM messages",
}


def of_sqlite(path, into, faults):
    """Reads the tables from a copy of a database that was left behind, so that the server finds everything as it was left."""
    shutil.rmtree(into, ignore_errors=True)
    os.mkdir(into)
    for end in ("", "-wal"):
        if os.path.exists(path + end):
            shutil.copy(path + end, os.path.join(into, "db" + end))
    copy = sqlite3.connect(os.path.join(into, "db"))
    try:
        for check, sound in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
            if (said := copy.execute(f"PRAGMA {check}").fetchall()) != sound:
                faults.append(f"{check}: {said[:5]}")
        there = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
        if not there & {"identities", "messages"} == {"identities", "messages"}:
            return None  # it was killed before the tables were made
        as_id = lambda value: str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else value
        return {table: [[as_id(v) for v in row] for row in copy.execute(sql)] for table, sql in TABLES.items()}
    finally:
        copy.close()


def whole(tables, faults):
    """Looks whether the rows of different tables agree, and gives those who have an account and those who have a mail."""
    def same(what, one, other):
        one, other = {tuple(r) for r in one}, {tuple(r) for r in other}
        if one != other:
            faults.append(f"{what}: only in the account {sorted(one - other)[:3]}, only in the table {sorted(other - one)[:3]}")

    people = {id: json.loads(traits)["email"] for id, traits, _, _ in tables["identities"]}
    same("identifiers", [(id, kind, i) for id, kind, all in tables["credentials"] for i in json.loads(all)],
         tables["credential_identifiers"])
    for column, table in ((2, "verifiable_addresses"), (3, "recovery_addresses")):
        same(table, [(r[0], a["via"], a["value"]) for r in tables["identities"] for a in json.loads(r[column])], tables[table])
        same(f"{table} and traits", [(id, email) for id, email in people.items()], [(r[0], r[2]) for r in tables[table]])
    same("identifiers and traits", [(id, "password", email) for id, email in people.items()], tables["credential_identifiers"])
    for (id,) in tables["sessions"]:
        if id not in people:
            faults.append(f"a session of nobody: {id}")
    mailed = {recipient for (recipient,) in tables["recipients"]}
    if unasked := set(people.values()) - mailed:
        faults.append(f"accounts without a mail to prove their address: {sorted(unasked)[:3]}")
    return set(people.values()), mailed


class Trial:
    """All rounds on one database."""

    def __init__(self, args, folder, postgres):
        self.args, self.folder, self.postgres = args, folder, postgres
        self.chance = random.Random(args.seed)
        self.server = Server(args.server, folder, postgres.dsn if postgres else None, CONFIG)
        self.people = [[] for _ in range(args.clients)]
        # Addresses that were asked for by sign-ups that came to nothing.
        self.never = set()
        self.counts, self.troubles = {}, {}
        self.passed = self.failed = self.looked = self.done = self.undone = self.early = 0
        self.slowest = 0.0

    def everybody(self):
        return [p for people in self.people for p in people]

    def round(self, number):
        faults = []
        # Some kills hit the start after the last one: recovery must bear being interrupted.
        if self.args.victim == "server" and self.chance.random() < 0.2:
            if self.server.process:
                self.server.kill()
            self.server.spawn()
            time.sleep(self.chance.uniform(0, 0.06))
            self.server.kill()
            self.early += 1
        if self.server.process is None or self.server.process.poll() is not None:
            self.server.start()
        clients = [Client(n, self.server.public, self.chance.getrandbits(64), self.people[n], self.troubles)
                   for n in range(self.args.clients)]
        for client in clients:
            client.start()
        time.sleep(self.chance.uniform(0.02, self.args.longest))
        if not self.postgres and self.chance.random() < 0.3:
            self.look_in()
        if self.args.victim == "server":
            self.server.kill()
        elif self.chance.random() < 0.7:
            self.postgres.kill()
        else:
            self.postgres.stop_at_once()
        # Nobody asks for anything new from now on, so that what is looked at stands still.
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join(60)
            if client.is_alive():
                faults.append(f"client {client.number} hangs")
            faults += client.odd
            for what, count in client.counts.items():
                self.counts[what] = self.counts.get(what, 0) + count
        tables = None
        if not self.postgres:
            tables = of_sqlite(self.server.database, os.path.join(self.folder, "copy"), faults)
        began = time.monotonic()
        if self.args.victim == "server":
            self.server.start()
        else:
            self.postgres.start()
            self.server.wait()
        self.slowest = max(self.slowest, time.monotonic() - began)
        if self.postgres:
            tables = {table: self.postgres.rows(sql) for table, sql in TABLES.items()}
        mails = whole(tables, faults) if tables else None
        self.audit(clients, mails, number, faults)
        if "panicked" in self.server.said():
            faults.append(f"the server panicked: {self.server.said()[-2000:]}")
        return faults

    def look_in(self):
        """Somebody opens the file beside the running server, and closes it again. The server's log is none of his business."""
        passer_by = sqlite3.connect(f"file:{self.server.database}?mode=rw", uri=True, timeout=30)
        passer_by.execute("SELECT COUNT(*) FROM identities").fetchall()
        passer_by.close()
        time.sleep(self.chance.uniform(0, 0.1))

    def audit(self, clients, mails, number, faults):
        touched = {p for client in clients for p in client.touched}
        rest = [p for p in self.everybody() if p not in touched]
        if number + 1 < self.args.rounds:
            rest = self.chance.sample(rest, min(len(rest), 30))
        auditor = Auditor(self.server)
        if mails:
            there, mailed = mails
            known = {e for p in self.everybody() for e in (p.email, *p.former, *(p.doubt or ())[1:2])}
            if unknown := mailed - known:
                faults.append(f"mails to somebody who never was: {sorted(unknown)[:3]}")
            for person in self.everybody():
                # A mail without its account, or the other way round.
                if person.doubt == ("sign_up",) and (person.email in mailed) != (person.email in there):
                    faults.append(f"{person}: account and mail were parted")
        try:
            for person in [*sorted(touched, key=lambda p: p.email), *rest]:
                if not auditor.look(person):
                    for people in self.people:
                        if person in people:
                            people.remove(person)
            if self.args.victim == "server":
                for client in clients:
                    for flow in client.flows[-3:]:
                        auditor.flow(flow)
        except (*LOST, Refused) as e:
            auditor.fault(f"it could not be looked at: {e!r}")
        faults += auditor.faults
        self.looked += auditor.looked
        self.done += auditor.done
        self.undone += auditor.undone

    def run(self):
        began = time.monotonic()
        for number in range(self.args.rounds):
            faults = self.round(number)
            self.failed += bool(faults)
            self.passed += not faults
            for fault in faults[:20]:
                print(f"round {number}: {fault}", flush=True)
            if self.args.progress and (number + 1) % 10 == 0:
                print(f"{number + 1} rounds, {len(self.everybody())} accounts, {time.monotonic() - began:.0f} s", flush=True)
        asked = ", ".join(f"{self.counts.get(what, 0)} {what}" for what in WEIGHTS)
        print(f"{self.args.database}, kills of the {self.args.victim}: {self.args.rounds} under load, {self.early} while starting; "
              f"seed {self.args.seed}; {time.monotonic() - began:.0f} s")
        print(f"answered: {asked}")
        print(f"accounts {len(self.everybody())}, looked at {self.looked} times; asked and not answered: {self.done} had "
              f"happened, {self.undone} had not; longest start {self.slowest:.2f} s; answers 5xx: {self.troubles or 'none'}")
        print(f"{self.passed} passed, {self.failed} failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="command; {config} is replaced by a configuration file's path")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--victim", choices=["server", "postgres"], default="server")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--longest", type=float, default=0.6, help="seconds of load before a kill, at most")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--progress", action="store_true", help="a line for every ten rounds")
    args = parser.parse_args()
    if args.victim == "postgres" and args.database != "postgres":
        parser.error("--victim postgres needs --database postgres")
    with Folder() as folder:
        if args.database == "postgres":
            with Postgres(folder) as postgres:
                trial = Trial(args, folder, postgres)
                with trial.server:
                    trial.run()
        else:
            trial = Trial(args, folder, None)
            with trial.server:
                trial.run()
    sys.exit(1 if trial.failed else 0)


if __name__ == "__main__":
    main()
