"""What happens to an authorised note: cancelled within the legal time, or corrected by letter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnavailable,
    ConfigurationError,
    FulfillmentError,
    InvalidInput,
)
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.fiscal.access_key import parse
from oscar_fulfillment.fiscal.emission import codes, requests
from oscar_fulfillment.fiscal.emission.answers import EventAnswer
from oscar_fulfillment.models import NfeCoverage, NfeEmission, NfeEvent, OrderFulfillment, Shipment
from oscar_fulfillment.models.shipment import CANCELLED as GIVEN_UP
from oscar_fulfillment.models.shipment import PENDING
from oscar_fulfillment.selectors.issuers import Issuing, find_issuing

from . import emissions
from .invoicing import cancel_invoice


def cancel_until(emission: NfeEmission) -> Any:
    """The last moment to cancel a note; None for one that is not authorised.

    24 hours from the authorisation, as Ajuste SINIEF 07/05 says (clause 12) and the tax office checks (MOC, rule
    2P12-14: refusal 501, a state's own time is the exception; a few give 168 hours).
    """
    if emission.status != NfeEmission.AUTHORISED or emission.authorised_at is None:
        return None
    return emission.authorised_at + timedelta(hours=settings.NFE_CANCEL_HOURS)


def cancel_refusal(emission: NfeEmission) -> Reason | None:
    """Why a note cannot be cancelled; None if it can."""
    until = cancel_until(emission)
    if until is None:
        return Reason("not_authorised", _("Only an authorised note can be cancelled."))
    if timezone.now() > until:
        hours = {"hours": settings.NFE_CANCEL_HOURS}
        return Reason(
            "too_late", _("The time to cancel is over: %(hours)s hours from the authorisation.") % hours,
            _("Ask your accountant: a note of return may help"),
        )  # fmt: skip
    covered = emission.coverage.filter(is_standing=True).values("shipment")
    if Shipment._default_manager.filter(pk__in=covered).exclude(status__in=[PENDING, GIVEN_UP]).exists():
        return Reason("goods_left", _("Goods have left the house with this note."))
    if emission.events.filter(kind=NfeEvent.CANCELLATION, status=NfeEvent.REQUESTED).exists():
        return Reason("asked_already", _("The cancellation is on its way already."))
    return None


def cancel_note(*, emission: NfeEmission, actor: Actor, reason: str, key: str = "") -> NfeEvent:
    """Ask the tax office to cancel a note; the order's invoice is taken back when it has. The reason (15 to 255
    letters) goes to the tax office."""
    reason = _cleaned("reason", reason, requests.REASON)
    return _ask(emission, NfeEvent.CANCELLATION, reason, actor, key)


def correct_note(*, emission: NfeEmission, actor: Actor, text: str, key: str = "") -> NfeEvent:
    """Correct by letter what a note says, but no sum, no buyer and no date. The last letter counts, so it must hold all
    that is corrected (15 to 1,000 letters)."""
    text = _cleaned("text", text, requests.CORRECTION_TEXT)
    return _ask(emission, NfeEvent.CORRECTION, text, actor, key)


def _cleaned(field: str, text: str, bounds: tuple[int, int]) -> str:
    text = clean_text(field, text)
    if not requests.fits(text, bounds):
        words = {"least": bounds[0], "most": bounds[1]}
        raise InvalidInput({field: [_("Write %(least)d to %(most)d letters: they go to the tax office.") % words]})
    return text


def _ask(emission: NfeEmission, kind: str, text: str, actor: Actor, key: str) -> NfeEvent:
    issuing = find_issuing(emission.alias)
    certificate = issuing.certificate()
    is_cancellation = kind == NfeEvent.CANCELLATION
    made: list[NfeEvent] = []

    def effect(steps: Sequence[Step]) -> None:
        (row,) = lock_rows(NfeEmission._default_manager.filter(pk=emission.pk))
        for step in steps:
            if refusal := cancel_refusal(row) if is_cancellation else _correct_refusal(row):
                step.refuse(refusal)
                continue
            last = row.events.filter(kind=kind).exclude(status=NfeEvent.REFUSED).aggregate(last=Max("sequence"))["last"]
            sequence = (last or 0) + 1
            xml = certificate.sign(_event(row, issuing, kind, text, sequence).encode(), body="infEvento")
            event = NfeEvent._default_manager.create(
                emission=row, kind=kind, sequence=sequence, text=text, xml=xml, requested_at=step.now,
                requested_by=step.actor.user if step.actor.kind == USER else None,
                requested_by_label=step.actor.label[:150],
            )  # fmt: skip
            made.append(event)
            step.data["event"] = event.pk
            step.messages.append(_message(event, row, issuing))

    entry = emissions.CANCEL if is_cancellation else emissions.CORRECT
    change = emissions.record(emission, entry, actor=actor, reason=text, effect=effect, key=key)
    return made[0] if made else NfeEvent._default_manager.get(pk=change.data["event"])


def _correct_refusal(emission: NfeEmission) -> Reason | None:
    if emission.status != NfeEmission.AUTHORISED:
        return Reason("not_authorised", _("Only an authorised note can be corrected by letter."))
    letters = emission.events.filter(kind=NfeEvent.CORRECTION)
    if letters.filter(status=NfeEvent.REQUESTED).exists():
        return Reason("asked_already", _("A correction is on its way already."))
    if letters.filter(status=NfeEvent.TAKEN).count() >= requests.MAX_CORRECTIONS:
        return Reason("too_many", _("A note takes no more corrections."))
    return None


def _event(emission: NfeEmission, issuing: Issuing, kind: str, text: str, sequence: int) -> str:
    now = timezone.localtime(timezone=issuing.zone).replace(microsecond=0)
    given: dict[str, Any] = {"key": parse(emission.access_key), "environment": emission.environment, "at": now}
    if kind == NfeEvent.CANCELLATION:
        return requests.cancellation(**given, protocol=emission.protocol, reason=text)
    return requests.correction(**given, text=text, number=sequence)


def _message(event: NfeEvent, emission: NfeEmission, issuing: Issuing) -> OutboxMessage:
    return OutboxMessage(
        emissions.lane(issuing.state), emissions.EVENT, f"{event.pk}", {"event": event.pk},
        order_id=emission.fulfillment_id,
    )  # fmt: skip


# The workers' side


def run_event(pk: int) -> NfeEvent | None:
    """Send an event and settle the answer. Sent twice it is answered as known, so a lost answer does no harm."""
    rows = NfeEvent._default_manager.select_related("emission__fulfillment__order")
    event = emissions.claim(rows, pk, Q(status=NfeEvent.REQUESTED))
    if event is None:
        raise AdapterRejected("the event is gone")
    if event.status != NfeEvent.REQUESTED:
        return event
    try:
        issuing = find_issuing(event.emission.alias)
        client, emission = issuing.client(), event.emission
        # Whoever authorised it is back in its own name by then: events go to the state.
        answer = client.event(bytes(event.xml), event.pk * 100 + min(event.attempts, 99))
        if answer.status == codes.EVENT_KNOWN or answer.status in codes.CANCELLED_ALREADY:
            answer = _known(client.query(emission.access_key).events, event) or answer
        if answer.status in codes.DOWN | codes.LATER:
            raise AdapterUnavailable(f"{answer.status} {answer.text}")
    except (AdapterUnavailable, ConfigurationError) as error:
        emissions.release(event, answer_text=str(error)[:500])
        raise AdapterUnavailable(str(error)) from error
    except Exception as error:
        emissions.release(event, answer_text=type(error).__name__)
        raise
    return _settle(event, answer, issuing)


def _known(told: Sequence[EventAnswer], event: NfeEvent) -> EventAnswer | None:
    """What the tax office says of an event that it has already."""
    return next((one for one in told if one.kind == event.kind and one.number == event.sequence), None)


def _settle(event: NfeEvent, answer: EventAnswer, issuing: Issuing) -> NfeEvent:
    emission = event.emission
    is_taken = answer.status in codes.EVENT_TAKEN or answer.status in codes.CANCELLED_ALREADY
    is_cancellation = event.kind == NfeEvent.CANCELLATION
    entry = emissions.REFUSED if not is_taken else emissions.CORRECTED
    with transaction.atomic():
        lock_rows(OrderFulfillment._default_manager.filter(pk=emission.fulfillment_id))
        (row,) = lock_rows(NfeEvent._default_manager.filter(pk=event.pk))
        if row.status != NfeEvent.REQUESTED:
            return row
        row.status = NfeEvent.TAKEN if is_taken else NfeEvent.REFUSED
        row.answer_code, row.answer_text = answer.status, answer.text[:1000]
        row.protocol, row.settled_at, row.claimed_until = answer.protocol, timezone.now(), None
        row.proc_xml = requests.join_event(bytes(row.xml), answer.xml) if answer.xml and is_taken else b""
        row.save()
        if is_taken and is_cancellation:
            _mark_cancelled(emission, row.text)
        else:
            _tell(emission, entry, row, issuing, f"{answer.status} {answer.text}")
    if is_taken and is_cancellation:
        take_invoice_back(emission, row.text)
    return row


def _tell(emission: NfeEmission, entry: Move, event: NfeEvent, issuing: Issuing, text: str) -> None:
    emissions.record(
        emission, entry, actor=emissions.tax_office(issuing.state), data={"event": event.pk, "answer": text[:500]}
    )


def settle_cancelled(emission: NfeEmission, *, reason: str) -> NfeEmission:
    """The note is cancelled at the tax office: the goods are free for another, the order's invoice is taken back."""
    with transaction.atomic():
        lock_rows(OrderFulfillment._default_manager.filter(pk=emission.fulfillment_id))
        _mark_cancelled(emission, reason)
    take_invoice_back(emission, reason)
    return emission


def _mark_cancelled(emission: NfeEmission, reason: str) -> None:
    (row,) = lock_rows(NfeEmission._default_manager.filter(pk=emission.pk))
    if row.status == NfeEmission.CANCELLED:
        return
    row.status, row.problem, row.next_check_at = NfeEmission.CANCELLED, "", None
    row.save(update_fields=["status", "problem", "next_check_at"])
    NfeCoverage._default_manager.filter(emission=row).update(is_standing=False)
    emission.status = row.status
    emissions.record(
        row, emissions.CANCELLED, actor=emissions.tax_office(_state(row)), reason=reason,
        effect=emissions.settle_problem,
    )  # fmt: skip


def _state(emission: NfeEmission) -> str:
    return parse(emission.access_key).state


def take_invoice_back(emission: NfeEmission, reason: str) -> bool:
    """Take the invoice of a cancelled note back. False where the order does not let it go; its page says why."""
    if emission.invoice_id is None or emission.invoice is None or emission.invoice.cancelled_at is not None:
        return True
    try:
        cancel_invoice(
            order=emission.fulfillment.order, actor=Actor.system("NF-e"), reason=reason, invoice=emission.invoice_id,
            key=f"nfe-cancelled-{emission.pk}",
        )  # fmt: skip
    except FulfillmentError as error:
        NfeEmission._default_manager.filter(pk=emission.pk).update(problem=str(error)[:500])
        return False
    return True
