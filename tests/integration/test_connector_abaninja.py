"""AbaNinja beside a Swiss shop: the order as an invoice, "paid" there releases it here, what follows goes there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import ConnectorState, FollowUp, OutboundMessage, OutsideChange
from oscar_fulfillment.services import cancelling, connector_ledger, payments, receipts, release, restoring, shipping
from oscar_fulfillment.services.connector_exports import order_export
from oscar_fulfillment.test import factories
from sandbox.simulators import abaninja as simulation

from .abaninja import TEAM, again, ask, books, hear, heard, invoice, invoices, lausanne, money_there, placed, swiss
from .connectors import due_now, ledger, send
from .parcels import mails
from .payments import money, statuses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("D4", "D7", "D17")]


@pytest.fixture
def vendor():
    with books() as found:
        yield found


def rows(**lookup):
    return [(row.kind, row.status) for row in ledger("abaninja", **lookup)]


def paid_by_card(order):
    payments.approve_payment(order=order, actor=Actor.provider("demo"))


def card_order(**options):
    return swiss(method=factories.gateway_method(), **options)


# The story of a prepaid order


def test_an_order_is_an_invoice_there_and_paid_there_releases_it_here(vendor, client):
    order = swiss()
    (row,) = ledger("abaninja")
    there = invoice(vendor, order)
    assert (row.status, row.external_id, row.external_number) == ("acknowledged", there["uuid"], "R0001")
    assert row.link == f"https://app.abaninja.example/invoices/{there['uuid']}"
    assert (row.outside_state, there["sentStatus"]) == ("sent", "SENT")
    assert Decimal(there["documentTotal"]) == order.total_incl_tax
    assert there["paymentInstructions"] == {"qrIban": "CH4431999123000889012"}
    customer = vendor.books.get("customer", there["receiver"]["personUuid"])
    assert (customer["first_name"], customer["last_name"]) == ("Luc", "Favre")
    assert customer["addresses"][0]["state"] == "VD"

    vendor.happen(there, "paid")
    assert len(vendor.letters) == 2  # the payment, and that the invoice is paid
    assert hear(vendor, client) == [200, 200]
    assert statuses(order) == ("paid", "released")
    assert money(order)[1] == order.total_incl_tax
    told = [row for row in order.fulfillment.history.order_by("sequence") if row.actor_label == "abaninja"]
    assert [row.action for row in told] == ["receive_money", "approve_payment", "release"]
    assert {row.actor_kind for row in told} == {"provider"}
    assert mails(order).count("FULFILLMENT_PAYMENT_APPROVED") == 1
    assert mails(order).count("FULFILLMENT_ORDER_CONFIRMED") == 1

    shipping.dispatch_order(order=order, actor=TEAM)
    send("abaninja")
    (note,) = vendor.books.all("delivery-notes")
    assert (note["_of"], note["reference"]) == (there["uuid"], order.number)
    (row,) = ledger("abaninja", kind="delivery_note")
    assert (row.status, row.external_number) == ("acknowledged", "L0001")
    # What they told us is not told back.
    assert not ledger("abaninja", kind="payment")
    assert len(vendor.books.all("payment")) == 1


def test_without_a_webhook_the_shop_asks(vendor):
    order = swiss()
    vendor.happen(invoice(vendor, order), "paid", notify="never")
    assert ask() == {"applied": 1}
    assert statuses(order) == ("paid", "released")
    assert ask() == {"applied": 1}  # the same word again is the same row
    assert OutsideChange.objects.count() == 1
    assert order.fulfillment.history.filter(action="receive_money").count() == 1


def test_webhook_and_question_together_enter_the_money_once(vendor, client):
    order = swiss()
    ask()
    vendor.happen(invoice(vendor, order), "paid", notify="twice")
    assert set(hear(vendor, client)) == {200}
    ask()
    assert money(order)[1] == order.total_incl_tax
    assert heard() == [("sent", "echo"), ("paid", "applied")]
    assert order.fulfillment.history.filter(action="release").count() == 1


def test_a_part_waits_for_the_rest(vendor, client):
    order = swiss()
    vendor.happen(invoice(vendor, order), "part", "5")
    hear(vendor, client)
    assert statuses(order) == ("awaiting_payment", "received")
    assert money(order)[1] == Decimal("5.00")
    assert FollowUp.objects.filter(kind="underpaid", closed_at=None).count() == 1
    vendor.happen(invoice(vendor, order), "paid")
    hear(vendor, client)
    assert statuses(order) == ("paid", "released")
    assert money(order)[1] == order.total_incl_tax
    assert not FollowUp.objects.filter(kind="underpaid", closed_at=None).exists()


def test_missing_goods_keep_a_paid_order_with_the_reason(vendor, client):
    product = factories.product(stock=2)
    order = swiss(lines=[(product, 2)])
    product.stockrecords.update(num_in_stock=0)
    vendor.happen(invoice(vendor, order), "paid")
    hear(vendor, client)
    assert statuses(order) == ("paid", "received")
    assert FollowUp.objects.get(kind="outside_refused").fulfillment_id == order.pk


def test_an_invoice_paid_after_the_goods_left_is_only_money(vendor, client):
    method = factories.manual_method("on-invoice", ships_before_payment=True)
    order = swiss(method=method)
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    vendor.happen(invoice(vendor, order), "paid")
    hear(vendor, client)
    assert statuses(order) == ("paid", "dispatched")
    assert not FollowUp.objects.filter(kind="outside_refused").exists()


def test_a_draft_stays_one_and_is_paid_once_it_was_sent(client):
    with books(document="draft") as vendor:
        order = swiss()
        there = invoice(vendor, order)
        assert (there["sentStatus"], ledger("abaninja")[0].outside_state) == ("OPEN", "open")
        vendor.happen(there, "markSent")
        vendor.happen(invoice(vendor, order), "paid")
        hear(vendor, client)
        assert statuses(order) == ("paid", "released")


def test_a_draft_with_nothing_open_is_not_taken_for_paid():
    with books(simulation.AbaNinja(zero_drafts=True), document="draft") as vendor:
        order = swiss()
        ask()
        assert statuses(order) == ("awaiting_payment", "received")
        assert money(order)[1] == 0
        assert vendor.books.count("invoices") == 1


def test_an_account_that_says_so_takes_paid_drafts(client):
    with books(document="draft", paid_drafts=True) as vendor:
        order = swiss()
        vendor.happen(invoice(vendor, order), "paid")
        hear(vendor, client)
        assert statuses(order) == ("paid", "released")


def test_abaninja_mails_it_where_that_is_wanted():
    with books(document="email") as vendor:
        order = swiss()
        assert invoice(vendor, order)["sentStatus"] == "SENT"
        assert [call[1].rpartition("/")[2] for call in vendor.calls if call[0] == "PATCH"] == ["email"]


def test_other_currencies_do_not_go_there(vendor):
    factories.placed_order()
    factories.placed_order(currency="EUR")
    assert not OutboundMessage.objects.filter(destination="connector:abaninja").exists()
    assert not vendor.calls


def test_money_in_another_currency_is_not_entered(vendor):
    order = swiss()
    there = invoice(vendor, order)
    vendor.happen(there, "paid", notify="never")
    with vendor.books.change("invoices", there["uuid"]) as changed:
        changed["currencyCode"] = "EUR"
    assert ask() == {"refused": 1}
    assert (statuses(order), money(order)[1]) == (("awaiting_payment", "received"), 0)


# Money that came elsewhere


def test_a_card_payment_is_posted_and_its_echo_moves_nothing(vendor, client):
    order = card_order()
    paid_by_card(order)
    send("abaninja")
    (payment,) = vendor.books.all("payment")
    assert (payment["paymentType"], payment["amount"]) == ("DEBIT_CREDIT_CARD", str(order.total_incl_tax))
    assert payment["paymentDirection"] == "IN"
    assert payment["processing"]["documentUuid"] == invoice(vendor, order)["uuid"]
    assert rows() == [("order", "acknowledged"), ("payment", "acknowledged")]
    hear(vendor, client)
    ask()
    assert money(order)[1] == order.total_incl_tax
    assert statuses(order) == ("paid", "received")  # a person releases it: they said nothing new
    assert {status for _state, status in heard()} == {"echo"}


def test_the_echo_may_be_here_before_the_answer(vendor, client):
    order = card_order()
    paid_by_card(order)
    vendor.fail_next("cut_after", path="/finances")
    send("abaninja")
    assert rows(kind="payment") == [("payment", "sending")]
    hear(vendor, client)
    assert statuses(order) == ("paid", "received")
    again()
    assert rows(kind="payment") == [("payment", "acknowledged")]
    assert len(vendor.books.all("payment")) == 1


def test_only_the_methods_of_the_option_are_posted(vendor):
    order = swiss()
    payments.approve_payment(order=order, actor=TEAM)
    send("abaninja")
    assert rows() == [("order", "acknowledged")]
    assert not vendor.books.all("payment")


def test_a_payment_goes_after_its_order_although_that_was_down(vendor):
    vendor.mood = "down"
    order = card_order()
    paid_by_card(order)
    send("abaninja")
    assert not vendor.books.all("invoices")
    vendor.mood = "well"
    again()
    assert sorted(rows()) == [("order", "acknowledged"), ("payment", "acknowledged")]
    assert money_there(vendor, order) == order.total_incl_tax


def test_an_order_marked_paid_there_before_its_card_was_is_not_posted_twice(vendor):
    order = card_order()
    vendor.happen(invoice(vendor, order), "paid", notify="never")
    paid_by_card(order)
    send("abaninja")
    assert len(vendor.books.all("payment")) == 1
    assert rows(kind="payment") == [("payment", "acknowledged")]
    ask()
    assert money(order)[1] == order.total_incl_tax


def test_a_lost_part_is_found_in_the_list_of_payments(vendor):
    order = card_order()
    receipts.receive_money(order=order, actor=Actor.provider("demo"), amount=Decimal("5.00"))
    vendor.pay(invoice(vendor, order)["uuid"], Decimal("5.00"), notify="never")
    vendor.fail_next("error_after", path="POST /accounts/" + simulation.ACCOUNT + "/finances")
    receipts.receive_money(order=order, actor=Actor.provider("demo"), amount=order.total_incl_tax - 5)
    send("abaninja")
    assert rows(kind="payment") == [("payment", "sending")]
    again()
    assert [payment["amount"] for payment in vendor.books.all("payment")] == ["5.00", str(order.total_incl_tax - 5)]
    assert rows(kind="payment") == [("payment", "acknowledged")]


def test_a_full_refund_is_a_credit_note(vendor):
    order = card_order()
    paid_by_card(order)
    receipts.note_refund(order=order, actor=TEAM, amount=order.total_incl_tax, reason="Sent back")
    send("abaninja")
    (note,) = vendor.books.all("credit-notes")
    assert note["_of"] == invoice(vendor, order)["uuid"]
    (row,) = ledger("abaninja", kind="credit_note")
    assert (row.status, row.external_number) == ("acknowledged", "G0001")


def test_a_refund_in_part_is_left_to_a_person(vendor):
    order = card_order()
    paid_by_card(order)
    receipts.note_refund(order=order, actor=TEAM, amount=Decimal("1.00"), reason="A scratch")
    send("abaninja")
    assert not vendor.books.all("credit-notes")
    (row,) = ledger("abaninja", kind="credit_note")
    assert row.status == "failed"
    assert "1.00" in row.error
    assert "by hand" in row.error
    assert FollowUp.objects.get(kind="export_failed").fulfillment_id == order.pk


def test_what_came_too_much_goes_back_without_a_credit_note(vendor):
    order = swiss()
    receipts.receive_money(order=order, actor=TEAM, amount=order.total_incl_tax + 5)
    receipts.note_refund(order=order, actor=TEAM, amount=Decimal("5.00"), reason="Paid too much")
    send("abaninja")
    assert rows(kind="credit_note") == [("credit_note", "acknowledged")]
    assert not vendor.books.all("credit-notes")
    assert not FollowUp.objects.filter(kind="export_failed").exists()


# Lost answers, duplicates, the queue


@pytest.mark.parametrize("accident", ["cut_before", "cut_after", "error_before", "error_after", "garbage", "busy"])
@pytest.mark.parametrize(
    "path", ["/addresses/v2/addresses", "GET /accounts/21f0a0de-9b1c-4f6e-8d57-3a0c9e5b7d11/documents/v2/invoices",
             "POST /accounts/21f0a0de-9b1c-4f6e-8d57-3a0c9e5b7d11/documents/v2/invoices", "/actions", "/markSent"],
)  # fmt: skip
def test_a_lost_answer_makes_no_second_invoice_and_no_second_customer(vendor, path, accident):
    vendor.fail_next(accident, path=path)
    order = swiss()
    again()
    assert not vendor.accidents
    assert rows() == [("order", "acknowledged")]
    assert [each["sentStatus"] for each in invoices(vendor, order)] == ["SENT"]
    assert vendor.books.count("customer") == 1


@pytest.mark.parametrize("accident", ["cut_before", "cut_after", "error_after", "garbage"])
@pytest.mark.parametrize("path", ["/convertDN", "/delivery-notes", "/convertIC", "/credit-notes", "/payments"])
def test_a_lost_answer_repeats_nothing_that_follows(vendor, path, accident):
    order = card_order()
    release_and_pay(order)
    vendor.fail_next(accident, path=path)
    shipping.dispatch_order(order=order, actor=TEAM)
    receipts.note_refund(order=order, actor=TEAM, amount=order.total_incl_tax, reason="Sent back")
    again()
    assert not vendor.accidents
    assert sorted(rows()) == [(kind, "acknowledged") for kind in ("credit_note", "delivery_note", "order", "payment")]
    counts = [vendor.books.count(kind) for kind in ("invoices", "payment", "delivery-notes", "credit-notes")]
    assert counts == [1, 1, 1, 1]


def release_and_pay(order):
    paid_by_card(order)
    release.release_order(order=order, actor=TEAM)


def test_the_webhook_may_be_here_before_the_invoice_is_known(vendor, client):
    vendor.fail_next("cut_after", path="POST /accounts/" + simulation.ACCOUNT + "/documents/v2/invoices")
    order = swiss()
    assert rows() == [("order", "sending")]
    vendor.happen(invoice(vendor, order), "markSent")
    vendor.happen(invoice(vendor, order), "paid")
    hear(vendor, client)
    assert statuses(order) == ("paid", "released")
    again()
    (row,) = ledger("abaninja")
    assert (row.status, row.external_id, row.outside_state) == ("acknowledged", invoice(vendor, order)["uuid"], "paid")
    assert len(invoices(vendor)) == 1
    ask()
    assert money(order)[1] == order.total_incl_tax


def test_what_is_made_later_is_found_and_what_follows_waits(monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.connectors.abaninja_invoices.PATIENCE", 0)
    with books(simulation.AbaNinja(queue="waits")) as vendor:
        order = card_order()
        assert rows() == [("order", "sent")]
        paid_by_card(order)
        send("abaninja")
        assert rows(kind="payment") == [("payment", "waiting")]
        assert not invoices(vendor)
        vendor.work_queue()
        again()
        assert len(invoices(vendor)) == 1
        assert money_there(vendor, order) == order.total_incl_tax
        ask()
        assert sorted(rows()) == [("order", "acknowledged"), ("payment", "acknowledged")]
        assert order_export("abaninja", order.pk).external_id == invoice(vendor, order)["uuid"]


def test_a_queue_that_is_quick_is_waited_for(monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.connectors.abaninja_invoices.PAUSE", 0.05)
    with books(simulation.AbaNinja(queue="waits")) as vendor:
        asked = type(vendor).queued

        def queued(self, request, **values):
            answer = asked(self, request, **values)
            vendor.work_queue()
            return answer

        monkeypatch.setattr(vendor, "queued", queued.__get__(vendor))
        order = swiss()
        assert rows() == [("order", "acknowledged")]
        assert invoice(vendor, order)["sentStatus"] == "SENT"


def test_what_the_queue_refuses_is_shown(monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.connectors.abaninja_invoices.PATIENCE", 0)
    with books(simulation.AbaNinja(queue="fails")) as vendor:
        order = card_order()
        vendor.work_queue()
        paid_by_card(order)
        send("abaninja")
        (row,) = ledger("abaninja", kind="payment")
        assert row.status == "failed"
        assert "number range" in row.error


def test_an_order_that_is_sent_again_by_hand_stays_one(vendor):
    order = swiss()
    (row,) = ledger("abaninja")
    type(row).objects.filter(pk=row.pk).update(status="failed", external_id="")
    row.refresh_from_db()
    connector_ledger.send_again(export=row, actor=TEAM)
    send("abaninja")
    assert rows() == [("order", "acknowledged")]
    assert len(invoices(vendor, order)) == 1


def test_two_dispatches_are_one_delivery_note(vendor):
    product = factories.product(stock=4)
    order = swiss(lines=[(product, 4)])
    payments.approve_payment(order=order, actor=TEAM)
    line = order.lines.get()
    for _time in range(2):
        release.release_order(order=order, actor=TEAM, quantities={line.pk: 2})
        shipping.dispatch_order(order=order, actor=TEAM)
    send("abaninja")
    assert rows(kind="delivery_note") == [("delivery_note", "acknowledged")] * 2
    assert vendor.books.count("delivery-notes") == 1


# Changes of mind


def test_an_order_cancelled_here_is_cancelled_there(vendor, client):
    order = swiss()
    cancelling.cancel_order(order=order, actor=TEAM, reason="Changed my mind")
    send("abaninja")
    assert invoices(vendor, order)[0]["isCancelled"]
    assert rows() == [("order", "acknowledged"), ("cancel", "acknowledged")]
    assert ask() == {"echo": 1}


def test_an_order_taken_up_again_gets_an_invoice_of_its_own(vendor, client):
    order = swiss()
    cancelling.cancel_order(order=order, actor=TEAM, reason="Changed my mind")
    send("abaninja")
    restoring.restore_order(order=order, actor=TEAM, reason="And again")
    send("abaninja")
    assert [each["isCancelled"] for each in invoices(vendor, order)] == [True, False]
    assert order_export("abaninja", order.pk).external_id == invoice(vendor, order)["uuid"]
    ask()
    assert statuses(order) == ("awaiting_payment", "received")
    vendor.happen(invoice(vendor, order), "paid")
    hear(vendor, client)
    assert statuses(order) == ("paid", "released")


def test_a_changed_order_gets_a_new_invoice_while_nothing_is_paid(vendor):
    order = swiss()
    change_total(order, Decimal("30.00"))
    send("abaninja")
    assert [(each["documentTotal"], each["isCancelled"]) for each in invoices(vendor, order)] == [
        ("20.00", True), ("30.00", False),
    ]  # fmt: skip
    assert order_export("abaninja", order.pk).external_id == invoice(vendor, order)["uuid"]


@pytest.mark.parametrize("path", ["/actions/cancel", "POST /accounts/" + simulation.ACCOUNT + "/documents/v2/invoices"])
def test_a_lost_answer_while_an_invoice_is_made_anew_leaves_one(vendor, path):
    order = swiss()
    change_total(order, Decimal("30.00"))
    vendor.fail_next("cut_after", path=path)
    again()
    assert rows() == [("order", "acknowledged")]
    assert invoice(vendor, order)["documentTotal"] == "30.00"


def test_a_paid_invoice_is_not_taken_back(vendor):
    order = swiss()
    vendor.happen(invoice(vendor, order), "paid", notify="never")
    change_total(order, Decimal("30.00"))
    send("abaninja")
    (row,) = ledger("abaninja", kind="order")
    assert row.status == "failed"
    assert "30.00" in row.error
    assert len(invoices(vendor)) == 1


def change_total(order, total):
    """As an edit leaves it: another price of its line, and the record of it."""
    from oscar_fulfillment.core.transitions import Move
    from oscar_fulfillment.services.door import move

    line = order.lines.get()
    line.line_price_incl_tax = line.line_price_excl_tax = total
    line.save()
    order.total_incl_tax = order.total_excl_tax = total
    order.save()
    move(order, Move("edit", "edit_order", is_record=True), actor=TEAM)


def test_cancelled_before_it_was_sent_makes_no_invoice(vendor):
    vendor.mood = "down"
    order = placed()
    cancelling.cancel_order(order=order, actor=TEAM, reason="Changed my mind")
    vendor.mood = "well"
    again()
    assert rows() == [("order", "acknowledged"), ("cancel", "acknowledged")]
    assert not invoices(vendor)


def test_paid_there_after_it_was_cancelled_here_is_late_money(vendor, client):
    order = swiss()
    vendor.forbidden = {"documents"}  # it could not be cancelled there
    cancelling.cancel_order(order=order, actor=TEAM, reason="Unpaid")
    send("abaninja")
    vendor.forbidden = frozenset()
    vendor.happen(invoice(vendor, order), "paid")
    hear(vendor, client)
    assert statuses(order) == ("cancelled", "cancelled")
    assert FollowUp.objects.filter(kind="late_money", closed_at=None).count() == 1


# Whose invoices these are


def test_the_same_buyer_is_one_customer_and_a_new_address_goes_beside(vendor):
    first, second = swiss(), swiss()
    assert invoice(vendor, first)["receiver"] == invoice(vendor, second)["receiver"]
    third = swiss(shipping_address=lausanne(line1="Bahnhofstrasse 12a", line4="Zürich", postcode="8001"))
    (customer,) = vendor.books.all("customer")
    assert [(each["address"], each["street_number"], each["state"]) for each in customer["addresses"]] == [
        ("Rue du Lac", "3", "VD"), ("Bahnhofstrasse", "12a", "ZH"),
    ]  # fmt: skip
    assert invoice(vendor, third)["receiver"]["addressUuid"] == customer["addresses"][1]["uuid"]


def test_another_name_at_the_same_mailbox_is_another_customer(vendor):
    swiss()
    swiss(shipping_address=lausanne(first_name="Mallory", last_name="Mint"))
    assert vendor.books.count("customer") == 2


def test_a_customer_of_the_merchants_own_is_found_by_mailbox_and_name(vendor):
    body = {"type": "person", "customer_number": "K-17", "first_name": "LUC", "last_name": "Favré", "language": "fr",
            "currency_code": "CHF", "uuid": "0b9cd2f8-5d5c-4f0e-a7aa-111111111111",
            "contacts": [{"type": "email", "value": "Luc@Example.com", "primary": True}],
            "addresses": [{"uuid": "0b9cd2f8-5d5c-4f0e-a7aa-222222222222", "address": "Rue du Lac 3", "street_number": "",
                           "city": "Lausanne", "zip_code": "1003", "country_code": "CH", "state": "VD"}]}  # fmt: skip
    vendor.books.put("customer", body["uuid"], body)
    order = swiss()
    assert vendor.books.count("customer") == 1
    assert invoice(vendor, order)["receiver"] == {
        "personUuid": body["uuid"], "addressUuid": "0b9cd2f8-5d5c-4f0e-a7aa-222222222222",
    }  # fmt: skip


def test_hostile_names_arrive_as_plain_text(vendor):
    address = lausanne(first_name="<b>Луc\u202e", last_name="Fav\x07re\x1b[31m" + "x" * 150, line1="Rue\u2028du Lac 3")
    order = swiss(shipping_address=address, lines=[(factories.product(title="<script>alert(1)</script> & Тasse"), 1)])
    assert rows() == [("order", "acknowledged")]
    (customer,) = vendor.books.all("customer")
    name = f"{customer['first_name']} {customer['last_name']}"
    assert name.isprintable()
    assert len(name) <= 101
    assert customer["addresses"][0]["address"] == "Rue du Lac"
    assert invoice(vendor, order)["positions"][0]["productDescription"] == "<script>alert(1)</script> & Тasse"
    from werkzeug.test import Client as Browser

    for page in ("/", f"/invoices/{invoice(vendor, order)['uuid']}"):
        text = Browser(vendor).get(page).get_data(as_text=True)
        assert "<script>alert" not in text
        assert "<b>" not in text


def test_a_firm_is_a_company(vendor):
    order = swiss(fulfillment={"tax_id_kind": "uid", "tax_id": "CHE116281710"})
    (customer,) = vendor.books.all("customer")
    assert (customer["type"], customer["company_name"], customer["id_number"]) == (
        "company", "Luc Favre", "CHE-116.281.710",
    )  # fmt: skip
    assert "companyUuid" in invoice(vendor, order)["receiver"]


def test_invoices_of_the_merchants_own_are_left_alone(vendor, client):
    order = swiss()
    template = invoice(vendor, order)
    foreign = vendor._born("invoices", {**template, "reference": "Projekt Mai", "title": "Beratung"})
    stray = vendor._born("invoices", {**template, "reference": order.number, "title": "Beratung"})
    for each in (foreign, stray):
        vendor.do(each["uuid"], "markSent")
        vendor.happen(vendor.books.get("invoices", each["uuid"]), "paid")
    hear(vendor, client)
    ask()
    assert (statuses(order), money(order)[1]) == (("awaiting_payment", "received"), 0)
    assert set(OutsideChange.objects.values_list("external_id", flat=True)) == {template["uuid"]}
    assert not FollowUp.objects.filter(kind="outside_refused").exists()


def test_an_invoice_of_the_merchants_own_is_never_taken_back(vendor):
    template = invoice(vendor, swiss())
    stray = vendor._born("invoices", {**template, "reference": "T-777", "title": "Beratung", "documentTotal": "99.00"})
    swiss(number="T-777")
    (row,) = ledger("abaninja", status="failed")
    assert "has not made it" in row.error
    assert not vendor.books.get("invoices", stray["uuid"])["isCancelled"]
    assert vendor.books.count("invoices") == 2


# What goes wrong


def test_a_refused_invoice_is_shown_with_their_words_and_sent_again(vendor):
    order = placed(shipping_address=lausanne(postcode="0000"))
    send("abaninja")
    (row,) = ledger("abaninja")
    assert row.status == "failed"
    assert "canton" in row.error
    address = order.shipping_address
    address.state = "vd"
    address.save()
    connector_ledger.send_again(export=row, actor=TEAM)
    send("abaninja")
    assert rows() == [("order", "acknowledged")]


def test_a_refused_key_loses_nothing(vendor):
    vendor.api_key = "renewed"
    swiss()
    (row,) = ledger("abaninja")
    assert row.status == "waiting"
    assert "key" in row.error
    assert simulation.API_KEY not in row.error
    vendor.api_key = simulation.API_KEY
    again()
    assert rows() == [("order", "acknowledged")]


def test_a_key_without_the_scope_is_explained(vendor):
    vendor.forbidden = {"addresses"}
    swiss()
    (row,) = ledger("abaninja")
    assert row.status == "failed"
    assert "scope" in row.error


def test_an_invoice_over_another_sum_is_taken_back_at_once(vendor, monkeypatch):
    born = type(vendor)._born

    def rounded(self, kind, body):
        return born(self, kind, {**body, "documentTotal": "20.05"})

    monkeypatch.setattr(vendor, "_born", rounded.__get__(vendor))
    order = swiss()
    (row,) = ledger("abaninja")
    assert row.status == "failed"
    assert "20.05" in row.error
    assert [each["isCancelled"] for each in invoices(vendor, order)] == [True]


def test_an_invoice_that_is_gone_is_made_again_when_it_is_sent_again(vendor):
    order = card_order()
    vendor.books._db.execute("DELETE FROM document WHERE kind = 'invoices'")
    paid_by_card(order)
    send("abaninja")
    (row,) = ledger("abaninja", kind="payment")
    assert row.status == "failed"
    assert "not in AbaNinja any more" in row.error


def test_unsigned_and_altered_webhooks_are_refused(vendor, client):
    order = swiss()
    vendor.happen(invoice(vendor, order), "paid")
    (letter, _other) = vendor.letters
    good = {simulation.SIGNATURE_HEADER: letter.headers[simulation.SIGNATURE_HEADER]}
    hook = "/fulfillment/webhooks/connectors/abaninja/"
    for body, headers in ((letter.body, {}), (letter.body + b" ", good), (letter.body, {"X-Other": "x"})):
        assert Client().post(hook, body, content_type="application/json", headers=headers).status_code == 401
    signed = vendor.signed([1])
    headers = {simulation.SIGNATURE_HEADER: signed.headers[simulation.SIGNATURE_HEADER]}
    assert client.post(hook, signed.body, content_type="application/json", headers=headers).status_code == 400
    assert statuses(order) == ("awaiting_payment", "received")


def test_a_signed_word_is_only_a_hint(vendor, client):
    order = swiss()
    vendor._notify("invoice-paid", {"uuid": invoice(vendor, order)["uuid"]}, "once")
    vendor._notify("invoice-paid", {"uuid": "00000000-0000-4000-8000-000000000000"}, "once")
    vendor._notify("payment-received", {"uuid": "00000000-0000-4000-8000-000000000000"}, "once")
    vendor._notify("something-new", {"id": 7, "nested": [[[[{"uuid": "../x"}]]]]}, "once")
    assert set(hear(vendor, client)) == {200}
    assert statuses(order) == ("awaiting_payment", "received")


def test_a_payment_hint_leads_to_its_invoice(vendor, client):
    order = swiss()
    payment = vendor.pay(invoice(vendor, order)["uuid"], order.total_incl_tax, notify="never")
    vendor._notify("payment-received", {"uuid": payment["uuid"]}, "once")
    hear(vendor, client)
    assert statuses(order) == ("paid", "released")


@pytest.mark.parametrize("meta", [True, False])
def test_many_changes_are_asked_for_page_by_page(meta):
    with books(simulation.AbaNinja(meta=meta)) as vendor:
        order = swiss()
        template = invoice(vendor, order)
        for number in range(50):
            vendor._born("invoices", {**template, "reference": f"F{number}"})
        later = swiss()
        vendor.happen(invoice(vendor, later), "paid", notify="never")
        assert ask() == {"echo": 1, "nothing": 50, "applied": 1}
        assert statuses(later) == ("paid", "released")
        state = ConnectorState.objects.get()
        assert state.error == ""
        since = (timezone.now().astimezone(UTC) - timedelta(days=2)).date().isoformat()
        assert since <= state.cursor[:10]
        assert state.cursor.endswith("|1|")


def test_a_question_that_fails_halfway_goes_on_there(vendor):
    order = swiss()
    template = invoice(vendor, order)
    for number in range(30):
        vendor._born("invoices", {**template, "reference": f"F{number}"})
    vendor.fail_next("", "error_before", path="GET /accounts/" + simulation.ACCOUNT + "/documents/v2/invoices")
    ask()
    state = ConnectorState.objects.get()
    assert state.cursor.split("|")[1] == "2"
    assert state.error
    ask()
    assert ConnectorState.objects.get().error == ""


def test_what_was_paid_long_ago_is_not_asked_for_forever(vendor):
    vendor.now = lambda: datetime.now(UTC) - timedelta(days=60)
    order = swiss()
    vendor.happen(invoice(vendor, order), "paid", notify="never")
    assert ask() == {}


def test_one_invoice_that_cannot_be_read_hides_no_other(vendor):
    order = swiss()
    template = invoice(vendor, order)
    for broken in ({"uuid": "x"}, {"documentTotal": "much"}, {"_paid": "0"}):
        born = vendor._born("invoices", {**template, "reference": "F1"})
        vendor.books.put("invoices", born["uuid"], {**born, "openAmount": "", **broken, "documentTotal": "1"})
    vendor.happen(invoice(vendor, order), "paid", notify="never")
    ask()
    assert statuses(order) == ("paid", "released")


def test_due_messages_of_one_order_do_not_wait_for_another(vendor):
    bad = placed(shipping_address=lausanne(postcode="0000"))
    good = placed()
    send("abaninja")
    due_now("abaninja")
    found = {row.fulfillment_id: row.status for row in ledger("abaninja")}
    assert found == {bad.pk: "failed", good.pk: "acknowledged"}


# The simulator's pages


def test_a_person_works_an_invoice_on_the_pages(vendor):
    from werkzeug.test import Client as Browser

    browser = Browser(vendor)
    assert "No invoices yet" in browser.get("/").get_data(as_text=True)
    order = swiss()
    page = f"/invoices/{invoice(vendor, order)['uuid']}"
    assert order.number in browser.get("/").get_data(as_text=True)
    for data, status in (
        ({"step": "part", "amount": "5,50"}, 303),
        ({"step": "part", "amount": "much"}, 400),
        ({"step": "teleport"}, 400),
        ({"step": "paid", "notify": "loudly"}, 400),
        ({"step": "dunningSent", "notify": "never"}, 303),
    ):
        assert browser.post(page, data=data).status_code == status, data
    assert "Paid in part (5.50)" in browser.get(page).get_data(as_text=True)
    browser.post(page, data={"step": "paid"})
    assert "<strong>Paid</strong>" in browser.get(page).get_data(as_text=True)
    assert browser.get("/invoices/none").status_code == 404
    assert browser.post("/invoices/none", data={"step": "paid"}).status_code == 404


def test_the_simulator_checks_what_the_vendor_checks(vendor):
    from werkzeug.test import Client as Browser

    browser, base = Browser(vendor), f"/accounts/{simulation.ACCOUNT}"
    key = {"Authorization": f"Bearer {simulation.API_KEY}"}
    assert browser.get(f"{base}/documents/v2/invoices").status_code == 401
    assert browser.get("/accounts/other/documents/v2/invoices", headers=key).status_code == 403
    for path in ("documents/v2/invoices/none", "documents/v2/letters", "documents/v2/queue/none", "addresses/v2/cats",
                 "finances/v2/payments/none", "documents/v2/invoices/none/actions"):  # fmt: skip
        assert browser.get(f"{base}/{path}", headers=key).status_code == 404, path
    for path, body, status in (
        ("documents/v2/invoices", {}, 400), ("documents/v2/invoices", [], 400), ("addresses/v2/addresses", {}, 422),
        ("finances/v2/payments", {}, 400),
    ):  # fmt: skip
        assert browser.post(f"{base}/{path}", json=body, headers=key).status_code == status, path
    order = swiss()
    there = f"{base}/documents/v2/invoices/{invoice(vendor, order)['uuid']}/actions/markSent"
    assert browser.patch(there, json={}, headers=key).status_code == 400  # it is sent already
