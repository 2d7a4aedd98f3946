"""Webhooks in words: how one does, what became of a message, what went wrong with a try."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from oscar_fulfillment.core import outbox, public_http
from oscar_fulfillment.core.public_address import REFUSALS
from oscar_fulfillment.models import OutboundMessage, WebhookAttempt, WebhookEndpoint
from oscar_fulfillment.selectors.webhooks import Health
from oscar_fulfillment.services import webhook_delivery, webhook_events

#: The filter of the log, and the badge of a message.
STATE_LABELS: dict[str, Any] = {
    "waiting": pgettext_lazy("webhook message", "Waiting"),
    "delivered": pgettext_lazy("webhook message", "Delivered"),
    "failed": pgettext_lazy("webhook message", "Given up"),
}
_BADGES = {
    outbox.PENDING: ("waiting", "info"),
    outbox.SENDING: ("waiting", "info"),
    outbox.SENT: ("delivered", "success"),
    outbox.DEAD: ("failed", "danger"),
    outbox.UNKNOWN: ("failed", "danger"),
}
_ERRORS: dict[str, Any] = {
    **REFUSALS,
    public_http.UNREACHABLE: gettext_lazy("Nobody takes the call there."),
    public_http.INSECURE: gettext_lazy("No secure connection: the certificate is not trusted, or not for this name."),
    public_http.TOO_SLOW: gettext_lazy("It took too long to answer."),
    public_http.BROKEN: gettext_lazy("The answer could not be read."),
    webhook_delivery.KEY_LOST: gettext_lazy("The key cannot be made again: SECRET_KEY was changed. Make a new key."),
}
_WHY_OFF: dict[str, Any] = {
    WebhookEndpoint.BY_HAND: gettext_lazy("Switched off by a person."),
    WebhookEndpoint.GONE: gettext_lazy("Switched off because it said that it is gone for good (410)."),
    WebhookEndpoint.GAVE_UP: gettext_lazy("Switched off because it took nothing, try after try."),
}


def badge(message: OutboundMessage) -> tuple[str, str]:
    """What became of a message, and the tone of its badge."""
    state, tone = _BADGES.get(message.status, ("waiting", "secondary"))
    if message.status == outbox.PENDING and message.attempts:
        return _("Will be tried again"), "warning"
    return str(STATE_LABELS[state]), tone


def state(endpoint: WebhookEndpoint, health: Health) -> tuple[str, str]:
    """How a webhook does, and the tone of its badge."""
    if not endpoint.is_active:
        return _("off"), "secondary"
    if endpoint.failing_since is not None:
        return _("fails"), "danger"
    return (_("works"), "success") if health.delivered_at else (_("not used yet"), "info")


def why_off(endpoint: WebhookEndpoint) -> str:
    """Why it is switched off; "" where it is not."""
    return "" if endpoint.is_active else str(_WHY_OFF.get(endpoint.disabled_reason, ""))


def outcome(status: int | None, error: str) -> str:
    """What came back of a try, in a few words."""
    if status is None:
        return str(_ERRORS.get(error, error))
    text = _("Answered %(status)d.") % {"status": status}
    if 300 <= status < 400:
        text += " " + _("It wants us to go elsewhere; no webhook does that. Enter the new address here.")
    return text


def told(attempt: WebhookAttempt) -> dict[str, Any]:
    """A try as the pages show it."""
    return {
        "row": attempt,
        "outcome": outcome(attempt.status, attempt.error),
        "tone": "success" if attempt.is_ok else "danger",
    }


def listed(message: Any) -> dict[str, Any]:
    """A message of the log as a row."""
    word, tone = badge(message)
    last = ""
    if message.last_status is not None or message.last_error:
        last = outcome(message.last_status, message.last_error)
    return {"message": message, "label": webhook_events.label(message.kind), "word": word, "tone": tone, "last": last}


def what(endpoint: WebhookEndpoint) -> str:
    """Which events it is told, in words."""
    if endpoint.all_events:
        return _("All events, also those to come")
    return " · ".join(str(webhook_events.label(name)) for name in endpoint.events)


def is_over(message: OutboundMessage) -> bool:
    """Whether nothing more happens to a message by itself."""
    return message.status in (outbox.SENT, outbox.DEAD, outbox.UNKNOWN)
