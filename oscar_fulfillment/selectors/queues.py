"""The work queues: which orders wait for which step. Derived from the flows, so a shop's own steps get theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any

from django.core.signals import setting_changed
from django.db.models import CharField, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.lookups import GreaterThan
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy as pgettext

from oscar_fulfillment.flows import Flow, flows
from oscar_fulfillment.models import OrderFulfillment, Shipment
from oscar_fulfillment.models.shipment import PENDING

from .scans import Alternatives, Part, capped_counts, count_part, page_ids, walks

ALL = "all"

#: The money is in or held: goods may leave (see ``guards.money_is_safe``).
SAFE = ("paid", "authorized", "partially_refunded")
#: See :func:`counts_to_read`.
STILL_MORE = 10
#: (methods, queue, cap) -> when to count it again, by the monotonic clock.
_more_until: dict[tuple[tuple[int, ...], str, int], float] = {}
_KNOWN_STEPS = frozenset({"approve_payment", "release", "invoice", "dispatch", "deliver"})


@dataclass(frozen=True)
class Queue:
    """A tab of the list. ``empty`` is what to say when nothing waits."""

    name: str
    label: Any
    empty: Any
    alternatives: Alternatives
    hint: Any = ""


#: States in which a part of the order waits for one step, another part for the next.
_MIXED = frozenset({"partially_invoiced"})


def step_places(flow: Flow) -> dict[str, list[str]]:
    """Shipping states by the step that takes an order on from there: the last of the flow's steps that may start.

    A state whose parts wait for several steps is the place of each; what waits for its release waits for goods.
    """
    places: dict[str, list[str]] = defaultdict(list)
    for state in flow.shipping.states:
        table = flow.shipping.transitions
        following = [step for step in flow.steps if step in table and state in table[step].sources]
        following = [step for step in following if step != "release"] if state in _MIXED else following[-1:]
        for step in following:
            places[step].append(state)
    return places


def _waiting_for() -> dict[str, list[Q]]:
    """Step -> conditions. A state that means the same step in every flow needs no look at the flow."""
    by_flow = {name: step_places(flow) for name, flow in flows().items()}
    steps: dict[tuple[str, str], set[str]] = defaultdict(set)  # (step, state) -> flows
    having: dict[str, set[str]] = defaultdict(set)  # state -> flows that know it
    for name, places in by_flow.items():
        for state in flows()[name].shipping.states:
            having[state].add(name)
        for step, states in places.items():
            for state in states:
                steps[step, state].add(name)
    found: dict[str, list[Q]] = defaultdict(list)
    for (step, state), names in steps.items():
        if names == having[state]:
            found[step].append(Q(shipping_status=state))
        else:
            found[step] += [Q(flow=name, shipping_status=state) for name in sorted(names)]
    return found


def release_states() -> list[Q]:
    """The orders whose next step is their first release, whatever their money and holds say."""
    return _waiting_for()["release"]


#: A part has left. What the rest waits for is known by its shipments only.
_REST = Q(shipping_status="partially_dispatched")


def _waiting_parcel(*, invoiced: bool) -> Q:
    """A shipment that waits to leave (in a flow that invoices: with its document), or that waits for its document.

    A scalar subquery and no EXISTS: PostgreSQL would turn that into a join and read all shipments, where each of the
    few orders sent in part is one look at an index.
    """
    plain = [name for name, flow in flows().items() if not flow.invoices]
    parcels = Shipment._default_manager.filter(fulfillment=OuterRef("pk"), status=PENDING).alias(
        flow=ExpressionWrapper(OuterRef("flow"), CharField())
    )
    if invoiced:
        found = parcels.filter(Q(invoice__isnull=False) | Q(flow__in=plain))
    else:
        found = parcels.filter(invoice__isnull=True).exclude(flow__in=plain)
    return Q(GreaterThan(Subquery(found.order_by().values("pk")[:1]), 0))


def build_queues(manual_methods: Iterable[int]) -> Mapping[str, Queue]:
    """Every queue of this shop by name. ``manual_methods``: ids of the payment methods that a person approves."""
    return _build(tuple(sorted(manual_methods)))


def count_queues(manual_methods: Iterable[int], base: QuerySet[OrderFulfillment], cap: int) -> dict[str, int]:
    """How many orders of ``base`` each queue holds, at most ``cap + 1`` ("more than cap"), in one statement."""
    parts, settle = counts_to_read(manual_methods, base, cap)
    return settle(capped_counts(parts))


def counts_to_read(
    manual_methods: Iterable[int], base: QuerySet[OrderFulfillment], cap: int
) -> tuple[list[Part], Callable[[dict[str, int]], dict[str, int]]]:
    """The same for callers that read more in the same statement: what to count, and what makes the counts of all queues
    of it.

    For people who see everything the text is built once, and a queue with more orders than the cap is taken to have
    more still for :data:`STILL_MORE` seconds: those are the ones that take long to count, and least depends on them.
    """
    methods = tuple(sorted(manual_methods))
    if base.query.where:
        return [*_counts(methods, base, cap).values()], lambda found: found
    now = monotonic()
    known = {name: cap + 1 for name in _build(methods) if _more_until.get((methods, name, cap), now) > now}
    asked = {name: part for name, part in _whole_counts(methods, cap).items() if name not in known}

    def settle(found: dict[str, int]) -> dict[str, int]:
        _more_until.update({(methods, name, cap): now + STILL_MORE for name in asked if found[name] > cap})
        return known | found

    return [*asked.values()], settle


def _counts(methods: tuple[int, ...], base: QuerySet[OrderFulfillment], cap: int) -> dict[str, Part]:
    return {
        queue.name: count_part(queue.name, [base.filter(each) for each in queue.alternatives], cap)
        for queue in _build(methods).values()
    }


@lru_cache(maxsize=16)
def _whole_counts(methods: tuple[int, ...], cap: int) -> dict[str, Part]:
    return _counts(methods, OrderFulfillment._default_manager.all(), cap)


def queue_start(
    manual_methods: Iterable[int], name: str, base: QuerySet[OrderFulfillment], limit: int, *, newest_first: bool
) -> RawSQL | None:
    """The ids of the first orders of a queue, for :func:`scans.read_page`; None unless this person sees everything."""
    return None if base.query.where else _start(tuple(sorted(manual_methods)), name, limit, newest_first)


@lru_cache(maxsize=256)
def _start(methods: tuple[int, ...], name: str, limit: int, newest_first: bool) -> RawSQL:
    whole = OrderFulfillment._default_manager.all()
    return page_ids(walks(whole, [_build(methods)[name].alternatives]), limit, newest_first=newest_first)


@lru_cache(maxsize=16)
def _build(manual_methods: tuple[int, ...]) -> dict[str, Queue]:
    waiting = _waiting_for()
    no_hold = Q(hold_count=0)
    starts = {flow.shipping.initial for flow in flows().values()}
    unpaid = {flow.payment.initial for flow in flows().values()}
    to_approve = [
        Q(payment_method=method, payment_status=state) for method in [*manual_methods, None] for state in sorted(unpaid)
    ]
    to_release = [state & Q(payment_status=status) & no_hold for state in release_states() for status in SAFE]
    to_dispatch = [condition & no_hold for condition in waiting["dispatch"]]
    to_dispatch.append(_REST & no_hold & _waiting_parcel(invoiced=True))
    listed = [
        Queue(ALL, _("All"), _("No orders yet. The first one will appear here by itself."), [Q()]),
        Queue(
            "new",
            _("New"),
            _("No new orders. Everything that came in is being worked on."),
            [Q(shipping_status=state) for state in sorted(starts)],
            _("Received, and not released yet, whether paid or not."),
        ),
        Queue(
            "awaiting-payment",
            pgettext("queue", "Awaiting payment"),
            _("No order is waiting for its money."),
            [Q(payment_status=state) for state in sorted(unpaid)],
        ),
        Queue(
            "to-approve",
            _("To approve"),
            _("No payment to approve. Orders paid by deposit or transfer wait here until a person has seen the money."),
            to_approve,
            _("Not paid yet, by a method whose money a person must see."),
        ),
        Queue("on-hold", pgettext("queue", "On hold"), _("No order is on hold."), [Q(hold_count__gt=0)]),
        Queue(
            "to-release",
            _("To release"),
            _("Nothing to release. Paid orders without a hold wait here."),
            to_release,
            _("Paid or authorized, not on hold, not released yet."),
        ),
    ]
    for step in waiting:
        if step not in _KNOWN_STEPS:
            label = next(flow.shipping.transitions[step].label for flow in flows().values() if step in flow.steps)
            conditions = [condition & no_hold for condition in waiting[step]]
            listed.append(Queue(f"step-{step}", label, _("No order is waiting for this step."), conditions))
    if waiting.get("invoice"):
        conditions = [condition & no_hold for condition in waiting["invoice"]]
        conditions.append(_REST & no_hold & _waiting_parcel(invoiced=False))
        empty = _("Nothing to invoice. Released orders wait here for their fiscal document.")
        listed.append(Queue("to-invoice", _("To invoice"), empty, conditions))
    empty = _("Nothing to dispatch. Orders that are ready to leave the house wait here.")
    listed += [
        Queue("to-dispatch", _("To dispatch"), empty, to_dispatch),
        Queue("in-transit", _("In transit"), _("Nothing is under way to a customer."), waiting["deliver"]),
        Queue(
            "delivered",
            pgettext("queue", "Delivered"),
            _("Nothing is delivered yet."),
            [Q(shipping_status="delivered")],
        ),
        Queue("problems", _("Problems"), _("No problems. Orders that need a decision appear here."), [~Q(problem="")]),
    ]
    return {queue.name: queue for queue in listed}


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "OSCAR_FULFILLMENT":
        _build.cache_clear()
        _whole_counts.cache_clear()
        _start.cache_clear()
        _more_until.clear()


setting_changed.connect(_forget)
