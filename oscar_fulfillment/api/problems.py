"""Errors as RFC 9457 has them: ``application/problem+json`` with type, title, status, detail, and errors by field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed

#: What each kind is called, by the last part of its type.
_TITLES = {
    "unauthorized": "Unauthorized",
    "forbidden": "Forbidden",
    "not-found": "Not found",
    "method-not-allowed": "Method not allowed",
    "unreadable": "Unreadable request",
    "too-large": "Request too large",
    "unsupported-media-type": "Unsupported media type",
    "invalid": "Invalid content",
    "not-now": "Not possible now",
    "conflict": "Conflict",
    "in-progress": "In progress",
    "key-reused": "Idempotency key reused",
    "rate-limited": "Too many requests",
    "internal": "Internal error",
}
#: A name, not an address: nothing is to be fetched there.
TYPE = "urn:oscar-fulfillment:problem:"


class Problem(Exception):
    """An answer that is an error. ``kind`` is a key of the titles; ``errors`` are pointer (or field) and message."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str = "",
        *,
        errors: Iterable[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ):
        self.status, self.kind, self.detail = status, kind, detail
        self.errors, self.headers = list(errors), dict(headers or {})
        super().__init__(detail or kind)

    def document(self) -> dict[str, Any]:
        """The body."""
        found: dict[str, Any] = {
            "type": f"{TYPE}{self.kind}", "title": _TITLES[self.kind], "status": self.status,
        }  # fmt: skip
        if self.detail:
            found["detail"] = self.detail
        if self.errors:
            found["errors"] = self.errors
        return found

    def response(self) -> HttpResponse:
        body = json.dumps(self.document(), ensure_ascii=False, default=str)
        return HttpResponse(
            body, status=self.status, headers=self.headers, content_type="application/problem+json; charset=utf-8"
        )


def not_found(detail: str = "") -> Problem:
    """What does not exist, or is not within the key's reach: nobody learns which."""
    return Problem(404, "not-found", detail)


def invalid(errors: Sequence[tuple[str, str]]) -> Problem:
    """What was sent does not hold: pointer and message each."""
    listed = [{"pointer": f"#{where}", "detail": message} for where, message in errors]
    return Problem(422, "invalid", _("Some fields are not right."), errors=listed)


def of_input(error: InvalidInput, names: Mapping[str, str] | None = None) -> Problem:
    """What a service refused, by field. ``names``: what the caller calls a field of ours."""
    listed = [
        {"field": (names or {}).get(name, name), "detail": str(message)}
        for name, messages in error.errors.items()
        for message in messages
    ]
    return Problem(422, "invalid", str(error), errors=listed)


def of_step(error: TransitionNotAllowed) -> Problem:
    """A step that the order does not allow now; it may later."""
    listed = [{"code": reason.code, "detail": str(reason.message)} for reason in error.reasons]
    return Problem(409, "not-now", str(error), errors=listed)
