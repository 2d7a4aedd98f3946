"""The export ledger: what goes to other systems, once, and what becomes of what does not."""

from __future__ import annotations

import pytest

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import Capability
from oscar_fulfillment.models import Export, FollowUp, OutboundMessage
from oscar_fulfillment.services import connector_ledger, connector_records, notes, payments, release
from oscar_fulfillment.services.connector_ledger import ExportBusy
from oscar_fulfillment.test import factories

from .connectors import configured, due_now, ledger, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A8")]
FAKE = "oscar_fulfillment.test.connectors.FakeConnector"
TEAM = factories.TEAM


@pytest.fixture
def erp():
    with configured(erp=(FAKE, {})):
        yield connectors.get("erp")


def released(**options):
    order = factories.released_order(**options)
    send("erp")
    return order


def test_the_release_hands_the_order_over(erp):
    order = factories.paid_order()
    send("erp")
    assert ledger("erp") == []
    release.release_order(order=order, actor=TEAM)
    assert OutboundMessage.objects.filter(destination="connector:erp", kind="order").count() == 1
    send("erp")
    (row,) = ledger("erp")
    assert (row.status, row.external_id, row.external_number, row.attempts) == ("acknowledged", "D1", "No D1", 1)
    assert row.link == "https://demo.example/D1"
    assert row.outside_state == "WORK"
    assert [effect for effect in erp.effects if effect[0] == "order"] == [("order", order.number)]
    assert erp.things[f"{order.number}:order:0"]["total"] == order.total_incl_tax


def test_a_shop_without_connectors_writes_nothing():
    with configured():
        factories.released_order()
    assert not OutboundMessage.objects.filter(destination__startswith="connector:").exists()


def test_orders_go_where_their_flow_and_currency_belong():
    with configured(swiss=(FAKE, {"currencies": ["CHF"]}), all=(FAKE, {"order_at": "placed"})):
        order = factories.placed_order()
        assert list(OutboundMessage.objects.filter(destination__startswith="connector:").values_list(
            "destination", "kind", "order")) == [("connector:all", "order", order.pk)]  # fmt: skip


@pytest.mark.parametrize("able", [[Capability.FIND], [Capability.IDEMPOTENT], None])
def test_a_lost_answer_makes_no_second_order(able):
    with configured(erp=(FAKE, {"able": able})):
        erp = connectors.get("erp")
        erp.lose_answers(1)
        order = released()
        (row,) = ledger("erp")
        assert (row.status, row.error) == ("sending", "the demo system did not answer")
        due_now("erp")
        send("erp")
        (row,) = ledger("erp")
        assert (row.status, row.external_id, row.error) == ("acknowledged", "D1", "")
        assert erp.effects == [("order", order.number)]


def test_where_nobody_can_look_a_lost_answer_waits_for_a_person():
    with configured(erp=(FAKE, {"able": []})):
        erp = connectors.get("erp")
        erp.lose_answers(1)
        order = released()
        due_now("erp")
        send("erp")
        (row,) = ledger("erp")
        assert row.status == "failed"
        assert "Look over there" in row.error
        assert erp.effects == [("order", order.number)]
        assert FollowUp.objects.get(kind="export_failed").fulfillment_id == order.pk
        connector_ledger.send_again(export=row, actor=TEAM)
        send("erp")
        assert ledger("erp")[0].status == "acknowledged"
        assert FollowUp.objects.get(kind="export_failed").closed_at


def test_what_is_down_is_tried_again_and_nothing_is_lost(erp):
    erp.be_down(1)
    released()
    assert ledger("erp")[0].status == "waiting"
    due_now("erp")
    send("erp")
    assert [(row.status, row.attempts) for row in ledger("erp")] == [("acknowledged", 2)]


def test_a_refusal_is_shown_and_can_be_sent_again(erp):
    erp.refuse("the tax number is wrong")
    order = released()
    (row,) = ledger("erp")
    assert (row.status, row.error) == ("failed", "the tax number is wrong")
    assert FollowUp.objects.get(kind="export_failed").note == "the tax number is wrong"
    erp.refuse("")
    connector_ledger.send_again(export=row, actor=TEAM)
    send("erp")
    (row,) = ledger("erp")
    assert (row.status, row.error) == ("acknowledged", "")
    with pytest.raises(ExportBusy):
        connector_ledger.send_again(export=row, actor=TEAM)
    assert ("order", order.number) in erp.effects


def test_what_is_dismissed_does_not_go(erp):
    erp.refuse("no")
    released()
    (row,) = ledger("erp")
    connector_ledger.dismiss(export=row, actor=TEAM)
    assert ledger("erp")[0].status == "dismissed"
    assert FollowUp.objects.get(kind="export_failed").outcome == "nothing"
    erp.refuse("")
    connector_ledger.send_again(export=row, actor=TEAM)
    send("erp")
    assert ledger("erp")[0].status == "acknowledged"
    with pytest.raises(ExportBusy):
        connector_ledger.dismiss(export=ledger("erp")[0], actor=TEAM)


def test_a_payment_goes_after_its_order():
    with configured(erp=(FAKE, {"told": ["payment"], "order_at": "released"})):
        erp = connectors.get("erp")
        order = factories.placed_order()
        payments.approve_payment(order=order, actor=TEAM, reference="R1")
        send("erp")
        rows = {row.kind: row for row in ledger("erp")}
        assert {kind: row.status for kind, row in rows.items()} == {"order": "acknowledged", "payment": "acknowledged"}
        assert rows["payment"].facts["amount"] == str(order.total_incl_tax)
        assert rows["payment"].facts["reference"] == "R1"
        assert [kind for kind, _number in erp.effects] == ["order", "payment"]


def test_what_belongs_to_a_refused_order_is_refused():
    with configured(erp=(FAKE, {"told": ["payment"], "order_at": "placed"})):
        connectors.get("erp").refuse("no")
        order = factories.placed_order()
        send("erp")
        payments.approve_payment(order=order, actor=TEAM)
        send("erp")
        assert {row.kind: row.error for row in ledger("erp")} == {
            "order": "no", "payment": "The order itself is not over there.",
        }  # fmt: skip


def test_what_is_fetched_waits_until_it_is_acknowledged():
    with configured(erp=(FAKE, {"able": [Capability.FETCHED], "told": []})):
        order = released()
        (row,) = ledger("erp")
        assert (row.status, row.fulfillment_id) == ("waiting", order.pk)
        assert connector_ledger.hand_out([row.pk]) == 1
        assert ledger("erp")[0].status == "sent"
        assert connector_ledger.acknowledge(pks=[row.pk], external_ids={row.pk: "77"}) == 1
        assert connector_ledger.acknowledge(pks=[row.pk], external_ids={row.pk: "77"}) == 0
        (row,) = ledger("erp")
        assert (row.status, row.external_id) == ("acknowledged", "77")
        other = released()
        row = Export.objects.get(fulfillment=other.pk)
        with pytest.raises(ExportBusy):
            connector_ledger.acknowledge(pks=[row.pk], external_ids={row.pk: "77"})
        row.refresh_from_db()
        assert (row.status, row.external_id) == ("waiting", "")


def test_the_rest_of_an_order_is_offered_anew():
    with configured(erp=(FAKE, {"able": [Capability.FETCHED], "told": []})):
        order = factories.paid_order(lines=[(factories.product(stock=1), 1), (factories.product(stock=0), 1)])
        first, second = order.lines.order_by("pk")
        release.release_order(order=order, actor=TEAM, quantities={first.pk: 1})
        send("erp")
        (row,) = ledger("erp")
        connector_ledger.acknowledge(pks=[row.pk])
        second.stockrecord.num_in_stock = 5
        second.stockrecord.save()
        release.release_order(order=order, actor=TEAM)
        send("erp")
        assert [(r.pk, r.status) for r in ledger("erp")] == [(row.pk, "waiting")]


def test_a_connector_that_is_not_configured_keeps_its_messages():
    with configured(erp=(FAKE, {})):
        factories.released_order()
    assert OutboundMessage.objects.get(destination="connector:erp", kind="order").status == "pending"


def test_a_change_sends_an_order_anew_that_was_to_be_sent_before(monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.test.connectors.FakeConnector.told", {"order": frozenset({"add_note"})})
    with configured(erp=(FAKE, {"able": [Capability.FETCHED], "told": ["order"]})):
        order = factories.paid_order()
        notes.add_note(order=order, actor=TEAM, text="before its time")
        send("erp")
        assert ledger("erp") == []
        release.release_order(order=order, actor=TEAM)
        send("erp")
        (row,) = ledger("erp")
        connector_ledger.acknowledge(pks=[row.pk])
        notes.add_note(order=order, actor=TEAM, text="after it")
        send("erp")
        (again,) = ledger("erp")
        assert (again.pk, again.status) == (row.pk, "waiting")
        assert again.sequence > row.sequence


def test_many_records_are_those_of_one_each(django_assert_num_queries):
    orders = [factories.paid_order(), factories.placed_order(), factories.released_order(currency="CHF")]
    pks = [order.pk for order in orders]
    single = [connector_records.record(connector_records.order_of(pk)) for pk in pks]
    with django_assert_num_queries(7):
        many = connector_records.records([*pks, 10**6])
    assert many == single
    assert many[0].received == orders[0].total_incl_tax
