"""A POST to an address that a merchant typed in: pinned to an address that was judged, with one deadline for all of it.

:class:`core.http.HttpClient` is for vendors whose address is in the settings; here both the address and whoever answers
are strangers. The connection goes to the very IP address that :mod:`core.public_address` found public, with TLS and
``Host`` for the name; no proxy and no redirect. Of the answer the status counts, and the first :data:`EXCERPT` bytes
are kept for people. Nothing here raises for what the other side does.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from .public_address import AddressRefused, Rules, Target, read_url, resolve

#: Bytes of an answer that are read.
EXCERPT = 2048
#: Seconds to connect to one address, and for the body once the status is there.
CONNECT, BODY = 5.0, 2.0
#: Addresses of one name that are tried.
MOST_ADDRESSES = 4
#: The longest wait that anybody is granted, in seconds.
LONGEST_WAIT = 86_400.0

#: What went wrong, beside the codes of :data:`core.public_address.REFUSALS`.
UNREACHABLE, INSECURE, TOO_SLOW, BROKEN = "unreachable", "insecure", "too_slow", "broken"


@dataclass(frozen=True)
class Reply:
    """What came of a POST. ``status`` is None where nobody answered; ``error`` says why, ``detail`` in system words."""

    status: int | None = None
    excerpt: str = ""
    error: str = ""
    detail: str = ""
    seconds: float = 0.0
    #: Seconds for which the other side asks to be left alone; 0: it does not ask.
    retry_after: float = 0.0

    @property
    def is_ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(url: str, body: bytes, headers: Mapping[str, str], *, rules: Rules, timeout: float) -> Reply:
    """POST ``body``; returns within about ``timeout`` seconds (and the time a resolver takes). Not in a transaction."""
    began = time.monotonic()
    try:
        target = read_url(url, rules)
        addresses = resolve(target)
    except AddressRefused as error:
        return Reply(error=error.code, seconds=time.monotonic() - began)
    guard = _Guard(timeout)
    try:
        found = _post(target, addresses, body, headers, guard)
    except ssl.SSLError as error:
        found = _failed(guard, INSECURE, error)
    except _Unreachable as error:
        found = _failed(guard, UNREACHABLE, error)
    except (OSError, http.client.HTTPException, ValueError) as error:
        found = _failed(guard, BROKEN, error)
    finally:
        guard.end()
    return Reply(**{**found, "seconds": time.monotonic() - began})


class _Unreachable(Exception):
    """None of the addresses took a connection."""


def _failed(guard: _Guard, code: str, error: Exception) -> dict[str, Any]:
    if guard.is_over or isinstance(error, TimeoutError):
        return {"error": TOO_SLOW}
    return {"error": code, "detail": " ".join(_plain(f"{error}").split())[:200]}


class _Guard:
    """One deadline for a connection, kept from another thread.

    A socket's own time-out begins anew with every byte, so that one who sends a byte now and then holds us for ever.
    """

    def __init__(self, seconds: float):
        self.until = time.monotonic() + seconds
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None

    @property
    def left(self) -> float:
        return max(self.until - time.monotonic(), 0.01)

    def watch(self, connection: socket.socket) -> None:
        """End this connection at the deadline."""
        # A duplicate: TLS takes the socket itself over, and closing it would not wake whoever reads from it.
        self._socket = connection.dup()
        self._start()

    def hurry(self, seconds: float) -> None:
        """The deadline is in so many seconds, if it was not sooner."""
        self.until = min(self.until, time.monotonic() + seconds)
        self._start()

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(self.left, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        self.is_over = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to the addresses that were judged: the name is for TLS and the header alone."""

    def __init__(self, target: Target, addresses: list[str], guard: _Guard):
        super().__init__(target.host, target.port)
        self.target, self.addresses, self.guard = target, addresses, guard
        self.is_used = False

    def connect(self) -> None:
        if self.is_used:
            raise http.client.NotConnected("the connection was closed")
        self.is_used = True
        connection = self._reach()
        self.guard.watch(connection)
        connection.settimeout(self.guard.left)
        if self.target.is_secure:
            connection = tls().wrap_socket(connection, server_hostname=self.target.host)
        self.sock = connection

    def _reach(self) -> socket.socket:
        why = ""
        for address in self.addresses[:MOST_ADDRESSES]:
            try:
                return socket.create_connection((address, self.target.port), min(CONNECT, self.guard.left))
            except OSError as error:
                why = f"{error}"
        raise _Unreachable(why)


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """TLS as the system trusts it; made once."""
    return ssl.create_default_context()


def _post(
    target: Target, addresses: list[str], body: bytes, headers: Mapping[str, str], guard: _Guard
) -> dict[str, Any]:
    connection = _Pinned(target, addresses, guard)
    try:
        sent = {"Host": target.authority, "Accept-Encoding": "identity", "Connection": "close", **headers}
        with contextlib.suppress(BrokenPipeError):  # it may answer before it has read everything
            connection.request("POST", target.path, body, sent)
        answer = connection.getresponse()
        if guard.is_over:  # a header that was cut looks like the last one
            raise TimeoutError
        guard.hurry(BODY)
        return {
            "status": answer.status,
            "excerpt": _plain(_excerpt(answer).decode("utf-8", "replace")),
            "retry_after": retry_after(answer.getheader("Retry-After")),
        }
    finally:
        connection.close()


def _excerpt(answer: http.client.HTTPResponse) -> bytes:
    """The beginning of the body; what comes late or broken is left out, as the status has been said."""
    found = b""
    try:
        while len(found) < EXCERPT and (piece := answer.read1(EXCERPT - len(found))):
            found += piece
    except (OSError, http.client.HTTPException, ValueError):
        pass
    return found


def _plain(text: str) -> str:
    """A stranger's text for our tables and pages: no control characters but line breaks and tabs."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


def retry_after(value: str | None, now: datetime | None = None) -> float:
    """Seconds of a ``Retry-After`` (seconds, or a date), at most :data:`LONGEST_WAIT`; 0 for what cannot be read."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text[:100])
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    seconds = (at - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT)
