"""What a note says, in our words. Sums are in reais with cents; nothing here knows the layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from .rules import TaxRules

ZERO = Decimal(0)
PRODUCTION, HOMOLOGATION = "production", "homologation"
#: Emission types: by the state's own service, or by one of the two that stand in for it.
NORMAL, SVC_AN, SVC_RS = 1, 6, 7


@dataclass(frozen=True)
class Place:
    """A Brazilian address. ``state`` is its two letters, ``municipality`` IBGE's code, ``number`` may be "S/N"."""

    street: str
    number: str
    district: str
    city: str
    state: str
    postcode: str
    municipality: str
    complement: str = ""
    phone: str = ""


@dataclass(frozen=True)
class Issuer:
    """Who issues. ``crt``: 1 Simples Nacional, 2 Simples beyond its limit, 3 normal regime, 4 MEI."""

    cnpj: str
    name: str
    place: Place
    ie: str
    crt: int
    trade_name: str = ""


@dataclass(frozen=True)
class Recipient:
    """Who buys. ``kind`` is "cpf" or "cnpj"; ``ie`` the state registration of a firm that has one."""

    name: str
    kind: str
    tax_id: str
    place: Place
    ie: str = ""
    email: str = field(default="", repr=False)


@dataclass(frozen=True)
class NoteLine:
    """One item: so many units, what they cost before the discount, and their share of carriage and other charges."""

    reference: str
    code: str
    title: str
    quantity: int
    gross: Decimal
    rules: TaxRules
    discount: Decimal = ZERO
    freight: Decimal = ZERO
    other: Decimal = ZERO
    gtin: str = ""

    @property
    def paid(self) -> Decimal:
        """What the buyer pays for it, all told."""
        return self.gross - self.discount + self.freight + self.other


@dataclass(frozen=True)
class Payment:
    """How a part of the note's sum is paid: the layout's code (``17`` Pix, ``15`` boleto, ``99`` other)."""

    code: str
    amount: Decimal
    label: str = ""


@dataclass(frozen=True)
class Contact:
    """Who answers for the program, where a state asks for it (infRespTec)."""

    cnpj: str
    name: str
    email: str
    phone: str


@dataclass(frozen=True)
class NoteFacts:
    """A sale, and the number under which it is issued. ``code`` are the eight random digits of the key.

    ``freight_mode`` is the layout's: 0 by the sender, 1 by the buyer, 9 none. ``weight`` is in grams, 0 unknown.
    """

    issuer: Issuer
    recipient: Recipient
    lines: tuple[NoteLine, ...]
    payments: tuple[Payment, ...]
    environment: str
    series: int
    number: int
    code: str
    issued_at: datetime
    order_number: str = ""
    emission_type: int = NORMAL
    #: When and why the state's own service was left, for the other two.
    contingency_at: datetime | None = None
    contingency_reason: str = ""
    operation: str = "Venda de mercadoria"
    freight_mode: int = 0
    volumes: int = 0
    weight: int = 0
    text: str = ""
    technical: Contact | None = None

    @property
    def is_inside(self) -> bool:
        """Whether the goods stay in the issuer's state."""
        return self.issuer.place.state == self.recipient.place.state

    @property
    def total(self) -> Decimal:
        """What the buyer pays: the note's vNF."""
        return sum((line.paid for line in self.lines), ZERO)
