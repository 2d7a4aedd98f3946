"""The fiscal document: an NF-e with its key, another number, or the explicit decision for none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.rows import Change
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.fiscal.access_key import AccessKeyError, is_zeros, means_no_document, parse, validate_against
from oscar_fulfillment.models import Invoice, Shipment, StatusChange
from oscar_fulfillment.models.invoice import NFE, NONE, OTHER

from .door import move
from .shipments import PENDING, ShipmentBook, name_pending, split_off

INVOICE = Move("shipping", "invoice")
CANCEL_INVOICE = Move("shipping", "cancel_invoice")


def read_invoice(*, kind: str, number: str = "", series: str = "", access_key: str = "") -> dict[str, str]:
    """What was typed, checked and normalised: ``kind, number, series, access_key, issuer_tax_id``.

    Zeros in every field mean "no fiscal document", as merchants type it. Number and series of an NF-e are taken from
    its key and refused where they disagree. Raises :class:`InvalidInput` with every problem at once.
    """
    number = clean_text("number", number, limit=32)
    series = clean_text("series", series, limit=8)
    access_key = clean_text("access_key", access_key, limit=120)
    if kind == NONE or means_no_document(access_key=access_key, number=number, series=series):
        return {"kind": NONE, "number": "", "series": "", "access_key": "", "issuer_tax_id": ""}
    if kind == OTHER:
        if not number:
            raise InvalidInput({"number": [_("Type the number of the invoice.")]})
        return {"kind": OTHER, "number": number, "series": series, "access_key": "", "issuer_tax_id": ""}
    if kind != NFE:
        raise InvalidInput({"kind": [_("Choose a kind of fiscal document.")]})
    return _read_nfe(number, series, access_key)


def _read_nfe(number: str, series: str, access_key: str) -> dict[str, str]:
    if not access_key:
        raise InvalidInput({"access_key": [_("Type the access key (44 characters), or choose “no fiscal document”.")]})
    if is_zeros(access_key):
        raise InvalidInput({"access_key": [_("The key is all zeros, but number or series are not.")]})
    try:
        key = parse(access_key)
    except AccessKeyError as error:
        raise InvalidInput({"access_key": [problem.message for problem in error.problems]}) from error
    errors: dict[str, list[Any]] = {}
    for problem in validate_against(key, series=series, number=number, issuer_tax_ids=settings.ISSUER_TAX_IDS):
        errors.setdefault(problem.field or "access_key", []).append(problem.message)
    if errors:
        raise InvalidInput(errors)
    return {
        "kind": NFE,
        "number": str(int(key.number)),
        "series": str(int(key.series)),
        "access_key": key.text,
        "issuer_tax_id": key.issuer,
    }


def invoice_effect(steps: Sequence[Step]) -> None:
    """One document per order. It covers every pending shipment that has none, or those that ``shipments`` (ids) in the
    step's context names; of these only ``units`` (per line pk) where given: the rest stays behind in one of its own.
    """
    book = ShipmentBook([step.subject.pk for step in steps])
    covered = {step.subject.pk: _to_cover(book, step) for step in steps}
    steps = [step for step in steps if not step.reasons]
    if not steps:
        return
    _refuse_used_keys(step.context["invoice"]["access_key"] for step in steps)
    invoices = Invoice._default_manager.bulk_create(
        Invoice(
            fulfillment_id=step.subject.pk,
            created_at=step.now,
            created_by=step.actor.user if step.actor.kind == USER else None,
            **step.context["invoice"],
        )
        for step in steps
    )
    for step, invoice in zip(steps, invoices, strict=True):
        step.data |= {"invoice": invoice.pk, **{k: v for k, v in step.context["invoice"].items() if v}}
        step.targets["shipping"] = _status_after(book, step, covered[step.subject.pk])
        step.updates += [Change(shipment, {"invoice_id": invoice.pk}) for shipment in covered[step.subject.pk]]


def _status_after(book: ShipmentBook, step: Step, covered: Sequence[Shipment]) -> str:
    """What the order is called once these have their document; orders without shipments are invoiced by any."""
    left = any(s not in covered and not s.invoice_id for s in book.of(step.subject.pk, PENDING))
    pending = "partially_invoiced" if left else "invoiced"
    return book.resolve(step.subject.pk, has_backorder=step.subject.has_backorder, pending=pending)


def _to_cover(book: ShipmentBook, step: Step) -> list[Shipment]:
    """The shipments that the new document is for; refuses the step where they do not wait for one."""
    waiting = [shipment for shipment in book.of(step.subject.pk, PENDING) if not shipment.invoice_id]
    wanted: Sequence[int] | None = step.context.get("shipments")
    if wanted is None:
        return waiting
    chosen = [shipment for shipment in waiting if shipment.pk in wanted]
    if not chosen or len(chosen) != len(set(wanted)):
        step.refuse(Reason("not_waiting", _("The shipment does not wait for an invoice any more.")))
        return []
    units: Mapping[int, int] | None = step.context.get("units")
    if units is not None:
        chosen = split_off(book, step, chosen, units)
    if _status_after(book, step, chosen) not in step.machines["shipping"].states:
        step.refuse(Reason("not_in_parts", _("In this order’s flow one invoice covers all that is released.")))
    return chosen


def _refuse_used_keys(access_keys: Iterable[str]) -> None:
    keys = {key for key in access_keys if key}
    used = Invoice._default_manager.filter(access_key__in=keys, cancelled_at=None).select_related("fulfillment")
    for invoice in used if keys else ():
        raise InvalidInput(
            {"access_key": [_("This key belongs to order %(number)s.") % {"number": invoice.fulfillment.number}]}
        )


def invoice_order(
    *,
    order: Any,
    actor: Actor,
    kind: str = NFE,
    number: str = "",
    series: str = "",
    access_key: str = "",
    shipments: Sequence[int] | None = None,
    units: Mapping[int, int] | None = None,
    data: Mapping[str, Any] | None = None,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Enter the fiscal document of what is released. See :func:`read_invoice` for what is accepted.

    It covers all that is released and has none, or only ``shipments`` (ids), or of these only ``units`` (per line pk).
    ``data`` is evidence for the history. A key that another order holds is refused, also when two people type it at
    the same moment.
    """
    typed = read_invoice(kind=kind, number=number, series=series, access_key=access_key)
    try:
        with transaction.atomic():
            return move(
                order,
                INVOICE,
                actor=actor,
                reason=clean_text("reason", reason),
                data=dict(data or {}),
                context={"invoice": typed, "shipments": shipments, "units": units},
                effect=invoice_effect,
                expected_version=expected_version,
                key=key,
            )
    except IntegrityError:
        _refuse_used_keys([typed["access_key"]])
        raise


def cancel_invoice_effect(steps: Sequence[Step]) -> None:
    """Documents whose goods are all still here are marked cancelled; their shipments wait for others."""
    ids = [step.subject.pk for step in steps]
    book = ShipmentBook(ids)
    valid = list(Invoice._default_manager.filter(fulfillment__in=ids, cancelled_at=None))
    gone: list[int] = []
    for step in steps:
        shipments = book.of(step.subject.pk)
        used = {shipment.invoice_id for shipment in shipments if shipment.status != PENDING}
        wanted = step.context.get("invoice")
        mine = [i.pk for i in valid if i.fulfillment_id == step.subject.pk and wanted in (None, i.pk)]
        taken = [pk for pk in mine if pk not in used]
        if not taken:
            step.refuse(why_not_taken_back(is_used=bool(mine)))
            continue
        for shipment in shipments:
            if shipment.invoice_id in taken:
                shipment.invoice = None
        documents = (shipment.invoice_id is not None for shipment in shipments)
        step.targets["shipping"] = book.resolve(
            step.subject.pk,
            has_backorder=step.subject.has_backorder,
            pending=name_pending(documents, step.machines["shipping"].transitions[CANCEL_INVOICE.action].targets),
        )
        step.data["invoices"] = taken
        gone += taken
    Shipment._default_manager.filter(invoice__in=gone, status=PENDING).update(invoice=None)
    Invoice._default_manager.filter(pk__in=gone).update(cancelled_at=steps[0].now, cancel_reason=steps[0].reason)


def why_not_taken_back(*, is_used: bool) -> Reason:
    """Why a document stays as it is: its goods are not all here, or it is not valid any more."""
    if is_used:
        return Reason("invoice_used", _("Goods have left the house with this invoice."))
    return Reason("no_invoice", _("This invoice is not valid any more."))


def cancel_invoice(
    *,
    order: Any,
    actor: Actor,
    reason: str,
    invoice: int | None = None,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Take a fiscal document back (typed wrongly, or cancelled at the tax office); a reason is required.

    ``invoice`` (its id) for one of several; otherwise every document whose goods are all still here.
    """
    return move(
        order,
        CANCEL_INVOICE,
        actor=actor,
        reason=clean_text("reason", reason, required=True),
        context={"invoice": invoice},
        effect=cancel_invoice_effect,
        expected_version=expected_version,
        key=key,
    )
