"""Issuing a note: what it says is reckoned and checked, its number taken under a lock, the rest left to the workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import ConfigurationError, InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.leases import insert_new
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Step, refusals
from oscar_fulfillment.fiscal.emission import missing_packages
from oscar_fulfillment.fiscal.emission.build import build_note
from oscar_fulfillment.fiscal.emission.keys import make_code
from oscar_fulfillment.fiscal.emission.schema import schema_problems
from oscar_fulfillment.models import (
    BulkJob,
    BulkJobItem,
    NfeCoverage,
    NfeEmission,
    NfeSeries,
    OrderFulfillment,
    Shipment,
)
from oscar_fulfillment.models.shipment import PENDING
from oscar_fulfillment.selectors.issuers import Issuing
from oscar_fulfillment.selectors.note_buyer import corrections_of
from oscar_fulfillment.selectors.note_content import NoteContent, content_json, facts_of, issuing_alias, read_content

from . import emissions
from .door import move

#: The most numbers that a series has.
LAST_NUMBER = 999_999_999


def issue_note(
    *,
    order: Any,
    actor: Actor,
    shipments: Sequence[int] | None = None,
    corrections: Mapping[str, str] | None = None,
    expected_version: int | None = None,
    key: str = "",
) -> NfeEmission:
    """Issue the note of these shipments (ids; default: all that wait for one). It is sent by the workers.

    :class:`InvalidInput` with everything that is missing; nothing is done then and no number is used. Twice with the
    same ``key`` is once, and a shipment has one note that stands, by constraint.
    """
    content = read_content(order, shipments=shipments, corrections=corrections)
    issuing = check_content(content)
    stored = content_json(content) | {"corrections": corrections_of(order, corrections or {})}
    made: list[NfeEmission] = []

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            _ask_again(step, content)
            if not step.reasons:
                made.append(_make(step, content, issuing, stored))

    try:
        change = move(
            order, emissions.ISSUE, actor=actor, effect=effect, lock=True, key=key,
            expected_version=content.version if expected_version is None else expected_version,
        )  # fmt: skip
    except IntegrityError as error:
        raise TransitionNotAllowed([_taken()]) from error
    if made:
        return made[0]
    # Done under this key before.
    return NfeEmission._default_manager.get(pk=change.data["emission"])


def check_content(content: NoteContent) -> Issuing:
    """Whether it can be issued, by our own knowledge and by the official schema. :class:`InvalidInput` if not."""
    if content.gaps or content.issuing is None:
        raise InvalidInput({"note": [str(gap) for gap in content.gaps]})
    if problems := trial_problems(content):
        raise InvalidInput({"note": problems})
    return content.issuing


def trial_problems(content: NoteContent) -> list[str]:
    """What the schema says of this note under a number that is not used."""
    assert content.issuing is not None
    issuing = content.issuing
    facts = facts_of(
        content_json(content), issuing, series=issuing.series, number=1, code=make_code(1),
        issued_at=timezone.localtime(timezone=issuing.zone),
    )  # fmt: skip
    try:
        return [str(problem) for problem in schema_problems(build_note(facts).xml)]
    except ValueError as error:
        return [str(error)]


def _ask_again(step: Step, content: NoteContent) -> None:
    """Under lock: whether the order may be invoiced now, and these shipments still wait."""
    machine = step.machines["shipping"]
    transition = machine.transitions.get("invoice")
    if transition is None:
        step.refuse(Reason("not_in_flow", _("Orders of this flow have no invoice.")))
        return
    step.reasons += refusals(step, machine, transition)
    wanted = [shipment.pk for shipment in content.shipments]
    rows = Shipment._default_manager.filter(pk__in=wanted, fulfillment=step.subject, status=PENDING, invoice=None)
    if rows.count() != len(wanted):
        step.refuse(Reason("changed", _("These shipments do not wait for a note any more.")))
    elif NfeCoverage._default_manager.filter(shipment__in=wanted, is_standing=True).exists():
        step.refuse(_taken())


def _taken() -> Reason:
    return Reason("note_stands", _("A note of these goods is being issued already."))


def _make(step: Step, content: NoteContent, issuing: Issuing, stored: dict[str, Any]) -> NfeEmission:
    number = take_number(issuing)
    emission = NfeEmission._default_manager.create(
        fulfillment=step.subject,
        alias=issuing.alias,
        issuer=issuing.issuer.cnpj,
        environment=issuing.environment,
        series=issuing.series,
        number=number,
        code=make_code(number),
        content=stored,
        total=content.total,
        requested_at=step.now,
        requested_by=step.actor.user if step.actor.kind == USER else None,
        requested_by_label=step.actor.label[:150],
    )
    NfeCoverage._default_manager.bulk_create(
        NfeCoverage(emission=emission, shipment=shipment) for shipment in content.shipments
    )
    step.data |= {"emission": emission.pk, "number": str(number), "series": str(issuing.series),
                  "shipments": stored["shipments"], "total": str(content.total)}  # fmt: skip
    step.messages.append(emissions.note_message(emission, issuing.state))
    return emission


def take_number(issuing: Issuing) -> int:
    """The next number of the issuer's series, in the caller's transaction: when that rolls back, it was never taken.

    The row's lock lets one transaction at a time take a number, so there is neither a gap nor a number taken twice.
    """
    series = lock_series(issuing)
    number = series.next_number
    if number > LAST_NUMBER:
        raise InvalidInput({"note": [_("The series is full: begin another one in the settings.")]})
    series.next_number = number + 1
    series.save(update_fields=["next_number"])
    return number


def lock_series(issuing: Issuing) -> NfeSeries:
    """The series' row, locked; made where there is none."""
    named = {"issuer": issuing.issuer.cnpj, "environment": issuing.environment, "series": issuing.series}
    rows = NfeSeries._default_manager.filter(**named)
    found = lock_rows(rows)
    if not found:
        insert_new([NfeSeries(**named)], returning=["id"])
        found = lock_rows(rows)
    return found[0]


def mend_note(
    *,
    emission: NfeEmission,
    actor: Actor,
    corrections: Mapping[str, str] | None = None,
    expected_version: int | None = None,
    key: str = "",
) -> NfeEmission:
    """Reckon a rejected note anew, from the order and the profiles as they are now, and send it under its number.

    :class:`InvalidInput` with what is missing; :class:`TransitionNotAllowed` for a note that is not rejected.
    """
    order = emission.fulfillment.order
    said = emission.content.get("corrections", {}) if corrections is None else corrections
    content = read_content(order, corrections=said, emission=emission)
    issuing = check_content(content)
    if (issuing.issuer.cnpj, issuing.environment) != (emission.issuer, emission.environment):
        raise ConfigurationError(f"NFE[{emission.alias!r}] is another issuer, or environment, than the note's")
    stored = content_json(content) | {"corrections": corrections_of(order, said)}

    def effect(steps: Sequence[Step]) -> None:
        (row,) = lock_rows(NfeEmission._default_manager.filter(pk=emission.pk))
        for step in steps:
            if row.status != NfeEmission.REJECTED:
                step.refuse(Reason("not_rejected", _("Only a rejected note can be mended.")))
                continue
            row.status, row.content, row.total = NfeEmission.DRAFT, stored, content.total
            row.answer_code = row.answer_text = row.problem = row.receipt = ""
            row.attempts, row.next_check_at = 0, None
            row.save(
                update_fields=[
                    "status", "content", "total", "answer_code", "answer_text", "problem", "receipt", "attempts",
                    "next_check_at",
                ]
            )  # fmt: skip
            emissions.settle_problem([step])
            step.messages.append(emissions.note_message(row, issuing.state))

    emissions.record(
        emission, emissions.MEND, actor=actor, effect=effect, key=key,
        expected_version=content.version if expected_version is None else expected_version,
    )  # fmt: skip
    emission.refresh_from_db()
    return emission


def is_configured() -> bool:
    """Whether this shop issues notes at all."""
    return bool(settings.NFE) and not missing_packages()


def issue_many(job: BulkJob, items: Sequence[BulkJobItem]) -> None:
    """The bulk action: each of these orders, as far as something of it waits for a note."""
    actor = Actor.from_user(job.actor)
    rows = OrderFulfillment._default_manager.filter(pk__in=[item.fulfillment_id for item in items])
    for row in rows.select_related("order__shipping_address__country", "payment_method"):
        row.order._state.fields_cache["fulfillment"] = row
        if not may_issue(row.order):
            raise TransitionNotAllowed([Reason("no_issuer", _("No NF-e is issued for orders like this one."))])
        issue_note(order=row.order, actor=actor, key=f"bulk-{job.pk}-nfe")


def may_issue(order: Any) -> bool:
    """Whether this shop issues notes for orders like this one."""
    return bool(issuing_alias(order)) and "invoice" in order.fulfillment.flow_definition.shipping.transitions
