"""The door of the API: who calls, what they may, what they say; then one handler. No session, no cookie, no CSRF.

Keys come in the header ``Authorization: Bearer`` alone, and nothing here writes one to a log.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.models import ApiKey
from oscar_fulfillment.services import api_calls, api_keys
from oscar_fulfillment.services.api_keys import Allowance, option

from .calls import Call
from .invoice_mapping import caller_names
from .openapi import document
from .operations import Operation
from .problems import Problem, invalid, not_found, of_input, of_step
from .shapes import check

logger = logging.getLogger("oscar_fulfillment.api")

#: Seconds after which to look whether a call that is under way has ended.
_COME_BACK = "1"


@method_decorator(csrf_exempt, name="dispatch")
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ApiView(View):
    """All methods of one path."""

    operations: Mapping[str, Operation] = {}

    def dispatch(self, request: HttpRequest, *args: Any, **path: str) -> HttpResponse:
        allowance: Allowance | None = None
        try:
            key = _key_of(request)
            allowance = api_keys.pay(key)
            if allowance.wait:
                raise Problem(429, "rate-limited", headers={"Retry-After": str(allowance.wait)})
            response = self.answer(request, key, path)
        except Problem as problem:
            response = problem.response()
        except TransitionNotAllowed as error:
            response = of_step(error).response()
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            response = Problem(500, "internal").response()
        if allowance is not None:
            _say_allowance(response, allowance)
        response["Cache-Control"] = "no-store"
        return response

    def answer(self, request: HttpRequest, key: ApiKey, path: Mapping[str, str]) -> HttpResponse:
        operation = self.operations.get("GET" if request.method == "HEAD" else str(request.method))
        if operation is None:
            allowed = ", ".join(sorted(self.operations))
            raise Problem(405, "method-not-allowed", headers={"Allow": allowed}) if allowed else not_found()
        if operation.scope not in key.scopes:
            raise Problem(403, "forbidden", f"This key lacks the scope {operation.scope}.")
        raw = _body_of(request) if operation.body is not None else b""
        call = Call(key, path, _query_of(request, operation), _read(operation, request, raw))
        handler = _handler(operation)
        name = request.headers.get("Idempotency-Key")
        if name is None or not operation.writes:
            return _json(handler(call))
        return _once(request, call, handler, name, raw)


def missing(request: HttpRequest, **path: str) -> HttpResponse:
    """What is no path of the API."""
    return not_found().response()


missing.csrf_exempt = True  # type: ignore[attr-defined]


def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document; open to all: it says nothing of the shop."""
    base = request.build_absolute_uri(request.path.rpartition("/")[0])
    return _json(document(base))


def _once(request: HttpRequest, call: Call, handler: Any, name: str, raw: bytes) -> HttpResponse:
    """Do it once for this Idempotency-Key, and answer the same each time."""
    if not (0 < len(name) <= 255 and name.isascii() and name.isprintable()):
        raise Problem(400, "unreadable", _("An Idempotency-Key has 1 to 255 printable ASCII characters."))
    try:
        begun = api_calls.begin(call.key, name, api_calls.fingerprint_of(str(request.method), request.path, raw))
    except api_calls.CallDiffers as error:
        raise Problem(422, "key-reused", _("This Idempotency-Key came with something else before.")) from error
    except api_calls.CallUnderWay as error:
        raise Problem(409, "in-progress", headers={"Retry-After": _COME_BACK}) from error
    if isinstance(begun, api_calls.Kept):
        response = _json(begun.document, begun.status)
        response["Idempotent-Replayed"] = "true"
        return response
    status, found = 500, None
    try:
        found = handler(call)
        status = 200
    finally:
        api_calls.end(begun, status, found)
    return _json(found)


def _handler(operation: Operation) -> Callable[[Call], Any]:
    function = import_string(f"{__package__}.{operation.handler}")

    def run(call: Call) -> Any:
        try:
            return function(call)
        except InvalidInput as error:
            raise of_input(error, caller_names(call.body)) from error

    return run


def _json(found: Any, status: int = 200) -> HttpResponse:
    body = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(body, status=status, content_type="application/json; charset=utf-8")


def _key_of(request: HttpRequest) -> ApiKey:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized('Bearer realm="fulfillment"', _("Send a key: Authorization: Bearer ..."))
    key = api_keys.find_key(token.strip(), timezone.now())
    if key is None:
        raise _unauthorized('Bearer realm="fulfillment", error="invalid_token"', _("This key does not work."))
    return key


def _unauthorized(challenge: str, detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})


def _say_allowance(response: HttpResponse, allowance: Allowance) -> None:
    """As draft-ietf-httpapi-ratelimit-headers has it: so many now, and all of them again in so many seconds."""
    window = max(round(60 * option("burst") / option("rate")), 1)
    response["RateLimit-Policy"] = f'"key";q={allowance.limit};w={window}'
    response["RateLimit"] = f'"key";r={allowance.remaining};t={allowance.reset}'


def _body_of(request: HttpRequest) -> bytes:
    length = str(request.headers.get("Content-Length") or "0")
    if not (length.isascii() and length.isdigit()):
        raise Problem(400, "unreadable", _("The Content-Length is no number."))
    if int(length[:20]) > option("max_bytes"):
        raise _too_large()
    try:
        body = request.body
    except RequestDataTooBig:
        raise _too_large() from None
    except UnreadablePostError:
        raise Problem(400, "unreadable", _("The request was cut on its way.")) from None
    if len(body) > option("max_bytes"):
        raise _too_large()
    return body


def _too_large() -> Problem:
    return Problem(413, "too-large", _("At most %(limit)d bytes.") % {"limit": option("max_bytes")})


def _read(operation: Operation, request: HttpRequest, raw: bytes) -> Mapping[str, Any]:
    """The body, checked. An empty one is an empty object."""
    if operation.body is None or (not raw.strip() and not operation.body.get("required")):
        return {}
    if request.content_type not in ("application/json", ""):
        raise Problem(415, "unsupported-media-type", _("Send application/json."))
    try:
        found = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Problem(400, "unreadable", _("This is not JSON.")) from None
    if errors := check(operation.body, found):
        raise invalid(errors)
    return {name: value for name, value in found.items() if value is not None}


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's JSON alone


def _query_of(request: HttpRequest, operation: Operation) -> Mapping[str, str]:
    found = {name: request.GET[name] for name in operation.query if name in request.GET}
    listed = []
    for name, value in found.items():
        schema = operation.query[name]
        is_number = schema["type"] == "integer"
        if is_number and not (value.isascii() and value.isdecimal() and len(value) < 10):
            listed.append((f"/{name}", _("This is no number.")))
            continue
        listed += [(f"/{name}", message) for _at, message in check(schema, int(value) if is_number else value)]
    if listed:
        errors = [{"field": where[1:], "detail": message} for where, message in listed]
        raise Problem(400, "unreadable", _("Some parameters are not right."), errors=errors)
    return found
