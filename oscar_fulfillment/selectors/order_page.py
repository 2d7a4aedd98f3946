"""Everything the order page shows, in a number of queries that does not grow with the order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import Exists, F, OuterRef, Prefetch, Q, Subquery, prefetch_related_objects
from oscar.core.loading import get_model

from oscar_fulfillment.models import (
    CreditNote,
    Invoice,
    NfeFile,
    OrderFulfillment,
    Return,
    ReturnLine,
    Shipment,
    StatusChange,
)
from oscar_fulfillment.models.shipment import CANCELLED, DELIVERED, DISPATCHED, PENDING, RETURNED

from .order_money import OrderMoney, prefetches
from .orders import orders_for_user

#: History rows of the panel before "show all"; messages of the list.
HISTORY_ROWS, MESSAGE_ROWS = 50, 30


def find_order(user: Any, number: str) -> Any:
    """The order with its fulfillment row, payment method, terms, buyer and addresses; one query.

    Raises the model's ``DoesNotExist`` also for an order this user may not see: staff see all, partner users those
    with a line of theirs.
    """
    orders = orders_for_user(user).select_related(
        "fulfillment__payment_method", "fulfillment__terms", "user", "shipping_address__country",
        "billing_address__country",
    )  # fmt: skip
    has_credit_notes = Exists(CreditNote._default_manager.filter(fulfillment=OuterRef("pk")))
    return orders.annotate(has_credit_notes=has_credit_notes).get(number=number)


def fulfillment_of(order: Any) -> OrderFulfillment | None:
    """The order's row, None before ``fulfillment_backfill``."""
    try:
        return order.fulfillment
    except OrderFulfillment.DoesNotExist:
        return None


def changes_since(fulfillment: OrderFulfillment, version: int, *, without: Collection[str] = ()) -> list[StatusChange]:
    """What happened after this version, newest first, at most ten rows; ``without`` these machines."""
    if version >= fulfillment.version:
        return []
    return list(fulfillment.history.filter(sequence__gt=version).exclude(machine__in=without)[:10])


def history_rows(fulfillment: OrderFulfillment, *, everything: bool = False) -> tuple[list[StatusChange], bool]:
    """The newest rows, and whether there are more."""
    rows = fulfillment.history.all()
    if everything:
        return list(rows), False
    found = list(rows[: HISTORY_ROWS + 1])
    return found[:HISTORY_ROWS], len(found) > HISTORY_ROWS


@dataclass
class LineRow:
    """An order line and how far its units have come. ``image`` is a URL, "" if the product has no picture."""

    line: Any
    image: str = ""
    released: int = 0
    sent: int = 0
    delivered: int = 0
    #: Of those that were sent, so many came back.
    returned: int = 0


@dataclass
class ShipmentRow:
    """A shipment and what is in it: (order line, units)."""

    shipment: Shipment
    contents: list[tuple[Any, int]] = field(default_factory=list)

    @property
    def parcels(self) -> list[Any]:
        """Its boxes, cancelled ones left out."""
        return [parcel for parcel in self.shipment.parcels.all() if parcel.status != CANCELLED]

    @property
    def units(self) -> int:
        return sum(quantity for _line, quantity in self.contents)


@dataclass
class ReturnRow:
    """A return and what is in it: (order line, line of the return)."""

    ret: Return
    contents: list[tuple[Any, ReturnLine]] = field(default_factory=list)


class OrderPage:
    """One order as the page shows it. Reads what is asked for, each region once.

    ``lazy``: for taking a step, which often needs neither lines nor shipments; they are read when first asked for.
    """

    def __init__(self, order: Any, *, all_history: bool = False, lazy: bool = False):
        self.order = order
        self.fulfillment: OrderFulfillment = order.fulfillment
        # The reverse side too, so that no history row, shipment or guard reads the order again.
        self.fulfillment._state.fields_cache["order"] = order
        self.all_history = all_history
        self._loaded = False
        if not lazy:
            self.load()

    def load(self) -> None:
        """Read lines, shipments, invoices and payments at providers, once."""
        if self._loaded:
            return
        self._loaded = True
        prefetch_related_objects(
            [self.order], Prefetch("lines", queryset=lines_with_pictures()), "surcharges", "discounts"
        )
        prefetch_related_objects(
            [self.fulfillment],
            Prefetch(
                "shipments",
                queryset=Shipment._default_manager.select_related("invoice").prefetch_related("lines", "parcels"),
            ),
            Prefetch("invoices", queryset=_invoices()),
            *prefetches(),
        )
        if self.has_left:
            prefetch_related_objects(
                [self.fulfillment], Prefetch("returns", Return._default_manager.order_by("-number")), "returns__lines"
            )

    @property
    def flow(self) -> Any:
        return self.fulfillment.flow_definition

    @property
    def has_left(self) -> bool:
        """Whether goods of the order may be out there, so that some may come back."""
        transition = self.flow.shipping.transitions.get("receive_return")
        return transition is not None and self.fulfillment.shipping_status in transition.sources

    @cached_property
    def returns(self) -> list[ReturnRow]:
        """The returns, the latest first, with what is in each."""
        if not self.has_left:
            return []
        self.load()
        lines = {line.pk: line for line in self.order.lines.all()}
        return [
            ReturnRow(ret, [(lines[each.line_id], each) for each in ret.lines.all() if each.line_id in lines])
            for ret in self.fulfillment.returns.all()
        ]

    @property
    def may_come_back(self) -> bool:
        """Whether units are out there."""
        return any(row.sent > row.returned for row in self.lines)

    @cached_property
    def shipments(self) -> list[ShipmentRow]:
        """Shipments with something in them, cancelled ones last."""
        self.load()
        lines = {line.pk: line for line in self.order.lines.all()}
        rows = [
            ShipmentRow(s, [(lines[c.line_id], c.quantity) for c in s.lines.all() if c.line_id in lines])
            for s in self.fulfillment.shipments.all()
        ]
        return sorted(
            (r for r in rows if r.contents), key=lambda r: (r.shipment.status == CANCELLED, r.shipment.number)
        )

    def shipments_of(self, status: str) -> list[ShipmentRow]:
        return [row for row in self.shipments if row.shipment.status == status]

    @property
    def to_dispatch(self) -> list[ShipmentRow]:
        """What could leave now: pending, and invoiced where the flow invoices."""
        return [r for r in self.shipments_of(PENDING) if r.shipment.invoice_id or not self.flow.invoices]

    @property
    def under_way(self) -> list[ShipmentRow]:
        return self.shipments_of(DISPATCHED)

    @cached_property
    def lines(self) -> list[LineRow]:
        self.load()
        rows = {line.pk: LineRow(line, image_url(line)) for line in self.order.lines.all()}
        for each in self.fulfillment.shipments.all():
            for content in each.lines.all() if each.status != CANCELLED else ():
                if (row := rows.get(content.line_id)) is None:
                    continue
                # What is sent again for goods that came back was not ordered again.
                row.released += content.quantity if each.replaces_id is None else 0
                if each.status in (DISPATCHED, DELIVERED, RETURNED):
                    row.sent += content.quantity
                    row.returned += content.returned
                    row.delivered += content.quantity if each.delivered_at else 0
        return list(rows.values())

    @property
    def invoices(self) -> list[Invoice]:
        self.load()
        return list(self.fulfillment.invoices.all())

    @property
    def to_take_back(self) -> list[Invoice]:
        """Valid documents whose goods are all still here."""
        used = {r.shipment.invoice_id for r in self.shipments if r.shipment.status not in (PENDING, CANCELLED)}
        return [i for i in self.invoices if i.cancelled_at is None and i.pk not in used]

    @cached_property
    def open_holds(self) -> list[Any]:
        # The row counts them: most orders have none.
        return list(self.fulfillment.holds.filter(released_at=None)) if self.fulfillment.hold_count else []

    @cached_property
    def notes(self) -> list[Any]:
        return list(self.order.notes.select_related("user").order_by("-date_created"))

    @cached_property
    def _history(self) -> tuple[list[StatusChange], bool]:
        return history_rows(self.fulfillment, everything=self.all_history)

    @property
    def history(self) -> list[StatusChange]:
        return self._history[0]

    @property
    def has_more_history(self) -> bool:
        return self._history[1]

    @cached_property
    def messages(self) -> list[Any]:
        # What providers are asked to do is shown with the payment.
        rows = self.order.outbound_messages.exclude(destination__startswith="payments:")
        rows = rows.defer("payload").order_by("-created_at", "-pk")
        return list(rows[:MESSAGE_ROWS])

    @cached_property
    def payment_sources(self) -> list[dict[str, Any]]:
        """Oscar's payment sources, each with its transactions, in one query."""
        rows = self.order.sources.order_by("pk", "transactions__pk").values(
            "pk", "source_type__name", "label", "reference", "amount_allocated", "amount_debited", "amount_refunded",
            "transactions__pk", "transactions__txn_type", "transactions__amount", "transactions__status",
            "transactions__reference", "transactions__date_created",
        )  # fmt: skip
        found: dict[int, dict[str, Any]] = {}
        for row in rows:
            source = found.setdefault(row["pk"], {**row, "transactions": []})
            if row["transactions__pk"]:
                prefix = "transactions__"
                source["transactions"].append(
                    {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
                )
        return list(found.values())

    @cached_property
    def money(self) -> OrderMoney:
        """Payments, ledger, terms, follow-ups."""
        self.load()
        return OrderMoney(self.order, self.payment_sources)

    @cached_property
    def payment_events(self) -> list[Any]:
        """Oscar's payment events, of orders of before there was a ledger: else its transactions say the same."""
        if self.payment_sources:
            return []
        return list(self.order.payment_events.select_related("event_type").order_by("date_created"))

    @property
    def surcharges(self) -> list[Any]:
        self.load()
        return list(self.order.surcharges.all())

    @property
    def discounts(self) -> list[Any]:
        self.load()
        return list(self.order.discounts.all())


def _invoices() -> Any:
    """Documents with the files that are filed with them (their contents stay where they are)."""
    filed = NfeFile._default_manager.filter(status__in=[NfeFile.APPLIED, NfeFile.SUPERSEDED]).defer("content")
    files = Prefetch("nfe_files", queryset=filed.order_by("pk"))
    return Invoice._default_manager.order_by("pk").prefetch_related(files)


def lines_with_pictures() -> Any:
    """Lines with the file name of their product's first picture (a variant without one shows its parent's)."""
    Line, ProductImage = get_model("order", "Line"), get_model("catalogue", "ProductImage")
    pictures = ProductImage._default_manager.filter(
        Q(product_id=OuterRef("product_id")) | Q(product_id=OuterRef("product__parent_id"))
    ).order_by(F("product__parent").asc(nulls_last=True), "display_order")
    return Line._default_manager.annotate(picture=Subquery(pictures.values("original")[:1])).order_by("pk")


def image_url(line: Any) -> str:
    name = getattr(line, "picture", "")
    if not name:
        return ""
    field_ = get_model("catalogue", "ProductImage")._meta.get_field("original")
    return field_.storage.url(name)
