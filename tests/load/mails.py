#!/usr/bin/env python3
"""Sends mails through a mail server at its worst, while the processes that send them are killed, and counts what arrives.

  tests/load/mails.py --program target/debug/portcullis --mails 500 --kills 40
  tests/load/mails.py --program target/debug/portcullis --database postgres --delivery http

One server puts mails into the outbox, four `courier watch` processes on the same database send them. The mail server (or,
with `--delivery http`, the service) refuses connections, hangs, drops them in the middle of a mail, and answers with 4xx and
5xx, in turn and for a while; meanwhile couriers are killed with SIGKILL, half of them in the moment in which a mail was taken.
Then it takes everything, and in the end

  every mail must have arrived, and be marked as sent exactly once;
  a mail may have arrived more often only if a courier died over it: each further copy needs an attempt whose end nobody
  wrote down.

`--seed` repeats chance: who misbehaves how, and when a kill comes. Exit status 1 if anything is not so.
"""
import argparse
import asyncio
import collections
import http.client
import os
import random
import re
import secrets
import subprocess
import sys
import threading
import time

from serving import Folder, Postgres, Server, begin, call, free_port

COURIERS = 4
# How a mail server misbehaves, in turn, and how often: most of the time something is wrong.
MANNERS = ["takes", "refuses", "drops", "4xx", "takes", "5xx to the recipient", "takes", "5xx", "resets", "hangs"]


class Sink:
    """What couriers send to: takes down the ids of what it took, and misbehaves until it is told to behave."""

    def __init__(self, chance, on_taken):
        self.chance, self.on_taken, self.port = chance, on_taken, free_port()
        self.taken, self.manners, self.behaves, self.turn = collections.Counter(), collections.Counter(), False, 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.ready = threading.Event()
        self.thread.start()
        self.ready.wait(10)

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        async with await asyncio.start_server(self.guarded, "127.0.0.1", self.port, backlog=256):
            self.ready.set()
            await asyncio.Event().wait()

    async def guarded(self, reader, writer):
        try:
            await self.talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    def manner(self):
        self.turn += 1
        manner = "takes" if self.behaves else MANNERS[self.turn % len(MANNERS)]
        self.manners[manner] += 1
        return manner

    def take(self, id):
        self.taken[id] += 1
        self.on_taken()


class MailServer(Sink):
    """Speaks SMTP (RFC 5321), as much of it as couriers do."""

    async def talk(self, reader, writer):
        async def say(line):
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        manner = self.manner()
        if manner == "hangs":
            return await reader.read()
        if manner == "resets":
            return writer.transport.abort()
        if manner == "refuses":
            return await say("421 come back later")
        await say("220 sink ESMTP")
        while line := (await reader.readline()).decode().strip():
            word = line.upper()
            if word.startswith("EHLO"):
                await say("250-sink\r\n250 8BITMIME")
            elif word.startswith("QUIT"):
                return await say("221 bye")
            elif word.startswith("RCPT") and manner == "5xx to the recipient":
                await say("550 not today")
                manner = self.manner()
            elif word == "DATA":
                await say("354 go on")
                content = await reader.readuntil(b"\r\n.\r\n") if manner != "drops" else await reader.read(100)
                if manner == "drops":
                    return None
                if manner in ("4xx", "5xx", "refuses", "hangs", "resets"):
                    await say({"4xx": "451 not now", "5xx": "554 not like this"}.get(manner, "452 not now"))
                else:
                    # What counts is that the courier can read the answer: then the mail is ours.
                    await say("250 taken")
                    self.take(re.search(rb"Message-ID: <([0-9a-f-]{36})@", content).group(1).decode())
                manner = self.manner()
            else:
                await say("250 ok")


class Service(Sink):
    """Takes messages by HTTP/1.1, one for each connection."""

    async def talk(self, reader, writer):
        manner = self.manner()
        if manner == "resets":
            return writer.transport.abort()
        if manner == "refuses":
            return None
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if manner == "hangs":
            return await reader.read()
        if manner == "drops":
            return None
        await reader.readexactly(int(re.search(r"content-length: (\d+)", head).group(1)))
        status = {"4xx": "429 Too Many Requests", "5xx": "503 Service Unavailable",
                  "5xx to the recipient": "400 Bad Request"}.get(manner, "204 No Content")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        if manner == "takes":
            self.take(re.search(r"idempotency-key: (\S+)", head).group(1))


class Trial:
    """One outbox and all that send from it."""

    def __init__(self, args, folder, dsn):
        self.args, self.chance = args, random.Random(args.seed)
        self.killing, self.to_kill_now = threading.Lock(), 0
        sink = Service if args.delivery == "http" else MailServer
        self.sink = sink(self.chance, self.taken)
        courier = {"worker": {"pull_wait": "100ms"}, "message_retries": 50}
        if args.delivery == "http":
            courier |= {"delivery_strategy": "http",
                        "http": {"request_config": {"url": f"http://127.0.0.1:{self.sink.port}/", "method": "POST"}}}
        else:
            courier["smtp"] = {"connection_uri": f"smtp://127.0.0.1:{self.sink.port}/?disable_starttls=true",
                               "from_address": "desk@example.org"}
        config = {"courier": courier, "selfservice": {"flows": {"verification": {
            "enabled": True, "notify_unknown_recipients": True}}}}
        self.server = Server(f"{args.program} serve -c {{config}} --dev", folder, dsn, config)
        self.config, self.log = os.path.join(folder, "config.json"), os.path.join(folder, "couriers.log")
        self.couriers, self.kills, self.kills_at_taking = [], 0, 0

    def courier(self):
        with open(self.log, "ab") as log:
            command = [self.args.program, "courier", "watch", "-c", self.config]
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def taken(self):
        """A mail was taken: now and then this is the moment for a kill."""
        if self.to_kill_now > 0:
            self.to_kill_now -= 1
            self.kills_at_taking += 1
            self.kill()

    def kill(self):
        with self.killing:
            if not self.couriers:
                return
            place = self.chance.randrange(len(self.couriers))
            self.couriers[place].kill()
            self.couriers[place].wait()
            self.couriers[place] = self.courier()
            self.kills += 1

    def write(self, count, first):
        """Asks for mails, each to an address of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.public, timeout=60)
        for number in range(first, first + count):
            path = begin(connection, "verification")
            status, out = call(connection, "POST", path, {"method": "code", "email": f"m{number}@example.org"})
            if status != 200:
                raise RuntimeError(f"a mail that was asked for: {status} {out}")

    def run(self):
        args, began = self.args, time.monotonic()
        self.server.start()
        self.couriers = [self.courier() for _ in range(COURIERS)]
        pause = args.trouble / max(1, args.kills)
        portion = -(-args.mails // max(1, args.kills))
        written = 0
        for _ in range(max(1, args.kills)):
            count = min(portion, args.mails - written)
            self.write(count, written)
            written += count
            time.sleep(self.chance.uniform(0, 2 * pause))
            if args.kills and self.chance.random() < 0.5:
                self.kill()
            elif args.kills:
                self.to_kill_now += 1
        self.write(args.mails - written, written)
        while self.to_kill_now > 0 and time.monotonic() < began + 2 * args.trouble:
            time.sleep(0.05)
        self.to_kill_now, self.sink.behaves = 0, True
        behaved = time.monotonic()
        until = behaved + args.patience
        while self.waiting() and time.monotonic() < until:
            time.sleep(0.5)
        took, settled = time.monotonic() - began, time.monotonic() - behaved
        for courier in self.couriers:
            courier.terminate()
        ended = [courier.wait(30) for courier in self.couriers]
        faults = [f"couriers ended with {ended}"] if any(ended) else []
        return self.judge(faults, took, settled)

    def messages(self, query=""):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.admin, timeout=60)
        status, out = call(connection, "GET", f"/admin/courier/messages?page_size=1000{query}")
        if status != 200:
            raise RuntimeError(f"the list of messages: {status} {out}")
        return out

    def waiting(self):
        return self.messages("&status=queued") or self.messages("&status=processing")

    def judge(self, faults, took, settled):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.admin, timeout=60)
        all, copies, unwritten = self.messages(), 0, 0
        if len(all) != self.args.mails:
            faults.append(f"{len(all)} messages instead of {self.args.mails}")
        attempts = 0
        for message in all:
            _, message = call(connection, "GET", f"/admin/courier/messages/{message['id']}")
            id, arrived, history = message["id"], self.sink.taken[message["id"]], message["dispatches"] or []
            lost = message["send_count"] - len(history)
            attempts, unwritten, copies = attempts + message["send_count"], unwritten + lost, copies + max(0, arrived - 1)
            if arrived == 0:
                faults.append(f"{id} never arrived: {message['status']}, {message['send_count']} attempts")
            if message["status"] != "sent" or sum(d["status"] == "success" for d in history) != 1:
                faults.append(f"{id} arrived {arrived} times and is {message['status']}: {[d['status'] for d in history]}")
            if arrived - 1 > lost:
                faults.append(f"{id} arrived {arrived} times, and only {lost} attempts were cut short")
        if strange := set(self.sink.taken) - {m["id"] for m in all}:
            faults.append(f"nobody wrote {sorted(strange)[:3]}")
        if not self.args.kills and copies:
            faults.append(f"{copies} copies without a kill")
        with open(self.log, encoding="utf-8", errors="replace") as f:
            if "panicked" in (said := f.read()) or "panicked" in self.server.said():
                faults.append(f"a process panicked: {said[-1000:]}")
        for fault in faults[:20]:
            print(fault)
        manners = ", ".join(f"{count} {manner}" for manner, count in self.sink.manners.most_common())
        print(f"{self.args.database}, {self.args.delivery}: {self.args.mails} mails, {COURIERS} couriers, {self.kills} kills "
              f"({self.kills_at_taking} as a mail was taken); seed {self.args.seed}; {took:.0f} s, of which {settled:.0f} s "
              f"after the last trouble")
        print(f"{attempts} attempts, {unwritten} of them cut short; it was met with: {manners}")
        print(f"{len(all) - sum(self.sink.taken[m['id']] == 0 for m in all)} of {self.args.mails} arrived, {copies} copies beside")
        print(f"{int(not faults)} passed, {int(bool(faults))} failed")
        return not faults

    def end(self):
        with self.killing:
            couriers, self.couriers = self.couriers, []
        for courier in couriers:
            if courier.poll() is None:
                courier.kill()
                courier.wait()


def tried(args, folder, dsn=None):
    trial = Trial(args, folder, dsn)
    with trial.server:
        try:
            return trial.run()
        finally:
            trial.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the server's program")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--delivery", choices=["smtp", "http"], default="smtp")
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--trouble", type=float, default=40, help="seconds, about, until the mail server behaves")
    parser.add_argument("--patience", type=float, default=600, help="seconds until everything must have arrived then")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    args = parser.parse_args()
    with Folder() as folder:
        if args.database == "postgres":
            with Postgres(folder) as postgres:
                good = tried(args, folder, postgres.dsn)
        else:
            good = tried(args, folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
