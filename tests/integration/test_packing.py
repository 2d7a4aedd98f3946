"""Packing by scan: what counts, what is refused, and that nothing is changed by a refusal."""

import pytest
from django.core import mail

from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import CarrierOrder, Packing, PackingScan, Parcel, ParcelLine, Shipment, StatusChange
from oscar_fulfillment.selectors.scan_desk import find_goods, goods_refusals, nothing_waits
from oscar_fulfillment.services import cancelling, holds, packed, packing, shipping
from oscar_fulfillment.test import factories

from .desk import begun, goods, in_boxes, packed_shipment, packer, scan

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D16"), pytest.mark.feature("Z13")]

MUG = ("Mug", "4006381333931", "MUG-1", 3)
PEN = ("Pen", "012345678905", "PEN-2", 1)
CODE = "AA123456785BR"


@pytest.fixture
def ana(db):
    return packer(first_name="Ana")


@pytest.fixture
def rui(db):
    return packer(first_name="Rui")


@pytest.fixture
def shipment(ana):
    return begun(goods(MUG, PEN), ana)


def why(call, *args, **options):
    """The code of the refusal, and that nothing was counted by it."""
    before = list(ParcelLine.objects.order_by("pk").values()), PackingScan.objects.count()
    with pytest.raises(TransitionNotAllowed) as refused:
        call(*args, **options)
    assert (list(ParcelLine.objects.order_by("pk").values()), PackingScan.objects.count()) == before
    assert str(refused.value)
    return refused.value.reasons[0].code


def test_each_scan_counts_one_up_by_ean_and_by_sku(shipment, ana):
    assert scan(shipment, ana, "4006381333931").line.counted == 1
    assert scan(shipment, ana, "MUG-1").line.counted == 2
    assert scan(shipment, ana, " mug-1\n").line.counted == 3
    last = scan(shipment, ana, "0012345678905")  # the UPC with a zero before it, as some scanners give it
    assert last.line.title == "Pen"
    assert last.is_complete
    assert in_boxes(shipment) == {1: {"Mug": 3, "Pen": 1}}


@pytest.mark.parametrize(
    "typed",
    ['\'àà-"_&"""ç"&', "4006381333931", "٤٠٠٦٣٨١٣٣٣٩٣١", "ЬГП-1", "?UG)&"],
    ids=["ean azerty", "ean", "arabic digits", "sku russian", "sku french"],
)
def test_other_keyboard_layouts_are_read_back(shipment, ana, typed):
    assert scan(shipment, ana, typed).line.title == "Mug"


def test_a_wrong_article_is_refused_by_name(shipment, ana):
    cup = factories.product("Cup", sku="CUP-9")
    with pytest.raises(TransitionNotAllowed, match="“Cup” is not in this shipment"):
        scan(shipment, ana, "CUP-9")
    assert why(scan, shipment, ana, cup.upc) == "wrong_article"
    with pytest.raises(TransitionNotAllowed, match="“nonsense” is no article"):
        scan(shipment, ana, "nonsense\x00")


def test_a_surplus_article_is_refused(shipment, ana):
    scan(shipment, ana, "PEN-2")
    assert why(scan, shipment, ana, "PEN-2") == "surplus"
    assert why(scan, shipment, ana, "MUG-1", quantity=4) == "surplus"


def test_a_scan_sent_again_counts_once(shipment, ana):
    first = scan(shipment, ana, "PEN-2", key="k1")
    again = scan(shipment, ana, "PEN-2", key="k1")
    assert not first.is_repeated
    assert again.is_repeated
    assert again.line.counted == 1
    with pytest.raises(InvalidInput):
        scan(shipment, ana, "MUG-1", key="k" * 65)


def test_the_last_scan_is_taken_back_once(shipment, ana):
    scan(shipment, ana, "MUG-1", key="k1")
    scan(shipment, ana, "MUG-1", key="k2")
    assert packing.undo_scan(shipment=shipment.pk, actor=ana, scan="k2").line.counted == 1
    assert packing.undo_scan(shipment=shipment.pk, actor=ana, scan="k2").is_repeated
    assert in_boxes(shipment) == {1: {"Mug": 1}}
    # A late repetition of the request does not count it again.
    assert scan(shipment, ana, "MUG-1", key="k2").is_repeated
    assert packing.undo_scan(shipment=shipment.pk, actor=ana, scan="k1").line.counted == 0
    assert in_boxes(shipment) == {1: {}}
    assert why(packing.undo_scan, shipment=shipment.pk, actor=ana, scan="k9") == "nothing_to_undo"


def test_articles_are_taken_out_again(shipment, ana):
    scan(shipment, ana, "MUG-1", quantity=2)
    assert scan(shipment, ana, "MUG-1", key="out", take_out=True).line.counted == 1
    assert why(scan, shipment, ana, "PEN-2", take_out=True) == "not_in_box"
    assert why(scan, shipment, ana, "MUG-1", quantity=2, take_out=True) == "not_in_box"
    # Taking a taking-out back puts it in again, if there is room.
    scan(shipment, ana, "MUG-1", quantity=2)
    assert why(packing.undo_scan, shipment=shipment.pk, actor=ana, scan="out") == "surplus"


def test_many_equal_units_are_typed(shipment, ana):
    line = shipment.lines.get(line__title="Mug").line_id
    count = {"shipment": shipment.pk, "actor": ana, "line": line}
    assert packing.count_line(**count, key="a", quantity=3).line.is_complete
    assert packing.count_line(**count, key="b", quantity=-2).line.counted == 1
    assert why(packing.count_line, **count, key="c", quantity=3) == "surplus"
    for absurd in (0, 100_001, -100_001):
        with pytest.raises(InvalidInput):
            packing.count_line(**count, key="d", quantity=absurd)
    assert why(packing.count_line, **count | {"line": 10**9}, key="e", quantity=1) == "wrong_article"


def test_one_article_on_two_lines_fills_both(ana):
    mug = factories.product("Mug", sku="MUG-1")
    order = factories.invoiced_order(lines=[(mug, 1), (factories.product("Pen"), 1)], currency="CHF")
    first, second = order.lines.order_by("pk")
    second.product, second.partner_sku, second.stockrecord = mug, "MUG-1", first.stockrecord
    second.save()
    shipment = begun(Shipment.objects.get(fulfillment=order.pk), ana)
    assert scan(shipment, ana, "MUG-1").line.pk == first.pk
    assert scan(shipment, ana, "MUG-1").line.pk == second.pk
    assert why(scan, shipment, ana, "MUG-1") == "surplus"


def test_the_second_packer_is_told_who_packs_and_may_take_over(shipment, ana, rui):
    scan(shipment, ana, "MUG-1")
    with pytest.raises(TransitionNotAllowed, match="Ana is packing"):
        packing.open_packing(shipment=shipment.pk, actor=rui)
    assert why(scan, shipment, rui, "MUG-1") == "in_other_hands"
    packing.open_packing(shipment=shipment.pk, actor=rui, take_over=True)
    assert scan(shipment, rui, "MUG-1").line.counted == 2
    assert why(scan, shipment, ana, "MUG-1") == "in_other_hands"
    packing.put_aside(shipment=shipment.pk, actor=rui)
    packing.open_packing(shipment=shipment.pk, actor=ana)
    assert Packing.objects.get().packer_label == "Ana"


def test_goods_that_may_not_leave_are_not_packed(ana, team):
    shipment = begun(goods(MUG), ana)
    order = shipment.fulfillment.order
    holds.place_hold(order=order, actor=team, code="address")
    assert why(scan, shipment, ana, "MUG-1") == "on_hold"
    assert why(packing.open_packing, shipment=shipment.pk, actor=ana) == "on_hold"
    holds.release_hold(order=order, actor=team, hold=order.fulfillment.holds.get().pk)
    cancelling.cancel_order(order=order, actor=team, reason="Out")
    assert why(scan, shipment, ana, "MUG-1") == "cancelled"
    assert why(packing.open_packing, shipment=shipment.pk, actor=ana) == "cancelled"
    assert why(packing.open_packing, shipment=10**9, actor=ana) == "no_shipment"


def test_goods_that_have_left_are_not_packed(ana, team):
    shipment = begun(goods(MUG), ana)
    shipping.dispatch_order(order=shipment.fulfillment.order, actor=team)
    assert why(scan, shipment, ana, "MUG-1") == "sent_already"
    assert why(packing.open_packing, shipment=shipment.pk, actor=ana) == "sent_already"
    assert why(packing.reopen_packing, shipment=shipment.pk, actor=ana) == "sent_already"


def test_several_boxes(shipment, ana):
    scan(shipment, ana, "MUG-1", quantity=2)
    box = Packing.objects.get().box_id
    for _time in range(2):  # the second is the same request again
        packing.next_box(shipment=shipment.pk, actor=ana, box=box, weight=1200)
    assert why(packing.next_box, shipment=shipment.pk, actor=ana, box=Packing.objects.get().box_id) == "empty_box"
    scan(shipment, ana, "MUG-1")
    scan(shipment, ana, "PEN-2")
    assert in_boxes(shipment) == {1: {"Mug": 2}, 2: {"Mug": 1, "Pen": 1}}
    assert why(packing.next_box, shipment=shipment.pk, actor=ana, box=Packing.objects.get().box_id) == "all_in"
    change = packed.close_packing(shipment=shipment.pk, actor=ana, weight=800)
    assert change.data == {"shipment": shipment.pk, "boxes": 2, "weight": 2000}
    boxes = list(shipment.parcels.order_by("number"))
    assert [(box.weight, box.packed_by_label, bool(box.packed_at)) for box in boxes] == [
        (1200, "Ana", True), (800, "Ana", True),
    ]  # fmt: skip
    with pytest.raises(InvalidInput):
        packed.close_packing(shipment=shipment.pk, actor=ana, weight=0)


def test_articles_leave_the_box_that_holds_them(shipment, ana):
    scan(shipment, ana, "MUG-1", quantity=3)
    packing.next_box(shipment=shipment.pk, actor=ana, box=Packing.objects.get().box_id)
    scan(shipment, ana, "MUG-1", take_out=True)
    scan(shipment, ana, "MUG-1")
    assert in_boxes(shipment) == {1: {"Mug": 2}, 2: {"Mug": 1}}
    scan(shipment, ana, "MUG-1", take_out=True)
    assert in_boxes(shipment) == {1: {"Mug": 2}, 2: {}}


def test_an_incomplete_shipment_is_not_closed_but_in_part(shipment, ana, team):
    assert why(packed.close_packing, shipment=shipment.pk, actor=ana, in_part=True) == "empty_box"
    scan(shipment, ana, "MUG-1", quantity=2)
    assert why(packed.close_packing, shipment=shipment.pk, actor=ana) == "incomplete"
    change = packed.close_packing(shipment=shipment.pk, actor=ana, in_part=True)
    assert change.data["missing"] == 2
    rest = Shipment.objects.exclude(pk=shipment.pk).get()
    assert [(line.line.title, line.quantity) for line in shipment.lines.all()] == [("Mug", 2)]
    assert {line.line.title: line.quantity for line in rest.lines.all()} == {"Mug": 1, "Pen": 1}
    packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text=CODE, carrier="correios")
    order = shipment.fulfillment.order
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.shipping_status == "partially_dispatched"
    begun(rest, ana)
    assert scan(rest, ana, "PEN-2").line.is_complete


def test_packed_is_told_once_in_the_history(ana):
    shipment = packed_shipment(ana, MUG)
    again = packed.close_packing(shipment=shipment.pk, actor=ana)
    assert StatusChange.objects.filter(action="pack").get().pk == again.pk
    assert not Packing.objects.exists()
    assert not PackingScan.objects.exists()
    assert why(packing.open_packing, shipment=shipment.pk, actor=ana) == "packed_already"
    assert why(scan, shipment, ana, "MUG-1") == "not_packing"


def test_a_packed_box_is_opened_again(ana):
    shipment = packed_shipment(ana, MUG)
    packing.reopen_packing(shipment=shipment.pk, actor=ana)
    assert why(packing.reopen_packing, shipment=shipment.pk, actor=ana) == "not_packed"
    assert scan(shipment, ana, "MUG-1", take_out=True).line.counted == 2
    scan(shipment, ana, "MUG-1")
    packed.close_packing(shipment=shipment.pk, actor=ana)
    assert shipment.parcels.get().packed_at


def test_only_who_packs_closes(shipment, ana, rui):
    scan(shipment, ana, "MUG-1")
    assert why(packed.close_packing, shipment=shipment.pk, actor=rui, in_part=True) == "in_other_hands"


def test_the_tracking_code_is_scanned_and_the_goods_leave(ana):
    shipment = packed_shipment(ana, MUG)
    leaving = packed.dispatch_by_code(
        shipment=shipment.pk, actor=ana, text="aa 123456785 br", carrier="correios", weight=700
    )
    assert leaving.change.action == "dispatch"
    box = shipment.parcels.get()
    assert (box.status, box.tracking_code, box.carrier, box.weight) == ("dispatched", CODE, "correios", 700)
    assert box.lines.get().quantity == 3
    again = packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text=CODE, carrier="correios")
    assert again.change.pk == leaving.change.pk
    assert why(packed.dispatch_by_code, shipment=shipment.pk, actor=ana, text="AA123456799BR") == "sent_already"
    order = shipment.fulfillment.order
    kinds = list(order.outbound_messages.values_list("kind", flat=True))
    assert kinds.count("FULFILLMENT_ORDER_DISPATCHED") == 1
    assert mail.outbox == []  # written to the outbox, sent by the workers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AA123456789BR", "check"),
        ("", "Scan the tracking code"),
        ("4006381333931", "This is an article"),
        ("SLIP", "This is a slip"),
        ("ORDER", "This is a slip"),
        ("https://example.com/track?x", "not the link"),
    ],
)
def test_what_is_no_tracking_code_does_not_let_goods_leave(ana, text, words):
    shipment = packed_shipment(ana, MUG)
    text = {"SLIP": scan_codes.shipment_code(shipment.pk), "ORDER": shipment.fulfillment.order.number}.get(text, text)
    with pytest.raises(InvalidInput, match=words):
        packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text=text, carrier="correios")
    shipment.refresh_from_db()
    assert shipment.status == "pending"
    assert not StatusChange.objects.filter(action="dispatch").exists()


def test_a_tracking_code_under_a_french_keyboard(ana):
    shipment = packed_shipment(ana, MUG)
    packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text="QQ&é\"'(-è_(BR", carrier="correios")
    assert shipment.parcels.get().tracking_code == CODE


def test_each_box_gets_its_code_and_the_last_lets_them_leave(shipment, ana):
    scan(shipment, ana, "MUG-1", quantity=3)
    packing.next_box(shipment=shipment.pk, actor=ana, box=Packing.objects.get().box_id)
    scan(shipment, ana, "PEN-2")
    packed.close_packing(shipment=shipment.pk, actor=ana)
    first = packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text=CODE, carrier="correios")
    assert first.change is None
    assert first.blank.number == 2
    for text in (CODE, first.blank.tracking_code or "   "):
        with pytest.raises(InvalidInput):
            packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text=text, carrier="correios")
    second = packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text="AA123456799BR", carrier="correios")
    assert second.change.data["tracking_code"] == f"{CODE}, AA123456799BR"
    assert list(shipment.parcels.order_by("number").values_list("tracking_code", "status")) == [
        (CODE, "dispatched"), ("AA123456799BR", "dispatched"),
    ]  # fmt: skip


def test_a_code_of_another_order_is_refused(ana):
    other = packed_shipment(ana, MUG)
    packed.dispatch_by_code(shipment=other.pk, actor=ana, text=CODE, carrier="correios")
    shipment = packed_shipment(ana, PEN)
    with pytest.raises(InvalidInput, match=other.fulfillment.order.number):
        packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text=CODE, carrier="correios")


def test_a_number_that_the_carrier_gave_needs_no_scan(ana):
    shipment = packed_shipment(ana, MUG)
    box = shipment.parcels.get()
    assert packed.needs_code(shipment, [box])
    CarrierOrder.objects.create(
        shipment=shipment, carrier="correios", reference="r1", status=CarrierOrder.ACCEPTED,
        requested_at=shipment.created_at,
    )  # fmt: skip
    assert not packed.needs_code(shipment, [box])
    Parcel.objects.filter(pk=box.pk).update(carrier="correios", tracking_code=CODE)
    leaving = packed.dispatch_as_it_is(shipment=shipment.pk, actor=ana)
    assert leaving.change.data["tracking_code"] == CODE
    assert find_goods(CODE).meant == shipment


def test_goods_leave_without_a_code(ana):
    shipment = packed_shipment(ana, MUG)
    packed.dispatch_as_it_is(shipment=shipment.pk, actor=ana)
    assert shipment.parcels.get().status == "dispatched"


def test_an_open_box_does_not_leave(shipment, ana):
    scan(shipment, ana, "MUG-1")
    assert why(packed.dispatch_by_code, shipment=shipment.pk, actor=ana, text=CODE) == "incomplete"


def test_goods_are_found_by_slip_number_and_tracking_code(ana):
    shipment = goods(MUG)
    order = shipment.fulfillment.order
    for text in (
        scan_codes.shipment_code(shipment.pk), scan_codes.order_code(order.pk), f" {order.number} ",
        scan_codes.shipment_code(shipment.pk).translate(str.maketrans("1234567890", "&é\"'(-è_çà")),
    ):  # fmt: skip
        found = find_goods(text)
        assert [row.pk for row in found.shipments] == [shipment.pk], text
        assert found.order.pk == order.pk
        assert goods_refusals(found.shipments[0]) == []
    for text in ("", "x" * 500, "nothing\x00", "9100000000000199", scan_codes.shipment_code(10**9)):
        assert find_goods(text).shipments == []


def test_why_nothing_waits(ana, team):
    order = factories.paid_order()
    assert nothing_waits(find_goods(order.number).order).code == "not_released"
    holds.place_hold(order=order, actor=team, code="fraud")
    assert "on hold" in nothing_waits(find_goods(order.number).order).message
    cancelled = factories.cancelled_order()
    assert nothing_waits(find_goods(cancelled.number).order).code == "cancelled"
    sent = factories.dispatched_order(carrier="correios", tracking_code=CODE)
    assert nothing_waits(find_goods(sent.number).order).code == "nothing_waits"
    found = find_goods(CODE)
    assert (found.by, found.shipments, found.meant.status) == ("tracking", [], "dispatched")
