"""A caller of the REST API: for its tests."""

from __future__ import annotations

import json

from django.test import Client

from oscar_fulfillment.core import outbox
from oscar_fulfillment.services import api_keys
from oscar_fulfillment.test import factories

BASE = "/api/fulfillment"
EVERYTHING = tuple(api_keys.SCOPES)


class Caller:
    """A system with a key of its own; ``get``, ``post`` ... answer with Django's response."""

    def __init__(self, system="erp", scopes=EVERYTHING, **values):
        self.client = Client()
        self.system = system
        name = values.pop("name", f"{system} {len(api_keys.ApiKey.objects.all())}")
        self.key, self.token = api_keys.make_key(
            actor=factories.TEAM, values={"name": name, "system": system, "scopes": scopes, **values}
        )

    def call(self, method, path, body=None, raw=None, **headers):
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        found = {"Authorization": f"Bearer {self.token}", **{n.replace("_", "-"): v for n, v in headers.items()}}
        return self.client.generic(
            method, BASE + path, data, content_type="application/json",
            headers={name: value for name, value in found.items() if value is not None},
        )  # fmt: skip

    def get(self, path, **headers):
        return self.call("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self.call("POST", path, body, **headers)

    def put(self, path, body=None, **headers):
        return self.call("PUT", path, body, **headers)

    def patch(self, path, body=None, **headers):
        return self.call("PATCH", path, body, **headers)

    def offered(self, **query):
        """Hand over what waits in the outbox, then fetch; the numbers of the orders."""
        hand_over(self.system)
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        answer = self.get(f"/orders?{asked}")
        assert answer.status_code == 200, answer.content
        return [order["number"] for order in answer.json()["orders"]]


def hand_over(system="erp"):
    """What the workers do for a system."""
    return dict(outbox.drain(destination=f"connector:{system}"))


def problem(answer, status, kind):
    """The document of an error, which is of this status and kind."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json; charset=utf-8"
    found = answer.json()
    assert (found["type"], found["status"]) == (f"urn:oscar-fulfillment:problem:{kind}", status)
    return found
