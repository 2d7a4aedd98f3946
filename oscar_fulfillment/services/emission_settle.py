"""What the tax office decided about a note, written down once: in the note, in the order's history, for the customer.

An authorised note becomes the order's invoice in a step of its own. Where the order does not take it (it is on hold, or
was cancelled at this very moment) the note stays what it is, valid, and the step is tried again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.transitions import Effect, Move, Step
from oscar_fulfillment.fiscal.access_key import STATES
from oscar_fulfillment.fiscal.emission.answers import Protocol
from oscar_fulfillment.fiscal.emission.requests import join_proc
from oscar_fulfillment.models import Invoice, NfeCoverage, NfeEmission, OrderFulfillment

from . import emission_mails, emissions
from .invoicing import invoice_order

logger = logging.getLogger("oscar_fulfillment.nfe")

_DIGEST = re.compile(rb"<DigestValue>([^<]+)</DigestValue>")


def digest_of(signed: bytes) -> str:
    """The digest that a signed note carries."""
    found = _DIGEST.search(signed)
    return found[1].decode().strip() if found else ""


def authorise(emission: NfeEmission, protocol: Protocol, *, is_cancelled: bool = False) -> NfeEmission:
    """The note is valid. Its file is put together and kept, the customer told, the order invoiced.

    ``is_cancelled``: it was authorised and cancelled at the tax office before we heard of it.
    """
    proc = join_proc(bytes(emission.xml), protocol.xml)
    settled = {
        "status": NfeEmission.AUTHORISED, "proc_xml": proc, "protocol": protocol.number,
        "answer_code": protocol.status, "answer_text": protocol.text, "problem": "", "next_check_at": None,
        "authorised_at": protocol.at or timezone.now(),
    }  # fmt: skip

    def effect(steps: Sequence[Step]) -> None:
        emissions.settle_problem(steps)
        if not is_cancelled:
            emission_mails.mail_note(steps[0], emission)

    row = _settle(emission, settled, emissions.AUTHORISED, effect, data={"protocol": protocol.number})
    if is_cancelled:
        from .emission_events import settle_cancelled

        return settle_cancelled(row, reason=protocol.text)
    enter_invoice(row)
    return row


def reject(emission: NfeEmission, code: str, text: str) -> NfeEmission:
    """Refused, by the tax office (``code``) or by ourselves (no code). It keeps its number and is mended."""
    settled = {
        "status": NfeEmission.REJECTED, "answer_code": code, "answer_text": text[:1000], "problem": "",
        "next_check_at": None,
    }  # fmt: skip
    return _settle(
        emission, settled, emissions.REJECTED, lambda steps: emissions.set_problem(steps, emissions.PROBLEM_REJECTED),
        data={"answer": _told(code, text)},
    )  # fmt: skip


def deny(emission: NfeEmission, code: str, text: str, protocol: Protocol | None) -> NfeEmission:
    """Forbidden for good. The number is used up; the goods are free for another note."""
    settled = {
        "status": NfeEmission.DENIED, "answer_code": code, "answer_text": text[:1000], "problem": "",
        "next_check_at": None, "protocol": protocol.number if protocol is not None else "",
        "proc_xml": join_proc(bytes(emission.xml), protocol.xml) if protocol is not None else b"",
    }  # fmt: skip

    def effect(steps: Sequence[Step]) -> None:
        emissions.set_problem(steps, emissions.PROBLEM_DENIED)
        NfeCoverage._default_manager.filter(emission=emission.pk).update(is_standing=False)

    return _settle(emission, settled, emissions.DENIED, effect, data={"answer": _told(code, text)})


def _told(code: str, text: str) -> str:
    return f"{code} {text}".strip()[:500]


def _settle(
    emission: NfeEmission, values: dict[str, Any], entry: Move, effect: Effect, *, data: dict[str, Any]
) -> NfeEmission:
    """Write the outcome, once: who comes second finds the note settled and leaves it."""
    # Without a code it is our own checks that speak.
    told = values["answer_code"]
    actor = emissions.tax_office(STATES[emission.access_key[:2]]) if told else Actor.system("NF-e")
    with transaction.atomic():
        lock_rows(OrderFulfillment._default_manager.filter(pk=emission.fulfillment_id))
        (row,) = lock_rows(NfeEmission._default_manager.filter(pk=emission.pk))
        if not row.is_open:
            return row
        for name, value in {**values, "claimed_until": None}.items():
            setattr(row, name, value)
        row.save(update_fields=[*values, "claimed_until"])
        emissions.record(row, entry, actor=actor, effect=effect, data=data)
    return row


def enter_invoice(emission: NfeEmission) -> bool:
    """Enter an authorised note as the order's invoice. False where the order does not take it now: that is shown as its
    problem, and tried again by :mod:`emission_watch`."""
    if emission.status != NfeEmission.AUTHORISED or emission.invoice_id is not None:
        return emission.invoice_id is not None
    order = emission.fulfillment.order
    covered = [row.shipment_id for row in emission.coverage.filter(is_standing=True)]
    try:
        invoice_order(
            order=order, actor=Actor.system("NF-e"), access_key=emission.access_key, series=str(emission.series),
            number=str(emission.number), shipments=covered, key=f"nfe-{emission.pk}",
        )  # fmt: skip
    except FulfillmentError as error:
        _not_entered(emission, str(error)[:500])
        return False
    invoice = Invoice._default_manager.filter(
        access_key=emission.access_key, fulfillment=emission.fulfillment_id, cancelled_at=None
    ).first()
    NfeEmission._default_manager.filter(pk=emission.pk).update(invoice=invoice, problem="", next_check_at=None)
    emission.invoice, emission.problem = invoice, ""
    if order.fulfillment.problem == emissions.PROBLEM_NOT_ENTERED:
        emissions.record(
            emission, emissions.ENTERED, actor=Actor.system("NF-e"), effect=emissions.settle_problem,
            key=f"nfe-entered-{emission.pk}",
        )  # fmt: skip
    return True


def _not_entered(emission: NfeEmission, words: str) -> None:
    logger.warning("note %s is authorised, and its order does not take it: %s", emission, words)
    later = timezone.now() + timedelta(seconds=60)
    NfeEmission._default_manager.filter(pk=emission.pk).update(problem=words, next_check_at=later)
    emission.problem = words
    emissions.record(
        emission, emissions.NOT_ENTERED, actor=Actor.system("NF-e"), reason=words, key=f"nfe-not-entered-{emission.pk}",
        effect=lambda steps: emissions.set_problem(steps, emissions.PROBLEM_NOT_ENTERED),
    )  # fmt: skip
