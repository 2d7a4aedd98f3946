"""The page "Edit the order": by its form without a script, by its JSON endpoint, and what it refuses."""

import json
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import translation
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import OrderDraft, OrderFulfillment, OutboundMessage, StatusChange
from oscar_fulfillment.orders_dashboard.edit_input import money
from oscar_fulfillment.services import editing, holds, payments, release
from oscar_fulfillment.services.edit_wanted import Wanted
from oscar_fulfillment.test import factories
from tests.integration import payments as pay

from .steps import page_url, said, take, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("E2")]


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna")
    client.force_login(user)
    return user


@pytest.fixture
def goods(db):
    return [
        factories.product("Mug", "10.00", sku="MUG"),
        factories.product("Plate", "7.50", sku="PLATE"),
        factories.product("Bowl", "4.25", sku="BOWL", stock=5),
    ]


@pytest.fixture
def order(goods):
    return factories.placed_order(lines=[(goods[0], 2), (goods[1], 1)])


def edit_url(order):
    return page_url(order, "order-edit")


def form(client, order, **typed):
    """What a browser would send from the page as it is."""
    response = client.get(edit_url(order))
    assert response.status_code == 200
    page = response.context["page"]
    found = {"version": response.context["fulfillment"].version, "key": response.context["key"], "was": page.was,
             "shipping": page.carrying, "charge": page.charge, "reason": "", "notify": "yes", "q": ""}  # fmt: skip
    found |= {row.key: row.value for row in page.rows}
    if page.looked:
        found["seen"] = str(page.looked.quote.total)
    return {**found, **typed}


def keys(order):
    return {line.title: f"line-{line.pk}" for line in order.lines.all()}


def quantities(order):
    return dict(order.lines.values_list("title", "quantity"))


def total(order):
    return get_model("order", "Order").objects.get(pk=order.pk).total_incl_tax


def world():
    return (
        list(OrderFulfillment.objects.order_by("pk").values()),
        StatusChange.objects.count(),
        list(get_model("order", "Line").objects.order_by("pk").values()),
        list(get_model("order", "Order").objects.order_by("pk").values()),
        OutboundMessage.objects.count(),
        list(get_model("partner", "StockRecord").objects.order_by("pk").values_list("num_in_stock", "num_allocated")),
    )


def test_the_whole_way_without_a_script(client, boss, order, goods):
    assert "Edit the order" in text_of(client.get(page_url(order)))
    mug = keys(order)["Mug"]
    before = world()

    response = client.post(edit_url(order), form(client, order, **{mug: "1"}, do="recalculate"))
    assert (response.status_code, response.url) == (302, f"{edit_url(order)}#sums")
    assert world() == before
    page = client.get(edit_url(order)).context["page"]
    assert page.looked.quote.difference == Decimal("-10.00")
    assert page.can_apply

    response = client.post(edit_url(order), form(client, order, do="search", q="bow"))
    assert response.url == f"{edit_url(order)}?q=bow#add"
    response = client.get(response.url.partition("#")[0])
    assert "Bowl" in text_of(response)
    (found,) = response.context["page"].found
    assert (found.sku, found.price, found.free) == ("BOWL", Decimal("4.25"), 5)

    client.post(edit_url(order), form(client, order, add=str(found.record)))
    new = f"new-{found.record}"
    client.post(edit_url(order), form(client, order, **{new: "3"}, do="recalculate"))
    client.post(edit_url(order), form(client, order, drop=keys(order)["Plate"]))
    page = client.get(edit_url(order)).context["page"]
    assert [(row.title, row.value, row.was) for row in page.rows] == [
        ("Mug", "1", 2),
        ("Plate", "0", 1),
        ("Bowl", "3", 0),
    ]
    assert world() == before

    sent = form(client, order, do="apply", reason="She called")
    assert said(client, client.post(edit_url(order), sent)) == ["Order edited: done."]
    assert quantities(order) == {"Mug": 1, "Bowl": 3}
    assert total(order) == Decimal("22.75")
    assert OrderDraft.objects.get().status == "applied"
    # The same form again: its first result, and no second edit.
    assert said(client, client.post(edit_url(order), sent)) == ["Order edited: done."]
    assert StatusChange.objects.filter(action="edit_order").count() == 1
    assert not OrderDraft.objects.filter(status="open").exists()

    text = text_of(client.get(page_url(order)))
    for words in ("Order edited", "She called", "2 → 1", "taken away: 1", "added: 3", "Take the last edit back",
                  "2 × Mug, 1 × Plate", "1 × Mug, 3 × Bowl"):  # fmt: skip
        assert words in text, words


def test_taking_the_last_edit_back(client, boss, order):
    line = order.lines.get(title="Mug")
    editing.apply_edit(order=order, actor=factories.TEAM, wanted=Wanted({line.pk: 0}))
    url = page_url(order, "order-edit-revert")
    response = client.get(url)
    assert "Mug: 0 → 2" in text_of(response)
    assert "27.50 again" in text_of(response)
    panel = response.context["panel"]["form"]
    data = {field.html_name: field.value() for field in panel if field.value() is not None}
    assert said(client, client.post(url, data)) == ["Edit taken back: done."]
    assert quantities(order) == {"Mug": 2, "Plate": 1}
    assert "Take the last edit back" not in text_of(client.get(page_url(order)))
    response = client.get(url)
    assert "was not edited, or all of it was taken back" in text_of(response)
    data |= {"version": OrderFulfillment.objects.get().version, "key": "another-key-1"}
    assert client.post(url, data).status_code == 409


def test_no_mail_when_the_person_says_so(client, boss, order):
    client.post(edit_url(order), form(client, order, **{keys(order)["Mug"]: "1"}, do="recalculate"))
    client.post(edit_url(order), form(client, order, do="apply", notify="no"))
    assert quantities(order)["Mug"] == 1
    assert not OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_EDITED").exists()


def test_what_was_not_looked_at_is_not_applied(client, boss, order):
    mug = keys(order)["Mug"]
    response = client.post(edit_url(order), form(client, order, **{mug: "9"}, do="apply"))
    assert response.status_code == 409
    assert "not R$27.50" in text_of(response).replace("\xa0", "")
    assert quantities(order)["Mug"] == 2
    assert OrderDraft.objects.get().wanted["quantities"] == {mug.partition("-")[2]: 9}
    response = client.post(edit_url(order), form(client, order, do="apply"))
    assert response.status_code == 302
    assert quantities(order)["Mug"] == 9


@pytest.mark.parametrize("typed", ["", "-1", "abc", "1.5", "10001", "9" * 5000, "٣٣٣٣٣٣", "\x00", "1e3"])
def test_wrong_quantities_are_said_at_their_field_and_the_rest_is_kept(typed, client, boss, order):
    names = keys(order)
    data = form(client, order, **{names["Mug"]: typed, names["Plate"]: "4"})
    before = world()
    for do in ("recalculate", "apply"):
        response = client.post(edit_url(order), {**data, "do": do})
        assert response.status_code == 422
        rows = {row.title: row for row in response.context["page"].rows}
        assert str(rows["Mug"].errors[0]) == "Enter a number between 0 and 10000."
        assert rows["Mug"].value == typed[:20]
        assert rows["Plate"].value == "4"
        assert not response.context["page"].can_apply
    assert world() == before
    assert OrderDraft.objects.get().wanted["quantities"] == {names["Plate"].partition("-")[2]: 4}


@pytest.mark.parametrize(
    ("language", "text", "read"),
    [("en-gb", "4.90", "4.90"), ("pt", "4,90", "4.90"), ("pt", "4.90", "4.90"), ("fr", "12", "12.00"),
     ("pt", "1.234", None), ("en-gb", "4,90", None), ("ru", "1 234", None)],
)  # fmt: skip
def test_sums_as_people_write_them(language, text, read):
    with translation.override(language):
        assert money(text) == (None if read is None else Decimal(read))


@pytest.mark.parametrize("charge", ["", "-1", "abc", "NaN", "1e99", "9" * 30])
def test_wrong_charges(charge, client, boss, order):
    response = client.post(edit_url(order), form(client, order, shipping="charge", charge=charge))
    assert response.status_code == 422
    assert "Enter a sum of zero or more." in text_of(response)
    assert response.context["page"].carrying == "charge"


def test_shipping_by_hand_and_by_an_unknown_method(client, boss, order):
    response = client.post(edit_url(order), form(client, order, shipping="method:by-drone"))
    assert response.status_code == 422
    assert "not offered" in text_of(response)
    OrderDraft.objects.all().delete()
    client.post(edit_url(order), form(client, order, shipping="charge", charge="4.90"))
    page = client.get(edit_url(order)).context["page"]
    assert page.looked.quote.total == Decimal("32.40")
    client.post(edit_url(order), form(client, order, do="apply"))
    assert total(order) == Decimal("32.40")


def test_foreign_lines_and_unknown_products_change_nothing(client, boss, order, goods):
    other = factories.placed_order(lines=[(goods[2], 2)])
    foreign = f"line-{other.lines.get().pk}"
    before = world()
    response = client.post(edit_url(order), form(client, order, **{foreign: "1"}, do="apply"))
    assert response.status_code == 422
    assert "does not belong to this order" in text_of(response)
    assert client.post(edit_url(order), form(client, order, add="987654")).status_code == 422
    assert client.post(edit_url(order), form(client, order, add="x" * 50)).status_code == 302
    assert client.post(edit_url(order), form(client, order, drop="nonsense")).status_code == 302
    assert world() == before


def test_nobody_is_left_without_goods(client, boss, order):
    names = keys(order)
    response = client.post(edit_url(order), form(client, order, **dict.fromkeys(names.values(), "0")))
    assert response.status_code == 422
    assert "cancel it" in text_of(response)


def test_what_lacks_is_named_and_cannot_be_applied(client, boss, goods):
    order = factories.placed_order(lines=[(goods[2], 1)])
    (key,) = keys(order).values()
    client.post(edit_url(order), form(client, order, **{key: "7"}))
    response = client.get(edit_url(order))
    assert "2 not in stock" in text_of(response)
    assert "Not enough in stock: Bowl (2 missing)." in text_of(response)
    before = world()
    response = client.post(edit_url(order), form(client, order, do="apply"))
    assert response.status_code == 409
    assert world() == before


def test_above_the_held_sum(client, boss, goods):
    order, _payment, _provider = pay.held(lines=[(goods[0], 2)])
    (key,) = keys(order).values()
    client.post(edit_url(order), form(client, order, **{key: "3"}))
    response = client.get(edit_url(order))
    assert "Above the held sum" in text_of(response)
    assert not response.context["page"].can_apply
    assert client.post(edit_url(order), form(client, order, do="apply")).status_code == 409
    assert total(order) == Decimal("20.00")
    client.post(edit_url(order), form(client, order, **{key: "1"}))
    assert "Not charged" in text_of(client.get(edit_url(order)))
    assert client.post(edit_url(order), form(client, order, do="apply")).status_code == 302
    assert total(order) == Decimal("10.00")


# ---- Two people ----


def test_two_people_at_one_order_lose_nothing(client, boss, order):
    names = keys(order)
    mine = form(client, order, **{names["Mug"]: "5"}, do="apply", seen="57.50")
    other = factories.staff_user("edit_order", first_name="Otto")
    editing.apply_edit(order=order, actor=Actor.from_user(other), wanted=Wanted({int(names["Plate"][5:]): 3}))
    response = client.post(edit_url(order), mine)
    assert response.status_code == 409
    text = text_of(response)
    assert "Otto edited the order" in text
    assert "nothing is lost" in text
    rows = {row.title: row.value for row in response.context["page"].rows}
    assert rows == {"Mug": "5", "Plate": "3"}
    assert quantities(order) == {"Mug": 2, "Plate": 3}
    # Seen, and applied on top of what the other one did.
    assert client.post(edit_url(order), form(client, order, do="apply")).status_code == 302
    assert quantities(order) == {"Mug": 5, "Plate": 3}


def test_a_draft_says_who_else_has_one_and_what_happened_meanwhile(client, boss, order):
    names = keys(order)
    client.post(edit_url(order), form(client, order, **{names["Mug"]: "5"}))
    otto = factories.staff_user("edit_order", "view_order", "view_orderfulfillment", first_name="Otto")
    client.force_login(otto)
    response = client.get(edit_url(order))
    assert "Bruna is preparing a change of this order too" in text_of(response)
    assert {row.title: row.value for row in response.context["page"].rows} == {"Mug": "2", "Plate": "1"}
    client.post(edit_url(order), form(client, order, **{names["Plate"]: "0"}))
    client.post(edit_url(order), form(client, order, do="apply"))
    assert quantities(order) == {"Mug": 2}
    client.force_login(boss)
    text = text_of(client.get(edit_url(order)))
    assert "The order has changed since you looked at it." in text
    assert "Otto edited the order" in text


def test_a_line_that_the_other_took_away_leaves_the_draft_with_a_word(client, boss, order):
    names = keys(order)
    client.post(edit_url(order), form(client, order, **{names["Mug"]: "5", names["Plate"]: "2"}))
    editing.apply_edit(order=order, actor=factories.TEAM, wanted=Wanted({int(names["Plate"][5:]): 0}))
    response = client.get(edit_url(order))
    assert "A line that your draft changed is no longer in the order." in text_of(response)
    assert {row.title: row.value for row in response.context["page"].rows} == {"Mug": "5"}
    assert client.post(edit_url(order), form(client, order, do="apply")).status_code == 302
    assert quantities(order) == {"Mug": 5}


def test_an_order_that_was_released_meanwhile_keeps_the_draft(client, boss, order):
    names = keys(order)
    sent = form(client, order, **{names["Mug"]: "5"}, do="apply", seen="57.50")
    payments.approve_payment(order=order, actor=factories.TEAM)
    release.release_order(order=order, actor=factories.TEAM)
    response = client.post(edit_url(order), sent)
    assert response.status_code == 409
    assert "Mug: 2 → 5" in text_of(response)
    assert "released already" in text_of(response)
    assert quantities(order)["Mug"] == 2
    assert OrderDraft.objects.get().status == "open"


def test_a_draft_is_thrown_away(client, boss, order):
    client.post(edit_url(order), form(client, order, **{keys(order)["Mug"]: "5"}))
    assert "Go on editing the order" in text_of(client.get(page_url(order)))
    assert said(client, client.post(edit_url(order), form(client, order, do="discard")))
    assert {row.title: row.value for row in client.get(edit_url(order)).context["page"].rows} == {
        "Mug": "2", "Plate": "1",
    }  # fmt: skip
    assert "Go on editing" not in text_of(client.get(page_url(order)))


# ---- The button on the order page ----


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (factories.paid_order, "The money for this order has been taken."),
        (factories.released_order, "Goods of this order are released already."),
    ],
)
def test_the_button_says_why_not(make, words, client, boss):
    order = make()
    text = text_of(client.get(page_url(order)))
    assert 'aria-describedby="why-edit_order"' in text
    assert words in text
    assert words in text_of(client.get(edit_url(order)))


@pytest.mark.parametrize("make", [factories.dispatched_order, factories.cancelled_order])
def test_no_button_once_nothing_waits(make, client, boss):
    assert "edit_order" not in text_of(client.get(page_url(make())))


def test_an_order_on_hold_may_be_edited(client, boss, order):
    holds.place_hold(order=order, actor=factories.TEAM, code="customer_asked")
    assert client.get(edit_url(order)).context["refusal"] is None


def test_who_may(client, order):
    urls = [edit_url(order), page_url(order, "order-edit-revert")]
    price = page_url(order, "order-edit-price")
    for url in urls:
        assert client.get(url).status_code == 302  # to the login
    client.force_login(factories.staff_user("view_order", "view_orderfulfillment"))
    assert "You do not have the permission" in text_of(client.get(page_url(order)))
    before = world()
    for url in urls:
        assert client.get(url).status_code == 403
        assert client.post(url, {"do": "apply"}).status_code == 403
    assert client.post(price, {}).status_code == 403
    assert world() == before
    client.force_login(factories.staff_user("*"))
    for number in ("nope", "x" * 200):
        for name in ("order-edit", "order-edit-revert"):
            assert client.get(reverse(f"dashboard:{name}", kwargs={"number": number})).status_code == 404
    assert client.get(price).status_code == 405
    assert client.put(edit_url(order)).status_code == 405


# ---- JSON ----


def ask(client, order, **typed):
    response = client.post(page_url(order, "order-edit-price"), form(client, order, **typed))
    assert response.status_code == 200
    return json.loads(response.content)


def test_the_endpoint_reckons_and_keeps_the_draft(client, boss, order):
    names = keys(order)
    before = world()
    answer = ask(client, order, **{names["Mug"]: "1", names["Plate"]: "0"})
    assert (answer["total"], answer["difference"], answer["held"], answer["can_apply"]) == (
        "10.00", "-17.50", None, True,
    )  # fmt: skip
    assert answer["lines"][names["Plate"]]["gone"]
    assert 'id="ff-edit-summary"' in answer["summary"]
    assert 'value="10.00"' in answer["summary"]
    assert world() == before
    assert OrderDraft.objects.get().wanted["quantities"] == {names["Mug"][5:]: 1, names["Plate"][5:]: 0}


def test_the_endpoint_says_what_is_wrong(client, boss, goods):
    order, _payment, _provider = pay.held(lines=[(goods[0], 2), (goods[2], 1)])
    names = keys(order)
    answer = ask(client, order, **{names["Mug"]: "-3"})
    assert not answer["can_apply"]
    assert list(answer["errors"]) == [names["Mug"]]
    answer = ask(client, order, **{names["Bowl"]: "9"})
    assert answer["reasons"] == ["short", "above_hold"]
    assert (answer["held"], answer["room"]) == ("24.25", "-34.00")
    assert answer["lines"][names["Bowl"]]["missing_text"] == "4 not in stock"
    answer = ask(client, order, **dict.fromkeys(names.values(), "0"))
    assert (answer["total"], answer["can_apply"]) == (None, False)
    assert "cancel it" in answer["summary"]


def test_the_endpoint_tells_that_the_order_moved_on(client, boss, order):
    old = form(client, order)
    holds.place_hold(order=order, actor=factories.TEAM, code="fraud")
    response = client.post(page_url(order, "order-edit-price"), old)
    assert "put the order on hold" in response.json()["happened"][0]
    assert "put the order on hold" in response.json()["summary"]


def test_nothing_typed_becomes_markup(client, boss, goods):
    evil = factories.product("<script>alert(1)</script>", "3.00", sku="<b>")
    order = factories.placed_order(lines=[(goods[0], 2), (evil, 1)])
    client.post(edit_url(order), form(client, order, **{keys(order)["Mug"]: "1"}))
    client.post(edit_url(order), form(client, order, do="apply", reason="<i>why</i>"))
    for url in (edit_url(order), f"{edit_url(order)}?q=%3Cscript%3E", page_url(order)):
        text = client.get(url).content.decode()
        assert "<script>alert" not in text
        assert "<i>why" not in text
    assert "<script>alert" not in ask(client, order)["summary"]


@pytest.mark.parametrize("query", ["MUG", "mug", "upc", "Mu", "a b c d e f g", "%", "\x00", "x" * 3000, "'; --"])
def test_any_search_is_answered(query, client, boss, order):
    response = client.get(edit_url(order), {"q": query})
    assert response.status_code == 200


def test_a_draft_of_another_time_is_no_error(client, boss, order):
    for wanted in (
        {"quantities": {"x": 1}},
        {"added": {"987": 2}},
        {"quantities": {"9999999": 3}},
        [],
        {"shipping": 3},
    ):
        OrderDraft.objects.all().delete()
        OrderDraft.objects.create(
            fulfillment=order.fulfillment, author=boss, wanted=wanted, created_at=order.date_placed,
            updated_at=order.date_placed,
        )  # fmt: skip
        assert client.get(edit_url(order)).status_code == 200, wanted
        assert client.get(page_url(order)).status_code == 200


def test_cancelling_an_order_that_was_edited_frees_all_of_it(client, boss, order, goods):
    editing.apply_edit(order=order, actor=factories.TEAM, wanted=Wanted(added={goods[2].stockrecords.get().pk: 4}))
    response = take(client, order, "cancel", reason="No", notify="no")
    assert response.status_code == 302
    assert goods[2].stockrecords.get().num_allocated == 0
