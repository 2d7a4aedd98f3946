"""Keys of webhooks: nothing secret is kept, the library of Standard Webhooks agrees, rotation leaves no gap."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from oscar_fulfillment.services import webhook_keys
from oscar_fulfillment.services.webhook_keys import KeyLost, new_key, rotated, secret, signed_headers, valid

pytestmark = pytest.mark.feature("Z15")

BODY = '{"type":"order.recorded","data":{"title":"Кружка ☕"}}'.encode()


def now():
    return datetime.now(UTC)


def verifies(key, headers, body=BODY):
    """Whether the library takes it with this secret."""
    try:
        Webhook(key).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_the_library_verifies_what_we_sign():
    key = new_key(now())
    headers = signed_headers([key], "msg_1", BODY, now())
    assert verifies(secret(key), headers)
    assert not verifies(secret(new_key(now())), headers)
    assert not verifies(secret(key), headers, BODY + b" ")
    assert not verifies(secret(key), {**headers, "webhook-id": "msg_2"})
    assert not verifies(secret(key), {**headers, "webhook-timestamp": str(int(now().timestamp()) - 5)})


def test_the_moment_is_that_of_the_try():
    key = new_key(now())
    old = signed_headers([key], "msg_1", BODY, now() - timedelta(minutes=6))
    assert not verifies(secret(key), old), "too old"
    assert verifies(secret(key), signed_headers([key], "msg_1", BODY, now()))
    elsewhere = now().astimezone(tz=datetime.now().astimezone().tzinfo)
    assert signed_headers([key], "m", BODY, elsewhere)["webhook-timestamp"] == str(int(elsewhere.timestamp()))


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=200))
def test_any_text_is_signed_as_the_library_signs_it(text):
    key = new_key(now())
    body = json.dumps({"text": text}, ensure_ascii=False)
    at = datetime.fromtimestamp(int(now().timestamp()), UTC)
    expected = Webhook(secret(key)).sign("msg_1", at, body)
    assert signed_headers([key], "msg_1", body.encode(), at)["webhook-signature"] == expected


def test_a_secret_is_as_the_specification_wants_it_and_is_stored_nowhere():
    key = new_key(now())
    shown = secret(key)
    assert shown.startswith("whsec_")
    raw = base64.b64decode(shown.removeprefix("whsec_"), validate=True)
    assert 24 <= len(raw) <= 64
    stored = json.dumps(key)
    assert shown not in stored
    assert base64.b64encode(raw).decode() not in stored
    assert raw.hex() not in stored
    assert len({secret(new_key(now())) for _ in range(50)}) == 50


def test_a_rotation_signs_by_both_until_the_old_one_ends():
    old = new_key(now())
    keys = rotated([old], now(), 24)
    headers = signed_headers(keys, "msg_1", BODY, now())
    assert len(headers["webhook-signature"].split()) == 2
    assert verifies(secret(keys[0]), headers)
    assert verifies(secret(old), headers)
    assert len(valid(keys, now() + timedelta(hours=23, minutes=59))) == 2
    assert valid(keys, now() + timedelta(hours=24, minutes=1)) == keys[:1]
    later = signed_headers(keys, "msg_1", BODY, now() + timedelta(hours=25))
    assert len(later["webhook-signature"].split()) == 1


def test_a_key_that_has_leaked_ends_at_once():
    old = new_key(now())
    keys = rotated([old], now(), 0)
    assert not verifies(secret(old), signed_headers(keys, "msg_1", BODY, now()))
    assert len(keys) == 1


def test_keys_do_not_pile_up_and_no_rotation_prolongs_an_old_one():
    keys = [new_key(now())]
    for _time in range(9):
        keys = rotated(keys, now(), 24)
    assert len(keys) == webhook_keys.MOST
    first = rotated([new_key(now())], now(), 1)
    again = rotated(first, now(), 24)
    assert again[2]["until"] == first[1]["until"]
    gone = rotated(first, now() + timedelta(hours=2), 24)
    assert [key["salt"] for key in gone[1:]] == [first[0]["salt"]]


def test_the_projects_key_may_change_while_the_old_one_is_a_fallback(settings):
    key = new_key(now())
    shown = secret(key)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert secret(key) == shown
    assert verifies(shown, signed_headers([key], "msg_1", BODY, now()))
    newer = rotated([key], now(), 24)
    assert verifies(secret(newer[0]), signed_headers(newer, "msg_1", BODY, now()))
    settings.SECRET_KEY_FALLBACKS = []
    assert verifies(secret(newer[0]), signed_headers(newer, "msg_1", BODY, now())), "by those that can be made"
    with pytest.raises(KeyLost):
        secret(key)
    with pytest.raises(KeyLost):
        signed_headers([key], "msg_1", BODY, now())


def test_without_a_key_nothing_is_signed():
    with pytest.raises(KeyLost):
        signed_headers([], "msg_1", BODY, now())
