"""A system that listens, and a shop that tells it: for the tests of webhooks."""

from __future__ import annotations

import json
from contextlib import contextmanager

from oscar_fulfillment.core import outbox
from oscar_fulfillment.models import OutboundMessage
from oscar_fulfillment.services import webhook_keys
from oscar_fulfillment.services.webhooks import save_webhook
from oscar_fulfillment.test import factories
from sandbox.simulators.base import serve
from sandbox.simulators.receiver import Receiver

#: Nothing of the outside is called, but what listens on this machine is.
HERE = {"allow_hosts": ["127.0.0.1"], "timeout": 2}


@contextmanager
def listening():
    """A receiver; ``receiver.url`` is where it listens."""
    receiver = Receiver()
    with serve(receiver) as address:
        receiver.url = f"{address}/hook"
        yield receiver


def make(url="https://erp.example/hook", *, actor=factories.TEAM, **values):
    """A webhook that is told everything."""
    return save_webhook(actor=actor, values={"url": url, **values})


def connect(receiver, **values):
    """A webhook to this receiver, which knows its key."""
    endpoint = make(receiver.url, **values)
    receiver.configure_keys(webhook_keys.secret(endpoint.keys[0]))
    return endpoint


def rows(endpoint, **lookup):
    """Its messages, the oldest first."""
    return OutboundMessage.objects.filter(destination=endpoint.lane, **lookup).order_by("pk")


def events(endpoint):
    """What it is to be told, in order."""
    return list(rows(endpoint).values_list("kind", flat=True))


def send(endpoint):
    """Send what is due; how many ended in which state."""
    return dict(outbox.drain(destination=endpoint.lane))


def bodies(receiver, kind=None):
    """What arrived, as data."""
    found = [json.loads(message["body"]) for message in receiver.messages]
    return [body for body in found if kind in (None, body["type"])]
