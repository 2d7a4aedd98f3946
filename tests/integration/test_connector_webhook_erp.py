"""The signed webhook to an ERP: over a real connection, in the ledger, when answers are lost."""

import base64
import json

import pytest

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.models import Export
from oscar_fulfillment.services import connector_ledger, release
from oscar_fulfillment.test import factories
from sandbox.simulators.base import serve
from sandbox.simulators.receiver import Receiver

from .api import Caller
from .connectors import configured, due_now, ledger, send

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A8")]

BACKEND = "oscar_fulfillment.connectors.webhook_erp.SignedWebhook"
SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()


@pytest.fixture
def receiver():
    found = Receiver()
    found.configure_keys(SECRET)
    with serve(found) as address:
        found.url = f"{address}/hook"
        yield found


def connected(receiver, **options):
    here = {"url": receiver.url, "secrets": [SECRET], "allow_hosts": ["127.0.0.1"], "timeout": 2, **options}
    return configured(erp=(BACKEND, here))


def test_release_hands_the_order_over_signed(receiver):
    with connected(receiver):
        order = factories.paid_order()
        assert send("erp") == {}
        release.release_order(order=order, actor=factories.TEAM)
        assert send("erp") == {"sent": 1}
    (message,) = receiver.messages
    assert (message["verdict"], message["type"]) == ("verified", "order.released")
    (row,) = ledger("erp")
    assert row.status == Export.ACKNOWLEDGED
    # The very document of the API.
    found = json.loads(message["body"])["data"]["order"]
    assert found == Caller("other").get(f"/orders/{order.number}").json()


def test_a_lost_answer_is_repeated_under_the_same_id(receiver):
    with connected(receiver):
        receiver.fail_next("cut_after")
        factories.released_order()
        send("erp")
        assert ledger("erp")[0].status == Export.SENDING
        due_now("erp")
        send("erp")
    first, second = receiver.messages
    assert first["id"] == second["id"]
    assert ledger("erp")[0].status == Export.ACKNOWLEDGED


def test_without_idempotency_a_person_decides_about_a_lost_answer(receiver):
    with connected(receiver, idempotent=False):
        receiver.fail_next("cut_after")
        factories.released_order()
        send("erp")
        due_now("erp")
        send("erp")
    assert len(receiver.messages) == 1
    assert ledger("erp")[0].status == Export.FAILED


def test_a_refusal_waits_for_a_person_and_is_sent_again(receiver):
    with connected(receiver):
        receiver.answer_with("410")
        factories.released_order()
        assert send("erp") == {"dead": 1}
        (row,) = ledger("erp")
        assert row.status == Export.FAILED
        assert "410" in row.error
        receiver.answer_with("204")
        connector_ledger.send_again(export=row, actor=factories.TEAM)
        send("erp")
        assert ledger("erp")[0].status == Export.ACKNOWLEDGED


def test_the_inside_of_the_network_is_not_called(receiver):
    with connected(receiver, allow_hosts=[], allow_http=True, url="http://rebound.example/", ports=[80]):
        import oscar_fulfillment.core.public_address as public_address

        connectors.get("erp")
        factories.released_order()
        before, public_address.look_up = public_address.look_up, lambda host, port: ["127.0.0.1"]
        try:
            assert send("erp") == {"pending": 1}
        finally:
            public_address.look_up = before
    assert receiver.messages == []
    assert "inside" in ledger("erp")[0].error
