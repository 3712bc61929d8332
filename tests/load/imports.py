#!/usr/bin/env python3
"""Measures imports of many identities: how fast, with how much memory, and what listing and look-up cost afterwards.

  tests/load/imports.py --server 'target/dist/portcullis serve -c {config}'
  tests/load/imports.py --server '...' --program target/dist/portcullis --people 1000000

First 1,000 people come by the admin API, and listing and look-up are measured; then the rest, in batches of 1,000 by one client,
and they are measured again. Addresses come in no order, as real ones do; with `--in-order` each after the one before. With `--program` the same people are then exported to
a file of lines, and imported from there straight into a new database. Bodies are written before the clock starts, and the clock
stops when the last one is answered. Exit status 1 if any answer is wrong.
"""
import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import time

from serving import Folder, Server, at

HASH = "$2a$04$zQ7xZhvCFQ3W8xUzgvZd5OZmUvfVJcfZ1a3hSYpNmN3mB7L8l0mC2"
TOGETHER = 1000
FEW = 1000


def addresses(count, in_order=False):
    """Addresses in no order, the same ones each time, or in order."""
    if in_order:
        return [f"{n:09}@example.org" for n in range(count)]
    chance = random.Random(1)
    return [f"{chance.getrandbits(40):010x}-{n}@example.org" for n in range(count)]


def batch(emails):
    return json.dumps({"identities": [
        {"create": {"schema_id": "person", "traits": {"email": email, "name": f"N {place}"},
                    "credentials": {"password": {"config": {"hashed_password": HASH}}}}}
        for place, email in enumerate(emails)]}).encode()


def send(connection, body, count):
    """Sends a batch. How many of it were not created."""
    connection.request("PATCH", "/admin/identities", body=body, headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    return count - text.count(b'"action":"create"') if answer.status == 200 else count


def fill(server, emails):
    """Imports all: seconds, how many failed, and memory in MiB by the way."""
    connection = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=600)
    took, failed, memory = 0, 0, []
    for first in range(0, len(emails), TOGETHER):
        some = emails[first:first + TOGETHER]
        body = batch(some)
        began = time.perf_counter()
        failed += send(connection, body, len(some))
        took += time.perf_counter() - began
        if first // TOGETHER % max(1, len(emails) // TOGETHER // 10) == 0:
            memory.append(server.memory())
    return took, failed, memory


class Walk:
    """The list, page after page, and from the start again at its end."""
    first = "/admin/identities?page_size=250"

    def __init__(self):
        self.path = self.first

    def go_on(self, link):
        following = [part.split(";")[0].strip(" <>") for part in (link or "").split(",") if 'rel="next"' in part]
        self.path = following[0] if following else self.first


def questions(server, emails, seconds):
    """Times of pages of 250 and of look-ups by identifier, and how many answers were wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=60)
    chance, walk, wrong = random.Random(2), Walk(), 0
    kinds = {
        "the first 250": lambda: Walk.first,
        "250, page after page": lambda: walk.path,
        "by identifier": lambda: f"/admin/identities?credentials_identifier={chance.choice(emails)}",
    }
    figures = {}
    for name, path in kinds.items():
        took, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            connection.request("GET", path())
            answer = connection.getresponse()
            body = answer.read()
            took.append((time.perf_counter() - began) * 1000)
            walk.go_on(answer.getheader("Link"))
            wrong += answer.status != 200 or b'"id"' not in body
        figures[name] = sorted(took)
    return figures, wrong


def by_program(args, server, folder):
    """Exports everything, and imports it into a database of its own, by the program itself."""
    wrong = 0
    config = os.path.join(folder, "config.json")
    lines = os.path.join(folder, "people.jsonl")
    with open(config) as f:
        other = json.load(f)
    other["dsn"] = f"sqlite://{folder}/other.sqlite"
    path = os.path.join(folder, "other.json")
    with open(path, "w") as f:
        json.dump(other, f)

    def run(what, *arguments, out=subprocess.DEVNULL):
        began = time.perf_counter()
        process = subprocess.Popen([args.program, *arguments], stdout=out, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        print(f"{what:34} {args.people / took:8.0f} a second, {took:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of CPU, "
              f"{used.ru_maxrss / 1024:.0f} MiB at most")
        return status != 0

    wrong += run("export to lines", "export", "identities", "-c", config, "--output", lines)
    wrong += run("migrate", "migrate", "sql", "up", "-e", "-c", path, "--yes")
    wrong += run("import of lines into a database", "import", "identities", "-c", path, lines)
    wrong += run("the same once more", "import", "identities", "-c", path, lines)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="command; {config} is replaced by a configuration file's path")
    parser.add_argument("--program", help="the program, for what its command line does")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--in-order", action="store_true", help="addresses in order")
    parser.add_argument("--seconds", type=float, default=3, help="for each question")
    args = parser.parse_args()
    emails = addresses(args.people, args.in_order)
    wrong = 0
    with Folder() as folder, Server(args.server, folder) as server:
        server.start()
        _, failed, _ = fill(server, emails[:FEW])
        few, bad = questions(server, emails[:FEW], args.seconds)
        wrong += failed + bad
        took, failed, memory = fill(server, emails[FEW:])
        many, bad = questions(server, emails, args.seconds)
        wrong += failed + bad
        print(f"{'import by the admin API':34} {(args.people - FEW) / took:8.0f} a second, {took:.1f} s; MiB by the way: "
              + " ".join(f"{m:.0f}" for m in memory))
        print(f"{os.path.getsize(server.database) / 2**20:.0f} MiB of database")
        for name in few:
            print(f"{name:24} of {FEW:8}: p50 {at(few[name], .5):6.2f} p99 {at(few[name], .99):6.2f} ms; "
                  f"of {args.people:8}: p50 {at(many[name], .5):6.2f} p99 {at(many[name], .99):6.2f} ms")
        if args.program:
            server.stop()
            wrong += by_program(args, server, folder)
    if wrong:
        print(f"wrong answers {wrong}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
