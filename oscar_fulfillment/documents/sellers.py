"""The seller of an order, from the setting SELLERS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.exceptions import ConfigurationError

from .parties import Party
from .payment_parts.base import PaymentPart, payment_part
from .renderer import DocumentError

_PARTY = ("name", "street", "house_number", "postcode", "city", "country")


@dataclass(frozen=True)
class Seller:
    """Who sells, and what this seller's documents say.

    ``tax_label`` names the tax contained in the total ("TVA 8,1 %"), ``untaxed_note`` stands there when there is none
    ("Без НДС"). ``note`` is printed below, ``signatures`` are pairs of office and name. ``logo`` is a file of a
    template folder. ``due_days`` counts from the order where the payment method says nothing.

    ``return_form`` puts one on each packing slip; ``return_address`` is the name and the lines to send things back to
    (default: the seller's own), ``return_instructions`` pairs of a language and what stands there ("" for any other).
    ``incoterm`` ("DAP") and ``export_reason`` (a key of ``customs_invoice.REASONS`` or a text) are for customs.
    """

    party: Party
    payment: PaymentPart | None = None
    tax_label: str = ""
    untaxed_note: str = ""
    note: str = ""
    logo: str = ""
    due_days: int | None = None
    signatures: tuple[tuple[str, str], ...] = field(default=())
    return_form: bool = True
    return_address: tuple[str, ...] = ()
    return_instructions: tuple[tuple[str, str], ...] = ()
    incoterm: str = ""
    export_reason: str = "sale"

    @property
    def returns_to(self) -> Party:
        """Where goods are sent back to: without a country of its own where the shop has written the lines."""
        if self.return_address:
            return Party(self.return_address[0], lines=self.return_address[1:])
        return Party(self.party.name, country=self.party.country, lines=self.party.address)

    def instructions_in(self, language: str) -> str:
        """What the return form says in this language ("pt-br": else in "pt"), "" for our own words."""
        words = {key.lower(): text for key, text in self.return_instructions}
        language = language.lower()
        return words.get(language) or words.get(language.partition("-")[0]) or words.get("") or ""


def seller_keys(*, country: str = "", currency: str = "", flow: str = "") -> tuple[str, ...]:
    """Where an order's seller is looked for in SELLERS, first place first."""
    return tuple(key for key in (country, currency, flow, "default") if key)


def has_seller(*, country: str = "", currency: str = "", flow: str = "") -> bool:
    """Whether :func:`find_seller` would find one."""
    return any(key in settings.SELLERS for key in seller_keys(country=country, currency=currency, flow=flow))


def find_seller(*, country: str = "", currency: str = "", flow: str = "") -> Seller | None:
    """The seller of orders from ``country`` (ISO code) in ``currency`` that follow ``flow``; None where SELLERS names
    none. Raises :class:`ConfigurationError` for an entry that is wrong."""
    for key in seller_keys(country=country, currency=currency, flow=flow):
        if key in settings.SELLERS:
            return read_seller(key, settings.SELLERS[key])
    return None


def read_seller(key: str, given: Mapping[str, Any]) -> Seller:
    """An entry of SELLERS, checked."""
    where = f"OSCAR_FULFILLMENT['SELLERS'][{key!r}]"
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where} is not a dict")
    known = {*_PARTY, "address", "tax_ids", "contact", *(f.name for f in fields(Seller) if f.name != "party")}
    if unknown := sorted(set(given) - known):
        raise ConfigurationError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    if not given.get("name"):
        raise ConfigurationError(f"{where} has no name")
    days = given.get("due_days")
    if days is not None and not (isinstance(days, int) and 0 <= days <= 3650):
        raise ConfigurationError(f"{where}: due_days is a number of days")
    if not isinstance(given.get("return_form", True), bool):
        raise ConfigurationError(f"{where}: return_form is True or False")
    instructions = given.get("return_instructions", ())
    try:
        party = Party(
            **{name: str(given.get(name, "")) for name in _PARTY},
            lines=_texts(given.get("address", ())),
            tax_ids=_pairs(given.get("tax_ids", {})),
            contact=_texts(given.get("contact", ())),
        )
        return Seller(
            party=party,
            payment=payment_part(given["payment"], party) if given.get("payment") else None,
            due_days=days,
            signatures=_pairs(given.get("signatures", {})),
            return_form=given.get("return_form", True),
            return_address=_texts(given.get("return_address", ())),
            return_instructions=_pairs({"": instructions} if isinstance(instructions, str) else instructions),
            export_reason=str(given.get("export_reason", "sale")),
            **{name: str(given.get(name, "")) for name in ("tax_label", "untaxed_note", "note", "logo", "incoterm")},
        )
    except (DocumentError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _texts(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(str(item) for item in given)


def _pairs(given: Any) -> tuple[tuple[str, str], ...]:
    pairs = given.items() if isinstance(given, Mapping) else given
    return tuple((str(label), str(value)) for label, value in pairs)
