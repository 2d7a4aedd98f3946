"""Everything the order page shows, in a number of queries that does not grow with the order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Exists, F, OuterRef, Prefetch, Q, Subquery, prefetch_related_objects
from oscar.core.loading import get_model

from oscar_fulfillment.models import (
    CarrierOrder,
    CreditNote,
    Export,
    Invoice,
    NfeEmission,
    NfeFile,
    OrderFulfillment,
    OutsideChange,
    Return,
    Shipment,
    StatusChange,
)
from oscar_fulfillment.models.connector import LANE as CONNECTOR_LANE
from oscar_fulfillment.models.shipment import CANCELLED, DELIVERED, DISPATCHED, PENDING, RETURNED
from oscar_fulfillment.models.webhook import LANE

from . import connectors
from .given_up import ZERO, price_of
from .order_money import OrderMoney, prefetches
from .order_page_rows import LineRow, ReturnRow, ShipmentRow
from .orders import orders_for_user
from .prints import PRINTED, Print, prints_of

#: Files of the tax office that are filed with their order.
_FILED = (NfeFile.APPLIED, NfeFile.SUPERSEDED)
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
    return orders.annotate(**_what_it_has()).get(number=number)


def _what_it_has() -> dict[str, Exists]:
    """Whether an order has what few orders have: each saves the page a query."""
    rows = {
        "has_surcharges": get_model("order", "Surcharge")._default_manager.filter(order=OuterRef("pk")),
        "has_discounts": get_model("order", "OrderDiscount")._default_manager.filter(order=OuterRef("pk")),
        "has_credit_notes": CreditNote._default_manager.filter(fulfillment=OuterRef("pk")),
        "has_returns": Return._default_manager.filter(fulfillment=OuterRef("pk")),
        "has_exports": Export._default_manager.filter(fulfillment=OuterRef("pk")),
        "has_emissions": NfeEmission._default_manager.filter(fulfillment=OuterRef("pk")),
        "has_nfe_files": NfeFile._default_manager.filter(fulfillment=OuterRef("pk"), status__in=_FILED),
        "has_carrier_orders": CarrierOrder._default_manager.filter(shipment__fulfillment=OuterRef("pk")),
    }
    return {name: Exists(found) for name, found in rows.items()}


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


@dataclass(frozen=True)
class History:
    """The newest rows, whether there are more, and every printing, however long ago."""

    rows: list[StatusChange]
    has_more: bool
    prints: list[Print]


def read_history(fulfillment: OrderFulfillment, *, everything: bool = False) -> History:
    """One statement, since rows are numbered without gaps."""
    found = fulfillment.history.all()
    if everything:
        rows = list(found)
        return History(rows, False, prints_of(rows))
    rows = list(found.filter(Q(sequence__gte=fulfillment.version - HISTORY_ROWS) | PRINTED))
    newest = [row for row in rows if row.sequence >= fulfillment.version - HISTORY_ROWS]
    return History(newest[:HISTORY_ROWS], len(newest) > HISTORY_ROWS, prints_of(rows))


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
        few = [name for name in ("surcharges", "discounts") if self._has(name)]
        prefetch_related_objects([self.order], Prefetch("lines", queryset=lines_with_pictures()), *few)
        inside = ["lines", "parcels", *(["carrier_orders"] if self._has("carrier_orders") else [])]
        shipments = Shipment._default_manager.select_related("invoice").prefetch_related(*inside)
        prefetch_related_objects(
            [self.fulfillment],
            Prefetch("shipments", queryset=shipments),
            Prefetch("invoices", queryset=self._invoices()),
            *prefetches(),
        )
        if not self._has("nfe_files"):
            for invoice in self.fulfillment.invoices.all():
                _read_as_empty(invoice, "nfe_files")
        if not self._has("carrier_orders"):
            for shipment in self.fulfillment.shipments.all():
                _read_as_empty(shipment, "carrier_orders")
        if not self._has("returns"):
            _read_as_empty(self.fulfillment, "returns")
        elif self.has_left:
            prefetch_related_objects(
                [self.fulfillment], Prefetch("returns", Return._default_manager.order_by("-number")), "returns__lines"
            )

    def _invoices(self) -> Any:
        """Documents with the files that are filed with them (their contents stay where they are)."""
        rows = Invoice._default_manager.order_by("pk")
        if not self._has("nfe_files"):
            return rows
        filed = NfeFile._default_manager.filter(status__in=_FILED).defer("content").order_by("pk")
        return rows.prefetch_related(Prefetch("nfe_files", queryset=filed))

    def _has(self, name: str) -> bool:
        """Whether the order may have such rows: :func:`find_order` has asked."""
        return getattr(self.order, f"has_{name}", True)

    @cached_property
    def emissions(self) -> list[NfeEmission]:
        """The NF-e of our own, newest first, without their files."""
        if not self._has("emissions"):
            return []
        return list(self.fulfillment.emissions.defer("xml", "proc_xml", "content").order_by("-pk"))

    @cached_property
    def exports(self) -> tuple[list[Export], list[OutsideChange]]:
        """What of the order other systems have, and the last they said of it."""
        return connectors.of_order(self.order.pk) if self._has("exports") else ([], [])

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
            for content in each.lines.all() if each.status != CANCELLED or each.is_dropped else ():
                if (row := rows.get(content.line_id)) is None:
                    continue
                if each.is_dropped:
                    row.given_up += content.quantity if each.replaces_id is None else 0
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
    def _history(self) -> History:
        return read_history(self.fulfillment, everything=self.all_history)

    @property
    def history(self) -> list[StatusChange]:
        return self._history.rows

    @property
    def has_more_history(self) -> bool:
        return self._history.has_more

    @property
    def prints(self) -> list[Print]:
        return self._history.prints

    @cached_property
    def messages(self) -> list[Any]:
        # What providers and carriers are asked to do is shown with the payment and the shipment, what other systems get
        # in their panel, what webhooks are told on their own page.
        elsewhere = Q(destination__startswith="payments:") | Q(destination__startswith="carriers:")
        elsewhere |= Q(destination__startswith=CONNECTOR_LANE)
        rows = self.order.outbound_messages.exclude(elsewhere | Q(destination__startswith=LANE))
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
        given_up = sum((price_of(row.line, row.given_up) for row in self.lines if row.given_up), ZERO)
        return OrderMoney(self.order, self.payment_sources, given_up)

    @cached_property
    def payment_events(self) -> list[Any]:
        """Oscar's payment events, of orders of before there was a ledger: else its transactions say the same."""
        if self.payment_sources:
            return []
        return list(self.order.payment_events.select_related("event_type").order_by("date_created"))

    @property
    def surcharges(self) -> list[Any]:
        self.load()
        return list(self.order.surcharges.all()) if self._has("surcharges") else []

    @property
    def discounts(self) -> list[Any]:
        self.load()
        return list(self.order.discounts.all()) if self._has("discounts") else []


def _read_as_empty(row: Any, name: str) -> None:
    """Let nobody ask the database for related rows that are known not to be there."""
    if not hasattr(row, "_prefetched_objects_cache"):
        row._prefetched_objects_cache = {}
    row._prefetched_objects_cache[name] = getattr(row, name).none()


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
