"""The merchant's payment methods: who may change them, what the form refuses, what the history keeps."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import PaymentMethod, PaymentMethodChange
from oscar_fulfillment.services import payment_methods as services
from oscar_fulfillment.test import factories

from .steps import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z7")]

LIST = "/dashboard/orders/payment-methods/"
NEW = f"{LIST}new/"
TEAM = Actor.system("tests")


@pytest.fixture
def boss(client):
    client.force_login(factories.staff_user("manage_payment_methods", first_name="Marta", last_name="Nogueira"))
    return client


@pytest.fixture
def countries(db):
    for code in ("BR", "CH"):
        get_model("address", "Country").objects.create(iso_3166_1_a2=code, name=code, is_shipping_country=True)


def page(client, url):
    response = client.get(url)
    assert response.status_code == 200
    return response


def typed(client, url, **values):
    """What a browser would send: the form as it stands, with what was typed."""
    found = {}
    for field in page(client, url).context["form"]:
        value = field.value()
        if value is True:
            found[field.html_name] = "on"
        elif value is not None and value is not False and value != []:
            found[field.html_name] = value
    found |= values
    return {name: value for name, value in found.items() if value is not None}


def send(client, url, **values):
    return client.post(url, typed(client, url, **values))


def one(client, method):
    return reverse("dashboard:payment-method", kwargs={"pk": method.pk})


# Who


@pytest.mark.parametrize(
    ("codenames", "status"),
    [((), 403), (("view_orderfulfillment", "approve_payment"), 403), (("manage_payment_methods",), 200)],
)
def test_only_who_may_change_methods_sees_them(client, codenames, status):
    method = factories.manual_method()
    client.force_login(factories.staff_user(*codenames))
    for url in (LIST, NEW, one(client, method), f"{one(client, method)}copy/"):
        assert client.get(url).status_code == status, url
    answer = 403 if status == 403 else 302
    for step in ("withdraw", "offer", "up", "down", "delete"):
        assert client.post(f"{LIST}{method.pk}/{step}/").status_code == answer, step


def test_guests_customers_and_partners_do_not_get_in(client, django_user_model):
    assert "login" in client.get(LIST)["Location"]
    customer = django_user_model.objects.create_user("ana", "ana@example.com", "x")
    client.force_login(customer)
    assert client.get(LIST).status_code == 403
    assert client.post(f"{LIST}1/delete/").status_code == 403


def test_the_menu_leads_there_for_those_who_may(client):
    client.force_login(factories.staff_user("view_order", "manage_payment_methods"))
    assert f'href="{LIST}"' in client.get("/dashboard/orders/").text
    client.force_login(factories.staff_user("view_order"))
    assert LIST not in client.get("/dashboard/orders/").text


def test_what_is_not_there_is_404(boss):
    for path in ("999/", "999/copy/"):
        assert boss.get(LIST + path).status_code == 404
    for path in ("999/up/", "999/customers/1/allow/"):
        assert boss.post(LIST + path).status_code == 404
    method = factories.manual_method()
    assert boss.post(f"{LIST}{method.pk}/customers/99999/allow/").status_code == 404
    assert boss.get(f"{LIST}{method.pk}/up/").status_code == 405


# Making and changing


def test_a_method_is_made_with_its_texts_in_each_language(boss, countries):
    response = send(
        boss, NEW, name="Prepayment", instructions="IBAN CH93\r\nExact sum, please", is_active="on",
        name_fr="Paiement anticipé", instructions_fr="Montant exact", reminder_days="7", cancel_days="21",
        countries=["CH"], currencies="chf; eur,CHF", flows=["STANDARD"],
    )  # fmt: skip
    assert response["Location"] == LIST
    method = PaymentMethod.objects.get()
    assert (method.code, method.kind, method.is_active) == ("prepayment", "manual", True)
    assert (method.reminder_days, method.cancel_days) == (7, 21)
    assert method.translations == {"fr": {"name": "Paiement anticipé", "instructions": "Montant exact"}}
    assert method.instructions == "IBAN CH93\nExact sum, please"
    assert (method.countries, method.currencies, method.flows) == (["CH"], ["CHF", "EUR"], ["STANDARD"])
    text = text_of(page(boss, LIST))
    assert "Reminder after 7 days, cancelled after 21 days." in text
    assert "Switzerland · CHF, EUR · Standard" in text


def test_a_providers_method_is_chosen_with_its_provider(boss):
    send(boss, NEW, name="Card", paid_by="demo|card", capture="hold", hold_days="7", retry_hours="24")
    method = PaymentMethod.objects.get()
    assert (method.kind, method.provider, method.provider_method) == ("gateway", "demo", "card")
    assert (method.capture, method.hold_days, method.hold_warning_hours, method.retry_hours) == ("hold", 7, 48, 24)
    assert "Held 7 days, charged by hand" in text_of(page(boss, LIST))


def test_what_was_changed_stays_in_the_history(boss):
    method = factories.manual_method(name="Deposit")
    send(boss, one(boss, method), cancel_days="7", name="Bank deposit")
    change = PaymentMethodChange.objects.get()
    assert (change.action, change.code, change.actor_label) == ("change", "deposit", "Marta Nogueira")
    assert change.data == {"name": ["Deposit", "Bank deposit"], "cancel_days": [None, 7]}
    text = text_of(page(boss, one(boss, method)))
    assert "Marta Nogueira" in text
    assert "nothing → 7" in text
    send(boss, one(boss, method))
    assert PaymentMethodChange.objects.count() == 1, "saving what is there already is no change"
    with pytest.raises(TypeError):
        change.save()
    with pytest.raises(TypeError):
        change.delete()
    with pytest.raises(TypeError):
        PaymentMethodChange.objects.all().delete()


def test_texts_of_languages_the_shop_does_not_show_now_are_kept(boss):
    method = factories.manual_method(translations={"de": {"name": "Einzahlung"}, "fr": {"name": "Dépôt"}})
    send(boss, one(boss, method), name_fr="")
    method.refresh_from_db()
    assert method.translations == {"de": {"name": "Einzahlung"}}


def test_of_two_people_at_once_the_second_is_told_and_may_save_again(boss):
    method = factories.manual_method()
    first, second = (typed(boss, one(boss, method), cancel_days=days) for days in ("7", "9"))
    assert boss.post(one(boss, method), first).status_code == 302
    response = boss.post(one(boss, method), second)
    assert response.status_code == 409
    assert "Marta Nogueira has changed this method while you were at it." in text_of(response)
    method.refresh_from_db()
    assert method.cancel_days == 7
    again = {f.html_name: f.value() for f in response.context["form"] if f.value() not in (None, False, [])}
    assert boss.post(one(boss, method), again).status_code == 302
    method.refresh_from_db()
    assert method.cancel_days == 9


def test_a_copy_starts_from_another_and_is_not_offered_yet(boss):
    group = Group.objects.create(name="Dealers")
    method = factories.manual_method(audience="groups", due_days=14, ships_before_payment=True)
    method.groups.add(group)
    send(boss, f"{one(boss, method)}copy/")
    copy = PaymentMethod.objects.exclude(pk=method.pk).get()
    assert (copy.name, copy.due_days, copy.is_active) == ("Deposit (copy)", 14, False)
    assert copy.code == "deposit-copy"
    assert list(copy.groups.all()) == [group]


@pytest.mark.parametrize("seen", ["", "x", "-1"])
def test_a_form_that_lost_what_it_saw_says_so(boss, seen):
    response = send(boss, NEW, name="Deposit", seen=seen)
    assert response.status_code == 422
    assert "Load this page again" in text_of(response)
    assert not PaymentMethod.objects.exists()


def test_codes_are_never_twice(boss):
    factories.manual_method()
    assert "code" in send(boss, NEW, name="X", code="deposit").context["form"].errors
    send(boss, NEW, name="Deposit")
    assert set(PaymentMethod.objects.values_list("code", flat=True)) == {"deposit", "deposit-2"}
    method = PaymentMethod.objects.get(code="deposit")
    send(boss, one(boss, method), code="other")
    method.refresh_from_db()
    assert method.code == "deposit", "the code of a method stays"


WRONG = [
    ({"name": ""}, "name"),
    ({"name": "x" * 129}, "name"),
    ({"name": "a\x07b"}, "name"),
    ({"instructions": "x" * 4001}, "instructions"),
    ({"name_fr": "a\x07b"}, "name_fr"),
    ({"code": "no spaces"}, "code"),
    ({"paid_by": "nobody|card"}, "paid_by"),
    ({"capture": "later"}, "capture"),
    ({"capture": "hold"}, "capture"),
    ({"capture": "hold", "paid_by": "demo|boleto"}, "capture"),
    ({"capture": "hold", "paid_by": "demo|card", "hold_days": "2"}, "hold_warning_hours"),
    ({"capture": "hold", "paid_by": "demo|card", "hold_days": "0"}, "hold_days"),
    (
        {"capture": "hold", "paid_by": "demo|card", "ships_before_payment": "on", "due_days": "9"},
        "ships_before_payment",
    ),
    ({"awaits_payout": "on"}, "awaits_payout"),
    ({"awaits_payout": "on", "paid_by": "demo|card", "completes_when_paid": None}, "completes_when_paid"),
    ({"paid_by": "demo|card", "retry_hours": "-1"}, "retry_hours"),
    ({"paid_by": "demo|card", "retry_hours": "100000"}, "retry_hours"),
    ({"cancel_days": "7", "reminder_days": "7"}, "cancel_days"),
    ({"reservation_days": "3", "reminder_days": "5"}, "reservation_days"),
    ({"reservation_days": "5", "cancel_days": "3"}, "cancel_days"),
    ({"cancel_days": "5", "due_days": "9"}, "due_days"),
    ({"cancel_days": "100000"}, "cancel_days"),
    ({"cancel_days": "-3"}, "cancel_days"),
    ({"cancel_days": "soon"}, "cancel_days"),
    ({"ships_before_payment": "on"}, "due_days"),
    ({"ships_before_payment": "on", "due_days": "30", "cancel_days": "60"}, "cancel_days"),
    ({"ships_before_payment": "on", "due_days": "30", "reservation_days": "3"}, "reservation_days"),
    ({"paid_on_delivery": "on"}, "paid_on_delivery"),
    ({"paid_on_delivery": "on", "paid_by": "demo|card", "ships_before_payment": "on"}, "paid_on_delivery"),
    ({"paid_on_delivery": "on", "ships_before_payment": "on", "due_days": "30"}, "due_days"),
    ({"audience": "groups"}, "groups"),
    ({"audience": "groups", "groups": ["99"]}, "groups"),
    ({"audience": "friends"}, "audience"),
    ({"countries": ["XX"]}, "countries"),
    ({"currencies": "CHF, EURO"}, "currencies"),
    ({"flows": ["NONE"]}, "flows"),
    ({"is_active": "on", "instructions": "IBAN ____"}, "instructions"),
    ({"is_active": "on", "instructions_pt": "IBAN ____"}, "instructions_pt"),
]


@pytest.mark.parametrize(("values", "field"), WRONG, ids=[f"{field}-{n}" for n, (_v, field) in enumerate(WRONG)])
def test_what_contradicts_itself_is_refused_and_kept_on_the_page(boss, countries, values, field):
    response = send(boss, NEW, **{"name": "Method", "reminder_days": "", **values})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert 'role="alert"' in response.text
    assert not PaymentMethod.objects.exists()
    for name, value in values.items():
        if isinstance(value, str) and value != "on":
            assert response.context["form"][name].value() == value


def test_currencies_the_provider_does_not_take_are_refused(boss, monkeypatch):
    from oscar_fulfillment.gateways import gateways

    monkeypatch.setattr(type(gateways.get("demo")), "currencies", frozenset({"BRL"}))
    form = send(boss, NEW, name="Card", paid_by="demo|card", currencies="BRL, CHF").context["form"]
    assert form.errors == {"currencies": ["Demo pay does not take CHF."]}


def test_hostile_names_are_shown_as_text(boss):
    evil = "<script>alert(1)</script>"
    method = factories.manual_method(name=evil, instructions=evil, translations={"fr": {"name": evil}})
    send(boss, one(boss, method), name=evil + "2", name_fr=evil + "3")
    for url in (LIST, one(boss, method), f"{one(boss, method)}copy/"):
        assert "<script>alert(1)" not in page(boss, url).text


def test_a_providers_alias_that_is_gone_is_said_and_cannot_be_offered(boss):
    method = factories.gateway_method("old", provider="gone", is_active=False)
    assert "The provider “gone” is not configured." in text_of(page(boss, LIST))
    response = boss.post(f"{one(boss, method)}offer/", follow=True)
    assert "cannot be offered yet: The provider “gone” is not configured." in text_of(response)
    assert "gone · card (not configured)" in text_of(response)
    assert send(boss, one(boss, method), is_active="on").context["form"].errors.keys() == {"paid_by"}
    assert send(boss, one(boss, method), name="Old").status_code == 302, "its texts can be mended meanwhile"


# Order, offering, deleting


def test_methods_are_moved_up_and_down(boss):
    codes = ["a", "b", "c"]
    methods = {code: factories.manual_method(code, name=code.upper()) for code in codes}

    def order():
        return [row["method"].code for row in page(boss, LIST).context["rows"]]

    assert order() == codes
    boss.post(f"{one(boss, methods['c'])}up/")
    boss.post(f"{one(boss, methods['a'])}down/")
    assert order() == ["c", "a", "b"]
    boss.post(f"{one(boss, methods['c'])}up/")
    boss.post(f"{one(boss, methods['b'])}down/")
    assert order() == ["c", "a", "b"]
    assert PaymentMethodChange.objects.filter(action="move").count() == 2


def test_a_method_is_withdrawn_and_offered_again(boss):
    method = factories.manual_method()
    for step, is_active in (("withdraw", False), ("withdraw", False), ("offer", True)):
        assert boss.post(f"{one(boss, method)}{step}/").status_code == 302
        method.refresh_from_db()
        assert method.is_active is is_active
    assert [change.action for change in PaymentMethodChange.objects.all()] == ["offer", "withdraw"]


def test_a_method_with_orders_is_never_deleted(boss):
    method = factories.manual_method()
    factories.placed_order(method=method)
    assert "Delete for good" not in page(boss, one(boss, method)).text
    text = text_of(boss.post(f"{one(boss, method)}delete/", follow=True))
    assert "Withdraw it instead" in text
    assert PaymentMethod.objects.filter(pk=method.pk).exists()
    with pytest.raises(services.MethodInUse):
        services.delete_payment_method(method=method, actor=TEAM)


def test_a_method_without_orders_is_deleted_and_remembered(boss):
    method = factories.manual_method(cancel_days=7)
    assert "Delete for good" in page(boss, one(boss, method)).text
    boss.post(f"{one(boss, method)}delete/")
    assert not PaymentMethod.objects.exists()
    change = PaymentMethodChange.objects.get()
    assert (change.method, change.code, change.data["cancel_days"]) == (None, "deposit", [7, None])


def test_the_list_counts_the_orders_that_wait(boss):
    method, other = factories.manual_method(), factories.manual_method("other", name="Other")
    factories.placed_order(method=method)
    factories.paid_order(method=method)
    factories.cancelled_order(method=method)
    rows = {row["method"].code: row["method"] for row in page(boss, LIST).context["rows"]}
    assert (rows["deposit"].open_orders, rows[other.code].open_orders) == (1, 0)
    assert "?method=deposit&amp;payment=awaiting_payment&amp;payment=authorized" in page(boss, LIST).text


def test_the_list_costs_the_same_for_one_method_and_for_ten(boss, django_assert_max_num_queries):
    factories.manual_method()
    page(boss, LIST)
    for number in range(10):
        factories.manual_method(f"m{number}", audience="groups")
    with django_assert_max_num_queries(14):
        page(boss, LIST)


# Customers


@pytest.mark.feature("D14")
def test_purchase_on_invoice_is_enabled_customer_by_customer(boss, django_user_model):
    method = factories.manual_method(audience="customers", due_days=30, ships_before_payment=True)
    lea = django_user_model.objects.create_user("lea", "lea@example.com", "x", first_name="Léa", last_name="Rochat")
    gone = django_user_model.objects.create_user("gone", "leo@example.com", "x", is_active=False)
    assert "Nobody yet: enable it for a customer" in text_of(page(boss, LIST))

    def found(query):
        return list(boss.get(one(boss, method), {"customer": query}).context["found_customers"])

    for query in ("lea@", "LEA", "roch", "rochat léa", "  roch   "):
        assert found(query) == [lea], query
    for query in ("", "ea@", "%", "_", "' or 1=1", "x\x00", "é" * 1000, "leo"):
        assert found(query) == [], query
    response = boss.post(f"{one(boss, method)}customers/{lea.pk}/allow/", {"customer": "roch"})
    assert response["Location"].endswith("?customer=roch#customers")
    assert list(method.customers.all()) == [lea]
    assert found("lea") == [], "who may already is not offered again"
    boss.post(f"{one(boss, method)}customers/{lea.pk}/allow/")
    assert PaymentMethodChange.objects.filter(action="allow_customer").count() == 1
    assert "1 customer, by name" in text_of(page(boss, LIST))
    boss.post(f"{one(boss, method)}customers/{gone.pk}/allow/")
    assert list(method.customers.all()) == [lea], "an account that is switched off buys nothing"
    boss.post(f"{one(boss, method)}customers/{lea.pk}/remove/")
    boss.post(f"{one(boss, method)}customers/{lea.pk}/remove/")
    assert not method.customers.exists()
    text = text_of(page(boss, one(boss, method)))
    assert "Enabled for a customer" in text
    assert "Taken away from a customer" in text


def test_many_customers_come_in_pages(boss, django_user_model):
    method = factories.manual_method(audience="customers", due_days=30, ships_before_payment=True)
    users = django_user_model.objects.bulk_create(
        django_user_model(username=f"c{n:03}", email=f"c{n:03}@example.com") for n in range(60)
    )
    method.customers.set(users)
    text = text_of(page(boss, one(boss, method)))
    assert "60 customers" in text
    assert "Page 1 of 3" in text
    assert "c059@example.com" in text_of(boss.get(one(boss, method), {"page": "3"}))
    assert boss.get(one(boss, method), {"page": "x"}).status_code == 200


def test_oscars_own_menu_is_left_as_it_is():
    from oscar import defaults as oscars

    from oscar_fulfillment import defaults as ours

    def names(menu):
        return [child["url_name"] for entry in menu for child in entry.get("children", ())]

    added = [entry["url_name"] for entry in ours._OUR_ENTRIES]
    assert {"dashboard:payment-method-list", "dashboard:message-list", "dashboard:order-statements"} <= set(added)
    theirs, all_of_them = names(oscars.OSCAR_DASHBOARD_NAVIGATION), names(ours.OSCAR_DASHBOARD_NAVIGATION)
    assert not set(added) & set(theirs)
    assert [name for name in all_of_them if name not in added] == theirs
    place = all_of_them.index("dashboard:order-list")
    assert all_of_them[place + 1 : place + 1 + len(added)] == added
