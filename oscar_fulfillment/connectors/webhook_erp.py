"""Any ERP that can take a signed POST: the order goes to its address as soon as it is released.

The message is one of Standard Webhooks 1.0: the body ``{"type", "timestamp", "api_version", "data": {"order": ...}}``
and three headers, the signature by every secret of the settings. 2xx acknowledges; ``id`` (or ``external_id``) and
``number`` of a JSON answer are kept as what the order is called over there. Whoever answers does so at an address that
a merchant typed in, so it is called as strangers are (``core.public_http``).
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from oscar_fulfillment import __version__
from oscar_fulfillment.core import public_http
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    ConfigurationError,
)
from oscar_fulfillment.core.public_address import AddressRefused, Rules, read_url
from oscar_fulfillment.core.public_http import Reply
from oscar_fulfillment.core.signatures import standard_headers

from .base import ANY_MOVE, STATE, Capability, Connector
from .order_document import order_document
from .records import Pushed, Task

PREFIX = "whsec_"
#: The version of the body, beside the document itself.
API_VERSION = "1"
#: Bytes that a secret has at least.
LEAST_SECRET = 16
#: Errors of ``core.public_http`` after which it may have been done; after all others it certainly was not.
_PERHAPS = frozenset({public_http.TOO_SLOW, public_http.BROKEN})
_LATER = frozenset({429, 503})
#: type of the message by the moment at which orders go.
_TYPES = {"placed": "order.recorded", "paid": "payment.approved", "released": "order.released",
          "dispatched": "shipment.dispatched"}  # fmt: skip


class SignedWebhook(Connector):
    """An address that takes orders.

    ``secrets``: as the other side has them, the newest first, ``whsec_`` and base64, or plain text. ``idempotent``: it
    takes the same ``webhook-id`` once. ``revise``: an order that changed after it went is sent anew. ``states``: it is
    told every status too. ``allow_hosts``, ``allow_http``, ``ports``: as in the setting WEBHOOKS_OUT.
    """

    kind = "erp"
    extra_capabilities = frozenset({Capability.IDEMPOTENT, Capability.REVISE, Capability.STATES})

    def __init__(
        self,
        *,
        url: str,
        secrets: Sequence[str],
        idempotent: bool = True,
        revise: bool = False,
        states: bool = False,
        timeout: float = 15,
        allow_hosts: Sequence[str] = (),
        allow_http: bool = False,
        ports: Sequence[int] = (443,),
        **options: Any,
    ):
        super().__init__(**options)
        if isinstance(secrets, str) or not secrets:
            raise ConfigurationError(f"{self.alias}: secrets is a list with at least one secret")
        self._keys = [_key(self.alias, secret) for secret in secrets]
        self._url, self.timeout = url, timeout
        self._rules = Rules.of({"allow_hosts": allow_hosts, "allow_http": allow_http, "ports": ports})
        try:
            read_url(url, self._rules)
        except AddressRefused as error:
            raise ConfigurationError(f"{self.alias}: url: {error}") from error
        chosen = {Capability.IDEMPOTENT: idempotent, Capability.REVISE: revise, Capability.STATES: states}
        self._capabilities = frozenset(name for name, is_on in chosen.items() if is_on)
        if states:
            self.told = {STATE: frozenset({ANY_MOVE})}

    @property
    def capabilities(self) -> frozenset[str]:
        return self._capabilities

    def push(self, task: Task) -> Pushed:
        """POST the order, or its status. Every answer with 2xx has taken it."""
        reply = self._post(self._message_id(task), self._body(task))
        _refuse(self.alias, reply)
        said = _said(reply)
        # What is sent after this was taken is another message, also when it is about the same order.
        return Pushed(
            external_id=_text(said, "id", "external_id"),
            number=_text(said, "number"),
            state=task.state,
            data={"taken": _taken(task) + 1},
        )

    def _post(self, message_id: str, body: bytes) -> Reply:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"django-oscar-fulfillment/{__version__}",
            **standard_headers(message_id, body, self._keys, time.time()),
        }
        return public_http.post(self._url, body, headers, rules=self._rules, timeout=self.timeout)

    @staticmethod
    def _message_id(task: Task) -> str:
        """The same for every try of one message, whatever the order has become meanwhile."""
        return f"{task.key}:{_taken(task)}"

    def _body(self, task: Task) -> bytes:
        data: dict[str, Any] = {"order": order_document(task.order)}
        if task.state:
            data["state"] = task.state
        document = {
            "type": "order.status_changed" if task.kind == STATE else _TYPES[self.order_at],
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "api_version": API_VERSION,
            "data": data,
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _key(alias: str, secret: str) -> bytes:
    raw = secret.encode()
    if secret.startswith(PREFIX):
        try:
            raw = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ConfigurationError(f"{alias}: a secret that begins with {PREFIX} goes on in base64") from None
    if len(raw) < LEAST_SECRET:
        raise ConfigurationError(f"{alias}: a secret has at least {LEAST_SECRET} bytes")
    return raw


def _taken(task: Task) -> int:
    """How many messages about this were taken before."""
    return int(task.own.data.get("taken", 0))


def _refuse(alias: str, reply: Reply) -> None:
    """Raise what an answer means that is not 2xx."""
    if reply.is_ok:
        return
    if reply.status is None:
        kind = AdapterUnanswered if reply.error in _PERHAPS else AdapterUnavailable
        raise kind(f"{alias}: {reply.error} {reply.detail}".strip())
    words = f"{alias} answered {reply.status}"
    if reply.status in _LATER:
        raise AdapterUnavailable(words, retry_after=reply.retry_after)
    if reply.status >= 500 or reply.status < 400:
        raise AdapterUnanswered(words)
    raise AdapterRejected(f"{words}: {reply.excerpt[:300]}".strip(), status=reply.status, body=reply.excerpt.encode())


def _said(reply: Reply) -> Mapping[str, Any]:
    """The answer's JSON object; {} where it says nothing that can be read."""
    try:
        found = json.loads(reply.excerpt)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(said: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = said.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
            return "".join(c for c in str(value).strip()[:100] if c.isprintable())
    return ""
