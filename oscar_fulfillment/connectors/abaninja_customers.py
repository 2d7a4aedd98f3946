"""Who an invoice of AbaNinja is for: a person or company of its address book, as we write and find one. Pure.

The number of a customer is worked out from name and mailbox, so that the same buyer is found again without anything
being remembered here. Somebody who orders with another person's mailbox but another name is another customer.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from .abaninja_codes import canton_of
from .records import Contact

#: Tax identities that only companies have.
_OF_COMPANIES = frozenset({"uid", "cnpj", "siren", "siret", "vat_fr"})
#: "Rue du Lac 3", "Bahnhofstrasse 12a".
_STREET = re.compile(r"(.*\S)\s+(\d{1,5}\s?[a-zA-Z]?)")
_MAX = 100


def clean(text: Any, limit: int = _MAX) -> str:
    """One line without control characters and invisible ones (which turn the direction of writing), cut to size."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in str(text or ""))
    kept = "".join(c for c in kept if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    return " ".join(kept.split())[:limit].strip()


def _fold(text: Any) -> str:
    plain = unicodedata.normalize("NFKD", clean(text, 500).casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def is_company(contact: Contact) -> bool:
    """Whether a tax identity says so: a shop knows no other difference."""
    return contact.tax_id_kind in _OF_COMPANIES


def number_of(contact: Contact, prefix: str, fallback: str) -> str:
    """The customer number: the same for the same name and mailbox. ``fallback``: of whom has no mailbox."""
    if not contact.email.strip():
        return f"{prefix}{clean(fallback, 40)}"
    seed = f"{contact.email.strip().casefold()}\n{_fold(contact.name)}"
    digest = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    return prefix + base64.b32encode(digest)[:10].decode()


def body_of(contact: Contact, *, number: str, language: str, currency: str) -> dict[str, Any]:
    """``POST addresses/v2/addresses``. A person has two names: one that is a single word gets "-" as its first."""
    common = {
        "customer_number": number,
        "currency_code": currency,
        "language": language,
        "contacts": _contacts(contact),
        "addresses": [address_body(contact)],
    }
    name = clean(contact.name) or "-"
    if is_company(contact):
        return {"type": "company", "name": name, "id_number": _id_number(contact), **common}
    first, _space, last = name.partition(" ")
    return {"type": "person", "first_name": first if last else "-", "last_name": last or first, **common}


def _id_number(contact: Contact) -> str:
    number = clean(contact.tax_id, 40)
    parts = re.fullmatch(r"CHE(\d{3})(\d{3})(\d{3})", number, re.ASCII)
    return f"CHE-{parts[1]}.{parts[2]}.{parts[3]}" if parts else number


def _contacts(contact: Contact) -> list[dict[str, Any]]:
    found = [("email", clean(contact.email, 254)), ("phone", clean(contact.phone, 40))]
    return [
        {"type": kind, "value": value, "primary": place == 0}
        for place, (kind, value) in enumerate((kind, value) for kind, value in found if value)
    ]


def address_body(contact: Contact) -> dict[str, Any]:
    """The address as AbaNinja writes it: street and number apart, a canton for Switzerland."""
    street = clean(contact.line1)
    parts = _STREET.fullmatch(street)
    country = clean(contact.country, 2).upper()
    body = {
        "address": parts[1] if parts else street,
        "street_number": parts[2] if parts else "",
        "extension": clean(contact.line2),
        "additional_field": clean(contact.line3),
        "city": clean(contact.city),
        "zip_code": clean(contact.postcode, 16),
        "country_code": country,
    }
    canton = canton_of(contact.postcode, contact.state) if country == "CH" else clean(contact.state, 40)
    return {**body, "state": canton}


def is_same(found: Mapping[str, Any], contact: Contact, number: str) -> bool:
    """Whether a customer of theirs is this buyer: by number, else by mailbox and name both."""
    if clean(found.get("customer_number"), 64) == number:
        return True
    mailboxes = {_fold(entry.get("value")) for entry in _dicts(found.get("contacts")) if entry.get("type") == "email"}
    return bool(contact.email) and _fold(contact.email) in mailboxes and _name_of(found) == _fold(contact.name)


def _name_of(found: Mapping[str, Any]) -> str:
    if found.get("type") == "company":
        return _fold(found.get("company_name") or found.get("name"))
    return _fold(f"{found.get('first_name') or ''} {found.get('last_name') or ''}")


def address_uuid(found: Mapping[str, Any], contact: Contact) -> str:
    """The id of the customer's address that is the one of the order; "" where none is."""
    wanted = _line(address_body(contact))
    return next(
        (
            str(entry["uuid"])
            for entry in _dicts(found.get("addresses"))
            if entry.get("uuid") and _line(entry) == wanted
        ),
        "",
    )


def _line(address: Mapping[str, Any]) -> tuple[str, ...]:
    street = _fold(f"{address.get('address') or ''} {address.get('street_number') or ''}")
    return (street, *(_fold(address.get(name)) for name in ("extension", "city", "zip_code", "country_code")))


def _dicts(found: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []
