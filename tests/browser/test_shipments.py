"""Shipments, parcels and carriers in a real browser: sent in part, in several parcels, by a carrier made here."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.models import OrderFulfillment, Parcel, Shipment
from oscar_fulfillment.services import carrier_setup, oscar_events, shipping, tracking
from oscar_fulfillment.services.shipment_edits import split_shipment
from oscar_fulfillment.test import factories
from tests.integration.parcels import fake_carriers, told

from . import conftest
from .conftest import log_in
from .test_order_page import address, badge, open_step

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("Z6")]


@pytest.fixture(autouse=True)
def languages_and_types(transactional_db):
    oscar_events._types.clear()  # the tables are emptied between these tests
    carriers.forget()
    yield
    carriers.forget()


@pytest.fixture
def boss(page):
    user = factories.staff_user("*", first_name="Bruna")
    log_in(page, user)
    return user


def check_page(page, name, **options):
    conftest.check_page(page, name, ignore=("list",), **options)


def three_lines():
    return factories.released_order(
        lines=[
            (factories.product("Caneca azul", "35.00"), 4),
            (factories.product("Prato fundo de porcelana pintado à mão", "48.50"), 2),
            (factories.product("Tigela", "12.00"), 1),
        ],
        currency="CHF",
    )


def units(order):
    found = []
    for shipment in Shipment.objects.filter(fulfillment=order.pk).order_by("number"):
        found.append((shipment.status, sorted(shipment.lines.values_list("line__title", "quantity"))))
    return found


@pytest.mark.feature("A12")
def test_three_lines_go_out_in_part_in_two_parcels_by_clicks(page, boss):
    order = three_lines()
    page.goto(address(order))
    panel = open_step(page, "dispatch")
    panel.get_by_label("Units of “Caneca azul” to send").fill("3")
    panel.get_by_label("Units of “Tigela” to send").fill("0")
    panel.get_by_role("group", name="Parcel 1").get_by_label("Carrier").select_option("correios")
    panel.get_by_role("group", name="Parcel 1").get_by_label("Tracking code").fill("AA123456785BR")
    panel.get_by_role("button", name="Add another parcel").click()
    second = panel.get_by_role("group", name="Parcel 2")
    expect(second.get_by_label("Tracking code")).to_be_focused()
    expect(second.get_by_label("Carrier")).to_have_value("correios")
    second.get_by_label("Carrier").select_option("other")
    second.get_by_label("Tracking code").fill("not a code!")
    panel.get_by_label("Yes, send the mail").check()
    check_page(page, "shipments-1-dispatch")
    panel.get_by_role("button", name="Dispatch").click()
    panel = page.locator("[data-step-panel=dispatch]")
    second = panel.get_by_role("group", name="Parcel 2")
    expect(second.locator(".ff-errors")).to_contain_text("only letters without accents")
    expect(panel.get_by_label("Units of “Caneca azul” to send")).to_have_value("3")
    check_page(page, "shipments-2-wrong", widths=(1280, 390))
    second.get_by_label("Tracking code").fill("ZX-77")
    panel.get_by_role("button", name="Dispatch").click()
    expect(badge(page, "shipping")).to_have_text("Sent in part")
    assert units(order) == [
        ("dispatched", [("Caneca azul", 3), ("Prato fundo de porcelana pintado à mão", 2)]),
        ("pending", [("Caneca azul", 1), ("Tigela", 1)]),
    ]
    parcels = page.locator("#shipment-1 .ff-parcel")
    expect(parcels).to_have_count(2)
    expect(parcels.first).to_contain_text("AA123456785BR")
    expect(parcels.last).to_contain_text("ZX-77")
    check_page(page, "shipments-3-sent-in-part")

    page.locator("#shipments").get_by_role("link", name="Cancel the rest").click()
    panel = page.locator("[data-step-panel=cancel_shipment]")
    panel.get_by_label("Why?").fill("Sold out")
    panel.get_by_label("Message to the customer").fill("Sorry, the last two are sold out.")
    check_page(page, "shipments-4-rest", widths=(1280, 390))
    panel.get_by_role("button", name="Cancel a shipment").click()
    expect(badge(page, "shipping")).to_have_text("Sent")
    expect(page.locator("#lines")).to_contain_text("1 given up")
    expect(page.locator(".ff-order")).to_contain_text("Too much was paid")
    check_page(page, "shipments-5-ended")


def test_without_a_script_a_parcel_is_added_by_the_server(browser, live_server, boss):
    order = three_lines()
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    tab = context.new_page()
    log_in(tab, boss)
    tab.goto(f"{address(order)}step/dispatch/")
    tab.get_by_label("Tracking code").fill("A1")
    tab.get_by_role("button", name="Add another parcel").click()
    expect(tab.get_by_role("group", name=re.compile("Parcel"))).to_have_count(2)
    expect(tab.get_by_label("Tracking code").first).to_have_value("A1")
    tab.get_by_label("Carrier").nth(0).select_option("other")
    tab.get_by_label("Carrier").nth(1).select_option("other")
    tab.get_by_label("Tracking code").nth(1).fill("A2")
    tab.get_by_label("No mail").check()
    tab.get_by_role("button", name="Dispatch", exact=True).click()
    expect(badge(tab, "shipping")).to_have_text("Sent")
    assert sorted(Parcel.objects.values_list("tracking_code", flat=True)) == ["A1", "A2"]
    context.close()


def test_shipments_are_split_merged_and_cancelled_by_clicks(page, boss):
    order = three_lines()
    page.goto(address(order))
    page.get_by_label("More for shipment 1").click()
    check_page(page, "shipments-6-menu", widths=(1280, 390))
    page.get_by_role("link", name="Split", exact=True).click()
    panel = page.locator("[data-step-panel=split_shipment]")
    panel.get_by_label("Units of “Tigela” for the new shipment").fill("1")
    check_page(page, "shipments-7-split", widths=(1280, 390))
    panel.get_by_role("button", name="Split the shipment").click()
    expect(page.locator("#shipment-2")).to_contain_text("1 × Tigela")
    page.get_by_role("link", name="Merge shipments").click()
    panel = page.locator("[data-step-panel=merge_shipments]")
    check_page(page, "shipments-8-merge", widths=(1280, 390))
    panel.get_by_role("button", name="Merge them").click()
    expect(page.locator("#shipment-2")).to_have_count(0)
    page.get_by_label("More for shipment 1").click()
    page.get_by_role("link", name="Cancel this shipment").click()
    panel = page.locator("[data-step-panel=cancel_shipment]")
    expect(panel).to_contain_text("Its goods wait to be released again.")
    panel.get_by_label("Why?").fill("The box fell")
    check_page(page, "shipments-9-cancel", widths=(1280, 390))
    panel.get_by_role("button", name="Cancel a shipment").click()
    expect(badge(page, "shipping")).to_have_text("Received")
    assert OrderFulfillment.objects.get(pk=order.pk).has_backorder


def test_what_the_carrier_says_is_read_in_place(page, boss):
    with fake_carriers():
        order = three_lines()
        line = order.lines.order_by("pk").first()
        split_shipment(order=order, shipment=Shipment.objects.get().pk, quantities={line.pk: 1}, actor=factories.TEAM)
        first, second = Shipment.objects.order_by("number")
        boxes = [{"carrier": "fake", "tracking_code": code} for code in ("FK1", "FK2", "FK3")]
        shipping.dispatch_order(order=order, shipment=first.pk, actor=factories.TEAM, boxes=boxes)
        one, two, three = Parcel.objects.order_by("number")
        tracking.record_events([
            (one.pk, [told("picked_up", -600, text="Collected at the shop"),
                      told("delivery_failed", -5, text="Rang twice", place="Campinas / SP", incident="absent",
                           note="<b>Dog</b> & no bell " + "very long " * 30)]),
            (two.pk, [told("delivered", -90, text="Handed over"), told("info", -60, retracts=True),
                      told("unknown", -30, code="X99", text="Something new")]),
            (three.pk, [told("delivered", -10, text="Handed over", place="Bern")]),
        ])  # fmt: skip
        Parcel.objects.filter(pk=two.pk).update(
            checked_at=timezone.now() - timedelta(minutes=7), tracking_problem="not_found"
        )
        page.goto(address(order))
        expect(page.locator("#shipment-1")).to_contain_text("Nobody was there")
        check_page(page, "shipments-10-parcels")
        page.get_by_role("link", name="All that the carrier said").click()
        panel = page.locator("[data-step-panel=events]")
        expect(panel).to_contain_text("Taken back")
        expect(panel).to_contain_text("<b>Dog</b> & no bell")
        check_page(page, "shipments-11-events", widths=(1280, 390))
        panel.get_by_role("link", name="Close").click()
        expect(page.locator("[data-step-panel=events]")).to_have_count(0)
        page.get_by_label("More for shipment 2").click()
        page.get_by_role("link", name="Order at the carrier").click()
        panel = page.locator("[data-step-panel=order_carriage]")
        check_page(page, "shipments-12-carriage", widths=(1280, 390))
        panel.get_by_role("button", name="Order it").click()
        expect(page.locator("#shipment-2 .ff-carriage")).to_contain_text("Being ordered")
        expect(page.get_by_role("link", name="Cancel at the carrier")).to_be_visible()
        check_page(page, "shipments-13-ordered", widths=(1280, 390))


@pytest.mark.feature("A13", "E4")
def test_a_carrier_is_made_here_and_its_link_reaches_the_customer(page, boss, monkeypatch):
    monkeypatch.setattr(carriers, "source", carrier_setup.source)
    page.goto("/dashboard/orders/shop/carriers/")
    check_page(page, "carriers-1-list")
    page.get_by_role("link", name="New carrier").click()
    page.get_by_label("Name", exact=True).fill("Moto Express")
    page.get_by_label("Short name").fill("moto")
    page.get_by_label("Address of the tracking page").fill("https://moto.example/t/{code}?l={language}")
    page.get_by_label("An example of a code").fill("MX-1")
    page.get_by_label("Mails the tracking link by itself").check()
    check_page(page, "carriers-2-new")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#carrier-moto")).to_contain_text("Moto Express")
    page.locator("#carrier-moto").get_by_role("link", name="Moto Express", exact=True).click()
    page.locator("#try-code").fill("mx-4711")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.locator("a[href^='https://moto.example/t/MX-4711']")).to_be_visible()
    check_page(page, "carriers-3-try", widths=(1280, 390))

    order = three_lines()
    page.goto(address(order))
    panel = open_step(page, "dispatch")
    panel.get_by_label("Carrier").select_option("moto")
    panel.get_by_label("Tracking code").fill("mx-4711")
    panel.get_by_label("Yes, send the mail").check()
    panel.get_by_role("button", name="Dispatch").click()
    expect(badge(page, "shipping")).to_have_text("Sent")
    link = page.locator("#shipments .ff-code a")
    expect(link).to_have_attribute("href", re.compile(r"^https://moto\.example/t/MX-4711\?l=en$"))
