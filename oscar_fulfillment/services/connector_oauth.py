"""A person lets the shop into a system by OAuth: there with a state, back with a code, the tokens kept sealed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import Capability, Connector
from oscar_fulfillment.connectors.oauth import Tokens
from oscar_fulfillment.core import circuit, outbox, sealed
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import ConnectorState, OutboundMessage

from .connector_events import lane
from .connector_tokens import DatabaseTokens

#: Seconds that a person has to come back with the code.
PATIENCE = 900
#: States of a connection.
CONNECTED, REFUSED, NONE = "connected", "refused", "none"


@dataclass(frozen=True)
class Connection:
    """How a connector stands with its system. ``since``: when it gave the last tokens."""

    state: str
    since: datetime | None = None


def connectable(alias: str) -> Connector | None:
    """The connector of this alias, if a person connects it."""
    if alias not in connectors:
        return None
    connector: Connector = connectors.get(alias)
    return connector if Capability.CONNECT in connector.capabilities else None


def connection_of(alias: str) -> Connection | None:
    """How a connector stands with its system; None for one that no person connects. 1 query."""
    if connectable(alias) is None:
        return None
    tokens = None if sealed.missing_packages() else DatabaseTokens(alias).load()
    return Connection(_state(tokens), _since(tokens))


def _state(tokens: Tokens | None) -> str:
    if tokens is None:
        return NONE
    return REFUSED if tokens.refused else CONNECTED


def _since(tokens: Tokens | None) -> datetime | None:
    return datetime.fromtimestamp(tokens.obtained_at, UTC) if tokens else None


def check_installed() -> None:
    """:class:`InvalidInput` where tokens cannot be kept; it names what to install."""
    if missing := sealed.missing_packages():
        words = {"names": ", ".join(missing), "extra": f'"{sealed.EXTRA}"'}
        message = _("Tokens cannot be kept: %(names)s is missing. Install it with: pip install %(extra)s")
        raise InvalidInput({"": [message % words]})


def connect(*, connector: Connector, code: str, redirect_uri: str) -> None:
    """Exchange the code that a person brought back, keep the tokens, and let what waits go on.

    AdapterError when the system gives no tokens. Not inside a transaction.
    """
    check_installed()
    tokens = connector.exchange(code=code[:2000], redirect_uri=redirect_uri)
    DatabaseTokens(connector.alias).save(tokens)
    now = timezone.now()
    # Asked at once, and what waited for this need not wait longer.
    ConnectorState._default_manager.filter(pk=connector.alias).update(error="", failing_since=None, next_at=None)
    OutboundMessage._default_manager.filter(
        destination=lane(connector.alias), status=OutboundMessage.PENDING, next_attempt_at__gt=now
    ).update(next_attempt_at=now)
    circuit.reopen(outbox.PUMP.health_name(lane(connector.alias)))


def disconnect(*, connector: Connector) -> None:
    """Forget the tokens. The system itself still trusts the application until a person ends that there."""
    DatabaseTokens(connector.alias).forget()


def is_in_time(began: float) -> bool:
    """Whether somebody who left at this moment (Unix seconds) may still come back."""
    return 0 <= time.time() - began <= PATIENCE
