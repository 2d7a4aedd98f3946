"""What the tests of returns share: an order whose goods have arrived, and shortcuts to look at it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import OrderFulfillment, Return, ShipmentLine
from oscar_fulfillment.services import inspecting, return_outcomes, returns
from oscar_fulfillment.test import factories

TEAM = Actor.system("tests")


def delivered(*lines: tuple[str, str, int], **options: Any) -> Any:
    """A delivered order (CHF, so without invoices) of lines (title, price, units); default: 3 mugs at 10.00."""
    wanted = [(factories.product(title, price), units) for title, price, units in lines or [("Mug", "10.00", 3)]]
    return factories.delivered_order(**{"currency": "CHF", "lines": wanted, **options})


def line(order: Any, title: str = "Mug") -> Any:
    return order.lines.get(title=title)


def ask(order: Any, units: int = 1, title: str = "Mug", reason: str = "damaged", **options: Any) -> Return:
    """Ask to send units of one line back."""
    given = {"actor": TEAM, "order": order, **options}
    return returns.request_return(lines={line(order, title).pk: (units, reason)}, **given)


def approved(order: Any, units: int = 1, **options: Any) -> Return:
    return ask(order, units, approve=True, **options)


def receive(ret: Return, restocked: int = 1, damaged: int = 0, title: str = "Mug", **options: Any) -> Return:
    pk = ret.lines.get(line__title=title).line_id
    return inspecting.receive_return(ret=ret, lines={pk: (restocked, damaged, "")}, actor=TEAM, **options)


def received(order: Any, restocked: int = 1, damaged: int = 0, **options: Any) -> Return:
    return receive(approved(order, restocked + damaged, **options), restocked, damaged)


def settle(
    ret: Return, outcome: str = "refund", amount: str | None = None, way: str = "hand", **options: Any
) -> Return:
    given = {"actor": TEAM, **options}
    return return_outcomes.settle_return(
        ret=ret, outcome=outcome, amount=None if amount is None else Decimal(amount), way=way, **given
    )


def stock_of(order: Any, title: str = "Mug") -> tuple[int, int]:
    """In stock, and allocated."""
    record = line(order, title).stockrecord
    return record.num_in_stock, record.num_allocated or 0


def shipping(order: Any) -> str:
    return OrderFulfillment.objects.get(pk=order.pk).shipping_status


def payment(order: Any) -> str:
    return OrderFulfillment.objects.get(pk=order.pk).payment_status


def back(order: Any, title: str = "Mug") -> list[tuple[str, int, int]]:
    """(status, units, units that came back) of the line's shipments, the oldest first."""
    rows = ShipmentLine.objects.filter(line=line(order, title)).order_by("shipment__number")
    return list(rows.values_list("shipment__status", "quantity", "returned"))


def shipping_events(order: Any, name: str = "Returned") -> list[dict[str, int]]:
    """Oscar's events of a kind: units per title."""
    events = get_model("order", "ShippingEvent").objects.filter(order=order, event_type__name=name).order_by("pk")
    return [{q.line.title: q.quantity for q in event.line_quantities.select_related("line")} for event in events]


def actions(order: Any) -> list[str]:
    """What the history says, oldest first."""
    return list(OrderFulfillment.objects.get(pk=order.pk).history.order_by("sequence").values_list("action", flat=True))


def mails(order: Any) -> list[str]:
    """The kinds of the mails that were written about returns."""
    rows = order.outbound_messages.filter(kind__contains="RETURN").order_by("pk")
    return [kind.removeprefix("FULFILLMENT_") for kind in rows.values_list("kind", flat=True)]


def by_customer(order: Any, units: int = 1, **options: Any) -> Return:
    return ask(order, units, actor=Actor.customer(order), by_customer=True, **options)
