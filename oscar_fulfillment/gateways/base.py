"""What every payment provider can be asked, in plain data: no model, no database, no request of Django's.

A gateway is configured like Django's CACHES::

    OSCAR_FULFILLMENT = {"GATEWAYS": {"yookassa": {"BACKEND": "...", "OPTIONS": {...}}}}

The buyer always pays on the provider's own page (or reads a code to pay by): no card data ever reaches the shop.
Every call that changes something takes ``key``, an idempotency key of ours that stays the same however often the call
is repeated; a gateway passes it on in the provider's way, or finds out by ``reference`` whether the call was done.

Errors are those of :mod:`core.http`: :class:`AdapterUnavailable` (nothing happened), :class:`AdapterUnanswered` (it may
have), :class:`AdapterRejected` (the provider said no; its message is fit for the merchant's eyes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected


class Capability(StrEnum):
    """What a gateway can do; decides which buttons show."""

    HOLD = "hold"  # authorize first, capture later
    PARTIAL_CAPTURE = "partial_capture"  # capture less than was held; the rest is given back
    VOID = "void"  # give a hold back, or close a payment that nobody has paid
    REFUND = "refund"
    PARTIAL_REFUND = "partial_refund"
    FIND = "find"  # a payment can be found by our reference, also when its answer was lost
    NOTIFY = "notify"  # the provider tells of changes by itself


class PaymentState(StrEnum):
    """Where a payment stands at the provider, in our words."""

    PENDING = "pending"  # the buyer has not paid yet
    IN_REVIEW = "in_review"  # paid, but the provider still looks at it (antifraud): not to be shipped
    AUTHORIZED = "authorized"  # the sum is held
    CAPTURED = "captured"  # the money is in, perhaps some of it given back since
    REFUSED = "refused"  # by the issuer; the buyer may try again
    REFUSED_ANTIFRAUD = "refused_antifraud"  # by the provider's risk check
    EXPIRED = "expired"  # not paid in time, or a hold that ran out
    CANCELLED = "cancelled"  # closed by the shop, the hold given back
    REFUNDED = "refunded"  # all of it given back
    CHARGED_BACK = "charged_back"  # taken back by the buyer's bank
    UNKNOWN = "unknown"  # a word of the provider that we do not know: kept, shown, never guessed


#: States in which nothing more comes by itself. EXPIRED may still be followed by CAPTURED: a late boleto.
FINAL = frozenset(
    {
        PaymentState.REFUSED,
        PaymentState.REFUSED_ANTIFRAUD,
        PaymentState.EXPIRED,
        PaymentState.CANCELLED,
        PaymentState.REFUNDED,
        PaymentState.CHARGED_BACK,
    }
)


@dataclass(frozen=True)
class Item:
    """One line of what is paid for, as receipts and antifraud checks want it. ``total`` includes tax and discounts."""

    title: str
    quantity: int
    total: Decimal
    sku: str = ""
    tax_rate: Decimal | None = None  # per cent; None: without or unknown


@dataclass(frozen=True)
class Buyer:
    """Who pays. What the provider does not need is not passed on to it."""

    email: str = ""
    name: str = ""
    phone: str = ""
    tax_id_kind: str = ""  # cpf, cnpj, inn ...
    tax_id: str = ""
    country: str = ""  # ISO 3166-1 alpha-2
    language: str = ""
    line1: str = ""
    district: str = ""  # bairro, which Brazilian boletos must name
    city: str = ""
    state: str = ""
    postcode: str = ""


@dataclass(frozen=True)
class PaymentRequest:
    """A payment to begin. ``reference`` is unique per attempt and comes back in every answer of the provider."""

    reference: str
    order_number: str
    amount: Decimal
    currency: str
    method: str  # one of the gateway's ``methods``: card, boleto, pix, twint ...
    return_url: str  # where the provider sends the buyer back to
    notification_url: str = ""
    hold: bool = False
    description: str = ""
    buyer: Buyer = field(default_factory=Buyer)
    items: Sequence[Item] = ()
    expires_at: datetime | None = None  # until when the buyer may pay (boleto, Pix, link)


@dataclass(frozen=True)
class RemoteRefund:
    """A refund at the provider. ``state``: pending, done or failed."""

    external_id: str
    amount: Decimal
    state: str
    reason: str = ""
    key: str = ""


@dataclass(frozen=True)
class RemotePayment:
    """A payment as the provider has it now. Sums are totals, not differences, in ``currency``.

    ``authorized`` is what is held at this moment or was captured from a hold; ``captured`` what came in, whatever was
    given back since; ``refunded`` what was given back. ``reason`` holds the provider's own words for a refusal.
    """

    external_id: str
    state: PaymentState
    amount: Decimal
    currency: str
    reference: str = ""
    authorized: Decimal = Decimal(0)
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    method: str = ""
    reason: str = ""
    raw_status: str = ""
    redirect_url: str = ""
    #: What the buyer needs to pay without a redirect: {"boleto_line": ..., "boleto_url": ..., "pix_code": ...}.
    instructions: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None  # of a payment nobody has paid yet
    hold_expires_at: datetime | None = None  # of an authorization
    paid_at: datetime | None = None
    refunds: Sequence[RemoteRefund] = ()
    #: When the provider was asked for this: of two answers that contradict each other the later question counts.
    asked_at: datetime | None = None


@dataclass(frozen=True)
class Hint:
    """What a notification is about. Its contents are never believed: the payment is fetched.

    ``event_id`` makes the notification unique; empty where the provider gives none. ``external_id`` is the payment's,
    or ``reference`` ours; both empty for a notification that concerns no payment (a ping, another product).
    """

    event_id: str = ""
    external_id: str = ""
    reference: str = ""
    kind: str = ""


class Gateway:
    """One account at one provider. Subclass it, declare ``methods`` and override what the provider can do."""

    name: Any = ""
    #: method code -> (label, capabilities). TWINT, cards and boletos of one provider can do different things.
    methods: Mapping[str, tuple[Any, frozenset[Capability]]] = {}
    #: Currencies the account takes; empty: any.
    currencies: frozenset[str] = frozenset()

    def __init__(self, *, alias: str):
        self.alias = alias

    def __repr__(self) -> str:
        # Never the options: they hold secrets.
        return f"<{type(self).__name__} {self.alias!r}>"

    def capabilities(self, method: str) -> frozenset[Capability]:
        """What this gateway can do with a method. Empty for a method it does not have."""
        return self.methods[method][1] if method in self.methods else frozenset()

    def start(self, request: PaymentRequest, *, key: str) -> RemotePayment:
        """Begin a payment; the answer holds ``redirect_url`` or ``instructions``."""
        raise AdapterRejected(f"{self.alias} cannot begin payments")

    def fetch(self, external_id: str) -> RemotePayment:
        """How a payment stands now. :class:`AdapterRejected` (status 404) for one the provider does not have."""
        raise AdapterRejected(f"{self.alias} cannot be asked")

    def find(self, reference: str) -> RemotePayment | None:
        """The payment with our reference, None when the provider has none (then starting it again is safe)."""
        raise AdapterRejected(f"{self.alias} cannot search")

    def capture(
        self, payment: RemotePayment, amount: Decimal, *, key: str, items: Sequence[Item] = ()
    ) -> RemotePayment:
        """Take ``amount`` (at most what is held) for good; what was held beyond it is given back."""
        raise AdapterRejected(f"{self.alias} cannot capture")

    def void(self, payment: RemotePayment, *, key: str) -> RemotePayment:
        """Give a hold back, or close a payment that was not paid. Refused once money is in."""
        raise AdapterRejected(f"{self.alias} cannot give a hold back")

    def refund(
        self, payment: RemotePayment, amount: Decimal, *, key: str, reason: str = "", items: Sequence[Item] = ()
    ) -> RemoteRefund:
        """Give ``amount`` of what was captured back to the buyer; ``items`` are what it is for, where that is known."""
        raise AdapterRejected(f"{self.alias} cannot refund")

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        """Return if the notification proves where it comes from. Raises :class:`WebhookVerificationFailed`.

        ``headers`` have lower-case names. A provider that signs nothing returns always: what it says is a hint only.
        """
        raise AdapterRejected(f"{self.alias} sends no notifications")

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hint:
        """What a verified notification is about. :class:`AdapterRejected` for what cannot be read."""
        raise AdapterRejected(f"{self.alias} sends no notifications")


def money(value: Any) -> Decimal:
    """A sum from the provider's text or number, in units of the currency. ``AdapterRejected`` if it is none."""
    try:
        found = Decimal(str(value))
    except ArithmeticError as error:
        raise AdapterRejected(f"{value!r} is no sum") from error
    if not found.is_finite():
        raise AdapterRejected(f"{value!r} is no sum")
    return found


#: Currencies without cents, and with three decimals (ISO 4217), for providers that count in the smallest unit.
_DECIMALS = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "XAF": 0, "XOF": 0, "ISK": 0, "PYG": 0, "UGX": 0,
             "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3, "IQD": 3}  # fmt: skip


def to_minor(amount: Decimal, currency: str) -> int:
    """A sum in the smallest unit (centavos, Rappen). ``AdapterRejected`` for a part of a unit."""
    scaled = amount.scaleb(_DECIMALS.get(currency, 2))
    if scaled != scaled.to_integral_value():
        raise AdapterRejected(f"{amount} {currency} has too many decimals")
    return int(scaled)


def from_minor(value: Any, currency: str) -> Decimal:
    """A sum from the smallest unit."""
    return money(value or 0).scaleb(-_DECIMALS.get(currency, 2))
