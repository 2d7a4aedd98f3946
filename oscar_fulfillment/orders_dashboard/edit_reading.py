"""What the page "Edit the order" shows, and where the order page leads to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.flows import RECORDS
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.addable import find_addable
from oscar_fulfillment.selectors.order_page import OrderPage
from oscar_fulfillment.services import drafts, edit_rules
from oscar_fulfillment.services.actions import ActionState, no_permission
from oscar_fulfillment.services.edit_plan import normal
from oscar_fulfillment.services.edit_wanted import Wanted
from oscar_fulfillment.services.editing import Preview, preview, revert_refusal

from .edit_input import AS_AGREED, BY_HAND, METHOD, Typed
from .page_steps import PageStep


def edit_steps(page: OrderPage, user: Any) -> list[PageStep]:
    """The buttons of the order page: edit, and take the last edit back. None once nothing of the order waits."""
    if page.fulfillment.shipping_status in ("dispatched", "delivered", "returned", "cancelled"):
        return []
    if not user_may(user, "edit_order"):
        return [_step(page, "edit_order", _("Edit the order"), "order-edit", no_permission())]
    refused = edit_rules.refusal(page.fulfillment)
    label = _("Edit the order")
    mine, applied = drafts.drafts_of(page.order, user) if refused is None else (None, None)
    if mine is not None:
        label = _("Go on editing the order")
    found = [_step(page, "edit_order", label, "order-edit", refused)]
    if applied is not None:
        found.append(
            _step(page, "revert_edit", _("Take the last edit back"), "order-edit-revert",
                  revert_refusal(page.fulfillment, applied))
        )  # fmt: skip
    return found


def _step(page: OrderPage, name: str, label: str, url: str, refused: Reason | None) -> PageStep:
    reasons = [refused] if refused is not None else []
    action = ActionState("edit", name, label or RECORDS["edit", name], name, not reasons, reasons)
    return PageStep(action, reverse(f"dashboard:{url}", kwargs={"number": page.order.number}), "possible")


@dataclass
class Row:
    """One line of the form. ``total`` with tax; None: it could not be reckoned."""

    key: str
    title: str
    sku: str
    was: int
    value: str
    unit: Decimal | None = None
    full: Decimal | None = None
    total: Decimal | None = None
    missing: int = 0
    is_fixed: bool = False
    errors: Sequence[Any] = ()

    @property
    def is_gone(self) -> bool:
        return bool(self.was) and self.value.strip() == "0"

    @property
    def missing_text(self) -> str:
        return _("%(count)d not in stock") % {"count": self.missing} if self.missing else ""

    @property
    def is_changed(self) -> bool:
        return self.value.strip() != str(self.was)


@dataclass
class Carrying:
    """One choice of shipping."""

    value: str
    label: Any
    charge: Decimal | None = None


@dataclass
class EditPage:
    """The page of one draft: ``looked`` what it comes to, or ``errors`` why that cannot be said."""

    order: Any
    wanted: Wanted
    typed: Typed | None = None
    looked: Preview | None = None
    errors: dict[str, list[Any]] = field(default_factory=dict)
    query: str = ""

    @classmethod
    def read(cls, order: Any, wanted: Wanted, typed: Typed | None = None, query: str = "") -> EditPage:
        """Look at the draft; what was typed and cannot be read is left out and told."""
        page = cls(order, wanted, typed, errors=dict(typed.errors) if typed else {}, query=query)
        try:
            page.looked = preview(order, wanted)
            page.wanted = normal(page.looked.plan)
        except InvalidInput as error:
            page.errors = {**error.errors, **page.errors}
        return page

    @property
    def can_apply(self) -> bool:
        return self.looked is not None and self.looked.can_apply and not self.errors

    @property
    def general_errors(self) -> list[Any]:
        """What belongs to no field of the page."""
        fields = {row.key for row in self.rows} | {"shipping", "charge", "reason"}
        return [message for name, found in self.errors.items() if name not in fields for message in found]

    @property
    def rows(self) -> list[Row]:
        if self.looked is None:
            return self._plain_rows()
        return [
            Row(
                line.key, line.title, line.sku, line.was, self._typed(line.key, line.quantity), line.unit, line.full,
                line.total, line.missing, line.is_orphan, self.errors.get(line.key, ()),
            )
            for line in self.looked.quote.lines
        ]  # fmt: skip

    def _plain_rows(self) -> list[Row]:
        """The lines without prices, when the draft as it is cannot be reckoned."""
        rows = []
        for line in self.order.lines.order_by("pk"):
            key = f"line-{line.pk}"
            value = self._typed(key, self.wanted.quantities.get(line.pk, line.quantity))
            rows.append(Row(key, line.title, line.partner_sku, line.quantity, value, line.unit_price_incl_tax,
                            errors=self.errors.get(key, ())))  # fmt: skip
        records = get_model("partner", "StockRecord")._default_manager.select_related("product__parent")
        for record in records.filter(pk__in=self.wanted.added):
            key = f"new-{record.pk}"
            value = self._typed(key, self.wanted.added[record.pk])
            rows.append(Row(key, record.product.get_title(), record.partner_sku, 0, value,
                            errors=self.errors.get(key, ())))  # fmt: skip
        return rows

    def _typed(self, key: str, value: int) -> str:
        """What stands in the field: a wrong number as it was typed, so that it can be mended."""
        if self.typed is not None and key in self.errors and key in self.typed.values:
            return self.typed.values[key][:20]
        return str(value)

    @property
    def was(self) -> str:
        """The quantities that this page shows as the order's, for telling later what its reader has changed."""
        return " ".join(f"{row.key.partition('-')[2]}:{row.was}" for row in self.rows if row.was)

    @property
    def carryings(self) -> list[Carrying]:
        order = self.order
        found = [Carrying(AS_AGREED, order.shipping_method or _("Shipping"), order.shipping_incl_tax)]
        if self.looked is not None:
            # The agreed method at the agreed charge is no other choice, unless the draft has it.
            found += [
                Carrying(f"{METHOD}{method.code}", method.name, method.incl_tax)
                for method in self.looked.quote.methods
                if (method.code, method.incl_tax) != (order.shipping_code, order.shipping_incl_tax)
                or method.code == self.wanted.shipping.method
            ]
        return [*found, Carrying(BY_HAND, _("Another charge"))]

    @property
    def carrying(self) -> str:
        """The choice of shipping that is marked."""
        if self.typed is not None and {"charge", "shipping"} & set(self.errors):
            return self.typed.values.get("shipping", AS_AGREED)
        shipping = self.wanted.shipping
        return f"{METHOD}{shipping.method}" if shipping.method else AS_AGREED if shipping.as_agreed else BY_HAND

    @property
    def charge(self) -> str:
        if self.typed is not None and "charge" in self.typed.values:
            return self.typed.values["charge"][:20]
        return str(self.wanted.shipping.charge) if self.wanted.shipping.charge is not None else ""

    @property
    def found(self) -> list[Any]:
        """What the search for a product has found."""
        return find_addable(self.order, self.query) if self.query else []


def sums(page: EditPage) -> Mapping[str, Any]:
    """The figures of a draft for programs, sums as text."""
    looked = page.looked
    if looked is None:
        return {"total": None, "difference": None, "held": None, "room": None}
    return {
        "total": str(looked.quote.total),
        "difference": str(looked.quote.difference),
        "held": None if looked.bound is None else str(looked.bound),
        "room": None if looked.room is None else str(looked.room),
    }
