"""How the demo shop's goods are taxed: a small firm of Simples Nacional that sells what others have made."""

from __future__ import annotations

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.fiscal.emission.rules import TaxRules
from oscar_fulfillment.models import TaxProfile, TaxProfileChange
from oscar_fulfillment.services.tax_profiles import save_tax_profile

NAME = "Revenda, Simples Nacional"
RULES = TaxRules(ncm="69111010", cfop_inside="5102", cfop_outside="6108", icms="102", pis="49", cofins="49")


def create_tax_profiles() -> None:
    """The profile for everything, where nobody has made or deleted one."""
    if not TaxProfile.objects.exists() and not TaxProfileChange.objects.exists():
        save_tax_profile(actor=Actor.system("demo"), name=NAME, product_class=None, rules=RULES, reason="Demo")
