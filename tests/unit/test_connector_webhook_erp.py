"""The signed webhook to an ERP: its message, its settings, and what answers mean. Without a network."""

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from standardwebhooks.webhooks import Webhook

from oscar_fulfillment.connectors import webhook_erp
from oscar_fulfillment.connectors.base import ORDER, STATE, Capability
from oscar_fulfillment.connectors.order_document import order_document
from oscar_fulfillment.connectors.records import Contact, Known, OrderLine, OrderRecord, Task
from oscar_fulfillment.connectors.webhook_erp import SignedWebhook
from oscar_fulfillment.core import public_http
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    ConfigurationError,
)
from oscar_fulfillment.core.public_http import Reply

pytestmark = pytest.mark.feature("A8")

NEW, OLD = ("whsec_" + base64.b64encode(bytes([byte]) * 32).decode() for byte in (1, 2))


def connector(**options):
    return SignedWebhook(**{"alias": "erp", "url": "https://erp.example/orders", "secrets": [NEW, OLD], **options})


def an_order(**values):
    buyer = Contact(name="Ana Souza", email="ana@example.com", city="São Paulo", country="BR", tax_id="52998224725")
    line = OrderLine(1, "MUG", "", "Mug", 2, *(Decimal("10.00"),) * 2, *(Decimal("20.00"),) * 2)
    given = {
        "id": 5, "number": "T5", "version": 3, "placed_at": datetime(2026, 11, 1, 12, tzinfo=UTC), "flow": "BRAZIL",
        "language": "pt", "currency": "BRL", "payment_status": "paid", "shipping_status": "released", "lines": (line,),
        "buyer": buyer, "receiver": None, "total_incl_tax": Decimal("20.00"), "total_excl_tax": Decimal("20.00"),
        "shipping_incl_tax": Decimal(0), "shipping_excl_tax": Decimal(0), "shipping_code": "", "shipping_name": "",
        "payment_code": "pix", "payment_name": "Pix",
    }  # fmt: skip
    return OrderRecord(**given | values)


def task(kind=ORDER, **values):
    return Task(kind, an_order(), "T5:order:0", **values)


@pytest.fixture
def answered(monkeypatch):
    """What was sent, and what is answered (the last of the list for ever)."""
    sent, replies = [], [Reply(status=200)]

    def post(url, body, headers, **options):
        sent.append((url, body, headers))
        return replies[0] if len(replies) == 1 else replies.pop(0)

    monkeypatch.setattr(webhook_erp.public_http, "post", post)
    return sent, replies


def test_the_message_is_one_of_standard_webhooks_signed_by_both_secrets(answered):
    sent, _replies = answered
    pushed = connector().push(task())
    assert pushed.acknowledged
    (url, body, headers) = sent[0]
    assert url == "https://erp.example/orders"
    for secret in (NEW, OLD):
        Webhook(secret).verify(body, headers)
    found = json.loads(body)
    assert (found["type"], found["api_version"]) == ("order.released", "1")
    assert found["data"]["order"] == order_document(an_order())


def test_the_document_is_plain_and_says_null_for_what_is_not_known():
    found = order_document(an_order())
    assert json.loads(json.dumps(found)) == found
    assert (found["total_incl_tax"], found["placed_at"]) == ("20.00", "2026-11-01T12:00:00.000Z")
    assert found["shipping_method"] is None
    assert found["customer"]["shipping_address"] is None
    assert found["customer"]["billing_address"]["line4"] == "São Paulo"
    assert found["lines"][0]["tax_rate"] is None


def test_every_try_has_one_id_and_what_is_sent_after_it_was_taken_another(answered):
    sent, _replies = answered
    erp = connector(revise=True)
    first = erp.push(task())
    erp.push(Task(ORDER, an_order(version=9), "T5:order:0"))
    erp.push(task(own=Known(data=first.data)))
    ids = [headers["webhook-id"] for _url, _body, headers in sent]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("said", "external_id", "number"),
    [
        ('{"id": 7, "number": "A/7"}', "7", "A/7"), ('{"external_id": "x"}', "x", ""), ("", "", ""), ("ok", "", ""),
        ("[1]", "", ""), ('{"id": true}', "", ""), ('{"id": {"a": 1}}', "", ""), ('{"id": "a\\u0000b"}', "ab", ""),
        ("[" * 2000, "", ""), ('{"id": "' + "x" * 300 + '"}', "x" * 100, ""),
    ],
)  # fmt: skip
def test_what_it_is_called_over_there_is_kept(answered, said, external_id, number):
    answered[1][:] = [Reply(status=201, excerpt=said)]
    pushed = connector().push(task())
    assert (pushed.external_id, pushed.number) == (external_id, number)


@pytest.mark.parametrize(
    ("reply", "error", "exact"),
    [
        (Reply(status=429, retry_after=30), AdapterUnavailable, True), (Reply(status=503), AdapterUnavailable, True),
        (Reply(status=500), AdapterUnanswered, True), (Reply(status=302), AdapterUnanswered, True),
        (Reply(status=400, excerpt="no"), AdapterRejected, True), (Reply(status=410), AdapterRejected, True),
        (Reply(error=public_http.UNREACHABLE), AdapterUnavailable, True),
        (Reply(error=public_http.INSECURE), AdapterUnavailable, True),
        (Reply(error="inside"), AdapterUnavailable, True), (Reply(error="unknown_host"), AdapterUnavailable, True),
        (Reply(error=public_http.TOO_SLOW), AdapterUnanswered, True),
        (Reply(error=public_http.BROKEN), AdapterUnanswered, True),
    ],
)  # fmt: skip
def test_what_answers_mean(answered, reply, error, exact):
    answered[1][:] = [reply]
    with pytest.raises(error) as caught:
        connector().push(task())
    assert type(caught.value) is error
    assert getattr(caught.value, "retry_after", 0) == reply.retry_after


def test_states_are_told_where_the_settings_say_so(answered):
    silent = connector()
    assert silent.kinds_for("dispatch", moves=True) == []
    erp = connector(states=True)
    assert Capability.STATES in erp.capabilities
    assert erp.kinds_for("dispatch", moves=True) == [STATE]
    assert erp.push(task(STATE, state="sent")).state == "sent"
    found = json.loads(answered[0][0][1])
    assert (found["type"], found["data"]["state"]) == ("order.status_changed", "sent")


def test_capabilities_are_chosen():
    assert connector().capabilities == {Capability.IDEMPOTENT}
    assert connector(idempotent=False, revise=True).capabilities == {Capability.REVISE}


@pytest.mark.parametrize(
    "options",
    [
        {"secrets": []}, {"secrets": NEW}, {"secrets": ["whsec_!"]}, {"secrets": ["short"]},
        {"url": "http://erp.example/"}, {"url": "https://127.0.0.1/"}, {"url": "https://localhost/"},
        {"url": "https://user:pass@erp.example/"}, {"order_at": "never"},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(options):
    with pytest.raises(ConfigurationError):
        connector(**options)


def test_no_secret_is_shown():
    erp = connector(secrets=["a plain secret of mine"])
    assert "plain" not in repr(erp)
    with pytest.raises(ConfigurationError) as caught:
        connector(secrets=["whsec_notbase64!secret"])
    assert "notbase64" not in str(caught.value)
