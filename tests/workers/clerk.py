"""Who works in the shop that real workers serve: a process that does what it is told, one line of JSON each way.

["begin", [...kinds]] -> {kind: the provider's number}; ["settle", kind]; ["ask", kind]; ["receive", headers, body]; ["books"] -> what is
written about each order, and what the auditor finds.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

import django

django.setup()

from oscar_fulfillment.core import inbox  # noqa: E402
from oscar_fulfillment.models import (  # noqa: E402
    CarrierOrder,
    Export,
    InboundMessage,
    OrderFulfillment,
    OutboundMessage,
    Parcel,
    PaymentOperation,
    ProviderPayment,
)
from oscar_fulfillment.services import (  # noqa: E402
    audit,
    carrier_orders,
    ledger,
    operations,
    payments,
    release,
    webhook_keys,
    webhooks,
)
from oscar_fulfillment.services.provider_payments import begin_payment, refresh_payment  # noqa: E402
from oscar_fulfillment.test import factories  # noqa: E402

TEAM = factories.TEAM


def payment_of(kind: str) -> ProviderPayment:
    return ProviderPayment.objects.get(fulfillment__number=kind)


def begin(kinds: list[str]) -> dict[str, str]:
    """An order for each, numbered by its kind, its payment begun."""
    for kind in kinds:
        holds = kind in ("capture", "void")
        method = factories.gateway_method(
            f"card-{holds}", provider="yookassa", provider_method="bank_card", capture="hold" if holds else "now"
        )
        order = factories.placed_order(currency="RUB", method=method, number=kind)
        begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    return {kind: payment_of(kind).external_id for kind in kinds}


def settle(kind: str) -> str:
    """Ask how the payment stands."""
    return refresh_payment(payment=payment_of(kind)).state


def ask(kind: str) -> None:
    """Have the provider asked for this."""
    payment = payment_of(kind)
    given: dict[str, Any] = {"order": payment.fulfillment.order, "payment": payment.pk, "actor": TEAM}
    if kind == "capture":
        operations.request_capture(**given)
    elif kind == "void":
        operations.request_void(**given, reason="No")
    else:
        operations.request_refund(**given, amount=Decimal("4.00"), reason="broken")


def receive(headers: dict[str, str], body: str) -> bool:
    """A notification, verified and stored."""
    return inbox.receive("payments:yookassa", "", headers, body.encode())[1]


def waiting() -> int:
    """What is not done yet."""
    operations_ = PaymentOperation.objects.filter(status="requested").count()
    return operations_ + InboundMessage.objects.filter(status__in=["received", "processing"]).count()


def books() -> dict[str, Any]:
    """What is written about each order, and what the auditor finds (the provider is asked)."""
    found: dict[str, Any] = {}
    for row in OrderFulfillment.objects.all():
        money = ledger.totals(row.pk)
        found[row.number] = {
            "status": row.payment_status,
            "money": [str(money.allocated), str(money.debited), str(money.refunded)],
            "operations": list(PaymentOperation.objects.filter(payment__fulfillment=row).values_list("status", flat=True)),
            "steps": list(row.history.exclude(machine__in=["order", "provider"]).values_list("action", flat=True)),
            "followups": list(row.follow_ups.values_list("kind", flat=True)),
        }  # fmt: skip
    found["differences"] = [str(difference) for difference in audit.audit_payments(ask_providers=True)]
    return found


def release_with_carriage(number: str) -> str:
    """An order that goes with CDEK to the door, released: its carriage is asked for. The reference of that."""
    address = factories.address(phone_number="+79001234567", country="RU", line4="Moscow", postcode="101000")
    order = factories.paid_order(currency="RUB", number=number, shipping_address=address)
    order.shipping_code = "cdek-door"
    order.save()
    release.release_order(order=order, actor=TEAM)
    carrier_orders.request_carriage(order=order, shipment=order.fulfillment.shipments.get().pk, actor=TEAM)
    return CarrierOrder.objects.get().reference


def carriage() -> dict[str, Any]:
    """What became of it: the row, the box, the mails."""
    row = CarrierOrder.objects.get()
    return {
        "status": row.status, "code": row.tracking_code, "problem": row.problem,
        "boxes": list(Parcel.objects.values_list("tracking_code", flat=True)),
        "mails": OutboundMessage.objects.filter(kind="FULFILLMENT_TRACKING_ASSIGNED").count(),
    }  # fmt: skip


def place(number: str) -> None:
    """A paid order of the Russian store: it goes to the CRM."""
    factories.paid_order(currency="RUB", number=number)


def start(number: str) -> None:
    """Take the order into work: its deal is to show that."""
    release.release_order(order=OrderFulfillment.objects.get(number=number).order, actor=TEAM)


def unclaim() -> int:
    """As if what a dead worker had to itself were long over; how many that were."""
    return Export.objects.exclude(claimed_until=None).update(claimed_until=None)


def exports() -> list[list[Any]]:
    """The ledger: what went, how it stands, their id and status, how often it was tried."""
    columns = ("kind", "status", "external_id", "outside_state", "attempts")
    return [list(row) for row in Export.objects.order_by("pk").values_list(*columns)]


def listen(url: str) -> str:
    """A webhook that is told of approved payments; its key."""
    values = {"url": url, "all_events": False, "events": ["payment.approved"]}
    return webhook_keys.secret(webhooks.save_webhook(actor=TEAM, values=values).keys[0])


def approve(numbers: list[str]) -> None:
    """Orders of these numbers, paid one after the other."""
    for number in numbers:
        payments.approve_payment(order=factories.placed_order(number=number), actor=TEAM)


def webhook_log() -> dict[str, list[Any]]:
    """What became of each message, by its id: state, tries in the log, the order's number."""
    rows = OutboundMessage.objects.filter(destination__startswith="webhook:").select_related("order")
    return {row.key: [row.status, row.webhook_attempts.count(), row.order.number if row.order else ""] for row in rows}


def issue_note(number: str) -> str:
    """An order that is released, and its note asked for."""
    from oscar_fulfillment.services import emission_issue
    from tests import tax_office

    tax_office.profile()
    order = tax_office.released(number=number)
    return str(emission_issue.issue_note(order=order, actor=TEAM))


def note() -> dict[str, Any]:
    """What became of it: the note, the order, the customer's mail."""
    from oscar_fulfillment.models import NfeEmission

    row = NfeEmission.objects.get()
    return {
        "status": row.status, "key": row.access_key, "keys": row.earlier_keys, "problem": row.problem,
        "shipping": OrderFulfillment.objects.get().shipping_status,
        "steps": list(row.fulfillment.history.values_list("action", flat=True)),
        "mails": OutboundMessage.objects.filter(kind="FULFILLMENT_NFE").count(),
    }  # fmt: skip


_WORK = (
    begin, settle, ask, receive, waiting, books, release_with_carriage, carriage, listen, approve, webhook_log,
    issue_note, note, place, start, unclaim, exports,
)  # fmt: skip
WORK = {work.__name__: work for work in _WORK}

if __name__ == "__main__":
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(WORK[name](*arguments)), flush=True)
