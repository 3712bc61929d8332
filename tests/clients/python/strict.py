#!/usr/bin/env python3
"""Reads flows, sessions, identities and errors with Ory's Python client, which refuses what does not fit its models.

  PORTCULLIS=target/debug/portcullis python3 tests/clients/python/strict.py

Beyond what the client checks by itself, nothing that was sent may be missing from the model: a key that the client does
not know is shown, since models keep unknown keys apart.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import ory_kratos_client as ory

PASSWORD = "correct horse battery"

# Keys that the API has and this version of the client's models has not yet.
NEWER = {"SettingsFlow": {"organization_id"}}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server as on a first run, on free ports; with further variables, if any are given."""

    def __init__(self, **variables):
        self.folder = tempfile.mkdtemp(prefix="portcullis-clients-")
        public, admin = free_port(), free_port()
        self.public, self.admin = f"http://127.0.0.1:{public}", f"http://127.0.0.1:{admin}"
        env = {"PATH": os.environ["PATH"], "HOME": self.folder, "SERVE_PUBLIC_PORT": str(public), "SERVE_ADMIN_PORT": str(admin),
               "SERVE_PUBLIC_BASE_URL": self.public + "/", "LOG_LEVEL": "error", **variables}
        program = os.path.abspath(os.environ["PORTCULLIS"])
        self.process = subprocess.Popen([program, "serve"], cwd=self.folder, env=env, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", admin)).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("the server did not start") from None
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder)


class Strict(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.people = ory.FrontendApi(ory.ApiClient(ory.Configuration(host=cls.server.public)))
        cls.operator = ory.IdentityApi(ory.ApiClient(ory.Configuration(host=cls.server.admin)))
        cls.about = ory.MetadataApi(ory.ApiClient(ory.Configuration(host=cls.server.admin)))

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def sign_up(self, name):
        flow = self.people.create_native_registration_flow()
        body = ory.UpdateRegistrationFlowBody(ory.UpdateRegistrationFlowWithPasswordMethod(
            method="password", password=PASSWORD, traits={"email": f"{name}@example.org", "name": {"first": name}}))
        return self.people.update_registration_flow(flow=flow.id, update_registration_flow_body=body)

    def sign_in(self, name):
        flow = self.people.create_native_login_flow()
        body = ory.UpdateLoginFlowBody(ory.UpdateLoginFlowWithPasswordMethod(
            method="password", identifier=f"{name}@example.org", password=PASSWORD))
        return self.people.update_login_flow(flow=flow.id, update_login_flow_body=body)

    def refused(self, call, status):
        with self.assertRaises(ory.ApiException) as caught:
            call()
        self.assertEqual(caught.exception.status, status)
        return json.loads(caught.exception.body)

    def nothing_unknown(self, model, seen="answer"):
        """Every key that was sent belongs to the model."""
        if isinstance(model, list):
            for item in model:
                self.nothing_unknown(item, seen)
            return
        if not hasattr(type(model), "model_fields"):
            return
        inner = getattr(model, "actual_instance", None)
        if inner is not None:
            return self.nothing_unknown(inner, seen)
        name = type(model).__name__
        unknown = set(getattr(model, "additional_properties", None) or ()) - NEWER.get(name, set())
        self.assertFalse(unknown, f"{seen}: {name}")
        for field in type(model).model_fields:
            if field != "additional_properties":
                self.nothing_unknown(getattr(model, field), f"{seen}.{field}")

    def test_flows_of_every_kind(self):
        made = self.sign_up("flows")
        self.nothing_unknown(made)
        token = self.sign_in("flows").session_token
        for flow in (
            self.people.create_native_registration_flow(),
            self.people.create_native_login_flow(),
            self.people.create_native_settings_flow(x_session_token=token),
        ):
            self.nothing_unknown(flow)
        login = self.people.create_native_login_flow()
        self.assertEqual(self.people.get_login_flow(login.id).id, login.id)
        settings = self.people.create_native_settings_flow(x_session_token=token)
        body = ory.UpdateSettingsFlowBody(ory.UpdateSettingsFlowWithProfileMethod(
            method="profile", traits={"email": "flows@example.org", "name": {"first": "Other"}}))
        saved = self.people.update_settings_flow(flow=settings.id, update_settings_flow_body=body, x_session_token=token)
        self.nothing_unknown(saved)
        self.assertEqual((saved.state, saved.identity.traits["name"]["first"]), ("success", "Other"))

    def test_a_refused_form_is_a_flow(self):
        flow = self.people.create_native_login_flow()
        body = ory.UpdateLoginFlowBody(ory.UpdateLoginFlowWithPasswordMethod(
            method="password", identifier="nobody@example.org", password=PASSWORD))
        told = self.refused(lambda: self.people.update_login_flow(flow=flow.id, update_login_flow_body=body), 400)
        shown = ory.LoginFlow.from_dict(told)
        self.nothing_unknown(shown)
        self.assertEqual([message.id for message in shown.ui.messages], [4000006])

    def test_sessions(self):
        self.sign_up("sessions")
        first, second = self.sign_in("sessions"), self.sign_in("sessions")
        self.nothing_unknown(first)
        me = self.people.to_session(x_session_token=second.session_token)
        self.nothing_unknown(me)
        self.assertEqual(me.identity.traits["email"], "sessions@example.org")
        others = self.people.list_my_sessions(x_session_token=second.session_token)
        self.nothing_unknown(others)
        self.assertIn(first.session.id, [session.id for session in others])
        self.people.disable_my_session(first.session.id, x_session_token=second.session_token)
        self.refused(lambda: self.people.to_session(x_session_token=first.session_token), 401)
        self.nothing_unknown(self.operator.get_session(second.session.id, expand=["identity", "devices"]))
        self.nothing_unknown(self.operator.list_sessions())

    def test_errors_fit_their_model(self):
        for call, status in (
            (lambda: self.people.to_session(x_session_token="ory_st_unknown"), 401),
            (lambda: self.people.get_login_flow("00000000-0000-4000-8000-000000000000"), 404),
            (lambda: self.people.create_native_settings_flow(x_session_token="ory_st_unknown"), 401),
            (lambda: self.operator.get_identity("00000000-0000-4000-8000-000000000000"), 404),
            (lambda: self.operator.create_identity(ory.CreateIdentityBody(schema_id="unknown", traits={})), 400),
        ):
            error = ory.ErrorGeneric.from_dict(self.refused(call, status))
            self.nothing_unknown(error)
            self.assertTrue(error.error.message)

    def test_identities(self):
        made = self.operator.create_identity(ory.CreateIdentityBody(
            schema_id="default", traits={"email": "made@example.org"},
            credentials=ory.IdentityWithCredentials(password=ory.IdentityWithCredentialsPassword(
                config=ory.IdentityWithCredentialsPasswordConfig(password=PASSWORD)))))
        self.nothing_unknown(made)
        self.assertTrue(self.sign_in("made").session_token)
        self.nothing_unknown(self.operator.list_identities())
        self.nothing_unknown(self.operator.get_identity(made.id))
        changed = self.operator.patch_identity(made.id, json_patch=[ory.JsonPatch(op="replace", path="/state", value="inactive")])
        self.assertEqual(changed.state, "inactive")
        self.operator.delete_identity(made.id)
        self.refused(lambda: self.operator.get_identity(made.id), 404)

    def test_the_server_itself(self):
        self.assertEqual(self.about.is_alive().status, "ok")
        self.assertEqual(self.about.is_ready().status, "ok")
        self.assertTrue(self.about.get_version().version)


if __name__ == "__main__":
    outcome = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(Strict))
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
