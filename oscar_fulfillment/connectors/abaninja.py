"""AbaNinja, Swiss accounts: orders as drafts or invoices, and "paid" there releases the order here.

    "CONNECTORS": {"abaninja": {"BACKEND": "oscar_fulfillment.connectors.abaninja.AbaNinja", "OPTIONS": {
        "account": "<uuid>", "api_key": "<token>", "payments": {"card-ch": "DEBIT_CREDIT_CARD", "twint": "TWINT"}}}}

Facts of its API v2 come from abaninja.ch/apidocs by way of public clients; what is a guess is called so in
``abaninja_mapping``, ``abaninja_wire`` and ``abaninja_hints``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from oscar_fulfillment.core.exceptions import AdapterRejected, ConfigurationError
from oscar_fulfillment.core.http import segment
from oscar_fulfillment.core.signatures import verify_hmac

from . import abaninja_codes as codes
from .abaninja_book import AddressBook
from .abaninja_hints import PAYMENT_HINT, notice_of
from .abaninja_invoices import Invoices
from .abaninja_mapping import ZONE, change_of, uuid_of
from .abaninja_papers import Papers
from .abaninja_settings import DOCUMENTS, paper_from
from .abaninja_wire import BASE_URL, CREDIT_NOTES, DELIVERY_NOTES, INVOICES, Wire
from .base import CREDIT, DELIVERY, ORDER, PAYMENT, Capability, Connector
from .records import Change, Notice, OutsideState, Page, Pushed, Rule, Task

CANCEL = "cancel"


class AbaNinja(Connector):
    """One account of AbaNinja.

    ``account`` (its UUID) and ``api_key``. ``document``: what an order becomes there: a "draft", an "invoice" (marked
    as sent), or "email" (sent by AbaNinja). ``payments``: payment method -> AbaNinja's payment type, of those whose
    money is posted there when it is in here (cards, TWINT). ``delivery_notes``, ``credit_notes``: whether they are
    made. ``webhook_secrets`` with ``signature_header``: the keys of its webhooks, and the header that has the
    signature. ``paid_drafts``: a draft with nothing open counts as paid. ``look_back``: days that the first question
    goes back. ``customer_prefix`` begins the numbers of customers; ``address`` stands in for orders without one.
    ``app_url``: where people look at AbaNinja, for links. How invoices look: see
    :func:`.abaninja_settings.paper_from`.
    """

    name = "AbaNinja"
    kind = "accounts"
    default_order_at = "placed"
    rules: Sequence[Rule] = (Rule("in", codes.PAID, step="release"),)
    leads_to: Mapping[str, str] = {PAYMENT: codes.PAID, CANCEL: codes.CANCELLED}

    def __init__(
        self,
        *,
        alias: str,
        account: str,
        api_key: str,
        document: str = "invoice",
        payments: Mapping[str, str] | None = None,
        delivery_notes: bool = True,
        credit_notes: bool = True,
        webhook_secrets: Sequence[str] = (),
        signature_header: str = "",
        paid_drafts: bool = False,
        look_back: int = 30,
        customer_prefix: str = "W-",
        address: Mapping[str, str] | None = None,
        app_url: str = "",
        base_url: str = BASE_URL,
        read_timeout: float = 30.0,
        currencies: Sequence[str] = ("CHF",),
        **options: Any,
    ):
        paper, rest = paper_from(alias, options)
        super().__init__(alias=alias, currencies=currencies, **rest)
        if not uuid_of(account) or not api_key or not api_key.isascii() or not api_key.isprintable():
            raise ConfigurationError(f"{alias}: AbaNinja needs account (a UUID) and api_key")
        if document not in DOCUMENTS:
            raise ConfigurationError(f"{alias}: document is one of {', '.join(DOCUMENTS)}")
        is_list = not isinstance(webhook_secrets, str) and all(webhook_secrets)
        if not is_list or bool(webhook_secrets) != bool(signature_header):
            raise ConfigurationError(f"{alias}: webhook_secrets is a list of keys, and goes with signature_header")
        if unknown := sorted(set((payments or {}).values()) - codes.PAYMENT_TYPES):
            raise ConfigurationError(f"{alias}: no payment types of AbaNinja: {', '.join(unknown)}")
        self._payments, self._paper = dict(payments or {}), paper
        self._paid_drafts, self._look_back = paid_drafts, look_back
        self._secrets, self._header = tuple(webhook_secrets), signature_header.lower()
        self._wire = Wire(account, api_key, base_url=base_url, read=read_timeout, name=f"AbaNinja {alias}")
        book = AddressBook(self._wire, paper, prefix=customer_prefix, address=address)
        self._invoices = Invoices(self._wire, book, paper, document=document, paid_drafts=paid_drafts, app_url=app_url)
        self._papers = Papers(self._wire, self._invoices, paper, payments=self._payments)
        able = {Capability.FIND, Capability.REVISE, Capability.PULL}
        self.extra_capabilities = frozenset(able | ({Capability.NOTIFIES} if self._secrets else set()))
        told = {
            # Changed, or taken up again after it was cancelled: its invoice has to follow.
            ORDER: frozenset({"edit_order", "revert_edit", "restore"}),
            PAYMENT: frozenset({"approve_payment", "capture_payment"}) if self._payments else frozenset(),
            DELIVERY: frozenset({"dispatch"}) if delivery_notes else frozenset(),
            CREDIT: frozenset({"refund_payment"}) if credit_notes else frozenset(),
            # Of an order that is paid the money goes back: that is a credit note.
            CANCEL: frozenset({"cancel_payment"}),
        }
        self.told = {kind: actions for kind, actions in told.items() if actions}

    def wants(self, kind: str, payment: str) -> bool:
        return kind != PAYMENT or payment in self._payments

    # Out

    def push(self, task: Task) -> Pushed:
        handler = {
            ORDER: self._invoices.send,
            PAYMENT: self._papers.payment,
            DELIVERY: self._papers.delivery,
            CREDIT: self._papers.credit,
            CANCEL: self._papers.cancel,
        }.get(task.kind)
        return handler(task) if handler else super().push(task)

    def find(self, task: Task) -> Pushed | None:
        if task.kind == ORDER:
            return self._invoices.find(task)
        if task.kind == PAYMENT:
            return self._papers.posted(task)
        kind = {DELIVERY: DELIVERY_NOTES, CREDIT: CREDIT_NOTES}.get(task.kind)
        return self._papers.note(kind, task) if kind else None

    # In

    def pull(self, cursor: str) -> Page:
        """Invoices that changed since a day, page by page. The next round begins a day before this one did."""
        now = timezone.now().astimezone(ZONE)
        since, number, following = _read_cursor(cursor, now, self._look_back)
        found, more = self._wire.page(INVOICES, since, number)
        changes = [change_of(entry, self._paper, paid_drafts=self._paid_drafts) for entry in found]
        kept = tuple(change for change in changes if change is not None)
        step = f"{since}|{number + 1}|{following}" if more else f"{following}|1|"
        return Page(kept, step, more)

    def fetch(self, external_id: str) -> Change | None:
        if external_id.startswith(PAYMENT_HINT):
            external_id = self._paid_by(external_id.removeprefix(PAYMENT_HINT))
        found = self._wire.document(INVOICES, external_id) if external_id else None
        return change_of(found, self._paper, paid_drafts=self._paid_drafts) if found is not None else None

    def _paid_by(self, payment: str) -> str:
        """The id of the invoice that a payment is for; "" for none."""
        try:
            envelope = self._wire.get(f"/finances/v2/payments/{segment(payment)}")
        except AdapterRejected as error:
            if error.status == 404:
                return ""
            raise
        data = envelope.get("data") if isinstance(envelope, Mapping) else None
        processing = data.get("processing") if isinstance(data, Mapping) else None
        return uuid_of(processing.get("documentUuid")) if isinstance(processing, Mapping) else ""

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        if not self._secrets:
            return super().verify(headers, body, query)
        return verify_hmac(body, headers.get(self._header), self._secrets)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Notice:
        return notice_of(body) if self._secrets else super().parse_notification(headers, body, query)

    def label_of(self, state: str) -> str:
        return str(codes.STATES.get(state, ""))

    def states(self) -> Sequence[OutsideState]:
        return [OutsideState(code, str(label)) for code, label in codes.STATES.items()]


def _read_cursor(cursor: str, now: datetime, look_back: int) -> tuple[str, int, str]:
    """Since when, which page, and where the next round begins. A cursor that cannot be read begins anew."""
    yesterday = (now.date() - timedelta(days=1)).isoformat()
    since, _bar, rest = cursor.partition("|")
    page, _bar, following = rest.partition("|")
    try:
        datetime.strptime(since, "%Y-%m-%d")
        number = max(int(page), 1)
    except ValueError:
        return (now.date() - timedelta(days=look_back)).isoformat(), 1, yesterday
    return since, number, following or yesterday
