"""Fulfillment rows for the orders of the time before the app, in batches that can be interrupted at any point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.core.locks import lock_name
from oscar_fulfillment.flows import get_flow
from oscar_fulfillment.models import OrderFulfillment, Shipment, ShipmentLine, StatusChange
from oscar_fulfillment.models.shipment import DELIVERED, DISPATCHED, PENDING

from .placing import build_fulfillment, first_row

#: Says "see what the ledger holds" in place of a payment status.
AUTO = "auto"
#: Which shipments an old order must have had, by its shipping status.
_SHIPMENT_STATUS = {"released": PENDING, "invoiced": PENDING, "dispatched": DISPATCHED, "delivered": DELIVERED}


@dataclass(frozen=True)
class Pair:
    """What an old order's status means: our payment and shipping status."""

    payment: str
    shipping: str

    @classmethod
    def parse(cls, text: str) -> Pair:
        """From ``payment/shipping``, e.g. ``paid/dispatched`` or ``auto/received``; else :class:`FulfillmentError`."""
        payment, slash, shipping = text.partition("/")
        if not slash or not payment or not shipping:
            raise FulfillmentError(_("Write payment/shipping, e.g. paid/dispatched, not “%(text)s”.") % {"text": text})
        return cls(payment.strip(), shipping.strip())


def default_mapping() -> dict[str, Pair]:
    """What the statuses that we project ourselves mean, read backwards."""
    text = settings.ORDER_STATUS
    return {
        text["received"]: Pair(AUTO, "received"),
        text["in_process"]: Pair("paid", "released"),
        text["sent"]: Pair("paid", "dispatched"),
        text["completed"]: Pair("paid", "delivered"),
        text["cancelled"]: Pair("cancelled", "cancelled"),
    }


def pending_orders() -> Any:
    """The orders without a fulfillment row."""
    return get_model("order", "Order")._default_manager.filter(fulfillment__isnull=True)


def unmapped_statuses(mapping: Mapping[str, Pair]) -> dict[str, int]:
    """Statuses of old orders that the mapping does not know, with the number of orders."""
    counts = pending_orders().order_by().values_list("status").annotate(Count("pk"))
    return {status: count for status, count in counts if status not in mapping}


def backfill(mapping: Mapping[str, Pair], *, batch: int = 2000) -> Iterator[int]:
    """Give every old order its row; yields the number done after each batch. Interrupt and repeat at will.

    Each batch is a transaction of its own. Two runs at once take turns. No mail is sent, no signal, no stock moved.
    """
    done, last = 0, 0
    while True:
        with transaction.atomic():
            lock_name("oscar_fulfillment.backfill")
            orders = list(
                pending_orders()
                .filter(pk__gt=last)
                .order_by("pk")
                .select_related("user", "billing_address", "shipping_address")
                .prefetch_related("lines")[:batch]
            )
            if orders:
                _write(orders, mapping)
        if not orders:
            return
        done, last = done + len(orders), orders[-1].pk
        yield done


def _write(orders: list[Any], mapping: Mapping[str, Pair]) -> None:
    now, actor = timezone.now(), Actor.system("fulfillment_backfill")
    paid = _paid_in({order.pk for order in orders if mapping[order.status].payment == AUTO})
    rows, history, shipments = [], [], []
    for order in orders:
        pair = mapping[order.status]
        payment = _ledger_status(order, paid) if pair.payment == AUTO else pair.payment
        row = build_fulfillment(
            order, payment_status=payment, shipping_status=pair.shipping, language=django_settings.LANGUAGE_CODE
        )
        _check(row)
        change = first_row(row, actor, "backfill", now)
        row.version, row.history_hash = 1, change.hash
        rows.append(row)
        history.append(change)
        if status := _SHIPMENT_STATUS.get(pair.shipping):
            shipments.append(
                Shipment(fulfillment=row, number=1, status=status, created_at=order.date_placed, dispatched_at=None)
            )
    OrderFulfillment._default_manager.bulk_create(rows)
    StatusChange._default_manager.bulk_create(history)
    Shipment._default_manager.bulk_create(shipments)
    by_order = {order.pk: order for order in orders}
    ShipmentLine._default_manager.bulk_create(
        ShipmentLine(shipment=shipment, line=line, quantity=line.quantity)
        for shipment in shipments
        for line in by_order[shipment.fulfillment_id].lines.all()
        if line.quantity
    )


def _check(row: OrderFulfillment) -> None:
    flow = get_flow(row.flow)
    if row.payment_status not in flow.payment.states or row.shipping_status not in flow.shipping.states:
        raise FulfillmentError(
            _("Order %(number)s: its flow %(flow)s has no status %(payment)s/%(shipping)s.")
            % {
                "number": row.number,
                "flow": row.flow,
                "payment": row.payment_status,
                "shipping": row.shipping_status,
            }
        )


def _paid_in(order_ids: set[int]) -> dict[int, tuple[Any, Any]]:
    """(debited, allocated) per order pk, from Oscar's payment sources."""
    Source = get_model("payment", "Source")
    sums = Source._default_manager.filter(order__in=order_ids).order_by().values_list("order_id")
    return {
        pk: (debited, allocated)
        for pk, debited, allocated in sums.annotate(Sum("amount_debited"), Sum("amount_allocated"))
    }


def _ledger_status(order: Any, paid: Mapping[int, tuple[Any, Any]]) -> str:
    debited, allocated = paid.get(order.pk, (0, 0))
    if debited >= order.total_incl_tax:
        return "paid"
    return "authorized" if allocated >= order.total_incl_tax else "awaiting_payment"
