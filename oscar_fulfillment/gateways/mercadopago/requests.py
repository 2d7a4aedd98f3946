"""What Mercado Pago is sent, and what its refusals mean: pure functions from our requests to its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.gateways.base import Buyer, PaymentRequest, money, to_minor

from .documents import Document

#: Our method -> ``payment_method_id``. A boleto is issued by Bradesco.
METHOD_IDS = {"boleto": "bolbradesco", "pix": "pix"}
#: What the hosted checkout must not offer: the buyer chose a card, and these have methods of their own here.
_NOT_CARDS = ("ticket", "bank_transfer", "atm")

#: ``cause[].code`` -> what it means to the merchant. Other refusals are shown in Mercado Pago's own words.
REFUSALS = {
    "2000": gettext_lazy("Mercado Pago does not know this payment."),
    "2024": gettext_lazy("The payment is too old to be refunded."),
    "15016": gettext_lazy("The payment is too old to be refunded."),
    "2063": gettext_lazy("Mercado Pago does not allow this in the payment's present state."),
    "2067": gettext_lazy("Mercado Pago does not accept the buyer's CPF or CNPJ."),
    "4037": gettext_lazy("Mercado Pago does not accept this sum."),
    "13253": gettext_lazy("The Mercado Pago account has no Pix key yet."),
}

#: "Rua das Flores, 123 - Centro": street, number and district, as Brazilians write them in one line.
_LINE = re.compile(r"(?P<street>.+?),\s*(?P<number>\d[\w/-]*|s/?n\.?)\s*(?:[-–,]\s*(?P<district>.+))?\Z", re.I)


def number(amount: Decimal) -> float:
    """A sum as the JSON number that Mercado Pago wants. Two decimals survive that."""
    return float(amount)


def check_amount(amount: Decimal, currency: str) -> None:
    """Refuse a sum that is none, not positive, or has parts of a centavo."""
    if not amount.is_finite() or amount <= 0:
        raise AdapterRejected(_("The sum must be more than zero."))
    to_minor(amount, currency)


def check(request: PaymentRequest, *, methods: Collection[str], currencies: Collection[str]) -> None:
    """Refuse what Mercado Pago would refuse, in words for the merchant."""
    if request.method not in methods:
        raise AdapterRejected(_("This payment method is not offered."))
    if request.hold:
        raise AdapterRejected(_("This payment method cannot hold a sum."))
    if request.currency not in currencies:
        raise AdapterRejected(_("Mercado Pago takes %(currency)s only.") % {"currency": ", ".join(sorted(currencies))})
    check_amount(request.amount, request.currency)
    if not request.reference:
        raise AdapterRejected(_("A payment needs a reference."))
    buyer = request.buyer
    needed: dict[str, Any] = {}
    if request.method in METHOD_IDS:
        needed[_("e-mail address")] = buyer.email
    if request.method == "boleto":
        needed |= {
            _("name"): buyer.name,
            _("CPF or CNPJ"): _identity(buyer),
            _("street"): buyer.line1,
            _("city"): buyer.city,
            _("state"): buyer.state,
            _("postcode"): buyer.postcode,
        }
    missing = [label for label, value in needed.items() if not value]
    if missing:
        raise AdapterRejected(_("Missing for this payment method: %(fields)s.") % {"fields": ", ".join(missing)})


def preference(request: PaymentRequest, *, statement_descriptor: str, max_installments: int | None) -> dict[str, Any]:
    """A hosted checkout for cards: POST /checkout/preferences."""
    excluded = [{"id": kind} for kind in _NOT_CARDS]
    body: dict[str, Any] = {
        "external_reference": request.reference,
        "items": _lines(request),
        "payer": _without_blanks(
            {
                "email": request.buyer.email,
                **_names(request.buyer, "name", "surname"),
                "identification": _identity(request.buyer),
                "address": _address(request.buyer, ("zip_code", "street_name", "street_number")),
            }
        ),
        "back_urls": dict.fromkeys(("success", "pending", "failure"), request.return_url),
        # Mercado Pago sends nobody back by itself to an address without https.
        "auto_return": "approved" if urlsplit(request.return_url).scheme == "https" else "",
        "payment_methods": _without_blanks({"excluded_payment_types": excluded, "installments": max_installments}),
        "metadata": {"order_number": request.order_number},
        "notification_url": _notification_url(request),
        "statement_descriptor": statement_descriptor,
    }
    if request.expires_at is not None:
        body |= {"expires": True, "expiration_date_to": _moment(request.expires_at)}
    return _without_blanks(body)


def closed(checkout: Document, now: datetime) -> dict[str, Any]:
    """The change that ends a hosted checkout, and says that the shop did it: PUT /checkout/preferences/{id}."""
    metadata, items = checkout.get("metadata"), checkout.get("items")
    items = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return {
        # They may not be left out; what was read as text goes back as the number it was.
        "items": [{**item, "unit_price": number(money(item.get("unit_price")))} for item in items],
        "expires": True,
        "expiration_date_to": _moment(now),
        "metadata": {**(metadata if isinstance(metadata, dict) else {}), "closed_by_shop": True},
    }


def payment(request: PaymentRequest) -> dict[str, Any]:
    """A boleto or a Pix: POST /v1/payments."""
    buyer = request.buyer
    fields = ("zip_code", "street_name", "street_number", "neighborhood", "city", "federal_unit")
    body = {
        "transaction_amount": number(request.amount),
        "payment_method_id": METHOD_IDS[request.method],
        "description": _description(request),
        "external_reference": request.reference,
        "payer": _without_blanks(
            {
                "email": buyer.email,
                **_names(buyer, "first_name", "last_name"),
                "identification": _identity(buyer),
                "address": _address(buyer, fields) if request.method == "boleto" else None,
            }
        ),
        "additional_info": {"items": _lines(request)},
        "metadata": {"order_number": request.order_number},
        "notification_url": _notification_url(request),
    }
    if request.expires_at is not None:
        body["date_of_expiration"] = _moment(request.expires_at)
    return _without_blanks(body)


def explain(error: AdapterRejected) -> str:
    """A refusal in words for the merchant: ours where we know the code, else Mercado Pago's."""
    if error.status in (401, 403):
        return _("Mercado Pago does not accept the access token, or it may not do this.")
    try:
        said = json.loads(error.body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return str(error)
    causes = said.get("cause")
    causes = [one for one in causes if isinstance(one, dict)] if isinstance(causes, list) else []
    for cause in causes:
        if str(cause.get("code")) in REFUSALS:
            return str(REFUSALS[str(cause.get("code"))])
    words = [str(cause.get("description")) for cause in causes if cause.get("description")]
    text = "; ".join(words) or str(said.get("message") or said.get("error") or error.status)
    return _("Mercado Pago refused: %(reason)s") % {"reason": text[:200]}


def _lines(request: PaymentRequest) -> list[dict[str, Any]]:
    """The items; one line for all where they do not add up to the sum (vouchers, rounding), which must be right."""
    if not request.items or sum(item.total for item in request.items) != request.amount:
        lines = [("", _description(request), 1, request.amount)]
    else:
        lines = []
        for item in request.items:
            cents = to_minor(item.total, request.currency)
            if item.quantity > 0 and cents % item.quantity == 0:
                lines.append((item.sku, item.title, item.quantity, Decimal(cents // item.quantity).scaleb(-2)))
            else:
                lines.append((item.sku, f"{item.quantity} × {item.title}", 1, item.total))
    return [
        _without_blanks(
            {"id": sku, "title": title[:256], "quantity": quantity, "currency_id": request.currency,
             "unit_price": number(price)}
        )
        for sku, title, quantity, price in lines
    ]  # fmt: skip


def _description(request: PaymentRequest) -> str:
    return (request.description or _("Order %(number)s") % {"number": request.order_number})[:256]


def _names(buyer: Buyer, first: str, last: str) -> dict[str, str]:
    """A company has one name, a person two parts."""
    if buyer.tax_id_kind.lower() == "cnpj":
        return {first: buyer.name}
    head, _space, tail = buyer.name.strip().partition(" ")
    return {first: head, last: tail.strip()}


def _identity(buyer: Buyer) -> dict[str, str]:
    kind, value = buyer.tax_id_kind.upper(), re.sub(r"[\s./-]", "", buyer.tax_id)
    return {"type": kind, "number": value} if kind in ("CPF", "CNPJ") and value else {}


def _address(buyer: Buyer, fields: tuple[str, ...]) -> dict[str, str]:
    found = _LINE.match(buyer.line1.strip())
    parts = found.groupdict() if found else {"street": buyer.line1.strip(), "number": "", "district": ""}
    known = {
        "zip_code": re.sub(r"\D", "", buyer.postcode),
        "street_name": parts["street"],
        "street_number": parts["number"] or ("S/N" if buyer.line1 else ""),  # "sem número"
        "neighborhood": parts["district"] or buyer.district or buyer.city,  # it may not be empty
        "city": buyer.city,
        "federal_unit": buyer.state,
    }
    return _without_blanks({name: known[name] for name in fields})


def _notification_url(request: PaymentRequest) -> str:
    """The shop's address, with our reference, as a notification only has Mercado Pago's own numbers.

    With ``source_news=webhooks`` the same change is not also told in the old, unsigned way (IPN).
    """
    url = request.notification_url
    query = urlencode({"source_news": "webhooks", "reference": request.reference})
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}" if url else ""


def _moment(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds")


def _without_blanks(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value not in (None, "", {}, [])}
