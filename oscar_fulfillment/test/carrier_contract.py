"""What every carrier adapter has to do, as a pytest class to subclass: one subclass per way it can be configured.

    class TestMine(CarrierContract):
        codes = {"ab-1 23": "AB123"}
        secrets = ("password",)

        @pytest.fixture
        def carrier(self): return MyCarrier(alias="mine", password="password", base_url=..., read_timeout=1.0)

        @pytest.fixture
        def stranger(self): return MyCarrier(alias="mine", password="wrong", base_url=...)

        @pytest.fixture
        def driver(self): return MyDriver(...)  # plays the carrier: a simulator

What the carrier can do is read from its capabilities; what it cannot do must be refused, so nothing is left out: each
test asserts the one or the other. For readable failures register the modules in the conftest, before they are imported:
``pytest.register_assert_rewrite("oscar_fulfillment.test.carrier_case", "...carrier_orders", "...carrier_contract")``.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from oscar_fulfillment.carriers.base import Capability, Carrier, TrackingCodeError
from oscar_fulfillment.carriers.events import ParcelHint, TrackingState
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnavailable,
    WebhookVerificationFailed,
)

from .carrier_case import HOSTILE, HOSTILE_CODES, STEPS, Driver, identity, new_key
from .carrier_orders import OrderContract

#: Ways in which a call for parcels fails; all of them mean "ask later".
ACCIDENTS = ("cut_before", "cut_after", "error_before", "error_after", "garbage", "slow", "busy")
#: How far the clocks of both may be apart, and how exact the carrier tells the time.
_EXACT = timedelta(minutes=2)


class CarrierContract(OrderContract):
    """Subclass it in a test module; override the fixtures and what of the attributes is different."""

    # Codes and links

    def test_a_code_is_stored_in_one_way_however_it_is_typed(self, carrier: Carrier) -> None:
        assert self.codes
        for typed, stored in self.codes.items():
            assert carrier.normalise_tracking_code(typed) == stored
            assert carrier.normalise_tracking_code(stored) == stored
        for wrong in self.wrong_codes:
            with pytest.raises(TrackingCodeError):
                carrier.normalise_tracking_code(wrong)

    @pytest.mark.parametrize("code", HOSTILE_CODES)
    def test_a_hostile_code_is_refused(self, carrier: Carrier, code: str) -> None:
        with pytest.raises(TrackingCodeError) as refused:
            carrier.normalise_tracking_code(code)
        assert refused.value.code
        assert 0 < len(str(refused.value)) < 300
        assert "<" not in str(refused.value)

    def test_the_link_leads_to_the_carrier_and_nowhere_else(self, carrier: Carrier) -> None:
        assert carrier.tracking_url("") == ""
        for stored in self.codes.values():
            plain = urlsplit(carrier.tracking_url(stored, "pt-br"))
            assert (plain.scheme in ("http", "https")) == self.can(carrier, Capability.TRACKING_URL)
            hostile = carrier.tracking_url('A"><b>&x=1#../\r\n{language}', "en")
            assert urlsplit(hostile)[:2] == plain[:2]
            assert not set(hostile) & set('"<>\r\n {}\\')

    # Being asked

    def test_each_code_that_is_asked_is_answered(self, carrier: Carrier, driver: Driver) -> None:
        if not self.asks(carrier):
            return
        assert list(carrier.track([])) == []
        known = driver.parcel()
        driver.advance(known, "in_transit")
        for batch in [[known, self.unknown_code]] if carrier.track_batch > 1 else [[known], [self.unknown_code]]:
            answers = carrier.track(batch)
            assert sorted(answer.code for answer in answers) == sorted(batch)
            for answer in answers:
                self.sound(answer)
                assert (answer.problem == "not_found") == (answer.code == self.unknown_code)
                assert bool(answer.events) == (answer.code == known)

    def test_a_full_batch_is_answered(self, carrier: Carrier, driver: Driver) -> None:
        if not self.asks(carrier):
            return
        assert carrier.track_batch >= 1
        codes = [driver.parcel() for _number in range(carrier.track_batch)]
        for code in codes:
            driver.advance(code, "in_transit")
        answers = {answer.code: answer for answer in carrier.track(codes)}
        assert set(answers) == set(codes)
        assert all(answer.events for answer in answers.values())

    def test_what_happens_is_told_in_our_words_at_its_time(self, carrier: Carrier, driver: Driver) -> None:
        if not self.asks(carrier):
            return
        assert {"in_transit", "delivered", "unknown", "hostile"} <= set(driver.steps) <= set(STEPS)
        for step in driver.steps:
            code, before = driver.parcel(), datetime.now(UTC)
            # Some carriers count the order's own birth as an event.
            known = set(map(identity, self.tracked(carrier, code).events))
            driver.advance(code, step)
            tracked = self.tracked(carrier, code)
            self.sound(tracked)
            [event] = [event for event in tracked.events if identity(event) not in known]
            assert event.state in STEPS[step], step
            assert before - _EXACT <= event.occurred_at <= datetime.now(UTC) + _EXACT, step
            assert event.retracts == (step == "correction"), step
            if event.state == TrackingState.DELIVERED:
                assert event.is_return == (step == "returned"), step

    def test_a_parcel_that_came_back_was_not_delivered(self, carrier: Carrier, driver: Driver) -> None:
        if not self.asks(carrier):
            return
        code, back = driver.parcel(), [step for step in ("returning", "returned") if step in driver.steps]
        for step in ("collected", "in_transit", *back):
            if step in driver.steps:
                driver.advance(code, step)
        events = self.tracked(carrier, code).events
        assert len(events) >= 1 + len(back)
        assert not [event for event in events if event.state == TrackingState.DELIVERED and not event.is_return]

    def test_an_unknown_code_is_kept_and_not_guessed(self, carrier: Carrier, driver: Driver) -> None:
        if not self.asks(carrier):
            return
        code = driver.parcel()
        driver.advance(code, "in_transit")
        driver.advance(code, "unknown")
        events = self.tracked(carrier, code).events
        assert len(events) >= 2
        [strange] = [event for event in events if event.state == TrackingState.UNKNOWN]
        assert strange.code

    def test_reading_a_parcel_again_gives_the_same_events(self, carrier: Carrier, driver: Driver) -> None:
        if not self.asks(carrier):
            return
        code = driver.parcel()
        for step in driver.steps:
            driver.advance(code, step)
        first, second = (self.tracked(carrier, code) for _time in range(2))
        assert sorted(map(identity, first.events)) == sorted(map(identity, second.events))
        assert len(set(map(identity, first.events))) == len(first.events) > 0
        if self.keeps_history:
            assert len(first.events) >= len(driver.steps)

    # What goes wrong

    @pytest.mark.parametrize("kind", ACCIDENTS)
    def test_a_carrier_in_trouble_is_asked_later(self, carrier: Carrier, driver: Driver, kind: str) -> None:
        if not self.asks(carrier):
            return
        code = driver.parcel()
        driver.advance(code, "in_transit")
        for _time in range(2):  # the first is a call for a token where there are tokens
            driver.fail_next(kind)
            with pytest.raises(AdapterUnavailable) as caught:
                carrier.track([code])
            self.tells_nothing(str(caught.value), repr(caught.value))
            assert self.tracked(carrier, code).events

    @pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
    def test_a_nonsensical_answer_is_no_news(self, carrier: Carrier, driver: Driver, body: bytes) -> None:
        if not self.asks(carrier):
            return
        code = driver.parcel()
        driver.advance(code, "in_transit")
        assert self.tracked(carrier, code).events
        driver.answer_next(body)
        with contextlib.suppress(AdapterUnavailable, AdapterRejected):
            assert not self.tracked(carrier, code).events
        assert self.tracked(carrier, code).events

    def test_wrong_credentials_are_a_refusal(
        self, carrier: Carrier, driver: Driver, request: pytest.FixtureRequest
    ) -> None:
        if self.can(carrier, Capability.TRACK):
            stranger, code = request.getfixturevalue("stranger"), driver.parcel()
            self.refused(lambda: stranger.track([code]))
        if self.can(carrier, Capability.CREATE_ORDER):
            stranger = request.getfixturevalue("stranger")
            self.refused(lambda: stranger.create_order(self.request(), key=new_key()))
            assert driver.orders() == 0
        assert Capability.FIND_ORDER not in carrier.capabilities or Capability.CREATE_ORDER in carrier.capabilities

    def test_a_token_that_ends_in_between_is_renewed_once(self, carrier: Carrier, driver: Driver) -> None:
        if not self.asks(carrier):
            return
        codes = [driver.parcel() for _number in range(3)]
        for number, code in enumerate(codes):
            driver.advance(code, "in_transit")
            if number == 1:
                before = driver.logins()
                driver.revoke_tokens()
            assert self.tracked(carrier, code).events
        assert driver.logins() - before == (1 if before else 0)

    # Being told

    def test_a_notification_leads_to_its_parcel(self, carrier: Carrier, driver: Driver) -> None:
        code = driver.parcel()
        driver.advance(code, "in_transit")
        if not self.can(carrier, Capability.WEBHOOK):
            assert not driver.received()
            self.refused(lambda: carrier.verify({}, b"{}", {}))
            self.refused(lambda: carrier.parse_notification({}, b"{}", {}))
            return
        driver.advance(code, "delivered")
        hints: list[ParcelHint] = []
        for received in driver.received():
            carrier.verify(*received)
            hint = carrier.parse_notification(*received)
            assert hint == carrier.parse_notification(*received)  # doubled: the same event_id
            assert hint.tracking_code == code or hint.external_id
            hints.append(hint)
        named = [hint.event_id for hint in hints if hint.event_id]
        assert len(hints) >= 2
        assert len(set(named)) == len(named)
        for hint in hints:
            for event in hint.events:
                assert event.occurred_at.tzinfo is not None

    def test_a_forged_notification_is_refused(self, carrier: Carrier, driver: Driver) -> None:
        driver.advance(driver.parcel(), "delivered")
        assert bool(driver.received()) == self.can(carrier, Capability.WEBHOOK)
        for received in driver.received():
            for forged in self.forge(received):
                if not self.signed:
                    carrier.verify(*forged)
                    assert isinstance(carrier.parse_notification(*forged), ParcelHint)
                    continue
                with pytest.raises(WebhookVerificationFailed):
                    carrier.verify(*forged)

    def test_a_notification_of_something_else_concerns_no_parcel(self, carrier: Carrier, driver: Driver) -> None:
        assert bool(driver.foreign()) == self.can(carrier, Capability.WEBHOOK)
        for received in driver.foreign():
            carrier.verify(*received)
            hint = carrier.parse_notification(*received)
            assert (hint.tracking_code, hint.external_id, tuple(hint.events)) == ("", "", ())

    @pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
    def test_a_hostile_notification_is_rejected_or_says_nothing(self, carrier: Carrier, body: bytes) -> None:
        let_in = False
        if self.signed or not self.can(carrier, Capability.WEBHOOK):
            with contextlib.suppress(WebhookVerificationFailed, AdapterRejected):
                carrier.verify({}, body, {})
                let_in = True
        assert self.open_to_pings or not let_in
        hint = ParcelHint()
        with contextlib.suppress(AdapterRejected):
            hint = carrier.parse_notification({}, body, {})
        said = (hint.event_id, hint.tracking_code, hint.external_id, hint.kind)
        assert all(isinstance(value, str) for value in said)
        assert len("".join(said).encode()) < 1_000
        assert not hint.events
        assert not let_in or (hint.tracking_code, hint.external_id) == ("", "")

    # What is said of it

    def test_it_shows_no_secret_and_promises_what_goes_together(
        self, carrier: Carrier, driver: Driver, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
    ) -> None:
        able = carrier.capabilities
        assert str(carrier.name)
        for needed, by in (
            (Capability.TRACKING_URL, Capability.MAILS_TRACKING_LINK),
            (Capability.CREATE_ORDER, Capability.FIND_ORDER),
            (Capability.CREATE_ORDER, Capability.CANCEL_ORDER),
            (Capability.CREATE_ORDER, Capability.LABEL),
        ):
            assert needed in able or by not in able
        caplog.set_level(logging.DEBUG)
        if Capability.TRACK in able:
            code = driver.parcel()
            driver.advance(code, "in_transit")
            carrier.track([code])
            driver.fail_next("error_after")
            with pytest.raises(AdapterUnavailable):
                carrier.track([code])
            with pytest.raises(AdapterRejected):
                request.getfixturevalue("stranger").track([code])
        for received in driver.received():
            with contextlib.suppress(WebhookVerificationFailed):
                carrier.verify({}, received[1], {})
        self.tells_nothing(repr(carrier), str(carrier), repr(getattr(carrier, "_http", "")), caplog.text)
