"""Random sequences of returns by several people: units are never made or lost, money never more than was paid.

After every step the stock, the shipments and the ledger are compared with a naive count, the order's status with the
truth table; a refused step has changed nothing. ``HYPOTHESIS_PROFILE=thorough`` runs more and longer sequences.
"""

from collections import Counter
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from oscar.core.loading import get_model

from oscar_fulfillment.core import history
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import (
    CreditNote,
    OrderFulfillment,
    OutboundMessage,
    Return,
    ReturnLine,
    Shipment,
    ShipmentLine,
    StatusChange,
)
from oscar_fulfillment.models.returns import OPEN_RETURN
from oscar_fulfillment.selectors.return_units import balances, worth_of
from oscar_fulfillment.services import (
    giving_up,
    inspecting,
    invoicing,
    ledger,
    receipts,
    return_outcomes,
    returns,
    shipping,
)
from oscar_fulfillment.services.audit import audit_payments
from oscar_fulfillment.test import factories

from .test_pipeline_machine import STEPS

REFUSALS = (TransitionNotAllowed, InvalidInput, StaleVersion)
STOCK, SENT = 9, (3, 2)
PRICES = ("9.99", "10.01")

choice = st.integers(0, 99)
few = st.lists(st.integers(0, 2), min_size=2, max_size=2)
outcomes = st.sampled_from(["refund", "exchange", "exchange", "nothing"])
keys = st.one_of(st.none(), st.integers(0, 3))


def tables():
    names = ("order.Order", "order.Line", "order.ShippingEvent", "order.ShippingEventQuantity", "partner.StockRecord",
             "payment.Source", "payment.Transaction")  # fmt: skip
    found = [get_model(*name.split(".")) for name in names]
    return [*found, OrderFulfillment, StatusChange, Shipment, ShipmentLine, Return, ReturnLine, CreditNote,
            OutboundMessage]  # fmt: skip


def dump():
    found = {}
    with connection.cursor() as cursor:
        for model in tables():
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}" ORDER BY 1')
            found[model.__name__] = cursor.fetchall()
    return found


class Returns(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()

    def teardown(self):
        try:
            if hasattr(self, "order"):
                self.the_books_agree_and_the_history_is_whole()
        finally:
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    @initialize(flow=st.sampled_from(["STANDARD", "BRAZIL"]), arrived=st.booleans(), stock=st.integers(5, STOCK))
    def send_an_order(self, flow, arrived, stock):
        products = [factories.product(title, price, stock=stock) for title, price in zip("AB", PRICES, strict=True)]
        make = factories.delivered_order if arrived else factories.dispatched_order
        self.order = make(lines=list(zip(products, SENT, strict=True)), fulfillment={"flow": flow})
        self.lines = list(self.order.lines.order_by("pk"))
        self.start = stock
        self.paid = self.order.total_incl_tax
        self.actors = [Actor.from_user(factories.staff_user()), Actor.customer(self.order), Actor.provider("demo")]
        self.done, self.elsewhere = {}, False

    def try_step(self, name, call):
        """Take a step; one that is refused must have changed nothing."""
        before = dump()
        try:
            with transaction.atomic():
                return call()
        except REFUSALS as error:
            words = str(error)
        assert words, name
        assert dump() == before, f"{name} was refused, and changed something"
        return None

    def fresh(self):
        return get_model("order", "Order").objects.get(pk=self.order.pk)

    def pick(self, number, *statuses):
        """One of the returns: mostly one in these statuses, sometimes any."""
        found = list(Return.objects.filter(fulfillment=self.order.pk).order_by("pk"))
        if number < 85:
            found = [ret for ret in found if ret.status in statuses]
        return found[number % len(found)] if found else None

    def once(self, name, key, call):
        """Sometimes with a key that was used before: the same step again must do nothing."""
        if key is None:
            return self.try_step(name, lambda: call(""))
        text = f"{name}-{key}"
        if text in self.done:
            before = dump()
            first, made = self.done[text]
            assert first(text) == made
            assert dump() == before, f"{name} was done twice"
            return None
        if (made := self.try_step(name, lambda: call(text))) is not None:
            self.done[text] = call, made
        return made

    def one_step(self, number, units, amounts, outcome):
        """What people mostly do: take a return to its end, or begin one; send what is prepared."""
        open_ones = list(Return.objects.filter(fulfillment=self.order.pk, status__in=OPEN_RETURN).order_by("pk"))
        if Shipment.objects.filter(fulfillment=self.order.pk, status="pending").exists() and number % 3 == 0:
            self.replacements_leave_and_arrive(number % 2 == 0, 1)
        elif not open_ones or (number % 4 == 0 and len(open_ones) < 3):
            free = {pk: balance.returnable for pk, balance in balances(self.order.pk).items()}
            self.ask([min(u, free.get(ln.pk, 0)) for u, ln in zip(units, self.lines, strict=True)], number, False,
                     "refund", None)  # fmt: skip
        else:
            ret = open_ones[number % len(open_ones)]
            if ret.status == "received":
                self.settle_one(ret, outcome, "hand" if number % 2 else "credit", None, None)
            elif ret.status == "requested" and number % 2:
                assert self.try_step("approve", lambda: returns.approve_return(ret=ret, actor=self.actors[0]))
            else:
                found = {ln.line_id: (ln.quantity - amounts % 2, amounts % 2, "") for ln in ret.lines.all()}
                assert self.try_step(
                    "receive", lambda: inspecting.receive_return(ret=ret, lines=found, actor=self.actors[0])
                )

    @rule(steps=st.lists(st.tuples(choice, few, st.integers(0, 9), outcomes), min_size=3, max_size=8))
    def a_busy_day(self, steps):
        for number, units, amounts, outcome in steps:
            self.one_step(number, units, amounts, outcome)

    @rule(units=few, who=choice, approve=st.booleans(), wants=st.sampled_from(["refund", "exchange"]), key=keys)
    def ask(self, units, who, approve, wants, key):
        lines = {ln.pk: (units[i], "damaged") for i, ln in enumerate(self.lines)}
        actor = self.actors[who % 2]
        free = {pk: balance.returnable for pk, balance in balances(self.order.pk).items()}
        may = any(units) and all(units[i] <= free.get(ln.pk, 0) for i, ln in enumerate(self.lines))
        repeated = key is not None and f"ask-{key}" in self.done
        made = self.once(
            "ask", key,
            lambda key: returns.request_return(
                order=self.fresh(), lines=lines, actor=actor, by_customer=who % 2 == 1,
                approve=approve and who % 2 == 0, wants=wants, key=key,
            ),
        )  # fmt: skip
        if not repeated:
            assert (made is not None) is may

    @rule(number=choice, what=st.sampled_from(["approve", "refuse", "cancel"]))
    def decide(self, number, what):
        ret = self.pick(number, "requested")
        if ret is None or number % 3:
            return
        call = {
            "approve": lambda: returns.approve_return(ret=ret, actor=self.actors[0]),
            "refuse": lambda: returns.refuse_return(ret=ret, actor=self.actors[0], reason="No"),
            "cancel": lambda: returns.cancel_return(ret=ret, actor=self.actors[0]),
        }[what]
        possible = ret.status == "requested" or (what == "cancel" and ret.status == "approved")
        assert (self.try_step(what, call) is not None) is possible

    @rule(number=choice, good=few, bad=few, key=keys)
    def receive(self, number, good, bad, key):
        ret = self.pick(number, "approved", "requested")
        if ret is None:
            return
        found = {ln.pk: (good[i], bad[i], "") for i, ln in enumerate(self.lines)}
        self.once(
            f"receive-{ret.pk}", key,
            lambda key: inspecting.receive_return(ret=ret, lines=found, actor=self.actors[0], key=key),
        )  # fmt: skip

    @rule(good=few, bad=few)
    def a_parcel_arrives(self, good, bad):
        found = {ln.pk: (good[i], bad[i], "") for i, ln in enumerate(self.lines)}
        self.try_step(
            "unannounced",
            lambda: inspecting.receive_unannounced(order=self.fresh(), lines=found, actor=self.actors[0]),
        )

    @rule(number=choice, outcome=st.sampled_from(["refund", "refund", "exchange", "nothing"]),
          way=st.sampled_from(["hand", "credit"]), cents=st.one_of(st.none(), st.integers(-1, 6000)), key=keys)  # fmt: skip
    def settle(self, number, outcome, way, cents, key):
        ret = self.pick(number, "received")
        if ret is not None:
            self.settle_one(ret, outcome, way, cents, key)

    def settle_one(self, ret, outcome, way, cents, key):
        worth = sum((each.value for each in worth_of(ret)), Decimal(0))
        if key == 0:
            worth = self.paid  # somebody is generous: the bound is what was paid
        amount = worth if cents is None else Decimal(cents) / 100
        self.once(
            f"settle-{ret.pk}", key,
            lambda key: return_outcomes.settle_return(
                ret=ret, outcome=outcome, amount=amount, way=way, reason="Because", actor=self.actors[0], key=key
            ),
        )  # fmt: skip

    @rule(cents=st.integers(1, 900), seldom=choice)
    def money_goes_back_elsewhere(self, cents, seldom):
        if seldom % 5:
            return
        amount, self.elsewhere = Decimal(cents) / 100, True
        self.try_step(
            "refund",
            lambda: receipts.note_refund(order=self.fresh(), actor=self.actors[0], amount=amount, reason="Kindness"),
        )

    @rule(whole=st.booleans(), seldom=choice)
    def replacements_leave_and_arrive(self, whole, seldom=1):
        if seldom % 4 and not Shipment.objects.filter(fulfillment=self.order.pk, status="pending").exists():
            return
        if self.fresh().fulfillment.flow_definition.invoices:
            self.try_step(
                "invoice", lambda: invoicing.invoice_order(order=self.fresh(), actor=self.actors[0], kind="none")
            )
        self.try_step("dispatch", lambda: shipping.dispatch_order(order=self.fresh(), actor=self.actors[0]))
        if whole:
            self.try_step("deliver", lambda: shipping.deliver_order(order=self.fresh(), actor=self.actors[2]))

    @rule()
    def a_replacement_is_cancelled(self):
        """Its goods are free again, and its return is open again."""
        found = Shipment.objects.filter(fulfillment=self.order.pk, status="pending", replaces__isnull=False).first()
        if found is None:
            return
        assert self.try_step(
            "cancel",
            lambda: giving_up.cancel_shipment(
                order=self.fresh(), shipment=found.pk, keep=False, reason="Sold out", actor=self.actors[0]
            ),
        )
        ret = Return.objects.get(pk=found.replaces_id)
        assert (ret.status, ret.outcome, ret.closed_at) == ("received", "", None)

    @rule(restock=st.booleans(), seldom=choice)
    def everything_comes_back(self, restock, seldom):
        partly = any(0 < units < SENT[0] for _status, units in self.back()) and seldom % 2
        if seldom % 8 and not partly:
            return
        row = OrderFulfillment.objects.get(pk=self.order.pk)
        has_open = Return.objects.filter(fulfillment=self.order.pk, status__in=OPEN_RETURN).exists()
        may = row.shipping_status in ("dispatched", "delivered") and not has_open
        out = self.out_there() if may else Counter()
        made = self.try_step(
            "return",
            lambda: shipping.return_order(order=self.fresh(), actor=self.actors[0], reason="All", restock=restock),
        )
        assert (made is not None) is may
        if may and not restock:
            self.gone.update(out)

    def back(self):
        """(status, units that came back) of what is out there."""
        rows = ShipmentLine.objects.filter(
            shipment__fulfillment=self.order.pk, shipment__status__in=["dispatched", "delivered"]
        )
        return list(rows.values_list("shipment__status", "returned"))

    # What must hold

    @property
    def gone(self):
        """Units that came back by the step for everything, and were not counted into the stock."""
        return self.__dict__.setdefault("_gone", Counter())

    def out_there(self):
        """Units per line that customers have, by the shipments."""
        found = Counter()
        rows = ShipmentLine.objects.filter(
            shipment__fulfillment=self.order.pk, shipment__status__in=["dispatched", "delivered", "returned"]
        )
        for pk, quantity, came in rows.values_list("line_id", "quantity", "returned"):
            found[pk] += quantity - came
        return found

    def by_the_table(self, statuses):
        found = set(statuses) - {"cancelled"}
        if "pending" in found:
            return "partially_dispatched"
        if found == {"returned"}:
            return "returned"
        return "dispatched" if "dispatched" in found else "delivered"

    @invariant()
    def units_are_never_made_or_lost(self):
        if not hasattr(self, "order"):
            return
        out, damaged = self.out_there(), Counter()
        received, back = Counter(), Counter()
        for row in ReturnLine.objects.filter(of__fulfillment=self.order.pk):
            assert row.received <= row.quantity
            received[row.line_id] += row.received
            damaged[row.line_id] += row.damaged
            if row.received:
                assert row.of.status in ("received", "settled")
        for row in ShipmentLine.objects.filter(shipment__fulfillment=self.order.pk).select_related("shipment"):
            assert row.returned <= row.quantity
            back[row.line_id] += row.returned
        for line in get_model("order", "Line").objects.filter(order=self.order.pk).select_related("stockrecord"):
            record = line.stockrecord
            assert record.num_in_stock + out[line.pk] + damaged[line.pk] + self.gone[line.pk] == self.start
            assert back[line.pk] >= received[line.pk]
            pending = ShipmentLine.objects.filter(line=line, shipment__status="pending")
            assert record.num_allocated == sum(pending.values_list("quantity", flat=True))
            assert record.num_allocated <= record.num_in_stock
            assert out[line.pk] <= line.quantity  # nobody has more than was bought
        for balance in balances(self.order.pk).values():
            assert balance.announced + balance.returned <= balance.sent

    @invariant()
    def money_is_never_more_than_was_paid(self):
        if not hasattr(self, "order"):
            return
        money = ledger.totals(self.order.pk)
        assert money.debited == self.paid
        assert 0 <= money.refunded <= money.debited
        granted = Return.objects.filter(fulfillment=self.order.pk, outcome="refund")
        total = sum(granted.values_list("refund_amount", flat=True), Decimal(0))
        notes = sum(CreditNote.objects.values_list("amount", flat=True), Decimal(0))
        assert total <= self.paid
        assert notes <= self.paid
        assert self.elsewhere or notes + money.refunded <= self.paid
        assert total - notes <= money.refunded
        row = OrderFulfillment.objects.get(pk=self.order.pk)
        expected = "paid" if not money.refunded else "refunded" if money.net <= 0 else "partially_refunded"
        assert row.payment_status == expected

    @invariant()
    def the_statuses_are_those_of_the_truth_table(self):
        if not hasattr(self, "order"):
            return
        row = OrderFulfillment.objects.get(pk=self.order.pk)
        shipments = list(row.shipments.prefetch_related("lines"))
        for shipment in shipments:
            if shipment.status in ("dispatched", "delivered", "returned"):
                is_back = all(line.returned == line.quantity for line in shipment.lines.all())
                assert (shipment.status == "returned") is is_back
        assert row.shipping_status == self.by_the_table([s.status for s in shipments])
        for ret in row.returns.all():
            assert (ret.received_at is not None) is (ret.status in ("received", "settled"))
            assert (ret.closed_at is not None) is (ret.status in ("settled", "refused", "cancelled"))
            assert bool(ret.outcome) is (ret.status == "settled")
            live = [s for s in shipments if s.replaces_id == ret.pk and s.status != "cancelled"]
            assert len(live) == (ret.outcome == "exchange")

    def the_books_agree_and_the_history_is_whole(self):
        assert list(history.verify(OrderFulfillment, StatusChange)) == []
        assert list(map(str, audit_payments())) == []


@pytest.mark.django_db
@pytest.mark.feature("D15", "Z6")
def test_returns_neither_make_nor_lose_units_or_money():
    run_state_machine_as_test(Returns, settings=STEPS)
