"""Every step of the order page: who may take it, in which state, with what typed, and what a refusal says."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.flows import flows
from oscar_fulfillment.models import Hold, Invoice, OrderFulfillment, OutboundMessage, Parcel, Shipment, StatusChange
from oscar_fulfillment.permissions import PERMISSIONS
from oscar_fulfillment.services import holds, invoicing, notes, oscar_events, payments, release, shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from .steps import form_data, page_url, said, step_url, take, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna")
    client.force_login(user)
    return user


def statuses(order):
    row = OrderFulfillment.objects.get(pk=order.pk)
    return row.payment_status, row.shipping_status


def everything():
    """All a refused step could have changed."""
    return (
        list(OrderFulfillment.objects.order_by("pk").values()),
        StatusChange.objects.count(),
        list(Shipment.objects.order_by("pk").values()),
        list(Invoice.objects.order_by("pk").values()),
        list(Hold.objects.order_by("pk").values()),
        OutboundMessage.objects.count(),
        get_model("order", "OrderNote").objects.count(),
        list(get_model("partner", "StockRecord").objects.order_by("pk").values_list("num_in_stock", "num_allocated")),
    )


# ---- The whole way ----


@pytest.mark.feature("A4")
@pytest.mark.feature("A7")
@pytest.mark.feature("A9")
@pytest.mark.feature("A12")
@pytest.mark.feature("A14")
def test_a_brazilian_order_by_its_forms(client, boss):
    order = factories.placed_order()
    assert said(client, take(client, order, "approve_payment", reference="TED 17")) == [
        "Approve payment: done. The status is now “Approved”."
    ]
    assert said(client, take(client, order, "release")) == [
        "Release for invoicing: done. The status is now “Released for invoicing”."
    ]
    key = make_key(number=4711, series=2)
    assert said(client, take(client, order, "invoice", access_key=f" {key[:20]} {key[20:]} "))
    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.series, invoice.access_key) == ("4711", "2", key)
    assert said(
        client, take(client, order, "dispatch", carrier="correios", tracking_code="aa123456785br", notify="yes")
    )
    assert Parcel.objects.get().tracking_code == "AA123456785BR"
    assert said(client, take(client, order, "deliver"))
    assert statuses(order) == ("paid", "delivered")
    assert {change.actor_label for change in order.fulfillment.history.exclude(action="place")} == {"Bruna"}
    assert order.payment_events.get().reference == "TED 17"


@pytest.mark.feature("Z1")
def test_a_swiss_order_has_other_words_and_no_invoice(client, boss):
    order = factories.paid_order(currency="CHF")
    assert "Start processing" in text_of(client.get(page_url(order)))
    assert said(client, take(client, order, "release")) == ["Start processing: done. The status is now “In process”."]
    assert client.get(step_url(order, "invoice")).status_code == 404
    assert client.post(step_url(order, "invoice")).status_code == 404


def test_a_shops_own_step_is_taken_by_the_generic_form(client, boss):
    order = factories.placed_order(fulfillment={"flow": "PLUGIN"})
    for action in ("approve_payment", "release"):
        assert take(client, order, action).status_code == 302
    response = client.get(page_url(order))
    assert response.context["steps"].next.name == "pack"
    assert said(client, take(client, order, "pack", reason="In the blue box")) == [
        "Pack: done. The status is now “Packed”."
    ]
    assert order.fulfillment.history.first().reason == "In the blue box"
    assert take(client, order, "dispatch", notify="no").status_code == 302
    assert statuses(order) == ("paid", "dispatched")


# ---- Action x state x permission ----

SITUATIONS = ["placed", "paid", "released", "invoiced", "dispatched", "delivered", "cancelled"]
POSSIBLE = {
    "approve_payment": {"placed"},
    "release": {"paid"},
    "invoice": {"released"},
    "cancel_invoice": {"invoiced"},
    "dispatch": {"invoiced"},
    "deliver": {"dispatched"},
    "return": {"dispatched", "delivered"},
    "cancel": {"placed", "paid", "released"},
}
TYPED = {
    "invoice": {"kind": "none"},
    "cancel_invoice": {"reason": "Wrong"},
    "dispatch": {"notify": "no"},
    "return": {"reason": "Refused", "restock": "yes"},
    "cancel": {"reason": "No wish", "notify": "no"},
}
#: Forms that every state shows, so that what they need is sent whatever the state.
PLAIN = {"notify": "no", "restock": "yes", "kind": "none", "reason": "Because"}


@pytest.mark.feature("Z2")
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("action", POSSIBLE)
def test_a_step_is_taken_where_it_is_possible_and_refused_with_reasons_elsewhere(action, situation, client, boss):
    order = getattr(factories, f"{situation}_order")()
    step = client.get(page_url(order)).context["steps"].by_name[action]
    expected = situation in POSSIBLE[action]
    assert step.allowed is expected, step.reasons
    before = everything()
    data = {
        "version": OrderFulfillment.objects.get(pk=order.pk).version,
        "key": "k" * 12,
        **PLAIN,
        **TYPED.get(action, {}),
    }
    response = client.post(step_url(order, action), data)
    if expected:
        assert response.status_code == 302, text_of(response)
        assert everything() != before
    else:
        assert response.status_code == 409
        assert step.reasons
        for reason in step.reasons:
            assert str(reason.message).split("“")[0] in text_of(response)
        assert everything() == before


@pytest.mark.feature("Z2")
@pytest.mark.parametrize("action", POSSIBLE)
def test_a_step_needs_its_permission(action, client):
    situation = sorted(POSSIBLE[action])[0]
    order = getattr(factories, f"{situation}_order")()
    others = {codename for codename in PERMISSIONS.values() if codename != PERMISSIONS[action]}
    client.force_login(factories.staff_user("view_order", *others))
    page = client.get(page_url(order))
    assert page.status_code == 200
    assert "no_permission" in [reason.code for reason in page.context["steps"].by_name[action].reasons]
    before = everything()
    assert client.get(step_url(order, action)).status_code == 403
    data = {"version": order.fulfillment.version, "key": "k" * 12, **PLAIN}
    assert client.post(step_url(order, action), data).status_code == 403
    assert everything() == before
    client.force_login(factories.staff_user("view_order", PERMISSIONS[action]))
    assert client.post(step_url(order, action), {**data, **TYPED.get(action, {})}).status_code == 302


RECORDS = {"order-hold": "place_hold", "order-note": "add_note", "order-problem": "resolve_problem"}


@pytest.mark.feature("Z2")
@pytest.mark.parametrize(
    "name", [*RECORDS, "order-hold-release", "order-tracking", "order-message-again", "order-document"]
)
def test_what_is_no_step_needs_its_permission_too(name, client):
    order = factories.dispatched_order()
    kwargs = {
        "order-hold-release": {"hold": 1},
        "order-tracking": {"shipment": 1},
        "order-message-again": {"message": 1},
        "order-document": {"document": "slip"},
    }
    client.force_login(factories.staff_user("view_order"))
    before = everything()
    response = client.post(page_url(order, name, **kwargs.get(name, {})), {"version": 1, "key": "k" * 12})
    assert response.status_code == 403
    assert everything() == before


@pytest.mark.parametrize(
    "name", ["order-detail", "order-oscar", "order-history", "order-document", "order-note", "order-hold"]
)
def test_a_visitor_and_a_customer_get_nothing(name, client):
    order = factories.placed_order()
    url = page_url(order, name, **({"document": "slip"} if name == "order-document" else {}))
    assert client.get(url).status_code == 302
    customer = factories.get_user_model().objects.create_user("cora", "cora@example.com", "x")
    client.force_login(customer)
    assert client.get(url).status_code == 403


@pytest.mark.feature("Z2")
def test_a_partners_people_see_their_orders_and_no_others(client):
    mine, other = factories.product(partner="Mine"), factories.product(partner="Other")
    own, foreign = factories.paid_order(lines=[(mine, 1)]), factories.paid_order(lines=[(other, 1)])
    user = factories.staff_user("release_order")
    user.is_staff = False
    user.save()
    user.user_permissions.add(factories.Permission.objects.get(codename="dashboard_access"))
    get_model("partner", "Partner").objects.get(name="Mine").users.add(user)
    client.force_login(user)
    assert client.get(page_url(own)).status_code == 200
    before = everything()
    for name in ("order-detail", "order-oscar", "order-history", "order-note"):
        assert client.get(page_url(foreign, name)).status_code == 404
    data = {"version": 2, "key": "k" * 12}
    assert client.post(step_url(foreign, "release"), data).status_code == 404
    assert everything() == before
    assert client.post(step_url(own, "release"), data).status_code == 302


# ---- Oscar's own forms ----


@pytest.mark.feature("Z2")
@pytest.mark.parametrize(
    "data",
    [
        {"order_action": "change_order_status", "new_status": "In process"},
        {"order_action": "change_order_status", "new_status": "Cancelled"},
        {"order_action": "create_order_payment_event", "amount": "1", "payment_event_type": "paid"},
        {"order_action": "save_note", "message": "x"},
        {"line_action": "create_shipping_event", "shipping_event_type": "dispatched"},
    ],
)
def test_oscars_forms_are_no_way_around_the_permissions(data, client):
    order = factories.paid_order(currency="CHF")
    client.force_login(factories.staff_user("view_order"))
    before = everything()
    assert client.post(page_url(order), data).status_code == 403
    assert everything() == before


def test_oscars_status_form_still_works_with_the_permission(client, boss):
    order = factories.paid_order(currency="CHF")
    client.post(page_url(order), {"order_action": "change_order_status", "new_status": "In process"})
    assert statuses(order) == ("paid", "released")


# ---- Twice, late, and at the same time ----


@pytest.mark.feature("Z3")
@pytest.mark.parametrize("action", ["approve_payment", "release", "invoice", "dispatch", "deliver", "cancel"])
def test_a_form_sent_twice_does_its_step_once_and_says_the_same(action, client, boss):
    order = getattr(factories, f"{sorted(POSSIBLE[action])[0]}_order")()
    data = form_data(client, step_url(order, action), **TYPED.get(action, {}))
    first = said(client, client.post(step_url(order, action), data))
    after = everything()
    assert said(client, client.post(step_url(order, action), data)) == first
    assert everything() == after


@pytest.mark.feature("Z3")
def test_a_stale_form_shows_the_new_state_who_changed_it_and_what_was_typed(client, boss):
    order = factories.paid_order()
    data = form_data(client, step_url(order, "cancel"), reason="She called & asked", notify="no")
    ana = factories.staff_user(first_name="Ana")
    release.release_order(order=order, actor=Actor.from_user(ana))
    before = everything()
    response = client.post(step_url(order, "cancel"), data)
    assert response.status_code == 409
    text = text_of(response)
    assert "Ana released the order 0 seconds ago" in text
    assert "Released for invoicing</span>" in text
    assert "She called &amp; asked</textarea>" in text
    assert everything() == before
    # What is shown now can be sent as it is.
    form = response.context["panel"]["form"]
    again = {**data, "version": form["version"].value(), "key": form["key"].value()}
    assert client.post(step_url(order, "cancel"), again).status_code == 302


@pytest.mark.feature("Z3")
def test_a_stale_form_of_a_step_that_is_over_keeps_what_was_written(client, boss):
    order = factories.invoiced_order()
    data = form_data(client, step_url(order, "cancel_invoice"), reason="Wrong price")
    shipping.dispatch_order(order=order, actor=factories.TEAM)
    response = client.post(step_url(order, "cancel_invoice"), data)
    assert response.status_code == 409
    assert "tests dispatched the order" in text_of(response)
    assert "Wrong price" in text_of(response)
    assert not response.context["panel"]["possible"]


def test_a_note_by_somebody_else_makes_no_form_stale(client, boss):
    order = factories.placed_order()
    data = form_data(client, step_url(order, "approve_payment"))
    notes.add_note(order=order, actor=factories.TEAM, text="Called")
    assert client.post(step_url(order, "approve_payment"), data).status_code == 302


def test_a_form_from_the_future_or_without_its_hidden_fields_is_refused(client, boss):
    order = factories.placed_order()
    before = everything()
    url = step_url(order, "approve_payment")
    assert client.post(url, {"version": 99, "key": "k" * 12}).status_code == 409
    for data in ({}, {"version": "x", "key": "k" * 12}, {"version": 1}, {"version": 1, "key": "a b"},
                 {"version": -1, "key": "k" * 12}, {"version": 1, "key": "k" * 200}):  # fmt: skip
        response = client.post(url, data)
        assert response.status_code == 422, data
        assert "This form was not complete" in text_of(response)
    assert everything() == before


def test_a_key_used_for_another_step_is_refused(client, boss):
    order = factories.placed_order()
    data = form_data(client, step_url(order, "approve_payment"))
    assert client.post(step_url(order, "approve_payment"), data).status_code == 302
    before = everything()
    response = client.post(step_url(order, "cancel"), {**data, "reason": "x", "notify": "no"})
    assert response.status_code == 409
    assert "approved the payment" in text_of(response)
    assert everything() == before


@pytest.mark.feature("Z3")
def test_a_form_that_was_gone_back_to_and_changed_is_no_repetition(client, boss):
    """The browser's "Back" brings the old key and version with another tracking code."""
    order = factories.invoiced_order()
    url = step_url(order, "dispatch")
    data = form_data(client, url, carrier="correios", tracking_code="AA123456785BR", notify="no")
    assert client.post(url, data).status_code == 302
    after = everything()
    assert client.post(url, data).status_code == 302
    response = client.post(url, {**data, "tracking_code": "AA123456771BR"})
    assert response.status_code == 409, "not “done”: the other code was not saved"
    assert "dispatched the order" in text_of(response)
    assert "AA123456771BR" in text_of(response)
    assert everything() == after


@pytest.mark.feature("Z3")
def test_two_notes_from_one_form_are_two_notes(client, boss):
    order = factories.placed_order()
    url = page_url(order, "order-note")
    data = form_data(client, url, text="Called, no answer", audience="team")
    for typed in (data, data, {**data, "text": "Called again: she comes on Monday"}):
        assert client.post(url, typed).status_code == 302
    assert list(order.notes.order_by("pk").values_list("message", flat=True)) == [
        "Called, no answer", "Called again: she comes on Monday",
    ]  # fmt: skip


def test_what_is_no_problem_cannot_be_settled(client, boss):
    order = factories.cancelled_order()
    url = page_url(order, "order-problem")
    OrderFulfillment.objects.filter(pk=order.pk).update(problem="refund_due")
    first, second = (form_data(client, url, reason="Paid back") for _ in range(2))
    assert client.post(url, first).status_code == 302
    before = everything()
    for late in (second, form_data(client, url, reason="Paid back")):
        assert client.post(url, late).status_code == 409
    assert "This order has no open problem." in text_of(client.post(url, form_data(client, url, reason="Again")))
    assert everything() == before


def test_emptied_quantities_release_nothing(client, boss):
    order = factories.paid_order(lines=[(factories.product("Mug"), 2), (factories.product("Plate"), 1)])
    url = step_url(order, "release")
    one, two = order.lines.order_by("pk")
    data = form_data(client, url)
    before = everything()
    response = client.post(url, {**data, f"line_{one.pk}": "", f"line_{two.pk}": ""})
    assert response.status_code == 409
    assert "Nothing was chosen to be released." in text_of(response)
    assert everything() == before
    assert client.post(url, {**data, f"line_{one.pk}": ""}).status_code == 302
    assert [line.line_id for line in Shipment.objects.get().lines.all()] == [two.pk]


def test_a_panel_opened_late_says_what_changed_since_the_page_was_seen(client, boss):
    order = factories.placed_order()
    payments.approve_payment(order=order, actor=Actor.from_user(factories.staff_user(first_name="Ana")))
    response = client.get(step_url(order, "release") + "?panel=1&seen=1")
    assert "Ana approved the payment" in text_of(response)
    assert "data-stale" in text_of(response)
    assert "data-stale" not in text_of(client.get(step_url(order, "release") + "?panel=1&seen=2"))
    for odd in ("x", "-1", "9" * 50, ""):
        assert client.get(step_url(order, "release"), {"seen": odd, "panel": 1}).status_code == 200


def test_wrong_methods_and_unknown_steps(client, boss):
    order = factories.placed_order()
    assert client.get(step_url(order, "fly")).status_code == 404
    assert client.post(step_url(order, "fly")).status_code == 404
    for hidden in ("authorize_payment", "cancel_payment", "reopen_payment", "place_hold"):
        assert client.post(step_url(order, hidden), {"version": 1, "key": "k" * 12}).status_code == 404
    assert client.put(step_url(order, "release")).status_code == 405
    assert client.delete(page_url(order)).status_code == 405
    assert client.post(page_url(order, "order-history")).status_code == 405
    assert client.get(page_url(order, "order-message-again", message=1)).status_code == 405
    for number in ("nobody", "x" * 500, "%00"):
        assert client.get(f"/dashboard/orders/{number}/").status_code == 404


# ---- What is typed ----

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.mark.parametrize("size", [5_000, 100_000, 10_000_000])
def test_endless_text_is_refused_clearly(size, client, boss):
    order = factories.paid_order()
    before = everything()
    response = client.post(
        step_url(order, "cancel"), {"version": 2, "key": "k" * 12, "notify": "no", "reason": "x" * size}
    )
    assert response.status_code == (413 if size > 2_621_440 else 422)
    assert ("too large" if size > 2_621_440 else "At most 4000 characters") in text_of(response)
    assert everything() == before


@pytest.mark.parametrize("text", ["a\x00b", "a\x07b"])
def test_characters_no_database_holds_are_refused_at_their_field(text, client, boss):
    order = factories.paid_order()
    response = client.post(step_url(order, "cancel"), {"version": 2, "key": "k" * 12, "notify": "no", "reason": text})
    assert response.status_code == 422
    assert response.context["panel"]["form"].errors["reason"]


def test_forms_are_protected_against_other_sites():
    order = factories.placed_order()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(factories.staff_user("*"))
    assert strict.post(step_url(order, "approve_payment"), {"version": 1, "key": "k" * 12}).status_code == 403
    strict.get(step_url(order, "approve_payment"))
    token = strict.cookies["csrftoken"].value
    data = {"version": 1, "key": "k" * 12, "csrfmiddlewaretoken": token}
    assert strict.post(step_url(order, "approve_payment"), data).status_code == 302


@pytest.mark.feature("A9")
@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"access_key": ""}, "access_key", "Type the access key"),
        ({"access_key": "35" + "1" * 42}, "access_key", "check digit"),
        ({"access_key": make_key()[:43]}, "access_key", "this one has 43"),
        ({"access_key": make_key(number=7), "number": "8"}, "number", "the access key says 7"),
        ({"access_key": make_key(series=7), "series": "8"}, "series", "the access key says 7"),
        ({"access_key": "0" * 44, "number": "5"}, "access_key", "all zeros"),
        ({"access_key": HOSTILE}, "access_key", "must have 44 characters"),
        ({"kind": "else"}, "kind", "Choose a kind"),
        ({"kind": "other"}, "number", "Type the number"),
        ({"kind": "other", "number": "x" * 50}, "number", "At most 32 characters"),
    ],
)
def test_a_wrong_document_is_refused_at_its_field_and_stays_typed(typed, field, words, client, boss):
    order = factories.released_order()
    before = everything()
    response = take(client, order, "invoice", **typed)
    assert response.status_code == 422
    form = response.context["panel"]["form"]
    assert any(words in error for error in form.errors[field]), form.errors
    for name, value in typed.items():
        assert form[name].value() == value
    assert HOSTILE not in response.content.decode()
    assert everything() == before


@pytest.mark.feature("A9")
def test_another_orders_key_and_another_firms_key_are_refused(client, boss, settings):
    first, second = factories.released_order(), factories.released_order()
    key = make_key(number=99)
    invoicing.invoice_order(order=first, actor=factories.TEAM, access_key=key)
    response = take(client, second, "invoice", access_key=key)
    assert response.status_code == 422
    assert f"This key belongs to order {first.number}." in text_of(response)
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "ISSUER_TAX_IDS": ["11444777000161"]}
    response = take(client, second, "invoice", access_key=make_key(number=100))
    assert response.status_code == 422
    assert "not one of this shop" in text_of(response)


@pytest.mark.feature("A11")
@pytest.mark.parametrize("typed", [{"kind": "none"}, {"access_key": "0" * 44, "number": "0", "series": "0"}])
def test_no_fiscal_document(typed, client, boss):
    order = factories.released_order()
    assert take(client, order, "invoice", **typed).status_code == 302
    assert Invoice.objects.get().is_none


@pytest.mark.feature("A12")
@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"carrier": "nobody", "tracking_code": "X1"}, "carrier"),
        ({"carrier": "correios", "tracking_code": "AA123456780BR"}, "tracking_code"),
        ({"carrier": "other", "tracking_code": HOSTILE}, "tracking_code"),
        ({"carrier": "other", "tracking_code": "https://evil.example/1"}, "tracking_code"),
        ({"carrier": "", "tracking_code": "X1"}, "carrier"),
        ({"shipment": "x"}, None),
        ({"shipment": "99999999999999"}, None),
        ({"notify": "maybe"}, "notify"),
    ],
)
def test_wrong_carriers_and_codes_are_refused_at_their_field(typed, field, client, boss):
    order = factories.invoiced_order()
    before = everything()
    response = take(client, order, "dispatch", **{"notify": "no", **typed})
    assert response.status_code == 422
    assert field is None or response.context["panel"]["form"].errors[field]
    assert HOSTILE not in response.content.decode()
    assert everything() == before


@pytest.mark.feature("D11")
@pytest.mark.parametrize(("answer", "mails"), [("yes", 1), ("no", 0)])
def test_dispatch_asks_before_it_mails_the_customer(answer, mails, client, boss):
    order = factories.released_order(currency="CHF")
    data = form_data(client, step_url(order, "dispatch"))
    assert "notify" not in data  # nobody has answered for the person
    response = client.post(step_url(order, "dispatch"), data)
    assert response.status_code == 422
    assert response.context["panel"]["form"].errors["notify"]
    assert client.post(step_url(order, "dispatch"), {**data, "notify": answer}).status_code == 302
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_DISPATCHED").count() == mails


@pytest.mark.feature("A7")
def test_release_in_part_and_its_wrong_quantities(client, boss):
    mug, plate = factories.product("Mug", stock=5), factories.product("Plate", stock=5)
    order = factories.paid_order(lines=[(mug, 2), (plate, 4)])
    plate.stockrecords.update(num_in_stock=1)
    one, two = order.lines.order_by("pk")
    url = step_url(order, "release")
    page = client.get(url)
    assert "3 units are missing" in text_of(page)
    assert "Release what is there" in text_of(page)
    data = form_data(client, url)
    before = everything()
    for typed, status in (
        ({f"line_{one.pk}": "3"}, 422),
        ({f"line_{one.pk}": "-1"}, 422),
        ({f"line_{one.pk}": "two"}, 422),
        ({f"line_{one.pk}": "9" * 30}, 422),
        ({f"line_{two.pk}": "4"}, 409),
        ({f"line_{one.pk}": "0", f"line_{two.pk}": "0"}, 409),
    ):
        assert client.post(url, {**data, **typed}).status_code == status, typed
    assert everything() == before
    assert client.post(url, {**data, "in_part": "1"}).status_code == 302
    assert {line.line_id: line.quantity for line in Shipment.objects.get().lines.all()} == {one.pk: 2, two.pk: 1}
    assert OrderFulfillment.objects.get(pk=order.pk).has_backorder


def test_release_with_nothing_in_stock_says_so_before_anyone_clicks(client, boss):
    mug = factories.product("Mug", stock=5)
    order = factories.paid_order(lines=[(mug, 2)])
    mug.stockrecords.update(num_in_stock=0)
    text = text_of(client.get(step_url(order, "release")))
    assert "Nothing of this order is in stock" in text
    data = form_data(client, step_url(order, "release"), in_part="1")
    assert client.post(step_url(order, "release"), data).status_code == 409


def test_foreign_lines_in_a_release_are_not_even_read(client, boss):
    order, other = factories.paid_order(), factories.paid_order()
    data = form_data(client, step_url(order, "release"), **{f"line_{other.lines.get().pk}": "1"})
    assert client.post(step_url(order, "release"), data).status_code == 302
    assert statuses(other) == ("paid", "received")


@pytest.mark.feature("A5")
def test_a_providers_order_is_approved_by_hand_only_with_permission_and_reason(client):
    order = factories.placed_order(method=factories.gateway_method())
    client.force_login(factories.staff_user("view_order", "approve_payment", "cancel_order"))
    page = client.get(page_url(order))
    assert "Card tells us by itself whether the payment is approved or cancelled." in text_of(page)
    assert "Override with a written reason" not in text_of(page)
    before = everything()
    plain = {"version": 1, "key": "k" * 12}
    assert client.post(step_url(order, "approve_payment"), plain).status_code == 409
    override = {**plain, "override_provider": "on", "reason": "Seen on the statement"}
    assert client.post(step_url(order, "approve_payment"), override).status_code == 403
    assert client.post(step_url(order, "cancel"), {**override, "notify": "no"}).status_code == 403
    assert everything() == before
    client.force_login(factories.staff_user("view_order", "approve_payment", "override_payment"))
    assert "Override with a written reason" in text_of(client.get(page_url(order)))
    url = step_url(order, "approve_payment")
    assert client.post(url, {**override, "reason": " "}).status_code == 422
    assert client.post(url, {**plain, "reason": "Seen"}).status_code == 422
    assert everything() == before
    assert client.post(url, override).status_code == 302
    change = order.fulfillment.history.first()
    assert (change.reason, change.data["override"]) == ("Seen on the statement", True)


@pytest.mark.feature("A6")
def test_cancelling_says_what_happens_and_wants_a_reason(client, boss):
    order = factories.placed_order()
    text = text_of(client.get(step_url(order, "cancel")))
    assert "2 reserved units go back to the stock" in text
    assert "The payment is cancelled." in text
    assert take(client, order, "cancel", reason="  ").status_code == 422
    assert take(client, order, "cancel", reason="Changed her mind", notify="yes").status_code == 302
    assert statuses(order) == ("cancelled", "cancelled")
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_CANCELLED").exists()


def test_an_order_with_a_valid_nfe_cannot_be_cancelled_and_says_what_to_do(client, boss):
    order = factories.invoiced_order()
    step = client.get(page_url(order)).context["steps"].cancel
    assert [reason.code for reason in step.reasons] == ["invoice_valid"]
    assert step.reasons[0].url == step_url(order, "cancel_invoice")


# ---- Holds, notes, problems, shipments, messages ----


def test_a_hold_is_placed_released_and_its_mistakes_refused(client, boss):
    order = factories.paid_order()
    url = page_url(order, "order-hold")
    for typed, field in (
        ({"code": ""}, "code"),
        ({"code": "bored"}, "code"),
        ({"code": "fraud", "expires_at": "2020-01-01T10:00"}, "expires_at"),
        ({"code": "fraud", "expires_at": "tomorrow"}, "expires_at"),
    ):
        response = client.post(url, form_data(client, url, **typed))
        assert response.status_code == 422
        assert response.context["panel"]["form"].errors[field], typed
    end = timezone.localtime() + timedelta(days=2)
    data = form_data(client, url, code="fraud", note=HOSTILE, expires_at=end.strftime("%Y-%m-%dT%H:%M"))
    assert said(client, client.post(url, data)) == ["Put on hold: done."]
    assert said(client, client.post(url, data)) == ["Put on hold: done."]
    hold = Hold.objects.get()
    assert hold.expires_at == end.replace(second=0, microsecond=0)
    page = client.get(page_url(order))
    assert HOSTILE not in page.content.decode()
    assert "The order is on hold." in text_of(page)
    assert not page.context["steps"].by_name["release"].allowed
    again = client.post(url, form_data(client, url, code="fraud"))
    assert again.status_code == 409
    assert "on hold for this reason already" in text_of(again)
    url = page_url(order, "order-hold-release", hold=hold.pk)
    assert said(client, client.post(url, form_data(client, url, note="Checked"))) == ["Hold released: done."]
    assert client.get(page_url(order)).context["steps"].by_name["release"].allowed
    assert client.post(page_url(order, "order-hold-release", hold=10**17), {"version": order.fulfillment.version + 2,
                       "key": "n" * 12}).status_code == 409  # fmt: skip


def test_an_order_that_has_left_cannot_be_held(client, boss):
    order = factories.dispatched_order()
    assert client.get(page_url(order)).context["hold_refusal"].code == "too_late"
    response = client.post(
        page_url(order, "order-hold"), {"version": order.fulfillment.version, "key": "k" * 12, "code": "fraud"}
    )
    assert response.status_code == 409


def test_notes_for_the_team_and_for_the_customer(client, boss):
    order = factories.placed_order()
    page = client.get(page_url(order))
    assert "will be mailed to ana@example.com" in text_of(page)
    form = page.context["note_form_inline"]
    data = {"version": form["version"].value(), "key": form["key"].value(), "audience": "team", "text": HOSTILE}
    url = page_url(order, "order-note")
    assert said(client, client.post(url, data)) == ["Note: done."]
    client.post(url, data)
    assert order.notes.count() == 1
    assert not OutboundMessage.objects.filter(kind="FULFILLMENT_CUSTOMER_NOTE").exists()
    assert HOSTILE not in client.get(page_url(order)).content.decode()
    assert client.post(url, {**data, "key": "c" * 12, "audience": "customer"}).status_code == 302
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_CUSTOMER_NOTE").count() == 1
    for typed in ({"text": ""}, {"text": "x" * 4001}, {"audience": "world"}):
        assert client.post(url, {**data, "key": "d" * 12, **typed}).status_code == 422
    assert order.notes.count() == 2


def test_a_problem_is_settled_with_a_reason(client, boss):
    order = factories.released_order()
    take(client, order, "cancel", reason="Broken", notify="no")
    assert "pay it back" in text_of(client.get(page_url(order)))
    url = page_url(order, "order-problem")
    assert client.post(url, form_data(client, url, reason="")).status_code == 422
    assert client.post(url, form_data(client, url, reason="Paid back on Monday")).status_code == 302
    assert OrderFulfillment.objects.get(pk=order.pk).problem == ""


@pytest.fixture
def two_parcels(boss):
    """An order with two shipments ready to leave."""
    order = factories.paid_order(lines=[(factories.product("Mug"), 2), (factories.product("Plate"), 1)])
    first, second = order.lines.order_by("pk")
    release.release_order(order=order, actor=factories.TEAM, quantities={first.pk: 2, second.pk: 0})
    release.release_order(order=order, actor=factories.TEAM)
    invoicing.invoice_order(order=order, actor=factories.TEAM, kind="none")
    return order


def test_one_of_several_shipments_leaves_and_arrives(client, two_parcels):
    order = two_parcels
    one, two = order.fulfillment.shipments.order_by("number")
    assert "Shipment 2: 1 × Plate" in text_of(client.get(step_url(order, "dispatch")))
    assert take(client, order, "dispatch", shipment=two.pk, notify="no").status_code == 302
    assert statuses(order) == ("paid", "partially_dispatched")
    assert take(client, order, "dispatch", notify="no").status_code == 302
    menu = text_of(client.get(page_url(order)))
    assert f"{step_url(order, 'deliver')}?shipment={one.pk}" in menu
    url = f"{step_url(order, 'deliver')}?shipment={two.pk}"
    data = form_data(client, url)
    assert int(data["shipment"]) == two.pk
    assert client.post(url, data).status_code == 302
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.status, two.status) == ("dispatched", "delivered")
    assert take(client, order, "deliver", shipment=two.pk).status_code == 409


def test_another_orders_shipment_is_refused(client, boss):
    order, other = factories.invoiced_order(), factories.invoiced_order()
    foreign = other.fulfillment.shipments.get()
    before = everything()
    assert take(client, order, "dispatch", shipment=foreign.pk, notify="no").status_code == 409
    assert everything() == before


@pytest.mark.feature("A12")
def test_a_tracking_code_is_corrected(client, boss):
    order = factories.dispatched_order(carrier="correios", tracking_code="AA123456785BR")
    shipment = order.fulfillment.shipments.get()
    url = page_url(order, "order-tracking", shipment=shipment.pk)
    data = form_data(client, url, carrier="other", tracking_code="ZZ-1", notify="no")
    assert data["tracking_code"] == "ZZ-1"
    assert client.post(url, {**data, "tracking_code": HOSTILE}).status_code == 422
    assert client.post(url, data).status_code == 302
    parcel = shipment.parcels.get()
    assert (parcel.carrier, parcel.tracking_code) == ("other", "ZZ-1")
    foreign = factories.dispatched_order().fulfillment.shipments.get()
    url = page_url(order, "order-tracking", shipment=foreign.pk)
    assert client.post(url, form_data(client, url, carrier="", tracking_code="", notify="no")).status_code == 409


def test_a_dead_message_is_sent_again(client, boss):
    order, other = factories.placed_order(), factories.placed_order()
    message = order.outbound_messages.first()
    OutboundMessage.objects.filter(pk=message.pk).update(status="dead", error=HOSTILE)
    text = client.get(page_url(order)).content.decode()
    assert "Send again" in text
    assert HOSTILE not in text
    url = page_url(order, "order-message-again", message=message.pk)
    assert said(client, client.post(url)) == ["The message will be sent again."]
    message.refresh_from_db()
    assert message.status == "pending"
    assert said(client, client.post(url))[0].startswith("This message does not wait")
    assert client.post(page_url(other, "order-message-again", message=message.pk)).status_code == 404


def test_a_receiver_that_raises_neither_undoes_nor_hides_a_step(client, boss, django_capture_on_commit_callbacks):
    from oscar_fulfillment.signals import payment_approved

    def broken(**kwargs):
        raise RuntimeError("somebody else's code")

    order = factories.placed_order()
    payment_approved.connect(broken)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            response = take(client, order, "approve_payment")
    finally:
        payment_approved.disconnect(broken)
        oscar_events._types.clear()  # the event type is remembered once committed, and this test rolls back
    assert said(client, response)
    assert statuses(order) == ("paid", "received")


def test_a_veto_is_shown_as_a_reason(client, boss):
    from django.core.exceptions import ValidationError

    from oscar_fulfillment.signals import validate_transition

    def veto(actions, **kwargs):
        raise ValidationError("Not on a Sunday.")

    order = factories.placed_order()
    validate_transition.connect(veto)
    try:
        response = take(client, order, "approve_payment", reference="TED 17")
    finally:
        validate_transition.disconnect(veto)
    assert response.status_code == 409
    assert "Not on a Sunday." in text_of(response)
    assert response.context["panel"]["form"]["reference"].value() == "TED 17"


def test_every_transition_has_a_form_and_a_service(boss):
    from oscar_fulfillment.orders_dashboard.page_forms import FORMS, form_class
    from oscar_fulfillment.services.generic import WITH_SERVICE

    for flow in flows().values():
        for machine in flow.machines.values():
            for transition in machine.transitions.values():
                if transition.form:
                    assert transition.form in FORMS
                    assert transition.name in WITH_SERVICE
                assert form_class(transition.form or "confirm")


def test_holds_that_end_by_themselves_are_named(client, boss):
    order = factories.paid_order()
    holds.place_hold(order=order, actor=factories.TEAM, code="goods", expires_at=timezone.now() + timedelta(days=1))
    assert "ends by itself" in text_of(client.get(page_url(order)))


def test_links_of_the_dashboard_lead_here(client, boss):
    order = factories.placed_order()
    assert reverse("dashboard:order-detail", kwargs={"number": order.number}) == f"/dashboard/orders/{order.number}/"


# ---- An order whose parts are at different points ----


def partly_invoiced():
    """Two of five are released and invoiced, the other three came later and are released."""
    order = factories.paid_order(lines=[(factories.product(stock=2), 5)])
    release.release_order(order=order, actor=factories.TEAM, in_part=True)
    invoicing.invoice_order(order=order, actor=factories.TEAM, access_key=make_key(number=1))
    get_model("partner", "StockRecord").objects.update(num_in_stock=5)
    release.release_order(order=order, actor=factories.TEAM)
    return order


@pytest.mark.feature("A7")
def test_the_page_offers_to_invoice_the_rest_and_to_send_what_is_invoiced(client, boss):
    order = partly_invoiced()
    response = client.get(page_url(order))
    assert "Invoiced in part</span>" in text_of(response)
    steps = response.context["steps"]
    assert {step.name: step.state for step in steps.way} == {
        "approve_payment": "done", "release": "done", "invoice": "next", "dispatch": "possible", "deliver": "later",
    }  # fmt: skip
    assert [reason.code for reason in steps.cancel.reasons] == ["invoice_valid"]
    assert steps.cancel.reasons[0].url == step_url(order, "cancel_invoice")
    assert said(client, take(client, order, "dispatch", notify="no")) == [
        "Dispatch: done. The status is now “Sent in part”."
    ]
    steps = client.get(page_url(order)).context["steps"]
    assert (steps.next.name, steps.by_name["dispatch"].reasons[0].code) == ("invoice", "not_invoiced")
    assert steps.by_name["dispatch"].reasons[0].url == step_url(order, "invoice")
    assert not steps.by_name["cancel_invoice"].allowed
    assert take(client, order, "invoice", kind="none").status_code == 302
    assert take(client, order, "dispatch", notify="no").status_code == 302
    assert statuses(order) == ("paid", "dispatched")


def test_one_of_several_documents_is_chosen_to_be_taken_back(client, boss):
    order = partly_invoiced()
    url = step_url(order, "cancel_invoice")
    assert client.get(url).context["panel"]["form"].fields["invoice"].widget.is_hidden
    invoicing.invoice_order(order=order, actor=factories.TEAM, access_key=make_key(number=2))
    first, second = Invoice.objects.order_by("pk")
    listed = [value for value, _label in client.get(url).context["panel"]["form"].fields["invoice"].widget.choices]
    assert listed == ["", str(first.pk), str(second.pk)]
    data = form_data(client, url, invoice=second.pk, reason="Typed wrongly")
    assert said(client, client.post(url, data)) == [
        "Take the invoice back: done. The status is now “Invoiced in part”."
    ]
    after = everything()
    assert client.post(url, data).status_code == 302, "sent twice, it is done once"
    assert everything() == after
    late = form_data(client, url, invoice=second.pk, reason="Again")
    response = client.post(url, late)
    assert response.status_code == 409
    assert "This invoice is not valid any more." in text_of(response)
    assert everything() == after


def test_a_form_to_take_the_document_back_is_stale_once_its_goods_have_left(client, boss):
    order = partly_invoiced()
    data = form_data(client, step_url(order, "cancel_invoice"), reason="Wrong price")
    shipping.dispatch_order(order=order, actor=factories.TEAM)
    before = everything()
    response = client.post(step_url(order, "cancel_invoice"), data)
    assert response.status_code == 409
    assert "tests dispatched the order" in text_of(response)
    assert everything() == before
