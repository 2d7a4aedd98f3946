"""What the order page shows, to whom, and in how many queries."""

import pathlib
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from oscar.core.loading import get_model

import oscar_fulfillment
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.services import (
    cancelling,
    door,
    holds,
    invoicing,
    notes,
    payments,
    printing,
    release,
    shipping,
)  # fmt: skip
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna")
    client.force_login(user)
    return user


def url(order, name="order-detail", **kwargs):
    return reverse(f"dashboard:{name}", kwargs={"number": order.number, **kwargs})


SITUATIONS = ["placed", "paid", "released", "invoiced", "dispatched", "delivered", "cancelled"]


@pytest.mark.parametrize("currency", ["BRL", "CHF"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_page_shows_an_order_in_every_state(situation, currency, client, boss):
    order = getattr(factories, f"{situation}_order")(currency=currency)
    response = client.get(url(order))
    assert response.status_code == 200
    text = response.content.decode()
    assert str(order.fulfillment.payment_label) in text
    assert str(order.fulfillment.shipping_label) in text
    steps = response.context["steps"]
    for step in steps.by_name.values():
        if step.name != "cancel_payment" and step.allowed:
            assert client.get(step.url).status_code == 200
            panel = client.get(step.url + "?panel=1")
            assert panel.status_code == 200
            assert panel.content.strip().startswith(b"<section")


def full_order(lines, parcels, rows):
    """An order with so many lines, shipments and history rows."""
    order = factories.paid_order(lines=[(factories.product(f"Thing {n}"), parcels) for n in range(lines)])
    pks = list(order.lines.order_by("pk").values_list("pk", flat=True))
    for _parcel in range(parcels):
        release.release_order(order=order, actor=factories.TEAM, quantities=dict.fromkeys(pks, 1))
    invoicing.invoice_order(order=order, actor=factories.TEAM, kind="none")
    for shipment in order.fulfillment.shipments.all()[: parcels // 2]:
        shipping.dispatch_order(
            order=order, actor=factories.TEAM, shipment=shipment.pk, carrier="other", tracking_code=f"X{shipment.pk}"
        )
    while OrderFulfillment.objects.get(pk=order.pk).version < rows:
        door.move(order, printing.PRINTED, actor=factories.TEAM, data={"document": "slip"})
    return order


@pytest.mark.feature("Z1")
@pytest.mark.feature("D14", "E15")
def test_where_the_goods_leave_first_the_money_is_the_last_step(client, boss):
    method = factories.manual_method("invoice", ships_before_payment=True)
    order = factories.placed_order(method=method, currency="CHF")

    def steps():
        """The next step, and those that are done."""
        found = re.findall(
            r'<li class="ff-step ff-step-(\w+)".*?(?:data-step="(\w+)"|ff-step-label">([^<]*))',
            client.get(url(order)).content.decode(),
            re.DOTALL,
        )
        return [name for state, name, _label in found if state == "next"], [label for *_, label in found if label]

    assert steps() == (["release"], [])
    release.release_order(order=order, actor=factories.TEAM)
    shipping.dispatch_order(order=order, actor=factories.TEAM, carrier="", tracking_code="")
    assert steps() == (["deliver"], ["Start processing", "Dispatch"])
    shipping.deliver_order(order=order, actor=factories.TEAM)
    assert steps() == (["approve_payment"], ["Start processing", "Dispatch", "Mark as delivered"])


def test_the_page_costs_the_same_few_queries_whatever_the_order(client, boss, django_assert_max_num_queries):
    small, large = full_order(1, 2, 12), full_order(50, 10, 200)
    client.get(url(small))  # what is remembered for good
    with CaptureQueriesContext(connection) as few:
        client.get(url(small))
    with CaptureQueriesContext(connection) as many:
        response = client.get(url(large))
    assert len(many) == len(few)
    assert len(many) <= 20, "\n".join(query["sql"][:150] for query in many)
    print(f"order page: {len(many)} queries")
    assert len(response.context["page"].history) == 50
    assert "Show all" in response.content.decode()
    everything = client.get(url(large) + "?history=all")
    assert len(everything.context["page"].history) == 200
    assert "Show all" not in everything.content.decode()


def test_an_open_form_and_the_live_history_are_cheap(client, boss, django_assert_max_num_queries):
    order = full_order(50, 10, 200)
    version = OrderFulfillment.objects.get(pk=order.pk).version
    with django_assert_max_num_queries(6):
        assert client.get(url(order, "order-history"), {"after": version}).status_code == 204
    with django_assert_max_num_queries(24):
        assert client.get(url(order, "order-step", action="dispatch")).status_code == 200
    fresh = full_order(2, 1, 3)
    fresh_step = url(factories.paid_order(), "order-step", action="release")
    with django_assert_max_num_queries(24):
        assert client.get(fresh_step).status_code == 200
    assert fresh


@pytest.mark.feature("A15")
def test_the_history_tells_who_when_from_to_and_why(client, boss):
    order = factories.released_order()
    cancelling.cancel_order(order=order, actor=Actor.from_user(boss), reason="Broken\nin two")
    text = " ".join(client.get(url(order)).content.decode().split())
    history = text[text.index('id="history"') :]
    assert "Released for invoicing</span> <i" in history
    assert '<span class="ff-to">Cancelled</span>' in history
    assert "Broken<br>in two" in history
    assert "Bruna ·" in history
    assert "0 seconds ago" in history
    assert "2 × Mug" in history
    assert "The customer ·" in history


@pytest.mark.feature("A15")
def test_the_live_history_says_what_is_new_and_only_then(client, boss):
    order = factories.placed_order()
    address = url(order, "order-history")
    assert client.get(address, {"after": 1}).status_code == 204
    ana = factories.staff_user(first_name="Ana <b>")
    payments.approve_payment(order=order, actor=Actor.from_user(ana))
    response = client.get(address, {"after": 1})
    assert response.status_code == 200
    text = response.content.decode()
    assert 'data-news="Ana &lt;b&gt; approved the payment 0 seconds ago' in text
    assert 'data-version="2"' in text
    assert "<html" not in text
    notes.add_note(order=order, actor=factories.TEAM, text="Called")
    response = client.get(address, {"after": 2})
    assert 'data-news=""' in response.content.decode()
    for odd in ("", "x", "-5", "9" * 40):
        assert client.get(address, {"after": odd}).status_code in (200, 204)


HOSTILE = "<script>alert(1)</script>"


def test_hostile_text_stays_text_everywhere(client, boss):
    order = factories.placed_order(
        lines=[(factories.product(f"Mug {HOSTILE}"), 1)],
        shipping_address=factories.address(first_name=HOSTILE, notes=HOSTILE, line1=HOSTILE),
        fulfillment={
            "payment_method": factories.manual_method("bad", name=HOSTILE),
            "tax_id": HOSTILE[:30],
            "tax_id_kind": "cpf",
        },
    )
    notes.add_note(order=order, actor=factories.TEAM, text=HOSTILE, visible_to_customer=True)
    holds.place_hold(order=order, actor=Actor.system(HOSTILE), code="other", note=HOSTILE)
    for name in ("order-detail", "order-history", "order-oscar"):
        assert HOSTILE not in client.get(url(order, name)).content.decode()
    assert HOSTILE not in client.get(url(order, "order-step", action="approve_payment")).content.decode()


def test_our_templates_hold_no_script_or_style_of_their_own():
    folder = pathlib.Path(oscar_fulfillment.__file__).parent / "templates" / "oscar_fulfillment" / "orders"
    for template in folder.rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text), template


def test_an_order_of_before_shows_oscars_page_and_the_command(client, boss):
    order = factories.placed_order()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM oscar_fulfillment_statuschange")
    OrderFulfillment.objects.filter(pk=order.pk).delete()
    text = client.get(url(order)).content.decode()
    assert "fulfillment_backfill" in text
    assert "Order contents" in text
    for name in ("order-history", "order-note"):
        assert client.get(url(order, name)).status_code == 404
    assert client.get(url(order, "order-document", document="slip")).status_code == 404
    assert client.get(url(order, "order-step", action="release")).status_code == 404
    assert client.post(url(order), {"order_action": "save_note", "message": "Old"}).status_code == 302
    assert order.notes.count() == 1


def test_oscars_own_tabs_are_one_link_away(client, boss):
    order = factories.paid_order()
    assert url(order, "order-oscar") in client.get(url(order)).content.decode()
    text = client.get(url(order, "order-oscar")).content.decode()
    assert "Discounts" in text
    assert "Payment Events" in text
    note = order.notes.create(user=boss, message="Edit me", note_type="Info")
    assert "Edit me" in client.get(url(order, "order-detail-note", note_id=note.pk)).content.decode()
    line = order.lines.get()
    assert client.get(url(order, "order-line-detail", line_id=line.pk)).status_code == 200
    assert client.get(url(order, "order-shipping-address")).status_code == 200


def test_what_the_page_shows_of_customer_goods_and_payment(client, boss):
    buyer = factories.get_user_model().objects.create_user("cora", "cora@example.com", "x", first_name="Cora")
    order = factories.dispatched_order(
        user=buyer, carrier="correios", tracking_code="AA123456785BR",
        fulfillment={"tax_id": "52998224725", "tax_id_kind": "cpf", "payment_method": factories.manual_method()},
    )  # fmt: skip
    SourceType = get_model("payment", "SourceType")
    kind = SourceType.objects.create(name="Bank", code="bank")
    source = order.sources.create(source_type=kind, currency="BRL", amount_allocated=20, reference="R-1")
    source.transactions.create(txn_type="Debit", amount=20, reference="T-9", status="ok")
    order.discounts.create(category="Basket", offer_name="Spring", amount=3)
    text = client.get(url(order)).content.decode()
    for shown in (
        "529.982.247-25",
        "cora@example.com",
        "AA123456785BR",
        "R-1",
        "T-9",
        "Bank",
        "Spring",
        "Deposit",
        "Ana Souza",
    ):
        assert shown in text, shown


def test_the_page_speaks_the_flows_words_and_marks_what_is_next(client, boss):
    order = factories.placed_order(currency="CHF")
    page = client.get(url(order))
    assert [step.name for step in page.context["steps"].way] == ["approve_payment", "release", "dispatch", "deliver"]
    assert page.context["steps"].next.name == "approve_payment"
    assert page.content.decode().count("ff-next") == 1
    release_step = page.context["steps"].by_name["release"]
    assert [reason.code for reason in release_step.reasons] == ["not_paid"]
    assert release_step.reasons[0].url.endswith("/step/approve_payment/")
    assert 'aria-describedby="why-release"' in page.content.decode()
