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
import multiprocessing
import secrets
import sys
import time

from serving import Folder, Server, ask, at, import_person, row, sign_in


def storm(port, people, at, until, done):
    connection, count, wrong = http.client.HTTPConnection("127.0.0.1", port, timeout=120), 0, 0
    while time.monotonic() < until:
        try:
            sign_in(connection, people[(at + count) % len(people)])
        except RuntimeError:
            wrong += 1
        count += 1
    done.put((count, wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="command; {config} is replaced by a configuration file's path")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pause", type=float, default=0.002, help="seconds between two questions")
    parser.add_argument("--limit", type=float, default=10, help="milliseconds that the 99th percentile may take")
    args = parser.parse_args()
    with Folder() as folder, Server(args.server, folder) as server:
        server.start()
        operator = http.client.HTTPConnection("127.0.0.1", server.admin)
        people = [(f"p{i}@example.org", "Pw-" + secrets.token_urlsafe(12)) for i in range(args.people)]
        for person in people:
            import_person(operator, *person)
        token = sign_in(http.client.HTTPConnection("127.0.0.1", server.public), people[0])
        calm, wrong_calm = ask(server.public, token, time.monotonic() + 3, args.pause)
        done, until = multiprocessing.Queue(), time.monotonic() + args.seconds + 1
        clients = [multiprocessing.Process(target=storm, args=(server.public, people, i, until, done)) for i in range(args.clients)]
        for c in clients:
            c.start()
        time.sleep(1)
        busy, wrong_busy = ask(server.public, token, until, args.pause)
        counts = [done.get() for _ in clients]
        for c in clients:
            c.join()
    print(row("whoami, calm", calm))
    print(row(f"whoami, {args.clients} clients sign in", busy))
    wrong = wrong_calm + wrong_busy + sum(w for _, w in counts)
    signed_in = sum(c for c, _ in counts)
    print(f"sign-ins {signed_in}, {signed_in / (args.seconds + 1):.1f} a second; wrong answers {wrong}")
    sys.exit(1 if wrong or at(busy, .99) > args.limit else 0)


if __name__ == "__main__":
    main()
