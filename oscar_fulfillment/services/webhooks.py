"""What managers do with webhooks: make, change, new keys, switch, delete, send again. And the tidying of their log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.core import circuit, outbox, queue
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.locks import lock_name, lock_rows
from oscar_fulfillment.core.public_address import AddressRefused, read_url
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.models import OutboundMessage, WebhookEndpoint
from oscar_fulfillment.models.webhook import LANE

from . import followups, webhook_keys
from .followups import actor_fields
from .webhook_delivery import followup_key, give_up_waiting, switch_off
from .webhook_events import EVENTS, PING, subscribers
from .webhook_settings import option, rules

#: The most webhooks of a shop: each one wants its copy of every event.
MOST = 20
#: Rows that a tidying deletes at once.
CHUNK = 500


class WebhookChanged(FulfillmentError):
    """Somebody else has changed the webhook since the caller looked at it. ``endpoint`` is how it stands now."""

    def __init__(self, endpoint: WebhookEndpoint):
        self.endpoint = endpoint
        super().__init__(_("Somebody has changed this webhook in the meantime."))


class WebhookOff(FulfillmentError):
    """Nothing is sent to a webhook that is switched off."""

    def __init__(self) -> None:
        super().__init__(_("This webhook is switched off. Switch it on first."))


def save_webhook(
    *, actor: Actor, values: Mapping[str, Any], endpoint: WebhookEndpoint | None = None, seen: int | None = None
) -> WebhookEndpoint:
    """Make a webhook (``endpoint`` None) or change one. ``values``: url, description, all_events, events,
    includes_customer; what is not named stays. A new one has its key: :func:`webhook_keys.secret` of ``keys[0]``.

    ``seen`` is its version as the caller saw it: :class:`WebhookChanged` when it has another. :class:`InvalidInput` by
    field for an address that is not called, unknown events, or the same address twice.
    """
    now = timezone.now()
    given = _checked(values)
    with transaction.atomic():
        if endpoint is None:
            # Two who make one at the same moment do not make one too many.
            lock_name("oscar_fulfillment.webhooks", using=router.db_for_write(WebhookEndpoint))
            _refuse_too_many()
            found = WebhookEndpoint(keys=[webhook_keys.new_key(now)], created_at=now, created_by_label=actor.label)
            found.created_by = actor_fields(actor)["actor"]
        else:
            found = _locked(endpoint, seen)
            found.version += 1
        moves = endpoint is not None and given.get("url", found.url) != found.url
        for name, value in given.items():
            setattr(found, name, value)
        if moves:
            # What the old address did says nothing of the new one.
            found.failing_since, found.deaths = None, 0
            circuit.reopen(outbox.PUMP.health_name(found.lane))
        if not found.all_events and not found.events:
            raise InvalidInput({"events": [_("Choose at least one event.")]})
        _write(found, actor, now)
    subscribers.forget()
    return found


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: values[name] for name in ("all_events", "includes_customer") if name in values}
    if "url" in values:
        given["url"] = str(values["url"]).strip()
        try:
            read_url(given["url"], rules())
        except AddressRefused as error:
            raise InvalidInput({"url": [str(error)]}) from None
    if "description" in values:
        given["description"] = clean_text("description", values["description"], limit=100)
    if "events" in values:
        chosen = set(values["events"])
        if chosen - set(EVENTS):
            raise InvalidInput({"events": [_("There is no such event.")]})
        given["events"] = [name for name in EVENTS if name in chosen]
    return given


def _refuse_too_many() -> None:
    if WebhookEndpoint._default_manager.count() >= MOST:
        text = ngettext("There can be %(most)d webhook.", "There can be %(most)d webhooks.", MOST) % {"most": MOST}
        raise InvalidInput({"__all__": [text]})


def _locked(endpoint: WebhookEndpoint, seen: int | None) -> WebhookEndpoint:
    found = lock_rows(WebhookEndpoint._default_manager.filter(pk=endpoint.pk))
    if not found:
        raise WebhookEndpoint.DoesNotExist
    if seen is not None and found[0].version != seen:
        raise WebhookChanged(found[0])
    return found[0]


def _write(endpoint: WebhookEndpoint, actor: Actor, now: datetime) -> None:
    endpoint.changed_at, endpoint.changed_by_label = now, actor.label
    try:
        with transaction.atomic():
            endpoint.save()
    except IntegrityError:
        raise InvalidInput({"url": [_("Another webhook goes to this address already.")]}) from None


def rotate_key(
    *, endpoint: WebhookEndpoint, actor: Actor, at_once: bool = False, seen: int | None = None
) -> WebhookEndpoint:
    """Give it a new key. The old one signs beside it for some hours, unless it ends ``at_once`` (it has leaked)."""
    now = timezone.now()
    with transaction.atomic():
        found = _locked(endpoint, seen)
        found.keys = webhook_keys.rotated(found.keys, now, 0 if at_once else option("key_hours"))
        found.version += 1
        _write(found, actor, now)
    return found


def set_active(*, endpoint: WebhookEndpoint, active: bool, actor: Actor, seen: int | None = None) -> WebhookEndpoint:
    """Switch it on or off. What waits when it is switched off is given up, and can be sent again later."""
    now = timezone.now()
    with transaction.atomic():
        found = _locked(endpoint, seen)
        if found.is_active == active:
            return found
        if active:
            found.is_active, found.disabled_reason, found.disabled_at = True, "", None
            found.failing_since, found.deaths = None, 0
            found.version += 1
            _write(found, actor, now)
            circuit.reopen(outbox.PUMP.health_name(found.lane))
            followups.close_by_prefix(followup_key(found), "done", actor.label)
        else:
            switch_off(found, WebhookEndpoint.BY_HAND)
            WebhookEndpoint._default_manager.filter(pk=found.pk).update(changed_at=now, changed_by_label=actor.label)
            found.refresh_from_db()
    subscribers.forget()
    return found


def delete_webhook(*, endpoint: WebhookEndpoint, actor: Actor, seen: int | None = None) -> None:
    """Delete it for good. What waits is given up; the log goes with the next tidying."""
    with transaction.atomic():
        found = _locked(endpoint, seen)
        give_up_waiting(found)
        circuit.reopen(outbox.PUMP.health_name(found.lane))
        followups.close_by_prefix(followup_key(found), "done", actor.label)
        found.delete()
    subscribers.forget()


def replay(*, endpoint: WebhookEndpoint, message: OutboundMessage) -> bool:
    """Send a message once more, with the same id and body: one that was given up, or delivered. False if it is on its
    way. :class:`WebhookOff` when nothing would be sent."""
    rows = OutboundMessage._base_manager.filter(pk=message.pk, status__in=[outbox.DEAD, outbox.UNKNOWN, outbox.SENT])
    return bool(_again(endpoint, rows))


def replay_failed(*, endpoint: WebhookEndpoint, since: datetime) -> int:
    """Send everything again that was given up and is from this moment on or later; how many. Tests are left out."""
    rows = OutboundMessage._base_manager.filter(status=outbox.DEAD, created_at__gte=since).exclude(kind=PING)
    return _again(endpoint, rows)


def _again(endpoint: WebhookEndpoint, rows: Any) -> int:
    with transaction.atomic():
        if not _locked(endpoint, None).is_active:
            raise WebhookOff
        # The second condition says nothing new, but the index is for it.
        rows = rows.filter(destination=endpoint.lane, destination__startswith=LANE)
        count = rows.update(
            status=outbox.PENDING, attempts=0, lease="", error="", sent_at=None, next_attempt_at=timezone.now()
        )
        if count:
            circuit.reopen(outbox.PUMP.health_name(endpoint.lane))
            queue.wake_on_commit(outbox.TASK, using=router.db_for_write(OutboundMessage))
    return count


def tidy() -> int:
    """Delete the log of webhooks that is older than WEBHOOKS_OUT["keep_days"], or whose webhook is gone; how many.

    What still waits is never deleted, unless its webhook is gone.
    """
    before = timezone.now() - timedelta(days=option("keep_days"))
    ours = OutboundMessage._base_manager.filter(destination__startswith=LANE)
    lanes = [endpoint.lane for endpoint in WebhookEndpoint._default_manager.all()]
    done = ours.filter(status__in=[outbox.SENT, outbox.DEAD, outbox.UNKNOWN])
    count = _delete(ours.exclude(destination__in=lanes).exclude(status=outbox.SENDING))
    for lane in lanes:
        count += _delete(done.filter(destination=lane, created_at__lt=before))
    return count


def _delete(rows: Any) -> int:
    """By chunks, the oldest first: a lock on many rows would hold up whoever sends."""
    count = 0
    while pks := list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        # One transaction: the tries go with their messages.
        OutboundMessage._base_manager.filter(pk__in=pks).delete()
        count += len(pks)
    return count
