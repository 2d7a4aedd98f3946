"""A shop that exchanges with the simulated 1C: for the tests of CommerceML."""

from __future__ import annotations

from contextlib import contextmanager

from django.test import Client

from sandbox.simulators.onec import PASSWORD, USER, OneC
from sandbox.simulators.onec_documents import write_orders
from sandbox.simulators.onec_wire import Exchange

from .connectors import configured, send

BACKEND = "oscar_fulfillment.connectors.commerceml.CommerceML"
URL = "/fulfillment/exchange/1c/onec/"


def by_client(method, url, headers, body):
    """A call by Django's test client: each has one of its own, so that nothing is remembered but the cookie sent."""
    client = Client(headers={name: value for name, value in headers.items() if name != "Content-Type"})
    answer = client.generic(method, url, body, content_type=headers.get("Content-Type", ""), secure=True)
    return answer.status_code, answer.getvalue()


@contextmanager
def exchanging(**options):
    """A shop with one 1C, and that 1C."""
    given = {"user": USER, "password": PASSWORD, **options}
    with configured(onec=(BACKEND, given)):
        vendor = OneC(call=by_client)
        vendor.hook_url = URL
        yield vendor


def session(version="3.1", **options):
    """A session that is open."""
    wire = Exchange(URL, USER, PASSWORD, version, **{"call": by_client, **options})
    wire.login()
    wire.init()
    return wire


def waits(*orders):
    """Let the ledger know of these orders."""
    send("onec")
    return orders


def told(order, **facts):
    """The file in which 1C says this of an order."""
    document = {
        "id": order.number, "number": order.number, "total": str(order.total_incl_tax), "currency": order.currency,
        "number_1c": "ЦБ-1", "date_1c": "2026-11-26T10:00:00", **facts,
    }  # fmt: skip
    return write_orders([document], encoding="windows-1251", version="3.1", attributes=False)
