"""What every connector can do, and what some can: an ERP, an accounting system, a CRM, configured like CACHES.

    "CONNECTORS": {"bling": {"BACKEND": "oscar_fulfillment.connectors.bling.Bling", "OPTIONS": {...}}}

A subclass declares ``extra_capabilities`` and ``told``, and overrides what they promise. Plain data in, plain data out
(:mod:`.records`); errors are those of :mod:`core.http`. No model, no database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected, ConfigurationError

from .oauth import Tokens
from .records import Change, Notice, OutsideState, Page, Pushed, Rule, Task

ORDER, STATE, PAYMENT, DELIVERY, CREDIT = "order", "state", "payment", "delivery_note", "credit_note"
#: Any step that moves a status.
ANY_MOVE = "*"
#: What orders are told at: the name of the setting's choice, and the action of the history.
MOMENTS = {"placed": "place", "paid": "approve_payment", "released": "release", "dispatched": "dispatch"}


class Capability(StrEnum):
    """What a connector can do; decides what runs by itself and which buttons show."""

    FETCHED = "fetched"  # the other side comes for what waits: nothing is sent
    FIND = "find"  # something can be found by our number, also when the answer to its sending was lost
    IDEMPOTENT = "idempotent"  # the same key twice is one over there: what was not answered is simply sent again
    REVISE = "revise"  # an order that was sent can be sent anew
    STATES = "states"  # takes our status
    PULL = "pull"  # can be asked for what changed
    NOTIFIES = "notifies"  # tells of changes by itself
    CONNECT = "connect"  # a person lets the shop in, by OAuth


class Connector:
    """One system beside the shop. ``order_at``: the moment at which orders go there (a key of :data:`MOMENTS`).

    ``flows`` and ``currencies`` narrow which orders concern it; empty: all.
    """

    name: Any = ""
    #: What it is, in a word: "erp", "accounts" or "crm".
    kind: str = "erp"
    extra_capabilities: frozenset[str] = frozenset()
    #: kind of message -> actions of the history that cause it (:data:`ANY_MOVE` for every move). The moment of "order"
    #: is added; actions named here for it send an order anew that was to be sent before.
    told: Mapping[str, frozenset[str]] = {}
    default_order_at = "released"
    #: Minutes between two questions of what changed.
    poll_every: float = 5
    #: Status rules for a shop that made none of its own.
    rules: Sequence[Rule] = ()
    #: kind of message -> the order's status over there that it leads to: our own change, when it comes back.
    leads_to: Mapping[str, str] = {}

    def __init__(
        self,
        *,
        alias: str,
        name: Any = None,
        order_at: str = "",
        flows: Sequence[str] = (),
        currencies: Sequence[str] = (),
        poll_every: float | None = None,
    ):
        self.alias, self.name = alias, name or self.name or alias
        self.order_at = order_at or self.default_order_at
        if self.order_at not in MOMENTS:
            raise ConfigurationError(f"{alias}: order_at is one of {', '.join(MOMENTS)}")
        if isinstance(flows, str) or isinstance(currencies, str):
            raise ConfigurationError(f"{alias}: flows and currencies are lists")
        self.flows, self.currencies = frozenset(flows), frozenset(currencies)
        if poll_every is not None:
            self.poll_every = poll_every

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias!r}>"

    @property
    def capabilities(self) -> frozenset[str]:
        """Members of :class:`Capability`. A subclass takes away what its options leave out."""
        return self.extra_capabilities

    def kinds_for(self, action: str, *, moves: bool) -> list[str]:
        """Which messages an action of the history causes. ``moves``: whether it moved a status."""
        found = [ORDER] if action == MOMENTS[self.order_at] else []
        for kind, actions in self.told.items():
            if kind not in found and (action in actions or (moves and ANY_MOVE in actions)):
                found.append(kind)
        return found

    def wants(self, kind: str, payment: str) -> bool:
        """Whether a message of this kind is for it, by the code of the order's payment method ("" for none)."""
        return True

    def concerns(self, flow: str, currency: str) -> bool:
        """Whether orders of this flow and currency go there."""
        return (not self.flows or flow in self.flows) and (not self.currencies or currency in self.currencies)

    def takes_order(self, order_id: int) -> bool:
        """Whether this very order (by primary key) goes there; asked when it is its turn."""
        return True

    def push(self, task: Task) -> Pushed:
        """Send it. AdapterUnavailable: certainly not done. AdapterUnanswered: perhaps. AdapterRejected: refused."""
        raise AdapterRejected(f"{self.alias} takes nothing of the kind {task.kind!r}")

    def find(self, task: Task) -> Pushed | None:
        """What an earlier try, whose answer was lost, has left there; None if nothing. Needs FIND."""
        return None

    def pull(self, cursor: str) -> Page:
        """What changed since ``cursor`` ("" the first time). Needs PULL."""
        raise NotImplementedError

    def fetch(self, external_id: str) -> Change | Sequence[Change] | None:
        """Read something again that a notification named: what it says, in the order in which it is to be taken.

        None or nothing if it does not concern the shop. Needs NOTIFIES.
        """
        return None

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        """Return if the notification proves where it comes from, else WebhookVerificationFailed. Needs NOTIFIES."""
        raise NotImplementedError

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Notice:
        """What a verified notification says. AdapterRejected for what cannot be read."""
        raise NotImplementedError

    def state_for(self, state: str, flow: str, currency: str) -> str:
        """What a status that a rule names is called for orders of this flow and currency: pipelines differ."""
        return state

    def plain_state(self, state: str) -> str:
        """A status without its pipeline: a rule that names it so is meant for every pipeline."""
        return state

    def label_of(self, state: str) -> str:
        """What a status is called over there, "" where that would have to be asked for."""
        return ""

    def states(self) -> Sequence[OutsideState]:
        """Their statuses, for the choice in rules; may ask the other side. Empty: codes are typed."""
        return ()

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """Where a person lets the shop in; they come back to ``redirect_uri`` with ``state`` and a code.

        Needs CONNECT.
        """
        raise NotImplementedError

    def exchange(self, *, code: str, redirect_uri: str) -> Tokens:
        """The tokens for a code that a person brought back. ``oauth.GrantRefused`` if it is not good. Needs CONNECT."""
        raise NotImplementedError
