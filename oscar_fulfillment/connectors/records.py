"""What passes between the shop and a system beside it, in plain data. No model, no database, no network.

Outward an :class:`OrderRecord` in a :class:`Task`; back a :class:`Pushed`. Inward a :class:`Change`. Sums are Decimal
in the order's currency, times are aware.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Contact:
    """A person or company with an address. ``country``: ISO 3166 alpha-2. Empty where the shop knows nothing."""

    name: str = ""
    email: str = ""
    phone: str = ""
    line1: str = ""
    line2: str = ""
    line3: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""
    tax_id_kind: str = ""
    tax_id: str = ""


@dataclass(frozen=True)
class OrderLine:
    """A line as it was sold; unit prices are those of one piece after discounts. ``tax_rate`` in per cent, if one."""

    id: int
    sku: str
    upc: str
    title: str
    quantity: int
    unit_incl_tax: Decimal
    unit_excl_tax: Decimal
    total_incl_tax: Decimal
    total_excl_tax: Decimal
    tax_rate: Decimal | None = None


@dataclass(frozen=True)
class OrderRecord:
    """An order as it is now. ``version`` only grows; ``buyer`` is who pays, ``receiver`` where the goods go.

    ``received`` is the money that is in. ``extra_incl_tax`` are surcharges and roundings that are in no line.
    ``shipments`` and ``invoices`` are as webhooks have them: which units go together, and their documents.
    """

    id: int
    number: str
    version: int
    placed_at: datetime
    flow: str
    language: str
    currency: str
    payment_status: str
    shipping_status: str
    lines: tuple[OrderLine, ...]
    buyer: Contact
    receiver: Contact | None
    total_incl_tax: Decimal
    total_excl_tax: Decimal
    shipping_incl_tax: Decimal
    shipping_excl_tax: Decimal
    shipping_code: str
    shipping_name: str
    payment_code: str
    payment_name: str
    received: Decimal = Decimal(0)
    extra_incl_tax: Decimal = Decimal(0)
    extra_excl_tax: Decimal = Decimal(0)
    link: str = ""
    is_on_hold: bool = False
    has_backorder: bool = False
    shipments: tuple[Mapping[str, Any], ...] = ()
    invoices: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Known:
    """What the other side called something of ours when it took it; empty before."""

    external_id: str = ""
    number: str = ""
    state: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What a connector is asked to send. ``key`` is the same for every try, for the vendor's idempotency key.

    ``known``: the order over there; ``own``: this very thing, when it was sent before. ``state``: the status wanted
    over there (kind "state"). ``facts``: what the step says of it (``amount``, ``reference``, ``reason``), as text.
    """

    kind: str
    order: OrderRecord
    key: str
    known: Known = Known()
    own: Known = Known()
    state: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pushed:
    """The other side took it. ``acknowledged``: it said so with an id of its own, not only with a status of HTTP.

    ``at``: when, by their clock; with it what was heard later is told apart from what our word replaced. ``found``: how
    it stands there, where that is not what we left: somebody was faster. It is heard like any change; a status that was
    to be sent (kind "state") was not sent then.
    """

    external_id: str = ""
    number: str = ""
    state: str = ""
    link: str = ""
    acknowledged: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    found: Change | None = None


@dataclass(frozen=True)
class InvoiceFacts:
    """A fiscal document that was issued over there. ``value``: its total; ``units``: pieces per SKU, empty for all.

    ``url`` and ``issued_at`` (as they wrote it) are kept in the history.
    """

    number: str = ""
    series: str = ""
    access_key: str = ""
    value: Decimal | None = None
    xml: bytes = b""
    units: Mapping[str, int] = field(default_factory=dict)
    cancelled: bool = False
    url: str = ""
    issued_at: str = ""


@dataclass(frozen=True)
class Happened:
    """What somebody says of goods on their way, in words."""

    at: datetime
    text: str
    place: str = ""


@dataclass(frozen=True)
class TrackingFacts:
    """Goods that left over there. ``carrier`` is an alias of ours, or a name that is looked for.

    ``invoice``: number or key of the fiscal document whose goods these are; empty: all that is released.
    """

    code: str = ""
    carrier: str = ""
    delivered: bool = False
    invoice: str = ""
    events: tuple[Happened, ...] = ()
    delivered_at: datetime | None = None


@dataclass(frozen=True)
class Change:
    """Something that happened over there, to one order.

    ``key`` names it once and for all (the same twice is one); ``at`` is their time. The order is found by
    ``external_id``, else by ``reference`` (our number). ``state``: their status now, "" if this is not about it.
    ``paid``: how much of it is paid in all, None where this says nothing about money; ``paid_currency``, if it is said.
    ``total``: what it costs over there, None where this does not say; a person looks at one that costs something else.

    ``foreign``: the other side holds things that are not the shop's, too, and this may be one of them. It is about an
    order only if that is there under this id or under none yet, and otherwise nobody is told.
    """

    key: str
    at: datetime | None = None
    external_id: str = ""
    reference: str = ""
    state: str = ""
    label: str = ""
    paid: Decimal | None = None
    paid_reference: str = ""
    paid_currency: str = ""
    foreign: bool = False
    invoice: InvoiceFacts | None = None
    tracking: TrackingFacts | None = None
    total: Decimal | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """What a notification says: its id, what changed (trusted), or only ids that are to be read again (a hint)."""

    event_id: str
    changes: tuple[Change, ...] = ()
    read_again: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """A piece of what changed. ``cursor`` is handed to the next question; ``more``: ask on at once."""

    changes: tuple[Change, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True)
class OutsideState:
    """A status over there, as rules name it: ``code`` with its pipeline where it has one, ``label`` for people."""

    code: str
    label: str


@dataclass(frozen=True)
class Rule:
    """A status rule that a connector brings with it; the merchant may replace them all.

    ``direction`` "in": their ``outside`` takes our ``step``; ``wins`` says who does when both sides moved ("ours",
    "theirs", "later"). ``direction`` "out": our ``payment`` and ``shipping`` status ("" for any) is their ``outside``.
    """

    direction: str
    outside: str
    step: str = ""
    payment: str = ""
    shipping: str = ""
    wins: str = "later"
