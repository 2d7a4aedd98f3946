"""The papers that go with the goods: made for one order or for many, and noted in the history when they are printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.text import get_valid_filename
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.documents.customs_invoice import COMMERCIAL, PROFORMA, TITLES
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.selectors.consignments import read_chosen
from oscar_fulfillment.selectors.prints import read_prints

from .customs_documents import customs_pdf
from .door import move
from .label_documents import labels_pdf
from .picking_documents import picking_pdf
from .slip_documents import SLIP, slips_pdf

PRINTED = Move("document", "print", is_record=True)
PICKING, LABEL = "picking", "label"
#: Two clicks within this time are one printing.
ONE_CLICK = timedelta(seconds=10)


@dataclass(frozen=True)
class Document:
    """A paper of an order. ``name`` is what the history and the URL call it, ``many`` how a PDF of many is called.

    ``make(order_ids, shipment=number or None, part=(number, total))`` gives the PDF. ``waits``: only what waits to be
    packed is on it.
    """

    name: str
    label: Any
    many: str
    make: Callable[..., bytes]
    waits: bool = False


def _slips(order_ids: Sequence[int], *, shipment: int | None, part: tuple[int, int]) -> bytes:
    return slips_pdf(order_ids, shipment=shipment)


def _picking(order_ids: Sequence[int], *, shipment: int | None, part: tuple[int, int]) -> bytes:
    return picking_pdf(order_ids, part=part)


def _labels(order_ids: Sequence[int], *, shipment: int | None, part: tuple[int, int]) -> bytes:
    return labels_pdf(order_ids, shipment=shipment)


def _customs(kind: str) -> Callable[..., bytes]:
    def make(order_ids: Sequence[int], *, shipment: int | None, part: tuple[int, int]) -> bytes:
        return customs_pdf(order_ids, kind=kind, shipment=shipment)

    return make


#: Every document, by name, in the order of the menu.
DOCUMENTS = {
    document.name: document
    for document in (
        Document(SLIP, _("Packing slip"), "packing-slips", _slips),
        Document(PICKING, _("Picking list"), "picking-list", _picking, waits=True),
        Document(LABEL, _("Address label"), "labels", _labels),
        Document(PROFORMA, TITLES[PROFORMA], "proforma-invoices", _customs(PROFORMA)),
        Document(COMMERCIAL, TITLES[COMMERCIAL], "commercial-invoices", _customs(COMMERCIAL)),
    )
}


def document_pdf(
    name: str, order_ids: Sequence[int], *, shipment: int | None = None, part: tuple[int, int] = (1, 1)
) -> bytes:
    """The PDF of a document for these orders, or for the shipment of this number of the one order.

    Raises ``DocumentError`` where it cannot be made from their data, ``ConfigurationError`` for wrong settings.
    """
    return DOCUMENTS[name].make(order_ids, shipment=shipment, part=part)


def document_filename(name: str, number: str, *, shipment: int | None = None) -> str:
    """A name for one order's document that any file system takes."""
    tail = f"-{shipment}" if shipment is not None else ""
    return get_valid_filename(f"{name}-{number}"[:100].rstrip(".") + tail) + ".pdf"


def record_print(*, order: Any, actor: Actor, document: str, shipment: int | None = None) -> StatusChange:
    """Note in the history that a document was printed, and for which shipments. A second click is not noted again;
    printing it once more later is."""
    now = timezone.now()
    printed = [each for each in read_prints([order.pk]).get(order.pk, ()) if each.document == document]
    # The same number for both of two clicks at once, so that the history's unique key lets one of them through.
    before = sum(each.at < now - ONE_CLICK for each in printed)
    who = actor.user.pk if actor.user is not None else 0
    key = f"print-{document}-{shipment or 0}-{who}-{before}"
    return move(order, PRINTED, actor=actor, data={"document": document}, key=key, 
                effect=print_effect(document, shipment))  # fmt: skip


def print_effect(document: str, shipment: int | None = None) -> Callable[[Sequence[Step]], None]:
    """Write down which shipments the document is for; one statement for any number of orders."""

    def effect(steps: Sequence[Step]) -> None:
        ids = [step.subject.pk for step in steps]
        chosen = read_chosen(ids, shipment, waiting=DOCUMENTS[document].waits)
        for step in steps:
            shipments = chosen.get(step.subject.pk)
            if shipments:
                step.data["shipments"] = shipments
            elif shipments is not None:
                step.refuse(Reason("nothing_waits", _("Nothing of this order waits to be packed.")))

    return effect


def print_many_effect(document: str) -> Callable[[Sequence[Step]], None]:
    """The same for orders that were chosen from a list: cancelled ones among them are refused."""
    effect = print_effect(document)

    def refusing(steps: Sequence[Step]) -> None:
        for step in steps:
            if step.subject.shipping_status == "cancelled":
                step.refuse(Reason("cancelled", _("The order is cancelled.")))
        effect([step for step in steps if not step.reasons])

    return refusing
