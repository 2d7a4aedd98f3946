"""The pages where a person lets the shop into other systems: who may, there and back, forged returns, the end."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.core import sealed
from oscar_fulfillment.models import ConnectorState
from oscar_fulfillment.services import connector_oauth
from oscar_fulfillment.services.connector_tokens import DatabaseTokens
from oscar_fulfillment.test import factories
from tests.integration.bling import bling, handed_over
from tests.integration.connectors import configured, ledger, send

from .steps import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A8")]
URL = "/dashboard/orders/systems/"
BACK = f"{URL}bling/callback/"


@pytest.fixture
def erp():
    with bling(connected=False) as account:
        yield account


@pytest.fixture
def boss(client):
    client.force_login(factories.staff_user("manage_connectors", "view_orderfulfillment"))
    return client


def leave(boss):
    """Off to Bling; the query it gets."""
    answer = boss.post(f"{URL}bling/connect/")
    assert answer.status_code == 302
    assert urlsplit(answer["Location"]).path == "/Api/v3/oauth/authorize"
    return {name: value[0] for name, value in parse_qs(urlsplit(answer["Location"]).query).items()}


def test_only_who_may_change_connectors_gets_anywhere(erp, client):
    client.force_login(factories.staff_user("view_orderfulfillment", "manage_webhooks"))
    for url in (URL, BACK):
        assert client.get(url).status_code == 403
    for name in ("connect", "disconnect"):
        assert client.post(f"{URL}bling/{name}/").status_code == 403
    assert Client().get(URL).status_code == 302
    assert erp.vendor.calls == []


def test_a_person_connects_it_and_what_waited_goes(erp, boss):
    order = handed_over()
    assert ledger("bling")[0].status == "waiting"
    page = text_of(boss.get(URL))
    assert "Not connected" in page
    assert f"http://testserver{BACK}" in page
    assert "http://testserver/fulfillment/webhooks/connectors/bling/" in page
    query = leave(boss)
    assert query["response_type"] == "code"
    answer = boss.get(BACK, {"code": erp.vendor.new_code(), "state": query["state"]}, follow=True)
    assert "Bling is connected." in text_of(answer)
    assert "Connected" in text_of(answer)
    # Nobody had to wait for the next try.
    send("bling")
    assert ledger("bling")[0].status == "acknowledged"
    assert erp.vendor.order_by_number(order.number)
    row = ConnectorState.objects.get()
    tokens = DatabaseTokens("bling").load()
    assert tokens.access not in row.sealed
    assert tokens.refresh not in row.sealed
    assert tokens.refresh not in repr(tokens)


def test_who_did_not_begin_here_brings_nothing(erp, boss):
    code = erp.vendor.new_code()
    state = leave(boss)["state"]
    for given in ({"code": code, "state": "other"}, {"code": code}, {"code": code, "state": ""}):
        answer = boss.get(BACK, given, follow=True)
        assert "This did not begin here" in text_of(answer)
    # The state was used up by the first try, whoever made it.
    answer = boss.get(BACK, {"code": code, "state": state}, follow=True)
    assert "This did not begin here" in text_of(answer)
    other = Client()
    other.force_login(factories.staff_user("manage_connectors", "view_orderfulfillment"))
    state = leave(boss)["state"]
    assert "This did not begin here" in text_of(other.get(BACK, {"code": code, "state": state}, follow=True))
    assert DatabaseTokens("bling").load() is None
    assert erp.vendor.calls == []


def test_who_comes_back_too_late_begins_anew(erp, boss, monkeypatch):
    state = leave(boss)["state"]
    monkeypatch.setattr(connector_oauth, "PATIENCE", -1)
    assert "too long ago" in text_of(boss.get(BACK, {"code": erp.vendor.new_code(), "state": state}, follow=True))


def test_a_refusal_there_and_a_code_that_is_not_good_are_text_of(erp, boss):
    answer = boss.get(BACK, {"error": "access_denied", "state": leave(boss)["state"]}, follow=True)
    assert "Bling did not let the shop in." in text_of(answer)
    answer = boss.get(BACK, {"code": "wrong", "state": leave(boss)["state"]}, follow=True)
    assert "Bling gave no tokens: Bling does not accept it" in text_of(answer)
    erp.vendor.fail_next("error_before", path="oauth")
    answer = boss.get(BACK, {"code": erp.vendor.new_code(), "state": leave(boss)["state"]}, follow=True)
    assert "answered 500" in text_of(answer)
    assert "Not connected" in text_of(answer)


def test_the_end(erp, boss):
    boss.get(BACK, {"code": erp.vendor.new_code(), "state": leave(boss)["state"]})
    answer = boss.post(f"{URL}bling/disconnect/", follow=True)
    assert "forgotten its tokens" in text_of(answer)
    assert "Not connected" in text_of(answer)
    assert ConnectorState.objects.get().sealed == ""


def test_the_page_says_when_it_is_to_be_connected_again(erp, boss):
    boss.get(BACK, {"code": erp.vendor.new_code(), "state": leave(boss)["state"]})
    erp.vendor.end_tokens("access", "refresh")
    handed_over()
    page = text_of(boss.get(URL))
    assert "To be connected again" in page
    assert "Connect again" in page


def test_without_the_package_the_page_says_what_to_install(erp, boss, monkeypatch):
    monkeypatch.setattr(sealed, "missing_packages", lambda: ("cryptography",))
    assert boss.get(URL).status_code == 200
    answer = boss.post(f"{URL}bling/connect/", follow=True)
    assert 'pip install "django-oscar-fulfillment[nfe]"' in text_of(answer).replace("&quot;", '"')


def test_systems_that_are_not_connected_by_a_person_are_not_here(boss):
    with configured(demo=("oscar_fulfillment.test.connectors.FakeConnector", {})):
        page = text_of(boss.get(URL))
        assert "Demo system" in page
        assert "Not connected" not in page
        for alias in ("demo", "nobody"):
            assert boss.post(f"{URL}{alias}/connect/").status_code == 404
            assert boss.get(f"{URL}{alias}/callback/").status_code == 404
        assert connector_oauth.connection_of("demo") is None
    assert "bling" not in connectors
