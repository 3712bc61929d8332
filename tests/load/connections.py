#!/usr/bin/env python3
"""Holds many connections that do nothing, then many that send too slowly, and asks whoami beside them.

  tests/load/connections.py --server 'target/dist/portcullis serve -c {config}'

First: `--idle` connections, each kept after one good request. The server's memory is read, whoami is timed, and at the end
each connection must still answer. Then: `--slow` clients that send the head of a request byte by byte and never end it; one
that is cut off comes back. Exit status 1 if memory, the 99th percentile of whoami or any answer is not as demanded.
"""
import argparse
import http.client
import resource
import socket
import sys
import threading
import time

from serving import Folder, Server, ask, at, import_person, row, sign_in

ALIVE = b"GET /health/alive HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = b"GET /sessions/whoami HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


def connect(port, source):
    """A connection from one of the addresses of this machine, so that there are ports for all of them."""
    return socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(f"127.0.0.{source}", 0))


def alive(connection):
    """Whether a kept connection answers one more request."""
    try:
        connection.sendall(ALIVE)
        answer = b""
        while b"}" not in answer:
            part = connection.recv(4096)
            if not part:
                return False
            answer += part
        return answer.startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


class Slow(threading.Thread):
    """Many clients in one thread: each sends one more byte a second."""

    def __init__(self, port, count):
        super().__init__(daemon=True)
        self.port, self.count, self.stopped = port, count, threading.Event()
        self.cut = self.refused = 0

    def begin(self, number):
        try:
            connection = connect(self.port, 2 + number % 50)
            connection.sendall(HEAD)
            connection.setblocking(False)
            return connection
        except OSError:
            self.refused += 1
            return None

    def run(self):
        clients = [self.begin(n) for n in range(self.count)]
        while not self.stopped.is_set():
            began = time.monotonic()
            for n, client in enumerate(clients):
                try:
                    if client is None or client.recv(4096) is not None:
                        # An answer or the end: somebody lost patience with it.
                        self.cut += client is not None
                        if client:
                            client.close()
                        clients[n] = self.begin(n)
                except BlockingIOError:
                    try:
                        client.send(b"x")
                    except OSError:
                        pass
                except OSError:
                    self.cut += 1
                    client.close()
                    clients[n] = self.begin(n)
            self.stopped.wait(max(0.0, 1 - (time.monotonic() - began)))
        for client in clients:
            if client:
                client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="command; {config} is replaced by a configuration file's path")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=20, help="how long slow clients go on")
    parser.add_argument("--memory", type=float, default=150, help="MiB that the server may hold")
    parser.add_argument("--limit", type=float, default=10, help="milliseconds that the 99th percentile of whoami may take")
    args = parser.parse_args()
    # The server inherits it, and keeps a quarter of it for the other port.
    wanted = (args.idle + args.slow + 500) * 4 // 3 + 300
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    except (ValueError, OSError):
        sys.exit(f"needs {wanted} open files: raise the limit (ulimit -Hn)")
    faults = []
    with Folder() as folder, Server(args.server, folder) as server:
        server.start()
        import_person(http.client.HTTPConnection("127.0.0.1", server.admin), "a@example.org", "correct-heron-58-lantern")
        token = sign_in(http.client.HTTPConnection("127.0.0.1", server.public), ("a@example.org", "correct-heron-58-lantern"))
        calm, wrong = ask(server.public, token, time.monotonic() + 3, 0.002)
        rest, began = server.memory(), time.monotonic()
        held = []
        for n in range(args.idle):
            connection = connect(server.public, 2 + n % 50)
            if not alive(connection):
                sys.exit(f"connection {n} is not served")
            held.append(connection)
        opened = time.monotonic() - began
        beside, wrong_beside = ask(server.public, token, time.monotonic() + 5, 0.002)
        full = server.memory()
        dead = sum(not alive(connection) for connection in held)
        again = server.memory()
        for connection in held:
            connection.close()
        slow = Slow(server.public, args.slow)
        slow.start()
        time.sleep(2)
        during, wrong_during = ask(server.public, token, time.monotonic() + args.seconds, 0.002)
        slow.stopped.set()
        slow.join()
        after = server.memory()
    print(row("whoami, calm", calm))
    print(row(f"whoami, {args.idle} idle connections", beside))
    print(row(f"whoami, {args.slow} slow clients", during))
    print(f"memory: {rest:.0f} MiB at rest, {full:.0f} MiB with {args.idle} connections (opened in {opened:.1f} s), {again:.0f} MiB "
          f"after one more request each, {after:.0f} MiB at the end; slow clients were cut off {slow.cut} times, {slow.refused} refused")
    if dead or wrong or wrong_beside or wrong_during:
        faults.append(f"{dead} kept connections were dead, {wrong + wrong_beside + wrong_during} answers of whoami wrong")
    if max(full, again) > args.memory:
        faults.append(f"more than {args.memory} MiB")
    for name, took in (("idle", beside), ("slow", during)):
        if at(took, .99) > args.limit:
            faults.append(f"whoami beside {name} connections took more than {args.limit} ms")
    if args.slow and not slow.cut:
        faults.append("no slow client was cut off")
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
