"""What other systems say: taken once, entered, weighed against our own moves."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.records import Change, InvoiceFacts, TrackingFacts
from oscar_fulfillment.core import inbox
from oscar_fulfillment.models import (
    ConnectorState,
    FollowUp,
    InboundMessage,
    Invoice,
    OrderFulfillment,
    OutboundMessage,
    OutsideChange,
    Parcel,
    StatusRule,
)
from oscar_fulfillment.services import cancelling, connector_changes, connector_rules, connector_watch, shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.connectors import TOKEN
from oscar_fulfillment.test.fiscal import make_key as access_key

from .connectors import configured, due_now, ledger, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("E10")]
FAKE = "oscar_fulfillment.test.connectors.FakeConnector"
TEAM = factories.TEAM


@pytest.fixture
def crm():
    with configured(crm=(FAKE, {"order_at": "placed"})):
        yield connectors.get("crm")


def known(order):
    """The order, as the CRM has it too."""
    send("crm")
    assert [row.status for row in ledger("crm")] == ["acknowledged"]
    return order


def state(order):
    row = OrderFulfillment.objects.get(pk=order.pk)
    return row.payment_status, row.shipping_status


def told(**values):
    return connector_changes.take("crm", Change(**{"key": f"k{OutsideChange.objects.count()}", **values}))


def test_a_move_over_there_moves_the_order(crm):
    order = known(factories.paid_order())
    change = crm.move(order.number, "WORK")
    assert connector_changes.take("crm", change).status == "applied"
    assert state(order) == ("paid", "released")
    row = order.fulfillment.history.latest("sequence")
    assert (row.action, row.actor_kind, row.actor_label, row.reason) == (
        "release", "provider", "crm", "“In work” in crm",
    )  # fmt: skip
    send("crm")
    assert ("state", f"{order.number}:WORK") not in crm.effects


def test_the_same_change_twice_is_one(crm):
    order = known(factories.paid_order())
    change = crm.move(order.number, "WORK")
    rows = {connector_changes.take("crm", change).pk for _time in range(3)}
    assert len(rows) == 1
    assert order.fulfillment.history.filter(action="release").count() == 1


def test_our_move_shows_over_there_and_its_echo_moves_nothing(crm):
    order = known(factories.paid_order())
    shipping_before = state(order)
    from oscar_fulfillment.services import release

    release.release_order(order=order, actor=TEAM)
    send("crm")
    assert crm.things[f"{order.number}:order:0"]["state"] == "WORK"
    assert [row.outside_state for row in ledger("crm")] == ["WORK"]
    assert connector_changes.take("crm", crm.changes[-1]).status == "echo"
    assert state(order) != shipping_before
    assert OutboundMessage.objects.filter(destination="connector:crm", status="pending").count() == 0


def test_what_is_older_than_what_was_heard_is_left(crm):
    order = known(factories.paid_order())
    late = crm.move(order.number, "LOST", at=timezone.now())
    newer = crm.move(order.number, "WORK", at=timezone.now() + timedelta(seconds=5))
    assert connector_changes.take("crm", newer).status == "applied"
    assert connector_changes.take("crm", late).status == "outdated"
    assert state(order) == ("paid", "released")


def test_what_the_order_does_not_allow_is_kept_with_the_reason(crm):
    order = known(factories.placed_order())
    row = connector_changes.take("crm", crm.move(order.number, "SENT"))
    assert row.status == "refused"
    assert row.problem
    assert FollowUp.objects.get(kind="outside_refused").fulfillment_id == order.pk
    assert state(order) == ("awaiting_payment", "received")
    connector_changes.mark_settled(change=row, actor=TEAM)
    assert FollowUp.objects.get(kind="outside_refused").outcome == "nothing"


def test_what_was_refused_can_be_looked_at_again(crm):
    from oscar_fulfillment.services import payments

    order = known(factories.placed_order())
    row = connector_changes.take("crm", crm.move(order.number, "WORK"))
    assert row.status == "refused"
    payments.approve_payment(order=order, actor=TEAM)
    send("crm")
    again = connector_changes.look_again(change=row)
    assert (again.pk, again.status) == (row.pk, "applied")
    assert state(order) == ("paid", "released")


@pytest.mark.parametrize(
    ("wins", "minutes", "status", "shipping_status"),
    [
        ("theirs", -5, "applied", "cancelled"),
        ("ours", 5, "kept", "released"),
        ("later", -5, "kept", "released"),
        ("later", 5, "applied", "cancelled"),
    ],
)
def test_where_both_have_moved_the_rule_says_who_wins(crm, wins, minutes, status, shipping_status):
    from oscar_fulfillment.services import release

    connector_rules.save_rules(connector="crm", rules=[
        {"direction": "in", "outside": "LOST", "step": "cancel", "wins": wins},
        {"direction": "out", "outside": "NEW", "shipping": "received"},
        {"direction": "out", "outside": "WORK", "shipping": "released"},
        {"direction": "out", "outside": "LOST", "shipping": "cancelled"},
    ])  # fmt: skip
    order = known(factories.paid_order())
    ledger_row = ledger("crm")[0]
    ledger_row.outside_state_at = timezone.now() - timedelta(hours=1)
    ledger_row.save()
    release.release_order(order=order, actor=TEAM)  # not told yet
    change = crm.move(order.number, "LOST", at=timezone.now() + timedelta(minutes=minutes))
    assert connector_changes.take("crm", change).status == status
    assert state(order)[1] == shipping_status
    send("crm")
    shown = crm.things[f"{order.number}:order:0"]["state"]
    assert shown == ("WORK" if status == "kept" else "LOST")


def test_two_systems_that_move_each_other_in_a_circle_are_stopped(crm, monkeypatch):
    monkeypatch.setattr(connector_changes, "LOOP", 1)
    order = known(factories.paid_order())
    assert connector_changes.take("crm", crm.move(order.number, "WORK")).status == "applied"
    row = connector_changes.take("crm", crm.move(order.number, "LOST"))
    assert (row.status, state(order)[1]) == ("refused", "released")
    assert "circle" in row.problem


def test_a_change_of_no_order_is_kept(crm):
    row = told(reference="nobody", state="WON")
    assert (row.status, row.fulfillment) == ("unmatched", None)


def test_a_status_without_a_rule_moves_nothing(crm):
    order = known(factories.paid_order())
    assert connector_changes.take("crm", crm.move(order.number, "ODD")).status == "nothing"
    assert ledger("crm")[0].outside_state == "ODD"


@pytest.mark.feature("D7")
def test_paid_over_there_is_paid_here_and_releases(crm):
    connector_rules.save_rules(connector="crm", rules=[{"direction": "in", "outside": "paid", "step": "release"}])
    order = known(factories.placed_order())
    change = crm.move(order.number, "paid", paid=order.total_incl_tax)
    assert connector_changes.take("crm", change).status == "applied"
    assert state(order) == ("paid", "released")


@pytest.mark.feature("D7")
def test_paid_in_part_waits_and_the_rest_completes_it(crm):
    order = known(factories.placed_order())
    half = order.total_incl_tax / 2
    assert told(reference=order.number, paid=half).status == "applied"
    assert state(order)[0] == "awaiting_payment"
    assert told(reference=order.number, paid=half).status == "nothing"
    assert told(reference=order.number, paid=order.total_incl_tax).status == "applied"
    assert state(order)[0] == "paid"
    assert told(reference=order.number, paid=order.total_incl_tax).status == "nothing"


@pytest.fixture
def brazil(crm):
    return known(factories.released_order())


@pytest.mark.feature("A10")
def test_the_note_issued_over_there_invoices_the_order(brazil):
    key = access_key(number=123, series=1)
    facts = InvoiceFacts(number="123", series="1", access_key=key, value=brazil.total_incl_tax)
    assert told(reference=brazil.number, invoice=facts).status == "applied"
    assert state(brazil)[1] == "invoiced"
    assert told(reference=brazil.number, invoice=facts).status == "nothing"
    assert Invoice.objects.get(fulfillment=brazil.pk).access_key == key


@pytest.mark.feature("A10", "A11")
@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"number": "124", "access_key": access_key(number=123)}, "124"),
        ({"access_key": access_key(number=123), "value": Decimal("1.00")}, "costs"),
        ({"access_key": "1" * 44}, ""),
        ({"access_key": access_key(number=123), "units": {"nothing": 1}}, "nothing"),
    ],
)
def test_a_note_that_does_not_fit_is_refused_and_told(brazil, facts, says):
    row = told(reference=brazil.number, invoice=InvoiceFacts(**facts))
    assert row.status == "refused"
    assert says in row.problem
    assert state(brazil)[1] == "released"
    assert not Invoice.objects.filter(fulfillment=brazil.pk).exists()


@pytest.mark.feature("A11")
def test_zeros_from_the_erp_mean_no_fiscal_document(brazil):
    facts = InvoiceFacts(number="0", series="0", access_key="0" * 44)
    assert told(reference=brazil.number, invoice=facts).status == "applied"
    assert Invoice.objects.get(fulfillment=brazil.pk).kind == "none"


@pytest.mark.feature("A10")
def test_a_note_cancelled_over_there_takes_the_order_back(brazil):
    key = access_key(number=123)
    told(reference=brazil.number, invoice=InvoiceFacts(access_key=key))
    assert told(reference=brazil.number, invoice=InvoiceFacts(access_key=key, cancelled=True)).status == "applied"
    assert state(brazil)[1] == "released"
    assert told(reference=brazil.number, invoice=InvoiceFacts(access_key=key, cancelled=True)).status == "nothing"


def test_goods_that_left_over_there_are_sent_and_arrive_once(crm):
    order = known(factories.released_order(currency="EUR"))
    facts = TrackingFacts(code="AB1", carrier="nobody knows it")
    assert told(reference=order.number, tracking=facts).status == "applied"
    assert state(order)[1] == "dispatched"
    assert Parcel.objects.get(shipment__fulfillment=order.pk).tracking_code == "AB1"
    assert told(reference=order.number, tracking=facts).status == "nothing"
    arrived = TrackingFacts(code="AB1", delivered=True)
    assert told(reference=order.number, tracking=arrived).status == "applied"
    assert state(order)[1] == "delivered"
    assert told(reference=order.number, tracking=arrived).status == "nothing"


def test_a_parcel_without_a_code_gets_it_later(crm):
    order = known(factories.released_order(currency="EUR"))
    shipping.dispatch_order(order=order, actor=TEAM, carrier="other")
    assert told(reference=order.number, tracking=TrackingFacts(code="AB1")).status == "applied"
    assert Parcel.objects.get(shipment__fulfillment=order.pk).tracking_code == "AB1"


def test_goods_of_a_cancelled_order_are_refused(crm):
    order = known(factories.placed_order())
    cancelling.cancel_order(order=order, actor=TEAM, reason="no")
    assert told(reference=order.number, tracking=TrackingFacts(code="AB1")).status == "refused"


def test_a_notification_is_a_hint_that_is_read_again(crm, client):
    order = known(factories.paid_order())
    change = crm.move(order.number, "WORK")
    body = json.dumps({"event": "e1", "id": change.external_id})
    post = {"path": "/webhooks/connectors/crm/", "data": body, "content_type": "application/json"}
    from django.urls import reverse

    post["path"] = reverse("fulfillment:webhook", kwargs={"family": "connectors", "name": "crm"})
    assert client.post(**post).status_code == 401
    assert not InboundMessage.objects.exists()
    for _time in range(2):
        assert client.post(**post, headers={"X-Demo-Token": TOKEN}).status_code == 200
    assert InboundMessage.objects.count() == 1
    inbox.process()
    assert state(order) == ("paid", "released")


def test_whoever_can_be_asked_is_asked_page_by_page_and_goes_on_where_it_stopped(crm):
    orders = [factories.paid_order() for _n in range(12)]
    send("crm")
    for order in orders:
        crm.move(order.number, "WORK")
    assert connector_watch.watch(budget=30) == {"applied": 12}
    assert {state(order)[1] for order in orders} == {"released"}
    assert ConnectorState.objects.get().cursor == "12"
    assert connector_watch.watch(budget=30) == {}  # not due yet
    assert connector_watch.ask(crm, force=True) == {}


def test_a_system_that_does_not_answer_is_asked_later_and_says_so(crm, monkeypatch):
    from oscar_fulfillment.core.exceptions import AdapterUnavailable

    def down(cursor):
        raise AdapterUnavailable("gone fishing")

    monkeypatch.setattr(crm, "pull", down)
    assert connector_watch.watch(budget=5) == {}
    row = ConnectorState.objects.get()
    assert (row.error, row.failing_since is None) == ("gone fishing", False)
    assert row.next_at > timezone.now() + timedelta(minutes=1)


def test_a_change_that_breaks_something_holds_up_no_other(crm, monkeypatch):
    from oscar_fulfillment.services import outside_facts

    def broken(**_given):
        raise RuntimeError("a bug")

    bad, good = known(factories.paid_order()), factories.paid_order()
    send("crm")
    monkeypatch.setattr(outside_facts, "enter_paid", broken)
    crm.move(bad.number, "WORK", paid=Decimal(1))
    crm.move(good.number, "WORK")
    assert connector_watch.watch(budget=30) == {"refused": 1, "applied": 1}
    row = OutsideChange.objects.get(fulfillment=bad.pk)
    assert "RuntimeError" in row.problem
    monkeypatch.undo()
    assert connector_changes.look_again(change=row).status == "applied"


def test_rules_are_checked_and_replace_those_that_come_with_the_connector(crm):
    from oscar_fulfillment.core.exceptions import InvalidInput

    with pytest.raises(InvalidInput) as error:
        connector_rules.save_rules(connector="crm", rules=[
            {"direction": "in", "outside": "", "step": "release"},
            {"direction": "in", "outside": "A", "step": "fly"},
            {"direction": "out", "outside": "B"},
            {"direction": "out", "outside": "B", "payment": "odd"},
            {"direction": "in", "outside": "C", "step": "release"},
            {"direction": "in", "outside": "C", "step": "cancel", "wins": "nobody"},
            {"direction": "up", "outside": "C"},
        ])  # fmt: skip
    assert sorted(error.value.errors) == ["0", "1", "2", "3", "5", "6"]
    assert not StatusRule.objects.exists()
    connector_rules.save_rules(connector="crm", rules=[{"direction": "in", "outside": "X", "step": "cancel"}])
    assert [rule.outside for rule in connector_rules.rules_of("crm")] == ["X"]
    connector_rules.save_rules(connector="crm", rules=[])
    assert len(connector_rules.rules_of("crm")) == len(crm.rules)


def test_a_rule_that_names_both_statuses_goes_before_one_that_names_one(crm):
    connector_rules.save_rules(connector="crm", rules=[
        {"direction": "out", "outside": "ANY", "shipping": "released"},
        {"direction": "out", "outside": "BOTH", "shipping": "released", "payment": "paid"},
    ])  # fmt: skip
    order = factories.released_order()
    assert connector_rules.state_out(connector_rules.rules_of("crm"), order.fulfillment) == "BOTH"


def test_a_refused_status_does_not_undo_what_is_known(crm):
    from oscar_fulfillment.services import release

    order = known(factories.paid_order())
    crm.refuse("the deal is locked")
    release.release_order(order=order, actor=TEAM)
    due_now("crm")
    send("crm")
    (row,) = ledger("crm")
    assert (row.status, row.outside_state, row.error) == ("acknowledged", "NEW", "the deal is locked")
    assert FollowUp.objects.get(kind="export_failed").fulfillment_id == order.pk


def test_another_total_is_entered_by_nobody_before_a_person_has_looked(crm):
    order = known(factories.placed_order())
    other = order.total_incl_tax + 1
    row = told(reference=order.number, paid=other, total=other)
    assert (row.status, row.fulfillment_id) == ("refused", order.pk)
    assert str(other) in row.problem
    assert FollowUp.objects.get(kind="outside_refused").fulfillment_id == order.pk
    assert state(order) == ("awaiting_payment", "received")
    assert connector_changes.look_again(change=row).status == "applied"
    assert state(order)[0] == "paid"


def test_the_same_total_is_no_news(crm):
    order = known(factories.placed_order())
    assert told(reference=order.number, total=order.total_incl_tax).status == "nothing"
