"""Sets of payment methods for a country, from the files in ``profiles/``: made once, then the merchant's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.db import transaction

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.models import PaymentMethod, PaymentMethodChange
from oscar_fulfillment.models.payment import EVERYONE, GATEWAY, MANUAL
from oscar_fulfillment.selectors.payment_methods import gateway_or_none

from .method_rules import GAP
from .payment_methods import DELETE, save_payment_method

#: Made; there already, and left as it is; deleted by a person before; without a provider that could take it.
MADE, KEPT, DELETED, NO_PROVIDER = "made", "kept", "deleted", "no_provider"

_FOLDER = Path(__file__).resolve().parent.parent / "profiles"
_ADAPTERS = "oscar_fulfillment.gateways."


@dataclass(frozen=True)
class Result:
    """What became of one method of a set. ``needs_text``: it is not offered before its gaps are filled in."""

    code: str
    outcome: str
    method: PaymentMethod | None = None
    needs_text: bool = False
    needs: tuple[str, ...] = ()


def profiles() -> list[str]:
    """The sets there are."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def make_profile(name: str, *, actor: Actor | None = None) -> list[Result]:
    """Make the methods of a set that the shop does not have. One that is there, whatever became of it, and one that
    a person has deleted are left alone, so running it again is safe. ``KeyError`` for an unknown set.
    """
    if name not in profiles():
        raise KeyError(name)
    declared = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))["methods"]
    return [_make(method, actor or Actor.system("fulfillment_setup")) for method in declared]


def _make(declared: Mapping[str, Any], actor: Actor) -> Result:
    code = declared["code"]
    if (method := PaymentMethod._default_manager.filter(code=code).first()) is not None:
        return Result(code, KEPT, method)
    if PaymentMethodChange._default_manager.filter(code=code, action=DELETE).exists():
        return Result(code, DELETED)
    found = _provider(declared.get("gateways", {}), declared.get("currencies", []))
    if found is None and "by_hand" not in declared:
        return Result(code, NO_PROVIDER, needs=tuple(declared["gateways"]))
    chosen = declared if found is not None else declared["by_hand"]
    texts = {"name": declared["name"], "instructions": chosen.get("instructions", {})}
    base, translations = _texts(texts)
    needs_text = any(GAP in text for text in texts["instructions"].values())
    kind = {"kind": GATEWAY, "provider": found[0], "provider_method": found[1]} if found else {"kind": MANUAL}
    with transaction.atomic():
        groups = [Group._default_manager.get_or_create(name=group)[0].pk for group in declared.get("groups", ())]
        values = {
            **kind, **chosen.get("policy", {}), **base,
            "code": code, "translations": translations, "is_active": not needs_text, "groups": groups,
            "audience": declared.get("audience", EVERYONE),
            "countries": declared["countries"], "currencies": declared["currencies"],
        }  # fmt: skip
        return Result(code, MADE, save_payment_method(actor=actor, values=values), needs_text)


def _provider(wanted: Mapping[str, str], currencies: list[str]) -> tuple[str, str] | None:
    """(alias, method) of the first adapter wanted that the shop has, with this method, for one of these currencies."""
    for adapter, method in wanted.items():
        for alias in gateways:
            backend = str(settings.GATEWAYS[alias].get("BACKEND", ""))
            if not backend.startswith(f"{_ADAPTERS}{adapter}."):
                continue
            gateway = gateway_or_none(alias)
            if gateway is None or method not in gateway.methods:
                continue
            if not gateway.currencies or gateway.currencies >= set(currencies):
                return alias, method
    return None


def _texts(texts: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The plain texts, in the shop's own language, and those of the others."""
    own = django_settings.LANGUAGE_CODE.lower().partition("-")[0]
    own = own if own in texts["name"] else "en"
    base = {field: by_language.get(own, "") for field, by_language in texts.items()}
    others = sorted(set(texts["name"]) - {own})
    return base, {
        language: {field: words[language] for field, words in texts.items() if words.get(language)}
        for language in others
    }
