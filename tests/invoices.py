"""Invoices of four sellers, without a database."""

import dataclasses
from datetime import date
from decimal import Decimal

from oscar_fulfillment.documents.invoice import InvoiceData, InvoiceLine
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.sellers import read_seller
from sandbox.sellers import SELLERS

QR_IBAN = "CH44 3199 9123 0008 8901 2"
IBAN = "CH93 0076 2011 6238 5295 7"
BUYERS = {
    "CHF": Party("Peter Müller", "Grosse Marktgasse", "28", "9400", "Rorschach", "CH"),
    "RUB": Party("ООО «Ромашка»", lines=("101000, Москва, ул. Мясницкая, д. 1",)),
    "BRL": Party("Ana Souza", "Rua A", "1", "01310-100", "São Paulo", "BR"),
    "EUR": Party("Jeanne Dupont", "8 rue de la Paix", "", "75002", "Paris", "FR"),
}
LANGUAGES = {"CHF": "fr", "RUB": "ru", "BRL": "pt", "EUR": "fr"}


def line(title="Mug", quantity=2, price="24.50", discount="0", sku="MUG-1"):
    price, discount = Decimal(price), Decimal(discount)
    return InvoiceLine(title, quantity, price, price * quantity - discount, sku, discount)


def invoice(currency="CHF", lines=None, charges=(("Post", Decimal("7.90")),), seller=None, **given):
    lines = tuple(lines if lines is not None else [line()])
    total = sum((item.total for item in lines), Decimal(0)) + sum((amount for _label, amount in charges), Decimal(0))
    fields = {
        "number": "100012", "serial": 12, "issued": date(2026, 11, 26), "currency": currency,
        "language": LANGUAGES.get(currency, "en"), "seller": read_seller(currency, seller or SELLERS[currency]),
        "buyer": BUYERS[currency], "lines": lines, "charges": tuple(charges), "total": total,
        "due": date(2026, 12, 26), "tax": Decimal("4.26"),
    }  # fmt: skip
    return InvoiceData(**fields | given)


def paid_to(currency, **payment):
    """The seller of a currency with another way to be paid."""
    return {**SELLERS[currency], "payment": payment}


def but(data, **changed):
    return dataclasses.replace(data, **changed)
