"""What looks after notes beside their own messages: those that wait too long, and steps that would not go with them."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import USER
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.models import NfeEmission
from oscar_fulfillment.selectors.issuers import find_issuing, issuing_aliases

from . import emission_events, emission_numbers, emission_runs, emission_settle, emissions

logger = logging.getLogger("oscar_fulfillment.nfe")

#: Steps of a person that would change what a note says, or take its goods away, while it is on its way.
_BLOCKED = frozenset({"cancel", "cancel_shipment", "split_shipment", "merge_shipments", "invoice", "edit_order",
                      "revert_edit"})  # fmt: skip


def run_message(message: Any) -> None:
    """The outbox's handler of a state's lane."""
    payload = message.payload
    if message.kind == emissions.EVENT:
        emission_events.run_event(payload["event"])
    elif message.kind == emissions.VOID:
        emission_numbers.run_voiding(payload["voiding"])
    else:
        emission_runs.run_emission(payload["emission"])


def register_issuers() -> None:
    """A lane per state that notes are issued in. Called when Django starts; again where settings changed (tests)."""
    for alias in issuing_aliases():
        try:
            state = find_issuing(alias).state
        except ConfigurationError:
            continue  # the system checks say so
        outbox.register_destination(emissions.lane(state), run_message)


def watch_emissions(*, budget: float) -> int:
    """Go on with notes whose message was given up or lost, and enter authorised ones that their order did not take."""
    now, ends, done = timezone.now(), time.monotonic() + budget, 0
    due = NfeEmission._default_manager.filter(next_check_at__lte=now).order_by("next_check_at")
    for emission in due.defer("xml", "proc_xml").select_related("fulfillment__order")[:200]:
        if time.monotonic() >= ends:
            break
        later = now + timedelta(seconds=emission_runs.LATER)
        mine = NfeEmission._default_manager.filter(pk=emission.pk, next_check_at=emission.next_check_at)
        if not mine.update(next_check_at=later):
            continue
        done += 1
        try:
            _go_on(emission)
        except ConfigurationError as error:
            logger.warning("note %s waits: %s", emission, error)
        except Exception:
            logger.exception("note %s could not be looked after", emission)
    return done


def _go_on(emission: NfeEmission) -> None:
    if emission.status == NfeEmission.AUTHORISED:
        emission_settle.enter_invoice(emission)
    elif emission.is_open:
        emissions.wake(emission, find_issuing(emission.alias).state)
    else:
        NfeEmission._default_manager.filter(pk=emission.pk).update(next_check_at=None)


def try_again(emission: NfeEmission) -> None:
    """A person does not want to wait: go on with it now."""
    if emission.status == NfeEmission.AUTHORISED:
        emission_settle.enter_invoice(emission)
    elif emission.is_open:
        emissions.wake(emission, find_issuing(emission.alias).state)


def refuse_beside_note(sender: Any, *, step: Any, actions: Any, **kwargs: Any) -> None:
    """Veto what a person does to goods whose note is on its way, as it would leave the house otherwise than it says;
    and taking a note of ours back here alone, while the tax office still has it as valid."""
    if not settings.NFE or step.actor.kind != USER:
        return
    names = {action for _machine, action in actions}
    notes = NfeEmission._default_manager.filter(fulfillment=step.subject.pk)
    if _BLOCKED.intersection(names) and notes.filter(status__in=NfeEmission.OPEN).exists():
        raise ValidationError(
            _("An NF-e of this order is on its way to the tax office: wait for its answer."), code="note_under_way"
        )
    if "cancel_invoice" not in names:
        return
    valid = notes.filter(status=NfeEmission.AUTHORISED, invoice__cancelled_at=None, invoice__isnull=False)
    if wanted := step.context.get("invoice"):
        valid = valid.filter(invoice=wanted)
    if valid.exists():
        raise ValidationError(
            _("The NF-e is valid at the tax office: cancel it there, from its own page."), code="note_valid"
        )


def message_died(message: Any) -> None:
    """The outbox gave a message up: its note is taken up again later, by :func:`watch_emissions`."""
    if not message.destination.startswith("sefaz:") or message.kind != emissions.NOTE:
        return
    later = timezone.now() + timedelta(seconds=emission_runs.LATER)
    NfeEmission._default_manager.filter(pk=message.payload.get("emission"), status__in=NfeEmission.OPEN).update(
        next_check_at=later
    )
