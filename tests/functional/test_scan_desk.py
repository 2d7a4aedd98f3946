"""The scan desk over HTTP: with a script and without, who may use which mode, what is said, how many queries."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import Packing, PackingScan, Parcel, Shipment, StatusChange
from oscar_fulfillment.services import holds, returns
from oscar_fulfillment.test import factories

from ..integration.desk import goods, in_boxes
from .steps import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D16"), pytest.mark.feature("Z13")]

MUG = ("Mug", "4006381333931", "MUG-1", 3)
PEN = ("Pen", "012345678905", "PEN-2", 1)
CODE = "AA123456785BR"
DESK, DISPATCH, PICKUP = (reverse(f"dashboard:scan-{name}") for name in ("desk", "dispatch", "pickup"))


@pytest.fixture
def ana(client):
    user = factories.staff_user("dispatch_order", first_name="Ana")
    client.force_login(user)
    return user


@pytest.fixture
def shipment(db):
    return goods(MUG, PEN)


def pack_url(shipment):
    return reverse("dashboard:scan-pack", kwargs={"shipment": shipment.pk})


def act_url(shipment, act):
    return reverse("dashboard:scan-act", kwargs={"shipment": shipment.pk, "act": act})


def slip(shipment):
    return scan_codes.shipment_code(shipment.pk)


_serial = iter(range(10**9))


def sent(client, url, text="", **data):
    """What the script is answered."""
    data = {"text": text, "scan": f"s{next(_serial)}", **data}
    response = client.post(url, data, headers={"X-Requested-With": "fetch"})
    assert response.status_code == 200
    return response.json()


def test_from_the_slip_to_the_dispatch_by_scans_alone(client, ana, shipment):
    begun = sent(client, DESK, slip(shipment))
    assert begun["ok"]
    assert begun["go"] == pack_url(shipment)
    page = client.get(begun["go"])
    assert "<span data-counted>0</span>/3" in text_of(page)
    for counted in (1, 2, 3):
        answer = sent(client, pack_url(shipment), "4006381333931")
        assert answer["ok"]
        assert answer["line"] == {
            "pk": shipment.lines.get(line__title="Mug").line_id, "counted": counted, "quantity": 3,
            "is_complete": counted == 3,
        }  # fmt: skip
        assert f"{counted} of 3" in answer["say"]
        assert answer["then"] == ""
    last = sent(client, pack_url(shipment), "PEN-2")
    assert last["then"] == act_url(shipment, "close")
    closed = sent(client, last["then"])
    assert "packed" in closed["say"]
    page = client.get(closed["go"])
    assert "Scan the tracking code" in text_of(page)
    wrong = sent(client, act_url(shipment, "code"), "AA123456789BR", carrier="correios")
    assert not wrong["ok"]
    assert wrong["go"] == ""
    left = sent(client, act_url(shipment, "code"), CODE, carrier="correios", weight="750")
    assert left["ok"]
    assert left["go"] == DESK
    assert CODE in left["say"]
    assert Parcel.objects.values_list("status", "tracking_code", "weight", "carrier").get() == (
        "dispatched", CODE, 750, "correios",
    )  # fmt: skip
    actions = list(StatusChange.objects.filter(fulfillment=shipment.fulfillment_id).values_list("action", flat=True))
    assert actions[:2] == ["dispatch", "pack"]


def test_without_a_script_every_scan_is_a_form(client, ana, shipment):
    response = client.post(DESK, {"text": slip(shipment)}, follow=True)
    assert response.redirect_chain == [(pack_url(shipment), 302)]
    key = re.search(r'name="scan" value="([0-9a-f]+)"', response.content.decode())[1]
    for _time in range(2):  # sent twice: counted once
        response = client.post(pack_url(shipment), {"text": "MUG-1", "scan": key}, follow=True)
    assert "Counted already" in text_of(response)
    response = client.post(pack_url(shipment), {"text": "nonsense", "scan": "k2"}, follow=True)
    assert "is no article of this shipment" in text_of(response)
    assert in_boxes(shipment) == {1: {"Mug": 1}}
    client.post(pack_url(shipment), {"text": "2*MUG-1", "scan": "k3"})
    response = client.post(pack_url(shipment), {"text": "PEN-2", "scan": "k4"}, follow=True)
    assert "packed" in text_of(response)
    assert not Packing.objects.exists()
    response = client.post(act_url(shipment, "code"), {"text": CODE, "carrier": "correios"}, follow=True)
    assert response.redirect_chain == [(DESK, 302)]
    assert CODE in text_of(response)


def test_a_scan_costs_at_most_eight_queries(client, ana, shipment):
    # The slip, which makes a box, too; the first of a line, one more, the last of all, a surplus.
    scans = [(DESK, slip(shipment))]
    scans += [(pack_url(shipment), text) for text in ("MUG-1", "MUG-1", "PEN-2", "PEN-2")]
    for url, text in scans:
        with CaptureQueriesContext(connection) as counted:
            sent(client, url, text)
        begins = ("SAVEPOINT", "RELEASE", "BEGIN", "ROLLBACK")
        statements = [each["sql"] for each in counted if not each["sql"].startswith(begins)]
        assert len(statements) <= 8, "\n".join(statements)


def test_the_page_does_not_cost_more_with_more_lines(client, ana):
    counts = []
    for lines in (2, 12):
        shipment = goods(*[(f"Article {n}", f"{lines}{n}", f"SKU-{lines}-{n}", 2) for n in range(lines)])
        sent(client, DESK, slip(shipment))
        with CaptureQueriesContext(connection) as counted:
            client.get(pack_url(shipment))
        counts.append(len(counted))
    assert counts[0] == counts[1]


def test_what_cannot_be_packed_is_said(client, ana, team):
    order = factories.paid_order(currency="CHF")
    assert "is not released yet" in sent(client, DESK, order.number)["say"]
    held = goods(MUG)
    holds.place_hold(order=held.fulfillment.order, actor=team, code="address")
    assert sent(client, DESK, slip(held)) | {"say": ""} == {
        "ok": False, "say": "", "go": "", "then": "", "leave": False,
    }  # fmt: skip
    assert "on hold" in sent(client, DESK, slip(held))["say"]
    gone = factories.dispatched_order(currency="CHF")
    assert "been sent already" in sent(client, DESK, slip(gone.fulfillment.shipments.get()))["say"]
    assert "Nothing of order" in sent(client, DESK, gone.number)["say"]
    off = factories.cancelled_order(currency="CHF")
    assert "is cancelled" in sent(client, DESK, off.number)["say"]
    assert "<b>" in sent(client, DESK, "<b>\x00")["say"]
    assert not Packing.objects.exists()


def test_the_slip_of_another_shipment_is_no_article(client, ana, shipment):
    other = goods(("Cup", "1", "CUP", 1))
    sent(client, DESK, slip(shipment))
    for text, words in (
        (slip(shipment), "slip of this shipment"), (slip(other), "another shipment"),
        (other.fulfillment.number, "another shipment"), ("CUP", "“Cup” is not in this shipment"),
    ):  # fmt: skip
        answer = sent(client, pack_url(shipment), text)
        assert not answer["ok"]
        assert words in answer["say"]
    assert not PackingScan.objects.exists()


def test_buttons_of_the_table(client, ana, shipment):
    sent(client, DESK, slip(shipment))
    answer = sent(client, pack_url(shipment), "MUG-1", scan="k1")
    assert answer["scan"] == "k1"
    assert sent(client, pack_url(shipment), "MUG-1", scan="k1")["scan"] == ""
    assert "Taken back" in sent(client, act_url(shipment, "undo"), scan="k1")["say"]
    line = shipment.lines.get(line__title="Mug").line_id
    assert sent(client, act_url(shipment, "count"), line=line, quantity="3")["line"]["counted"] == 3
    assert sent(client, act_url(shipment, "count"), line=line, quantity="1", take_out="1")["line"]["counted"] == 2
    for absurd in ("", "0", "x", "99999999999999", "-1"):
        assert not sent(client, act_url(shipment, "count"), line=line, quantity=absurd)["ok"]
    assert sent(client, pack_url(shipment), "MUG-1", take_out="1")["line"]["counted"] == 1
    box = Packing.objects.get().box_id
    assert not sent(client, act_url(shipment, "next-box"), box=box, weight="heavy")["ok"]
    assert "Box 2" in sent(client, act_url(shipment, "next-box"), box=box, weight="900")["say"]
    assert not sent(client, act_url(shipment, "close"))["ok"]
    sent(client, pack_url(shipment), "PEN-2")
    assert "2 units stay behind" in sent(client, act_url(shipment, "in-part"))["say"]
    assert sent(client, act_url(shipment, "reopen"))["ok"]
    assert "Put aside" in sent(client, act_url(shipment, "put-aside"))["say"]
    assert sent(client, act_url(shipment, "begin"))["ok"]
    assert client.post(act_url(shipment, "explode")).status_code == 404
    assert client.get(act_url(shipment, "close")).status_code == 405


def test_the_second_packer_is_led_to_the_page_that_says_who_packs(client, ana, shipment):
    sent(client, DESK, slip(shipment))
    rui = factories.staff_user("dispatch_order", first_name="Rui")
    client.force_login(rui)
    answer = sent(client, DESK, slip(shipment))
    assert not answer["ok"]
    assert "Ana is packing" in answer["say"]
    assert "Take it over" in text_of(client.get(answer["go"]))
    refused = sent(client, pack_url(shipment), "MUG-1")
    assert refused["go"] == pack_url(shipment)
    assert sent(client, act_url(shipment, "take-over"))["ok"]
    assert sent(client, pack_url(shipment), "MUG-1")["ok"]


def test_several_shipments_of_an_order_are_offered(client, ana, shipment):
    sent(client, DESK, slip(shipment))
    sent(client, pack_url(shipment), "PEN-2")
    sent(client, act_url(shipment, "in-part"))
    order = shipment.fulfillment
    answer = sent(client, DESK, order.number)
    page = client.get(answer["go"])
    assert "which shipment?" in text_of(page)
    rest = Shipment.objects.exclude(pk=shipment.pk).get()
    assert slip(rest) in page.content.decode()
    assert sent(client, DESK, slip(rest))["go"] == pack_url(rest)


def test_an_order_number_may_hold_anything(client, ana):
    shipment = goods(MUG, number="A&B <1>/?x")
    answer = sent(client, DESK, "A&B <1>/?x")
    assert answer["go"] == pack_url(shipment)
    assert client.get(f"{DESK}?order=A%26B%20%3C1%3E%00").status_code == 200


def test_scan_to_dispatch(client, ana, shipment):
    answer = sent(client, DISPATCH, slip(shipment))
    assert answer["go"] == f"{DISPATCH}?shipment={shipment.pk}"
    assert "Scan the tracking code" in text_of(client.get(answer["go"]))
    assert not sent(client, DISPATCH, "4006381333931", shipment=shipment.pk, carrier="other")["ok"]
    left = sent(client, DISPATCH, CODE, shipment=shipment.pk, carrier="correios")
    assert left["ok"]
    assert left["go"] == DISPATCH
    shipment.refresh_from_db()
    assert shipment.status == "dispatched"
    assert "sent already" in sent(client, DISPATCH, slip(shipment))["say"]
    assert "sent already" in sent(client, DISPATCH, CODE)["say"]
    assert client.get(answer["go"]).status_code == 200  # asked for again: the field for the next slip


def test_a_label_whose_code_is_known_lets_the_goods_leave_at_once(client, ana, shipment):
    Parcel.objects.create(shipment=shipment, number=1, carrier="correios", tracking_code=CODE)
    left = sent(client, DISPATCH, "aa123456785br")
    assert left["ok"]
    assert CODE in left["say"]
    shipment.refresh_from_db()
    assert shipment.status == "dispatched"


def test_goods_leave_without_a_code_by_a_button(client, ana, shipment):
    assert sent(client, DISPATCH, shipment=shipment.pk, without_code="1")["ok"]
    shipment.refresh_from_db()
    assert shipment.status == "dispatched"


def test_goods_on_hold_are_not_dispatched(client, ana, shipment, team):
    holds.place_hold(order=shipment.fulfillment.order, actor=team, code="address")
    assert "on hold" in sent(client, DISPATCH, slip(shipment))["say"]
    answer = sent(client, DISPATCH, CODE, shipment=shipment.pk, carrier="correios")
    assert not answer["ok"]
    assert answer["go"] == DISPATCH
    assert not sent(client, DISPATCH, CODE, shipment=10**8)["ok"]


MODES = {
    "scan-desk": {"dispatch_order", "work_returns", "deliver_order"},
    "scan-dispatch": {"dispatch_order"},
    "scan-returns": {"work_returns"},
    "scan-pickup": {"deliver_order"},
}


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("permission", ["dispatch_order", "work_returns", "deliver_order", "view_orderfulfillment"])
def test_who_may_use_which_mode(client, name, permission):
    client.force_login(factories.staff_user(permission))
    response = client.get(reverse(f"dashboard:{name}"), follow=True)
    assert response.status_code == (200 if permission in MODES[name] else 403)
    shown = (
        re.findall(r'aria-current="page">\s*([^<]*)<', response.content.decode()) if permission in MODES[name] else []
    )
    expected = {"dispatch_order": "Pack", "work_returns": "Returns", "deliver_order": "Pick-up"}
    if name == "scan-desk" and shown:
        assert expected[permission] in shown


def test_posting_needs_the_modes_own_permission(client, shipment):
    everything = {
        DESK: "dispatch_order", pack_url(shipment): "dispatch_order", act_url(shipment, "begin"): "dispatch_order",
        DISPATCH: "dispatch_order", reverse("dashboard:scan-returns"): "work_returns", PICKUP: "deliver_order",
        reverse("dashboard:scan-hand-over", kwargs={"shipment": shipment.pk}): "deliver_order",
    }  # fmt: skip
    for url, needed in everything.items():
        others = {"dispatch_order", "work_returns", "deliver_order", "view_orderfulfillment"} - {needed}
        for user in (factories.staff_user(*others), factories.staff_user(needed, is_active=True)):
            client.force_login(user)
            status = client.post(url, {"text": slip(shipment)}).status_code
            assert (status == 403) is (not user.has_perm(f"oscar_fulfillment.{needed}")), (url, status)
        not_staff = factories.staff_user("*")
        not_staff.is_staff = False
        not_staff.save()
        client.force_login(not_staff)
        assert client.post(url, {"text": slip(shipment)}).status_code in (302, 403)
    client.logout()
    assert "login" in client.post(DESK, {"text": "x"})["Location"]


def test_the_desk_is_in_the_navigation_of_those_who_may_use_it(client):
    for permissions, seen in ((["dispatch_order"], True), (["deliver_order"], True), ([], False)):
        client.force_login(factories.staff_user("view_orderfulfillment", *permissions))
        assert (DESK in client.get("/dashboard/orders/").content.decode()) is seen


def test_an_unknown_shipment_is_not_found(client, ana):
    assert client.get(reverse("dashboard:scan-pack", kwargs={"shipment": 10**8})).status_code == 404
    assert not sent(client, reverse("dashboard:scan-pack", kwargs={"shipment": 10**8}), "x")["ok"]


def test_the_papers_of_the_shipment_are_printed_from_the_table(client, shipment):
    client.force_login(factories.staff_user("dispatch_order", "view_orderfulfillment"))
    sent(client, DESK, slip(shipment))
    page = client.get(pack_url(shipment)).content.decode()
    for name in ("label", "slip"):
        url = reverse("dashboard:order-document", kwargs={"number": shipment.fulfillment.number, "document": name})
        assert f'formaction="{url}?shipment=1"' in page
        assert client.post(f"{url}?shipment=1", follow=True)["Content-Type"] == "application/pdf"
    assert StatusChange.objects.filter(action="print").count() == 2
    client.force_login(factories.staff_user("dispatch_order"))
    assert "formaction" not in client.get(pack_url(shipment)).content.decode()


def test_where_the_goods_lie_is_shown(client, ana, settings, shipment):
    settings.OSCAR_FULFILLMENT = {
        **settings.OSCAR_FULFILLMENT,
        "DOCUMENT_BIN": lambda record: f"A-{record.partner_sku}",
    }
    sent(client, DESK, slip(shipment))
    assert "A-MUG-1" in client.get(pack_url(shipment)).content.decode()


@pytest.mark.feature("D15")
def test_scan_of_what_came_back(client):
    client.force_login(factories.staff_user("work_returns", "view_orderfulfillment"))
    url = reverse("dashboard:scan-returns")
    order = factories.delivered_order(currency="CHF", carrier="correios", tracking_code=CODE)
    for text in (order.number, CODE, slip(order.fulfillment.shipments.get())):
        answer = sent(client, url, text)
        assert answer["ok"]
        assert answer["go"] == f"{url}?order={order.number}"
    new = reverse("dashboard:order-return-new", kwargs={"number": order.number})
    assert new in client.get(answer["go"]).content.decode()
    ret = returns.request_return(order=order, actor=factories.TEAM, lines={order.lines.get().pk: (1, "damaged")})
    for text in (order.number, slip(order.fulfillment.shipments.get()), scan_codes.return_code(ret.pk)):
        answer = sent(client, url, text)
        assert answer["leave"]
        assert answer["go"] == reverse("dashboard:order-return", kwargs={"pk": ret.pk})
    assert "sent yet" in sent(client, url, factories.paid_order().number)["say"]
    assert not sent(client, url, "nothing")["ok"]
    assert not sent(client, url, "x\x00")["ok"]
