"""Bling, an ERP of Brazil (API v3): orders go there with our number; notes, tracking codes and situations come back.

Facts, from its documentation (developer.bling.com.br) and what public integrations report:

* OAuth with a code: access tokens last six hours, refresh tokens thirty days and one use. ``enable-jwt: 1`` asks for
  the newer kind of token.
* Three calls a second and 120,000 a day; beyond them 429.
* Webhooks carry ``X-Bling-Signature-256: sha256=`` and the HMAC of the body under the application's secret, wait five
  seconds for an answer, and name only ids that matter here. There is no list of notes by change, only by date of issue.

See ``docs/connectors/bling.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    ConfigurationError,
)
from oscar_fulfillment.core.http import segment
from oscar_fulfillment.core.signatures import verify_hmac

from . import bling_mapping as mapping
from .base import ANY_MOVE, ORDER, STATE, Capability, Connector
from .bling_contacts import contact_of
from .bling_mapping import Terms
from .bling_pull import Asking
from .bling_reading import ORDERS, Reading
from .bling_wire import BlingWire
from .oauth import Tokens
from .pacing import pace_of
from .records import Change, Notice, OutsideState, Page, Pushed, Task

logger = logging.getLogger("oscar_fulfillment.connectors")

BASE_URL = "https://api.bling.com.br/Api/v3"
AUTHORIZE_URL = "https://www.bling.com.br/Api/v3/oauth/authorize"
#: Where people see an order.
PAGE_URL = "https://www.bling.com.br/vendas.php#edit/{id}"
#: Hosts that give a note's XML.
FILES_FROM = ("www.bling.com.br", "bling.com.br", "api.bling.com.br")
PER_SECOND, PER_DAY = 3, 120_000
#: Noted with an order once its answer was read. Their id alone says less: a webhook may have brought it before.
_TAKEN = "taken"


class Bling(Connector):
    """One application at one account of Bling.

    ``client_id``, ``client_secret``: the application's. ``store``: the id of the shop's sales channel there (loja);
    with it other channels' orders and notes are none of ours. ``payments``: payment method -> id of their form of
    payment; without one the order has no instalments. ``services``: shipping method -> alias of their logistics
    service. ``freight``: who pays it, as a note says it. ``fetch_xml``: take the note's XML (needs the extra [nfe]).
    ``consumer_notes``: also look for NFC-e when asking. ``needs_note``: tracking codes count once the note is issued.
    ``per_second``, ``per_day``: calls of this process; several share what Bling allows.
    """

    name = "Bling"
    kind = "erp"
    told: Mapping[str, frozenset[str]] = {STATE: frozenset({ANY_MOVE})}
    extra_capabilities = frozenset(
        {
            Capability.FIND, Capability.REVISE, Capability.STATES, Capability.PULL, Capability.NOTIFIES,
            Capability.CONNECT,
        }
    )  # fmt: skip

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        store: int = 0,
        payments: Mapping[str, int] | None = None,
        services: Mapping[str, str] | None = None,
        freight: int = 0,
        fetch_xml: bool = True,
        consumer_notes: bool = False,
        needs_note: bool = True,
        base_url: str = BASE_URL,
        authorize_url: str = AUTHORIZE_URL,
        page_url: str = PAGE_URL,
        files_from: Sequence[str] = FILES_FROM,
        per_second: int = PER_SECOND,
        per_day: int = PER_DAY,
        read_timeout: float = 20.0,
        **options: Any,
    ):
        super().__init__(**options)
        if not client_id or not client_secret:
            raise ConfigurationError(f"{self.alias}: client_id and client_secret are those of the application")
        if isinstance(files_from, str) or per_second < 1 or per_day < 1:
            raise ConfigurationError(f"{self.alias}: files_from is a list, per_second and per_day are 1 or more")
        self.terms = Terms(int(store), int(freight), dict(payments or {}), dict(services or {}))
        self._client_id, self._secret = client_id, client_secret
        self._authorize_at, self._page_url = authorize_url, page_url
        self.wire = BlingWire(
            base_url,
            alias=self.alias,
            client_id=client_id,
            client_secret=client_secret,
            pace=pace_of(f"{base_url} {client_id}", per_second, per_day),
            files_from=files_from,
            read=read_timeout,
        )
        self.reading = Reading(self.wire, self.terms, fetch_xml=fetch_xml, needs_note=needs_note)
        self._asking = Asking(self.reading, consumer_notes=consumer_notes)

    # Letting the shop in

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """Bling leads back to the address that the application has: ``redirect_uri`` is to be entered there."""
        query = {
            "response_type": "code", "client_id": self._client_id, "state": state, "redirect_uri": redirect_uri,
        }  # fmt: skip
        return f"{self._authorize_at}?{urlencode(query)}"

    def exchange(self, *, code: str, redirect_uri: str) -> Tokens:
        return self.wire.exchanged(code)

    # Orders out

    def push(self, task: Task) -> Pushed:
        if task.kind == STATE:
            return self._show(number_of_task(task), task.state)
        if task.kind != ORDER:
            return super().push(task)
        body = mapping.order_body(task.order, contact_of(self.wire, task.order), self.terms)
        if task.own.data.get(_TAKEN) and task.own.external_id:
            # The whole order anew: the same twice is the same.
            self.wire.change("PUT", f"{ORDERS}/{segment(task.own.external_id)}", body)
            return self._arrived(mapping.number_of(task.own.external_id), "")
        try:
            made = self.wire.change("POST", ORDERS, body)
        except AdapterRejected as error:
            # Whatever its words: if the order is there, this was about our number, which they take once.
            if error.status in (400, 409, 422) and (found := self.find(task)) is not None:
                return found
            raise
        order_id = mapping.number_of(made.get("id") if isinstance(made, Mapping) else None)
        if not order_id:
            raise AdapterUnanswered("Bling's answer names no order")
        return self._arrived(order_id, task.state)

    def find(self, task: Task) -> Pushed | None:
        """The order with our number, where the first try made it; a change of one that is there is sent again."""
        if task.kind != ORDER or task.own.data.get(_TAKEN):
            return None
        document = self.reading.order_of(task.order.number)
        if document is None:
            return None
        theirs = mapping.compact(mapping.inner(document, "contato").get("numeroDocumento"))
        ours = mapping.compact(task.order.buyer.tax_id)
        if theirs and ours and theirs != ours:
            raise AdapterRejected(
                gettext("Bling has another buyer's order under the number {number}.").format(number=task.order.number)
            )
        return self._arrived(mapping.number_of(document.get("id")), task.state)

    def _arrived(self, order_id: int, wanted: str) -> Pushed:
        """The order is there: what it is called, and the situation that it is to have."""
        number = state = ""
        try:
            if document := self.wire.find(f"{ORDERS}/{order_id}"):
                number, state = mapping.words(document.get("numero"), 64), mapping.situation_of(document)
        except (AdapterUnavailable, AdapterRejected) as error:
            logger.info("%s took the order %s, which cannot be read now: %s", self.alias, order_id, error)
        if wanted and state and wanted != state:
            self._show(order_id, wanted)
            state = wanted
        link = self._page_url.format(id=order_id)
        return Pushed(str(order_id), number, state, link, data={_TAKEN: True})

    def _show(self, order_id: int, state: str) -> Pushed:
        self.wire.change("PATCH", f"{ORDERS}/{order_id}/situacoes/{segment(state)}")
        return Pushed(str(order_id), state=state)

    # What comes back

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        verify_hmac(body, headers.get("x-bling-signature-256"), self._secret, prefix="sha256=")

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Notice:
        return mapping.notice_from(body)

    def fetch(self, external_id: str) -> list[Change]:
        kind, _colon, rest = external_id.partition(":")
        number, _colon, word = rest.partition(":")
        if kind == "order":
            return self.reading.order_changes(mapping.number_of(number), word)
        return self.reading.note_changes(kind, mapping.number_of(number)) if kind in ("nfe", "nfce") else []

    def pull(self, cursor: str) -> Page:
        return self._asking.pull(cursor)

    def label_of(self, state: str) -> str:
        return str(mapping.SITUATIONS.get(state, ""))

    def states(self) -> Sequence[OutsideState]:
        """The situations of sales in this account; Bling's own where they cannot be asked for."""
        try:
            modules = self.wire.listed("/situacoes/modulos", {})
            sales = next((one for one in modules if one.get("nome") == "Vendas"), {})
            found = self.wire.listed(f"/situacoes/modulos/{mapping.number_of(sales.get('id'))}", {}) if sales else []
        except (AdapterUnavailable, AdapterRejected):
            found = []
        own = {str(mapping.number_of(one.get("id"))): mapping.words(one.get("nome")) for one in found}
        return [OutsideState(code, label) for code, label in (own or mapping.SITUATIONS).items() if code != "0"]


def number_of_task(task: Task) -> int:
    """The id of the order over there that a task is about."""
    found = mapping.number_of(task.known.external_id)
    if not found:
        raise AdapterRejected(gettext("The order itself is not over there."))
    return found
