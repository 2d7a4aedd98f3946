"""Bitrix24's REST over HTTP: methods and batches through an incoming webhook, within the rate that a portal allows.

Facts, from apidocs.bitrix24.com (limits, batch) and what public integrations report:

* ``POST <webhook>/<method>.json``; the address of an incoming webhook holds its secret. Answers: ``{"result": ...}``,
  or ``{"error", "error_description"}`` with 4xx. PHP writes an empty object as ``[]``.
* Rate: a leaky bucket per portal, 50 calls deep, 2 of which run out each second (Enterprise: 250 and 5); above it 503
  ``QUERY_LIMIT_EXCEEDED``. Besides, a method may work 480 s in 10 minutes; then 429 ``OPERATION_TIME_LIMIT``.
* ``batch`` takes up to 50 commands ("method?query", encoded) as one call; ``$result[name]`` in a command stands for the
  result of an earlier one; ``halt`` leaves out what follows an error.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    ConfigurationError,
)
from oscar_fulfillment.core.http import HttpClient

#: Commands in one batch.
BATCH = 50
#: Calls that the bucket of a portal holds, and how many run out of it in a second.
DEPTH, LEAK = 50, 2.0
#: Seconds that a call waits for its place; with longer waits it is made later.
PATIENCE = 2.0
#: Seconds until the next try: when it was too fast, when a method has worked too long, and at most.
TOO_FAST, TOO_LONG, LONGEST = 5.0, 60.0, 600.0
#: Statuses whose answers say why.
_EXPLAINED = frozenset({400, 401, 403, 404, 429, 503})
_HOOK = re.compile(r"/rest/(?:api/)?\d{1,10}/[A-Za-z0-9]{8,64}/?", re.ASCII)
_NOT_FOUND = frozenset({"NOT_FOUND", "ERROR_NOT_FOUND"})
_TEMPORARY = frozenset({"QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", "OVERLOAD_LIMIT", "INTERNAL_SERVER_ERROR"})
_NO_ENTRY = frozenset(
    {"INVALID_CREDENTIALS", "NO_AUTH_FOUND", "INSUFFICIENT_SCOPE", "ACCESS_DENIED", "AUTHORIZATION_ERROR",
     "WRONG_AUTH_TYPE", "INVALID_TOKEN", "EXPIRED_TOKEN"}
)  # fmt: skip


class DealNotFound(AdapterRejected):
    """What was asked for is not there (any more)."""


class Bucket:
    """How many calls a portal holds against us, as far as this process knows. Thread-safe."""

    def __init__(self, depth: float = DEPTH, leak: float = LEAK):
        self.depth, self.leak = depth, leak
        self._lock = threading.Lock()
        self._level, self._seen = 0.0, time.monotonic()

    def take(self) -> None:
        """Wait for the place of one call. :class:`AdapterUnavailable` where that would take long."""
        with self._lock:
            self._run_out()
            wait = max(self._level + 1 - self.depth, 0) / self.leak
            if wait <= PATIENCE:
                self._level += 1
        if wait > PATIENCE:
            raise AdapterUnavailable("Bitrix24 has had enough calls for now", retry_after=wait)
        if wait:
            time.sleep(wait)

    def fill(self) -> None:
        """The portal says that it is full: others have called it, too."""
        with self._lock:
            self._level, self._seen = max(self._level, self.depth), time.monotonic()

    def _run_out(self) -> None:
        now = time.monotonic()
        self._level = max(self._level - (now - self._seen) * self.leak, 0)
        self._seen = now


_BUCKETS: dict[tuple[str, float, float], Bucket] = {}
_BUCKETS_LOCK = threading.Lock()


def bucket_of(host: str, depth: float, leak: float) -> Bucket:
    """The bucket of a portal, one for all its connectors in this process."""
    with _BUCKETS_LOCK:
        return _BUCKETS.setdefault((host, depth, leak), Bucket(depth, leak))


class Bitrix24Wire:
    """Calls to one portal. Thread-safe."""

    def __init__(self, webhook: str, *, name: str, read: float, rate: tuple[float, float]):
        parts = urlsplit(webhook)
        # The address is a secret: it is in no message.
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ConfigurationError(f"{name}: webhook_url is no address of an incoming webhook")
        before, found = parts.path.partition("/rest/")[0], _HOOK.search(parts.path)
        if found is None or not parts.path.endswith(found[0]):
            raise ConfigurationError(f"{name}: webhook_url is no address of an incoming webhook")
        #: Where people find the portal.
        self.portal = f"{parts.scheme}://{parts.netloc}{before}"
        self._http = HttpClient(webhook, read=read, name=name)
        self._bucket = bucket_of(parts.netloc, *rate)

    def __repr__(self) -> str:
        return repr(self._http)

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The whole answer of a method: ``result``, and ``next`` and ``total`` of lists."""
        self._bucket.take()
        answer = self._http.request("POST", f"/{method}.json", json_body=params or {}, accept=_EXPLAINED)
        if answer.status == 503 or answer.status == 429:
            document = _object(answer.body)
            code = str(document.get("error", ""))
            if code == "QUERY_LIMIT_EXCEEDED":
                self._bucket.fill()
            raise _later(code, document.get("time"))
        if answer.status >= 400:
            raise refusal(_object(answer.body), answer.status, answer.body)
        document = answer.json()
        if not isinstance(document, dict) or "result" not in document:
            raise AdapterUnanswered("Bitrix24 sent no result")
        return document

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The same for a method that changes nothing: whatever is wrong with its answer, it is asked again later."""
        try:
            return self.call(method, params)
        except AdapterUnanswered as error:
            raise AdapterUnavailable(str(error)) from error

    def batch(self, commands: Mapping[str, tuple[str, Mapping[str, Any]]], *, halt: bool, asks: bool = False) -> Any:
        """The results of several methods by their names. The first error among them is raised.

        ``asks``: nothing is changed by them.
        """
        if len(commands) > BATCH:
            raise AdapterRejected("too many commands for one batch")
        lines = {name: f"{method}?{urlencode(pairs(params))}" for name, (method, params) in commands.items()}
        document = (self.ask if asks else self.call)("batch", {"halt": int(halt), "cmd": lines})
        found = document["result"]
        if not isinstance(found, dict):
            raise AdapterUnavailable("Bitrix24 sent no results") if asks else AdapterUnanswered("no results")
        for name in commands:
            error = as_object(found.get("result_error")).get(name)
            if error:
                error = error if isinstance(error, dict) else {"error_description": str(error)}
                if str(error.get("error", "")).upper() in _TEMPORARY:
                    raise _later(str(error["error"]), as_object(found.get("result_time")).get(name))
                raise refusal(error, 400, json.dumps(error).encode())
        results = as_object(found.get("result"))
        if missing := [name for name in commands if name not in results]:
            text = f"Bitrix24 left out {', '.join(missing)}"
            raise AdapterUnavailable(text) if asks else AdapterUnanswered(text)
        return results


def as_object(value: Any) -> dict[str, Any]:
    """An object as PHP writes it: an empty one is a list."""
    return value if isinstance(value, dict) else {}


def pairs(params: Mapping[str, Any] | Sequence[Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested parameters as PHP reads them from a query: ``{"a": {"b": [1]}}`` is ``a[b][0]=1``."""
    found: list[tuple[str, str]] = []
    items = params.items() if isinstance(params, Mapping) else enumerate(params)
    for key, value in items:
        name = f"{prefix}[{key}]" if prefix else str(key)
        if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
            found += pairs(value, name)
        elif value is not None:
            found.append((name, str(value)))
    return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        return as_object(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _later(code: str, timing: Any) -> AdapterUnavailable:
    """It did nothing, and says when to come back, or not."""
    if code != "OPERATION_TIME_LIMIT":
        return AdapterUnavailable("Bitrix24 asks to come back later", retry_after=TOO_FAST)
    wait = TOO_LONG
    reset = as_object(timing).get("operating_reset_at")
    if isinstance(reset, (int, float, str)):
        with contextlib.suppress(ValueError):
            wait = min(max(float(reset) - time.time(), 1.0), LONGEST)
    return AdapterUnavailable("Bitrix24 has worked for us too long", retry_after=wait)


def refusal(document: Mapping[str, Any], status: int, body: bytes) -> AdapterRejected:
    """An error of theirs in words for people; it never holds the webhook's address."""
    code, said = str(document.get("error") or "")[:64], str(document.get("error_description") or "")
    said = " ".join("".join(c if c.isprintable() else " " for c in said[:2000]).split())[:500]
    if code.upper() in _NOT_FOUND or said.casefold().rstrip(".") == "not found":
        return DealNotFound(gettext("The deal is not in Bitrix24 any more."), status=status, body=body)
    if status == 401 or code.upper() in _NO_ENTRY:
        message = gettext(
            "Bitrix24 does not let us in: the webhook is wrong, was removed, or may not do this ({code})."
        )
        return AdapterRejected(message.format(code=code or status), status=status, body=body)
    message = gettext("Bitrix24 refused: {reason}").format(reason=said or code or status)
    return AdapterRejected(message, status=status, body=body)
