"""CDEK's API over HTTP: OAuth with tokens that all of a process share, and calls that renew a token once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.core.http import Answer, HttpClient

from .cdek_answers import explained

#: A token is not used in its last seconds: the clocks differ, and a call takes a while.
MARGIN = 60.0
#: An hour is what CDEK grants; longer is not believed.
LONGEST = 3600.0


class Tokens:
    """The tokens of this process by account. Nobody waits for another's call: at worst two ask at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, float]] = {}

    def get(self, account: str, ask: Callable[[], tuple[str, float]], *, refused: str = "") -> str:
        """A token that is not the one that was ``refused``. ``ask`` gives a new one and its seconds."""
        now = time.monotonic()
        with self._lock:
            token, until = self._held.get(account, ("", 0.0))
        if token and token != refused and now < until:
            return token
        token, seconds = ask()
        life = min(seconds, LONGEST)
        # Half of a very short life is used.
        lasts = max(life - MARGIN, life / 2)
        with self._lock:
            self._held[account] = (token, now + lasts)
        return token

    def forget(self) -> None:
        with self._lock:
            self._held.clear()


tokens = Tokens()


class Memory:
    """What one process remembers of its last calls: a word for each of ``most`` names at most. Thread-safe."""

    def __init__(self, most: int = 500):
        self._most, self._lock = most, threading.Lock()
        self._words: dict[str, str] = {}

    def get(self, name: str) -> str:
        with self._lock:
            return self._words.get(name, "")

    def put(self, name: str, word: str) -> None:
        with self._lock:
            self._words.pop(name, None)
            while len(self._words) >= self._most:
                self._words.pop(next(iter(self._words)))
            self._words[name] = word

    def drop(self, name: str) -> None:
        with self._lock:
            self._words.pop(name, None)


class CdekWire:
    """Calls to CDEK as one account. Thread-safe."""

    def __init__(self, base_url: str, account: str, password: str, *, read: float, name: str):
        self._http = HttpClient(base_url, read=read, name=name)
        self._credentials = {"grant_type": "client_credentials", "client_id": account, "client_secret": password}
        # The password belongs to the name: a new one is tried, not covered by the old one's token.
        secret = hashlib.sha256(f"{account}\n{password}".encode("utf-8", "surrogatepass")).hexdigest()
        self._account = f"{self._http.base_url} {secret}"

    def __repr__(self) -> str:
        return repr(self._http)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON of a GET; every failure to answer is :class:`AdapterUnavailable`, as nothing is changed by it."""
        try:
            return self._call("GET", path, query=query).json()
        except AdapterUnanswered as error:
            raise AdapterUnavailable(str(error)) from error

    def change(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a POST or DELETE. :class:`AdapterUnanswered` when it may have been done."""
        return self._call(method, path, json_body=body).json()

    def file(self, path: str) -> bytes:
        """The bytes of a file."""
        try:
            return self._call("GET", path, headers={"Accept": "application/pdf"}).body
        except AdapterUnanswered as error:
            raise AdapterUnavailable(str(error)) from error

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        token = tokens.get(self._account, self._log_in)
        for last in (False, True):
            sent = {"Authorization": f"Bearer {token}", **(headers or {})}
            try:
                return self._http.request(method, path, headers=sent, **options)
            except AdapterRejected as error:
                if error.status != 401 or last:
                    raise explained(error) from error
            # Not good any more, whatever its seconds said. Nothing was done with it, so the call can be repeated.
            token = tokens.get(self._account, self._log_in, refused=token)
        raise AssertionError  # the second time returns or raises

    def _log_in(self) -> tuple[str, float]:
        """A new token and its seconds. The credentials go in the body: an address is logged on its way."""
        try:
            answer = self._http.request(
                "POST",
                "/oauth/token",
                body=urlencode(self._credentials).encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            ).json()
            token, seconds = answer["access_token"], float(answer["expires_in"])
            if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not 0 < seconds < 1e9:
                raise ValueError("no token")
        except AdapterRejected as error:
            # CDEK answers wrong credentials with 401, some gateways in front of it with 400.
            raise explained(AdapterRejected(str(error), status=401, body=b"")) from error
        except AdapterUnanswered as error:
            # A token that got lost is no order that got lost.
            raise AdapterUnavailable(str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise AdapterUnavailable("CDEK gave no token") from error
        return token, seconds
