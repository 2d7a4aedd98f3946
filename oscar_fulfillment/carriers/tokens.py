"""Tokens that carriers hand out for a while: asked for when needed, renewed before they end, and once when refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from oscar_fulfillment.core.exceptions import AdapterRejected

T = TypeVar("T")


class TokenKeeper:
    """The token of one account. Thread-safe; nobody waits for another's call, so at worst two ask at once.

    ``ask`` gets a new token and the seconds for which it is good; it is renewed ``margin`` seconds before, or at half
    of a life that is shorter than twice that. ``refusals``: the HTTP statuses by which the carrier says that a token
    is not good (any more).
    """

    def __init__(
        self, ask: Callable[[], tuple[str, float]], *, margin: float = 60.0, refusals: frozenset[int] = frozenset({401})
    ):
        self._ask, self._margin, self._refusals = ask, margin, refusals
        self._lock = threading.Lock()
        self._held, self._until = "", 0.0

    def call(self, do: Callable[[str], T]) -> T:
        """``do(token)``; when the token is refused, once more with a new one. Raises what ``do`` and ``ask`` raise.

        Only for calls of which nothing was done when the token was refused.
        """
        token = self._token()
        try:
            return do(token)
        except AdapterRejected as error:
            if error.status not in self._refusals:
                raise
        return do(self._token(refused=token))

    def _token(self, refused: str = "") -> str:
        with self._lock:
            held, until = self._held, self._until
        # Somebody else may have renewed it meanwhile.
        if held and held != refused and time.monotonic() < until:
            return held
        token, seconds = self._ask()
        with self._lock:
            self._held, self._until = token, time.monotonic() + max(seconds - self._margin, seconds / 2)
        return token
