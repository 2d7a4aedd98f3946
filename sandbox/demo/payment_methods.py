"""The ways to pay of the demo shop: the sets of ``fulfillment_setup``, with the shop's accounts filled in.

Together the four stores show every policy: charged at once, held and taken by hand or at dispatch, reminded, reserved,
cancelled, on invoice for known customers, deferred for dealers, cash on pick-up.
"""

from __future__ import annotations

from typing import Any

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import PaymentMethod
from oscar_fulfillment.services import payment_methods, profiles
from oscar_fulfillment.services.method_rules import GAP
from sandbox.shop.stores import Store

PROFILES = ("br", "ch", "ru", "es")
#: The method that is enabled customer by customer.
BY_CUSTOMER = "invoice-ch"
#: Only for goods that are picked up.
CASH = "cash-pickup"

# What goes into the gaps of the instructions, one after the other.
ACCOUNTS: dict[str, tuple[str, ...]] = {
    "pix": ("loja@example.com",),
    "deposito": ("001", "1234-5", "67890-1", "Ponto & Vírgula Ltda."),
    "prepayment": ("CH93 0076 2011 6238 5295 7", "Ponto & Vírgula SA, Lausanne"),
    "transfer": ("FR14 2004 1010 0505 0001 3M02 606", "Ponto & Vírgula SAS, Lyon"),
}
# Where the demo shop differs from the sets.
CHANGES: dict[str, dict[str, Any]] = {
    # Brazil has two providers: what is paid with a card goes to the other one.
    "cartao": {"provider": "pagarme", "provider_method": "card"},
    # The invoice is mailed with the confirmation (see sellers.py).
    "deposito": {"sends_invoice": True},
    "transfer": {"sends_invoice": True, "countries": ["FR", "ES"]},
    # Held, and taken when the goods are sent or, at the latest, before the hold ends.
    "card-eu": {
        "countries": ["FR", "ES"], "capture": "hold", "capture_at": "dispatch", "hold_end": "capture", "hold_days": 7,
    },
}  # fmt: skip


def create_payment_methods() -> None:
    """Make the methods that are missing. What was changed in the dashboard stays."""
    actor = Actor.system("demo")
    for profile in PROFILES:
        for result in profiles.make_profile(profile, actor=actor):
            if result.outcome == profiles.MADE and result.method is not None:
                payment_methods.save_payment_method(actor=actor, method=result.method, values=_values(result.method))


def _values(method: PaymentMethod) -> dict[str, Any]:
    account = ACCOUNTS.get(method.code, ())
    texts = {
        language: words | {"instructions": _filled(words.get("instructions", ""), account)}
        for language, words in method.translations.items()
    }
    return {
        "instructions": _filled(method.instructions, account),
        "translations": texts,
        "is_active": True,
        **CHANGES.get(method.code, {}),
    }


def _filled(text: str, account: tuple[str, ...]) -> str:
    for part in account:
        text = text.replace(GAP, part, 1)
    return text


def methods_of(store: Store) -> list[PaymentMethod]:
    """What demo orders of a store are paid by. Cash needs somebody who comes to get the goods."""
    methods = PaymentMethod.objects.filter(is_active=True).exclude(code=CASH)
    return [method for method in methods if store.currency in method.currencies]
