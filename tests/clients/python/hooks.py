"""What schemathesis checks beside server errors: an answer fits the document, or is one of three that the document forgets.

The API's document gives one answer for each status, where the API has two: a submit that is refused before there is a flow
answers 400 with a plain error, and a client that did not ask for JSON is redirected. And what was not asked for of a session
(`expand`) is null, where the document has objects only.
"""
import copy
import json

import schemathesis
from schemathesis.specs.openapi.checks import response_schema_conformance

ERROR_KEYS = {"id", "code", "status", "request", "reason", "details", "message", "debug", "error"}


def is_plain_error(response):
    """Whether an answer is the API's general error, and says the status that it was sent with."""
    try:
        body = response.json()
    except ValueError:
        return False
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return False
    texts = all(isinstance(error.get(key, ""), str) for key in ("id", "status", "reason", "message"))
    return texts and bool(error.get("message")) and error.get("code") == response.status_code and set(error) <= ERROR_KEYS


def without_what_was_not_asked_for(body):
    """Sessions without the keys that are null unless asked for."""
    if isinstance(body, list):
        return [without_what_was_not_asked_for(item) for item in body]
    if isinstance(body, dict) and "authenticator_assurance_level" in body:
        return {k: v for k, v in body.items() if not (k in ("identity", "devices") and v is None)}
    return body


@schemathesis.check
def documented(ctx, response, case):
    if 300 <= response.status_code < 400:
        assert response.headers.get("location"), "a redirect that leads nowhere"
        return
    if response.status_code >= 400 and is_plain_error(response):
        return
    if case.operation.path.startswith("/admin/sessions") and response.status_code == 200:
        response = copy.copy(response)
        response.content = json.dumps(without_what_was_not_asked_for(json.loads(response.content))).encode()
    response_schema_conformance(ctx, response, case)
