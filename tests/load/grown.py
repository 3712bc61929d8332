#!/usr/bin/env python3
"""Measures how long whoami takes while a grown SQLite database is listed, swept and backed up.

  tests/load/grown.py --server 'target/dist/portcullis serve -c {config}'
  tests/load/grown.py --server '...' --only janitor

list: an administrator reads all identities and all sessions, page by page, again and again. janitor: a database with
`--flows` expired flows is swept; the first sweep comes five minutes after the start, so this takes longer. backup: the
command of `--backup`, in which {config} stands for the configuration and {to} for the file to make. Exit status 1 if the 99th
percentile of whoami is above the limit or any answer is wrong.
"""
import argparse
import http.client
import os
import secrets
import shlex
import sqlite3
import subprocess
import sys
import threading
import time

from serving import Folder, Server, ask, at, call, import_person, row, sign_in

HASH = "$2a$04$zQ7xZhvCFQ3W8xUzgvZd5OZmUvfVJcfZ1a3hSYpNmN3mB7L8l0mC2"
PERSON = ("a@example.org", "correct-heron-58-lantern")


def fill(server, people):
    """Imports accounts, 1,000 a request."""
    operator = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=300)
    import_person(operator, *PERSON)
    for first in range(0, people, 1000):
        patches = [{"create": {"schema_id": "person", "traits": {"email": f"bulk-{n}@example.org", "name": f"N {n}"},
                               "credentials": {"password": {"config": {"hashed_password": HASH}}}}}
                   for n in range(first, min(people, first + 1000))]
        status, out = call(operator, "PATCH", "/admin/identities", {"identities": patches})
        if status != 200 or any(each.get("action") != "create" for each in out["identities"]):
            sys.exit(f"the import was answered {status}")


def expired_flows(path, count):
    """Puts flows that ended long ago into the database of a server that is not running."""
    database = sqlite3.connect(path)
    long_ago = int((time.time() - 90 * 24 * 3600) * 1e6)
    rows = ((secrets.token_bytes(16), "login", "browser", None, long_ago + n, 1, os.urandom(400)) for n in range(count))
    with database:
        database.executemany("INSERT INTO flows (id, kind, flow_type, identity_id, expires_at, version, sealed) "
                             "VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.close()


class Lister(threading.Thread):
    """Reads everything, page by page, until it is stopped."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.stopped, self.rows, self.wrong = threading.Event(), 0, 0

    def run(self):
        while not self.stopped.is_set():
            for path in ("/admin/identities?page_size=500", "/admin/sessions?page_size=500&expand=identity"):
                while path and not self.stopped.is_set():
                    path = self.page(path)

    def page(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        self.wrong += answer.status != 200
        self.rows += body.count(b'"schema_id"')
        links = [part.split(";") for part in (answer.getheader("Link") or "").split(",")]
        following = [link[0].strip(" <>") for link in links if len(link) > 1 and 'rel="next"' in link[1]]
        return following[0].partition("//")[2].partition("/")[1] + following[0].partition("//")[2].partition("/")[2] \
            if following and following[0].startswith("http") else (following[0] if following else None)


def flows_left(database):
    return database.execute("SELECT COUNT(*) FROM (SELECT 1 FROM flows LIMIT 2000000)").fetchone()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="command; {config} is replaced by a configuration file's path")
    parser.add_argument("--only", action="append", choices=["list", "janitor", "backup"])
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--flows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pause", type=float, default=0.002, help="seconds between two questions")
    parser.add_argument("--backup", help="command; {config} and {to} are replaced")
    parser.add_argument("--limit", type=float, default=10, help="milliseconds that the 99th percentile may take")
    args = parser.parse_args()
    only = args.only or ["list", "janitor", *(["backup"] if args.backup else [])]
    figures, wrong = [], 0
    with Folder() as folder, Server(args.server, folder) as server:
        server.start()
        fill(server, args.people)
        if "janitor" in only:
            server.stop()
            expired_flows(server.database, args.flows)
            server.start()
        started = time.monotonic()
        token = sign_in(http.client.HTTPConnection("127.0.0.1", server.public), PERSON)
        measure = lambda until: ask(server.public, token, until, args.pause)
        calm, bad = measure(time.monotonic() + 3)
        figures.append(("whoami, calm", calm))
        wrong += bad
        if "list" in only:
            lister = Lister(server.admin)
            lister.start()
            took, bad = measure(time.monotonic() + args.seconds)
            lister.stopped.set()
            lister.join()
            figures.append(("whoami, everything is listed", took))
            wrong += bad + lister.wrong
            print(f"{lister.rows} rows were listed, {lister.rows / args.seconds:.0f} a second")
        if "backup" in only:
            command = [a.replace("{config}", os.path.join(folder, "config.json")).replace("{to}", os.path.join(folder, "backup.db"))
                       for a in shlex.split(args.backup)]
            began = time.monotonic()
            backup = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            took = []
            while backup.poll() is None:
                more, bad = measure(time.monotonic() + 0.05)
                took += more
                wrong += bad
            wrong += backup.returncode != 0
            figures.append(("whoami, a backup", sorted(took)))
            print(f"the backup took {time.monotonic() - began:.2f} s and was answered {backup.returncode}")
        if "janitor" in only:
            # It stays open until the server has ended.
            reader = sqlite3.connect(f"file:{server.database}?mode=ro", uri=True, timeout=30)
            while flows_left(reader) == args.flows and time.monotonic() < started + 400:
                time.sleep(1)
            began, took, left = time.monotonic(), [], args.flows
            while left > 100 and time.monotonic() < began + 600:
                more, bad = measure(time.monotonic() + 2)
                took += more
                wrong += bad
                left = flows_left(reader)
            figures.append(("whoami, the janitor sweeps", sorted(took)))
            wrong += left > 100
            log = os.path.getsize(server.database + "-wal") / 2**20
            print(f"{args.flows} expired flows: {time.monotonic() - began:.0f} s until {left} were left; the log has {log:.0f} MiB")
            reader.close()
        print(f"{server.memory():.0f} MiB of memory, {os.path.getsize(server.database) / 2**20:.0f} MiB of database")
    for name, took in figures:
        print(row(name, took))
    slow = [name for name, took in figures if at(took, .99) > args.limit]
    if wrong or slow:
        print(f"wrong answers {wrong}; above {args.limit} ms: {slow}")
    sys.exit(1 if wrong or slow else 0)


if __name__ == "__main__":
    main()
