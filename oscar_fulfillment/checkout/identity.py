"""The buyer's tax number: which one a country asks for, and whether what was typed can be one."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.fiscal import taxids

LABELS = {
    "cpf": _("CPF (person)"),
    "cnpj": _("CNPJ (company)"),
    "uid": _("UID (company number, CHE)"),
    "siret": _("SIRET"),
    "siren": _("SIREN"),
    "inn": _("INN (taxpayer number)"),
}
EXAMPLES = {
    "cpf": "529.982.247-25",
    "cnpj": "12.ABC.345/01DE-35",
    "uid": "CHE-109.322.551",
    "siret": "732 829 320 00074",
    "siren": "732 829 320",
    "inn": "7707083893",
}
# Longer than any written form of any kind: what exceeds it is not looked at.
MAX_LENGTH = 32


@dataclass(frozen=True)
class IdentityRule:
    """What a country asks for."""

    kinds: tuple[str, ...] = ()
    required: bool = False

    @property
    def choices(self) -> list[tuple[str, str]]:
        return [(kind, LABELS.get(kind, kind)) for kind in self.kinds]


@dataclass(frozen=True)
class TaxIdentity:
    """A checked tax number, without punctuation."""

    kind: str
    number: str

    @property
    def label(self) -> str:
        return str(LABELS.get(self.kind, self.kind))


def rule_for(country_code: str | None) -> IdentityRule:
    """Return what the country with this ISO code asks for; an empty rule when it asks for nothing."""
    rule = settings.CHECKOUT_TAX_IDS.get(country_code or "", {})
    return IdentityRule(tuple(rule.get("kinds", ())), bool(rule.get("required", False)))


def check(kind: str, raw: str) -> TaxIdentity:
    """Return the checked identity. Raises ``ValidationError`` with a message for the buyer."""
    try:
        return TaxIdentity(kind, taxids.normalise(kind, raw))
    except ValueError as error:
        raise ValidationError(str(error), code="tax_id") from error


def check_any(kinds: tuple[str, ...], raw: str) -> TaxIdentity:
    """Return the identity of the first of ``kinds`` that fits. Raises the first kind's ``ValidationError``."""
    first_error = None
    for kind in kinds:
        try:
            return check(kind, raw)
        except ValidationError as error:
            first_error = first_error or error
    raise first_error or ValidationError(_("This country asks for no tax number."), code="tax_id")
