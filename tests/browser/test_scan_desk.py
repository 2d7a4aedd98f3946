"""The scan desk in a real browser: a scanner that types, a camera, a counter; heard, seen, read out, on a phone too."""

import re

import pytest
from django.core.files.base import ContentFile
from oscar.core.loading import get_model

from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import PackingScan, Parcel, ParcelLine, Shipment
from oscar_fulfillment.services import pickup
from oscar_fulfillment.test import factories

from ..integration.desk import cash_order, goods, waiting, with_counter
from . import conftest
from .conftest import log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("D16"), pytest.mark.feature("Z13")]

MUG = ("Mug with a rather long name, blue, hand-made in Lisbon", "4006381333931", "MUG-1", 3)
PEN = ("Pen", "012345678905", "PEN-2", 1)
CODE = "AA123456785BR"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


def check_page(page, name, ignore=(), **options):
    """Oscar's navigation bar puts its "Log out" form into a list (its layout, not ours)."""
    conftest.check_page(page, name, ignore=("list", *ignore), **options)


@pytest.fixture
def ana():
    return factories.staff_user("*", first_name="Ana", is_superuser=True)


@pytest.fixture
def shipment(ana):
    found = goods(MUG, PEN)
    product = found.lines.get(line__title__startswith="Mug").line.product
    picture = get_model("catalogue", "ProductImage")(product=product)
    picture.original.save("mug.png", ContentFile(PIXEL))
    return found


def slip(shipment):
    return scan_codes.shipment_code(shipment.pk)


def scan(page, text):
    """As a scanner does: it types wherever the focus is, and presses Enter."""
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def said(page, words, kind="is-ok"):
    page.wait_for_function(
        "([words, kind]) => { const say = document.getElementById('scan-say');"
        " return say.textContent.includes(words) && say.classList.contains(kind)"
        " && !document.getElementById('scan-desk').hasAttribute('aria-busy'); }",
        arg=[words, kind],
    )


def refused(page, words):
    said(page, words, "is-refused")


def focused(page):
    page.wait_for_function("document.activeElement && document.activeElement.id === 'scan-text'")


def test_a_shipment_is_packed_and_sent_by_a_scanner_alone(page, ana, shipment):
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pack/")
    focused(page)
    check_page(page, "scan-desk")
    scan(page, slip(shipment))
    said(page, "scan the articles")
    page.wait_for_url(f"**/scan/pack/{shipment.pk}/")
    focused(page)
    scan(page, "4006381333931")
    said(page, "1 of 3")
    check_page(page, "scan-pack-counting")
    page.locator("#scan-text").focus()
    scan(page, "CUP-9")
    refused(page, "is no article of this shipment")
    check_page(page, "scan-pack-refused", widths=(1280, 390))
    page.locator("#scan-text").focus()
    scan(page, "PEN-2")
    said(page, "Pen: 1 of 1")
    scan(page, "PEN-2")
    refused(page, "Too many")
    assert page.locator("#scan-desk").get_attribute("data-beeps") == "++-+-"
    # Three scans faster than the server answers: none is lost, none counts twice.
    for _time in range(3):
        scan(page, "MUG-1")
    page.wait_for_selector("text=Scan the tracking code")
    assert ParcelLine.objects.get(line__title__startswith="Mug").quantity == 3
    focused(page)
    check_page(page, "scan-pack-code")
    page.select_option("#scan-carrier", "correios")
    page.locator("#scan-text").focus()
    scan(page, "AA123456789BR")
    refused(page, "check")
    page.select_option("#scan-carrier", "correios")
    page.locator("#scan-text").focus()
    scan(page, CODE)
    said(page, CODE)
    page.wait_for_url("**/scan/pack/")
    focused(page)
    assert Parcel.objects.get().status == "dispatched"
    scan(page, slip(shipment))
    refused(page, "sent already")


def test_undo_many_units_boxes_and_a_part_by_keyboard(page, ana, shipment):
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pack/")
    scan(page, shipment.fulfillment.number)
    said(page, "scan the articles")
    scan(page, "2*MUG-1")
    said(page, "2 of 3")
    page.keyboard.press("Tab")  # the button beside the field
    page.get_by_role("button", name="Take the last scan back").focus()
    page.keyboard.press("Enter")
    said(page, "Taken back")
    focused(page)
    page.get_by_label("Units of Mug").fill("2")
    page.get_by_role("button", name="Put in").press("Enter")
    said(page, "2 of 3")
    focused(page)
    page.get_by_label("Weight of this box").fill("900")
    page.get_by_role("button", name="Next box").press("Enter")
    said(page, "Box 2 is open")
    scan(page, "PEN-2")
    said(page, "Pen: 1 of 1")
    page.reload()
    check_page(page, "scan-pack-boxes", widths=(1280, 390))
    page.get_by_label("Take out instead").check()
    page.locator("#scan-text").focus()
    scan(page, "PEN-2")
    said(page, "Taken out")
    scan(page, "PEN-2")
    said(page, "Pen: 1 of 1")
    page.get_by_role("button", name="Pack in part").click()
    said(page, "1 unit stays behind")
    page.wait_for_selector("text=Scan the tracking code of box 1")
    scan(page, "ABC1")
    said(page, "box 2")
    scan(page, "ABC2")
    said(page, "is sent")
    assert list(Parcel.objects.order_by("number").values_list("tracking_code", "weight", "status")) == [
        ("ABC1", 900, "dispatched"), ("ABC2", None, "dispatched"),
    ]  # fmt: skip
    assert Shipment.objects.filter(status="pending").get().lines.get().quantity == 1


def test_letters_typed_beside_the_field_go_into_it(page, ana, shipment):
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pack/")
    page.evaluate("document.activeElement.blur()")
    scan(page, slip(shipment))
    said(page, "scan the articles")


#: The first scan is taken by the server, and nobody hears of it.
LOSE = """() => {
  const ask = window.fetch;
  let lost = false;
  window.fetch = async (...given) => {
    const answer = await ask(...given);
    if (lost || !given[1] || given[1].method !== "POST") return answer;
    lost = true;
    throw new TypeError("lost");
  };
}"""


def test_a_lost_answer_is_asked_again_and_counts_once(page, ana, shipment):
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pack/")
    scan(page, slip(shipment))
    said(page, "scan the articles")
    page.evaluate(LOSE)
    scan(page, "PEN-2")
    said(page, "Counted already: Pen, 1 of 1")
    assert PackingScan.objects.count() == 1
    assert ParcelLine.objects.get().quantity == 1


def test_without_a_connection_the_scan_is_refused_aloud(page, ana, shipment):
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pack/")
    page.route("**/scan/pack/", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    scan(page, slip(shipment))
    refused(page, "No connection")
    page.unroute("**/scan/pack/")
    focused(page)
    scan(page, slip(shipment))
    said(page, "scan the articles")


def test_the_second_packer_sees_who_packs(page, new_person, ana, shipment):
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pack/")
    scan(page, slip(shipment))
    said(page, "scan the articles")
    rui = new_person(factories.staff_user("*", first_name="Rui"))
    rui.goto("/dashboard/orders/scan/pack/")
    scan(rui, slip(shipment))
    refused(rui, "Ana is packing")
    check_page(rui, "scan-pack-others", widths=(1280, 390))
    rui.get_by_role("button", name="Take it over").click()
    said(rui, "Scan the articles")
    scan(page, "PEN-2")
    refused(page, "Rui is packing")
    page.wait_for_selector("text=Take it over")


def test_without_a_script_the_desk_works(new_person, ana, shipment):
    tab = new_person(ana, java_script_enabled=False)
    tab.goto("/dashboard/orders/scan/pack/")
    for text in (slip(shipment), "3*MUG-1", "PEN-2"):
        tab.fill("#scan-text", text)
        tab.click("form[data-scan] [type=submit]")
        tab.wait_for_load_state()
    assert "packed" in tab.locator("#messages, .alert").first.inner_text()
    tab.select_option("#scan-carrier", "correios")
    tab.fill("#scan-text", CODE)
    tab.click("form[data-scan] [type=submit]")
    tab.wait_for_load_state()
    assert Parcel.objects.get().tracking_code == CODE


FAKE = """
window.codes = [];
window.BarcodeDetector = class {
  async detect() { return window.codes.map((rawValue) => ({ rawValue })); }
};
navigator.mediaDevices = navigator.mediaDevices || {};
Object.defineProperty(navigator, "mediaDevices", { value: {
  getUserMedia: async () => document.createElement("canvas").captureStream(1),
} });
"""


def test_a_phone_scans_with_its_camera(new_person, ana, shipment):
    tab = new_person(ana, has_touch=True, is_mobile=True)
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.add_init_script(FAKE)
    tab.goto("/dashboard/orders/scan/pack/")

    def show(code):
        tab.evaluate("code => { window.codes = [code]; }", code)

    def hide():
        tab.evaluate("window.codes = []")
        tab.wait_for_timeout(900)

    tab.get_by_role("button", name="Scan with the camera").click()
    tab.wait_for_selector("#scan-camera:not([hidden])")
    show(slip(shipment))
    said(tab, "scan the articles")
    show("4006381333931")
    said(tab, "1 of 3")
    tab.wait_for_timeout(600)  # held before the camera: still one
    assert ParcelLine.objects.get().quantity == 1
    hide()
    show("4006381333931")
    said(tab, "2 of 3")
    check_page(tab, "scan-camera", widths=(390,))
    tab.get_by_role("button", name="Scan with the camera").click()
    tab.wait_for_selector("#scan-camera", state="hidden")


def test_a_browser_that_cannot_read_codes_says_so(page, ana):
    page.add_init_script("delete window.BarcodeDetector; delete Window.prototype.BarcodeDetector;")
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pack/")
    assert page.locator("[data-camera-note]").inner_text().startswith("This browser cannot read codes")
    assert page.locator("[data-camera]").is_hidden()


def test_a_camera_that_is_refused_says_so(page, ana):
    page.add_init_script(FAKE.replace("async () => document", "async () => { throw new Error('no'); return document")
                         .replace("captureStream(1)", "captureStream(1); }"))  # fmt: skip
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pack/")
    page.get_by_role("button", name="Scan with the camera").click()
    refused(page, "camera could not be opened")


def test_scan_to_dispatch_in_the_browser(page, ana, shipment):
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/dispatch/")
    check_page(page, "scan-dispatch", widths=(1280, 390))
    page.locator("#scan-text").focus()
    scan(page, slip(shipment))
    said(page, "scan the tracking code")
    page.select_option("#scan-carrier", "correios")
    check_page(page, "scan-dispatch-code", widths=(1280, 390))
    page.locator("#scan-text").focus()
    scan(page, CODE)
    said(page, CODE)
    focused(page)
    assert Parcel.objects.get().status == "dispatched"


@pytest.mark.feature("D15")
def test_a_return_is_opened_by_scan(page, ana):
    order = factories.delivered_order(currency="CHF")
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/returns/")
    scan(page, order.number)
    said(page, "No return of order")
    check_page(page, "scan-returns", widths=(1280, 390))
    page.get_by_role("link", name="Note a return").click()
    page.wait_for_url(f"**/{order.number}/returns/new/")


@pytest.mark.feature("D5")
def test_goods_are_collected_with_the_customers_code(page, ana, settings):
    with_counter(settings)
    order = cash_order()
    pickup.ready_for_pickup(order=order, actor=factories.TEAM)
    log_in(page, ana)
    page.goto("/dashboard/orders/scan/pick-up/")
    check_page(page, "scan-pickup", widths=(1280, 390))
    page.locator("#scan-text").focus()
    scan(page, "11111111")
    refused(page, "No goods wait")
    scan(page, waiting(order).pickup_code)
    page.wait_for_selector("text=Cash taken")
    assert "€20.00" in page.locator("#scan-region").inner_text()
    check_page(page, "scan-hand-over", widths=(1280, 390))
    page.get_by_label("Cash taken").fill("15")
    page.get_by_role("button", name="Hand over").click()
    page.wait_for_selector("text=are missing")
    check_page(page, "scan-hand-over-short", widths=(1280, 390))
    page.get_by_label("Cash taken").fill("20")
    page.get_by_role("button", name="Hand over").click()
    page.wait_for_url("**/scan/pick-up/")
    assert "done" in page.locator("#messages").inner_text()
    order.fulfillment.refresh_from_db()
    assert (order.fulfillment.payment_status, order.fulfillment.shipping_status) == ("paid", "delivered")


@pytest.mark.feature("D5")
def test_the_customer_shows_the_code_on_a_phone(new_person, settings):
    with_counter(settings)
    customer = factories.staff_user(first_name="Ana")
    order = cash_order(user=customer)
    pickup.ready_for_pickup(order=order, actor=factories.TEAM)
    tab = new_person(customer)
    tab.goto(f"/accounts/orders/{order.number}/")
    assert re.search(waiting(order).pickup_code, tab.locator(".of-pickup").inner_text())
    check_page(tab, "customer-pickup", widths=(1280, 390), ignore=("color-contrast", "select-name"))
