"""The to-do list over HTTP: who sees what, tabs, filters, pages, assigning and closing; the tile and the navigation."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.models import FollowUp, ProviderPayment, StatusChange
from oscar_fulfillment.services import followups, provider_payments
from oscar_fulfillment.test import factories

from ..integration.payments import begun, demo, held
from .steps import page_url, said, text_of

pytestmark = pytest.mark.django_db

URL = "/dashboard/orders/list/follow-ups/"


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna")
    client.force_login(user)
    return user


def opened(order=None, kind=followups.CALL, days=0, **fields):
    key = f"k{FollowUp.objects.count()}"
    followups.open_followup(
        kind=kind, key=key, fulfillment_id=order.pk if order else None,
        due_at=timezone.now() + timedelta(days=days), **fields,
    )  # fmt: skip
    return FollowUp.objects.get(key=key)


def partner_user(*orders):
    user = factories.staff_user("manage_followups")
    user.is_staff = False
    user.save()
    user.user_permissions.add(get_model("auth", "Permission").objects.get(codename="dashboard_access"))
    for order in orders:
        order.lines.get().partner.users.add(user)
    return user


def shown(response):
    return [item["row"].key for item in response.context["rows"]]


def one(followup, name="order-followup"):
    return reverse(f"dashboard:{name}", kwargs={"pk": followup.pk})


@pytest.mark.feature("Z7")
def test_the_tabs_hold_what_they_say(client, boss):
    order = factories.placed_order()
    due, coming, mine = opened(order, days=-1), opened(order, days=2), opened(order, days=1)
    done = opened(order)
    followups.assign_followup(followup=mine, actor=factories.TEAM, assignee=boss)
    followups.close_followup(followup=done, actor=factories.TEAM, outcome="reached", note="Pays tomorrow")
    response = client.get(URL)
    assert shown(response) == [due.key, mine.key, coming.key]
    assert {tab["name"]: tab["count"] for tab in response.context["tabs"]} == {
        "open": "3", "mine": "1", "overdue": "1", "closed": "1",
    }  # fmt: skip
    assert shown(client.get(URL, {"tab": "mine"})) == [mine.key]
    assert shown(client.get(URL, {"tab": "overdue"})) == [due.key]
    closed = client.get(URL, {"tab": "closed"})
    assert shown(closed) == [done.key]
    assert "Customer reached" in text_of(closed)
    assert "Pays tomorrow" in text_of(closed)


def test_filters_and_search(client, boss):
    first, second = factories.placed_order(number="A-100"), factories.placed_order(number="B-200")
    call, late = opened(first), opened(second, followups.LATE_MONEY, data={"amount": "20", "currency": "BRL"})
    assert shown(client.get(URL, {"kind": "late_money"})) == [late.key]
    assert shown(client.get(URL, {"q": "#A-1"})) == [call.key]
    empty = client.get(URL, {"q": "C"})
    assert shown(empty) == []
    assert "No follow-up is like this." in text_of(empty)
    assert f'href="{URL}"' in empty.content.decode()


@pytest.mark.parametrize(
    ("tab", "words"),
    [("", "Nothing to do."), ("mine", "Nothing is assigned to you."), ("overdue", "Nothing is due."),
     ("closed", "Nothing was closed yet.")],
)  # fmt: skip
def test_an_empty_tab_says_what_it_is_for(tab, words, client, boss):
    assert words in text_of(client.get(URL, {"tab": tab}))


@pytest.mark.parametrize(
    "params",
    [{"tab": "magic"}, {"kind": "magic"}, {"after": "x"}, {"before": "9" * 40}, {"q": "x" * 200}, {"q": "a\x00b"},
     {"after": "-99999999999999999-1"}],
)  # fmt: skip
def test_a_damaged_address_is_told(params, client, boss):
    response = client.get(URL, params)
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()


@pytest.mark.parametrize("tab", ["open", "closed"])
def test_pages_of_fifty_go_there_and_back(tab, client, boss, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "CAPPED_COUNT": 100}
    now = timezone.now()
    closed = {"closed_at": now, "outcome": "done"} if tab == "closed" else {}
    # Ties too: the same moment for all of them.
    FollowUp.objects.bulk_create(
        FollowUp(kind="call", key=f"k{n:03}", due_at=now, opened_at=now, **closed) for n in range(120)
    )
    seen, url, pages = [], f"{URL}?tab={tab}", []
    while url:
        response = client.get(url)
        assert response.status_code == 200
        pages.append(shown(response))
        seen += pages[-1]
        url = response.context["next_url"] and URL + response.context["next_url"]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert sorted(seen) == sorted(f"k{n:03}" for n in range(120))
    back = client.get(URL + response.context["previous_url"])
    assert shown(back) == pages[1]
    assert shown(client.get(URL + back.context["previous_url"])) == pages[0]
    assert {t["name"]: t["count"] for t in response.context["tabs"]}[tab] == "100+"


def test_the_list_costs_the_same_whatever_its_rows(client, boss):
    order = factories.placed_order()
    counts = []
    for more in (1, 30):
        for _number in range(more):
            opened(order, followups.LATE_MONEY, data={"amount": "20", "currency": "BRL"})
        client.get(URL)
        with CaptureQueriesContext(connection) as queries:
            client.get(URL)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[1] <= 8, "\n".join(query["sql"][:150] for query in queries)


# ---- Who ----


@pytest.mark.feature("Z2")
def test_the_permission_opens_the_list(client):
    found = opened(factories.placed_order())
    for user, status in ((None, 302), (factories.staff_user("view_order"), 403)):
        if user:
            client.force_login(user)
        for url in (URL, one(found)):
            assert client.get(url).status_code == status
        for name in ("order-followup-assign", "order-followup-close"):
            assert client.post(one(found, name), {"outcome": "done", "assignee": "me"}).status_code == status
    found.refresh_from_db()
    assert (found.closed_at, found.assignee) == (None, None)
    client.force_login(factories.staff_user("manage_followups"))
    assert client.get(URL).status_code == 200
    assert client.get(one(found)).status_code == 200


@pytest.mark.feature("Z2")
def test_a_partners_people_see_those_of_their_orders(client):
    mine = factories.placed_order(lines=[(factories.product(partner="Potter"), 1)])
    other = factories.placed_order()
    own, foreign, nobodys = opened(mine), opened(other), opened(kind=followups.UNKNOWN_PAYMENT)
    client.force_login(partner_user(mine))
    response = client.get(URL)
    assert shown(response) == [own.key]
    assert response.context["tabs"][0]["count"] == "1"
    for hidden in (foreign, nobodys):
        assert client.get(one(hidden)).status_code == 404
        assert client.post(one(hidden, "order-followup-close"), {"outcome": "done"}).status_code == 404
    assert client.post(one(own, "order-followup-assign"), {"assignee": "me"}).status_code == 403
    assert client.post(one(own, "order-followup-close"), {"outcome": "done"}).status_code == 302
    assert FollowUp.objects.filter(closed_at=None).count() == 2


# ---- Working them ----


@pytest.mark.feature("Z7")
def test_take_it_give_it_and_give_it_back(client, boss):
    order, ana = factories.placed_order(), factories.staff_user(first_name="Ana")
    found = opened(order)
    url = one(found, "order-followup-assign")
    assert said(client, client.post(url, {"assignee": "me", "next": f"{URL}?tab=overdue"})) == [
        "The follow-up is Bruna's now."
    ]
    assert client.post(url, {"assignee": "me", "next": f"{URL}?tab=overdue"}).url == f"{URL}?tab=overdue"
    assert f'value="{ana.pk}"' in client.get(one(found)).content.decode()
    assert said(client, client.post(url, {"assignee": str(ana.pk)})) == ["The follow-up is Ana's now."]
    found.refresh_from_db()
    assert found.assignee == ana
    assert said(client, client.post(url, {"assignee": ""})) == ["The follow-up is nobody's again."]
    row = StatusChange.objects.filter(fulfillment=order.pk, action="assign_followup").order_by("sequence")[2]
    assert row.data["to"] == "Ana"
    assert "<dt>Assigned to</dt><dd>Ana</dd>" in text_of(client.get(page_url(order)))


@pytest.mark.parametrize("assignee", ["x", "999999", "9" * 40, "-1", "٣", "customer"])
def test_nonsense_gets_no_work(assignee, client, boss):
    found = opened(factories.placed_order())
    if assignee == "customer":
        buyer = factories.get_user_model().objects.create_user("cora", "cora@example.com", "x")
        assignee = str(buyer.pk)
    response = client.post(one(found, "order-followup-assign"), {"assignee": assignee})
    assert response.status_code == 422
    assert "Choose a member of staff." in text_of(response)


@pytest.mark.feature("Z7")
def test_closing_with_an_outcome(client, boss):
    order = factories.placed_order()
    found = opened(order)
    data = {"outcome": "reached", "note": "Pays tomorrow", "next": "order"}
    response = client.post(one(found, "order-followup-close"), data)
    assert response.url == page_url(order)
    found.refresh_from_db()
    assert (found.outcome, found.outcome_note, found.closed_by_label) == ("reached", "Pays tomorrow", "Bruna")
    text = text_of(client.get(page_url(order)))
    assert "To do for this order" not in text
    assert "<dt>What came of it</dt><dd>Customer reached</dd>" in text
    second = client.post(one(found, "order-followup-close"), data)
    assert second.status_code == 409
    assert "Somebody has closed this follow-up already." in text_of(second)


@pytest.mark.parametrize(
    "typed",
    [{"outcome": ""}, {"outcome": "magic"}, {"outcome": "done", "note": "x" * 5000},
     {"outcome": "done", "note": "a\x07b"}],
)  # fmt: skip
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(typed, client, boss):
    found = opened(factories.placed_order())
    response = client.post(one(found, "order-followup-close"), {"note": "He was not at home", **typed})
    assert response.status_code == 422
    assert typed.get("note", "He was not at home")[:50] in response.content.decode()
    found.refresh_from_db()
    assert found.closed_at is None


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/admin/", f"{URL}?\r\nX: 1", "order"]
)
def test_the_way_back_is_never_elsewhere(elsewhere, client, boss):
    found = opened(kind=followups.UNKNOWN_PAYMENT)
    data = {"outcome": "done", "next": elsewhere}
    assert client.post(one(found, "order-followup-close"), data).url == URL


def test_a_payment_of_nobody_is_shown_with_what_the_provider_says(client, boss):
    provider = demo()
    order, payment, provider = begun()
    ProviderPayment.objects.filter(pk=payment.pk).delete()
    provider.pay(payment.reference)
    provider_payments.process_notification(provider="demo", external_id="P1", reference="")
    found = FollowUp.objects.get(kind="unknown_payment")
    for response in (client.get(URL), client.get(one(found))):
        text = text_of(response)
        for words in ("Demo pay has a payment of R$20.00", "P1", payment.reference, "Charged", "No order"):
            assert words in text, words
    assert client.post(one(found, "order-followup-close"), {"outcome": "refunded"}).status_code == 302


@pytest.mark.parametrize("kind", followups.KINDS)
@pytest.mark.parametrize("data", [{}, {"amount": "x", "currency": "??", "what": 7}, None, [1]])
def test_every_kind_reads_well_and_damaged_facts_break_nothing(kind, data, client, boss):
    order = factories.placed_order()
    found = opened(order, kind)
    FollowUp.objects.filter(pk=found.pk).update(data=data if data is not None else "text")
    for url in (URL, one(found), page_url(order)):
        response = client.get(url)
        assert response.status_code == 200
        assert str(followups.KINDS[kind]) in response.content.decode().replace("&#x27;", "'")
    for way in re.findall(r'class="ff-ways">(.*?)</div>', client.get(one(found)).content.decode(), re.S):
        for url in re.findall(r'href="([^"]+)"', way):
            assert client.get(url).status_code == 200


def test_a_way_is_offered_only_to_who_may_take_it(client):
    order, _payment, _provider = held()
    opened(order, followups.HOLD_ENDS, data={"amount": "20", "currency": "BRL", "provider": "demo"})
    client.force_login(factories.staff_user("view_order", "manage_followups"))
    assert "Give it back" not in text_of(client.get(page_url(order)))
    client.force_login(factories.staff_user("view_order", "manage_followups", "capture_payment"))
    assert "Give it back" in text_of(client.get(page_url(order)))


# ---- The ways there ----


def test_the_navigation_leads_there_for_those_who_work_it(client):
    client.force_login(factories.staff_user("manage_followups", "view_order"))
    assert f'href="{URL}"' in client.get("/dashboard/").content.decode()
    client.force_login(factories.staff_user("view_order"))
    assert f'href="{URL}"' not in client.get("/dashboard/").content.decode()


def test_a_shop_that_leaves_the_page_out_has_no_link_to_it(client, boss, settings):
    from oscar_fulfillment.defaults import _may_open

    assert _may_open(boss, "dashboard:order-followups") is True
    assert _may_open(boss, "dashboard:no-such-page") is False


def test_who_is_to_be_called_is_one_click_away(client, boss):
    order = factories.placed_order(shipping_address=factories.address(phone_number="+5511987654321"))
    text = text_of(client.get(one(opened(order))))
    assert 'href="tel:+5511987654321"' in text
    assert 'href="mailto:ana@example.com"' in text


@pytest.mark.feature("D2")
def test_the_front_page_counts_what_is_due(client, boss):
    order = factories.placed_order()
    page = client.get("/dashboard/").content.decode()
    assert re.search(rf'href="{URL}" [^>]*><strong>0</strong> Follow-ups due', page)
    opened(order, days=-1)
    opened(order, days=1)
    page = client.get("/dashboard/").content.decode()
    assert re.search(rf'href="{re.escape(URL)}\?tab=overdue" [^>]*><strong>1</strong> Follow-ups due', page)
    client.force_login(factories.staff_user("view_order"))
    assert "Follow-ups due" not in client.get("/dashboard/").content.decode()
