"""docs/webhooks.md: its example has the fields of a real body, and its lines of Python verify a real signature."""

import json
import pathlib
import re

import pytest
from django.utils import timezone

from oscar_fulfillment.services import webhook_bodies, webhook_events, webhook_keys
from oscar_fulfillment.test import factories

from .webhooks import make, rows

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z15")]

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def shape(value):
    """The names of the fields, whatever they hold."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value) is list


def test_the_example_has_the_fields_of_a_real_body():
    endpoint = make()
    factories.dispatched_order(carrier="correios", tracking_code="AA123456785BR")
    real = json.loads(webhook_bodies.make_body(rows(endpoint, kind="shipment.dispatched").get(), endpoint))
    assert shape(json.loads(block("json"))) == shape(real)


def test_the_lines_of_python_verify_what_we_sign():
    found = {}
    exec(block("python"), found)
    key = webhook_keys.new_key(timezone.now())
    body = '{"type":"ping","data":{"title":"Кружка"}}'.encode()
    headers = webhook_keys.signed_headers([key], "msg_1", body, timezone.now())
    verify = found["is_from_the_shop"]
    secret, other = webhook_keys.secret(key), webhook_keys.secret(webhook_keys.new_key(timezone.now()))
    assert verify([other, secret], headers, body)
    assert not verify([other], headers, body)
    assert not verify([secret], headers, body + b" ")
    assert not verify([secret], {**headers, "webhook-timestamp": "1"}, body)
    assert not verify([secret], {**headers, "webhook-signature": "v1,\u00e9"}, body)
    assert not verify([secret], {}, body)
    rotated = webhook_keys.rotated([key], timezone.now(), 24)
    headers = webhook_keys.signed_headers(rotated, "msg_1", body, timezone.now())
    assert verify([secret], headers, body)
    assert verify([webhook_keys.secret(rotated[0])], headers, body)


def test_every_event_is_on_the_page():
    assert [name for name in webhook_events.EVENTS if f"| `{name}` |" not in PAGE] == []
