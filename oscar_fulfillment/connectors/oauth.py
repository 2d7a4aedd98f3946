"""OAuth with refresh tokens that change at every use: kept by the shop, renewed by one worker at a time, never lost.

A refresh token that was used is worth nothing, and the new one is told once. Two workers that renew at once, or one
that dies between the answer and its note, cost the connection, and a person has to make it anew. So a worker claims
the renewal first (a note beside the tokens, no lock is held across the call), asks, and puts the new tokens in the
place of the very ones that it used; the others wait for them, or go on with a token that is still good.

An adapter knows no database: it asks :func:`store_of` for the tokens of its alias, which the shop provides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError

T = TypeVar("T")

#: Seconds for which one worker has a renewal to itself; the call takes less.
CLAIM = 60.0
#: Seconds to wait for another worker's renewal, and between two looks.
PATIENCE, LOOK = 10.0, 0.1
#: Renewed so many seconds before the end, at half of a life that is shorter than twice that.
MARGIN = 600.0


class NotConnected(AdapterUnavailable):
    """There are no tokens, or they are not accepted any more: a person has to connect it. Nothing was done."""


class GrantRefused(AdapterRejected):
    """The vendor does not accept the code or refresh token (``invalid_grant``)."""


@dataclass(frozen=True)
class Tokens:
    """What a vendor handed out. Moments are Unix seconds. ``facts``: what else it said, for the adapter.

    ``refused``: the refresh token was not accepted; only a person can go on from here.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    obtained_at: float
    expires_at: float
    refused: bool = False
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)

    def is_fresh(self, now: float) -> bool:
        """Whether it need not be renewed yet."""
        life = self.expires_at - self.obtained_at
        return now < self.expires_at - min(MARGIN, life / 2)


class TokenStore(Protocol):
    """Where the tokens of one account are kept. One object for one use; every method is a transaction of its own."""

    def load(self) -> Tokens | None:
        """The tokens; None where there are none (any more)."""

    def claim(self, seconds: float) -> bool:
        """Whether this worker alone may renew them, for so long."""

    def release(self) -> None:
        """Give a claim back."""

    def save(self, tokens: Tokens, *, replaces: Tokens | None = None) -> bool:
        """Keep these, and end the claim. With ``replaces`` only in the place of those; False when others are there."""


_provider: list[Callable[[str], TokenStore]] = []


def provide(make: Callable[[str], TokenStore]) -> None:
    """Say where tokens are kept: ``make(alias)`` returns a store. The newest counts."""
    _provider[:] = [make]


def store_of(alias: str) -> TokenStore:
    """A store for the tokens of this connector."""
    if not _provider:
        raise ConfigurationError("nobody keeps the tokens: oscar_fulfillment is not in INSTALLED_APPS")
    return _provider[0](alias)


class TokenHolder:
    """Calls with the tokens of one connector, renewed when needed. Thread-safe.

    ``renew`` asks the vendor for new tokens with old ones: :class:`GrantRefused` when it does not accept them.
    ``refusals``: the HTTP statuses by which it says that an access token is not good (any more).
    """

    def __init__(
        self,
        alias: str,
        name: str,
        renew: Callable[[Tokens], Tokens],
        *,
        refusals: frozenset[int] = frozenset({401}),
        store: Callable[[str], TokenStore] = store_of,
    ):
        self._alias, self._name, self._renew = alias, name, renew
        self._refusals, self._store = refusals, store

    def call(self, do: Callable[[Tokens], T]) -> T:
        """``do(tokens)``; when the access token is refused, once more with a new one. Raises what ``do`` raises.

        Only for calls of which nothing was done when the token was refused. :class:`NotConnected` where a person is
        needed, AdapterUnavailable while the vendor gives no new token.
        """
        tokens = self.current()
        try:
            return do(tokens)
        except AdapterRejected as error:
            if error.status not in self._refusals:
                raise
        return do(self.current(refused=tokens.access))

    def current(self, *, refused: str = "") -> Tokens:
        """Tokens whose access token is good, and is not the one that was ``refused``."""
        store = self._store(self._alias)
        ends = time.monotonic() + PATIENCE
        while True:
            tokens = store.load()
            if tokens is None or tokens.refused:
                raise NotConnected(f"{self._name} has to be connected (again): Dashboard, Other systems")
            is_other = tokens.access != refused
            if is_other and tokens.is_fresh(time.time()):
                return tokens
            if store.claim(CLAIM):
                return self._renewed(store, refused)
            if is_other and time.time() < tokens.expires_at:
                return tokens
            if time.monotonic() >= ends:
                raise AdapterUnavailable(f"{self._name}: another worker is renewing the token")
            time.sleep(LOOK)

    def _renewed(self, store: TokenStore, refused: str) -> Tokens:
        """New tokens, by whoever was faster. We hold the claim."""
        used = store.load()
        if used is None or used.refused or (used.access != refused and used.is_fresh(time.time())):
            store.release()
            return self._or_nothing(used)
        try:
            new = self._renew(used)
        except GrantRefused:
            # Another worker, whose claim had run out over a slow call, may have used it: then its tokens are there.
            if not store.save(replace(used, refused=True), replaces=used):
                return self._or_nothing(store.load())
            return self._or_nothing(None)
        except BaseException:
            store.release()
            raise
        if store.save(new, replaces=used):
            return new
        # A person connected it anew meanwhile: that counts.
        return self._or_nothing(store.load())

    def _or_nothing(self, tokens: Tokens | None) -> Tokens:
        if tokens is None or tokens.refused:
            raise NotConnected(f"{self._name} has to be connected (again): Dashboard, Other systems")
        return tokens
