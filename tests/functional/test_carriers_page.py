"""The carriers' pages: what each can do, switches, carriers made here, and codes that nobody knows."""

import pytest
from django.urls import reverse
from django.utils import timezone

from oscar_fulfillment.carriers import carriers, suggest
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import CarrierSetup, LaneHealth, Parcel, UnmappedCode
from oscar_fulfillment.services import carrier_setup, parcels
from oscar_fulfillment.test import factories
from tests.integration.parcels import fake_carriers, on_the_way

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A12", "A13")]
LINK = "https://jad.example/track?c={code}"
OWN = {"name": "Jadlog", "alias": "jadlog", "url_template": LINK, "pattern": "[0-9]{14}", "example": "12345678901234",
       "shipping_methods": "jadlog\nrodoviário", "automatic_tracking_mail": "on", "is_active": "on"}  # fmt: skip
ME = Actor.system("test")


@pytest.fixture
def manager(client):
    user = factories.staff_user("manage_carriers", "dispatch_order", "view_orderfulfillment")
    client.force_login(user)
    return user


def url(name, *args):
    return reverse(f"dashboard:{name}", args=args)


def text(answer):
    return answer.content.decode()


def test_the_list_says_what_each_can_do_and_how_it_is(client, manager):
    with fake_carriers():
        order = on_the_way("FK1")
        Parcel.objects.update(tracking_problem="not_found")
        LaneHealth.objects.create(name="tracking:second", paused_until=timezone.now(), error="cannot be reached <b>")
        UnmappedCode.objects.create(carrier="fake", code="ZZ/1", text="<i>Novo</i>", count=3,
                                    first_seen_at=timezone.now(), last_seen_at=timezone.now())  # fmt: skip
        page = text(client.get(url("carrier-list")))
    assert "Takes orders" in page
    assert "Parcels without an answer" in page
    assert "does not answer" in page
    assert "cannot be reached &lt;b&gt;" in page
    assert "&lt;i&gt;Novo&lt;/i&gt;" in page
    assert order.number


def test_an_own_carrier_is_made_used_changed_and_put_out_of_use(client, manager):
    assert client.post(url("carrier-new"), OWN).status_code == 302
    assert "jadlog" in carriers
    order = factories.invoiced_order()
    order.shipping_method = "Jadlog Expresso"
    assert suggest(order) == "jadlog"
    typed = parcels.read_parcel(carrier="jadlog", tracking_code="1234 5678 901234", order=order)
    assert typed["tracking_url"] == "https://jad.example/track?c=12345678901234"
    with pytest.raises(InvalidInput):
        parcels.read_parcel(carrier="jadlog", tracking_code="12", order=order)
    page = text(client.get(url("carrier", "jadlog"), {"code": "12345678901234"}))
    assert "https://jad.example/track?c=12345678901234" in page
    assert "should look like 12345678901234" in text(client.get(url("carrier", "jadlog"), {"code": "12"}))
    hostile = text(client.get(url("carrier", "jadlog"), {"code": "<script>"}))
    assert "&lt;script&gt;" in hostile
    assert 'value="<script>' not in hostile
    changed = {**OWN, "name": "Jadlog SA"}
    del changed["is_active"]
    assert client.post(url("carrier", "jadlog"), changed).status_code == 302
    assert "jadlog" not in list(carriers)
    assert carriers.get("jadlog").name == "Jadlog SA"  # what is under way is followed as before


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url_template": "javascript:alert({code})"}, "url_template"),
        ({"url_template": "https://{code}.example/"}, "url_template"),
        ({"url_template": "https://a.example/"}, "url_template"),
        ({"url_template": "https://a.example/{secret}"}, "url_template"),
        ({"pattern": "("}, "pattern"),
        ({"pattern": "(A+)+B"}, "pattern"),
        ({"pattern": "A*A*A*A*A*B"}, "pattern"),
        ({"pattern": "A?" * 30 + "A{30}"}, "pattern"),
        ({"pattern": r"\d{1,9}\d{1,9}\d{1,9}\d{1,9}"}, "pattern"),
        ({"example": "12"}, "example"),
        ({"alias": "correios"}, "alias"),
        ({"alias": "ação"}, "alias"),
        ({"alias": "x" * 33}, "alias"),
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(client, manager, wrong, field):
    answer = client.post(url("carrier-new"), OWN | wrong)
    assert answer.status_code == 422
    assert answer.context["form"].errors.get(field)
    assert not CarrierSetup.objects.exists()


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "[0-9]{14}",
        "[A-Z]{2}[0-9]{9}BR",
        r"\d{10}|\d{12}",
        "1Z[0-9A-Z]+",
        r"[*+?(]{3}\([0-9]*",
        "[]A(]+",
        "[^]*+?({2,3}]+",
    ],
)
def test_what_codes_look_like_is_compared_at_once(pattern):
    assert carrier_setup.is_quick(pattern)


def test_a_carrier_whose_orders_wait_is_shown_as_down(client, manager):
    with fake_carriers():
        outbox.circuit.trip(outbox.PUMP.health_name("carriers:fake"), None, "no route <i>", [60])
        page = text(client.get(url("carrier-list")))
    assert "no route &lt;i&gt;" in page
    assert "does not answer" in page


def test_the_same_short_name_twice_is_refused(client, manager):
    client.post(url("carrier-new"), OWN)
    assert client.post(url("carrier-new"), OWN | {"name": "Other"}).status_code == 422
    assert CarrierSetup.objects.get().name == "Jadlog"


def test_a_carrier_of_the_settings_is_switched(client, manager):
    with fake_carriers():
        order = on_the_way("FK1")
        assert not carriers.get("fake").creates_orders
        data = {"is_active": "on", "creates_orders": "on", "dispatches_on_pickup": "on"}
        assert client.post(url("carrier", "fake"), data).status_code == 302
        adapter = carriers.get("fake")
        assert (adapter.creates_orders, adapter.dispatches_on_pickup, adapter.automatic_tracking_mail) == (
            True,
            True,
            False,
        )
        assert not adapter.is_polled
        assert Parcel.objects.get(shipment__fulfillment=order.pk).next_check_at is None
        assert client.get(url("carrier", "fake")).context["form"].initial["creates_orders"] is True
        assert CarrierSetup.objects.get().changed_by_label
        assert client.post(url("carrier", "fake"), data | {"is_polled": "on"}).status_code == 302
        assert Parcel.objects.get(shipment__fulfillment=order.pk).next_check_at <= timezone.now()


def test_what_a_carrier_cannot_do_cannot_be_switched_on(client, manager):
    assert "creates_orders" not in client.get(url("carrier", "other")).context["form"].fields
    with pytest.raises(InvalidInput):
        carrier_setup.save_switches(alias="other", is_active=True, actor=ME, creates_orders=True)
    with pytest.raises(InvalidInput):
        carrier_setup.save_switches(alias="nobody", is_active=True, actor=ME)
    with pytest.raises(InvalidInput):
        carrier_setup.save_switches(alias="other", is_active=True, actor=ME, flies=True)


def test_only_a_carrier_that_was_never_used_is_deleted(client, manager):
    client.post(url("carrier-new"), OWN)
    order = factories.invoiced_order()
    parcels.change_parcels(
        order=order, actor=ME, shipment=order.fulfillment.shipments.get().pk,
        parcels=[{"carrier": "jadlog", "tracking_code": "12345678901234"}],
    )  # fmt: skip
    assert "cannot be undone" in text(client.get(url("carrier-delete", "jadlog")))
    client.post(url("carrier-delete", "jadlog"))
    assert CarrierSetup.objects.exists()
    Parcel.objects.all().delete()
    client.post(url("carrier-delete", "jadlog"))
    assert not CarrierSetup.objects.exists()
    assert client.get(url("carrier", "jadlog")).status_code == 404
    assert client.get(url("carrier-delete", "other")).status_code == 404


def test_unknown_codes_as_a_file_run_no_formula(client, manager):
    now = timezone.now()
    UnmappedCode.objects.create(carrier="fake", code="=1+1", text="@x", count=2, first_seen_at=now, last_seen_at=now)
    lines = text(client.get(url("carrier-codes-csv"))).splitlines()
    assert lines[1].startswith("fake,'=1+1,'@x,2,")


@pytest.mark.parametrize("name", ["carrier-list", "carrier-new", "carrier-codes-csv"])
def test_only_who_manages_carriers_sees_them(client, name):
    client.force_login(factories.staff_user("view_orderfulfillment", "dispatch_order"))
    assert client.get(url(name)).status_code == 403
    client.logout()
    assert client.get(url(name)).status_code == 302


def test_before_the_tables_are_there_nothing_is_known(monkeypatch):
    from django.db import OperationalError

    def fail(*args, **kwargs):
        raise OperationalError("no such table")

    monkeypatch.setattr(CarrierSetup._default_manager, "all", fail)
    assert carrier_setup.source() == []
