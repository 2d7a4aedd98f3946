"""Random sequences of steps by several users on orders that share their stock, against a naive model.

After every step the database equals the model, the history verifies, and a refused step has changed nothing.
``HYPOTHESIS_PROFILE=thorough`` runs more and longer sequences.
"""

import os
from functools import cache
from itertools import groupby

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from oscar.core.loading import get_model

from oscar_fulfillment.core import history
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.core.transitions import Move
from oscar_fulfillment.models import (
    Hold,
    Invoice,
    OrderFulfillment,
    OutboundMessage,
    Shipment,
    ShipmentLine,
    StatusChange,
)
from oscar_fulfillment.selectors.queues import build_queues
from oscar_fulfillment.services import (
    cancelling,
    door,
    giving_up,
    holds,
    invoicing,
    notes,
    payments,
    release,
    shipment_edits,
    shipping,
)
from oscar_fulfillment.services.actions import available_actions
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from .model_of_pipeline import Model

PHASES = [phase for phase in Phase if phase.name != "shrink" or not os.environ.get("NO_SHRINK")]
STEPS = settings(
    stateful_step_count=25,
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=PHASES,
)
settings.register_profile("pipeline", STEPS)
settings.register_profile("thorough", STEPS, max_examples=1000, stateful_step_count=60)

FLOWS = ("BRAZIL", "STANDARD", "PLUGIN")
REFUSALS = (TransitionNotAllowed, InvalidInput, StaleVersion)
FIRST_STOCK = 8

choice = st.integers(0, 99)
units = st.one_of(st.none(), st.none(), st.lists(st.integers(0, 2), min_size=2, max_size=2), st.just([-1, 4]))
seen = st.one_of(st.none(), st.none(), st.integers(0, 3))  # how many history rows the caller's page is behind
hold_codes = st.sampled_from(["fraud", "address"])


def tables():
    names = ("order.Order", "order.Line", "order.OrderStatusChange", "order.OrderNote", "order.PaymentEvent",
             "order.ShippingEvent", "order.ShippingEventQuantity", "partner.StockRecord")  # fmt: skip
    models = [get_model(*name.split(".")) for name in names]
    return [*models, OrderFulfillment, StatusChange, Hold, Invoice, Shipment, ShipmentLine, OutboundMessage]


@cache
def statements():
    """What reads each of these tables whole. Plain SQL: this is done before and after every step."""
    return [(m.__name__, f'SELECT * FROM "{m._meta.db_table}" ORDER BY "{m._meta.pk.column}"') for m in tables()]


def dump():
    """Every row of every table that a step may write."""
    found = {}
    with connection.cursor() as cursor:
        for name, sql in statements():
            cursor.execute(sql)
            found[name] = cursor.fetchall()
    return found


@cache
def queue_statements():
    """(name, SQL, parameters) of each walk of the queues that follow the parts of an order."""
    queues = build_queues([])
    found = []
    for name in ("to-invoice", "to-dispatch"):
        for alternative in queues[name].alternatives:
            rows = OrderFulfillment.objects.filter(alternative).order_by().values_list("pk")
            found.append((name, *rows.query.sql_with_params()))
    return found


class Pipeline(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()

    def teardown(self):
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    @initialize(ahead=st.lists(st.integers(0, 5), min_size=len(FLOWS), max_size=len(FLOWS)), part=st.booleans())
    def open_the_shop(self, ahead, part):
        self.products = [factories.product(title, stock=FIRST_STOCK) for title in ("Mug", "Plate")]
        self.actors = [Actor.from_user(factories.staff_user(first_name=n)) for n in ("Ana", "Bo")]
        self.actors += [Actor.system("rule"), Actor.provider("demo")]
        self.boss = factories.staff_user("*")
        records = {p.stockrecords.get().pk: p for p in self.products}
        self.model = Model(dict.fromkeys(records, FIRST_STOCK))
        self.orders, self.done, self.serial = [], [], 0
        for flow in FLOWS:
            self.place(flow, [2, 1])
        for number, steps in enumerate(ahead):
            for step in range(steps):
                self.next_step(number, step, [1, 0] if part else None)

    def place(self, flow, quantities):
        lines = [(p, q) for p, q in zip(self.products, quantities, strict=True) if q]
        order = factories.placed_order(lines=lines, fulfillment={"flow": flow})
        self.orders.append(order)
        self.model.place(order.pk, flow, {ln.pk: (ln.stockrecord_id, ln.quantity) for ln in order.lines.all()})

    def pick(self, number, possible=None):
        """An order, read as a request would read it, and its model: mostly one for which the step is possible."""
        found = self.orders
        if possible and number < 80:
            found = [o for o in found if possible(self.model.orders[o.pk])] or found
        order = get_model("order", "Order").objects.get(pk=found[number % len(found)].pk)
        return order, self.model.orders[order.pk]

    def try_step(self, order, who, behind, expected, call, effect, harmless=False):
        """Do a step; compare whether it was done with what the model expects; follow it in the model."""
        o = self.model.orders[order.pk]
        options = {"order": order, "actor": self.actors[who % len(self.actors)]}
        if behind is not None:
            version = max(len(o.history) - behind, 0)
            options["expected_version"] = version
            if o.stale(version):
                expected = False
        if who % 3:
            self.serial += 1
            options["key"] = f"key-{self.serial}"
        before, refusal = dump(), None
        try:
            change = call(options)
        except REFUSALS as error:
            refusal = error
        if refusal is not None:
            assert dump() == before, "a refused step changed something"
            assert expected is not True, f"refused, but should work: {refusal}"
            assert str(refusal)
            return None
        assert expected is not False, "worked, but should be refused"
        o.history.append(not harmless)
        assert change.sequence == len(o.history), "the history is not dense"
        assert change.actor_label == options["actor"].label
        effect(o)
        if options.get("key"):
            self.done.append((order.pk, call, options, change.sequence))
        return change

    # One order

    @rule(number=choice, who=choice, wanted=units)
    def next_step(self, number, who, wanted):
        """What people mostly do: the step that comes next."""
        order, o = self.pick(number)
        me, model = self.orders.index(order), self.model
        aimed = 80 + (me - 80) % len(self.orders)  # picks this very order
        assert self.pick(aimed)[0] == order
        if model.may_approve(o):
            self.approve(aimed, who, None)
        elif model.may_deliver(o) and (who % 2 or not o.of("pending")) and not (who % 3 == 0 and o.backorder):
            self.deliver(aimed, who, None)
        elif model.may_dispatch(o) is not False:
            self.dispatch(aimed, who, None, wanted)
        elif o.flow == "BRAZIL" and model.may_invoice(o, "none"):
            self.invoice(aimed, who, None, str(who % 5 or "none"))
        elif model.may_pack(o):
            self.pack(aimed, who)
        elif o.holds:
            self.end_hold(aimed, who, sorted(o.holds)[0])
        else:
            self.release(aimed, who, None, wanted, who % 2 == 0)

    @rule(flow=st.sampled_from(FLOWS), quantities=st.lists(st.integers(0, 3), min_size=2, max_size=2).filter(any))
    @precondition(lambda self: len(self.orders) < 6)
    def somebody_buys(self, flow, quantities):
        self.place(flow, quantities)

    @rule(number=choice, who=choice, behind=seen)
    def approve(self, number, who, behind):
        order, o = self.pick(number, self.model.may_approve)
        self.try_step(
            order, who, behind, self.model.may_approve(o),
            lambda options: payments.approve_payment(**options), self.model.do_approve,
        )  # fmt: skip

    @rule(number=choice, who=choice, behind=seen, wanted=units, in_part=st.booleans())
    def release(self, number, who, behind, wanted, in_part):
        order, o = self.pick(number, self.model.may_release)
        quantities = None if wanted is None else dict(zip(o.lines, wanted, strict=False))
        in_part = in_part and quantities is None
        made = []

        def call(options):
            change = release.release_order(quantities=quantities, in_part=in_part, **options)
            made.append({int(pk): q for pk, q in change.data["lines"].items()})
            return change

        expected = self.model.may_release(o, quantities)
        self.try_step(order, who, behind, expected, call, lambda o: self.model.do_release(o, made[0]))
        if made and not in_part:
            assert quantities is None or {pk: q for pk, q in quantities.items() if q} == made[0]

    @rule(number=choice, who=choice, behind=seen, document=st.sampled_from(["none", "1", "2", "3", "4"]))
    def invoice(self, number, who, behind, document):
        order, o = self.pick(number, lambda o: self.model.may_invoice(o, document))
        typed = {"kind": "none"} if document == "none" else {"access_key": make_key(number=int(document))}
        self.try_step(
            order, who, behind, self.model.may_invoice(o, document),
            lambda options: invoicing.invoice_order(**typed, **options),
            lambda o: self.model.do_invoice(o, document),
        )  # fmt: skip

    @rule(number=choice, who=choice, behind=seen, one=st.one_of(st.none(), st.integers(1, 4)))
    def cancel_invoice(self, number, who, behind, one):
        order, o = self.pick(number, lambda o: self.model.may_cancel_invoice(o, one))
        entered = dict(enumerate(Invoice.objects.filter(fulfillment=order.pk).values_list("pk", flat=True), 1))
        pk = None if one is None else entered.get(one, 0)
        self.try_step(
            order, who, behind, self.model.may_cancel_invoice(o, one),
            lambda options: invoicing.cancel_invoice(reason="Typed wrongly", invoice=pk, **options),
            lambda o: self.model.do_cancel_invoice(o, one),
        )  # fmt: skip

    @rule(number=choice, who=choice)
    def pack(self, number, who):
        order, o = self.pick(number, self.model.may_pack)

        def call(options):
            given = dict(options)
            return door.move(given.pop("order"), Move("shipping", "pack"), **given)

        self.try_step(order, who, None, self.model.may_pack(o), call, self.model.do_pack)

    @rule(number=choice, who=choice, behind=seen, wanted=units)
    def dispatch(self, number, who, behind, wanted):
        order, o = self.pick(number, self.model.may_dispatch)
        quantities = None if wanted is None else dict(zip(o.lines, wanted, strict=False))
        self.try_step(
            order, who, behind, self.model.may_dispatch(o, quantities),
            lambda options: shipping.dispatch_order(quantities=quantities, **options),
            lambda o: self.model.do_dispatch(o, quantities),
        )  # fmt: skip

    @rule(number=choice, who=choice, behind=seen)
    def deliver(self, number, who, behind):
        order, o = self.pick(number, self.model.may_deliver)
        self.try_step(
            order, who, behind, self.model.may_deliver(o),
            lambda options: shipping.deliver_order(**options), self.model.do_deliver,
        )  # fmt: skip

    @rule(number=choice, who=choice, restock=st.booleans())
    def goods_come_back(self, number, who, restock):
        order, o = self.pick(number, self.model.may_return)
        self.try_step(
            order, who, None, self.model.may_return(o),
            lambda options: shipping.return_order(reason="Refused", restock=restock, **options),
            lambda o: self.model.do_return(o, restock),
        )  # fmt: skip

    @rule(number=choice, who=choice, behind=seen)
    def cancel(self, number, who, behind):
        order, o = self.pick(number)
        self.try_step(
            order, who, behind, self.model.may_cancel(o),
            lambda options: cancelling.cancel_order(reason="No", **options), self.model.do_cancel,
        )  # fmt: skip

    # Shipments that are still here

    def a_shipment(self, o, order, number):
        """One of the order's shipments with something in it (mostly one that is here), and its like in the model."""
        rows = [s for s in Shipment.objects.filter(fulfillment=order.pk).order_by("pk") if s.lines.exists()]
        if number < 80:
            rows = [s for s in rows if s.status == "pending"] or rows
        row = rows[number % len(rows)] if rows else None
        return (row, self.like(o, row)) if row else (None, None)

    @staticmethod
    def like(o, row, without=()):
        papers = dict(enumerate(Invoice.objects.filter(fulfillment=row.fulfillment_id).values_list("pk", flat=True), 1))
        paper = next((n for n, pk in papers.items() if pk == row.invoice_id), 0)
        units = {line.line_id: line.quantity for line in row.lines.all()}
        return next(
            p for p in o.parcels
            if (p.status, p.paper, p.dropped, dict(p.units)) == (row.status, paper, row.is_dropped, units)
            and not any(p is other for other in without)
        )  # fmt: skip

    @rule(number=choice, which=choice, who=choice, behind=seen, wanted=units.filter(bool))
    def split(self, number, which, who, behind, wanted):
        order, o = self.pick(number, lambda o: any(sum(p.units.values()) > 1 for p in o.of("pending")))
        row, parcel = self.a_shipment(o, order, which)
        if row is None:
            return
        quantities = dict(zip(o.lines, wanted, strict=False))
        if which < 60 and sum(parcel.units.values()) > 1:
            # A part of what is there, whatever was drawn.
            quantities = {max(parcel.units): 1}
        self.try_step(
            order, who, behind, self.model.may_split(o, parcel, quantities),
            lambda options: shipment_edits.split_shipment(shipment=row.pk, quantities=quantities, **options),
            lambda o: self.model.do_split(o, parcel, quantities),
        )  # fmt: skip

    @rule(number=choice, which=st.lists(choice, min_size=1, max_size=3), who=choice, behind=seen)
    def merge(self, number, which, who, behind):
        order, o = self.pick(number, lambda o: len(o.of("pending")) > 1)
        rows, parcels = {}, []
        if which[0] < 70:  # all that are here
            rows = {row.pk: row for row in Shipment.objects.filter(fulfillment=order.pk, status="pending")}
        for place in which:
            row, _parcel = self.a_shipment(o, order, place)
            if row is not None and which[0] >= 70:
                rows[row.pk] = row
        for pk in sorted(rows, key=lambda pk: rows[pk].number):
            parcels.append(self.like(o, rows[pk], without=parcels))
        self.try_step(
            order, who, behind, self.model.may_merge(o, parcels),
            lambda options: shipment_edits.merge_shipments(shipments=list(rows), **options),
            lambda o: self.model.do_merge(o, parcels),
        )  # fmt: skip

    @rule(number=choice, which=choice, who=choice, behind=seen, keep=st.booleans())
    def cancel_a_shipment(self, number, which, who, behind, keep):
        order, o = self.pick(number, lambda o: any(self.model.may_cancel_shipment(o, p, keep) for p in o.parcels))
        row, parcel = self.a_shipment(o, order, which)
        if row is None:
            return
        self.try_step(
            order, who, behind, self.model.may_cancel_shipment(o, parcel, keep),
            lambda options: giving_up.cancel_shipment(shipment=row.pk, keep=keep, reason="Broken", **options),
            lambda o: self.model.do_cancel_shipment(o, parcel, keep),
        )  # fmt: skip

    @rule(number=choice, who=choice, behind=seen)
    def cancel_the_rest(self, number, who, behind):
        order, _o = self.pick(number, self.model.may_cancel_rest)
        self.try_step(
            order, who, behind, self.model.may_cancel_rest(_o),
            lambda options: giving_up.cancel_rest(reason="Sold out", **options), self.model.do_cancel_rest,
        )  # fmt: skip

    @rule(number=choice, who=choice, behind=seen, code=hold_codes)
    def hold(self, number, who, behind, code):
        order, o = self.pick(number, lambda o: self.model.may_hold(o, code))
        self.try_step(
            order, who, behind, self.model.may_hold(o, code),
            lambda options: holds.place_hold(code=code, **options), lambda o: self.model.do_hold(o, code),
        )  # fmt: skip

    @rule(number=choice, who=choice, code=hold_codes)
    def end_hold(self, number, who, code):
        order, o = self.pick(number, lambda o: self.model.may_unhold(o, code))
        row = order.fulfillment.holds.filter(code=code).order_by("-pk").first()
        self.try_step(
            order, who, None, self.model.may_unhold(o, code),
            lambda options: holds.release_hold(hold=row.pk if row else 0, **options),
            lambda o: self.model.do_unhold(o, code),
        )  # fmt: skip

    @rule(number=choice, who=choice, public=st.booleans())
    def note(self, number, who, public):
        order, _o = self.pick(number)
        self.try_step(
            order, who, None, True,
            lambda options: notes.add_note(text="Called", visible_to_customer=public, **options),
            lambda o: None, harmless=True,
        )  # fmt: skip

    @rule(record=choice, count=st.integers(0, 12))
    def somebody_counts_the_stock(self, record, count):
        StockRecord = get_model("partner", "StockRecord")
        pk = list(self.model.records)[record % len(self.model.records)]
        StockRecord.objects.filter(pk=pk).update(num_in_stock=count)
        self.model.records[pk].in_stock = count

    @rule(number=choice)
    def the_page_says_what_the_services_would(self, number):
        order, o = self.pick(number)
        said = {action.name: action.allowed for action in available_actions(order, self.boss)}
        money = o.payment == "paid"
        expected = {
            "approve_payment": self.model.may_approve(o),
            "invoice": self.model.waits_for_document(o),
            "cancel_invoice": self.model.may_cancel_invoice(o),
            "dispatch": self.model.waits_for_dispatch(o) and money,
            "deliver": self.model.may_deliver(o),
            "return": self.model.may_return(o),
        }
        assert {name: said[name] for name in expected if name in said} == {
            n: x for n, x in expected.items() if n in said
        }

    # Clicks that come twice

    @rule(number=choice)
    @precondition(lambda self: self.done)
    def replay(self, number):
        pk, call, options, sequence = self.done[number % len(self.done)]
        before = dump()
        assert call(dict(options)).sequence == sequence
        assert dump() == before, "a replayed step changed something"

    @rule(number=choice)
    @precondition(lambda self: self.done)
    def use_a_key_for_something_else(self, number):
        pk, _call, options, _sequence = self.done[number % len(self.done)]
        before = dump()
        with pytest.raises(FulfillmentError):
            print_ = Move("document", "print", is_record=True)
            door.move(options["order"], print_, actor=options["actor"], key=options["key"])
        assert dump() == before

    # Many orders at once

    @rule(numbers=st.lists(choice, min_size=1, max_size=8), who=choice, keyed=st.booleans(),
          action=st.sampled_from(["approve", "release", "invoice", "dispatch", "deliver", "cancel"]))  # fmt: skip
    def in_bulk(self, numbers, who, keyed, action):
        pks = [self.orders[n % len(self.orders)].pk for n in numbers]
        self.serial += 1
        options = {"key": f"bulk-{self.serial}"} if keyed else {}
        move, effect, context = {
            "approve": (payments.APPROVE, payments.approve_effect, {}),
            "release": (release.RELEASE, release.release_effect, {}),
            "invoice": (invoicing.INVOICE, invoicing.invoice_effect,
                        {"invoice": invoicing.read_invoice(kind="none")}),
            "dispatch": (shipping.DISPATCH, shipping.dispatch_effect,
                         {"parcels": [], "notify": False}),
            "deliver": (shipping.DELIVER, shipping.deliver_effect, {}),
            "cancel": (cancelling.CANCEL, cancelling.cancel_effect, {}),
        }[action]  # fmt: skip

        def run():
            return door.move_many(
                pks, move, actor=self.actors[who % len(self.actors)], effect=effect, context=context, **options
            )

        steps = run()
        assert [s.subject.pk for s in steps] == sorted(set(pks))
        for step in steps:
            self._follow_bulk(step, action)
        if keyed:
            before = dump()
            again = run()
            moved = [s.subject.pk for s in steps if not s.reasons]
            assert [s.subject.pk for s in again if s.replayed] == moved
            # What was refused may be asked again under the same key, and is possible only if the batch made it so.
            if all(s.reasons or s.replayed for s in again):
                assert dump() == before
            else:
                for step in again:
                    if not step.replayed:
                        self._follow_bulk(step, action)

    def _follow_bulk(self, step, action):
        o = self.model.orders[step.subject.pk]
        args = ("none",) if action == "invoice" else ()
        expected = getattr(self.model, f"may_{action}")(o, *args)
        if action == "release" and expected is True and step.reasons:
            expected = None
        done = not step.reasons
        assert bool(step.reasons) != bool(step.changes)
        assert expected in (done, None), (action, [str(r) for r in step.reasons])
        if done:
            o.history.append(True)
            if action == "release":
                args = ({int(pk): q for pk, q in step.change.data["lines"].items()},)
            getattr(self.model, f"do_{action}")(o, *args)

    # What always holds

    @invariant()
    def stock_is_exact(self):
        for record in get_model("partner", "StockRecord").objects.filter(pk__in=self.model.records):
            mine = self.model.records[record.pk]
            assert (record.num_in_stock, record.num_allocated or 0) == (mine.in_stock, mine.allocated)
            assert mine.in_stock >= 0 <= mine.allocated
        for line in get_model("order", "Line").objects.all():
            mine = self.model.orders[line.order_id].lines[line.pk]
            assert (line.num_allocated or 0) == mine.allocated >= 0

    @invariant()
    def orders_are_as_the_model_says(self):
        rows = OrderFulfillment.objects.select_related("order").prefetch_related(
            "shipments__lines", "invoices", "holds"
        )
        for row in rows:
            o = self.model.orders[row.pk]
            assert (row.payment_status, row.shipping_status) == (o.payment, o.shipping)
            assert row.order.status == o.oscar_status
            assert row.hold_count == len(o.holds) == sum(hold.released_at is None for hold in row.holds.all())
            assert (row.problem, row.has_backorder) == (o.problem, o.backorder)
            papers = {pk: n for n, pk in enumerate(sorted(invoice.pk for invoice in row.invoices.all()), 1)}
            mine = sorted((p.status, p.paper, sorted(p.units.items())) for p in o.parcels)
            theirs = sorted(
                (s.status, papers.get(s.invoice_id, 0), sorted((x.line_id, x.quantity) for x in s.lines.all()))
                for s in row.shipments.all()
            )
            assert [(a, c) for a, _b, c in mine] == [(a, c) for a, _b, c in theirs]
            if o.shipping != "cancelled":
                assert mine == theirs

    @invariant()
    def queues_hold_who_waits(self):
        found = {"to-invoice": [], "to-dispatch": []}
        with connection.cursor() as cursor:
            for name, sql, params in queue_statements():
                cursor.execute(sql, params)
                found[name] += [pk for (pk,) in cursor.fetchall()]
        for name, waits in (
            ("to-invoice", self.model.waits_for_document),
            ("to-dispatch", self.model.waits_for_dispatch),
        ):
            assert sorted(found[name]) == sorted(pk for pk, o in self.model.orders.items() if waits(o)), name

    @invariant()
    def history_is_whole(self):
        assert list(history.verify(OrderFulfillment, StatusChange)) == []
        listed = StatusChange.objects.order_by("fulfillment_id", "sequence")
        history_of = {pk: list(rows) for pk, rows in groupby(listed, key=lambda change: change.fulfillment_id)}
        for row in OrderFulfillment.objects.all():
            flow = row.flow_definition
            now = {"payment": flow.payment.initial, "shipping": flow.shipping.initial}
            changes = history_of[row.pk]
            assert [c.sequence for c in changes] == list(range(1, len(self.model.orders[row.pk].history) + 1))
            for change in changes:
                if change.machine in now:
                    assert change.from_status == now[change.machine]
                    now[change.machine] = change.to_status
            assert now == {"payment": row.payment_status, "shipping": row.shipping_status}

    @invariant()
    def oscars_history_is_a_chain(self):
        for order in get_model("order", "Order").objects.prefetch_related("status_changes"):
            status = "Received"
            for change in sorted(order.status_changes.all(), key=lambda c: c.pk):
                assert change.old_status == status != change.new_status
                status = change.new_status
            assert status == order.status

    @invariant()
    def every_message_is_written_once(self):
        keys = list(OutboundMessage.objects.values_list("destination", "kind", "key"))
        assert len(keys) == len(set(keys))


@pytest.mark.feature("Z16")
@pytest.mark.django_db
def test_any_sequence_of_steps_keeps_stock_statuses_and_history_right():
    profile = "thorough" if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else "pipeline"
    run_state_machine_as_test(Pipeline, settings=settings.get_profile(profile))
