#!/usr/bin/env python3
"""Asks a server what its OpenAPI document allows and what it does not, by schemathesis; bounded.

  PORTCULLIS=target/debug/portcullis python3 tests/clients/python/contract.py path/to/openapi.json

No answer may be a server error, and each must fit the document (see hooks.py).
"""
import argparse
import os
import subprocess
import sys

import ory_kratos_client as ory

from strict import PASSWORD, Server

# The admin port's part of the document, and the public port's.
PARTS = (("admin", ["--include-path-regex", "^/admin"]), ("public", ["--exclude-path-regex", "^/admin"]))


def somebody(server):
    """Signs somebody up and in: the session's token, without which most answers would be the same."""
    people = ory.FrontendApi(ory.ApiClient(ory.Configuration(host=server.public)))
    traits = {"email": "somebody@example.org", "name": {}}
    people.update_registration_flow(people.create_native_registration_flow().id, ory.UpdateRegistrationFlowBody(
        ory.UpdateRegistrationFlowWithPasswordMethod(method="password", password=PASSWORD, traits=traits)))
    signed_in = people.update_login_flow(people.create_native_login_flow().id, ory.UpdateLoginFlowBody(
        ory.UpdateLoginFlowWithPasswordMethod(method="password", identifier=traits["email"], password=PASSWORD)))
    return signed_in.session_token


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document")
    parser.add_argument("--examples", type=int, default=10, help="generated for each operation")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    tool = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    here = os.path.dirname(os.path.abspath(__file__))
    failed = 0
    for port, part in PARTS:
        server = Server()
        try:
            command = [
                tool, "run", os.path.abspath(args.document), "--url", getattr(server, port), *part,
                "-c", "not_a_server_error,documented", "--phases", "examples,coverage,fuzzing",
                "--max-examples", str(args.examples), "--seed", str(args.seed), "--continue-on-failure", "--max-redirects", "0",
                "--suppress-health-check", "all", "--warnings", "off", "--no-color",
                "--header", f"X-Session-Token: {somebody(server)}",
            ]
            print(f"== {port} port", flush=True)
            failed += subprocess.run(command, cwd=server.folder, env={**os.environ, "SCHEMATHESIS_HOOKS": os.path.join(here, "hooks.py")}).returncode != 0
            if server.process.poll() is not None:
                print(f"the server ended with {server.process.returncode}")
                failed += 1
        finally:
            server.stop()
    print(f"{len(PARTS) - min(failed, len(PARTS))} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
