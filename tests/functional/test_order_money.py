"""The order page's forms about money: each allowed, refused, with bad input, without permission, of a foreign order."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import (
    CreditNote,
    FollowUp,
    OrderFulfillment,
    PaymentOperation,
    PaymentTerms,
    ProviderPayment,
    StatusChange,
)
from oscar_fulfillment.permissions import PERMISSIONS
from oscar_fulfillment.services import (
    cancelling,
    hold_clock,
    payments,
    provider_payments,
    receipts,
    release,
    shipping,
)
from oscar_fulfillment.test import factories

from ..integration.payments import begun, free_stock, held, hold_method, money, open_kinds, paid, refresh, statuses
from .steps import form_data, page_url, said, step_url, text_of

pytestmark = pytest.mark.django_db
TWENTY = Decimal("20.00")


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna")
    client.force_login(user)
    return user


def reserved(**options):
    return factories.placed_order(method=factories.manual_method("invoice", reservation_days=3), **options)


def late():
    """Money came for an order that had expired."""
    order, payment, provider = begun()
    provider.change(payment.reference, state=PaymentState.EXPIRED)
    refresh(payment)
    provider.pay(payment.reference)
    refresh(payment)
    return order, payment, provider


def overpaid():
    order = factories.placed_order()
    receipts.receive_money(order=order, actor=factories.TEAM, amount=Decimal("23.00"))
    return order


def awaiting_payout():
    order, _payment, _provider = paid(method=factories.gateway_method("payout", awaits_payout=True), currency="CHF")
    release.release_order(order=order, actor=factories.TEAM)
    shipping.dispatch_order(order=order, actor=factories.TEAM)
    shipping.deliver_order(order=order, actor=factories.TEAM)
    return order


def in_days(days):
    return (timezone.localdate() + timedelta(days=days)).isoformat()


#: form -> (a situation in which it is possible, where it is, what is typed).
CASES = {
    "capture_payment": (lambda: held()[0], lambda o: step_url(o, "capture_payment"), {}),
    "void_payment": (lambda: held()[0], lambda o: page_url(o, "order-void-payment"), {"reason": "Sold out"}),
    "refund_payment": (lambda: paid()[0], lambda o: step_url(o, "refund_payment"), {"reason": "Broken"}),
    "restore": (factories.cancelled_order, lambda o: step_url(o, "restore"), {"reason": "By mistake", "notify": "no"}),
    "receive_money": (factories.placed_order, lambda o: page_url(o, "order-receive-money"), {"reference": "TED 1"}),
    "keep_credit": (overpaid, lambda o: page_url(o, "order-keep-credit"), {"reason": "She wants more cups"}),
    "extend_reservation": (
        reserved,
        lambda o: page_url(o, "order-extend-reservation"),
        {"until": in_days(20), "reason": "Pays on Friday"},
    ),
    "confirm_payout": (awaiting_payout, lambda o: page_url(o, "order-confirm-payout"), {"reference": "PO-7"}),
}


def everything():
    """All that a refused form could have changed."""
    models = (OrderFulfillment, ProviderPayment, PaymentOperation, PaymentTerms, FollowUp, CreditNote)
    return [list(model.objects.order_by("pk").values()) for model in models] + [
        StatusChange.objects.count(),
        list(get_model("payment", "Source").objects.order_by("pk").values()),
        get_model("payment", "Transaction").objects.count(),
    ]


@pytest.mark.feature("Z2", "Z3")
@pytest.mark.parametrize("name", CASES)
def test_a_form_does_its_step_once(name, client, boss):
    make, where, typed = CASES[name]
    order = make()
    url = where(order)
    panel = client.get(url + "?panel=1")
    assert panel.content.strip().startswith(b"<section")
    data = form_data(client, url, **typed)
    assert said(client, client.post(url, data))
    after = everything()
    assert StatusChange.objects.filter(fulfillment=order.pk, actor_label="Bruna").exists()
    assert said(client, client.post(url, data))
    assert everything() == after


@pytest.mark.feature("Z2")
@pytest.mark.parametrize("name", CASES)
def test_a_form_needs_its_permission(name, client):
    make, where, typed = CASES[name]
    order = make()
    others = set(PERMISSIONS.values()) - {PERMISSIONS[name]}
    client.force_login(factories.staff_user("view_order", *others))
    before = everything()
    assert client.get(where(order)).status_code == 403
    data = {"version": 1, "key": "k" * 12, "amount": "1", "payment": "1", "kind": "hand", **typed}
    assert client.post(where(order), data).status_code == 403
    assert everything() == before
    assert f'data-step="{name}"' not in client.get(page_url(order)).content.decode().split('id="payment"')[1]
    client.force_login(factories.staff_user("view_order", PERMISSIONS[name]))
    assert client.post(where(order), form_data(client, where(order), **typed)).status_code == 302
    assert everything() != before


@pytest.mark.feature("Z2")
@pytest.mark.parametrize("name", CASES)
def test_a_foreign_order_is_not_found(name, client):
    make, where, typed = CASES[name]
    order = make()
    user = factories.staff_user("*")
    user.is_staff = False
    user.save()
    user.user_permissions.add(factories.Permission.objects.get(codename="dashboard_access"))
    client.force_login(user)
    before = everything()
    assert client.get(where(order)).status_code == 404
    assert client.post(where(order), {"version": 1, "key": "k" * 12, **typed}).status_code == 404
    assert everything() == before


@pytest.mark.feature("Z2")
@pytest.mark.parametrize("name", CASES)
def test_where_it_makes_no_sense_it_says_why(name, client, boss):
    _make, where, typed = CASES[name]
    order = factories.paid_order() if name in ("extend_reservation", "restore") else factories.cancelled_order()
    if name == "receive_money":
        order = begun()[0]
    before = everything()
    assert "This step is not possible now." in text_of(client.get(where(order)))
    data = {"version": OrderFulfillment.objects.get(pk=order.pk).version, "key": "k" * 12, "amount": "1",
            "payment": "1", "kind": "hand", "reason": "Because", "notify": "no", **typed}  # fmt: skip
    response = client.post(where(order), data)
    assert response.status_code == 409, text_of(response)
    assert everything() == before


BAD_SUMS = ["", "0", "-1", "x", "1e9", "NaN", "Infinity", "20.001", "20.01", "1,5", "9" * 40, "\x00", "٣"]


@pytest.mark.feature("E3")
@pytest.mark.parametrize("name", ["capture_payment", "refund_payment", "keep_credit", "receive_money"])
@pytest.mark.parametrize("amount", BAD_SUMS)
def test_a_bad_sum_is_told_and_nothing_is_lost(name, amount, client, boss):
    make, where, typed = CASES[name]
    order = make()
    data = form_data(client, where(order), **typed, amount=amount)
    before = everything()
    response = client.post(where(order), data)
    if (name, amount) == ("receive_money", "20.01"):
        assert response.status_code == 302  # more than it costs is a path of its own
        return
    assert response.status_code in (409, 422), text_of(response)
    assert everything() == before
    for text in typed.values():
        assert text in text_of(response)


BAD_FIELDS = [
    ("capture_payment", {"payment": "999"}, 409),
    ("capture_payment", {"payment": ""}, 422),
    ("capture_payment", {"payment": "-1"}, 422),
    ("capture_payment", {"payment": "9" * 30}, 422),
    ("void_payment", {"reason": " "}, 422),
    ("void_payment", {"reason": "x" * 5000}, 422),
    ("void_payment", {"reason": "a\x07b"}, 422),
    ("void_payment", {"payment": "x"}, 422),
    ("refund_payment", {"reason": ""}, 422),
    ("refund_payment", {"kind": ""}, 422),
    ("refund_payment", {"kind": "magic"}, 422),
    ("refund_payment", {"kind": "999"}, 409),
    ("refund_payment", {"kind": "hand"}, 409),
    ("restore", {"reason": ""}, 422),
    ("restore", {"notify": "perhaps"}, 422),
    ("receive_money", {"reference": "x" * 200}, 422),
    ("keep_credit", {"reason": ""}, 422),
    ("keep_credit", {"amount": "3.01"}, 409),
    ("extend_reservation", {"until": ""}, 422),
    ("extend_reservation", {"until": "soon"}, 422),
    ("extend_reservation", {"until": "0001-01-01"}, 422),
    ("extend_reservation", {"until": "9999-12-31"}, 422),
    ("extend_reservation", {"until": "2001-01-01"}, 422),
    ("extend_reservation", {"until": in_days(1)}, 422),
    ("extend_reservation", {"until": in_days(800)}, 422),
    ("extend_reservation", {"reason": ""}, 422),
    ("confirm_payout", {"reference": "x" * 200}, 422),
    ("confirm_payout", {"key": "!"}, 422),
    ("confirm_payout", {"version": ""}, 422),
]


@pytest.mark.feature("E3")
@pytest.mark.parametrize(("name", "wrong", "status"), BAD_FIELDS)
def test_bad_input_changes_nothing(name, wrong, status, client, boss):
    make, where, typed = CASES[name]
    order = make()
    data = form_data(client, where(order), **typed)
    before = everything()
    response = client.post(where(order), {**data, **wrong})
    assert response.status_code == status, text_of(response)
    assert 'class="ff-errors"' in response.content.decode() or 'role="alert"' in response.content.decode()
    assert everything() == before


def test_a_stale_form_is_told(client, boss):
    order = reserved()
    url = page_url(order, "order-extend-reservation")
    data = form_data(client, url, until=in_days(20), reason="x")
    payments.approve_payment(order=order, actor=factories.TEAM)
    response = client.post(url, data)
    assert response.status_code == 409
    assert "The order has changed since you looked at it." in text_of(response)


# ---- What the merchant sees at once ----


@pytest.mark.feature("E2", "Z7")
def test_a_capture_is_done_while_the_person_waits(client, boss):
    order, payment, provider = held()
    page = client.get(page_url(order))
    assert page.context["steps"].way[0].name == "capture_payment"
    assert page.context["steps"].next.name == "release"
    data = form_data(client, step_url(order, "capture_payment"))
    assert data["amount"] == TWENTY
    assert said(client, client.post(step_url(order, "capture_payment"), data)) == ["R$20.00 charged."]
    assert statuses(order)[0] == "paid"
    text = text_of(client.get(page_url(order)))
    assert "Bruna asked the provider" not in text  # the history shows labels, not sentences
    assert "Charge asked for" in text


def test_a_part_is_charged_and_the_rest_goes_back(client, boss):
    order, _payment, _provider = held()
    data = form_data(client, step_url(order, "capture_payment"), amount="15.00")
    assert said(client, client.post(step_url(order, "capture_payment"), data)) == ["R$15.00 charged."]
    assert money(order) == (Decimal("15.00"), Decimal("15.00"), 0)
    assert open_kinds(order) == ["underpaid"]


def test_all_or_nothing_is_said_in_the_form(client, boss):
    order, _payment, _provider = held(method=hold_method("whole", provider_method="whole"))
    text = text_of(client.get(step_url(order, "capture_payment")))
    assert "takes the whole held sum or nothing" in text
    assert "readonly" in text
    data = form_data(client, step_url(order, "capture_payment"), amount="5")
    assert client.post(step_url(order, "capture_payment"), data).status_code == 422


@pytest.mark.feature("E4")
@pytest.mark.parametrize("accident", ["down", "lost"])
def test_a_provider_that_does_not_answer_leaves_the_request_pending(accident, client, boss):
    order, payment, provider = held()
    data = form_data(client, step_url(order, "capture_payment"))
    provider.go_down() if accident == "down" else provider.lose_answers()
    (message,) = said(client, client.post(step_url(order, "capture_payment"), data))
    assert "answer is pending" in message
    assert PaymentOperation.objects.get().status == "requested"
    assert "Asked, the answer is pending" in text_of(client.get(page_url(order)))
    response = client.get(step_url(order, "capture_payment"))
    assert "The provider has been asked already" in text_of(response)
    (message,) = said(client, client.post(page_url(order, "order-payment-check", payment=payment.pk)))
    assert message == "R$20.00 charged."
    assert statuses(order)[0] == "paid"
    assert [effect[0] for effect in provider.effects].count("capture") == 1


def test_a_bug_in_an_adapter_is_no_error_page(client, boss, monkeypatch):
    order, _payment, provider = held()

    def broken(*args, **kwargs):
        raise RuntimeError("boom")

    monkeypatch.setattr(type(provider), "capture", broken)
    (message,) = said(client, client.post(step_url(order, "capture_payment"), form_data(client, step_url(order, "capture_payment"))))  # fmt: skip
    assert "answer is pending" in message
    monkeypatch.setattr(type(provider), "fetch", broken)
    (message,) = said(client, client.post(page_url(order, "order-payments-check")))
    assert "It is in the log" in message


def test_a_refusal_is_shown_with_the_providers_words_and_can_be_tried_again(client, boss):
    order, _payment, provider = held()
    provider.refuse("the hold is gone")
    data = form_data(client, step_url(order, "capture_payment"))
    assert said(client, client.post(step_url(order, "capture_payment"), data)) == [
        "The provider said no: the hold is gone"
    ]
    text = text_of(client.get(page_url(order)))
    for shown in ("The held sum could not be charged.", "the hold is gone", "To do for this order", "Try again"):
        assert shown in text
    data = form_data(client, step_url(order, "capture_payment"))
    assert said(client, client.post(step_url(order, "capture_payment"), data)) == ["R$20.00 charged."]
    assert open_kinds(order) == []
    assert FollowUp.objects.get().outcome == "done"


@pytest.mark.feature("E2")
def test_giving_a_hold_back(client, boss):
    order, _payment, provider = held()
    url = page_url(order, "order-void-payment")
    assert "The order is cancelled with it" in text_of(client.get(url))
    (message,) = said(client, client.post(url, form_data(client, url, reason="Sold out")))
    assert message.startswith("The provider has given the money back")
    assert statuses(order) == ("cancelled", "cancelled")


# ---- Refunds ----


@pytest.mark.feature("Z7")
def test_a_refund_in_part_by_the_provider(client, boss):
    order, _payment, _provider = paid()
    url = step_url(order, "refund_payment")
    data = form_data(client, url, amount="5.00", reason="A cup is broken")
    assert said(client, client.post(url, data)) == ["R$5.00 refunded."]
    assert statuses(order)[0] == "partially_refunded"
    assert form_data(client, url)["amount"] == Decimal("15.00")


def test_a_refund_by_hand_is_written_down(client, boss):
    order = factories.paid_order()
    url = step_url(order, "refund_payment")
    assert "Pay it back first: here it is only written down." in text_of(client.get(url))
    data = form_data(client, url, reason="Broken", reference="PIX 9")
    assert data["kind"] == "hand"
    assert said(client, client.post(url, data)) == ["R$20.00 noted as paid back."]
    assert statuses(order)[0] == "refunded"
    assert "Paid back by hand" in text_of(client.get(page_url(order)))


def test_what_a_provider_cannot_refund_is_paid_back_by_hand(client, boss):
    order, payment, provider = paid(method=factories.gateway_method("boleto", provider_method="boleto"))
    url = step_url(order, "refund_payment")
    data = form_data(client, url, amount="8", reason="Broken")
    assert data["kind"] == "hand"
    assert said(client, client.post(url, data)) == ["R$8.00 noted as paid back."]
    assert statuses(order)[0] == "partially_refunded"
    assert money(order) == (TWENTY, TWENTY, Decimal("8.00"))
    refresh(payment)
    assert money(order) == (TWENTY, TWENTY, Decimal("8.00"))
    assert form_data(client, url)["amount"] == Decimal("12.00")
    response = client.post(url, form_data(client, url, amount="12.01", reason="Broken"))
    assert response.status_code == 409
    assert "At most 12.00 BRL came in outside the providers." in text_of(response)


def test_two_ways_back_are_a_choice(client, boss):
    order, payment, _provider = paid()
    receipts.receive_money(order=order, actor=factories.TEAM, amount=Decimal("3"))
    url = step_url(order, "refund_payment")
    text = text_of(client.get(url))
    assert "Demo pay, Card: up to R$20.00" in text
    assert "I pay it back by hand (bank transfer, cash): up to R$3.00" in text
    data = form_data(client, url, reason="Twice")
    assert (data["kind"], data["amount"]) == (str(payment.pk), Decimal("3.00"))
    assert said(client, client.post(url, {**data, "kind": "hand"})) == ["R$3.00 noted as paid back."]
    assert statuses(order)[0] == "paid"


# ---- Late money: three ways ----


@pytest.mark.feature("Z7")
@pytest.mark.parametrize("way", ["restore", "refund", "credit"])
def test_late_money_is_one_click_from_each_of_its_ways(way, client, boss):
    order, _payment, _provider = late()
    before = free_stock(order)
    text = client.get(page_url(order)).content.decode()
    urls = {
        "restore": step_url(order, "restore"),
        "refund": page_url(order, "order-refund-payment"),
        "credit": page_url(order, "order-keep-credit"),
    }
    for url in urls.values():
        assert f'href="{url}"' in text
    assert "R$20.00 came by Demo pay after the order was cancelled." in text_of(client.get(page_url(order)))
    typed = {"reason": "As agreed", **({"notify": "no"} if way == "restore" else {})}
    data = form_data(client, urls[way], **typed)
    if way != "restore":
        assert data["amount"] == TWENTY
    assert said(client, client.post(urls[way], data))
    assert open_kinds(order) == []
    assert OrderFulfillment.objects.get(pk=order.pk).problem == ""
    if way == "restore":
        assert statuses(order) == ("paid", "received")
        assert free_stock(order) == [before[0] - 2]
    else:
        assert statuses(order) == ("cancelled", "cancelled")
    if way == "credit":
        assert f"{order.number}-C1" in text_of(client.get(page_url(order)))


def test_an_order_is_not_restored_without_its_goods(client, boss):
    order, _payment, _provider = late()
    record = order.lines.get().stockrecord
    record.num_in_stock = 1
    record.save()
    url = step_url(order, "restore")
    before = everything()
    response = client.post(url, form_data(client, url, reason="Paid late", notify="no"))
    assert response.status_code == 409
    assert "Not enough in stock" in text_of(response)
    assert everything() == before


# ---- By hand ----


@pytest.mark.feature("D6")
@pytest.mark.parametrize(
    ("amount", "status", "words"),
    [
        ("", "paid", "The status is now “Approved”."),
        ("20.00", "paid", "R$20.00 booked. The payment status is now “Approved”."),
        ("12.00", "awaiting_payment", "R$12.00 booked. R$8.00 is still missing."),
        ("25", "paid", "R$25.00 booked. R$5.00 is too much"),
    ],
)
def test_an_approval_with_the_sum_that_came_in(amount, status, words, client, boss):
    order = factories.placed_order()
    url = step_url(order, "approve_payment")
    data = form_data(client, url, amount=amount, reference="TED 17")
    assert words in said(client, client.post(url, data))[0]
    assert statuses(order)[0] == status
    assert client.post(url, data).status_code == 302  # sent twice
    assert money(order)[1] == Decimal(amount or "20.00")


def test_a_providers_order_is_not_approved_by_a_received_sum(client, boss):
    order, _payment, _provider = begun()
    url = page_url(order, "order-receive-money")
    assert "tells us by itself" in text_of(client.get(url))
    data = {"version": OrderFulfillment.objects.get(pk=order.pk).version, "key": "k" * 12, "amount": "20"}
    before = everything()
    assert client.post(url, data).status_code == 409
    assert everything() == before


def test_cancelling_an_order_that_was_paid_in_part_asks_for_a_refund(client, boss):
    order = factories.placed_order()
    receipts.receive_money(order=order, actor=factories.TEAM, amount=Decimal("12"))
    cancelling.cancel_order(order=order, actor=factories.TEAM, reason="No answer")
    assert OrderFulfillment.objects.get(pk=order.pk).problem == "refund_due"
    url = page_url(order, "order-refund-payment")
    data = form_data(client, url, reason="Cancelled")
    assert data["amount"] == Decimal("12.00")
    assert said(client, client.post(url, data))
    assert OrderFulfillment.objects.get(pk=order.pk).problem == ""


@pytest.mark.feature("E8")
def test_a_reservation_is_extended_to_the_end_of_a_day(client, boss):
    order = reserved()
    url = page_url(order, "order-extend-reservation")
    assert said(client, client.post(url, form_data(client, url, until=in_days(20), reason="Pays on Friday")))
    until = timezone.localtime(PaymentTerms.objects.get(pk=order.pk).reserved_until)
    assert until.date() == timezone.localdate() + timedelta(days=20)
    assert (until.hour, until.minute) == (23, 59)
    text = text_of(client.get(page_url(order)))
    assert "extended once" in text
    assert "Pays on Friday" in text
    assert "<dt>Now until</dt>" in text
    assert "<dt>Before</dt>" in text


@pytest.mark.feature("Z7")
def test_a_confirmed_payout_completes_the_order(client, boss):
    order = awaiting_payout()
    assert "Waits for the payout" in text_of(client.get(page_url(order)))
    url = page_url(order, "order-confirm-payout")
    assert said(client, client.post(url, form_data(client, url, reference="PO-7")))
    assert get_model("order", "Order").objects.get(pk=order.pk).status == "Completed"
    assert "Waits for the payout" not in text_of(client.get(page_url(order)))


# ---- Asking ----


def test_asking_the_provider(client, boss):
    order, payment, provider = begun()
    provider.pay(payment.reference)
    (message,) = said(client, client.post(page_url(order, "order-payments-check")))
    assert message == "Demo pay, Card: Charged."
    assert statuses(order)[0] == "paid"
    provider.go_down()
    (message,) = said(client, client.post(page_url(order, "order-payment-check", payment=payment.pk)))
    assert "cannot be reached now" in message
    provider.payments.clear()
    (message,) = said(client, client.post(page_url(order, "order-payment-check", payment=payment.pk)))
    assert "no such payment" in message


def test_asking_about_nothing_or_somebody_elses_payment(client, boss):
    order, payment, _provider = begun()
    other = factories.placed_order()
    assert said(client, client.post(page_url(other, "order-payments-check"))) == [
        "No provider was asked for money for this order."
    ]
    for pk in (payment.pk, 999, 10**30):
        assert client.post(page_url(other, "order-payment-check", payment=pk)).status_code == 404
    assert client.get(page_url(order, "order-payments-check")).status_code == 405
    client.force_login(factories.staff_user("view_order"))
    assert client.post(page_url(order, "order-payments-check")).status_code == 403


def test_a_provider_that_was_taken_out_of_the_settings_does_not_break_the_page(client, boss, settings):
    order, payment, _provider = held()
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "GATEWAYS": {}}
    assert "demo, card" in text_of(client.get(page_url(order)))
    (message,) = said(client, client.post(page_url(order, "order-payment-check", payment=payment.pk)))
    assert "cannot be reached now" in message


# ---- The card ----


@pytest.mark.feature("E5")
def test_the_card_counts_down_and_warns(client, boss):
    order, payment, _provider = held()
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(days=2, hours=4, minutes=1))
    text = client.get(page_url(order)).content.decode()
    assert "2 days 4 hours" in text
    assert "ff-hold-left ff-soon" not in text
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(hours=30, minutes=1))
    hold_clock.watch_holds()
    text = client.get(page_url(order)).content.decode()
    assert "1 day 6 hours" in text
    assert "ff-hold-left ff-soon" in text
    assert "Charge the held sum" in text


def test_hostile_words_of_a_provider_stay_text(client, boss):
    order, payment, provider = begun()
    hostile = "<script>alert(1)</script>"
    provider.change(payment.reference, state=PaymentState.REFUSED, reason=hostile)
    refresh(payment)
    FollowUp.objects.create(
        fulfillment=order.fulfillment, kind="operation_failed", key="k", due_at=timezone.now(),
        opened_at=timezone.now(), data={"what": hostile, "error": hostile, "amount": hostile}, note=hostile,
    )  # fmt: skip
    text = client.get(page_url(order)).content.decode()
    assert hostile not in text
    assert "&lt;script&gt;" in text


@pytest.mark.feature("Z1")
@pytest.mark.parametrize("make", [lambda: held()[0], lambda: paid()[0], reserved, overpaid, lambda: late()[0]])
def test_the_page_costs_at_most_twenty_queries(make, client, boss):
    order = make()
    client.get(page_url(order))
    with CaptureQueriesContext(connection) as queries:
        response = client.get(page_url(order))
    assert response.status_code == 200
    assert len(queries) <= 20, "\n".join(query["sql"][:150] for query in queries)


def test_earlier_attempts_are_folded(client, boss):
    order, payment, provider = begun(factories.gateway_method("retry", retry_hours=48))
    provider.change(payment.reference, state=PaymentState.REFUSED, reason="not enough money")
    refresh(payment)
    second = provider_payments.begin_payment(order=order, actor=factories.TEAM, return_url="https://shop.example/")
    provider.pay(second.reference)
    refresh(second)
    text = text_of(client.get(page_url(order)))
    assert "1 earlier attempt to pay" in text
    assert "Refused by the card" in text
    assert text.index(f'id="payment-{second.pk}"') < text.index(f'id="payment-{payment.pk}"')
