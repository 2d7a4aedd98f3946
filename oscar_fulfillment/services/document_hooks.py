"""What documents ask a shop for that neither Oscar nor we keep: where goods lie, what customs want to know of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.module_loading import import_string

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.exceptions import ConfigurationError


@dataclass(frozen=True)
class Customs:
    """What customs want to know of a product; "" and None where nobody knows. ``weight`` is in grams."""

    hs_code: str = ""
    origin: str = ""
    weight: int | None = None


def hook(name: str) -> Callable[[Any], Any] | None:
    """The callable that a setting names, None where it names none. Raises ConfigurationError for one that is not
    there."""
    given = getattr(settings, name)
    if not given or callable(given):
        return given or None
    try:
        found = import_string(given)
    except ImportError as error:
        raise ConfigurationError(f"OSCAR_FULFILLMENT[{name!r}]: {error}") from error
    if not callable(found):
        raise ConfigurationError(f"OSCAR_FULFILLMENT[{name!r}]: {given} cannot be called")
    return found


def bin_of(stockrecord: Any) -> str:
    """Where these goods lie, by DOCUMENT_BIN; "" without a stock record or where the shop does not say."""
    ask = hook("DOCUMENT_BIN")
    return str(ask(stockrecord) or "").strip() if ask is not None and stockrecord is not None else ""


def customs_of(product: Any) -> Customs:
    """What customs want to know of a product (None: it was deleted), by DOCUMENT_CUSTOMS."""
    if product is None:
        return Customs()
    ask = hook("DOCUMENT_CUSTOMS") or customs_attributes
    given: Mapping[str, Any] = ask(product) or {}
    weight = given.get("weight_grams")
    try:
        grams = round(Decimal(str(weight))) if weight not in (None, "") else None
    except (InvalidOperation, ValueError, OverflowError):
        grams = None
    return Customs(
        hs_code=str(given.get("hs_code") or "").strip(),
        origin=str(given.get("origin") or "").strip(),
        weight=grams if grams is not None and grams > 0 else None,
    )


def customs_attributes(product: Any) -> dict[str, Any]:
    """The default: the product's attributes ``hs_code``, ``country_of_origin`` (an ISO code) and ``weight``, in
    kilograms as Oscar's shipping methods by weight take it."""
    values = {value.attribute.code: value.value for value in product.get_attribute_values()}
    kilograms = values.get("weight")
    try:
        grams = Decimal(str(kilograms).replace(",", ".")) * 1000 if kilograms not in (None, "") else None
    except InvalidOperation:
        grams = None
    return {"hs_code": values.get("hs_code"), "origin": values.get("country_of_origin"), "weight_grams": grams}
