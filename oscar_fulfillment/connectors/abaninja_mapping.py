"""An order as an invoice of AbaNinja, and an invoice of AbaNinja as what it means for an order. Pure.

Sums are to the cent: the positions add up to what the order costs, or nothing is sent. Facts with their certainty:

* The body of an invoice is that of integrations that run: prices with VAT and ``vat: {percentage, amount}`` per
  position were seen with 0 per cent, prices without VAT with 8.1 per cent. ``prices_include_vat`` chooses.
* No field says "paid": an invoice is when ``openAmount`` is zero and it is not cancelled. Whether a draft has an open
  amount at all is not known, so a zero on a draft says nothing unless the shop says so (``paid_drafts``).
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import AdapterRejected

from . import abaninja_codes as codes
from .abaninja_customers import clean
from .records import Change, OrderRecord

logger = logging.getLogger("oscar_fulfillment.connectors")

ZONE = ZoneInfo("Europe/Zurich")
CENT, ZERO = Decimal("0.01"), Decimal(0)
#: What differs by less is the shop's rounding to five centimes.
ROUNDING = Decimal("0.05")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


@dataclass(frozen=True)
class Paper:
    """How the shop wants its invoices."""

    prefix: str = ""
    due_days: int = 30
    rates: tuple[Decimal, ...] = tuple(Decimal(rate) for rate in codes.VAT_RATES)
    with_vat: bool = True
    language: str = "de"
    account: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


def uuid_of(value: Any) -> str:
    """An id of theirs, in lower case; "" for what is none."""
    text = value if isinstance(value, str) else ""
    return text.lower() if _UUID.fullmatch(text) else ""


def amount_of(value: Any) -> Decimal | None:
    """A sum as JSON has it (number or text); None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or len(str(value)) > 20:
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found.quantize(CENT) if found.is_finite() and abs(found) < 10**12 else None


def day_of(moment: datetime) -> date:
    """The Swiss day of a moment."""
    return moment.astimezone(ZONE).date()


def language_of(order: OrderRecord, paper: Paper) -> str:
    """The language of the customer's documents; the account's own for those that it has not."""
    wanted = order.language[:2].lower()
    return wanted if wanted in codes.LANGUAGES else paper.language


# An order, as an invoice


def reference_of(order: OrderRecord, paper: Paper) -> str:
    """Under what the invoice is found again."""
    return f"{paper.prefix}{order.number}"


def invoice_of(order: OrderRecord, receiver: Mapping[str, str], paper: Paper) -> dict[str, Any]:
    """``POST documents/v2/invoices``, one document. AdapterRejected for an order that cannot be told to the cent."""
    words = codes.WORDS[language_of(order, paper)]
    positions = positions_of(order, paper)
    day = day_of(order.placed_at)
    body: dict[str, Any] = {
        "receiver": dict(receiver),
        "invoiceDate": day.isoformat(),
        "dueDate": (day + timedelta(days=paper.due_days)).isoformat(),
        "currencyCode": order.currency,
        "title": words[0].format(number=clean(order.number)),
        "reference": reference_of(order, paper),
        "documentTotal": float(order.total_incl_tax),
        "pricesIncludeVat": paper.with_vat,
        "positions": positions,
    }
    body |= {name: text for name, text in paper.texts.items() if text}
    if paper.account:
        body["paymentInstructions"] = dict(paper.account)
    return body


@dataclass(frozen=True)
class _Item:
    """What becomes a position: sums with and without tax."""

    number: str
    text: str
    quantity: int
    incl: Decimal
    excl: Decimal
    unit_incl: Decimal
    unit_excl: Decimal
    may_be_untaxed: bool = False


def positions_of(order: OrderRecord, paper: Paper) -> list[dict[str, Any]]:
    """Lines, carriage, and what else is in the order's total, as positions. They add up to it."""
    items = [
        _Item(
            clean(line.sku, 60), clean(line.title, 200), line.quantity, line.total_incl_tax, line.total_excl_tax,
            line.unit_incl_tax, line.unit_excl_tax,
        )
        for line in order.lines
        if line.quantity > 0
    ]  # fmt: skip
    if order.shipping_incl_tax:
        items.append(_single(order.shipping_name, order.shipping_incl_tax, order.shipping_excl_tax))
    if extra := order.extra_incl_tax:
        _title, rounding, surcharge, deduction = codes.WORDS[language_of(order, paper)]
        if abs(extra) < ROUNDING:
            items.append(_single(rounding, extra, extra))
        else:
            items.append(_single(surcharge if extra > 0 else deduction, extra, order.extra_excl_tax))
    if sum((item.incl for item in items), ZERO) != order.total_incl_tax:
        raise AdapterRejected(_("The lines of the order do not add up to its total: an invoice would be wrong."))
    if not items:
        raise AdapterRejected(_("There is nothing in this order that could be invoiced."))
    return [_position(place, item, paper) for place, item in enumerate(items, start=1)]


def _single(text: str, incl: Decimal, excl: Decimal) -> _Item:
    return _Item("", clean(text, 200), 1, incl, excl, incl, excl)


def _position(place: int, item: _Item, paper: Paper) -> dict[str, Any]:
    total = item.incl if paper.with_vat else item.excl
    unit, quantity, text = (item.unit_incl if paper.with_vat else item.unit_excl), item.quantity, item.text or "-"
    if unit * quantity != total:
        # A third of ten francs is no price: the lot is one piece.
        unit, text, quantity = total, f"{quantity} × {text}", 1
    body = {
        "kind": "product",
        "positionNumber": place,
        "productDescription": text,
        "quantity": quantity,
        "singlePrice": float(unit),
        "positionTotal": float(total),
        "vat": {"percentage": float(rate_of(item, paper.rates)), "amount": float(item.incl - item.excl)},
    }
    return {**body, "productNumber": item.number} if item.number else body


def rate_of(item: Any, rates: Sequence[Decimal]) -> Decimal:
    """The rate of the account that explains the tax of an item, to a centime per piece. AdapterRejected for none.

    A rate worked out from cents is none of the law's: 7 centimes on 93 are 7.5 per cent, and meant are 8.1.
    """
    tax = item.incl - item.excl
    if not tax:
        return ZERO
    off = {rate: abs(item.excl * rate / 100 - tax) for rate in rates if rate > 0}
    best = min(off, key=lambda rate: off[rate], default=None)
    if best is None or off[best] > CENT * max(item.quantity, 1):
        text = _("“%(item)s” has %(tax)s tax on %(net)s, which no VAT rate of the account explains (%(rates)s).")
        known = ", ".join(str(rate) for rate in rates)
        raise AdapterRejected(text % {"item": item.text, "tax": tax, "net": item.excl, "rates": known})
    return best


def digest_of(order: OrderRecord, paper: Paper) -> str:
    """Tells one version of an order's positions from another."""
    text = json.dumps([str(order.total_incl_tax), positions_of(order, paper)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# An invoice, as what it means for an order


def total_of(document: Mapping[str, Any]) -> Decimal | None:
    return amount_of(document.get("documentTotal"))


def open_of(document: Mapping[str, Any]) -> Decimal | None:
    """What is still to be paid of it."""
    return amount_of(document.get("openAmount"))


def is_cancelled(document: Mapping[str, Any]) -> bool:
    return document.get("isCancelled") is True


def paid_of(document: Mapping[str, Any], *, paid_drafts: bool = False) -> Decimal | None:
    """How much of it is paid in all; None where it does not say so."""
    total, still_open = total_of(document), open_of(document)
    if total is None or still_open is None or total <= 0 or is_cancelled(document):
        return None
    if still_open <= 0 and document.get("sentStatus") == "OPEN" and not paid_drafts:
        return None
    return total - still_open


def state_of(document: Mapping[str, Any], *, paid_drafts: bool = False) -> str:
    """How it stands: cancelled before paid, paid before reminded, reminded before sent."""
    if is_cancelled(document):
        return codes.CANCELLED
    paid, total = paid_of(document, paid_drafts=paid_drafts), total_of(document)
    if paid is not None and total is not None and paid >= total:
        return codes.PAID
    if paid:
        return codes.PART_PAID
    dunning, sent = document.get("dunningLevel") or "NO_DUNNING", document.get("sentStatus")
    found = codes.DUNNING_LEVEL.get(str(dunning), codes.UNKNOWN) or codes.SENT_STATUS.get(str(sent), codes.UNKNOWN)
    if found == codes.UNKNOWN:
        logger.warning("AbaNinja: unknown status %.40r, %.40r", sent, dunning)
    return found


def number_of(document: Mapping[str, Any]) -> str:
    return clean(document.get("invoiceNumber") or document.get("number"), 64)


def note_number_of(note: Mapping[str, Any]) -> str:
    """The number of a delivery or credit note."""
    return clean(note.get("deliveryNoteNumber") or note.get("creditNoteNumber") or note.get("number"), 64)


def is_about(document: Mapping[str, Any], order: OrderRecord, paper: Paper) -> bool:
    return clean(document.get("reference"), 200) == clean(reference_of(order, paper), 200)


def is_ours(document: Mapping[str, Any], order: OrderRecord) -> bool:
    """Whether an invoice has the title that the shop gives to this order's, in any language."""
    return document.get("title") in {words[0].format(number=clean(order.number)) for words in codes.WORDS.values()}


def change_of(document: Mapping[str, Any], paper: Paper, *, paid_drafts: bool = False) -> Change | None:
    """What an invoice says now; None for one that cannot be read. It has no time: it is how it stands when it is read.

    The account has invoices that are no orders of the shop: what it says is ``foreign``.
    """
    if not (uuid := uuid_of(document.get("uuid"))):
        return None
    reference = clean(document.get("reference"), 200)
    state, paid = state_of(document, paid_drafts=paid_drafts), paid_of(document, paid_drafts=paid_drafts)
    seen = "|".join(str(document.get(name)) for name in ("updatedAt", "openAmount", "documentTotal"))
    news = hashlib.sha256(seen.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Change(
        key=f"{uuid}:{state}:{news}",
        external_id=uuid,
        reference=reference.removeprefix(paper.prefix) if reference.startswith(paper.prefix) else "",
        state=state,
        label=str(codes.STATES[state]),
        paid=paid,
        paid_reference=number_of(document) or uuid,
        paid_currency=clean(document.get("currencyCode"), 8),
        foreign=True,
    )
