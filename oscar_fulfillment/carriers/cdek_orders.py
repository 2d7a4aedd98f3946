"""What CDEK is asked to carry: the body of an order, by the rules of a shop's settings. Pure.

Limits and required fields are those of CDEK's API reference ("Регистрация заказа"): weights in grams, sizes in
centimetres, money with two decimals. What CDEK can say itself is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected, ConfigurationError

from .base import names
from .events import Address, CarrierOrderRequest, Package, PackedItem, clean

#: Rates of value-added tax that CDEK knows, in per cent; None is "without".
VAT_RATES = frozenset({None, 0, 5, 7, 10, 12, 16, 20, 22})
_NUMBER = re.compile(r"[!-~]{1,40}", re.ASCII)
_PHONE = re.compile(r"\s*\+?([\d\s().-]*\d)(.*)", re.ASCII | re.DOTALL)
#: What an article number may hold; other characters become "_".
_ARTICLE = re.compile(r"[^0-9A-Za-zА-Яа-яЁё!@\"#№$;%^:&?*()_\-+=<>,.{}\[\]/ ]")
_CONTACT = ("name", "company", "email", "tin")
_LOCATION = frozenset(
    {
        "code", "city_uuid", "city", "fias_guid", "country_code", "country", "region", "region_code", "sub_region",
        "longitude", "latitude", "address", "postal_code",
    }
)  # fmt: skip


class OrderRules:
    """How a shop sends with CDEK.

    ``tariffs``: CDEK's tariff code for a word of the shop's shipping methods (their code, or a word in their name);
    the word "" stands for all others. ``sender``: ``shipment_point`` (the code of the office that the shop brings its
    parcels to) or ``location`` (from where they are collected: ``address`` and ``code`` or ``city``), and perhaps
    ``name``, ``company``, ``phone``, ``email``, ``tin``. ``weight`` (g) and ``dimensions`` (cm) count for a box that
    nobody measured. ``vat_rate`` is that of goods paid at the door, None without.
    """

    def __init__(
        self,
        *,
        tariffs: Mapping[str, int],
        sender: Mapping[str, Any],
        weight: int = 0,
        dimensions: Sequence[int] = (0, 0, 0),
        vat_rate: int | None = None,
        currency: str = "RUB",
    ):
        self.tariffs, self.weight, self.dimensions = dict(tariffs), weight, tuple(dimensions)
        self.vat_rate, self.currency = vat_rate, currency
        if not tariffs or not all(isinstance(code, int) for code in self.tariffs.values()):
            raise ConfigurationError(f"CDEK: tariffs {tariffs!r} are no tariff codes by shipping method")
        if weight < 0 or len(self.dimensions) != 3 or min(self.dimensions) < 0:
            raise ConfigurationError("CDEK: weight is in grams, dimensions are length, width and height in centimetres")
        if vat_rate not in VAT_RATES:
            raise ConfigurationError(f"CDEK: there is no vat_rate {vat_rate!r}")
        self.origin, self.sender = _origin(sender), _contact(sender)

    def tariff(self, code: str, name: str) -> int:
        """The tariff of a shipping method. ``AdapterRejected`` when the settings name none."""
        for word, tariff in self.tariffs.items():
            if word and word in (code, name):
                return tariff
        for word, tariff in self.tariffs.items():
            if word and names(word, code, name):
                return tariff
        if "" not in self.tariffs:
            raise AdapterRejected(
                gettext("The settings name no tariff of CDEK for the shipping method {method}.").format(
                    method=name or code or "-"
                )
            )
        return self.tariffs[""]


def order_body(rules: OrderRules, request: CarrierOrderRequest) -> dict[str, Any]:
    """The body of an order of type 1 ("e-shop"). ``AdapterRejected`` for what CDEK could not make sense of."""
    if not _NUMBER.fullmatch(request.reference):
        raise AdapterRejected(gettext("CDEK takes order numbers of at most 40 Latin letters, digits and marks."))
    if request.currency != rules.currency:
        raise AdapterRejected(gettext("This account does not take {currency}.").format(currency=request.currency))
    body: dict[str, Any] = {
        "type": 1,
        "number": request.reference,
        "tariff_code": rules.tariff(request.shipping_code, request.shipping_name),
        "comment": clean(request.comment, 255),
        **rules.origin,
        "sender": rules.sender,
        "recipient": _recipient(request.recipient),
    }
    if request.pickup_point:
        body["delivery_point"] = clean(request.pickup_point, 255)
    else:
        body["to_location"] = _location(request.recipient)
    items = [item for package in request.packages for item in package.items]
    prices, rest = _cash(items, _minor(request.cash_on_delivery))
    if rest:
        # What is collected beyond the goods is the buyer's share of the carriage.
        body["delivery_recipient_cost"] = _money(rest, rules.vat_rate)
    body["packages"] = [_package(rules, package, prices) for package in request.packages]
    return {name: value for name, value in body.items() if value not in ("", {})}


def _package(rules: OrderRules, package: Package, prices: Iterator[list[tuple[int, int]]]) -> dict[str, Any]:
    known = all(item.weight for item in package.items)
    weight = package.weight or (sum(item.weight * item.quantity for item in package.items) if known else 0)
    weight = weight or rules.weight
    if weight <= 0:
        raise AdapterRejected(
            gettext("Weigh package {number}: the settings give no weight for boxes.").format(number=package.number)
        )
    # Unweighed goods share the weight of their box.
    share = max(1, weight // max(1, sum(item.quantity for item in package.items)))
    found: dict[str, Any] = {"number": str(package.number), "weight": weight}
    measured = (package.length, package.width, package.height)
    sizes = measured if all(measured) else rules.dimensions
    if all(sizes):
        found.update(zip(("length", "width", "height"), sizes, strict=True))
    found["items"] = [
        {
            "name": clean(item.title, 255) or clean(item.sku, 255) or "-",
            "ware_key": _ARTICLE.sub("_", clean(item.sku, 50)) or str(number),
            "payment": _money(price, rules.vat_rate),
            "cost": float(item.value.quantize(Decimal("0.01"), ROUND_HALF_UP)),
            "weight": item.weight or share,
            "amount": amount,
        }
        for number, item in enumerate(package.items, start=1)
        for price, amount in next(prices)
    ]
    return found


def _cash(items: Sequence[PackedItem], cash: int) -> tuple[Iterator[list[tuple[int, int]]], int]:
    """What is collected for each item, as (kopecks a piece, pieces), and what is collected beyond the goods.

    Less than the goods cost is shared by their value, to the kopeck: a line may fall into two.
    """
    total = sum(_minor(item.value) * item.quantity for item in items)
    if cash < 0 or (cash and not total):
        raise AdapterRejected(gettext("What CDEK is to collect needs goods with a price."))
    if not cash:
        return iter([[(0, item.quantity)] for item in items]), 0
    if cash >= total:
        return iter([[(_minor(item.value), item.quantity)] for item in items]), cash - total
    units = [_minor(item.value) * cash // total for item in items]
    left = cash - sum(unit * item.quantity for unit, item in zip(units, items, strict=True))
    found = []
    for unit, item in zip(units, items, strict=True):
        # Rounding takes less than a kopeck from each piece that costs anything.
        dearer = min(left, item.quantity) if item.value else 0
        left -= dearer
        lines = ((unit + 1, dearer), (unit, item.quantity - dearer))
        found.append([(price, amount) for price, amount in lines if amount])
    return iter(found), 0


def _money(minor: int, vat_rate: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {"value": minor / 100}
    if minor:
        vat = Decimal(minor) * (vat_rate or 0) / (100 + (vat_rate or 0))
        found.update(vat_rate=vat_rate, vat_sum=int(vat.quantize(Decimal(1), ROUND_HALF_UP)) / 100)
    return found


def _recipient(address: Address) -> dict[str, Any]:
    phone = phone_of(address.phone, address.country)
    if not phone:
        raise AdapterRejected(gettext("CDEK needs the recipient's phone number."))
    found = {
        "name": clean(address.name, 255),
        "company": clean(address.company, 255),
        "email": clean(address.email, 255),
    }
    return {**{name: value for name, value in found.items() if value}, "phones": [phone]}


def _location(address: Address) -> dict[str, str]:
    found = {
        "country_code": clean(address.country, 2),
        "region": clean(address.state, 255),
        "city": clean(address.city, 255),
        "postal_code": clean(address.postcode, 255),
        "address": clean(", ".join(part for part in (address.line1, address.line2, address.district) if part), 255),
    }
    return {name: value for name, value in found.items() if value}


def phone_of(raw: str, country: str = "") -> dict[str, str]:
    """A phone number as CDEK wants it, "+79990000000", with what follows it as "additional". {} when there is none."""
    match = _PHONE.match(clean(raw, 100))
    digits = re.sub(r"\D", "", match[1], flags=re.ASCII) if match else ""
    if not match or not digits:
        return {}
    if country in ("", "RU", "KZ") and "+" not in raw:
        if len(digits) == 11 and digits[0] == "8":
            digits = f"7{digits[1:]}"
        elif len(digits) == 10:
            digits = f"7{digits}"
    extension = re.sub(r"\D", "", match[2], flags=re.ASCII)[:20]
    return {"number": f"+{digits}"[:24], **({"additional": extension} if extension else {})}


def _minor(amount: Decimal) -> int:
    return int((amount * 100).quantize(Decimal(1), ROUND_HALF_UP))


def _origin(sender: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(sender) - {"shipment_point", "location", "phone", *_CONTACT}
    point, location = sender.get("shipment_point"), sender.get("location")
    if unknown or bool(point) == bool(location):
        raise ConfigurationError(f"CDEK: sender has shipment_point or location, and not {sorted(unknown)}")
    if point:
        return {"shipment_point": str(point)}
    if not isinstance(location, Mapping) or set(location) - _LOCATION or not location.get("address"):
        raise ConfigurationError(f"CDEK: the sender's location has an address, and only {sorted(_LOCATION)}")
    return {"from_location": dict(location)}


def _contact(sender: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: str(sender[name]) for name in _CONTACT if sender.get(name)}
    phone = phone_of(str(sender.get("phone") or ""))
    if phone:
        found["phones"] = [phone]
    return found
