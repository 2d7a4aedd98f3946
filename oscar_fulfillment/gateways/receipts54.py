"""Receipts of Russia's law 54-FZ as YooKassa takes them: lines whose sum is the sum paid, to the kopeck.

A line states the price of one piece, so a total that does not divide by its quantity becomes two lines. Pure functions;
the codes are the tax office's (tags 1199, 1055, 1212, 1214, 2108), explained in YooKassa's guide "54-FZ: parameters".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected, ConfigurationError

from .base import Buyer, Item, money, to_minor

#: Lines of one receipt: 100 with the shop's own cash register. YooKassa's own receipts take 80 and say so themselves.
MAX_LINES = 100
_KOPECK = Decimal("0.01")


@dataclass(frozen=True)
class ReceiptRules:
    """How the shop is taxed. A code out of its range raises ConfigurationError.

    ``vat_code`` (1 to 12) is that of every line whose rate is not in ``vat_codes`` (rate in per cent -> code);
    ``tax_system_code`` (1 to 6) is wanted only by some registers.
    """

    vat_code: int
    vat_codes: Mapping[Any, int] = field(default_factory=dict)
    tax_system_code: int | None = None
    payment_subject: str = "commodity"
    payment_mode: str = "full_payment"
    measure: str = "piece"

    def __post_init__(self) -> None:
        for code in (self.vat_code, *self.vat_codes.values()):
            if type(code) is not int or not 1 <= code <= 12:
                raise ConfigurationError(f"YooKassa: {code!r} is no VAT code (1 to 12)")
        if self.tax_system_code is not None and self.tax_system_code not in range(1, 7):
            raise ConfigurationError(f"YooKassa: {self.tax_system_code!r} is no tax system (1 to 6)")
        try:
            rates = {Decimal(str(rate)).normalize(): code for rate, code in self.vat_codes.items()}
        except InvalidOperation as error:
            raise ConfigurationError("YooKassa: the keys of vat_codes are rates in per cent") from error
        object.__setattr__(self, "vat_codes", rates)

    def vat(self, rate: Decimal | None) -> int:
        """The code of a rate."""
        return self.vat_code if rate is None else self.vat_codes.get(rate.normalize(), self.vat_code)


def contact(buyer: Buyer) -> dict[str, str]:
    """Where the buyer's copy goes. ``AdapterRejected`` when there is neither a mail address nor a phone number."""
    phone = "".join(character for character in buyer.phone if character in "0123456789")
    found = {}
    if buyer.email:
        found["email"] = buyer.email
    if 4 <= len(phone) <= 15:
        found["phone"] = phone
    if not found:
        raise AdapterRejected(gettext("A receipt needs the buyer's e-mail address or phone number."))
    return found


def receipt(
    rules: ReceiptRules, items: Sequence[Item], amount: Decimal, currency: str, customer: Mapping[str, str]
) -> dict[str, Any]:
    """The receipt of a payment of ``amount``. ``AdapterRejected`` when the lines do not add up to it.

    Free lines are left out: a receipt lists what is paid for.
    """
    total = sum((item.total for item in items), Decimal(0))
    if total != amount or any(item.total < 0 or item.quantity < 1 for item in items):
        raise AdapterRejected(
            gettext("The lines of the receipt add up to {total} {currency}, not to {amount} {currency}.").format(
                total=total, amount=amount, currency=currency
            )
        )
    lines = [line for item in items if item.total for line in _lines(rules, item, currency)]
    return _document(rules, lines, customer)


def partial_receipt(
    rules: ReceiptRules,
    registered: Iterable[Mapping[str, Any]],
    amount: Decimal,
    currency: str,
    customer: Mapping[str, str],
) -> dict[str, Any]:
    """The receipt of a refund "by sum": the lines of the payment's receipts, each with its share of ``amount``.

    ``registered`` are lines as YooKassa returns them. ``AdapterRejected`` when there are none.
    """
    lines = [line for line in registered if _line_total(line) > 0]
    totals = [to_minor(_line_total(line).quantize(_KOPECK), currency) for line in lines]
    whole, kopecks = sum(totals), to_minor(amount, currency)
    if not whole:
        raise AdapterRejected(gettext("A receipt needs its lines: say which goods are given back."))
    shares = [kopecks * total // whole for total in totals]
    # What rounding left over goes to the lines that lost most of a kopeck.
    lost = sorted(range(len(lines)), key=lambda index: kopecks * totals[index] % whole, reverse=True)
    for index in lost[: kopecks - sum(shares)]:
        shares[index] += 1
    made = [
        {
            **{name: line[name] for name in ("vat_code", "payment_subject", "payment_mode", "measure") if name in line},
            "description": str(line.get("description", ""))[:128] or "-",
            "quantity": 1,
            "amount": {"value": f"{Decimal(share).scaleb(-2):.2f}", "currency": currency},
        }
        for line, share in zip(lines, shares, strict=True)
        if share
    ]
    return _document(rules, made, customer)


def _lines(rules: ReceiptRules, item: Item, currency: str) -> list[dict[str, Any]]:
    """One line, or two when the total cannot be divided by the quantity: 100.00 for 3 is 1 x 33.34 and 2 x 33.33."""
    unit, dearer = divmod(to_minor(item.total, currency), item.quantity)
    return [
        {
            "description": (item.title.strip() or item.sku or "-")[:128],
            "quantity": quantity,
            "amount": {"value": f"{Decimal(price).scaleb(-2):.2f}", "currency": currency},
            "vat_code": rules.vat(item.tax_rate),
            "payment_subject": rules.payment_subject,
            "payment_mode": rules.payment_mode,
            "measure": rules.measure,
        }
        for price, quantity in ((unit + 1, dearer), (unit, item.quantity - dearer))
        if quantity and price
    ]


def _document(rules: ReceiptRules, lines: list[dict[str, Any]], customer: Mapping[str, str]) -> dict[str, Any]:
    if len(lines) > MAX_LINES:
        raise AdapterRejected(gettext("A receipt takes {count} lines at most.").format(count=MAX_LINES))
    document: dict[str, Any] = {"customer": dict(customer), "items": lines}
    if rules.tax_system_code is not None:
        document["tax_system_code"] = rules.tax_system_code
    return document


def _line_total(line: Mapping[str, Any]) -> Decimal:
    price = line.get("amount")
    return money(price.get("value") if isinstance(price, Mapping) else None) * money(line.get("quantity", 1))
