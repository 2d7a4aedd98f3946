"""Files in which a provider says which payments it has paid out: CSV, by presets of their documented columns.

* Mercado Pago, "released money" and "account balance" reports (developers' documentation, report fields).
* YooKassa, register of payments (help of the merchant profile, "Реестры операций"), Russian and English.
* Others (Datatrans leaves the payout to the acquirer, whose files differ): by the names of identifiers in headings,
  confirmed by a person.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.text import fold

from .base import StatementError, check_sum, clean
from .layout import Layout, by_word, guess_roles, name_lines
from .table import Row, Table
from .values import fitting_orders, guess_mark, parse_day, parse_sum

PAYMENT, REFUND, CHARGE_BACK, OTHER = "payment", "refund", "charge_back", "other"

ROLES: dict[str, Any] = {
    "": gettext_lazy("Not needed"),
    "external_id": gettext_lazy("Provider’s number of the payment"),
    "reference": gettext_lazy("Our reference or order number"),
    "gross": gettext_lazy("Sum of the payment"),
    "fee": gettext_lazy("Fee"),
    "net": gettext_lazy("Sum paid out"),
    "net_out": gettext_lazy("Sum taken back"),
    "currency": gettext_lazy("Currency"),
    "date": gettext_lazy("Day of the payout"),
    "kind": gettext_lazy("What it is (payment, refund …)"),
}

#: Headings by role. Those of a provider that it documents, then what such columns are called elsewhere.
_WORDS: dict[str, str] = {
    "external_id": "SOURCE_ID|Идентификатор платежа|Payment ID|Номер транзакции|transactionId|transaction id|"
    "payment intent|charge id|id|upp transaction id|uppTransactionId|transaction number|transaction",
    "reference": "EXTERNAL_REFERENCE|refno|reference number|merchant reference|our reference|order number|order id|"
    "Номер заказа|Идентификатор заказа|reference|merchant order id",
    "gross": "GROSS_AMOUNT|TRANSACTION_AMOUNT|Сумма платежа|Payment amount|gross amount|gross|transaction amount|"
    "amount|Сумма операции|valor bruto|montant brut|bruttobetrag|brutto",
    "fee": "MP_FEE_AMOUNT|FEE_AMOUNT|Сумма комиссии|Комиссия|Commission amount|fee|fees|commission|taxa|frais|gebuhr",
    "net": "NET_CREDIT_AMOUNT|SETTLEMENT_NET_AMOUNT|REAL_AMOUNT|Сумма платежа за вычетом комиссии НКО|"
    "Сумма платежа за вычетом комиссии|Сумма к перечислению|net amount|net|payout amount|valor liquido|montant net|"
    "nettobetrag|netto",
    "net_out": "NET_DEBIT_AMOUNT",
    "currency": "SETTLEMENT_CURRENCY|TRANSACTION_CURRENCY|CURRENCY|Валюта платежа|Payment currency|currency code|moeda|"
    "devise|wahrung|Валюта",
    "date": "SETTLEMENT_DATE|DATE|MONEY_RELEASE_DATE|Дата выплаты|payout date|settlement date|Время платежа|"
    "Дата платежа|Time of payment|data",
    "kind": "TRANSACTION_TYPE|DESCRIPTION|type|transaction type|Тип операции|tipo",
}  # fmt: skip
_ROLE_OF = by_word(_WORDS)
#: What the files call it: Mercado Pago's codes, and words. Whatever is not here is "other", and shown.
_KINDS = {
    "": PAYMENT, "settlement": PAYMENT, "payment": PAYMENT, "release": PAYMENT, "sale": PAYMENT, "purchase": PAYMENT,
    "capture": PAYMENT, "charge": PAYMENT, "debit": PAYMENT, "платеж": PAYMENT, "оплата": PAYMENT,
    "refund": REFUND, "credit": REFUND, "возврат": REFUND, "reembolso": REFUND, "devolucao": REFUND,
    "chargeback": CHARGE_BACK, "dispute": CHARGE_BACK, "mediation": CHARGE_BACK, "reserve_for_dispute": CHARGE_BACK,
}  # fmt: skip


@dataclass(slots=True)
class PayoutEntry:
    """One payment in a payout. ``gross`` is what the buyer paid, ``net`` what the shop gets; signed."""

    external_id: str
    reference: str
    kind: str
    gross: Decimal
    fee: Decimal
    net: Decimal
    currency: str
    day: date | None


def problems(layout: Layout) -> list[str]:
    """What is missing or said twice, in words."""
    found = layout.problems(ROLES)
    if not found and not {"external_id", "reference"} & set(layout.roles):
        found.append(_("Say which column holds the provider’s number of the payment, or our reference."))
    if not found and not {"gross", "net"} & set(layout.roles):
        found.append(_("Say which column holds the sum of the payment, or the sum paid out."))
    return found


def guess_layout(table: Table) -> Layout:
    """A first answer from the headings."""
    roles = guess_roles(table.headings, _ROLE_OF)
    for role in ROLES:
        places = [index for index, found in enumerate(roles) if role and found == role]
        # Of several the one whose name says it best: the presets list them in that order.
        order = [fold(word) for word in _WORDS.get(role, "").split("|")]
        names = [fold(heading) for heading in table.headings]
        places.sort(key=lambda i: order.index(names[i]) if names[i] in order else len(order))
        for index in places[1:]:
            roles[index] = ""
    days = [text for i, role in enumerate(roles) if role == "date" for text in table.column(i)[:200]]
    sums = [text for i, role in enumerate(roles) if role in ("gross", "fee", "net") for text in table.column(i)]
    return Layout(tuple(roles), next(iter(fitting_orders(days)), "dmy"), guess_mark(sums))


def read_payout(table: Table, layout: Layout, *, currency: str) -> tuple[list[PayoutEntry], Counter[str]]:
    """The payments of a file, and how many lines were left out, by what they are (fees, withdrawals, totals).

    :class:`StatementError` names the lines that cannot be read: none is passed over.
    """
    if found := problems(layout):
        raise StatementError(" ".join(found))
    entries, left_out, wrong = [], Counter[str](), []
    for row in table.rows:
        try:
            entry = _entry(row, layout, currency)
        except ValueError as error:
            wrong.append(_("line %(line)d (%(why)s)") % {"line": row.line, "why": error})
            continue
        if isinstance(entry, str):
            left_out[entry] += 1
        else:
            entries.append(entry)
    if wrong:
        raise StatementError(name_lines(wrong))
    if not entries:
        raise StatementError(_("The file holds no payment."))
    return entries, left_out


def _entry(row: Row, layout: Layout, currency: str) -> PayoutEntry | str:
    """The payment of a row, or what else the row is."""

    def cell(role: str) -> str:
        index = layout.of(role)
        return row[index] if index is not None else ""

    word = fold(cell("kind"))
    kind = _KINDS.get(word, OTHER)
    identity, reference = clean(cell("external_id"), 128), clean(cell("reference"), 128)
    if (not identity and not reference) or kind == OTHER:
        return word or "-"
    sums = {role: _sum(cell(role), layout.mark) for role in ("gross", "fee", "net", "net_out")}
    if sums["gross"] is None and sums["net"] is None:
        raise ValueError(_("no sum"))
    fee = abs(sums["fee"] or Decimal(0))
    taken = abs(sums["net_out"] or Decimal(0))
    net = (sums["net"] or Decimal(0)) - taken if sums["net"] is not None else (sums["gross"] or Decimal(0)) - fee
    gross = sums["gross"] if sums["gross"] is not None else net + fee
    day = cell("date")
    try:
        paid_on = parse_day(day, layout.order) if day else None
    except ValueError:
        raise ValueError(_("“%(text)s” is not a date") % {"text": clean(day, 30)}) from None
    code = clean(cell("currency"), 12).upper() or currency
    return PayoutEntry(identity, reference, kind, gross, fee, net, code, paid_on)


def _sum(text: str, mark: str) -> Decimal | None:
    if not text:
        return None
    try:
        return check_sum(parse_sum(text, mark), text)
    except (ValueError, StatementError):
        raise ValueError(_("“%(text)s” is not a sum") % {"text": clean(text, 30)}) from None
