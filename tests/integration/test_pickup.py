"""Goods that the customer comes for: ready, code, cash, handed over."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import OutboundMessage, Shipment, StatusChange
from oscar_fulfillment.selectors.customer import order_journey
from oscar_fulfillment.selectors.pickup import find_by_pickup_code, goods_at_the_counter
from oscar_fulfillment.services import audit, cash, holds, mails, packed, pickup, receipts, release, shipping
from oscar_fulfillment.signals import order_delivered, pickup_ready
from oscar_fulfillment.test import factories

from .desk import begun, cash_order, packer, scan, waiting, with_counter

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D5")]


@pytest.fixture(autouse=True)
def counter(settings):
    with_counter(settings)


@pytest.fixture
def clerk(db):
    return packer(first_name="Clara")


@pytest.fixture
def order(db):
    return cash_order()


@pytest.fixture
def ready(order, clerk):
    pickup.ready_for_pickup(order=order, actor=clerk)
    return waiting(order)


def fresh(order):
    return get_model("order", "Order").objects.select_related("fulfillment").get(pk=order.pk)


def statuses(order):
    return fresh(order).fulfillment.payment_status, fresh(order).fulfillment.shipping_status


def books(order):
    return list(order.sources.values_list("source_type__name", "amount_debited"))


def test_ready_gives_a_code_and_the_mail(order, clerk, django_capture_on_commit_callbacks):
    heard = []
    pickup_ready.connect(lambda **kwargs: heard.append(kwargs["shipments"]), weak=False, dispatch_uid="t")
    try:
        with django_capture_on_commit_callbacks(execute=True):
            change = pickup.ready_for_pickup(order=order, actor=clerk)
    finally:
        pickup_ready.disconnect(dispatch_uid="t")
    shipment = waiting(order)
    assert heard == [[shipment.pk]]
    assert len(shipment.pickup_code) == pickup.DIGITS
    assert shipment.pickup_code.isdecimal()
    assert shipment.pickup_code not in str(change.data)  # the history is read by many
    assert find_by_pickup_code(f" {shipment.pickup_code[:4]} {shipment.pickup_code[4:]}") == shipment
    assert goods_at_the_counter() == [shipment]
    with pytest.raises(TransitionNotAllowed, match="knows already"):
        pickup.ready_for_pickup(order=order, actor=clerk)
    message = OutboundMessage.objects.get(kind="FULFILLMENT_READY_FOR_PICKUP")
    mails.send_mail(message)
    sent = mail.outbox[-1]
    assert order.number in sent.subject
    assert "ready to be collected" in sent.subject
    for text in (sent.body, sent.alternatives[0][0]):
        assert shipment.pickup_code in text
        assert "Rue de Bourg 12" in text
        assert "20.00" in text
    (attached,) = sent.attachments
    assert attached[0] == f"{shipment.pickup_code}.png"
    assert attached[1].startswith(b"\x89PNG")


def test_the_code_on_the_picture_is_read_back(ready):
    zxingcpp = pytest.importorskip("zxingcpp")
    from io import BytesIO

    from PIL import Image

    from oscar_fulfillment.documents.qr import qr_png

    read = zxingcpp.read_barcodes(Image.open(BytesIO(qr_png(ready.pickup_code))))
    assert [found.text for found in read] == [ready.pickup_code]


def test_a_mail_that_comes_too_late_stays_unsent(order, ready, clerk):
    message = OutboundMessage.objects.get(kind="FULFILLMENT_READY_FOR_PICKUP")
    pickup.hand_over_order(order=order, actor=clerk, code=ready.pickup_code, cash_taken=Decimal(20))
    mails.send_mail(message)
    assert mail.outbox == []


def test_the_customer_sees_the_code_while_the_goods_wait(order, ready, clerk):
    (seen,) = order_journey(fresh(order)).pickups
    assert (seen.code, seen.place, seen.contents) == (ready.pickup_code, "Rue de Bourg 12", (("Mug", 2),))
    pickup.hand_over_order(order=order, actor=clerk, code=ready.pickup_code, cash_taken=Decimal(20))
    journey = order_journey(fresh(order))
    assert journey.pickups == []
    assert [str(happening.label) for happening in journey.happenings][-3:] == [
        "Ready to be collected", "Collected", "Payment received",
    ]  # fmt: skip


def test_handed_over_by_code_with_the_cash(order, ready, clerk, django_capture_on_commit_callbacks):
    heard = []
    order_delivered.connect(lambda **kwargs: heard.append(kwargs["change"].action), weak=False, dispatch_uid="t")
    try:
        with django_capture_on_commit_callbacks(execute=True):
            change = pickup.hand_over_order(
                order=order, actor=clerk, code=ready.pickup_code, cash_taken=Decimal("20.00"), handed_to="Her son"
            )
    finally:
        order_delivered.disconnect(dispatch_uid="t")
    assert heard == ["hand_over"]
    assert change.data == {
        "shipments": [ready.pk], "amount": "20.00", "currency": "EUR", "by_code": True, "handed_to": "Her son",
    }  # fmt: skip
    assert statuses(order) == ("paid", "delivered")
    assert fresh(order).status == "Completed"
    assert books(order) == [("Deposit", Decimal("20.00"))]
    ready.refresh_from_db()
    assert (ready.status, ready.handed_to, bool(ready.dispatched_at), bool(ready.delivered_at)) == (
        "delivered", "Her son", True, True,
    )  # fmt: skip
    record = order.lines.get().stockrecord
    record.refresh_from_db()
    assert (record.num_in_stock, record.num_allocated) == (18, 0)
    kinds = set(order.outbound_messages.values_list("kind", flat=True))
    assert not kinds & {"FULFILLMENT_ORDER_DISPATCHED", "FULFILLMENT_ORDER_DELIVERED"}
    assert list(audit.audit_payments()) == []
    assert find_by_pickup_code(ready.pickup_code) is None


@pytest.mark.parametrize(
    ("taken", "words"),
    [(None, "20.00 are due"), ("0", "20.00 are missing"), ("18.50", "1.50 are missing"), ("20.01", "0.01 are too much"),
     ("-1", "no sum"), ("NaN", "no sum"), ("1e30", "no sum")],
)  # fmt: skip
def test_the_cash_must_be_what_is_due(order, ready, clerk, taken, words):
    with pytest.raises(InvalidInput, match=words) as refused:
        pickup.hand_over_order(
            order=order, actor=clerk, code=ready.pickup_code, cash_taken=None if taken is None else Decimal(taken)
        )
    assert list(refused.value.errors) == ["cash_taken"]
    assert statuses(order) == ("awaiting_payment", "released")
    assert books(order) == []
    ready.refresh_from_db()
    assert ready.status == "pending"


def test_swiss_cash_is_rounded_to_what_coins_can_pay(clerk):
    order = cash_order(currency="CHF", lines=[(factories.product(price="9.99"), 3)])
    assert cash.due_in_cash(order.fulfillment) == Decimal("29.97")
    assert cash.in_coins(Decimal("29.97"), "CHF") == Decimal("29.95")
    assert cash.in_coins(Decimal("29.98"), "CHF") == Decimal("30.00")
    with pytest.raises(InvalidInput, match=r"29\.95 are due"):
        pickup.hand_over_order(order=order, actor=clerk, reason="Known", cash_taken=Decimal("29.90"))
    pickup.hand_over_order(order=order, actor=clerk, reason="Known", cash_taken=Decimal("29.95"))
    assert statuses(order) == ("paid", "delivered")
    assert list(audit.audit_payments()) == []


def test_what_is_paid_already_is_not_taken_again(clerk):
    order = factories.released_order(currency="EUR")
    with pytest.raises(InvalidInput, match="Nothing is to be paid in cash"):
        pickup.hand_over_order(order=order, actor=clerk, reason="Known", cash_taken=Decimal(20))
    pickup.hand_over_order(order=order, actor=clerk, reason="Known", cash_taken=Decimal(0))
    assert statuses(order) == ("paid", "delivered")
    assert order.sources.count() == 1


def test_without_the_code_a_reason_is_written(order, ready, clerk):
    with pytest.raises(InvalidInput, match="how you know"):
        pickup.hand_over_order(order=order, actor=clerk, cash_taken=Decimal(20))
    change = pickup.hand_over_order(order=order, actor=clerk, reason="Passport seen", cash_taken=Decimal(20))
    assert change.reason == "Passport seen"
    assert change.data["by_code"] is False


def test_wrong_codes_are_counted_and_lock_the_code(order, ready, clerk, monkeypatch):
    wrong = "1" * pickup.DIGITS if ready.pickup_code[0] != "1" else "2" * pickup.DIGITS
    give = {"order": order, "actor": clerk, "cash_taken": Decimal(20)}
    version = fresh(order).fulfillment.version
    for _time in range(pickup.MOST_TRIES):
        with pytest.raises(InvalidInput, match="not the code of these goods"):
            pickup.hand_over_order(code=wrong, **give)
    assert StatusChange.objects.filter(action="wrong_code", actor_label="Clara").count() == pickup.MOST_TRIES
    with pytest.raises(InvalidInput, match="Too many wrong codes"):
        pickup.hand_over_order(code=ready.pickup_code, **give)
    assert statuses(order) == ("awaiting_payment", "released")
    # Who opened the form before is not told that it is stale, and time heals.
    monkeypatch.setattr(pickup, "REST", timedelta(seconds=-60))
    pickup.hand_over_order(code=ready.pickup_code, expected_version=version, **give)
    assert statuses(order) == ("paid", "delivered")


def test_a_locked_code_does_not_keep_the_goods_from_a_known_customer(order, ready, clerk):
    for _time in range(pickup.MOST_TRIES):
        with pytest.raises(InvalidInput):
            pickup.hand_over_order(order=order, actor=clerk, code="99")
    pickup.hand_over_order(order=order, actor=clerk, reason="Passport seen", cash_taken=Decimal(20))
    assert statuses(order) == ("paid", "delivered")


@pytest.mark.parametrize("typed", ["{0} {1}", "{0}-{1}", " {0}{1}\n"])
def test_codes_are_read_as_people_write_them(order, ready, clerk, typed):
    code = ready.pickup_code
    pickup.hand_over_order(order=order, actor=clerk, code=typed.format(code[:4], code[4:]), cash_taken=Decimal(20))
    assert statuses(order) == ("paid", "delivered")


def test_a_code_scanned_on_a_french_computer(order, ready, clerk):
    code = ready.pickup_code.translate(str.maketrans("1234567890", "&é\"'(-è_çà"))
    assert find_by_pickup_code(code) == ready
    pickup.hand_over_order(order=order, actor=clerk, code=code, cash_taken=Decimal(20))
    assert statuses(order) == ("paid", "delivered")


def test_a_code_that_anybody_can_reckon_proves_nothing(order, ready, clerk):
    with pytest.raises(InvalidInput, match="customer's own code"):
        pickup.hand_over_order(order=order, actor=clerk, code=scan_codes.pickup_code(ready.pk))
    assert not StatusChange.objects.filter(action="wrong_code").exists()


def test_goods_without_a_code_ask_for_a_reason(order, clerk):
    with pytest.raises(InvalidInput, match="no code yet"):
        pickup.hand_over_order(order=order, actor=clerk, code="12345678")


def test_the_same_form_sent_twice_is_one_step(order, ready, clerk):
    give = {"order": order, "actor": clerk, "code": ready.pickup_code, "cash_taken": Decimal(20), "key": "once"}
    first = pickup.hand_over_order(**give)
    assert pickup.hand_over_order(**give).pk == first.pk
    assert books(order) == [("Deposit", Decimal(20))]
    with pytest.raises(TransitionNotAllowed):
        pickup.hand_over_order(**give | {"key": "twice"})


def test_the_code_of_other_goods_is_wrong(order, ready, clerk):
    other = cash_order()
    pickup.ready_for_pickup(order=other, actor=clerk)
    with pytest.raises(InvalidInput, match="not the code of these goods"):
        pickup.hand_over_order(order=order, actor=clerk, code=waiting(other).pickup_code, cash_taken=Decimal(20))


def test_orders_that_are_sent_or_wait_are_not_handed_over(settings, order, ready, clerk, team):
    holds.place_hold(order=order, actor=team, code="address")
    with pytest.raises(TransitionNotAllowed, match="on hold"):
        pickup.hand_over_order(order=order, actor=clerk, code=ready.pickup_code, cash_taken=Decimal(20))
    unpaid = factories.placed_order(currency="EUR")
    for call in (pickup.ready_for_pickup, pickup.hand_over_order):
        options = {"reason": "Known"} if call is pickup.hand_over_order else {}
        with pytest.raises(TransitionNotAllowed):
            call(order=unpaid, actor=clerk, **options)
    settings.OSCAR_FULFILLMENT = {k: v for k, v in settings.OSCAR_FULFILLMENT.items() if k != "CARRIERS"}
    sent = factories.released_order(currency="EUR")
    with pytest.raises(TransitionNotAllowed, match="it is sent"):
        pickup.ready_for_pickup(order=sent, actor=clerk)
    with pytest.raises(TransitionNotAllowed, match="it is sent"):
        pickup.hand_over_order(order=sent, actor=clerk, reason="Known")


def test_a_part_is_handed_over_first_and_the_cash_comes_with_the_rest(clerk):
    mug = factories.product(stock=1)
    method = factories.manual_method("cash", paid_on_delivery=True, ships_before_payment=True)
    order = factories.placed_order(currency="EUR", method=method, lines=[(mug, 1)])
    line = order.lines.get()
    type(line).objects.filter(pk=line.pk).update(quantity=2, num_allocated=2)
    release.release_order(order=order, actor=clerk, in_part=True)
    pickup.hand_over_order(order=order, actor=clerk, reason="Known")
    assert statuses(order) == ("awaiting_payment", "partially_dispatched")
    mug.stockrecords.update(num_in_stock=5)
    release.release_order(order=fresh(order), actor=clerk)
    with pytest.raises(InvalidInput, match="are missing"):
        pickup.hand_over_order(order=order, actor=clerk, reason="Known")
    pickup.hand_over_order(order=order, actor=clerk, reason="Known", cash_taken=order.total_incl_tax)
    assert statuses(order) == ("paid", "delivered")


def test_one_of_several_shipments_is_chosen(order, clerk):
    shipment = begun(waiting(order), clerk)
    scan(shipment, clerk, order.lines.get().partner_sku)
    packed.close_packing(shipment=shipment.pk, actor=clerk, in_part=True)
    for call in (pickup.ready_for_pickup, pickup.hand_over_order):
        options = {"reason": "Known"} if call is pickup.hand_over_order else {}
        with pytest.raises(TransitionNotAllowed, match="choose one"):
            call(order=order, actor=clerk, **options)
    rest = Shipment.objects.exclude(pk=shipment.pk).get()
    for row in (shipment, rest):
        pickup.ready_for_pickup(order=order, actor=clerk, shipment=row.pk)
    shipment.refresh_from_db()
    rest.refresh_from_db()
    assert shipment.pickup_code != rest.pickup_code
    with pytest.raises(InvalidInput, match="not the code"):
        pickup.hand_over_order(order=order, actor=clerk, shipment=shipment.pk, code=rest.pickup_code)
    pickup.hand_over_order(order=order, actor=clerk, shipment=shipment.pk, code=shipment.pickup_code)
    assert statuses(order) == ("awaiting_payment", "partially_dispatched")
    pickup.hand_over_order(order=order, actor=clerk, shipment=rest.pk, code=rest.pickup_code, cash_taken=Decimal(20))
    assert statuses(order) == ("paid", "delivered")


def test_packed_goods_are_handed_over_with_their_boxes(order, clerk):
    shipment = begun(waiting(order), clerk)
    scan(shipment, clerk, order.lines.get().partner_sku, quantity=2)
    packed.close_packing(shipment=shipment.pk, actor=clerk)
    with pytest.raises(TransitionNotAllowed, match="handed over, not sent"):
        packed.dispatch_by_code(shipment=shipment.pk, actor=clerk, text="AA123456785BR")
    pickup.ready_for_pickup(order=order, actor=clerk)
    pickup.hand_over_order(order=order, actor=clerk, code=waiting(order).pickup_code, cash_taken=Decimal(20))
    assert shipment.parcels.get().status == "delivered"


def test_a_courier_paid_at_the_door_books_as_before(settings, order, clerk):
    settings.OSCAR_FULFILLMENT = {k: v for k, v in settings.OSCAR_FULFILLMENT.items() if k != "CARRIERS"}
    shipping.dispatch_order(order=order, actor=clerk)
    shipping.deliver_order(order=order, actor=clerk)
    assert statuses(order) == ("paid", "delivered")
    assert books(order) == [("Deposit", Decimal(20))]


def test_a_sum_in_the_ledger_is_not_due_any_more(order, ready, clerk):
    receipts.receive_money(order=order, actor=clerk, amount=Decimal("5.00"))
    assert cash.due_in_cash(fresh(order).fulfillment) == Decimal("15.00")
    pickup.hand_over_order(order=fresh(order), actor=clerk, code=ready.pickup_code, cash_taken=Decimal(15))
    assert statuses(order) == ("paid", "delivered")
    assert list(audit.audit_payments()) == []
