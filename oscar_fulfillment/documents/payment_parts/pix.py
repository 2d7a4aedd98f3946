"""The payment part of Brazilian invoices: a static Pix as BR Code (Banco Central do Brasil, EMV "merchant presented").

A static code tells nobody that it was paid: the payment is found on the statement, by the txid.
"""

from __future__ import annotations

import re
from decimal import Decimal

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents.renderer import DocumentError

from .latin import ascii_only

GUI = "br.gov.bcb.pix"
#: What stands for "no txid".
NO_TXID = "***"
#: 9999999999.99 is the longest amount that the field of 13 characters holds.
_MOST = Decimal("9999999999.99")
_PHONE = re.compile(r"\+55[1-9][0-9]{9,10}")
_RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def check_key(key: str) -> str:
    """The Pix key as it was given. Raises :class:`DocumentError` unless it is a CPF, a CNPJ, a mail address (lower
    case, at most 77 characters), a phone (+55...) or a random key."""
    try:
        from stdnum.br import cnpj, cpf
    except ImportError as error:
        raise ConfigurationError("Pix needs python-stdnum: pip install django-oscar-fulfillment[documents]") from error
    if not key.isascii() or not key.isprintable():
        raise DocumentError("a Pix key has no such characters")
    if _PHONE.fullmatch(key) or _RANDOM.fullmatch(key):
        return key
    if "@" in key and len(key) <= 77 and key == key.lower() and _MAIL.fullmatch(key):
        return key
    if re.fullmatch(r"[0-9]{11}", key) and cpf.is_valid(key):
        return key
    if re.fullmatch(r"[0-9A-Z]{12}[0-9]{2}", key) and cnpj.is_valid(key):
        return key
    raise DocumentError("a Pix key is a CPF, a CNPJ, a mail address, a phone (+55...) or a random key")


def br_code(
    *, key: str, name: str, city: str, amount: Decimal | None = None, txid: str = NO_TXID, description: str = ""
) -> str:
    """The text of the code, which is also the "copia e cola".

    Name and city lose their accents and are cut to 25 and 15 characters. ``amount`` is in reais; None lets the payer
    choose. ``txid``: 1 to 25 letters and digits. Raises :class:`DocumentError`.
    """
    name, city = ascii_only(name)[:25].strip(), ascii_only(city)[:15].strip()
    if not name or not city:
        raise DocumentError("Pix needs the name and the city of the seller")
    if txid != NO_TXID and not re.fullmatch(r"[A-Za-z0-9]{1,25}", txid):
        raise DocumentError("a txid is 1 to 25 letters and digits")
    account = _field("00", GUI) + _field("01", check_key(key))
    description = ascii_only(description)
    if description:
        account += _field("02", description)
    if len(account) > 99:
        raise DocumentError("key and description of the Pix are too long together (99 characters)")
    fields = [_field("00", "01"), _field("26", account), _field("52", "0000"), _field("53", "986")]
    if amount is not None:
        if amount != amount.quantize(Decimal("0.01")) or not Decimal("0.01") <= amount <= _MOST:
            raise DocumentError("a Pix is over at least 0.01, in whole centavos")
        fields.append(_field("54", f"{amount:.2f}"))
    fields += [_field("58", "BR"), _field("59", name), _field("60", city), _field("62", _field("05", txid)), "6304"]
    text = "".join(fields)
    return f"{text}{crc16(text):04X}"


def crc16(text: str) -> int:
    """CRC-16/CCITT-FALSE of the text's bytes: polynomial 0x1021, begun with 0xFFFF."""
    crc = 0xFFFF
    for byte in text.encode():
        crc ^= byte << 8
        for _bit in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _field(tag: str, value: str) -> str:
    if not 1 <= len(value) <= 99:
        raise DocumentError("a field of a Pix code has 1 to 99 characters")
    return f"{tag}{len(value):02d}{value}"
