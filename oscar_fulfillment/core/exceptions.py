"""The errors that services, adapters and webhooks raise, and who handles them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from oscar.apps.order.exceptions import InvalidOrderStatus

if TYPE_CHECKING:
    from .statemachine import Reason


class ConfigurationError(ImproperlyConfigured):
    """The project's settings are wrong. Never caught: somebody has to mend the settings."""


class FulfillmentError(Exception):
    """Anything a person or a caller may be told about; the base of all errors below."""


class TransitionNotAllowed(FulfillmentError, InvalidOrderStatus):
    """The step is not possible now. ``reasons`` say why and where to mend it.

    Also Oscar's ``InvalidOrderStatus``, so that code written for stock Oscar handles it.
    """

    def __init__(self, reasons: Sequence[Reason]):
        self.reasons = list(reasons)
        super().__init__("; ".join(str(reason.message) for reason in self.reasons))


class StaleVersion(FulfillmentError):
    """Somebody else changed the object since the caller looked at it.

    ``change`` is the newest history row (or None), so that the caller can be told who did what and when.
    """

    def __init__(self, change: Any = None):
        self.change = change
        super().__init__("changed by somebody else in the meantime")


class InvalidInput(FulfillmentError):
    """What was typed is wrong. ``errors`` maps a field to its messages, as a Django form has them."""

    def __init__(self, errors: dict[str, list[Any]]):
        self.errors = errors
        super().__init__("; ".join(str(message) for messages in errors.values() for message in messages))


class AdapterError(FulfillmentError):
    """A vendor did not do what was asked."""


class AdapterUnavailable(AdapterError):
    """The vendor could not be reached or asked to come back later: try again.

    ``retry_after``: it asks to be left alone for so many seconds.
    """

    def __init__(self, message: str = "", *, retry_after: float = 0):
        self.retry_after = retry_after
        super().__init__(message)


class AdapterUnanswered(AdapterUnavailable):
    """The call went out and no usable answer came: it may have been done.

    Ask before repeating it, or repeat it with the same idempotency key.
    """


class AdapterRejected(AdapterError):
    """The vendor said no: trying again does not help. ``status`` is its HTTP status, ``body`` what it answered."""

    def __init__(self, message: str = "", *, status: int = 0, body: bytes = b""):
        self.status, self.body = status, body
        super().__init__(message)


class WebhookVerificationFailed(FulfillmentError, SuspiciousOperation):
    """The notification did not prove where it comes from. Django answers 400 and logs it."""
