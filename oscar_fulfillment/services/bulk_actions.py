"""What can be done to many orders at once, by name. ``services.bulk`` does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.transitions import Effect, Move
from oscar_fulfillment.models import BulkJob, BulkJobItem

from . import invoicing, parcels, printing, release, shipping, tracking_apply


@dataclass(frozen=True)
class Action:
    """What can be done to many orders: one ``move`` for all of them, or whatever ``run(job, items)`` does.

    ``context(params)`` is what the single step's form would have asked. ``run`` raises where an order refuses;
    ``one_by_one`` is for what differs so much that nothing is won by trying them together. ``settled(job, items)``
    hears of the results, in the same transaction. Only what ``is_offered`` can be chosen in the list of orders.
    """

    name: str
    label: Any
    move: Move | None = None
    effect: Effect | None = None
    context: Callable[[dict[str, Any]], dict[str, Any]] = lambda params: {}
    data: dict[str, Any] | None = None
    run: Callable[[BulkJob, Sequence[BulkJobItem]], None] | None = None
    one_by_one: bool = False
    settled: Callable[[BulkJob, Sequence[BulkJobItem]], None] = lambda job, items: None
    is_offered: bool = True

    @property
    def document(self) -> str:
        """The document of ``services.printing`` that the orders get; "" for any other action."""
        return str((self.data or {}).get("document", ""))


def _release(params: dict[str, Any]) -> dict[str, Any]:
    # What is there, where the goods do not suffice for the whole order; else such an order is refused.
    return {"in_part": bool(params.get("in_part"))}


def _invoice_none(params: dict[str, Any]) -> dict[str, Any]:
    return {"invoice": invoicing.read_invoice(kind="none")}


def _tracking(params: dict[str, Any]) -> dict[str, Any]:
    # Many at once: no tracking codes, no question about the mails; they are sent by themselves.
    return {"parcels": parcels.read_parcels([{"carrier": params.get("carrier", "")}])}


def _print(name: str, label: Any, document: str) -> Action:
    effect = printing.print_many_effect(document)
    return Action(name, label, printing.PRINTED, effect, data={"document": document})


ACTIONS = {
    action.name: action
    for action in (
        Action("release", gettext_lazy("Release"), release.RELEASE, release.release_effect, _release),
        Action(
            "invoice",
            gettext_lazy("Invoice: no fiscal document"),
            invoicing.INVOICE,
            invoicing.invoice_effect,
            _invoice_none,
        ),
        Action("dispatch", gettext_lazy("Dispatch"), shipping.DISPATCH, shipping.dispatch_effect, _tracking),
        Action("deliver", gettext_lazy("Mark as delivered"), shipping.DELIVER, shipping.deliver_effect),
        _print("print", gettext_lazy("Print packing slips"), printing.SLIP),
        _print("print_picking", gettext_lazy("Print picking list"), printing.PICKING),
        _print("print_labels", gettext_lazy("Print labels"), printing.LABEL),
        Action(
            "import_codes",
            gettext_lazy("Import: tracking codes"),
            run=tracking_apply.apply_codes,
            one_by_one=True,
            settled=tracking_apply.note_outcomes,
            is_offered=False,
        ),
        Action(
            "import_events",
            gettext_lazy("Import: what the carrier says"),
            run=tracking_apply.apply_events,
            settled=tracking_apply.note_outcomes,
            is_offered=False,
        ),
    )
}
#: Those of the list of orders.
OFFERED = {name: action for name, action in ACTIONS.items() if action.is_offered}
