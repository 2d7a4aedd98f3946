"""A shop that is connected to a Bling of its own: for the tests of the connector."""

from __future__ import annotations

import json
from contextlib import contextmanager

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.oauth import Tokens
from oscar_fulfillment.core import inbox
from oscar_fulfillment.models import InboundMessage, OrderFulfillment, OutsideChange
from oscar_fulfillment.services.connector_tokens import DatabaseTokens
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.nfe import BUYER
from sandbox.simulators.base import serve
from sandbox.simulators.bling import CLIENT_ID, CLIENT_SECRET, STORE, Bling

from .connectors import configured, send

BACKEND = "oscar_fulfillment.connectors.bling.Bling"
HOOK = "/fulfillment/webhooks/connectors/bling/"


class Account:
    """The simulator, what it sent, and the adapter of the shop."""

    def __init__(self, vendor, address):
        self.vendor, self.address = vendor, address

    @property
    def adapter(self):
        return connectors.get("bling")

    def letters(self):
        found, self.vendor.letters = self.vendor.letters, []
        return found

    def hear(self, client):
        """The webhooks that Bling sent arrive, and are dealt with."""
        codes = [post(client, letter) for letter in self.letters()]
        inbox.process()
        return codes

    def orders(self):
        return self.vendor.books.all("order")

    def paths(self, method):
        return [path.removeprefix("/Api/v3") for called, path, _headers, _body in self.vendor.calls if called == method]

    def bodies(self, method, tail):
        return [
            json.loads(body)
            for called, path, _headers, body in self.vendor.calls
            if called == method and path.endswith(tail)
        ]


@contextmanager
def bling(*, connected=True, per_second=0, **options):
    """A shop with this connector, let in already."""
    vendor = Bling(per_second=per_second, hook_url=f"https://shop.example{HOOK}")
    vendor.letters = []
    vendor.deliver = lambda letter: vendor.letters.append(letter) or 200
    with serve(vendor) as address:
        declared = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "store": STORE,
            "base_url": f"{address}/Api/v3",
            "authorize_url": f"{address}/Api/v3/oauth/authorize",
            "read_timeout": 3.0,
            "per_second": 1000,
            **options,
        }
        with configured(bling=(BACKEND, declared)):
            account = Account(vendor, address)
            if connected:
                connect(account)
            yield account


def connect(account, **lives):
    """Let the shop in, as the callback does."""
    tokens = account.adapter.exchange(code=account.vendor.new_code(), redirect_uri="")
    DatabaseTokens("bling").save(tokens)
    return tokens


def post(client, letter):
    sent = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in letter.headers.items()}
    return client.post(HOOK, letter.body, content_type="application/json", **sent).status_code


def paid(**options):
    """An order of a buyer with a CPF."""
    options.setdefault("fulfillment", {"tax_id": BUYER, "tax_id_kind": "cpf"})
    return factories.paid_order(**options)


def handed_over(**options):
    """Released, and in Bling."""
    options.setdefault("fulfillment", {"tax_id": BUYER, "tax_id_kind": "cpf"})
    order = factories.released_order(**options)
    send("bling")
    return order


def stands(order):
    return OrderFulfillment.objects.get(pk=order.pk).shipping_status


def heard(**lookup):
    """(key without ids, status, problem) of what Bling said, the oldest first."""
    return [
        (row.key.partition(":")[0], row.status, row.problem)
        for row in OutsideChange.objects.filter(**lookup).order_by("pk")
    ]


def inbound():
    return list(InboundMessage.objects.order_by("pk").values_list("status", flat=True))


def old(tokens, **changes):
    return Tokens(**{**tokens.__dict__, **changes})
