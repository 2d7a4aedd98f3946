"""How a seller is paid: what SELLERS declares under "payment", and what it adds to an invoice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.qr import qr_svg
from oscar_fulfillment.documents.renderer import DocumentError

from . import pix, references, russian_qr, swiss_qr


@dataclass(frozen=True)
class Demand:
    """What is to be paid. ``serial`` is a number that no other demand has, for references that cannot carry ``number``;
    ``tax`` is the tax in the amount, None where that is not known."""

    number: str
    serial: int
    issued: date
    amount: Decimal
    currency: str
    tax: Decimal | None
    tax_label: str
    language: str
    buyer: Party


class PaymentPart(Protocol):
    """A country's way. ``part`` returns what the template draws, with its ``kind``."""

    def part(self, demand: Demand) -> dict[str, Any]:
        """Raises :class:`DocumentError` where this demand cannot be paid so."""
        ...


def payment_part(given: Mapping[str, Any], seller: Party) -> PaymentPart:
    """The declaration of a seller's payment, checked. Raises :class:`DocumentError` or TypeError."""
    options = dict(given)
    kind = options.pop("kind", "")
    if kind not in KINDS:
        raise DocumentError(f"payment has the kind {', '.join(sorted(KINDS))}, not {kind!r}")
    return KINDS[kind](seller, **options)


class SwissQr:
    """``iban``: an IBAN or a QR-IBAN. ``language``: of the form for orders in a language it does not speak."""

    def __init__(self, seller: Party, *, iban: str, language: str = "en"):
        self.seller, self.iban = seller, swiss_qr.check_account(iban)
        if language not in swiss_qr.LABELS:
            raise DocumentError("a Swiss payment part speaks de, fr, it or en")
        self.fallback = language

    def part(self, demand: Demand) -> dict[str, Any]:
        spoken = demand.language[:2].lower()
        bill = swiss_qr.swiss_bill(
            account=self.iban,
            creditor=self.seller,
            debtor=demand.buyer,
            amount=demand.amount,
            currency=demand.currency,
            reference=swiss_qr.reference_for(self.iban, demand.number, demand.serial),
            message=demand.number,
            language=spoken if spoken in swiss_qr.LABELS else self.fallback,
        )
        return bill.part()


class RussianTable:
    """``account``, ``bank_name``, ``bic``, ``corr_account``, ``inn`` and, of a company, ``kpp``."""

    def __init__(self, seller: Party, **numbers: str):
        self.account = russian_qr.RussianAccount(name=seller.name, **numbers)

    def part(self, demand: Demand) -> dict[str, Any]:
        if demand.currency != "RUB":
            raise DocumentError("a Russian account is paid in rubles")
        account = self.account
        day = f"{demand.issued:%d.%m.%Y}"
        tax = f"В т.ч. {demand.tax_label or 'НДС'} {demand.tax:.2f} руб." if demand.tax else "Без НДС"
        purpose = f"Оплата по счёту № {demand.number} от {day}. {tax}"
        return {
            "kind": "russian_qr",
            "bank_name": account.bank_name, "bic": account.bic, "corr_account": account.corr_account,
            "inn": account.inn, "kpp": account.kpp, "account": account.account, "name": account.name,
            "purpose": purpose,
            "qr": qr_svg(russian_qr.st00012(account, amount=demand.amount, purpose=purpose)),
        }  # fmt: skip


class Pix:
    """``key``: the Pix key; ``name`` and ``city``: as the bank knows the seller, default as in SELLERS."""

    def __init__(self, seller: Party, *, key: str, name: str = "", city: str = ""):
        self.key, self.name, self.city = pix.check_key(key), name or seller.name, city or seller.city
        pix.br_code(key=key, name=self.name, city=self.city)

    def part(self, demand: Demand) -> dict[str, Any]:
        if demand.currency != "BRL":
            raise DocumentError("a Pix is in reais")
        txid = references.alphanumeric(demand.number, demand.serial)
        code = pix.br_code(key=self.key, name=self.name, city=self.city, amount=demand.amount, txid=txid)
        return {"kind": "pix", "code": code, "key": self.key, "name": self.name, "qr": qr_svg(code)}


class Transfer:
    """``rows``: what a transfer needs, label to value ("IBAN": ..., "BIC": ...). An IBAN's check digits are checked."""

    def __init__(self, seller: Party, *, rows: Mapping[str, str]):
        self.rows = [[str(label), str(value)] for label, value in rows.items()]
        for label, value in self.rows:
            if label.upper() == "IBAN" and not _is_iban(value):
                raise DocumentError("the IBAN's check digits are wrong")

    def part(self, demand: Demand) -> dict[str, Any]:
        return {"kind": "transfer", "rows": self.rows, "reference": demand.number}


def _is_iban(value: str) -> bool:
    """ISO 7064 modulo 97-10 over the IBAN, its first four signs last."""
    compact = "".join(value.split()).upper()
    if not (compact.isascii() and compact.isalnum() and 15 <= len(compact) <= 34):
        return False
    return int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1


KINDS: dict[str, Any] = {"swiss_qr": SwissQr, "russian_qr": RussianTable, "pix": Pix, "transfer": Transfer}
