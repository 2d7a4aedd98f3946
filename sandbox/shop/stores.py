"""The four stores of the demo shop. One catalogue; each store has its partner, currency, taxes and carriers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

SESSION_KEY = "store"


@dataclass(frozen=True)
class Carriage:
    """A way to ship: the price is in the store's currency and includes tax."""

    code: str
    name: str
    description: str
    price: Decimal
    # Basket value from which it is free; None: never.
    free_from: Decimal | None = None


@dataclass(frozen=True)
class Store:
    code: str
    name: str
    currency: str
    # The first one is the default of the address form.
    countries: tuple[str, ...]
    # Part of the price that is value added tax, as a rate on the net price.
    tax_rate: Decimal
    language: str
    carriages: tuple[Carriage, ...]


STORES: dict[str, Store] = {
    store.code: store
    for store in (
        Store(
            "br",
            pgettext_lazy("store", "Brazil"),
            "BRL",
            ("BR",),
            Decimal("0"),
            "pt",
            (
                Carriage("pac", _("Correios PAC"), _("5 to 9 working days"), Decimal("19.90"), Decimal("299.00")),
                Carriage("sedex", _("Correios SEDEX"), _("1 to 3 working days"), Decimal("39.90")),
                Carriage(
                    "br-pickup", _("Pick up in São Paulo"), _("Rua Augusta 1500, from tomorrow noon"), Decimal("0")
                ),
            ),
        ),
        Store(
            "ch",
            pgettext_lazy("store", "Switzerland"),
            "CHF",
            ("CH",),
            Decimal("0.081"),
            "fr",
            (
                Carriage(
                    "post-eco", _("Swiss Post Economy"), _("2 to 3 working days"), Decimal("7.90"), Decimal("90.00")
                ),
                Carriage("post-pri", _("Swiss Post Priority"), _("The next working day"), Decimal("10.90")),
                Carriage(
                    "ch-pickup", _("Pick up in Lausanne"), _("Rue de Bourg 12, pay in cash if you like"), Decimal("0")
                ),
            ),
        ),
        Store(
            "ru",
            pgettext_lazy("store", "Russia"),
            "RUB",
            ("RU",),
            Decimal("0.22"),
            "ru",
            (
                Carriage("cdek-pvz", _("CDEK, pick-up point"), _("3 to 6 days"), Decimal("290"), Decimal("9000")),
                Carriage("cdek-door", _("CDEK, to the door"), _("3 to 6 days"), Decimal("490")),
                Carriage("ru-pickup", _("Pick up in Moscow"), _("Pokrovka 17, from tomorrow noon"), Decimal("0")),
            ),
        ),
        Store(
            "eu",
            pgettext_lazy("store", "France and Spain"),
            "EUR",
            ("FR", "ES"),
            Decimal("0.20"),
            "fr",
            (
                Carriage("tipsa", _("TIPSA"), _("24 to 48 hours"), Decimal("6.50"), Decimal("75.00")),
                Carriage("colissimo", _("Colissimo"), _("2 to 4 working days"), Decimal("7.90")),
                Carriage("eu-pickup", _("Pick up in Lyon"), _("Rue Mercière 8, from tomorrow noon"), Decimal("0")),
            ),
        ),
    )
}
DEFAULT = "br"


def store_of(request) -> Store:
    """The store the visitor chose; without a choice, the first one."""
    session = getattr(request, "session", None)
    code = session.get(SESSION_KEY) if session is not None else None
    return STORES.get(code or DEFAULT, STORES[DEFAULT])


def store_by_currency(currency: str | None) -> Store:
    return next((store for store in STORES.values() if store.currency == currency), STORES[DEFAULT])


def checkout_countries(request) -> Iterable[str]:
    """Setting CHECKOUT_COUNTRIES: a store ships to its own countries."""
    return store_of(request).countries


def checkout_payment_methods(request, methods: Iterable) -> list:
    """Setting CHECKOUT_PAYMENT_METHODS: cash only when the goods are picked up.

    Which store and which buyer has which ways to pay is said by the methods themselves, in the dashboard.
    """
    from oscar_fulfillment.checkout.utils import CheckoutSessionData

    if CheckoutSessionData(request).shipping_method_code(request.basket) == "ch-pickup":
        return list(methods)
    return [method for method in methods if method.code != "cash-pickup"]


#: The office of CDEK where Moscow's buyers of this shop collect: a real checkout lets them choose on a map.
CDEK_OFFICE = "MSK124"


def pickup_point(order) -> str:
    """Setting PICKUP_POINT: where the buyer collects the parcel."""
    return CDEK_OFFICE if order.shipping_code == "cdek-pvz" else ""
