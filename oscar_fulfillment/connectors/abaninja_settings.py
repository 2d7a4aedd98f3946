"""The options of AbaNinja that say how its invoices look, checked when the shop starts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from oscar_fulfillment.core.exceptions import ConfigurationError

from . import abaninja_codes as codes
from .abaninja_customers import clean
from .abaninja_mapping import Paper

#: What an order becomes there.
DOCUMENTS = ("draft", "invoice", "email")
#: Our option -> the field of an invoice.
_TEXTS = {"notes": "publicNotes", "terms": "terms", "footer": "footerText"}
#: The institutions whose accounts take QR references (IID).
_QR_IIDS = range(30000, 32000)


def paper_from(alias: str, options: Mapping[str, Any]) -> tuple[Paper, dict[str, Any]]:
    """How invoices look, and the options that are about something else.

    ``reference_prefix`` before our number; ``due_days``; ``vat_rates`` of the account in per cent;
    ``prices_include_vat``; ``language`` of customers whose own it has not (de, fr, it, en); ``qr_iban`` or ``iban``: to
    which account is paid (the account's default without); ``notes``, ``terms``, ``footer``: texts.
    """
    rest = dict(options)
    values: dict[str, Any] = {
        "prefix": str(rest.pop("reference_prefix", "")),
        "due_days": rest.pop("due_days", 30),
        "with_vat": bool(rest.pop("prices_include_vat", True)),
        "language": rest.pop("language", "de"),
        "rates": _rates(alias, rest.pop("vat_rates", codes.VAT_RATES)),
        "account": _account(alias, rest.pop("qr_iban", ""), rest.pop("iban", "")),
        "texts": {field: str(rest.pop(name, "")) for name, field in _TEXTS.items()},
    }
    if values["language"] not in codes.LANGUAGES:
        raise ConfigurationError(f"{alias}: language is one of {', '.join(codes.LANGUAGES)}")
    if isinstance(values["due_days"], bool) or not isinstance(values["due_days"], int) or values["due_days"] < 0:
        raise ConfigurationError(f"{alias}: due_days is a number of days")
    if values["prefix"] != clean(values["prefix"], 20):
        raise ConfigurationError(f"{alias}: reference_prefix is at most 20 plain characters")
    return Paper(**values), rest


def _rates(alias: str, given: Any) -> tuple[Decimal, ...]:
    try:
        rates = tuple(Decimal(str(rate)) for rate in given)
    except (InvalidOperation, TypeError) as error:
        raise ConfigurationError(f"{alias}: vat_rates are per cents") from error
    if isinstance(given, str) or not rates or not all(0 <= rate < 100 for rate in rates):
        raise ConfigurationError(f"{alias}: vat_rates are per cents")
    return rates


def _account(alias: str, qr_iban: str, iban: str) -> dict[str, str]:
    if qr_iban and iban:
        raise ConfigurationError(f"{alias}: qr_iban or iban, not both")
    number = "".join((qr_iban or iban).split()).upper()
    if not number:
        return {}
    if not is_iban(number) or (qr_iban != "") != (int(number[4:9]) in _QR_IIDS):
        raise ConfigurationError(f"{alias}: {'qr_iban' if qr_iban else 'iban'} is no such number of a Swiss account")
    return {"qrIban" if qr_iban else "iban": number}


def is_iban(number: str) -> bool:
    """Whether this is an IBAN of Switzerland or Liechtenstein: 21 characters whose check digits fit (ISO 7064)."""
    if len(number) != 21 or number[:2] not in ("CH", "LI") or not number[2:9].isdigit() or not number.isascii():
        return False
    if not number.isalnum():
        return False
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1
