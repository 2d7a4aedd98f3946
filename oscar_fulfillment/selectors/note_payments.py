"""How a note says it is paid."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oscar_fulfillment.fiscal.emission.shares import ZERO

from .issuers import Issuing

#: The layout's codes: Pix, boleto, credit and debit card, cash, transfer, gift voucher, other.
PIX, BOLETO, CREDIT, DEBIT, CASH, TRANSFER, VOUCHER, OTHER = "17", "15", "03", "04", "01", "18", "12", "99"
#: Words in the code of a payment method (or of its provider's) that say what it is, the first that fits.
_WORDS = (
    ("pix", PIX), ("boleto", BOLETO), ("debit", DEBIT), ("credit", CREDIT), ("card", CREDIT), ("cartao", CREDIT),
    ("cash", CASH), ("dinheiro", CASH), ("transfer", TRANSFER), ("deposit", TRANSFER), ("wire", TRANSFER),
)  # fmt: skip


def payment_code(method: Any, issuing: Issuing) -> str:
    """The layout's code of a payment method: as the settings say, else by its name; 99 where nothing tells."""
    if method is None:
        return OTHER
    if method.code in issuing.payments:
        return issuing.payments[method.code]
    words = f"{method.provider_method} {method.code}".casefold()
    return next((code for word, code in _WORDS if word in words), OTHER)


def read_payments(order: Any, issuing: Issuing, *, total: Decimal, credit: Decimal) -> list[dict[str, Any]]:
    """How this sum is paid: by the order's method, and what was taken off its total by a voucher."""
    method = order.fulfillment.payment_method
    credit = min(credit, total)
    rows = []
    if credit:
        rows.append({"code": VOUCHER, "amount": str(credit), "label": "", "is_credit": True})
    if total - credit > ZERO or not rows:
        label = str(method.name) if method is not None else ""
        rows.append({"code": payment_code(method, issuing), "amount": str(total - credit), "label": label})
    return rows
