"""What AbaNinja takes and shows: the rules for customers and invoices, and the wire form of documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

CENT = Decimal("0.01")
RATES = (Decimal("8.1"), Decimal("2.6"), Decimal("3.8"), Decimal(0))
_CANTONS = "AG AI AR BE BL BS FR GE GL GR JU LU NE NW OW SG SH SO SZ TG TI UR VD VS ZG ZH"
#: Kind of document -> the beginning of its numbers, and the field of its number.
KINDS = {
    "invoices": ("R", "invoiceNumber"),
    "delivery-notes": ("L", "deliveryNoteNumber"),
    "credit-notes": ("G", "creditNoteNumber"),
}


@dataclass
class Refusal(Exception):
    """An answer that says no."""

    message: str
    status: int = 400
    errors: dict[str, list[str]] = field(default_factory=dict)
    data: Any = None


def money(value: Any) -> Decimal:
    """A sum of the body: a number with at most two decimals."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Refusal("The given data was invalid.", errors={"amount": ["must be a number"]})
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Refusal("The given data was invalid.", errors={"amount": ["must be a number"]}) from None
    if not found.is_finite() or found != found.quantize(CENT):
        raise Refusal("The given data was invalid.", errors={"amount": ["two decimals at most"]})
    return found.quantize(CENT)


def need(body: Mapping[str, Any], *names: str, status: int = 400) -> None:
    missing = [name for name in names if body.get(name) in (None, "", [])]
    if missing:
        errors = {name: [f"The {name} field is required."] for name in missing}
        raise Refusal("The given data was invalid.", status, errors)


def check_customer(body: Mapping[str, Any]) -> None:
    """As reported: 422 for what is missing, a canton for every Swiss address, ``primary`` and not ``is_primary``."""
    if body.get("type") not in ("person", "company"):
        raise Refusal("The given data was invalid.", 422, {"type": ["must be person or company"]})
    names = ("name",) if body["type"] == "company" else ("first_name", "last_name")
    need(body, "customer_number", "currency_code", "language", "addresses", *names, status=422)
    for contact in body.get("contacts") or ():
        if not isinstance(contact.get("primary"), bool):
            raise Refusal("The given data was invalid.", 422, {"contacts.0.primary": ["must be true or false"]})
    for address in body["addresses"]:
        check_address(address)


def check_address(address: Mapping[str, Any]) -> None:
    need(address, "city", "zip_code", "country_code", status=422)
    if address["country_code"] == "CH" and address.get("state") not in _CANTONS.split():
        raise Refusal("The given data was invalid.", 422, {"addresses.0.state": ["The canton is required."]})


def check_invoice(body: Mapping[str, Any]) -> None:
    """Receiver, dates, positions; and every sum has to follow from the others."""
    need(body, "receiver", "invoiceDate", "dueDate", "currencyCode", "positions")
    if body["currencyCode"] not in ("CHF", "EUR"):
        raise Refusal("The given data was invalid.", errors={"currencyCode": ["is not set up in this account"]})
    total = Decimal(0)
    for place, position in enumerate(body["positions"], start=1):
        need(position, "kind", "positionNumber", "productDescription", "quantity", "vat")
        if position["positionNumber"] != place or position["kind"] != "product":
            raise Refusal("The given data was invalid.", errors={f"positions.{place}": ["kind or number"]})
        amount, vat = money(position["positionTotal"]), position["vat"]
        if money(position["singlePrice"]) * position["quantity"] != amount:
            raise Refusal("The given data was invalid.", errors={f"positions.{place}.positionTotal": ["does not fit"]})
        rate, tax = Decimal(str(vat["percentage"])), money(vat["amount"])
        if rate not in RATES:
            raise Refusal("The given data was invalid.", errors={f"positions.{place}.vat": ["no such rate"]})
        net = amount - tax if body.get("pricesIncludeVat") else amount
        if abs(net * rate / 100 - tax) > CENT * max(int(position["quantity"]), 1) + CENT:
            raise Refusal("The given data was invalid.", errors={f"positions.{place}.vat.amount": ["does not fit"]})
        total += net + tax
    if "documentTotal" in body and money(body["documentTotal"]) != total:
        raise Refusal("The given data was invalid.", errors={"documentTotal": ["is not the sum of the positions"]})


def is_paid(document: Mapping[str, Any]) -> bool:
    return Decimal(document["documentTotal"]) > 0 and Decimal(document["_paid"]) >= Decimal(document["documentTotal"])


def wire(document: Mapping[str, Any], *, zero_drafts: bool = False) -> dict[str, Any]:
    """A document as it is shown; ``zero_drafts``: a draft has nothing open yet."""
    shown = {name: value for name, value in document.items() if not name.startswith("_")}
    if "openAmount" in shown:
        still_open = Decimal(document["documentTotal"]) - Decimal(document["_paid"])
        is_zero = zero_drafts and document["sentStatus"] == "OPEN"
        shown["openAmount"] = "0.00" if is_zero else str(still_open)
    return shown


def actions_of(document: Mapping[str, Any], made: set[str]) -> list[str]:
    """What can be done with an invoice as it stands; ``made``: the kinds of notes that were made of it."""
    if document["isCancelled"]:
        return ["archive", "clone", "downloadPdf"]
    found = ["activity", "clone", "downloadPdf", "print"]
    is_draft, touched = document["sentStatus"] == "OPEN", Decimal(document["_paid"]) > 0
    if is_draft:
        found += ["markSent", "email", *(() if touched else ("delete",))]
    if not touched:
        found.append("cancel")
    if not is_paid(document):
        found += ["paymentAdd", *(() if is_draft else ("dunningSent",))]
    if "delivery-notes" not in made:
        found.append("convertDN")
    if "credit-notes" not in made and not is_draft:
        found.append("convertIC")
    return found
