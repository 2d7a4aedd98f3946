"""Checked files of the tax office applied to their orders: each by itself, once, with a result of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.core.locks import lock_name
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move
from oscar_fulfillment.fiscal.nfe_findings import Finding
from oscar_fulfillment.fiscal.nfe_order_checks import APPLICABLE, DIFFERS
from oscar_fulfillment.models import Invoice, NfeFile, StatusChange
from oscar_fulfillment.models.invoice import NFE
from oscar_fulfillment.permissions import user_may

from . import followups, invoicing
from .door import move
from .nfe_imports import CHUNK, claim, hold, hold_any, new_batch, set_verdict
from .nfe_judging import Judged, cancelled_keys, judge_files, order_of
from .nfe_results import AppliedMeanwhile, actor_of, evidence_of, key_of, write_results
from .nfe_together import apply_together

logger = logging.getLogger("oscar_fulfillment.nfe")

#: A file joined what the order has: the XML of a note that was typed by hand, a correction letter.
FILED = Move("document", "file_note", is_record=True)


def apply_files(*, files: Any, actor: Actor, reason: str = "") -> str:
    """Have these files (a queryset) applied; the batch that they are now in, "" where none of them can be.

    Files that differ from their order are taken only with a ``reason``, which is kept in the order's history. They are
    queued: :func:`apply_queued` does the work, here or in a worker.
    """
    reason = clean_text("reason", reason)
    verdicts = APPLICABLE if reason else APPLICABLE - {DIFFERS}
    batch = new_batch()
    rows = files.filter(status=NfeFile.CHECKED, verdict__in=sorted(verdicts))
    with transaction.atomic():
        hold_any(rows)
        changed = rows.update(
            status=NfeFile.QUEUED, batch=batch, touched_at=None, problem="", reason=reason, decided_at=timezone.now(),
            decided_by=actor.user if actor.kind == USER else None, decided_by_kind=actor.kind,
            decided_by_label=actor.label,
        )  # fmt: skip
    return batch if changed else ""


def retry_files(*, batch: str, actor: Actor) -> str:
    """Have those of a batch applied once more that something stood in the way of; the new batch, "" for none."""
    failed = NfeFile._default_manager.filter(batch=batch, status=NfeFile.CHECKED).exclude(problem="")
    return apply_files(files=failed, actor=actor)


def apply_queued(*, batch: str = "", most: int = CHUNK) -> int:
    """Apply the next queued files (of a batch, or of all); how many were taken up. Call it until it is 0.

    Notes that have nothing to do with each other are one transaction, every other file is one of its own: a worker that
    is killed leaves whole orders behind; the rest is taken up again.
    """
    pks = claim(NfeFile.QUEUED, batch=batch, most=most)
    files = list(NfeFile._default_manager.filter(pk__in=pks).select_related("decided_by").order_by("pk"))
    if not files:
        return 0
    judged = judge_files(files, Actor.system("nfe"))
    # Cancellations first: the order is free for the note that replaces it.
    cancelling = [one for one in judged if one.is_cancelling]
    for one in cancelling:
        _apply(one)
    for one in apply_together(_look_anew([one for one in judged if not one.is_cancelling], cancelling)):
        _apply(one)
    return len(pks)


def _look_anew(judged: Sequence[Judged], cancelling: Sequence[Judged]) -> list[Judged]:
    """The verdict of now on new notes of orders that something was just taken back of."""
    touched = {order.pk for one in cancelling if (order := order_of(one)) is not None}
    again = [
        one.file
        for one in judged
        if one.invoice is None and (order := order_of(one)) is not None and order.pk in touched
    ]
    anew = {one.file.pk: one for one in judge_files(again, Actor.system("nfe"))} if again else {}
    return [anew.get(one.file.pk, one) for one in judged]


def _apply(judged: Judged) -> None:
    """One file: done, or back to where a person sees why not."""
    try:
        try:
            _apply_once(judged)
        except StaleVersion:
            # Something happened to the order since it was read, perhaps by the file before this one.
            _apply_once(_judge_again(judged))
    except AppliedMeanwhile:
        # Or it only came with another upload, and is still queued: whoever comes next takes it up again.
        mine = NfeFile._default_manager.filter(pk=judged.file.pk, status=NfeFile.QUEUED)
        mine.filter(touched_at=judged.file.touched_at).update(touched_at=None)
    except (FulfillmentError, IntegrityError) as error:
        _fail(judged, _told(error))
    except DatabaseError:
        # A deadlock or a lost connection: nothing is done, whoever comes next tries again.
        raise
    except Exception:
        logger.exception("fiscal note %s could not be applied", judged.file.pk)
        _fail(judged, _("An unexpected error; the order was left as it was."))


def _told(error: Exception) -> str:
    if isinstance(error, IntegrityError | StaleVersion):
        return _("Changed by somebody else at the same moment.")
    return str(error)


def _judge_again(judged: Judged) -> Judged:
    return judge_files([judged.file], Actor.system("nfe"))[0]


def _fail(judged: Judged, told: str) -> None:
    """Back to the person: with what stood in the way, and a verdict of now."""
    fresh = _judge_again(judged)
    set_verdict(fresh)
    row = fresh.file
    row.problem = told[:300]
    # Not refused by itself, though it cannot be used any more: somebody has applied it and looks for it.
    row.status = NfeFile.CHECKED
    NfeFile._default_manager.filter(pk=row.pk, status=NfeFile.QUEUED).update(
        status=row.status, problem=row.problem, verdict=row.verdict, findings=row.findings,
        fulfillment=row.fulfillment_id,
    )  # fmt: skip


def _apply_once(judged: Judged) -> None:
    actor = actor_of(judged.file)
    if actor.kind == USER and not user_may(actor.user, "invoice"):
        raise InvalidInput({"file": [_("You do not have the permission for this step.")]})
    if not judged.is_applicable:
        raise InvalidInput({"file": [finding.message for finding in _errors(judged)]})
    with transaction.atomic():
        _see_the_other_side(judged)
        if judged.is_cancelling:
            invoice = _cancel(judged, actor)
        elif judged.event is not None:
            invoice = _file_event(judged, actor)
        elif judged.invoice is not None:
            invoice = _file_note(judged, judged.invoice, actor)
        else:
            invoice = _invoice(judged, actor)
        write_results([(judged, invoice)])


def _see_the_other_side(judged: Judged) -> None:
    """A note and its cancellation that are applied at the same moment: the later one sees the earlier one.

    Raises :class:`StaleVersion` where the verdict is not of now any more.
    """
    lock_name(f"nfe:{judged.key}")
    if judged.is_cancelling:
        has_invoice = Invoice._default_manager.filter(access_key=judged.key, cancelled_at=None).exists()
        if has_invoice != (judged.invoice is not None):
            raise StaleVersion
    elif judged.note is not None and judged.invoice is None and cancelled_keys([judged.key]):
        raise StaleVersion


def _errors(judged: Judged) -> list[Finding]:
    return [finding for finding in judged.findings if finding.is_error] or judged.findings


# ---- Notes ----


def _invoice(judged: Judged, actor: Actor) -> Invoice:
    """Enter the note at its order, for the shipments that it covers."""
    note, order, cover = judged.note, judged.order, judged.cover
    if note is None or order is None or cover is None:
        raise InvalidInput({"file": [finding.message for finding in _errors(judged)]})
    change = invoicing.invoice_order(
        order=order.fulfillment.order,
        actor=actor,
        kind=NFE,
        access_key=note.key,
        # Orders from before shipments have none; then the note is for all of it.
        shipments=cover.shipments or None,
        units=cover.units,
        data=evidence_of(judged),
        reason=judged.file.reason,
        expected_version=order.fulfillment.version,
        key=key_of(judged.file),
    )
    return Invoice(pk=change.data["invoice"], fulfillment_id=order.fulfillment.pk)


def _file_note(judged: Judged, invoice: Invoice, actor: Actor) -> Invoice:
    """The note was typed by hand before: its file joins it."""
    _record(judged, invoice, actor)
    return invoice


def _record(judged: Judged, invoice: Invoice, actor: Actor, reason: str = "") -> StatusChange:
    data = {"file": judged.file.name, "access_key": judged.key}
    return move(invoice.fulfillment.order, FILED, actor=actor, data=data, reason=reason, key=key_of(judged.file))


# ---- Events ----


def _file_event(judged: Judged, actor: Actor) -> Invoice | None:
    """A correction letter joins its note. One whose note is not here is kept by itself."""
    if judged.invoice is not None and judged.event is not None:
        _record(judged, judged.invoice, actor, judged.event.reason)
    return judged.invoice


def _cancel(judged: Judged, actor: Actor) -> Invoice | None:
    """Take the invoice back; where its goods have left, a person decides what becomes of it."""
    invoice = judged.invoice
    if invoice is None:
        return None
    reason = _cancel_reason(judged)
    try:
        with transaction.atomic():
            invoicing.cancel_invoice(
                order=invoice.fulfillment.order, actor=actor, reason=reason, invoice=invoice.pk, key=key_of(judged.file)
            )
    except TransitionNotAllowed as error:
        followups.open_followup(
            kind=followups.NOTE_CANCELLED,
            key=f"nfe-cancelled:{judged.key}",
            fulfillment_id=invoice.fulfillment_id,
            note=f"{reason}\n{error}",
            data={"access_key": judged.key, "number": invoice.number, "series": invoice.series},
        )
        return invoice
    filed = NfeFile._default_manager.filter(invoice=invoice, kind=NfeFile.NOTE, status=NfeFile.APPLIED)
    hold(NfeFile._default_manager.filter(Q(pk=judged.file.pk) | Q(pk__in=filed)))
    filed.exclude(pk=judged.file.pk).update(status=NfeFile.SUPERSEDED)
    return invoice


def _cancel_reason(judged: Judged) -> str:
    events: Sequence[Any] = [judged.event] if judged.event else judged.note.events if judged.note else []
    why = next((event.reason for event in events if event.reason), "")
    protocol = next((event.protocol for event in events if event.protocol), "")
    told = _("Cancelled at the tax office (protocol %(protocol)s).") % {"protocol": protocol or "–"}
    return f"{told} {why}".strip()
