"""The payment part of Swiss invoices: Swiss QR Code and receipt (SIX, Implementation Guidelines QR-bill 2.3).

The library ``qrbill`` (MIT) checks the data and writes the code's content; the page is drawn by the template
``swiss.typ``. What it lets pass and banks refuse is refused here: combined addresses, letters that are not Latin, zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.qr import qr_svg
from oscar_fulfillment.documents.renderer import DocumentError

from . import references
from .latin import romanised

#: Headings of the forms, in the languages that there are: Annex D of the guidelines.
LABELS: dict[str, dict[str, str]] = {
    "de": {
        "receipt": "Empfangsschein", "part": "Zahlteil", "account": "Konto / Zahlbar an", "reference": "Referenz",
        "message": "Zusätzliche Informationen", "debtor": "Zahlbar durch", "blank": "Zahlbar durch (Name/Adresse)",
        "currency": "Währung", "amount": "Betrag", "point": "Annahmestelle",
        "separate": "Vor der Einzahlung abzutrennen",
    },
    "fr": {
        "receipt": "Récépissé", "part": "Section paiement", "account": "Compte / Payable à", "reference": "Référence",
        "message": "Informations supplémentaires", "debtor": "Payable par", "blank": "Payable par (nom/adresse)",
        "currency": "Monnaie", "amount": "Montant", "point": "Point de dépôt",
        "separate": "A détacher avant le versement",
    },
    "it": {
        "receipt": "Ricevuta", "part": "Sezione pagamento", "account": "Conto / Pagabile a", "reference": "Riferimento",
        "message": "Informazioni supplementari", "debtor": "Pagabile da", "blank": "Pagabile da (nome/indirizzo)",
        "currency": "Valuta", "amount": "Importo", "point": "Punto di accettazione",
        "separate": "Da staccare prima del versamento",
    },
    "en": {
        "receipt": "Receipt", "part": "Payment part", "account": "Account / Payable to", "reference": "Reference",
        "message": "Additional information", "debtor": "Payable by", "blank": "Payable by (name/address)",
        "currency": "Currency", "amount": "Amount", "point": "Acceptance point",
        "separate": "Separate before paying in",
    },
}  # fmt: skip
#: Basic Latin, Latin-1 Supplement, Latin Extended-A, the Romanian letters and the euro sign.
_PERMITTED = re.compile("[ -~\u00a0-\u017f\u0218-\u021b\u20ac]*")
_MOST = Decimal("999999999.99")


@dataclass(frozen=True)
class SwissBill:
    """A checked bill. ``payload`` is the content of the Swiss QR Code; the rest is what stands beside it."""

    payload: str
    account: str
    reference: str
    creditor: tuple[str, ...]
    debtor: tuple[str, ...]
    message: str
    currency: str
    amount: str
    language: str

    def part(self) -> dict[str, Any]:
        """What ``swiss.typ`` draws."""
        return {
            "kind": "swiss_qr",
            "labels": LABELS[self.language],
            "account": self.account,
            "reference": self.reference,
            "creditor": list(self.creditor),
            "debtor": list(self.debtor),
            "message": self.message,
            "currency": self.currency,
            "amount": self.amount,
            # 997 bytes are the most that a bill may hold, which is version 25.
            "qr": qr_svg(self.payload, max_version=25),
        }


def is_qr_iban(account: str) -> bool:
    """Whether an IBAN is a QR-IBAN: those of the bank numbers 30000 to 31999, and they want a QR reference."""
    digits = "".join(account.split())[4:9]
    return digits.isdecimal() and 30000 <= int(digits) <= 31999


def reference_for(account: str, number: str, serial: int) -> str:
    """The reference of an invoice for this account: QRR for a QR-IBAN, a creditor reference (SCOR) for others.

    Made of ``number`` where it can be, else of ``serial``: see :mod:`.references`.
    """
    if is_qr_iban(account):
        return references.qr_reference(references.numeric(number, serial))
    return references.creditor_reference(references.alphanumeric(number, serial))


def check_account(account: str) -> str:
    """The IBAN without spaces. Raises :class:`DocumentError` for one that is none, or not of Switzerland or
    Liechtenstein."""
    iban = _libraries()[1]
    compact = "".join(account.split()).upper()
    if not iban.is_valid(compact) or compact[:2] not in ("CH", "LI"):
        raise DocumentError("a Swiss QR-bill needs an IBAN of Switzerland or Liechtenstein")
    return compact


def swiss_bill(
    *,
    account: str,
    creditor: Party,
    amount: Decimal,
    currency: str = "CHF",
    debtor: Party | None = None,
    reference: str = "",
    message: str = "",
    language: str = "en",
) -> SwissBill:
    """A bill over ``amount``. Raises :class:`DocumentError` for what no bank would take.

    ``reference`` is one of :func:`reference_for`. A debtor whose name or address cannot be written in Latin letters, or
    lacks postcode or town, is left blank, as the form allows. ``language``: de, fr, it or en; others get English.
    """
    qrbill, iban, esr, rf = _libraries()
    account = check_account(account)
    if amount != amount.quantize(Decimal("0.01")) or not Decimal("0.01") <= amount <= _MOST:
        raise DocumentError("a Swiss QR-bill is over 0.01 to 999999999.99, in whole cents")
    payee = _structured(creditor)
    if payee is None:
        raise DocumentError("the seller's name and address must be in Latin letters, with postcode and town")
    payer = _structured(debtor) if debtor is not None else None
    message = _latin(message)[:140]
    try:
        made = qrbill(
            account=account, creditor=payee, debtor=payer, amount=f"{amount:.2f}", currency=currency,
            reference_number=reference or None, additional_information=message,
        )  # fmt: skip
    except ValueError as error:
        raise DocumentError(str(error)) from error
    written = {"QRR": esr.format, "SCOR": rf.format}.get(made.ref_type, str)
    return SwissBill(
        payload=made.qr_data(),
        account=iban.format(made.account),
        reference=written(made.reference_number) if made.reference_number else "",
        creditor=_lines(payee),
        debtor=_lines(payer) if payer else (),
        message=message,
        currency=currency,
        amount=f"{amount:,.2f}".replace(",", " "),
        language=language if language in LABELS else "en",
    )


def _libraries() -> tuple[Any, Any, Any, Any]:
    try:
        from qrbill import QRBill
        from stdnum import iban, iso11649
        from stdnum.ch import esr
    except ImportError as error:
        raise ConfigurationError(
            "Swiss QR-bills need qrbill: pip install django-oscar-fulfillment[documents]"
        ) from error
    return QRBill, iban, esr, iso11649


def _latin(text: str) -> str:
    """``text`` in the letters of the form; what has none in them is left out."""
    return "".join(sign for sign in romanised(text) if _PERMITTED.fullmatch(sign)).strip()


def _structured(party: Party) -> dict[str, str] | None:
    """The address in the parts that the code wants; None where that cannot be had."""
    name, street, city = romanised(party.name), romanised(party.street), romanised(party.city)
    number, postcode = romanised(party.house_number), romanised(party.postcode)
    country = party.country.upper()
    if not (name and city and postcode and re.fullmatch("[A-Z]{2}", country)):
        return None
    if not all(_PERMITTED.fullmatch(part) for part in (name, street, number, postcode, city)):
        return None
    return {
        "name": name[:70].strip(), "street": street[:70].strip(), "house_num": number[:16].strip(),
        "pcode": postcode[:16].strip(), "city": city[:35].strip(), "country": country,
    }  # fmt: skip


def _lines(address: dict[str, str]) -> tuple[str, ...]:
    country = "" if address["country"] in ("CH", "LI") else f"{address['country']}-"
    street = f"{address['street']} {address['house_num']}".strip()
    lines = (address["name"], street, f"{country}{address['pcode']} {address['city']}")
    return tuple(line for line in lines if line)
