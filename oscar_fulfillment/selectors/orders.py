"""Which orders a person sees, and the list of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.core.signals import setting_changed
from django.db.models import BigIntegerField, Case, CharField, Q, QuerySet, Value, When
from django.db.models.functions import Cast
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from oscar_fulfillment.models import OrderFulfillment, PaymentMethod, SavedView
from oscar_fulfillment.models.payment import MANUAL

from .scans import Part, parts_of, read_parts
from .search import Hits, exact, lookups

#: Codes of ``OrderFulfillment.problem`` in words.
PROBLEMS = {
    "refund_due": _("Refund due"),
    "mail_failed": _("Mail not sent"),
    "late_money": _("Money came after the cancellation"),
    "payment_mismatch": _("The payment does not match the order"),
    "refund_failed": _("A refund failed"),
    "capture_failed": _("The held sum could not be charged"),
    "charge_back": _("Charged back"),
    "nfe_rejected": _("The NF-e was rejected"),
    "nfe_denied": _("The NF-e was denied"),
    "nfe_not_entered": _("The NF-e is authorised, but not entered"),
    "carriage_refused": _("The carrier refused the order"),
}


def orders_for_user(user: Any) -> QuerySet[Any]:
    """Oscar's orders that this person may see: staff all, a partner's people those with a line of theirs."""
    Order = get_model("order", "Order")
    orders = Order._default_manager.all()
    return orders if user.is_staff else orders.filter(pk__in=_partner_orders(user))


def fulfillments_for_user(user: Any) -> QuerySet[OrderFulfillment]:
    """The same for their fulfillment rows."""
    rows = OrderFulfillment._default_manager.all()
    return rows if user.is_staff else rows.filter(pk__in=_partner_orders(user))


def _partner_orders(user: Any) -> QuerySet[Any]:
    Line, Partner = get_model("order", "Line"), get_model("partner", "Partner")
    mine = Partner._default_manager.filter(users=user).values("pk")
    return Line._default_manager.filter(partner__in=mine).values("order_id")


@dataclass(frozen=True)
class Method:
    """A payment method as the list offers it."""

    pk: int
    code: str
    name: str
    is_manual: bool


@dataclass(frozen=True)
class View:
    """A saved view as the list offers it."""

    pk: int
    name: str
    query: str
    is_mine: bool
    is_shared: bool


@dataclass(frozen=True)
class Offer:
    """What the list needs to know before it reads orders."""

    methods: list[Method]
    views: list[View]
    #: What was searched for, as far as it is found outside the orders.
    hits: Hits

    @property
    def manual_methods(self) -> list[int]:
        return [method.pk for method in self.methods if method.is_manual]


def read_offer(user: Any, texts: Sequence[str] = (), *, number: str = "") -> Offer:
    """Payment methods, saved views, what is found by ``texts`` outside the orders, and the order that is called exactly
    ``number``, in one statement: each is a few rows.
    """
    offer = Offer([], [], Hits())
    asked = list(lookups(texts))
    if number:
        asked.append(exact(number, fulfillments_for_user(user)))
    for tag, pk, one, two, three in read_parts([*_offered(user.pk), *parts_of(asked)]):
        if tag == "method":
            offer.methods.append(Method(pk, one, two, three == MANUAL))
        elif tag in ("mine", "view"):
            offer.views.append(View(pk, two, one, tag == "mine", three == "shared"))
        else:
            offer.hits.add(tag, pk, one, two)
    offer.methods.sort(key=lambda method: method.name)
    offer.views.sort(key=lambda view: (not view.is_mine, view.name.casefold()))
    return offer


@lru_cache(maxsize=256)
def _offered(user_pk: Any) -> list[Part]:
    """What is read on every page of the list; the same statement each time for the same person."""
    text = CharField()
    methods = (
        PaymentMethod._default_manager.order_by()
        .annotate(tag=Value("method", text), key=Cast("pk", BigIntegerField()))
        .values_list("tag", "key", "code", "name", "kind")
    )
    shared = Case(When(is_shared=True, then=Value("shared")), default=Value(""), output_field=text)
    own = Case(When(owner=user_pk, then=Value("mine")), default=Value("view"), output_field=text)
    views = (
        SavedView._default_manager.filter(Q(owner=user_pk) | Q(is_shared=True))
        .order_by()
        .annotate(tag=own, key=Cast("pk", BigIntegerField()), sharing=shared)
        .values_list("tag", "key", "query", "name", "sharing")
    )
    return parts_of([methods, views])


def flow_choices() -> tuple[tuple[str, Any], ...]:
    """The shop's flows, in words."""
    from oscar_fulfillment.flows import flows

    return tuple((name, flow.label) for name, flow in flows().items())


def status_choices(machine: str) -> tuple[tuple[str, str], ...]:
    """Every state of this machine in any of the shop's flows, in the words of the flow that has it first.

    A state that reads differently in several flows shows all its words.
    """
    return _status_words(machine, get_language())


@lru_cache(maxsize=64)
def _status_words(machine: str, language: str | None) -> tuple[tuple[str, str], ...]:
    from oscar_fulfillment.flows import flows

    labels: dict[str, list[str]] = {}
    for flow in flows().values():
        for name, state in flow.machines[machine].states.items():
            words = labels.setdefault(name, [])
            if str(state.label) not in words:
                words.append(str(state.label))
    return tuple((name, " / ".join(words)) for name, words in labels.items())


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "OSCAR_FULFILLMENT":
        _status_words.cache_clear()


setting_changed.connect(_forget)
