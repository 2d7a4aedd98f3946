"""A Swiss shop with AbaNinja beside it: for the tests of that connector."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.core import inbox
from oscar_fulfillment.models import OutsideChange
from oscar_fulfillment.services import connector_watch
from oscar_fulfillment.test import factories
from sandbox.simulators import abaninja as simulation
from sandbox.simulators.base import serve

from .connectors import configured, due_now, send

BACKEND = "oscar_fulfillment.connectors.abaninja.AbaNinja"
HOOK = "/fulfillment/webhooks/connectors/abaninja/"
TEAM = factories.TEAM


@contextmanager
def books(vendor=None, **options):
    """AbaNinja, to which the Swiss orders of this shop go. ``vendor.letters``: webhooks that were sent."""
    letters = []
    vendor = vendor or simulation.AbaNinja(notification_url=f"https://shop.example{HOOK}")
    vendor.deliver = lambda letter: letters.append(letter) or 200
    vendor.letters = letters
    with serve(vendor) as address:
        values = {
            "account": simulation.ACCOUNT,
            "api_key": simulation.API_KEY,
            "payments": {"card": "DEBIT_CREDIT_CARD", "twint": "TWINT"},
            "qr_iban": "CH44 3199 9123 0008 8901 2",
            "webhook_secrets": [simulation.SIGNATURE_KEY],
            "signature_header": simulation.SIGNATURE_HEADER,
            "app_url": "https://app.abaninja.example",
            "base_url": address,
            "read_timeout": 1.0,
            **options,
        }
        with configured(abaninja=(BACKEND, {k: v for k, v in values.items() if v is not None})):
            yield vendor


def lausanne(**fields):
    return factories.address(**{"country": "CH", "first_name": "Luc", "last_name": "Favre", "line1": "Rue du Lac 3",
                                "line4": "Lausanne", "postcode": "1003", **fields})  # fmt: skip


def swiss(**options):
    """A Swiss order, placed, and sent to AbaNinja."""
    order = placed(**options)
    send("abaninja")
    return order


def placed(**options):
    values = {"currency": "CHF", "email": "luc@example.com", **options}
    return factories.placed_order(**{"shipping_address": lausanne(), **values})


def invoices(vendor, order=None):
    found = vendor.books.all("invoices")
    return [each for each in found if order is None or each.get("reference") == order.number]


def invoice(vendor, order):
    """The one invoice of an order that is not cancelled."""
    (found,) = [each for each in invoices(vendor, order) if not each["isCancelled"]]
    return found


def again():
    """Everything that waits for its next try is due, until nothing is left."""
    for _round in range(4):
        due_now("abaninja")
        if not send("abaninja"):
            return


def hear(vendor, client):
    """The shop gets the webhooks that were sent, and works them; what it answered."""
    answers = []
    for letter in vendor.letters:
        headers = {name: value for name, value in letter.headers.items() if name != "Content-Type"}
        answers.append(client.post(HOOK, letter.body, content_type="application/json", headers=headers).status_code)
    vendor.letters.clear()
    inbox.process()
    return answers


def ask():
    """The shop asks what changed; what came of it, counted."""
    return dict(connector_watch.ask(connectors.get("abaninja"), force=True))


def heard():
    return list(OutsideChange.objects.order_by("pk").values_list("state", "status"))


def money_there(vendor, order):
    return Decimal(invoice(vendor, order)["_paid"])
