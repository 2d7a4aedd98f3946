"""Returns in the dashboard: the list, the page of one with its steps, a new one; who may do what."""

import re
from decimal import Decimal

import pytest
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_fulfillment.models import CreditNote, OrderFulfillment, PaymentOperation, Return
from oscar_fulfillment.services import operation_runs, receipts, return_slips
from oscar_fulfillment.test import factories
from sandbox.sellers import SELLERS

from ..integration import returns as do
from ..integration.test_return_outcomes import paid_at_provider
from ..pdf import codes, words
from .steps import page_url, said, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D15")]

URL = "/dashboard/orders/list/returns/"
HOSTILE = '<script>alert("x")</script>'
STEPS = ["approve", "refuse", "cancel", "receive", "refund", "exchange", "close"]


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna")
    client.force_login(user)
    return user


def partner_user(*orders):
    user = factories.staff_user("work_returns")
    user.is_staff = False
    user.save()
    user.user_permissions.add(get_model("auth", "Permission").objects.get(codename="dashboard_access"))
    for order in orders:
        order.lines.get().partner.users.add(user)
    return user


def one(ret, step=""):
    return reverse(f"dashboard:order-return{'-' + step if step else ''}", kwargs={"pk": ret.pk})


def form_of(client, ret, step):
    response = client.get(one(ret))
    assert response.status_code == 200
    return next(each for each in response.context["steps"] if each["name"] == step)


def data_of(form, **typed):
    found = {}
    for field in form:
        value = field.value()
        if value is not None and value is not False:
            found[field.html_name] = str(value)
    return {**found, **typed}


def take(client, ret, step, **typed):
    return client.post(one(ret, step), data_of(form_of(client, ret, step)["form"], **typed))


def status(ret):
    return Return.objects.get(pk=ret.pk).status


# The whole way, by clicks


def test_from_the_customers_wish_to_the_refund_by_forms(client, boss):
    order = do.delivered()
    ret = do.by_customer(order, 2, note=HOSTILE)
    page = client.get(one(ret))
    assert HOSTILE not in page.content.decode()
    assert "&lt;script&gt;" in page.content.decode()
    assert [each["name"] for each in page.context["steps"] if each["is_open"]] == ["approve"]
    assert said(client, take(client, ret, "approve", answer="By post")) == [
        "The return is approved; its goods are awaited."
    ]
    pk = do.line(order).pk
    response = take(client, ret, "receive", **{f"restocked_{pk}": "1", f"damaged_{pk}": "1", f"note_{pk}": "Cracked"})
    assert said(client, response) == ["The goods are received. Decide now what comes of them."]
    page = client.get(one(ret))
    assert [each["name"] for each in page.context["steps"]] == ["refund", "exchange", "close"]
    form = page.context["steps"][0]["form"]
    assert str(form["amount"].value()) == "20.00"
    assert "They are worth CHF20.00. At most CHF30.00 can go back." in text_of(page)
    response = take(client, ret, "refund", amount="15.00")
    assert said(client, response) == ["The return is settled: CHF15.00 go back."]
    page = text_of(client.get(one(ret)))
    assert "paid back by hand" in page
    assert client.get(one(ret)).context["steps"] == []
    assert (do.payment(order), do.stock_of(order)) == ("partially_refunded", (18, 0))
    order_page = text_of(client.get(page_url(order)))
    for part in ("2 returned", "3 delivered", "Return 1", "1 back in stock, 1 damaged", "Settled"):
        assert part in order_page


def test_the_provider_is_asked_at_once_and_its_answer_shown(client, boss):
    order, payment, provider = paid_at_provider()
    ret = do.received(order, 1)
    response = take(client, ret, "refund")
    assert said(client, response) == ["CHF10.00 refunded."]
    assert PaymentOperation.objects.get().status == "done"
    assert 'data-refund="done"' in client.get(one(ret)).content.decode()
    ret = do.received(order, 1)
    provider.refuse("The card is closed")
    assert said(client, take(client, ret, "refund")) == ["The provider said no: The card is closed"]
    page = client.get(one(ret)).content.decode()
    assert 'data-refund="refused"' in page
    assert "Pay it back another way" in page


def test_a_provider_that_is_down_is_asked_again_later(client, boss):
    order, _payment, provider = paid_at_provider()
    ret = do.received(order, 1)
    provider.go_down()
    assert "answer is pending" in said(client, take(client, ret, "refund"))[0]
    assert status(ret) == "settled"
    assert 'data-refund="requested"' in client.get(one(ret)).content.decode()
    operation_runs.run_operation(PaymentOperation.objects.get().pk)
    assert 'data-refund="done"' in client.get(one(ret)).content.decode()


def test_a_credit_note_is_one_of_the_ways(client, boss):
    ret = do.received(do.delivered(), 1)
    assert take(client, ret, "refund", way="credit").status_code == 302
    assert CreditNote.objects.get().number in text_of(client.get(one(ret)))


def test_an_exchange_leads_to_its_shipment(client, boss):
    order = do.delivered()
    ret = do.received(order, 1, wants="exchange")
    assert form_of(client, ret, "exchange")["is_open"]
    assert said(client, take(client, ret, "exchange"))[0].startswith("The return is settled: its goods are prepared")
    assert "#shipment-2" in client.get(one(ret)).content.decode()
    assert do.shipping(order) == "partially_dispatched"


def test_what_is_short_or_unpaid_says_so_before_anyone_clicks(client, boss):
    order = do.delivered()
    ret = do.received(order, 0, 1)
    do.line(order).stockrecord.__class__.objects.update(num_in_stock=0)
    assert "Not enough in stock: Mug (1 missing)" in text_of(client.get(one(ret)))
    assert form_of(client, ret, "exchange")["refused"][0].code == "short"
    assert client.post(one(ret, "exchange"), data_of(form_of(client, ret, "exchange")["form"])).status_code == 409
    assert status(ret) == "received"
    receipts.note_refund(order=order, actor=do.TEAM, amount=Decimal(30), reason="By phone")
    assert [reason.code for reason in form_of(client, ret, "refund")["refused"]] == ["nothing_in"]
    assert "All money of this order has gone back already" in text_of(client.get(one(ret)))


def test_refused_and_cancelled_returns_show_why(client, boss):
    order = do.delivered()
    ret = do.ask(order)
    assert said(client, take(client, ret, "refuse", reason="Worn out")) == ["The return is refused."]
    assert "Worn out" in text_of(client.get(one(ret)))
    ret = do.ask(order)
    assert said(client, take(client, ret, "cancel", reason="")) == ["The return is cancelled."]


# A new one


def new_data(client, order, **typed):
    response = client.get(page_url(order, "order-return-new"))
    assert response.status_code == 200
    return data_of(response.context["form"], **typed)


@pytest.mark.parametrize(
    ("state", "becomes", "mails"),
    [
        ("approved", "approved", ["RETURN_APPROVED"]),
        ("requested", "requested", ["RETURN_REQUESTED"]),
        ("here", "approved", []),
    ],
)
def test_staff_write_a_return_down(state, becomes, mails, client, boss):
    order = do.delivered(("Mug", "10.00", 3), ("Plate", "5.00", 1))
    pk = do.line(order).pk
    data = new_data(client, order, state=state, wants="exchange", note="By phone")
    response = client.post(
        page_url(order, "order-return-new"), {**data, f"units_{pk}": "2", f"reason_{pk}": "defective"}
    )
    ret = Return.objects.get()
    assert response["Location"] == one(ret)
    assert (ret.status, ret.wants, ret.staff_note) == (becomes, "exchange", "By phone")
    assert [(each.line_id, each.quantity, each.reason) for each in ret.lines.all()] == [(pk, 2, "defective")]
    assert do.mails(order) == mails
    again = client.post(page_url(order, "order-return-new"), {**data, f"units_{pk}": "2", f"reason_{pk}": "defective"})
    assert again["Location"] == one(ret)
    assert Return.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "Choose at least one unit."),
        ({"units": "4"}, "At most 3 of “Mug” can come back."),
        ({"units": "-1"}, "greater than or equal to 0"),
        ({"units": "x"}, "Enter a whole number."),
        ({"units": "9" * 30}, "less than or equal to"),
        ({"units": "1", "reason": "magic"}, "Select a valid choice."),
        ({"units": "1", "wants": "magic"}, "Select a valid choice."),
        ({"units": "1", "state": "magic"}, "Select a valid choice."),
        ({"units": "1", "note": "x" * 4001}, "At most 4,000 characters."),
        ({"units": "1", "key": "x"}, "This form was not complete."),
    ],
)
def test_what_is_wrong_in_a_new_return_is_told_and_what_was_typed_stays(typed, words, client, boss):
    order = do.delivered()
    pk = do.line(order).pk
    renamed = {f"{name}_{pk}" if name in ("units", "reason") else name: value for name, value in typed.items()}
    response = client.post(page_url(order, "order-return-new"), new_data(client, order, **renamed))
    assert response.status_code == 422
    assert words in text_of(response).replace("4000", "4,000")
    assert not Return.objects.exists()
    if typed.get("units") == "4":
        assert 'value="4"' in response.content.decode()


def test_an_order_of_which_nothing_can_come_back_says_so(client, boss):
    order = factories.paid_order()
    page = client.get(page_url(order, "order-return-new"))
    assert "Nothing of this order can come back" in text_of(page)
    assert "order-return-new" not in client.get(page_url(order)).content.decode()
    assert 'id="returns"' not in client.get(page_url(order)).content.decode()


# The list


def test_the_tabs_hold_what_they_say_and_open_where_there_is_work(client, boss):
    order = do.delivered(("Mug", "10.00", 9))
    approved, received = do.approved(order), do.received(order)
    assert client.get(URL).context["tab"] == "awaited"
    asked, settled = do.ask(order), do.settle(do.received(order), "nothing", reason="Worn")
    response = client.get(URL)
    assert response.context["tab"] == "to-approve"
    assert {tab["name"]: tab["count"] for tab in response.context["tabs"]} == {
        "to-approve": "1", "awaited": "1", "to-settle": "1", "all": "4",
    }  # fmt: skip
    for tab, expected in {
        "to-approve": [asked], "awaited": [approved], "to-settle": [received], "all": [settled, asked, received, approved],
    }.items():  # fmt: skip
        assert [item["ret"] for item in client.get(URL, {"tab": tab}).context["rows"]] == expected


@pytest.mark.parametrize("tab", ["to-approve", "awaited", "to-settle", "all"])
def test_an_empty_tab_says_what_it_is_for(tab, client, boss):
    response = client.get(URL, {"tab": tab})
    assert 'class="ff-empty"' in response.content.decode()
    assert response.context["rows"] == []


def test_a_return_is_found_by_number_code_and_slip(client, boss):
    from oscar_fulfillment.documents import scan_codes

    first, second = do.delivered(number="A-100"), do.delivered(number="A-200")
    ret, other = do.approved(first), do.approved(second)
    Return.objects.filter(pk=ret.pk).update(tracking_code="RET-77")

    def found(text):
        return [item["ret"] for item in client.get(URL, {"q": text}).context["rows"]]

    assert found("A-") == [other, ret]
    shipment = first.fulfillment.shipments.get()
    for text in ("A-100", "#A-1", "a-100-R1" .upper(), "ret-77", scan_codes.return_code(ret.pk),
                 scan_codes.order_code(first.pk), scan_codes.shipment_code(shipment.pk)):  # fmt: skip
        assert found(text) == [ret], text
    for text in ("A-300", "R1", scan_codes.return_code(999), "%", "ret-7"):
        assert found(text) == [], text
    assert "No return is like this." in text_of(client.get(URL, {"q": "nobody"}))


@pytest.mark.parametrize(
    "params",
    [
        {"tab": "magic"},
        {"after": "x"},
        {"before": "9" * 40},
        {"q": "x" * 201},
        {"q": "a\x00b"},
        {"after": "-99999999999999999-1"},
    ],
)
def test_a_damaged_address_is_told(params, client, boss):
    response = client.get(URL, params)
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()


def test_pages_of_fifty_go_there_and_back(client, boss):
    order = do.delivered()
    ret = do.ask(order)
    Return.objects.bulk_create(
        Return(fulfillment_id=order.pk, number=n, created_at=ret.created_at) for n in range(2, 121)
    )
    seen, url, pages = [], f"{URL}?tab=to-approve", []
    while url:
        response = client.get(url)
        pages.append([item["ret"].pk for item in response.context["rows"]])
        seen += pages[-1]
        url = response.context["next_url"] and URL + response.context["next_url"]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert seen == sorted(Return.objects.values_list("pk", flat=True))
    back = client.get(URL + response.context["previous_url"])
    assert [item["ret"].pk for item in back.context["rows"]] == pages[1]


def test_the_pages_cost_the_same_whatever_their_rows(client, boss, django_assert_max_num_queries):
    order = do.delivered(("Mug", "10.00", 19))
    do.ask(order)
    client.get(URL)
    with django_assert_max_num_queries(9):
        client.get(URL)
    for _time in range(12):
        do.ask(order)
    with django_assert_max_num_queries(9):
        client.get(URL)
    ret = do.received(order, 1)
    with django_assert_max_num_queries(32):
        client.get(one(ret))


def test_the_front_page_counts_what_waits(client, boss):
    assert "Returns to work" in text_of(client.get("/dashboard/"))
    do.ask(do.delivered())
    page = client.get("/dashboard/").content.decode()
    assert re.search(r'href="/dashboard/orders/list/returns/"[^>]*><strong>1</strong>', page)


# Mistakes on a return's page


@pytest.mark.parametrize(
    ("step", "typed", "words"),
    [
        ("receive", {}, "Enter what has come back: at least one unit."),
        ("receive", {"restocked": "3"}, "3 received, but 2 announced."),
        ("receive", {"restocked": "x"}, "Enter a whole number."),
        ("receive", {"restocked": "1", "note": "x" * 501}, "At most 500 characters."),
        ("refund", {"amount": ""}, "This field is required."),
        ("refund", {"amount": "abc"}, "Enter a number."),
        ("refund", {"amount": "0"}, "Enter a sum above zero."),
        ("refund", {"amount": "30.01"}, "At most 30.00 CHF can go back."),
        ("refund", {"way": "magic"}, "Choose how it goes back."),
        ("close", {"reason": ""}, "This field is required."),
        ("refund", {"key": "x"}, "This form was not complete."),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nothing_is_done(step, typed, words, client, boss):
    order = do.delivered()
    ret = do.received(order, 1) if step != "receive" else do.approved(order, 2)
    pk = do.line(order).pk
    renamed = {f"{name}_{pk}" if step == "receive" and name != "key" else name: value for name, value in typed.items()}
    before = status(ret)
    response = take(client, ret, step, **renamed)
    assert response.status_code == 422
    assert words in text_of(response)
    assert next(each for each in response.context["steps"] if each["name"] == step)["is_open"]
    assert status(ret) == before


def test_a_stale_form_says_who_was_faster_and_keeps_what_was_typed(client, boss):
    order = do.delivered()
    ret = do.received(order, 1)
    data = data_of(form_of(client, ret, "close")["form"], reason="Used for months")
    do.settle(ret, amount="10.00")
    response = client.post(one(ret, "close"), data)
    assert response.status_code == 409
    text = text_of(response)
    assert "The order has changed since you looked at it." in text
    assert "Used for months" in text
    assert status(ret) == "settled"
    ret = do.received(order, 1)
    data = data_of(form_of(client, ret, "refund")["form"])
    do.ask(order)
    response = client.post(one(ret, "refund"), data)
    assert (response.status_code, status(ret)) == (409, "received")
    assert "asked to send goods back" in text_of(response)


def test_a_form_sent_twice_does_its_step_once(client, boss):
    order = do.delivered()
    ret = do.received(order, 1)
    data = data_of(form_of(client, ret, "refund")["form"])
    for _time in range(2):
        assert client.post(one(ret, "refund"), data).status_code == 302
    assert do.actions(order).count("settle_return") == 1


# The slip


def test_the_slip_holds_the_goods_and_the_code_that_finds_the_return(client, boss, settings):
    order = do.delivered(("#strong[Mug] <b>", "10.00", 3))
    ret = do.ask(order, 2, title="#strong[Mug] <b>", approve=True)
    assert "slip.pdf" not in client.get(one(ret)).content.decode()  # nobody says where to
    response = client.get(one(ret, "slip"))
    assert "cannot be made" in said(client, response)[0]
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS}
    assert one(ret, "slip") in client.get(one(ret)).content.decode()
    response = client.get(one(ret, "slip"))
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    text = words(response.content)
    for part in (order.number, "#strong[Mug] <b>", "Arrived damaged", "Ponto & Vírgula SA", "Lausanne", "Ana Souza"):
        assert part in text
    from oscar_fulfillment.selectors.returns import find_return

    found = codes(response.content)
    assert len(set(found)) == 1
    assert find_return(found[0]) == ret
    assert return_slips.filename(ret) == f"return-{order.number}-R1.pdf"


# Who may


@pytest.mark.parametrize("name", ["list", "page", "slip", "new", *STEPS])
def test_returns_need_their_permission(name, client):
    order = do.delivered()
    ret = do.received(order) if name in ("refund", "exchange", "close") else do.ask(order)
    url = {"list": URL, "page": one(ret), "new": page_url(order, "order-return-new")}.get(name) or one(ret, name)
    call = client.post if name in STEPS else client.get
    assert call(url).status_code == 302  # to the log-in
    others = {"work_returns"}
    everything = set(get_model("auth", "Permission").objects.filter(content_type__app_label="oscar_fulfillment").values_list("codename", flat=True))  # fmt: skip
    client.force_login(factories.staff_user("view_order", *(everything - others)))
    before = OrderFulfillment.objects.get(pk=order.pk).version
    assert call(url).status_code == 403
    customer = factories.get_user_model().objects.create_user("cora", "cora@example.com", "x")
    client.force_login(customer)
    assert call(url).status_code == 403
    assert OrderFulfillment.objects.get(pk=order.pk).version == before
    client.force_login(factories.staff_user("work_returns"))
    assert call(url).status_code in (200, 302, 422)


@pytest.mark.parametrize("name", ["page", "slip", "new", *STEPS])
def test_a_partners_people_work_the_returns_of_their_orders_and_no_others(name, client):
    mine = do.delivered(lines=[(factories.product("Mug", partner="Mine"), 2)])
    other = do.delivered(lines=[(factories.product("Mug", partner="Other"), 2)])
    client.force_login(partner_user(mine))
    own, foreign = do.ask(mine), do.ask(other)
    assert [item["ret"] for item in client.get(URL).context["rows"]] == [own]
    assert [item["ret"] for item in client.get(URL, {"q": other.number}).context["rows"]] == []
    call = client.post if name in STEPS else client.get
    for ret, order, allowed in ((own, mine, True), (foreign, other, False)):
        url = {"page": one(ret), "new": page_url(order, "order-return-new")}.get(name) or one(ret, name)
        assert (call(url).status_code == 404) is not allowed
    assert status(foreign) == "requested"


def test_without_the_permission_the_order_page_shows_returns_but_no_way_in(client):
    order = do.delivered()
    ret = do.ask(order)
    client.force_login(factories.staff_user("view_order", "deliver_order"))
    page = client.get(page_url(order)).content.decode()
    assert "Return 1" in page
    assert one(ret) not in page
    assert page_url(order, "order-return-new") not in page


@pytest.mark.parametrize("pk", [0, 999_999, 2**63, 10**30])
def test_a_return_that_is_not_there(pk, client, boss):
    assert client.get(f"{URL}{pk}/").status_code == 404
    assert client.post(f"{URL}{pk}/approve/").status_code == 404


def test_steps_are_only_posted(client, boss):
    ret = do.ask(do.delivered())
    assert client.get(one(ret, "approve")).status_code == 405
    assert client.post(one(ret)).status_code == 405


def test_everything_came_back_is_refused_on_the_page_while_a_return_is_open(client, boss):
    order = do.delivered()
    ret = do.ask(order)
    step = client.get(page_url(order)).context["steps"].by_name["return"]
    assert [reason.code for reason in step.reasons] == ["open_return"]
    assert step.reasons[0].url == one(ret)
