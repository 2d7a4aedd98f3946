"""A shop with carriers in memory, and orders on their way with them."""

from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.test import override_settings
from django.utils import timezone

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.carriers.events import TrackingEvent, TrackingState
from oscar_fulfillment.models import OutboundMessage, Parcel
from oscar_fulfillment.services import shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.webhooks.carriers import register_carriers

FAKE = "oscar_fulfillment.test.carriers.FakeCarrier"
TEAM = factories.TEAM


@contextmanager
def fake_carriers(**options):
    """The carriers "fake" and "second" in memory; ``options`` by alias."""
    declared = {
        "fake": {"BACKEND": FAKE, "OPTIONS": options.get("fake", {})},
        "second": {"BACKEND": FAKE, "OPTIONS": options.get("second", {})},
        "other": {"BACKEND": "oscar_fulfillment.carriers.manual.Manual"},
    }
    with override_settings(OSCAR_FULFILLMENT={**settings.OSCAR_FULFILLMENT, "CARRIERS": declared}):
        register_carriers()
        yield carriers.get("fake")


def on_the_way(code="FK1", carrier="fake", **options):
    """An order that was sent in one box."""
    return factories.dispatched_order(carrier=carrier, tracking_code=code, **options)


def box(order, code=None):
    rows = Parcel.objects.filter(shipment__fulfillment=order.pk)
    return rows.get() if code is None else rows.get(tracking_code=code)


def told(state, minutes=0, code="", **values):
    """An event, ``minutes`` from now."""
    state = TrackingState(state)
    at = timezone.now() + timedelta(minutes=minutes)
    return TrackingEvent(code=code or str(state).upper(), occurred_at=at, state=state, **values)


def mails(order):
    return list(OutboundMessage.objects.filter(order_id=order.pk, destination="mail").values_list("kind", flat=True))


def statuses(order):
    order.fulfillment.refresh_from_db()
    return order.fulfillment.payment_status, order.fulfillment.shipping_status


def two_boxes(*codes, **options):
    """An order that was sent in several boxes of one shipment."""
    order = factories.invoiced_order(**options)
    boxes = [{"carrier": "fake", "tracking_code": code} for code in codes]
    shipping.dispatch_order(order=order, actor=TEAM, boxes=boxes)
    return order


def due_now():
    """Let every parcel's turn be now."""
    Parcel.objects.filter(next_check_at__isnull=False).update(next_check_at=timezone.now() - timedelta(seconds=1))
