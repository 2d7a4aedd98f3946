"""Numbers that no note will have: given up by a rejected one, left out by another system; voided at the tax office."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError, InvalidInput
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.fiscal.emission import codes, requests
from oscar_fulfillment.fiscal.emission.answers import EventAnswer
from oscar_fulfillment.models import NfeCoverage, NfeEmission, NfeSeries, NfeVoiding
from oscar_fulfillment.selectors.issuers import Issuing, find_issuing

from . import emission_issue, emissions
from .emission_events import _cleaned

#: So many numbers are voided at once at most: more is a typing error.
MOST = 1000


def give_up_note(*, emission: NfeEmission, actor: Actor, reason: str, key: str = "") -> NfeEmission:
    """Let go of a rejected note: its goods are free for another, and its number is voided at the tax office.

    Where another note has this number there already (539), there is nothing to void. The reason goes to the tax office.
    """
    reason = _cleaned("reason", reason, requests.REASON)
    issuing = find_issuing(emission.alias)
    is_used = emission.answer_code == codes.NUMBER_USED

    def effect(steps: Sequence[Step]) -> None:
        (row,) = lock_rows(NfeEmission._default_manager.filter(pk=emission.pk))
        for step in steps:
            if row.status != NfeEmission.REJECTED:
                step.refuse(Reason("not_rejected", _("Only a rejected note can be given up.")))
                continue
            NfeCoverage._default_manager.filter(emission=row).update(is_standing=False)
            row.status = NfeEmission.VOIDED
            row.problem = _("Another note has this number.") if is_used else _("Its number is being voided.")
            row.save(update_fields=["status", "problem"])
            emissions.settle_problem([step])
            if not is_used:
                _ask(emission_issue.lock_series(issuing), issuing, row.number, row.number, reason, step.actor)

    emissions.record(emission, emissions.GIVE_UP, actor=actor, reason=reason, effect=effect, key=key)
    emission.refresh_from_db()
    return emission


def void_numbers(*, alias: str, first: int, last: int, actor: Actor, reason: str) -> NfeVoiding:
    """Void numbers of the issuer's series that no note of ours has. The reason (15 to 255 letters) goes to the tax
    office. :class:`InvalidInput` for numbers that a note has, that are not given out yet, or are voided already."""
    reason = _cleaned("reason", reason, requests.REASON)
    issuing = find_issuing(alias)
    if not 1 <= first <= last or last - first >= MOST:
        words = _("The last number comes after the first, at most %(most)d at once.") % {"most": MOST}
        raise InvalidInput({"last": [words]})
    with transaction.atomic():
        series = emission_issue.lock_series(issuing)
        if last >= series.next_number:
            words = _("Number %(next)d is the next one: only numbers before it can be voided.")
            raise InvalidInput({"last": [words % {"next": series.next_number}]})
        used = NfeEmission._default_manager.filter(
            issuer=series.issuer, environment=series.environment, series=series.series, number__range=(first, last)
        ).exclude(status=NfeEmission.VOIDED)
        if number := used.order_by("number").values_list("number", flat=True).first():
            raise InvalidInput({"first": [_("Number %(number)d has a note.") % {"number": number}]})
        return _ask(series, issuing, first, last, reason, actor)


def set_next_number(*, alias: str, number: int, actor: Actor) -> NfeSeries:
    """Go on with this number, for a shop that has issued from elsewhere before. Only ever upwards."""
    issuing = find_issuing(alias)
    with transaction.atomic():
        series = emission_issue.lock_series(issuing)
        if not series.next_number <= number <= emission_issue.LAST_NUMBER:
            words = {"next": series.next_number}
            raise InvalidInput({"number": [_("The next number is %(next)d: it can only be raised.") % words]})
        series.next_number = number
        series.save(update_fields=["next_number"])
    return series


def _ask(series: NfeSeries, issuing: Issuing, first: int, last: int, reason: str, actor: Actor) -> NfeVoiding:
    """Sign the request, store it and hand it to the workers, in the caller's transaction."""
    now = timezone.localtime(timezone=issuing.zone)
    xml = requests.voiding(
        state=issuing.state, environment=issuing.environment, cnpj=issuing.issuer.cnpj, series=series.series,
        first=first, last=last, year=now.year, reason=reason,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row = NfeVoiding._default_manager.create(
                alias=issuing.alias, series=series, first=first, last=last, text=reason,
                xml=issuing.certificate().sign(xml.encode(), body="infInut"), requested_at=timezone.now(),
                requested_by=actor.user if actor.kind == USER else None, requested_by_label=actor.label[:150],
            )  # fmt: skip
    except IntegrityError as error:
        raise InvalidInput({"first": [_("These numbers are voided, or being voided, already.")]}) from error
    message = OutboxMessage(emissions.lane(issuing.state), emissions.VOID, f"{row.pk}", {"voiding": row.pk})
    outbox.enqueue([message])
    return row


# The workers' side


def run_voiding(pk: int) -> NfeVoiding | None:
    """Send the request and settle the answer. Sent twice it is answered as known."""
    row = emissions.claim(NfeVoiding._default_manager.select_related("series"), pk, Q(status=NfeVoiding.REQUESTED))
    if row is None:
        raise AdapterRejected("the request is gone")
    if row.status != NfeVoiding.REQUESTED:
        return row
    try:
        issuing = find_issuing(row.alias)
        answer = issuing.client().void(bytes(row.xml))
        if answer.status in codes.DOWN | codes.LATER:
            raise AdapterUnavailable(f"{answer.status} {answer.text}")
    except (AdapterUnavailable, ConfigurationError) as error:
        emissions.release(row, answer_text=str(error)[:500])
        raise AdapterUnavailable(str(error)) from error
    except Exception as error:
        emissions.release(row, answer_text=type(error).__name__)
        raise
    return _settle(row, answer, issuing)


def _settle(row: NfeVoiding, answer: EventAnswer, issuing: Issuing) -> NfeVoiding:
    is_void = answer.status in codes.VOIDED | codes.VOIDED_ALREADY
    with transaction.atomic():
        (row,) = lock_rows(NfeVoiding._default_manager.filter(pk=row.pk))
        if row.status != NfeVoiding.REQUESTED:
            return row
        row.status = NfeVoiding.TAKEN if is_void else NfeVoiding.REFUSED
        row.answer_code, row.answer_text = answer.status, answer.text[:1000]
        row.protocol, row.settled_at, row.claimed_until = answer.protocol, timezone.now(), None
        row.proc_xml = answer.xml.encode() if is_void else b""
        row.save()
    given_up = NfeEmission._default_manager.filter(
        issuer=issuing.issuer.cnpj, environment=issuing.environment, series=row.series.series,
        number__range=(row.first, row.last), status=NfeEmission.VOIDED,
    ).select_related("fulfillment__order")  # fmt: skip
    for emission in given_up:
        text = f"{answer.status} {answer.text}"[:500]
        NfeEmission._default_manager.filter(pk=emission.pk).update(problem="" if is_void else text)
        emissions.record(
            emission, emissions.VOIDED if is_void else emissions.REFUSED, actor=emissions.tax_office(issuing.state),
            data={"answer": text}, key=f"nfe-void-{row.pk}-{emission.pk}",
        )  # fmt: skip
    return row
