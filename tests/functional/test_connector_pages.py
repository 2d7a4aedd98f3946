"""The pages of other systems: who may see them, the ledger, what they say, the rules, the order's panel."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.models import Export, OutboundMessage, OutsideChange, StatusRule
from oscar_fulfillment.services import connector_changes
from oscar_fulfillment.test import factories
from tests.integration.connectors import configured, due_now, ledger, send

from .steps import said, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A8", "E9")]
FAKE = "oscar_fulfillment.test.connectors.FakeConnector"
URL = "/dashboard/orders/systems/"


@pytest.fixture
def crm():
    cache.clear()  # what a system calls its statuses is kept for a while
    with configured(crm=(FAKE, {"order_at": "placed", "name": "Our CRM"})):
        yield connectors.get("crm")


@pytest.fixture
def boss(client, crm):
    client.force_login(factories.staff_user("manage_connectors", "view_orderfulfillment", first_name="Marta"))
    return client


def refused(crm, why="the tax number is wrong"):
    crm.refuse(why)
    order = factories.paid_order()
    due_now("crm")
    send("crm")
    crm.refuse("")
    return ledger("crm")[-1], order


def rules_form(rules_in=(), rules_out=(), **more):
    data = {
        "in-TOTAL_FORMS": len(rules_in), "in-INITIAL_FORMS": 0, "out-TOTAL_FORMS": len(rules_out),
        "out-INITIAL_FORMS": 0, **more,
    }  # fmt: skip
    for prefix, rules in (("in", rules_in), ("out", rules_out)):
        for place, rule in enumerate(rules):
            data |= {f"{prefix}-{place}-{name}": value for name, value in rule.items()}
    return data


def test_only_who_may_manage_other_systems_gets_anywhere(client, crm):
    export, order = refused(crm)
    row = connector_changes.take("crm", crm_word(order, "SENT"))
    pages = [URL, f"{URL}exports/", f"{URL}words/", f"{URL}crm/rules/"]
    posts = [f"{URL}exports/{export.pk}/again/", f"{URL}exports/{export.pk}/dismiss/", f"{URL}exports/again/"]
    posts += [f"{URL}words/{row.pk}/again/", f"{URL}words/{row.pk}/settled/", f"{URL}crm/rules/", f"{URL}crm/ask/"]
    for codenames in ((), ("view_orderfulfillment",), ("manage_webhooks",)):
        client.force_login(factories.staff_user(*codenames))
        assert {client.get(page).status_code for page in pages} == {403}
        assert {client.post(page, {"system": "crm"}).status_code for page in posts} == {403}
    assert {Client().get(page).status_code for page in pages} == {302}
    export.refresh_from_db()
    row.refresh_from_db()
    assert (export.status, row.status) == ("failed", "refused")
    assert not StatusRule.objects.exists()


def crm_word(order, state, **values):
    from oscar_fulfillment.connectors.records import Change

    return Change(**{"key": f"w{OutsideChange.objects.count()}", "reference": order.number, "state": state, **values})


def test_a_shop_without_other_systems_is_told_how_to_connect_one(client):
    client.force_login(factories.staff_user("manage_connectors"))
    with configured():
        assert "No other system is connected." in text_of(client.get(URL))


def test_the_list_says_how_each_does(boss, crm):
    page = text_of(boss.get(URL))
    assert "Our CRM" in page
    assert "not used yet" in page
    assert "Orders go there when they are placed." in page
    refused(crm)
    page = text_of(boss.get(URL))
    assert "needs you" in page
    assert f"{URL}exports/?system=crm&amp;status=failed" in page


def test_what_was_not_taken_is_sent_again_or_left_out(boss, crm):
    export, order = refused(crm)
    page = text_of(boss.get(f"{URL}exports/"))
    assert "the tax number is wrong" in page
    assert order.number in page
    answer = boss.post(f"{URL}exports/{export.pk}/again/", {"next": f"{URL}exports/?system=crm"})
    assert answer.url == f"{URL}exports/?system=crm"
    send("crm")
    export.refresh_from_db()
    assert export.status == "acknowledged"
    assert "on its way" in " ".join(said(boss, boss.post(f"{URL}exports/{export.pk}/dismiss/")))
    other, _order = refused(crm)
    boss.post(f"{URL}exports/{other.pk}/dismiss/", {"next": "https://evil.example/"})
    other.refresh_from_db()
    assert other.status == "dismissed"


def test_nobody_is_led_away(boss, crm):
    export, _order = refused(crm)
    answer = boss.post(f"{URL}exports/{export.pk}/dismiss/", {"next": "https://evil.example/"})
    assert answer.url == f"{URL}exports/"


def test_all_that_a_system_refused_goes_again_at_once(boss, crm):
    for _n in range(3):
        refused(crm)
    page = text_of(boss.get(f"{URL}exports/?system=crm&status=failed"))
    assert "Send all again" in page
    assert "3 go again." in " ".join(said(boss, boss.post(f"{URL}exports/again/", {"system": "crm"})))
    due_now("crm")
    send("crm")
    assert {row.status for row in ledger("crm")} == {"acknowledged"}
    assert "Nothing waits" in " ".join(said(boss, boss.post(f"{URL}exports/again/", {"system": "crm"})))


def test_the_ledger_is_narrowed_and_has_pages(boss, crm):
    order = factories.placed_order()
    send("crm")
    rows = [
        Export(fulfillment=order.fulfillment, connector="crm", kind="payment", about=str(n),
               created_at=order.fulfillment.placed_at, status="acknowledged")
        for n in range(60)
    ]  # fmt: skip
    Export.objects.bulk_create(rows)
    first = boss.get(f"{URL}exports/")
    assert len(first.context["rows"]) == 25
    second = boss.get(f"{URL}exports/?{first.context['older']}")
    assert not {r["export"].pk for r in first.context["rows"]} & {r["export"].pk for r in second.context["rows"]}
    assert boss.get(f"{URL}exports/?status=failed").context["rows"] == []
    assert len(boss.get(f"{URL}exports/?number={order.number}").context["rows"]) == 25
    for odd in ("before=%00", "before=9999999999999999999", "status=odd", "system=nobody", "number=%00"):
        assert boss.get(f"{URL}exports/?{odd}").status_code == 200
        assert boss.get(f"{URL}words/?{odd}").status_code == 200


def test_the_ledger_takes_as_many_queries_for_many_as_for_few(boss, crm, django_assert_max_num_queries):
    for _n in range(5):
        factories.placed_order()
    send("crm")
    boss.get(f"{URL}exports/")
    with django_assert_max_num_queries(12):
        assert len(boss.get(f"{URL}exports/").context["rows"]) == 5


def test_what_is_not_possible_is_tried_again_or_settled(boss, crm):
    order = factories.placed_order()
    send("crm")
    row = connector_changes.take("crm", crm_word(order, "WORK", label="In work"))
    page = text_of(boss.get(f"{URL}words/?status=trouble"))
    assert "In work" in page
    assert "Still not possible" in " ".join(said(boss, boss.post(f"{URL}words/{row.pk}/again/")))
    from oscar_fulfillment.services import payments

    payments.approve_payment(order=order, actor=factories.TEAM)
    assert "Done." in " ".join(said(boss, boss.post(f"{URL}words/{row.pk}/again/")))
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.shipping_status == "released"
    other = connector_changes.take("crm", crm_word(order, "LOST", reference="nobody"))
    assert "It is settled." in " ".join(said(boss, boss.post(f"{URL}words/{other.pk}/settled/")))
    assert "settled already" in " ".join(said(boss, boss.post(f"{URL}words/{other.pk}/again/")))


def test_what_a_system_says_is_text_and_nothing_else(boss, crm):
    order = factories.placed_order()
    send("crm")
    evil = "<script>alert(1)</script>"
    connector_changes.take("crm", crm_word(order, evil, label=evil))
    connector_changes.take("crm", crm_word(order, "X", reference=evil))
    Export.objects.update(external_number=evil, link="javascript:alert(1)", error=evil)
    for page in (f"{URL}words/", f"{URL}exports/", f"/dashboard/orders/{order.number}/"):
        text = boss.get(page).content.decode()
        assert "<script>alert" not in text
        assert "javascript:" not in text


@pytest.mark.feature("E10")
def test_rules_are_shown_and_replaced(boss, crm):
    page = text_of(boss.get(f"{URL}crm/rules/"))
    assert "These rules come with the connector." in page
    assert 'value="WORK"' in page
    form = rules_form([{"outside": "WON", "step": "deliver", "wins": "theirs"}, {"outside": "", "step": ""}],
                      [{"outside": "WORK", "shipping": "released", "payment": ""}])  # fmt: skip
    assert boss.post(f"{URL}crm/rules/", form).status_code == 302
    assert sorted(StatusRule.objects.values_list("direction", "outside", "wins")) == [
        ("in", "WON", "theirs"), ("out", "WORK", "later"),
    ]  # fmt: skip
    assert "These are your own rules." in text_of(boss.get(f"{URL}crm/rules/"))
    boss.post(f"{URL}crm/rules/", {"reset": "1"})
    assert not StatusRule.objects.exists()


@pytest.mark.feature("E10")
def test_wrong_rules_are_marked_and_nothing_is_written(boss, crm):
    form = rules_form([{"outside": "WON", "step": "", "wins": "later"}, {"outside": "A", "step": "release"},
                       {"outside": "A", "step": "cancel"}], [{"outside": "B", "payment": "", "shipping": ""}])  # fmt: skip
    answer = boss.post(f"{URL}crm/rules/", form)
    assert answer.status_code == 422
    text = text_of(answer)
    for problem in ("Choose a step.", "Another rule says", "Choose a payment status"):
        assert problem in text
    assert not StatusRule.objects.exists()
    for broken in ({}, {"in-TOTAL_FORMS": "x"}, rules_form() | {"in-TOTAL_FORMS": "100000"},
                   rules_form([{"outside": "A\x00", "step": "release"}]), rules_form([{"outside": "A" * 500}])):  # fmt: skip
        assert boss.post(f"{URL}crm/rules/", broken).status_code == 422
    assert not StatusRule.objects.exists()


def test_a_system_whose_statuses_cannot_be_listed_still_has_rules(boss, crm, monkeypatch):
    from oscar_fulfillment.core.exceptions import AdapterUnavailable

    def down():
        raise AdapterUnavailable("gone fishing")

    monkeypatch.setattr(crm, "states", down)
    assert "gone fishing" in text_of(boss.get(f"{URL}crm/rules/"))
    assert boss.get(f"{URL}nobody/rules/").status_code == 404


def test_a_system_is_asked_at_once(boss, crm):
    order = factories.paid_order()
    send("crm")
    crm.move(order.number, "WORK")
    assert "1 change was heard." in " ".join(said(boss, boss.post(f"{URL}crm/ask/")))
    assert "Nothing has changed there." in " ".join(said(boss, boss.post(f"{URL}crm/ask/")))
    assert boss.post(f"{URL}nobody/ask/").status_code == 404


def test_the_orders_page_shows_who_has_it(boss, crm):
    export, order = refused(crm)
    page = text_of(boss.get(f"/dashboard/orders/{order.number}/"))
    assert "Our CRM: Order" in page
    assert f"{URL}exports/{export.pk}/again/" in page
    other = Client()
    other.force_login(factories.staff_user("view_orderfulfillment"))
    page = text_of(other.get(f"/dashboard/orders/{order.number}/"))
    assert "Our CRM: Order" in page
    assert f"{URL}exports/{export.pk}/again/" not in page


def test_an_order_of_a_shop_without_other_systems_has_no_panel(client):
    client.force_login(factories.staff_user("view_orderfulfillment", "manage_connectors"))
    with configured():
        order = factories.placed_order()
        assert 'id="systems"' not in text_of(client.get(f"/dashboard/orders/{order.number}/"))
    assert not OutboundMessage.objects.filter(destination__startswith="connector:").exists()
