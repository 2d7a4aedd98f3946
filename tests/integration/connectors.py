"""A shop with systems beside it: for the tests of connectors."""

from __future__ import annotations

from contextlib import contextmanager

from django.conf import settings
from django.test import override_settings

from oscar_fulfillment.core import inbox, outbox
from oscar_fulfillment.models import Export, OutboundMessage
from oscar_fulfillment.webhooks.connectors import register_connectors


@contextmanager
def configured(**connectors):
    """These connectors (alias -> (backend, options)), and no others."""
    declared = {alias: {"BACKEND": backend, "OPTIONS": options} for alias, (backend, options) in connectors.items()}
    lanes = dict(outbox.PUMP.lanes), dict(inbox.PUMP.lanes)
    with override_settings(OSCAR_FULFILLMENT={**settings.OSCAR_FULFILLMENT, "CONNECTORS": declared}):
        register_connectors()
        try:
            yield
        finally:
            outbox.PUMP.lanes, inbox.PUMP.lanes = lanes


def send(alias):
    """Send what is due for a connector, until nothing is; how many ended in which state."""
    return dict(outbox.drain(destination=f"connector:{alias}"))


def due_now(alias):
    """Let what waits for its next try be due."""
    from django.utils import timezone

    from oscar_fulfillment.models import LaneHealth

    LaneHealth.objects.all().delete()
    OutboundMessage.objects.filter(destination=f"connector:{alias}").update(next_attempt_at=timezone.now())


def ledger(alias, **lookup):
    """The rows of the ledger, the oldest first."""
    return list(Export.objects.filter(connector=alias, **lookup).order_by("pk"))
