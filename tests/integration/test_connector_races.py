"""Workers and people at the same exports and the same words of other systems, on PostgreSQL."""

from __future__ import annotations

import contextlib

import pytest

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import AdapterUnavailable
from oscar_fulfillment.models import Export, FollowUp, OrderFulfillment, OutboundMessage, OutsideChange
from oscar_fulfillment.services import (
    connector_changes,
    connector_exports,
    connector_ledger,
    connector_rules,
    connector_watch,
    release,
)
from oscar_fulfillment.test import factories

from .connectors import configured, due_now, ledger, send
from .test_races import ACTORS, DONE, THREADS, race, rounds  # noqa: F401

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("A8", "E10")]
FAKE = "oscar_fulfillment.test.connectors.FakeConnector"


@pytest.fixture
def crm():
    with configured(crm=(FAKE, {"order_at": "placed"})):
        yield connectors.get("crm")


def known():
    order = factories.paid_order()
    due_now("crm")
    send("crm")
    return order


def test_many_workers_send_an_order_once(race, crm):  # noqa: F811
    for _round in rounds(20):
        order = factories.placed_order()
        message = OutboundMessage.objects.get(destination="connector:crm", kind="order", order=order)

        def work(n, message=message):
            # The others are told to come back later.
            with contextlib.suppress(AdapterUnavailable):
                connector_exports.send(message)

        race(work)
        due_now("crm")
        send("crm")
        assert crm.effects.count(("order", order.number)) == 1
        assert Export.objects.get(fulfillment=order.pk).status == "acknowledged"


def test_one_change_told_to_many_workers_moves_the_order_once(race, crm):  # noqa: F811
    for _round in rounds(20):
        order = known()
        change = crm.move(order.number, "WORK")
        outcomes = race(lambda n, change=change: connector_changes.take("crm", change))
        assert all(kind == DONE for kind, _row in outcomes), outcomes
        assert OutsideChange.objects.filter(fulfillment=order.pk).count() == 1
        assert order.fulfillment.history.filter(action="release").count() == 1
        assert OutsideChange.objects.get(fulfillment=order.pk).status == "applied"
        assert not FollowUp.objects.filter(kind="outside_refused").exists()


def test_many_who_ask_take_each_change_once(race, crm):  # noqa: F811
    orders = [known() for _n in range(15)]
    for order in orders:
        crm.move(order.number, "WORK")
    race(lambda n: connector_watch.ask(crm, force=True))
    connector_watch.ask(crm, force=True)
    assert OutsideChange.objects.filter(state="WORK").count() == len(orders)
    assert set(OrderFulfillment.objects.values_list("shipping_status", flat=True)) == {"released"}


def test_many_who_send_again_send_once(race, crm):  # noqa: F811
    for _round in rounds(10):
        crm.refuse("no")
        order = known()
        crm.refuse("")
        export = Export.objects.get(fulfillment=order.pk)
        race(lambda n, export=export: connector_ledger.send_again(export=export, actor=ACTORS[n]))
        due_now("crm")
        outbox.drain(destination="connector:crm")
        assert crm.effects.count(("order", order.number)) == 1
        assert Export.objects.get(pk=export.pk).status == "acknowledged"
        assert not OutboundMessage.objects.filter(destination="connector:crm", status="dead").exists()


def test_both_sides_move_at_once_and_agree_in_the_end(race, crm):  # noqa: F811
    for _round in rounds(20):
        order = known()
        change = crm.move(order.number, "WORK")

        def work(n, order=order, change=change):
            if n % 2:
                fresh = type(order).objects.get(pk=order.pk)
                return release.release_order(order=fresh, actor=ACTORS[n], notify=False)
            return connector_changes.take("crm", change)

        race(work)
        for _turn in range(3):
            due_now("crm")
            send("crm")
        assert order.fulfillment.history.filter(action="release").count() == 1
        assert crm.things[f"{order.number}:order:0"]["state"] == "WORK"
        assert ledger("crm", fulfillment=order.pk)[0].outside_state == "WORK"
        assert OutsideChange.objects.get(key=change.key).status in ("applied", "nothing", "echo")


def test_rules_saved_by_many_are_those_of_one(race, crm):  # noqa: F811
    for _round in rounds(10):

        def save(n):
            steps = ["release", "cancel"]
            rules = [{"direction": "in", "outside": f"S{k}", "step": steps[n % 2]} for k in range(5)]
            return connector_rules.save_rules(connector="crm", rules=rules)

        outcomes = race(save)
        assert [kind for kind, _found in outcomes] == [DONE] * THREADS
        kept = connector_rules.rules_of("crm")
        assert len(kept) == 5
        assert len({rule.step for rule in kept}) == 1
