#!/usr/bin/env python3
"""Starts a server and has the official Rust client (tests/clients/rust) drive its admin API."""
import os
import subprocess
import sys

from strict import Server

server = Server(SELFSERVICE_FLOWS_RECOVERY_ENABLED="true")
try:
    manifest = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rust", "Cargo.toml")
    code = subprocess.run(["cargo", "run", "--quiet", "--locked", "--manifest-path", manifest, "--", server.admin, server.public]).returncode
finally:
    server.stop()
sys.exit(code)
