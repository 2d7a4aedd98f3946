"""Bitrix24: orders as deals, stages both ways, at the simulator over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from oscar_fulfillment.connectors import bitrix24_wire as wire
from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import Capability
from oscar_fulfillment.core import inbox
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.models import FollowUp, InboundMessage, LaneHealth, OrderFulfillment, OutsideChange
from oscar_fulfillment.services import (
    connector_changes,
    connector_ledger,
    connector_rules,
    connector_watch,
    editing,
    payments,
    release,
    shipping,
)
from oscar_fulfillment.services.edit_wanted import Wanted
from oscar_fulfillment.test import factories
from sandbox.simulators.base import serve
from sandbox.simulators.bitrix24 import Bitrix24
from sandbox.simulators.bitrix24_rules import APPLICATION_TOKEN, CODE, USER, Bucket

from .connectors import configured, due_now, ledger, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("E9")]
BACKEND = "oscar_fulfillment.connectors.bitrix24.Bitrix24"
TEAM = factories.TEAM
ALIAS = "bitrix24"


class Clock:
    """The portal's: a second passes with every look, so that nothing happens at once unless a test wants it."""

    def __init__(self):
        self.at = datetime.now(UTC).replace(microsecond=0)
        self.step = timedelta(seconds=1)

    def __call__(self):
        self.at += self.step
        return self.at


@pytest.fixture
def portal():
    return Bitrix24(deliver=lambda letter: 200, now=Clock(), bucket=Bucket(depth=10_000))


@pytest.fixture
def address(portal):
    with serve(portal) as found:
        yield found


@pytest.fixture
def shop(address):
    """The shop with Bitrix24 beside it, for further options."""
    from contextlib import contextmanager

    @contextmanager
    def with_options(**options):
        given = {
            "webhook_url": f"{address}/rest/{USER}/{CODE}/", "application_tokens": [APPLICATION_TOKEN],
            "read_timeout": 1.0, "rate": (1e6, 1e6), **options,
        }  # fmt: skip
        with configured(bitrix24=(BACKEND, given)):
            yield connectors.get(ALIAS)

    return with_options


@pytest.fixture
def crm(shop):
    with shop() as found:
        yield found


def sale(make=factories.placed_order, **options):
    """A Russian order, as its deal is to show it."""
    return make(currency="RUB", shipping_address=factories.address(
        phone_number="+79001234567", first_name="Иван", last_name="Петров", line4="Казань", country="RU"
    ), email="ivan@example.net", **options)  # fmt: skip


def sent(make=factories.placed_order, **options):
    order = sale(make, **options)
    send(ALIAS)
    assert [row.status for row in ledger(ALIAS, fulfillment=order.pk)] == ["acknowledged"]
    return order


def state(order):
    row = OrderFulfillment.objects.get(pk=order.pk)
    return row.payment_status, row.shipping_status


def deal_of(portal, order):
    (found,) = [deal for deal in portal.deals if deal["ORIGIN_ID"] == order.number]
    return found


def methods(portal):
    return [path.rpartition("/")[2] for _method, path, _headers, _body in portal.calls]


def post(client, letter, **changes):
    url = reverse("fulfillment:webhook", kwargs={"family": "connectors", "name": ALIAS})
    return client.post(url, data=letter.body, content_type="application/x-www-form-urlencoded", **changes)


def hears(client, portal, event, number):
    """An event arrives and is worked."""
    portal.hook_url = "https://shop.example/hook"
    assert post(client, portal.notification(event, number)).status_code == 200
    inbox.process()


# The order goes there


def test_an_order_becomes_a_deal_with_contact_and_rows_in_two_calls(crm, portal):
    order = sent()
    deal = deal_of(portal, order)
    assert (deal["TITLE"], deal["CURRENCY_ID"], deal["STAGE_ID"], deal["CATEGORY_ID"]) == (
        f"Order {order.number}", "RUB", "NEW", "0",
    )  # fmt: skip
    assert Decimal(deal["OPPORTUNITY"]) == order.total_incl_tax
    contact = portal.books.get("contact", deal["CONTACT_ID"])
    assert (contact["NAME"], contact["LAST_NAME"]) == ("Иван", "Петров")
    assert contact["PHONE"][0]["VALUE"] == "+79001234567"
    assert contact["EMAIL"][0]["VALUE"] == "ivan@example.net"
    assert [(row["PRODUCT_NAME"], row["QUANTITY"], row["PRICE"]) for row in deal["rows"]] == [("Mug", "2", "10.00")]
    assert methods(portal) == ["batch.json", "batch.json"]
    (row,) = ledger(ALIAS)
    assert (row.external_id, row.outside_state) == (deal["ID"], "NEW")
    assert row.link == f"{connectors.get(ALIAS)._wire.portal}/crm/deal/details/{deal['ID']}/"


def test_a_buyer_who_is_known_by_phone_or_mailbox_gets_no_second_contact(crm, portal):
    first, second = sent(), sent()
    assert portal.books.count("contact") == 1
    assert {deal_of(portal, order)["CONTACT_ID"] for order in (first, second)} == {"1"}
    other = factories.placed_order(currency="RUB", email="IVAN@example.net")
    send(ALIAS)
    assert deal_of(portal, other)["CONTACT_ID"] == "1"


def test_the_pipeline_goes_by_flow_or_currency_and_the_stage_with_it(shop, portal):
    with shop(
        pipelines={"RUB": 5}, fields={"UF_CRM_PAY": "{payment_code} / {city}"}, title="№ {number}", responsible=7
    ):
        rubles, euros = sent(), factories.placed_order(currency="EUR")
        send(ALIAS)
        deal = deal_of(portal, rubles)
        assert (deal["CATEGORY_ID"], deal["STAGE_ID"], deal["ASSIGNED_BY_ID"]) == ("5", "C5:NEW", "7")
        assert (deal["UF_CRM_PAY"], deal["TITLE"]) == ("deposit / Казань", f"№ {rubles.number}")
        assert deal_of(portal, euros)["STAGE_ID"] == "NEW"
        payments.approve_payment(order=rubles, actor=TEAM)
        send(ALIAS)
        assert deal_of(portal, rubles)["STAGE_ID"] == "C5:PREPARATION"
        connector_rules.save_rules(connector=ALIAS, rules=[
            {"direction": "in", "outside": "EXECUTING", "step": "cancel"},
            {"direction": "in", "outside": "C5:EXECUTING", "step": "release"},
        ])  # fmt: skip
        portal.change(deal["ID"], stage="C5:EXECUTING")
        connector_watch.ask(connectors.get(ALIAS), force=True)
        assert state(rubles) == ("paid", "released")


@pytest.mark.parametrize("accident", ["cut_after", "error_after", "garbage"])
def test_a_lost_answer_makes_no_second_deal(crm, portal, accident):
    portal.fail_next("", accident, path="batch")
    order = sale()
    send(ALIAS)
    assert ledger(ALIAS)[0].status == "sending"
    due_now(ALIAS)
    send(ALIAS)
    (row,) = ledger(ALIAS)
    assert (row.status, row.external_id) == ("acknowledged", deal_of(portal, order)["ID"])
    assert [name for name, _id in portal.effects if name.endswith(".add")] == ["crm.contact.add", "crm.deal.add"]


@pytest.mark.feature("E10")
def test_a_deal_that_moved_before_its_answer_was_found_is_heard(crm, portal):
    portal.fail_next("", "cut_after", path="batch")
    order = sale(factories.paid_order)
    send(ALIAS)
    portal.change(deal_of(portal, order)["ID"], stage="EXECUTING")
    due_now(ALIAS)
    send(ALIAS)
    assert state(order) == ("paid", "released")
    send(ALIAS)
    assert deal_of(portal, order)["STAGE_ID"] == "EXECUTING"


@pytest.mark.feature("E10")
def test_what_the_order_became_while_its_answer_was_lost_is_shown(crm, portal):
    portal.fail_next("", "cut_after", path="batch")
    order = sale()
    send(ALIAS)
    payments.approve_payment(order=order, actor=TEAM)
    due_now(ALIAS)
    send(ALIAS)
    assert deal_of(portal, order)["STAGE_ID"] == "PREPARATION"
    assert ledger(ALIAS)[0].outside_state == "PREPARATION"


def test_rows_that_were_refused_are_completed_when_it_is_sent_again(crm, portal, monkeypatch):
    from sandbox.simulators.bitrix24_rules import Refused

    whole = portal._rows_set
    with monkeypatch.context() as patch:
        patch.setattr(portal, "_rows_set", lambda params: (_ for _ in ()).throw(Refused("Row is odd")))
        order = sale()
        send(ALIAS)
    (row,) = ledger(ALIAS)
    assert (row.status, row.error) == ("failed", "Bitrix24 refused: Row is odd")
    monkeypatch.setattr(portal, "_rows_set", whole)
    connector_ledger.send_again(export=row, actor=TEAM)
    send(ALIAS)
    assert ledger(ALIAS)[0].status == "acknowledged"
    assert len(deal_of(portal, order)["rows"]) == 1


def test_an_edited_order_revises_its_deal_and_leaves_the_stage(crm, portal):
    order = sent()
    portal.change(deal_of(portal, order)["ID"], stage="PREPAYMENT_INVOICE")
    line = order.lines.get()
    editing.apply_edit(
        order=order, actor=TEAM, wanted=Wanted(quantities={line.pk: 5}), reason="more",
        expected_version=OrderFulfillment.objects.get(pk=order.pk).version,
    )  # fmt: skip
    send(ALIAS)
    deal = deal_of(portal, order)
    assert [row["QUANTITY"] for row in deal["rows"]] == ["5"]
    assert Decimal(deal["OPPORTUNITY"]) == Decimal("50.00")
    assert deal["STAGE_ID"] == "PREPAYMENT_INVOICE"


def test_what_a_buyer_types_is_no_reference_to_another_result(crm, portal):
    name = "$result[deal] <b>[url]"
    address = factories.address(first_name=name, line1="$result[contact]")
    order = factories.placed_order(currency="RUB", shipping_address=address)
    send(ALIAS)
    contact = portal.books.get("contact", deal_of(portal, order)["CONTACT_ID"])
    assert contact["NAME"] == "$"
    assert contact["LAST_NAME"].startswith("result[deal] <b>[url]")
    assert "$ result(contact)" in deal_of(portal, order)["COMMENTS"]


# Stages


@pytest.mark.feature("E10")
def test_our_steps_move_the_deal_and_their_echoes_move_nothing(crm, portal, client):
    order = sent()
    seen = []
    for act in (payments.approve_payment, release.release_order, shipping.dispatch_order, shipping.deliver_order):
        act(order=order, actor=TEAM)
        send(ALIAS)
        deal = deal_of(portal, order)
        seen.append(deal["STAGE_ID"])
        hears(client, portal, "ONCRMDEALUPDATE", deal["ID"])
    assert seen == ["PREPARATION", "EXECUTING", "FINAL_INVOICE", "WON"]
    assert set(OutsideChange.objects.values_list("status", flat=True)) == {"echo"}
    assert send(ALIAS) == {}


@pytest.mark.feature("E10")
def test_a_deal_moved_by_a_person_moves_the_order_and_comes_not_back(crm, portal, client):
    order = sent(factories.paid_order)
    number = deal_of(portal, order)["ID"]
    for stage, expected in (("EXECUTING", "released"), ("FINAL_INVOICE", "dispatched"), ("WON", "delivered")):
        portal.change(number, stage=stage)
        hears(client, portal, "ONCRMDEALUPDATE", number)
        assert state(order)[1] == expected
        updates = portal.effects.count(("crm.deal.update", number))
        send(ALIAS)
        assert portal.effects.count(("crm.deal.update", number)) == updates
    change = order.fulfillment.history.get(action="release")
    assert (change.actor_label, change.reason) == (ALIAS, "“Продажи: В работе” in bitrix24")


@pytest.mark.feature("E10")
def test_a_person_who_was_faster_is_heard_and_not_overruled(crm, portal):
    order = sent(factories.paid_order)
    number = deal_of(portal, order)["ID"]
    release.release_order(order=order, actor=TEAM)
    portal.now.at += timedelta(minutes=1)
    portal.change(number, stage="LOSE")  # no event comes
    send(ALIAS)
    assert state(order)[1] == "cancelled"
    assert deal_of(portal, order)["STAGE_ID"] == "LOSE"
    assert ("crm.deal.update", number) not in portal.effects


@pytest.mark.feature("E10")
def test_where_the_shop_wins_the_deal_is_put_back(crm, portal):
    connector_rules.save_rules(connector=ALIAS, rules=[
        {"direction": "in", "outside": "LOSE", "step": "cancel", "wins": "ours"},
        {"direction": "out", "outside": "NEW", "shipping": "received"},
        {"direction": "out", "outside": "EXECUTING", "shipping": "released"},
    ])  # fmt: skip
    order = sent(factories.paid_order)
    release.release_order(order=order, actor=TEAM)
    portal.change(deal_of(portal, order)["ID"], stage="LOSE")
    send(ALIAS)
    assert OutsideChange.objects.get().status == "kept"
    assert (state(order)[1], deal_of(portal, order)["STAGE_ID"]) == ("released", "EXECUTING")


@pytest.mark.feature("E10")
def test_a_move_back_to_what_the_shop_last_showed_is_meant(crm, portal):
    order = sent(factories.paid_order)
    number = deal_of(portal, order)["ID"]
    release.release_order(order=order, actor=TEAM)
    send(ALIAS)
    portal.change(number, stage="FINAL_INVOICE")
    assert connector_watch.ask(crm, force=True)["applied"] == 1
    portal.change(number, stage="EXECUTING")
    connector_watch.ask(crm, force=True)
    row = OutsideChange.objects.latest("pk")
    assert (row.state, row.status) == ("EXECUTING", "refused")
    assert FollowUp.objects.get(kind="outside_refused").fulfillment_id == order.pk


@pytest.mark.feature("E10")
def test_a_portal_whose_clock_is_slow_loses_no_move(crm, portal, client):
    portal.now.at -= timedelta(hours=1)
    order = sent(factories.paid_order)
    number = deal_of(portal, order)["ID"]
    portal.change(number, stage="EXECUTING")
    hears(client, portal, "ONCRMDEALUPDATE", number)
    assert state(order)[1] == "released"


@pytest.mark.feature("E10")
def test_a_lost_answer_to_a_move_is_no_second_move(crm, portal):
    order = sent()
    payments.approve_payment(order=order, actor=TEAM)
    portal.fail_next("", "cut_after", path="rest")
    send(ALIAS)
    due_now(ALIAS)
    send(ALIAS)
    assert [name for name, _id in portal.effects].count("crm.deal.update") == 1
    assert ledger(ALIAS)[0].outside_state == deal_of(portal, order)["STAGE_ID"] == "PREPARATION"


@pytest.mark.feature("E10")
def test_a_deal_in_another_pipeline_is_moved_within_that(crm, portal):
    order = sent(factories.paid_order)
    deal = deal_of(portal, order)
    portal.books.put("deal", deal["ID"], {**deal, "CATEGORY_ID": "5", "STAGE_ID": "C5:PREPARATION"})
    release.release_order(order=order, actor=TEAM)
    send(ALIAS)
    assert deal_of(portal, order)["STAGE_ID"] == "C5:EXECUTING"
    count = len(portal.effects)
    assert send(ALIAS) == {}
    assert len(portal.effects) == count


@pytest.mark.feature("E10")
@pytest.mark.parametrize("deaf", [False, True])
def test_a_stage_that_the_portal_does_not_have_is_told_to_a_person(crm, portal, deaf):
    portal.deaf = deaf
    connector_rules.save_rules(connector=ALIAS, rules=[
        {"direction": "out", "outside": "NEW", "shipping": "received"},
        {"direction": "out", "outside": "GONE", "shipping": "released"},
    ])  # fmt: skip
    sent(factories.released_order)  # made in the first stage, as Bitrix24 does with a stage it does not know
    order = sent(factories.paid_order)
    release.release_order(order=order, actor=TEAM)
    send(ALIAS)
    assert FollowUp.objects.filter(kind="export_failed", fulfillment=order.pk).exists()
    assert deal_of(portal, order)["STAGE_ID"] == "NEW"


@pytest.mark.feature("E10")
def test_a_deleted_deal_is_noted_and_a_rule_may_follow(crm, portal, client):
    order, other = sent(), sent()
    first, second = deal_of(portal, order)["ID"], deal_of(portal, other)["ID"]
    portal.delete(first)
    hears(client, portal, "ONCRMDEALDELETE", first)
    assert (OutsideChange.objects.get().status, state(order)[1]) == ("nothing", "received")
    connector_rules.save_rules(connector=ALIAS, rules=[{"direction": "in", "outside": "DELETED", "step": "cancel"}])
    portal.delete(second)
    hears(client, portal, "ONCRMDEALDELETE", second)
    assert state(other)[1] == "cancelled"
    hears(client, portal, "ONCRMDEALDELETE", "999")
    assert not OutsideChange.objects.filter(external_id="999").exists()


# Hearing


@pytest.mark.feature("E10")
def test_an_event_needs_the_token_and_old_hooks_are_heard(crm, portal, client):
    order = sent(factories.paid_order)
    number = deal_of(portal, order)["ID"]
    portal.change(number, stage="EXECUTING")
    portal.hook_url = "https://shop.example/hook"
    wrong = portal.notification("ONCRMDEALUPDATE", number, **{"auth[application_token]": "guess"})
    assert post(client, wrong).status_code == 401
    for body in (b"", b"event=ONCRMDEALUPDATE", b"\xff\xfe", b"&".join(b"a%d=1" % n for n in range(300))):
        assert post(client, type(wrong)("", body)).status_code == 401
    for odd in ("", "0", "7 OR 1=1", "-1", "../../1", "9" * 30):
        letter = portal.notification("ONCRMDEALUPDATE", odd)
        assert post(client, letter).status_code == 400
    assert not InboundMessage.objects.exists()
    portal.old_hooks = True
    letter = portal.notification("ONCRMDEALUPDATE", number)
    assert [post(client, letter).content for _time in range(2)] == [b"stored", b"known"]
    assert post(client, portal.notification("ONCRMLEADUPDATE", "1")).status_code == 200
    inbox.process()
    assert state(order)[1] == "released"
    assert sorted(InboundMessage.objects.values_list("status", flat=True)) == ["ignored", "processed"]


@pytest.mark.feature("E10")
def test_deals_of_others_are_none_of_our_business(crm, portal, client):
    number = str(portal.one("crm.deal.add", {"fields": {"TITLE": "Theirs", "ORIGIN_ID": "100001"}})["result"])
    hears(client, portal, "ONCRMDEALUPDATE", number)
    assert not OutsideChange.objects.exists()
    assert connector_watch.ask(crm, force=True) == {}


@pytest.mark.feature("E10")
def test_what_no_event_told_of_is_found_by_asking(crm, portal):
    orders = [sent(factories.paid_order) for _n in range(3)]
    connector_watch.ask(crm, force=True)
    for order in orders[:2]:
        portal.change(deal_of(portal, order)["ID"], stage="EXECUTING")
    assert connector_watch.ask(crm, force=True)["applied"] == 2
    assert [state(order)[1] for order in orders] == ["released", "released", "received"]
    portal.change(deal_of(portal, orders[2])["ID"], TITLE="Another name")
    connector_watch.ask(crm, force=True)
    assert state(orders[2])[1] == "received"


@pytest.mark.feature("E10")
@pytest.mark.parametrize("together", [True, False])
def test_pages_are_read_to_their_end_also_of_changes_in_one_second(crm, portal, together):
    portal.now.step = timedelta(0)
    fields = {"ORIGINATOR_ID": "oscar-bitrix24"}
    for number in range(120):
        portal.now.at += timedelta(seconds=0 if together else 1)
        portal.one("crm.deal.add", {"fields": {**fields, "ORIGIN_ID": f"N{number}"}})
    seen, cursor, more, calls = set(), "", True, 0
    while more:
        page = crm.pull(cursor)
        seen |= {change.reference for change in page.changes}
        cursor, more, calls = page.cursor, page.more, calls + 1
        assert calls < 10
    assert len(seen) == 120
    portal.now.at += timedelta(minutes=5)
    portal.change("7", stage="WON")
    page = crm.pull(cursor)
    assert [change.state for change in page.changes if change.external_id == "7"] == ["WON"]
    assert len(crm.pull(page.cursor).changes) == 1


@pytest.mark.feature("E10")
def test_the_stages_of_all_pipelines_are_offered(crm, portal):
    found = {state.code: state.label for state in crm.states()}
    assert found["EXECUTING"] == "Продажи: В работе"
    assert found["C5:WON"] == "Интернет-магазин: Сделка успешна"
    assert len(found) == 17
    assert methods(portal) == ["crm.category.list.json", "batch.json"]


# Rate, accidents, bad input


def test_a_full_bucket_is_waited_for_and_rests_the_lane(crm, portal):
    portal.bucket = Bucket(depth=0)
    order = sale()
    send(ALIAS)
    (row,) = ledger(ALIAS)
    assert row.status == "waiting"
    assert LaneHealth.objects.get().name == f"outbox:connector:{ALIAS}"
    portal.bucket = Bucket(depth=100)
    due_now(ALIAS)
    send(ALIAS)
    assert deal_of(portal, order)


def test_the_rate_of_a_portal_is_shared_by_its_connectors_in_a_process(shop, portal):
    with shop(rate=(3, 0.1)) as one:
        for _call in range(3):
            one.fetch("1")
        with pytest.raises(AdapterUnavailable) as error:
            one.fetch("1")
        assert 5 < error.value.retry_after <= 10
        assert len(portal.calls) == 3
        other = type(one)(alias="other", webhook_url=one._wire._http.base_url, rate=(3, 0.1))
        with pytest.raises(AdapterUnavailable):
            other.fetch("1")
        assert len(portal.calls) == 3


def test_a_method_that_has_worked_too_long_is_left_alone_until_it_may_again(crm, portal):
    order = sent()
    portal.tired["crm.deal.get"] = portal.now().timestamp() + 300
    with pytest.raises(AdapterUnavailable) as error:
        crm.fetch(deal_of(portal, order)["ID"])
    assert 200 < error.value.retry_after < 400
    portal.tired = {"crm.deal.list": portal.now().timestamp() + 300}
    sale()
    send(ALIAS)
    assert ledger(ALIAS)[-1].status == "waiting"
    assert LaneHealth.objects.exists()


def test_a_webhook_that_is_not_good_is_a_refusal_and_stays_secret(shop, address, portal, caplog):
    caplog.set_level("DEBUG")
    with shop(webhook_url=f"{address}/rest/1/wrongsecret123") as crm:
        sale()
        send(ALIAS)
        (row,) = ledger(ALIAS)
        assert row.status == "failed"
        assert "INVALID_CREDENTIALS" in row.error
        told = (
            row.error
            + repr(crm)
            + repr(crm._wire)
            + "".join(record.getMessage() for record in caplog.records if record.name.startswith("oscar_fulfillment"))
        )
        assert "wrongsecret123" not in told
        assert APPLICATION_TOKEN not in told


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"null", b"[]", b'{"result": null}', b'{"result": []}', b'{"result": {"result": []}}', b"\xff",
        b'{"result": {"result": {"deal": 5}}}', b'{"result": {"result": {"deal": [{"ID": "x"}]}}}',
        json.dumps({"result": {"result": {"deal": [], "phone": {"CONTACT": "x"}, "email": []}}}).encode(),
    ],
)  # fmt: skip
def test_answers_that_make_no_sense_make_no_second_deal(crm, portal, answer):
    portal.answer_next(answer)
    order = sale()
    send(ALIAS)
    due_now(ALIAS)
    send(ALIAS)
    assert ledger(ALIAS)[0].status == "acknowledged"
    assert deal_of(portal, order)


@pytest.mark.parametrize(
    "answer", [b'{"result": {"ID": "1"}}', b'{"result": 7}', b'{"result": {"ID": [], "STAGE_ID": {}}}']
)
def test_a_deal_that_cannot_be_read_is_none_of_ours(crm, portal, answer):
    portal.answer_next(answer)
    assert crm.fetch("1") is None


def test_errors_of_every_kind_are_told_apart(crm, portal):
    portal.fail_next("cut_after")
    with pytest.raises(AdapterUnavailable) as error:
        crm.fetch("1")
    assert not isinstance(error.value, AdapterUnanswered)
    portal.mood = "down"
    with pytest.raises(AdapterUnavailable):
        crm.pull("")
    portal.mood = "well"
    with pytest.raises(AdapterRejected):
        crm._wire.call("crm.lead.add")
    with pytest.raises(wire.DealNotFound):
        crm._wire.call("crm.deal.get", {"id": 77})


def test_without_tokens_it_is_only_asked(shop, client, portal):
    with shop(application_tokens=[]) as crm:
        assert Capability.NOTIFIES not in crm.capabilities
        portal.hook_url = "x"
        assert post(client, portal.notification("ONCRMDEALUPDATE", "1")).status_code == 404


@pytest.mark.feature("E10")
def test_a_robot_that_moves_the_deal_at_once_is_heard_before_the_number_is_known(crm, portal):
    """The portal's own rule moves each new deal on; its event is here before the answer to our call."""
    order = sale(factories.paid_order)

    def robot(deal):
        if deal["STAGE_ID"] == "PREPARATION":
            portal.change(deal["ID"], stage="EXECUTING")
            connector_changes.take(ALIAS, crm.fetch(deal["ID"]))

    portal.robot = robot
    portal.books.lock = __import__("contextlib").nullcontext()  # the event is worked within the call
    send(ALIAS)
    assert state(order)[1] == "released"
    connector_watch.ask(crm, force=True)
    send(ALIAS)
    assert deal_of(portal, order)["STAGE_ID"] == ledger(ALIAS)[0].outside_state == "EXECUTING"


@pytest.mark.feature("E10")
def test_one_worker_at_a_time_tells_of_an_order_and_none_forgets(crm, portal):
    order = sent(factories.paid_order)
    (row,) = ledger(ALIAS)
    row.claimed_until = datetime.now(UTC) + timedelta(minutes=1)  # another worker is in the middle of it
    row.save()
    release.release_order(order=order, actor=TEAM)
    send(ALIAS)
    assert deal_of(portal, order)["STAGE_ID"] == "PREPARATION"
    row.claimed_until = None
    row.save()
    due_now(ALIAS)
    send(ALIAS)
    assert deal_of(portal, order)["STAGE_ID"] == "EXECUTING"


def test_an_edit_while_the_order_is_being_sent_is_sent_afterwards(crm, portal):
    order = sent()
    (row,) = ledger(ALIAS)
    row.claimed_until = datetime.now(UTC) + timedelta(minutes=1)
    row.save()
    line = order.lines.get()
    version = OrderFulfillment.objects.get(pk=order.pk).version
    wanted = Wanted(quantities={line.pk: 4})
    editing.apply_edit(order=order, actor=TEAM, wanted=wanted, reason="more", expected_version=version)
    send(ALIAS)
    row.claimed_until = None
    row.save(update_fields=["claimed_until"])
    due_now(ALIAS)
    send(ALIAS)
    assert [each["QUANTITY"] for each in deal_of(portal, order)["rows"]] == ["4"]


def test_an_edit_before_its_moment_sends_nothing(shop, portal):
    with shop(order_at="released"):
        order = sale()
        line = order.lines.get()
        version = OrderFulfillment.objects.get(pk=order.pk).version
        wanted = Wanted(quantities={line.pk: 4})
        editing.apply_edit(order=order, actor=TEAM, wanted=wanted, reason="more", expected_version=version)
        send(ALIAS)
        assert portal.deals == []
        payments.approve_payment(order=order, actor=TEAM)
        release.release_order(order=order, actor=TEAM)
        send(ALIAS)
        assert [each["QUANTITY"] for each in deal_of(portal, order)["rows"]] == ["4"]
