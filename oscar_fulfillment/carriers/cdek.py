"""CDEK (API v2): parcels followed, orders placed and printed, notifications. Facts: its API reference, apidoc.cdek.ru.

*Orders come in two steps.* CDEK takes an order (``ACCEPTED``), checks it afterwards, within a second or up to a
minute, and only then it has its number: ``fetch_order`` until it is CREATED or INVALID.

*A lost answer.* CDEK knows no idempotency keys; an order is known by its ``number``, our reference, which CDEK takes
once among the orders that are under way. So ``create_order`` looks for it first and never orders twice.

*Notifications are not signed.* Their address carries a secret ``?token=``, and they are hints: the order is read again.
Every client may have two subscriptions (:meth:`Cdek.subscribe`); CDEK drops one whose address does not answer with 200.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.core.http import segment
from oscar_fulfillment.core.signatures import verify_token

from .base import Capability
from .cdek_answers import ID, NUMBER, entity_of, mappings, request_of, words
from .cdek_mapping import events_from, form_of, hint_from, order_from, printed_form, return_orders
from .cdek_orders import OrderRules, order_body
from .cdek_wire import CdekWire, Memory
from .events import CarrierOrderRequest, CarrierOrderState, ParcelHint, RemoteOrder, Tracked
from .known import KNOWN
from .manual import Manual

BASE_URL = "https://api.cdek.ru/v2"
TEST_URL = "https://api.edu.cdek.ru/v2"
#: What notifications are wanted for; a client has two subscriptions at most.
SUBSCRIPTIONS = ("ORDER_STATUS", "DELIV_PROBLEM")
#: Printed forms: what ``OPTIONS["label"]`` may be, and the address of each.
FORMS = {"barcode": "/print/barcodes", "waybill": "/print/orders"}
FORMATS = ("A4", "A5", "A6", "A7")
#: A token in an address has to be unguessable.
MIN_TOKEN = 16
#: Seconds before each look whether CDEK has done what it took; what takes longer is looked at later.
PAUSES: Sequence[float] = (0.0, 0.4, 0.8)


class Cdek(Manual):
    """One account of CDEK.

    ``account`` and ``password`` are those of the integration (not of the personal account). Orders need ``tariffs``
    and ``sender``, and take ``weight``, ``dimensions``, ``vat_rate``, ``currency``: see :class:`OrderRules`.
    ``webhook_tokens``: the secrets in the address of the notifications, the newest first. ``label``: "barcode" (the
    sticker of each box, in ``label_format``) or "waybill" (CDEK's receipt).
    """

    name = _("CDEK")
    # CDEK promises to bear 200 calls a second from everybody.
    calls_per_minute = 600

    def __init__(
        self,
        *,
        account: str,
        password: str,
        base_url: str = BASE_URL,
        webhook_tokens: Sequence[str] = (),
        tariffs: Mapping[str, int] | None = None,
        sender: Mapping[str, Any] | None = None,
        weight: int = 0,
        dimensions: Sequence[int] = (0, 0, 0),
        vat_rate: int | None = None,
        currency: str = "RUB",
        label: str = "barcode",
        label_format: str = "A6",
        read_timeout: float = 30.0,
        **options: Any,
    ):
        super().__init__(**{**KNOWN["cdek"], "pattern": NUMBER.pattern, "example": "1105088384", **options})
        if not account or not password:
            raise ConfigurationError("CDEK needs account and password")
        if isinstance(webhook_tokens, str) or any(len(token) < MIN_TOKEN for token in webhook_tokens):
            raise ConfigurationError(f"CDEK: webhook_tokens is a list of secrets of {MIN_TOKEN} characters or more")
        if label not in FORMS or label_format not in FORMATS:
            raise ConfigurationError(f"CDEK: label is one of {sorted(FORMS)}, label_format one of {FORMATS}")
        self.webhook_tokens, self.label_form, self.label_format = tuple(webhook_tokens), label, label_format
        self.rules = (
            OrderRules(
                tariffs=tariffs, sender=sender or {}, weight=weight, dimensions=dimensions,
                vat_rate=vat_rate, currency=currency,
            )
            if tariffs
            else None
        )  # fmt: skip
        if self.creates_orders and not self.rules:
            raise ConfigurationError("CDEK: creates_orders needs tariffs and sender")
        able = {Capability.TRACK, Capability.FIND_ORDER, Capability.CANCEL_ORDER, Capability.LABEL}
        if not self.rules:
            able = {Capability.TRACK}
        self.extra_capabilities = frozenset(
            able
            | ({Capability.CREATE_ORDER} if self.rules else set())
            | ({Capability.WEBHOOK} if self.webhook_tokens else set())
        )
        self._wire = CdekWire(base_url, account, password, read=read_timeout, name=f"CDEK {self.alias}")
        self._making, self._deleting = Memory(), Memory()

    # Following

    def track(self, codes: Sequence[str]) -> list[Tracked]:
        """What CDEK knows, with the way back of what was not handed over: that is an order of its own."""
        return [self._tracked(code) for code in codes]

    def _tracked(self, code: str) -> Tracked:
        if not NUMBER.fullmatch(code):
            return Tracked(code, problem="not_found")
        document = self._found("/orders", {"cdek_number": code})
        if document is None:
            return Tracked(code, problem="not_found")
        events = events_from(document)
        for uuid in return_orders(document):
            way_back = self._found(f"/orders/{segment(uuid)}")
            events += events_from(way_back) if way_back is not None else []
        return Tracked(code, sorted(events, key=lambda event: event.occurred_at))

    # Being told

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        if not self.webhook_tokens:
            super().verify(headers, body, query)
        verify_token(query.get("token"), self.webhook_tokens)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> ParcelHint:
        if not self.webhook_tokens:
            return super().parse_notification(headers, body, query)
        return hint_from(body)

    def subscribe(self, url: str) -> None:
        """Let CDEK tell ``url`` (with its ``?token=``) what it should; earlier ones with another token are ended."""
        found = [entity_of(entry) or entry for entry in mappings(self._wire.get("/webhooks"))]
        kept = {entry.get("type") for entry in found if entry.get("url") == url}
        for entry in found:
            ours = urlsplit(str(entry.get("url")))[:3] == urlsplit(url)[:3]
            if ours and (entry.get("url") != url or entry.get("type") not in SUBSCRIPTIONS):
                self._wire.change("DELETE", f"/webhooks/{segment(entry.get('uuid'))}")
        for kind in SUBSCRIPTIONS:
            if kind not in kept:
                self._wire.change("POST", "/webhooks", {"type": kind, "url": url})

    # Ordering

    def create_order(self, request: CarrierOrderRequest, *, key: str) -> RemoteOrder:
        """Order the carriage, unless CDEK has an order with this reference: then that is the answer. ``key`` is unused.

        ACCEPTED says that CDEK will look at it, not more.
        """
        body = order_body(self._rules(), request)
        known = self.find_order(request.reference)
        if known is not None:
            return known
        ordered = order_from(self._wire.change("POST", "/orders", body))
        return replace(ordered, reference=ordered.reference or request.reference)

    def fetch_order(self, external_id: str) -> RemoteOrder:
        """How an order stands. One that was refused because another has its number is answered with the other."""
        self._rules()
        order = order_from(self._document(external_id))
        if order.state == CarrierOrderState.UNKNOWN and order.reference:
            other = self.find_order(order.reference)
            if other is not None and other.external_id != order.external_id:
                return other
        return order

    def find_order(self, reference: str) -> RemoteOrder | None:
        self._rules()
        document = self._found("/orders", {"im_number": reference})
        return None if document is None else order_from(document)

    def cancel_order(self, external_id: str) -> RemoteOrder:
        """Delete an order that CDEK has not begun. ``AdapterUnavailable`` while CDEK is still at it.

        What is deleted may be gone altogether: then only the process that asked for it knows that it was there.
        """
        try:
            order = self.fetch_order(external_id)
        except AdapterRejected as error:
            if error.status != 404 or not self._deleting.get(external_id):
                raise
            return RemoteOrder(external_id, CarrierOrderState.CANCELLED)
        if order.state == CarrierOrderState.CANCELLED:
            return order
        path = f"/orders/{segment(order.external_id)}"
        # Before the call: its answer may be lost.
        self._deleting.put(external_id, "asked")
        self._wire.change("DELETE", path)
        for pause in PAUSES:
            time.sleep(pause)
            document = self._found(path)
            if document is None:
                return replace(order, state=CarrierOrderState.CANCELLED)
            order = order_from(document)
            state, errors = request_of(document, "DELETE")
            if order.state == CarrierOrderState.CANCELLED:
                return order
            if state == "INVALID":
                raise AdapterRejected(gettext("CDEK refused: {reason}").format(reason=words(errors)))
        raise AdapterUnavailable("CDEK is still deleting the order")

    # Printing

    def label(self, external_id: str) -> bytes:
        """CDEK makes a form when it is asked for one, and keeps it for an hour."""
        document = self._document(external_id)
        made = printed_form(document, self.label_form) or self._making.get(external_id)
        try:
            return self._file(external_id, made or self._make(external_id))
        except AdapterRejected as error:
            if not made or error.status != 404:
                raise
        return self._file(external_id, self._make(external_id))

    def _make(self, external_id: str) -> str:
        asked: dict[str, Any] = {"orders": [{"order_uuid": external_id}]}
        asked.update({"format": self.label_format} if self.label_form == "barcode" else {"copy_count": 2})
        # A form made twice is only paper, so a lost answer is no doubt.
        try:
            uuid, _state = form_of(self._wire.change("POST", FORMS[self.label_form], asked))
        except AdapterUnavailable as error:
            raise AdapterUnavailable(str(error)) from error
        self._making.put(external_id, uuid)
        return uuid

    def _file(self, external_id: str, form: str) -> bytes:
        """The file of a form. ``AdapterRejected`` with 404 when its time is over, without when it cannot be made."""
        path = f"{FORMS[self.label_form]}/{segment(form)}"
        for pause in PAUSES:
            time.sleep(pause)
            document = self._wire.get(path)
            _uuid, state = form_of(document)
            if state == "READY":
                break
            if state in ("INVALID", "REMOVED"):
                self._making.drop(external_id)
                reason = words(request_of(document, "CREATE")[1]) or state
                raise AdapterRejected(
                    gettext("CDEK refused: {reason}").format(reason=reason), status=404 if state == "REMOVED" else 0
                )
        else:
            raise AdapterUnavailable("CDEK is still making the label")
        found = self._wire.file(f"{path}.pdf")
        if not found.startswith(b"%PDF-"):
            raise AdapterUnavailable("CDEK's label is no PDF")
        return found

    # Asking

    def _rules(self) -> OrderRules:
        if self.rules is None:
            raise AdapterRejected(gettext("The settings give no tariffs and no sender for orders with CDEK."))
        return self.rules

    def _found(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The answer to a question, None when CDEK has none. ``AdapterUnavailable`` for nonsense."""
        try:
            document = self._wire.get(path, query)
        except AdapterRejected as error:
            if error.status != 404:
                raise
            return None
        if not ID.fullmatch(str((entity_of(document) or {}).get("uuid"))):
            raise AdapterUnavailable("CDEK's answer is no order")
        return document

    def _document(self, external_id: str) -> Any:
        """An order by CDEK's name of it. ``AdapterRejected`` with 404 when there is none."""
        document = self._found(f"/orders/{segment(external_id)}") if ID.fullmatch(external_id) else None
        if document is None:
            raise AdapterRejected(gettext("CDEK has no such order."), status=404)
        return document
