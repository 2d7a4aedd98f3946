"""The payment part of Russian invoices: the bank's table and the code of GOST R 56042-2014 ("ST00012", UTF-8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents.renderer import DocumentError

_WEIGHTS = (7, 1, 3)


@dataclass(frozen=True)
class RussianAccount:
    """Where the money goes. ``account`` and ``corr_account`` have 20 digits, ``bic`` nine, ``kpp`` is a company's.

    Raises :class:`DocumentError` when a number cannot be right.
    """

    name: str
    inn: str
    account: str
    bank_name: str
    bic: str
    corr_account: str
    kpp: str = ""

    def __post_init__(self) -> None:
        check_inn(self.inn)
        if not re.fullmatch(r"[0-9]{9}", self.bic):
            raise DocumentError("a BIC has nine digits")
        if not is_account(self.account, self.bic):
            raise DocumentError("the account does not go with the BIC (20 digits with a key)")
        if not is_corr_account(self.corr_account, self.bic):
            raise DocumentError("the correspondent account does not go with the BIC (20 digits with a key)")
        if self.kpp and not re.fullmatch(r"[0-9]{4}[0-9A-Z]{2}[0-9]{3}", self.kpp):
            raise DocumentError("a KPP has nine characters")
        _field("Name", self.name, 160)
        _field("BankName", self.bank_name, 45)


def is_account(account: str, bic: str) -> bool:
    """Whether the key of a client's account (its ninth digit) fits the bank (Bank of Russia, No. 515 of 1997).

    Accounts with a settlement centre (a BIC that ends in 000, 001 or 002) are keyed by the centre's number.
    """
    prefix = f"0{bic[4:6]}" if bic[6:] in ("000", "001", "002") else bic[6:]
    return _key_fits(prefix, account)


def is_corr_account(account: str, bic: str) -> bool:
    """The same for the account that the bank itself has with the Bank of Russia."""
    return _key_fits(f"0{bic[4:6]}", account)


def _key_fits(prefix: str, account: str) -> bool:
    if not re.fullmatch(r"[0-9]{20}", account):
        return False
    # With the right key in its place the last digits of the products sum up to a multiple of ten.
    products = (int(digit) * _WEIGHTS[place % 3] for place, digit in enumerate(prefix + account))
    return sum(product % 10 for product in products) % 10 == 0


def check_inn(inn: str) -> None:
    """Raise :class:`DocumentError` unless this is an INN with right check digits (10 of a company, 12 of a person)."""
    try:
        from stdnum.ru import inn as checker
    except ImportError as error:
        raise ConfigurationError(
            "Russian invoices need python-stdnum: pip install django-oscar-fulfillment[documents]"
        ) from error
    if not re.fullmatch(r"[0-9]{10}|[0-9]{12}", inn) or not checker.is_valid(inn):
        raise DocumentError("the INN's check digits are wrong")


def st00012(account: RussianAccount, *, amount: Decimal, purpose: str) -> str:
    """The content of the code: the five mandatory fields, INN, KPP, the sum in kopecks, the purpose (210 characters).

    Raises :class:`DocumentError` for a sum of none or of parts of a kopeck, and for a ``|`` or line break in any value.
    """
    kopecks = amount * 100
    if kopecks != int(kopecks) or kopecks <= 0:
        raise DocumentError("a sum in rubles is positive and in whole kopecks")
    fields = [
        ("Name", account.name, 160),
        ("PersonalAcc", account.account, 20),
        ("BankName", account.bank_name, 45),
        ("BIC", account.bic, 9),
        ("CorrespAcc", account.corr_account, 20),
        ("PayeeINN", account.inn, 12),
        ("KPP", account.kpp, 9),
        ("Sum", str(int(kopecks)), 18),
        ("Purpose", purpose, 210),
    ]
    written = [f"{name}={_field(name, value, limit)}" for name, value, limit in fields if value]
    return "|".join(["ST00012", *written])


def _field(name: str, value: str, limit: int) -> str:
    if "|" in value or not value.isprintable():
        raise DocumentError(f"{name} holds a character that the code cannot carry")
    if not 1 <= len(value) <= limit:
        raise DocumentError(f"{name} has 1 to {limit} characters")
    return value
