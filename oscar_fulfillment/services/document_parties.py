"""The people on an order's documents: its seller, and its addresses as their country writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings as django_settings
from django.utils import translation
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents.addresses import postal_lines
from oscar_fulfillment.documents.formats import Formats
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.sellers import Seller, find_seller, seller_keys
from oscar_fulfillment.fiscal import taxids

#: The fields of Oscar's address that a country has a place for; a shop's own fields are printed where it puts them.
_KNOWN = {"salutation", "line1", "line2", "line3", "line4", "state", "postcode", "country"}


class Sellers:
    """The sellers of a batch of orders, each read from the settings once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], Seller | None] = {}

    def of(self, order: Any) -> Seller | None:
        """The seller of an order with a fulfillment row; None where SELLERS names none."""
        keys = seller_names(order)
        if keys not in self._found:
            self._found[keys] = find_seller(**_where(order))
        return self._found[keys]

    def named(self, order: Any) -> Seller:
        """The seller; the shop's name alone where SELLERS names none."""
        return self.of(order) or Seller(Party(str(getattr(django_settings, "OSCAR_SHOP_NAME", "") or "-")))

    def required(self, order: Any) -> Seller:
        """The seller, for papers that must say who it is. Raises ConfigurationError where SELLERS names none."""
        seller = self.of(order)
        if seller is None:
            looked_for = ", ".join(seller_names(order))
            raise ConfigurationError(f"OSCAR_FULFILLMENT['SELLERS'] names no seller for this order ({looked_for})")
        return seller


def seller_names(order: Any) -> tuple[str, ...]:
    """Where this order's seller is looked for in SELLERS."""
    return seller_keys(**_where(order))


def destination(order: Any) -> str:
    """The ISO code of the country that the order goes to; "" where it has no address."""
    address = order.shipping_address or order.billing_address
    return (address.country_id or "") if address is not None else ""


def _where(order: Any) -> dict[str, str]:
    return {"country": destination(order), "currency": order.currency, "flow": order.fulfillment.flow}


def buyer(order: Any, seller: Seller, *, abroad_only: bool = True) -> Party:
    """Who pays: the billing address, else the one on the parcel; the name alone where there is neither."""
    fulfillment = order.fulfillment
    numbers: tuple[tuple[str, str], ...] = ()
    if fulfillment.tax_id:
        kind = taxids.KINDS.get(fulfillment.tax_id_kind)
        label = str(kind.label) if kind else _("Tax number")
        numbers = ((label, taxids.format_tax_id(fulfillment.tax_id_kind, fulfillment.tax_id)),)
    address = order.billing_address or order.shipping_address
    if address is None:
        return Party(fulfillment.customer_name or order.email or order.number, tax_ids=numbers)
    name = address.name or fulfillment.customer_name
    return party_of(address, seller, name=name, tax_ids=numbers, abroad_only=abroad_only)


def other_receiver(order: Any, seller: Seller, *, abroad_only: bool = True) -> Party | None:
    """Where the goods go, if that is not where the invoice goes."""
    paying, receiving = order.billing_address, order.shipping_address
    if paying is None or receiving is None:
        return None
    party = party_of(receiving, seller, name=receiving.name, abroad_only=abroad_only)
    return None if party == party_of(paying, seller, name=paying.name, abroad_only=abroad_only) else party


def receiver(order: Any, seller: Seller) -> Party | None:
    """Where the goods go, with the telephone number for the carrier; None where nothing is shipped."""
    address = order.shipping_address
    if address is None:
        return None
    phone = getattr(address, "phone_number", None)
    contact = (str(getattr(phone, "as_international", phone)),) if phone else ()
    return party_of(address, seller, name=address.name or order.fulfillment.customer_name, contact=contact)


def party_of(
    address: Any,
    seller: Seller,
    *,
    name: str,
    tax_ids: tuple[tuple[str, str], ...] = (),
    contact: tuple[str, ...] = (),
    abroad_only: bool = True,
) -> Party:
    """An address of Oscar's. Its country is named in the active language, ``abroad_only`` where that is not the
    seller's."""
    country = address.country_id or ""
    if set(address.base_fields) <= _KNOWN:
        street = [text for text in (address.line1, address.line2, address.line3) if text]
        lines = postal_lines(
            street, city=address.line4 or "", state=address.state or "", postcode=address.postcode or "",
            country=country,
        )  # fmt: skip
    else:
        given = [field for field in address.base_fields if field not in ("salutation", "country")]
        lines = [str(value) for value in address.get_address_field_values(given) if value]
    if country and not (abroad_only and country == seller.party.country):
        lines.append(_country_name(country) or str(address.country))
    return Party(
        name=name,
        street=", ".join(part for part in (address.line1, address.line2, address.line3) if part),
        postcode=address.postcode or "",
        city=address.line4 or address.state or "",
        country=country,
        lines=tuple(lines),
        tax_ids=tax_ids,
        contact=contact,
    )


def seen_from(party: Party, country: str) -> Party:
    """The party as mail from another ``country`` (or "" for anywhere) is addressed to it: its own country is named."""
    home = party.country
    if not home or home == country or not party.address:
        return party
    return replace(party, lines=(*party.address, _country_name(home) or home))


def _country_name(code: str) -> str:
    """In the active language: Oscar knows the English one. "" where nobody has a name for it."""
    name = Formats(translation.get_language() or "en").country_name(code)
    return "" if name == code else name
