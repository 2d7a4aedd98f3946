"""The buyer in AbaNinja's address book: found or made, with the address of the order.

Made without ``force``: AbaNinja then answers 409 with whom it finds alike, which is how a customer is found whom an
earlier order, a lost answer or the merchant has left there. With ``force`` a second one is made beside those.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered
from oscar_fulfillment.core.http import segment

from .abaninja_customers import address_body, address_uuid, body_of, is_company, is_same, number_of
from .abaninja_mapping import Paper, language_of, uuid_of
from .abaninja_wire import PAGE, PAGES, Wire, documents_in
from .records import Contact, OrderRecord


class AddressBook:
    """``prefix`` begins the customer numbers that the shop makes; ``address`` stands in for orders without one."""

    def __init__(self, wire: Wire, paper: Paper, *, prefix: str, address: Mapping[str, str] | None = None):
        self._wire, self._paper, self._prefix = wire, paper, prefix
        self._address = dict(address or {})

    def receiver(self, order: OrderRecord) -> dict[str, str]:
        """Whom an invoice is for: the ids of customer and address."""
        contact = self._contact(order)
        number = number_of(contact, self._prefix, order.number)
        body = body_of(contact, number=number, language=language_of(order, self._paper), currency=order.currency)
        found = self._made(body, contact, number, force=False) or self._made(body, contact, number, force=True)
        if found is None:
            found = self._listed(contact, number)
        if found is None:
            raise AdapterRejected(_("AbaNinja has a customer with the number %(number)s whom it does not show.")
                                  % {"number": number})  # fmt: skip
        uuid = uuid_of(found.get("uuid"))
        where = address_uuid(found, contact) or self._with_address(found, contact)
        return {("companyUuid" if is_company(contact) else "personUuid"): uuid, "addressUuid": where}

    def _contact(self, order: OrderRecord) -> Contact:
        contact = order.buyer
        if contact.line1 and contact.city:
            return contact
        if not self._address:
            raise AdapterRejected(_("The order has no address, and AbaNinja makes no invoice without one."))
        return replace(contact, **self._address)

    def _made(self, body: Mapping[str, Any], contact: Contact, number: str, *, force: bool) -> Mapping[str, Any] | None:
        """The customer, new or known; None where AbaNinja only knows others who are alike."""
        answer = self._wire.call(
            "POST", "/addresses/v2/addresses", query={"force": "true" if force else "false"}, body=body, accept=(409,)
        )
        if answer.status != 409:
            found = documents_in(answer.json())
            if not found or not uuid_of(found[0].get("uuid")):
                raise AdapterUnanswered("AbaNinja did not say which customer it made")
            return found[0]
        return self._choose(_alike(answer.body), contact, number)

    def _choose(self, found: list[Mapping[str, Any]], contact: Contact, number: str) -> Mapping[str, Any] | None:
        return next((entry for entry in found if self._fits(entry, contact, number)), None)

    @staticmethod
    def _fits(entry: Mapping[str, Any], contact: Contact, number: str) -> bool:
        kind = "company" if is_company(contact) else "person"
        return bool(uuid_of(entry.get("uuid"))) and entry.get("type", kind) == kind and is_same(entry, contact, number)

    def _listed(self, contact: Contact, number: str) -> Mapping[str, Any] | None:
        """The number is taken, and the answer did not say by whom: look through the list."""
        return next((entry for entry in self._all(contact) if self._fits(entry, contact, number)), None)

    def _all(self, contact: Contact) -> Iterator[Mapping[str, Any]]:
        kind, seen = ("companies" if is_company(contact) else "persons"), set[str]()
        for page in range(1, PAGES + 1):
            found = documents_in(self._wire.get(f"/addresses/v2/{kind}", page=page, limit=PAGE))
            fresh = [entry for entry in found if str(entry["uuid"]) not in seen]
            seen.update(str(entry["uuid"]) for entry in fresh)
            yield from fresh
            if not fresh:
                return

    def _with_address(self, found: Mapping[str, Any], contact: Contact) -> str:
        """The id of the order's address, put beside those that the customer has."""
        kind = "companies" if is_company(contact) else "persons"
        there = [dict(entry) for entry in found.get("addresses") or () if isinstance(entry, Mapping)]
        body = {"type": "company" if is_company(contact) else "person", "addresses": [*there, address_body(contact)]}
        answer = self._wire.call("PATCH", f"/addresses/v2/{kind}/{segment(found['uuid'])}", body=body)
        changed = documents_in(answer.json())
        if not changed or not (where := address_uuid(changed[0], contact)):
            raise AdapterUnanswered("AbaNinja did not say which address it added")
        return where


def _alike(body: bytes) -> list[Mapping[str, Any]]:
    try:
        return documents_in(json.loads(body))
    except (ValueError, RecursionError):
        return []
