"""Melhor Envio, an aggregator of Brazilian carriers: parcels followed through its API, signed notifications.

Facts, from its documentation (docs.melhorenvio.com.br) and what public integrations report:

* ``POST /api/v2/me/shipment/tracking`` with ``{"orders": [ids]}`` answers how the labels stand, by their ids, from a
  cache of an hour. A tracking code is turned into an id by ``GET /api/v2/me/orders/search?q=``, which answers 204 when
  it finds nothing. 250 calls a minute are allowed to a user, and a ``User-Agent`` that names the shop and a mailbox.
* OAuth tokens last 30 days and are renewed in pairs, which somebody has to keep: the shop (``token_source``). Tokens
  made in the panel last longer (``token``).
* Notifications carry ``X-ME-Signature``, the HMAC-SHA256 of the body under the secret of the application (base64;
  hexadecimal is seen too). Only labels made through the same application are notified. When an address is registered
  it is tried with a message that proves nothing and names no order, and has to answer 200.
"""

from __future__ import annotations

import re
import threading
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.module_loading import import_string
from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.core.http import Answer, HttpClient
from oscar_fulfillment.core.signatures import verify_hmac

from .base import Capability
from .events import ParcelHint, Tracked
from .known import Known
from .melhor_envio_mapping import events_from, explained, hint_from, id_of, is_ping, named
from .tokens import TokenKeeper

BASE_URL = "https://melhorenvio.com.br"
TIME_ZONE = "America/Sao_Paulo"
#: Codes in one question: each costs a search the first time.
BATCH = 20
#: Codes whose id is remembered.
_REMEMBERED = 5_000
#: How long a token is used before the shop is asked for it again, in seconds.
_KEPT = 600.0
_CODE = re.compile(r"[A-Z0-9][A-Z0-9._-]{3,63}", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class MelhorEnvio(Known):
    """Melhor Envio. Links to Melhor Rastreio; a token lets parcels be asked for, ``webhook_secrets`` let it tell.

    ``token``: an access token; or ``token_source``: a callable (or its dotted path) that returns the current one, and
    is asked again when Melhor Envio refuses it. ``contact``: the shop's name and mailbox, "Shop (mail@shop.example)",
    needed with either. ``webhook_secrets``: the secrets of the application, the new one beside the old while it is
    changed. Without a token its notifications are believed; with one they are hints. ``time_zone``: in which it writes
    its times.
    """

    track_batch = BATCH
    # A batch is up to 21 calls, and 250 a minute are allowed.
    calls_per_minute = 10

    def __init__(
        self,
        *,
        alias: str,
        token: str = "",
        token_source: str | Callable[[], str] = "",
        contact: str = "",
        webhook_secrets: Sequence[str] = (),
        base_url: str = BASE_URL,
        time_zone: str = TIME_ZONE,
        read_timeout: float = 30.0,
        **options: Any,
    ):
        super().__init__(**{"alias": alias, "like": "melhor_envio", **options})
        if isinstance(webhook_secrets, str) or not all(webhook_secrets):
            raise ConfigurationError("Melhor Envio: webhook_secrets is a list of secrets")
        if token and token_source:
            raise ConfigurationError("Melhor Envio: token or token_source, not both")
        asks = bool(token or token_source)
        if asks and not (contact and contact.isascii() and contact.isprintable()):
            raise ConfigurationError("Melhor Envio needs contact: the shop's name and mailbox, in ASCII")
        self._source: Any = token_source
        try:
            self._zone = zoneinfo.ZoneInfo(time_zone)
            if token_source and isinstance(token_source, str):
                self._source = import_string(token_source)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, ImportError) as error:
            raise ConfigurationError(f"Melhor Envio: {error}") from error
        self._token, self._secrets = token, tuple(webhook_secrets)
        able = {Capability.TRACK: asks, Capability.WEBHOOK: bool(self._secrets)}
        self.extra_capabilities = frozenset(word for word, has in able.items() if has)
        self._http = HttpClient(
            base_url,
            headers={"User-Agent": contact} if contact else {},
            read=read_timeout,
            name=f"Melhor Envio {alias}",
        )
        # One fixed token is not tried twice.
        self._tokens = TokenKeeper(self._ask, margin=0.0, refusals=frozenset({401}) if token_source else frozenset())
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}

    # Following

    def track(self, codes: Sequence[str]) -> list[Tracked]:
        """How at most 20 parcels stand. A code that no label of the account has is not known."""
        if Capability.TRACK not in self.extra_capabilities:
            return super().track(codes)
        if len(codes) > BATCH:
            raise AdapterRejected(gettext("Melhor Envio takes at most {count} codes at once.").format(count=BATCH))
        wanted = list(dict.fromkeys(codes))
        ids = {code: found for code in wanted if (found := self._id(code))}
        documents = self._documents(list(dict.fromkeys(ids.values()))) if ids else {}
        answers = []
        for code in wanted:
            document = documents.get(ids.get(code, ""))
            if isinstance(document, Mapping):
                answers.append(Tracked(code, events_from(document, self._zone)))
            else:
                answers.append(Tracked(code, problem="not_found"))
        return answers

    def _id(self, code: str) -> str:
        """The id of the label with this code, "" for none. What was found once stays so."""
        if not _CODE.fullmatch(code):
            return ""
        with self._lock:
            if code in self._ids:
                return self._ids[code]
        try:
            answer = self._call("GET", "/api/v2/me/orders/search", query={"q": code})
        except AdapterRejected as error:
            if error.status != 404:
                raise
            return ""
        found = answer.json() if answer.body.strip() else []
        if isinstance(found, Mapping):
            found = found.get("data")
        if not isinstance(found, list):
            raise AdapterUnavailable("Melhor Envio sent no list")
        # The search is generous: only a label that has exactly this code is this parcel.
        labels = {id_of(document) for document in found if named(document, code)} - {""}
        if len(labels) != 1:
            return ""
        [external_id] = labels
        with self._lock:
            if len(self._ids) >= _REMEMBERED:
                self._ids.clear()
            self._ids[code] = external_id
        return external_id

    def _documents(self, ids: Sequence[str]) -> Mapping[str, Any]:
        found = self._call("POST", "/api/v2/me/shipment/tracking", json_body={"orders": list(ids)}).json()
        if not isinstance(found, Mapping):
            raise AdapterUnavailable("Melhor Envio sent no labels")
        return found

    def _call(self, method: str, path: str, **options: Any) -> Answer:
        """Nothing is changed by any of these calls: one without an answer is made again later."""

        def ask(token: str) -> Answer:
            return self._http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **options)

        try:
            return self._tokens.call(ask)
        except AdapterRejected as error:
            raise explained(error) from error

    def _ask(self) -> tuple[str, float]:
        token = self._source() if callable(self._source) else self._token
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise AdapterUnavailable("there is no token for Melhor Envio now")
        return token, _KEPT

    # Being told

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        """Returns for what is signed, and for the message that tries an address: it names no order and says nothing."""
        if not self._secrets:
            return super().verify(headers, body, query)
        if is_ping(body):
            return None
        signature = headers.get("x-me-signature", "").strip().removeprefix("sha256=")
        encoding = "hex" if _HEX.fullmatch(signature) else "base64"
        return verify_hmac(body, signature, self._secrets, encoding=encoding)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> ParcelHint:
        if not self._secrets:
            return super().parse_notification(headers, body, query)
        return hint_from(body, self._zone)
