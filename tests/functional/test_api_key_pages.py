"""The pages of the API's keys: who may see them, the key shown once, what is changed, two managers at once."""

import re

import pytest

from oscar_fulfillment.models import ApiKey
from oscar_fulfillment.services import api_keys
from oscar_fulfillment.test import factories
from tests.integration.api import Caller

from .steps import said

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A8", "A10")]

URL = "/dashboard/orders/api-keys/"
TOKEN = re.compile(r"ofk_[a-z0-9]+_[A-Za-z0-9_-]{40,}")


@pytest.fixture
def boss(client):
    client.force_login(factories.staff_user("manage_connectors", "view_orderfulfillment", first_name="Marta"))
    return client


def form(**typed):
    return {"seen": 0, "name": "ERP", "system": "erp", "scopes": ["orders:read"], **typed}


def shown(answer):
    """The keys on a page."""
    return TOKEN.findall(answer.content.decode())


def test_only_who_may_manage_systems_gets_anywhere(client):
    key = Caller().key
    client.force_login(factories.staff_user("manage_webhooks", "view_orderfulfillment"))
    for url in (URL, f"{URL}new/", f"{URL}{key.pk}/", f"{URL}{key.pk}/edit/"):
        assert client.get(url).status_code == 403
    for url in (f"{URL}new/", f"{URL}{key.pk}/edit/", f"{URL}{key.pk}/rotate/", f"{URL}{key.pk}/off/"):
        assert client.post(url, form()).status_code == 403
    assert ApiKey.objects.get().is_active


def test_a_key_is_made_shown_once_and_works(boss):
    answer = boss.post(f"{URL}new/", form(scopes=["orders:read", "orders:ack"], flows=["BRAZIL"]))
    assert answer["Cache-Control"].startswith("max-age=0")
    (token,) = shown(answer)
    key = ApiKey.objects.get()
    assert (key.system, key.scopes, key.flows, key.created_by_label) == (
        "erp",
        ["orders:read", "orders:ack"],
        ["BRAZIL"],
        "Marta",
    )
    for url in (URL, f"{URL}{key.pk}/", f"{URL}{key.pk}/edit/"):
        assert shown(boss.get(url)) == []
    headers = {"Authorization": f"Bearer {token}"}
    assert boss.get("/api/fulfillment/orders", headers=headers).status_code == 200
    # A page that is loaded again makes no second key.
    again = boss.post(f"{URL}new/", form())
    assert (again.status_code, shown(again), ApiKey.objects.count()) == (422, [], 1)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"), ({"name": "x" * 101}, "name"), ({"name": "a\x00b"}, "name"), ({"system": "Ünknown"}, "system"),
        ({"system": "_x"}, "system"), ({"scopes": []}, "scopes"), ({"scopes": ["all"]}, "scopes"), ({"flows": ["X"]}, "flows"),
        ({"partner": "999"}, "partner"), ({"expires_at": "2001-01-01T00:00"}, "expires_at"),
    ],
)  # fmt: skip
def test_what_is_typed_wrong_is_marked(boss, typed, field):
    answer = boss.post(f"{URL}new/", form(**typed))
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_a_key_is_changed_and_its_system_stays(boss):
    key = Caller().key
    boss.post(f"{URL}{key.pk}/edit/", form(seen=1, name="New name", system="other", scopes=["stock:write"]))
    key.refresh_from_db()
    assert (key.name, key.system, key.scopes, key.version) == ("New name", "erp", ["stock:write"], 2)


def test_two_managers_at_once(boss):
    key = Caller().key
    api_keys.change_key(key=key, actor=factories.TEAM, values={"name": "First", "scopes": ["orders:read"], "flows": []})
    answer = boss.post(f"{URL}{key.pk}/edit/", form(seen=1, name="Second"))
    assert answer.status_code == 409
    assert "has changed this key" in answer.content.decode()
    assert boss.post(f"{URL}{key.pk}/edit/", form(seen=2, name="Second")).status_code == 302


def test_off_on_and_a_new_key(boss):
    erp = Caller()
    boss.post(f"{URL}{erp.key.pk}/off/", {"seen": 1})
    assert erp.get("/orders").status_code == 401
    boss.post(f"{URL}{erp.key.pk}/on/", {"seen": 2})
    assert erp.get("/orders").status_code == 200
    answer = boss.post(f"{URL}{erp.key.pk}/rotate/", {"seen": 3, "at_once": "1"})
    (token,) = shown(answer)
    assert erp.get("/orders").status_code == 401
    erp.token = token
    assert erp.get("/orders").status_code == 200
    # The same form once more, as a page that is loaded again sends it.
    again = boss.post(f"{URL}{erp.key.pk}/rotate/", {"seen": 3, "at_once": "1"})
    assert any("changed this key" in message for message in said(boss, again))
    assert erp.get("/orders").status_code == 200


def test_pages_of_keys_that_are_not_there(boss):
    for url in (f"{URL}99/", f"{URL}99/edit/", f"{URL}{2**70}/"):
        assert boss.get(url).status_code == 404
