"""What adapters of carriers share: tokens that are renewed, and strangers' words, codes and moments made safe."""

import zoneinfo
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.carriers import tokens
from oscar_fulfillment.carriers.correios import Correios
from oscar_fulfillment.carriers.events import clean, moment, word
from oscar_fulfillment.carriers.tokens import TokenKeeper
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.test.pdf import label_pdf
from sandbox.simulators.correios import Correios as Simulated
from tests.pdf import words

pytestmark = pytest.mark.feature("Z15")

BRASILIA = zoneinfo.ZoneInfo("America/Sao_Paulo")


# Tokens


class Login:
    def __init__(self, seconds=100.0):
        self.count, self.seconds, self.error = 0, seconds, None

    def __call__(self):
        if self.error:
            raise self.error
        self.count += 1
        return f"T{self.count}", self.seconds


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: now[0])
    return now


def refusing(*refused, status=401):
    def do(token):
        if token in refused:
            raise AdapterRejected("no", status=status)
        return token

    return do


@pytest.mark.parametrize(
    ("seconds", "margin", "renewed_at"), [(100, 10, 90), (100, 80, 50), (100, 500, 50), (100, 0, 100)]
)
def test_a_token_is_used_until_shortly_before_its_end(clock, seconds, margin, renewed_at):
    login = Login(seconds)
    keeper = TokenKeeper(login, margin=margin)
    for now, token in ((0, "T1"), (renewed_at - 1, "T1"), (renewed_at, "T2"), (renewed_at + 1, "T2")):
        clock[0] = float(now)
        assert keeper.call(refusing()) == token


def test_a_token_that_is_good_for_nothing_is_asked_for_each_time(clock):
    keeper = TokenKeeper(Login(0.0))
    assert [keeper.call(refusing()) for _time in range(2)] == ["T1", "T2"]


def test_a_refused_token_is_renewed_once_and_the_second_refusal_is_told():
    login = Login()
    keeper = TokenKeeper(login)
    assert keeper.call(refusing("T1")) == "T2"
    with pytest.raises(AdapterRejected):
        keeper.call(refusing("T2", "T3"))
    assert login.count == 3


def test_another_refusal_is_none_of_the_token():
    login = Login()
    with pytest.raises(AdapterRejected):
        TokenKeeper(login).call(refusing("T1", status=403))
    assert login.count == 1
    assert TokenKeeper(login, refusals=frozenset({401, 403})).call(refusing("T2", status=403)) == "T3"


def test_a_token_that_somebody_else_has_renewed_is_taken():
    login = Login()
    keeper = TokenKeeper(login)

    def do(token):
        if token == "T1":
            assert keeper.call(refusing("T1")) == "T2"
            raise AdapterRejected("no", status=401)
        return token

    assert keeper.call(do) == "T2"
    assert login.count == 2


def test_a_login_that_fails_loses_nothing():
    login = Login()
    keeper = TokenKeeper(login)
    keeper.call(refusing())
    login.error = AdapterUnavailable("down")
    assert keeper.call(refusing()) == "T1"
    with pytest.raises(AdapterUnavailable):
        keeper.call(refusing("T1"))
    login.error = None
    assert keeper.call(refusing("T1")) == "T2"


# Strangers' words


@given(st.text(max_size=3_000) | st.integers() | st.none() | st.lists(st.text()), st.integers(1, 600))
def test_any_text_becomes_one_clean_line(value, limit):
    line = clean(value, limit)
    assert len(line) <= limit
    assert line.isprintable()
    assert line == " ".join(line.split()) == clean(line, limit)


@given(st.text(max_size=300) | st.integers() | st.none() | st.booleans() | st.lists(st.text()))
def test_any_value_becomes_a_plain_code(value):
    code = word(value)
    assert len(code) <= 64
    assert code.isascii()
    assert not set(code) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert word(code) == code


def test_a_code_that_is_one_stays_as_it_is():
    assert [word(value) for value in ("BDE", "order.posted", 20, "<b>A</b>", "Ä1", True, None, 1.5)] == [
        "BDE", "order.posted", "20", "bAb", "1", "", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-02T10:00:00", datetime(2026, 3, 2, 13, 0, tzinfo=UTC)),
        ("2026-03-02 10:00:00", datetime(2026, 3, 2, 13, 0, tzinfo=UTC)),
        ("2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
        ("2026-03-02T10:00:00+02:00", datetime(2026, 3, 2, 8, 0, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, 3, 0, tzinfo=UTC)),
        ("ontem", None),
        ("", None),
        (None, None),
        (1_700_000_000, None),
        (["2026-03-02"], None),
        ("2026-13-02T10:00:00", None),
    ],
)
def test_moments_without_a_zone_are_of_the_carrier(value, expected):
    assert moment(value, BRASILIA) == expected


# For tests and simulators


def test_the_codes_of_the_simulated_correios_are_codes_of_correios():
    vendor, carrier = Simulated(), Correios(alias="correios")
    for number in range(1, 300):
        code = vendor.new_code(number)
        assert carrier.normalise_tracking_code(code) == code


def test_a_label_is_a_readable_pdf_whatever_stands_on_it():
    assert words(label_pdf(["AA000000014BR", r"(a) \ b", "Ação", "Москва", "x" * 500])).startswith(
        r"AA000000014BR (a) \ b Ação ??????"
    )
    assert label_pdf([]).startswith(b"%PDF-1.4")
