"""The simulated receiver: it judges signatures by the specification, and answers as a person tells it to."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from werkzeug.test import Client

from sandbox.simulators import __main__ as simulators
from sandbox.simulators.receiver import ANSWERS, Receiver

pytestmark = pytest.mark.feature("Z15")

KEY = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = '{"type":"ping","data":{}}'


def send(receiver, key=KEY, name="msg_1", at=None, body=BODY, **headers):
    at = at or datetime.now(UTC)
    signed = {
        "webhook-id": name, "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign(name, at, body),
    }  # fmt: skip
    return Client(receiver).post("/hook", data=body, headers={**signed, **headers})


def verdicts(receiver):
    return [message["verdict"] for message in receiver.messages]


def page(receiver):
    answer = Client(receiver).get("/")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_it_judges_as_the_library_signs():
    receiver = Receiver()
    send(receiver)
    receiver.configure_keys(OTHER, KEY)
    send(receiver)
    receiver.configure_keys(OTHER)
    send(receiver)
    both = (
        f"{Webhook(KEY).sign('msg_1', datetime.now(UTC), BODY)} {Webhook(OTHER).sign('msg_1', datetime.now(UTC), BODY)}"
    )
    send(receiver, **{"webhook-signature": both})
    send(receiver, key=OTHER, at=datetime.now(UTC) - timedelta(minutes=6))
    send(receiver, key=OTHER, **{"webhook-timestamp": "soon"})
    send(receiver, key=OTHER, **{"webhook-signature": ""})
    assert verdicts(receiver) == [
        "no key was entered", "verified", "signed by nobody we know", "verified", "too old, or without a time",
        "too old, or without a time", "signed by nobody we know",
    ]  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_answers_as_it_is_told(answer):
    receiver = Receiver()
    assert Client(receiver).post("/answer", data={"answer": answer}).status_code == 303
    got = send(receiver)
    assert got.status_code == int(answer)
    assert got.headers.get("Retry-After") == ("60" if answer == "429" else None)
    assert (answer != "302") or got.headers["Location"]


def test_its_page_shows_what_came_and_escapes_it():
    receiver = Receiver()
    assert "Nothing has come yet" in page(receiver)
    assert Client(receiver).post("/keys", data={"keys": f" {KEY}\n{OTHER} "}).status_code == 303
    assert receiver.setup["keys"] == [KEY, OTHER]
    for _time in range(2):
        send(receiver)
    send(receiver, name="msg_2", body='{"type":"<script>alert(1)</script>"}')
    send(receiver, name="msg_3", body="<b>no json</b>")
    text = page(receiver)
    assert "came 2 times" in text
    assert "<script>alert(1)" not in text
    assert "<b>no json" not in text
    assert "no JSON" in text
    assert KEY in text
    assert "/hook</code>" in text


def test_nonsense_is_refused():
    receiver = Receiver()
    assert Client(receiver).post("/keys", data={"keys": "whsec_???"}).status_code == 400
    assert Client(receiver).post("/answer", data={"answer": "teapot"}).status_code == 400
    assert receiver.setup == {"keys": [], "answer": "204"}


def test_accidents_happen_to_it_as_to_any_vendor_and_it_is_among_them():
    receiver = Receiver()
    receiver.fail_next("error_before")
    assert send(receiver).status_code == 500
    assert receiver.messages == []
    assert isinstance(simulators.build()["receiver"], Receiver)
