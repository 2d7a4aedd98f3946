"""Payment methods: which ones a buyer may use for an order, and what the merchant's list shows of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import Gateway
from oscar_fulfillment.models import OrderFulfillment, PaymentMethod, PaymentMethodChange, ProviderPayment
from oscar_fulfillment.models.payment import CUSTOMERS, EVERYONE, GROUPS

logger = logging.getLogger("oscar_fulfillment.payments")

#: The most customers that a search answers with.
FOUND = 20
#: An order that waits for its money, or whose money is only held.
OPEN = ("awaiting_payment", "authorized")


def offered(
    *,
    user: Any,
    basket: Any = None,
    country: str = "",
    currency: str = "",
    flow: str | Callable[[], str] = "",
) -> list[PaymentMethod]:
    """The active methods this buyer may use for this basket, in the merchant's order.

    ``country`` is where the goods go, ``currency`` defaults to the basket's; what is not known yet limits nothing.
    ``flow`` may be a function, called only where a method is limited to flows; a flow that cannot be told offers none
    of those. A provider that is not configured, or does not take the currency, is not offered.
    """
    currency = currency or (getattr(basket, "currency", None) or "")
    known: list[str] = []

    def fits_flow(method: PaymentMethod) -> bool:
        if not method.flows:
            return True
        if not known:
            known.append(flow() if callable(flow) else flow)
        return known[0] in method.flows

    return [
        method
        for method in usable_by(user)
        if (not method.countries or not country or country in method.countries)
        and (not method.currencies or not currency or currency in method.currencies)
        and not provider_problem(method, currency)
        and fits_flow(method)
    ]


def usable_by(user: Any) -> QuerySet[PaymentMethod]:
    """The active methods that are for this person (or guest), wherever the goods go."""
    who = Q(audience=EVERYONE)
    if getattr(user, "is_authenticated", False):
        in_groups = PaymentMethod.groups.through._default_manager.filter(group__in=user.groups.all())
        named = PaymentMethod.customers.through._default_manager.filter(**{_customer_column(): user.pk})
        who |= Q(audience=GROUPS, pk__in=in_groups.values("paymentmethod_id"))
        who |= Q(audience=CUSTOMERS, pk__in=named.values("paymentmethod_id"))
    return PaymentMethod._default_manager.filter(who, is_active=True)


def _customer_column() -> str:
    return PaymentMethod.customers.field.m2m_reverse_field_name()


def are_there_methods() -> bool:
    """Whether the shop takes payments by our methods at all."""
    return PaymentMethod._default_manager.filter(is_active=True).exists()


def gateway_or_none(alias: str) -> Gateway | None:
    """The provider of this alias; None for one the settings lack or describe wrongly (which a system check tells)."""
    if alias not in gateways:
        return None
    try:
        return gateways.get(alias)
    except ImproperlyConfigured as error:
        logger.error("the payment provider %r cannot be used: %s", alias, error)
        return None


def provider_problem(method: PaymentMethod, currency: str = "") -> str:
    """Why orders cannot be paid by this method at its provider, for the merchant; "" when they can."""
    if not method.is_run_by_provider:
        return ""
    gateway = gateway_or_none(method.provider)
    if gateway is None:
        return _("The provider “%(alias)s” is not configured.") % {"alias": method.provider}
    names = {"provider": gateway.name or method.provider, "method": method.provider_method or "-"}
    if method.provider_method not in gateway.methods:
        return _("%(provider)s has no method “%(method)s”.") % names
    if currency and gateway.currencies and currency not in gateway.currencies:
        return _("%(provider)s does not take %(currency)s.") % (names | {"currency": currency})
    return ""


# The merchant's list


def methods_for_list() -> list[PaymentMethod]:
    """Every method in its order, each with ``open_orders`` and ``customer_count``: three statements."""
    found = PaymentMethod._default_manager.prefetch_related("groups").annotate(customer_count=Count("customers"))
    # Said again: a query that groups forgets the model's ordering.
    methods: list[PaymentMethod] = list(found.order_by("position", "pk"))
    counts = open_orders([method.pk for method in methods])
    for method in methods:
        method.open_orders = counts.get(method.pk, 0)  # type: ignore[attr-defined]
    return methods


def open_orders(pks: Sequence[int]) -> dict[int, int]:
    """How many orders of each method wait for their money. One look at an index."""
    rows = OrderFulfillment._default_manager.filter(payment_method__in=pks, payment_status__in=OPEN)
    return dict(rows.order_by().values_list("payment_method").annotate(count=Count("pk")))


def is_used(method: PaymentMethod) -> bool:
    """Whether an order or a payment names this method, so that it cannot be deleted."""
    return (
        OrderFulfillment._default_manager.filter(payment_method=method).exists()
        or ProviderPayment._default_manager.filter(payment_method=method).exists()
    )


def last_change(method: PaymentMethod | None) -> int:
    """The number of the newest change of a method, 0 without one: what a form shows was seen."""
    if method is None or method.pk is None:
        return 0
    newest = PaymentMethodChange._default_manager.filter(method=method).order_by("-pk").values_list("pk", flat=True)
    return newest.first() or 0


def changes_of(method: PaymentMethod, limit: int = 20) -> list[PaymentMethodChange]:
    """The newest changes of a method."""
    return list(PaymentMethodChange._default_manager.filter(method=method).order_by("-pk")[:limit])


def search_customers(query: str, *, without: Iterable[int] = ()) -> list[Any]:
    """Active customers whose mail or name begins with every word typed; at most :data:`FOUND`."""
    words = [word for word in query.replace("\x00", "").split()[:5] if word]
    if not words:
        return []
    found = get_user_model()._default_manager.filter(is_active=True).exclude(pk__in=list(without))
    for word in words:
        found = found.filter(
            Q(email__istartswith=word) | Q(first_name__istartswith=word) | Q(last_name__istartswith=word)
        )
    return list(found.order_by("email", "pk")[:FOUND])
