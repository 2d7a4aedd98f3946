"""Ordering from suppliers: once, mailed, received, counted, given up."""

import csv
import io
from datetime import timedelta

import pytest
from django.core import mail
from django.test import override_settings
from django.utils import timezone, translation
from oscar.core.loading import get_model

from oscar_fulfillment import checks
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.models import GoodsReceipt, OutboundMessage, SupplierOrder, SupplierOrderLine
from oscar_fulfillment.services import mails, messages, supply, supply_files
from oscar_fulfillment.test import factories

from .supply import TEAM, buy, needs, receive, record_of, set_stock, waiting

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D9")]

HOSTILE = "=cmd|' /C calc'!A0 <script>alert(1)</script>"


@pytest.fixture
def mug():
    return factories.product("Mug", sku="MUG", partner="Potter")


def order_by_mail(mug, units=3, **options):
    given = {"send_mail": True, "email": "potter@example.com", **options}
    return buy(mug, units, **given)


def nothing_written():
    return not SupplierOrder.objects.exists() and not OutboundMessage.objects.filter(kind=messages.SUPPLIER_ORDER)


# ---- Ordering ----


def test_an_order_keeps_what_was_ordered_when_and_by_whom(mug):
    user = factories.staff_user(first_name="Rita", last_name="Lima")
    record = record_of(mug)
    day = timezone.localdate() + timedelta(days=3)
    order = supply.order_from_supplier(
        partner=record.partner, lines={record.pk: 3}, actor=Actor.from_user(user), note="Blue ones", reference="PO-7",
        expected_on=day, send_mail=False, key="k",
    )  # fmt: skip
    order.refresh_from_db()
    assert (order.partner, order.partner_name, order.reference, order.note) == (
        record.partner,
        "Potter",
        "PO-7",
        "Blue ones",
    )
    assert (order.expected_on, order.ordered_by, order.ordered_by_label) == (day, user, "Rita Lima")
    assert (order.is_open, order.sent_to, order.number) == (True, "", f"S{order.pk:05d}")
    line = order.lines.get()
    assert (line.stockrecord, line.sku, line.title, line.quantity, line.received) == (record, "MUG", "Mug", 3, 0)
    assert not OutboundMessage.objects.filter(kind=messages.SUPPLIER_ORDER).exists()


def test_what_is_on_its_way_is_not_ordered_twice(mug):
    waiting(mug, 5)
    assert needs() == {"MUG": (5, 0, 1)}
    order = buy(mug, 3)
    assert needs() == {"MUG": (5, 3, 1)}
    supply.cancel_supplier_order(supplier_order=order, actor=TEAM)
    assert needs() == {"MUG": (5, 0, 1)}


def test_a_double_click_orders_once(mug):
    first = order_by_mail(mug, key="same")
    again = order_by_mail(mug, key="same")
    assert again == first
    assert SupplierOrder.objects.count() == 1
    assert OutboundMessage.objects.filter(kind=messages.SUPPLIER_ORDER).count() == 1
    with pytest.raises(InvalidInput, match="already used"):
        buy(factories.product("Plate", partner="Other"), 1, key="same")


def test_two_people_who_look_at_the_same_list_do_not_both_order(mug):
    waiting(mug, 5)
    colleague = Actor(TEAM.kind, "Rita Lima")
    record = record_of(mug)
    bought = supply.order_from_supplier(
        partner=record.partner, lines={record.pk: 5}, actor=colleague, send_mail=False, seen=0, key="a"
    )
    with pytest.raises(InvalidInput, match=f"Rita Lima has ordered from this supplier meanwhile \\({bought.number}\\)"):
        buy(mug, 5, seen=0)
    assert SupplierOrder.objects.count() == 1
    assert buy(mug, 1, seen=bought.pk).pk > bought.pk


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"units": 0}, "Choose at least one unit"),
        ({"units": -1}, "Choose between 0 and 1000000"),
        ({"units": 10**7}, "Choose between 0 and 1000000"),
        ({"send_mail": True, "email": ""}, "e-mail address"),
        ({"send_mail": True, "email": "nobody"}, "e-mail address"),
        ({"send_mail": True, "email": "a@example.com\nBcc: x@example.com"}, "e-mail address"),
        ({"send_mail": True, "email": "a" * 250 + "@example.com"}, "e-mail address"),
        ({"expected_on": timezone.localdate() - timedelta(days=1)}, "This day is over"),
        ({"note": "x" * 5000}, "At most 4000 characters"),
        ({"note": "\x00"}, "cannot be stored"),
        ({"reference": "x" * 65}, "At most 64 characters"),
        ({"key": ""}, "damaged"),
        ({"key": "x" * 65}, "damaged"),
    ],
)
def test_bad_input_orders_nothing(mug, options, words):
    given = {"units": 2, **options}
    with pytest.raises(InvalidInput, match=words):
        buy(mug, given.pop("units"), **given)
    assert nothing_written()


def test_goods_of_another_supplier_are_refused(mug):
    plate = factories.product("Plate", partner="Other")
    with pytest.raises(InvalidInput, match="not this supplier’s"):
        supply.order_from_supplier(
            partner=record_of(mug).partner, lines={record_of(mug).pk: 1, record_of(plate).pk: 1}, actor=TEAM,
            send_mail=False, key="k",
        )  # fmt: skip
    with pytest.raises(InvalidInput, match="At most 500 products"):
        supply.order_from_supplier(
            partner=record_of(mug).partner, lines=dict.fromkeys(range(1, 502), 1), actor=TEAM, send_mail=False, key="k"
        )
    assert nothing_written()


def test_the_address_that_is_offered(mug, settings):
    partner = record_of(mug).partner
    assert supply.address_of(partner) == ""
    gone = factories.staff_user(is_active=False)
    person = factories.staff_user()
    partner.users.add(gone, person)
    assert supply.address_of(partner) == person.email
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SUPPLIER_EMAILS": {partner.code: "buy@example.com"}}
    assert supply.address_of(partner) == "buy@example.com"
    assert checks.check_suppliers() == []


def test_an_address_in_the_settings_that_is_none_is_found_at_start(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SUPPLIER_EMAILS": {"potter": "nobody"}}
    (found,) = checks.check_suppliers()
    assert found.id == "oscar_fulfillment.E031"
    assert "potter" in found.msg


# ---- The mail ----


def test_the_supplier_gets_the_list_as_text_and_as_file(mug, settings):
    settings.LANGUAGE_CODE = "en-gb"
    plate = factories.product("Plate", sku="PLATE", partner="Potter")
    user = factories.staff_user(first_name="Rita", last_name="Lima")
    order = supply.order_from_supplier(
        partner=record_of(mug).partner, lines={record_of(mug).pk: 3, record_of(plate).pk: 2},
        actor=Actor.from_user(user), note="Blue ones,\nplease", reference="PO-7",
        expected_on=timezone.localdate() + timedelta(days=3), email="potter@example.com", key="k",
    )  # fmt: skip
    assert outbox.drain()["sent"] == 1
    (letter,) = mail.outbox
    assert (letter.to, letter.reply_to) == (["potter@example.com"], [user.email])
    assert letter.subject == f"Order {order.number} from example.com"
    for text in ("3 × Mug (SKU: MUG)", "2 × Plate (SKU: PLATE)", "Blue ones", "PO-7", "We expect them on"):
        assert text in letter.body
    html = letter.alternatives[0][0]
    for text in ("MUG", "Plate", "Blue ones,<br>please", "PO-7"):
        assert text in html
    ((name, content, kind),) = letter.attachments
    assert (name, kind) == (f"{order.number}.csv", "text/csv")
    assert content == "\ufeffSKU,Product,Quantity\r\nMUG,Mug,3\r\nPLATE,Plate,2\r\n"
    assert supply.is_mailed(supply.find_mail(order))


def test_the_mail_is_in_the_shops_language_and_answered_to_the_shop(mug, settings):
    settings.LANGUAGE_CODE = "fr"
    settings.MANAGERS = [("Boss", "boss@example.com")]
    order_by_mail(mug)
    with translation.override("ru"):
        outbox.drain()
    (letter,) = mail.outbox
    assert 'lang="fr"' in letter.alternatives[0][0]
    assert letter.reply_to == ["boss@example.com"]


def test_hostile_titles_stay_text_in_mail_and_file():
    evil = factories.product(HOSTILE, sku="+1", partner=HOSTILE[:60])
    order = order_by_mail(evil, note=HOSTILE)
    outbox.drain()
    (letter,) = mail.outbox
    assert "<script>" not in letter.alternatives[0][0]
    assert "&lt;script&gt;" in letter.alternatives[0][0]
    assert HOSTILE in letter.body
    rows = list(csv.reader(io.StringIO(supply_files.order_csv(order).removeprefix("\ufeff"))))
    assert rows[1] == ["'+1", f"'{HOSTILE}", "3"]


def test_a_second_try_after_a_crash_sends_no_second_mail(mug):
    order_by_mail(mug)
    message = OutboundMessage.objects.get(kind=messages.SUPPLIER_ORDER)
    mails.send_mail(message)
    message.refresh_from_db()
    mails.send_mail(message)
    assert len(mail.outbox) == 1


def test_an_order_that_was_cancelled_meanwhile_is_not_mailed(mug):
    order = order_by_mail(mug)
    supply.cancel_supplier_order(supplier_order=order, actor=TEAM)
    outbox.drain()
    assert mail.outbox == []
    assert not supply.is_mailed(supply.find_mail(order))


def test_a_mail_whose_order_is_gone_dies_and_harms_no_customer_order(mug, order):
    order_by_mail(mug)
    SupplierOrder.objects.all().delete()
    outbox.drain()
    message = OutboundMessage.objects.get(kind=messages.SUPPLIER_ORDER)
    assert (message.status, message.error) == ("dead", "AdapterRejected: the supplier's order is gone")
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.problem == ""


def test_the_shop_may_switch_the_mail_off_and_write_its_own(mug):
    types = get_model("communication", "CommunicationEventType").objects
    mails.ensure_event_types()
    own = types.filter(code=messages.SUPPLIER_ORDER)
    own.update(email_subject_template="Bonjour {{ supply.number }}", email_body_template="{{ lines.0.sku }}")
    order = order_by_mail(mug)
    outbox.drain()
    assert (mail.outbox[0].subject, mail.outbox[0].body.strip()) == (f"Bonjour {order.number}", "MUG")


# ---- Receiving ----


def test_goods_that_came_are_counted_into_the_stock_and_close_the_order(mug):
    set_stock(mug, 1)
    order = buy(mug, 5)
    receipt = receive(order, 2)
    line = order.lines.get()
    assert (line.received, line.open_quantity, line.received_at) == (2, 3, receipt.received_at)
    assert record_of(mug).num_in_stock == 3
    order.refresh_from_db()
    assert order.is_open
    receive(order, 3, actor=Actor(TEAM.kind, "Wanda"))
    order.refresh_from_db()
    assert (order.is_open, order.is_cancelled, order.closed_by_label) == (False, False, "Wanda")
    assert record_of(mug).num_in_stock == 6
    assert [r.units for r in order.receipts.all()] == [2, 3]
    assert [r.added_to_stock for r in order.receipts.all()] == [True, True]


def test_where_another_system_keeps_the_stock_nothing_is_added(mug):
    set_stock(mug, 1)
    order = buy(mug, 5)
    receive(order, 5, add_to_stock=False)
    assert record_of(mug).num_in_stock == 1
    assert GoodsReceipt.objects.get().added_to_stock is False


def test_a_stock_record_without_a_number_begins_at_zero(mug):
    order = buy(mug, 5)
    mug.stockrecords.update(num_in_stock=None)
    receive(order, 5)
    assert record_of(mug).num_in_stock == 5


def test_goods_without_stock_tracking_and_deleted_products_are_received_and_counted_nowhere(mug):
    plate = factories.product("Plate", partner="Potter", stock=7)
    order = supply.order_from_supplier(
        partner=record_of(mug).partner, lines={record_of(mug).pk: 3, record_of(plate).pk: 2}, actor=TEAM,
        send_mail=False, key="k",
    )  # fmt: skip
    kind = plate.product_class
    kind.track_stock = False
    kind.save()
    mug.delete()
    receive(order, 3, 2)
    order.refresh_from_db()
    assert not order.is_open
    assert record_of(plate).num_in_stock == 7
    assert not SupplierOrderLine.objects.filter(received=0).exists()


def test_the_same_form_twice_counts_once(mug):
    set_stock(mug, 0)
    order = buy(mug, 5)
    first = receive(order, 2, key="same")
    assert receive(order, 2, key="same") == first
    assert record_of(mug).num_in_stock == 2
    receive(order, 3)
    assert receive(order, 2, key="same") == first  # also once the order is closed
    assert record_of(mug).num_in_stock == 5
    with pytest.raises(InvalidInput, match="already used"):
        receive(buy(mug, 1), 1, key="same")


@pytest.mark.parametrize(
    ("units", "words"),
    [(-1, "Choose between 0 and 5"), (6, "Choose between 0 and 5"), (0, "Nothing was counted"), (10**12, "Choose")],
)
def test_wrong_quantities_count_nothing(mug, units, words):
    set_stock(mug, 1)
    order = buy(mug, 5)
    with pytest.raises(InvalidInput, match=words):
        receive(order, units)
    assert record_of(mug).num_in_stock == 1
    assert not GoodsReceipt.objects.exists()


def test_foreign_lines_closed_orders_and_damaged_forms_are_refused(mug):
    order, other = buy(mug, 5), buy(mug, 1)
    with pytest.raises(InvalidInput, match="does not belong"):
        supply.receive_goods(
            supplier_order=order, quantities={other.lines.get().pk: 1}, add_to_stock=True, actor=TEAM, key="k"
        )
    with pytest.raises(InvalidInput, match="damaged"):
        supply.receive_goods(supplier_order=order, quantities={}, add_to_stock=True, actor=TEAM, key="")
    supply.cancel_supplier_order(supplier_order=order, actor=TEAM)
    with pytest.raises(TransitionNotAllowed, match="was cancelled"):
        receive(order, 1)
    receive(other, 1)
    with pytest.raises(TransitionNotAllowed, match="here already"):
        supply.cancel_supplier_order(supplier_order=other, actor=TEAM)
    with pytest.raises(TransitionNotAllowed, match="here already"):
        receive(other, 0, key=new_key())


def test_giving_up_the_rest_keeps_what_came_and_does_it_once(mug):
    order = buy(mug, 5)
    receive(order, 2)
    first = supply.cancel_supplier_order(supplier_order=order, actor=Actor(TEAM.kind, "Rita"))
    again = supply.cancel_supplier_order(supplier_order=order, actor=Actor(TEAM.kind, "Wanda"))
    assert (again.closed_at, again.closed_by_label) == (first.closed_at, "Rita")
    assert (again.is_cancelled, order.lines.get().received) == (True, 2)


def test_oscars_listeners_hear_of_the_stock(mug, django_capture_on_commit_callbacks):
    heard = []
    from django.db.models.signals import post_save

    def listen(sender, instance, **kwargs):
        heard.append(instance.num_in_stock)

    set_stock(mug, 0)
    order = buy(mug, 5)
    post_save.connect(listen, sender=get_model("partner", "StockRecord"))
    try:
        with django_capture_on_commit_callbacks(execute=True):
            receive(order, 5)
    finally:
        post_save.disconnect(listen, sender=get_model("partner", "StockRecord"))
    assert heard == [5]


# ---- Files ----


def test_the_file_of_what_is_missing_is_safe_for_spreadsheets(mug):
    from oscar_fulfillment.selectors.missing import Shortage

    evil = factories.product(HOSTILE, sku="@SUM(A1)", partner="=Evil")
    order = waiting(mug, 5, has=1, number="=1+1")
    waiting(evil, 2)
    buy(mug, 1)
    text = supply_files.missing_csv(Shortage().missing)
    assert text.startswith("\ufeffSupplier,")
    rows = {row[1]: row for row in csv.reader(io.StringIO(text))}
    assert rows["MUG"] == ["Potter", "MUG", mug.upc, "Mug", "4", "1", "3", "1", f"'{order.number}"]
    assert rows["'@SUM(A1)"][:1] == ["'=Evil"]
    assert not [cell for row in rows.values() for cell in row if cell[:1] in tuple("=+-@\t\r")]


@override_settings(LANGUAGE_CODE="en-gb")
def test_oscars_preview_of_the_mail_does_without_a_suppliers_order(order):
    given = get_model("communication", "CommunicationEventType")(code=messages.SUPPLIER_ORDER)
    found = given.get_messages({"order": order})
    assert found["subject"]
    assert found["html"]
