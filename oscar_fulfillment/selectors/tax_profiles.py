"""Which tax profile an article has, and what else its note says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.utils.module_loading import import_string

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.fiscal.emission.rules import ORIGINS, TaxRules, rules_from_json
from oscar_fulfillment.fiscal.emission.texts import digits
from oscar_fulfillment.models import TaxProfile

#: Attributes of a product that the default of NFE_PRODUCT reads.
ATTRIBUTES = ("ncm", "cest", "origin", "gtin")


def profiles_by_class() -> dict[int | None, TaxProfile]:
    """Every profile by the pk of its product class; None: the one for all others. One statement."""
    return {profile.product_class_id: profile for profile in TaxProfile._default_manager.all()}


def profile_of(product: Any, profiles: Mapping[int | None, TaxProfile]) -> TaxProfile | None:
    """The profile of a product's class, else the one for all others; None where there is neither. ``product`` may be
    None: it was deleted."""
    product_class = product.get_product_class() if product is not None else None
    return profiles.get(product_class.pk if product_class is not None else None) or profiles.get(None)


def article_of(product: Any) -> dict[str, str]:
    """What the shop knows of one article beside its profile: "ncm", "cest", "origin", "gtin"; empty texts left out."""
    if product is None:
        return {}
    given = _hook()(product) or {}
    found = {name: str(given.get(name) or "").strip() for name in ATTRIBUTES}
    found["ncm"], found["cest"] = digits(found["ncm"], 8), digits(found["cest"], 7)
    if not is_gtin(found["gtin"]):
        found["gtin"] = ""
    if found["origin"] not in ORIGINS:
        found["origin"] = ""
    return {name: value for name, value in found.items() if value}


def _hook() -> Callable[[Any], Mapping[str, Any]]:
    given = settings.NFE_PRODUCT
    if not given:
        return article_attributes
    if callable(given):
        return given
    try:
        return import_string(given)
    except ImportError as error:
        raise ConfigurationError(f"OSCAR_FULFILLMENT['NFE_PRODUCT']: {error}") from error


def article_attributes(product: Any) -> dict[str, Any]:
    """The default of NFE_PRODUCT: the product's attributes of these names, and its UPC where that is a GTIN."""
    values = {value.attribute.code: value.value for value in product.get_attribute_values()}
    return {name: values.get(name) for name in ATTRIBUTES} | {"gtin": values.get("gtin") or product.upc}


def is_gtin(text: str) -> bool:
    """Whether this is an EAN-8, UPC, EAN-13 or GTIN-14 with its check digit."""
    if len(text) not in (8, 12, 13, 14) or not (text.isascii() and text.isdigit()) or not text.strip("0"):
        return False
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text)))
    return total % 10 == 0


def rules_for(profile: TaxProfile | None, article: Mapping[str, str]) -> TaxRules:
    """The rules of a profile with what one article says otherwise."""
    rules = rules_from_json(profile.rules) if profile is not None else TaxRules()
    return replace(
        rules,
        ncm=article.get("ncm", rules.ncm),
        cest=article.get("cest", rules.cest),
        origin=article.get("origin", rules.origin),
    )
