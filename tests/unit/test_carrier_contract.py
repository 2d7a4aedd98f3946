"""The shipped contract of carriers: right carriers pass, and each kind of wrong one is caught."""

import inspect
import json
from dataclasses import replace

import pytest

from oscar_fulfillment.carriers.base import Capability, Carrier, TrackingCodeError
from oscar_fulfillment.carriers.events import CarrierOrderState, ParcelHint, Tracked, TrackingState
from oscar_fulfillment.carriers.known import Known
from oscar_fulfillment.carriers.manual import Manual
from oscar_fulfillment.core.exceptions import (
    AdapterError,
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    WebhookVerificationFailed,
)
from oscar_fulfillment.test.carrier_contract import CarrierContract
from oscar_fulfillment.test.carriers import TOKEN, FakeCarrier
from tests.pdf import words

pytestmark = pytest.mark.feature("Z15")
LINKS = (Capability.TRACKING_URL,)


class TestAble(CarrierContract):
    codes = {"fk 123": "FK123"}
    secrets = (TOKEN,)

    @pytest.fixture
    def carrier(self):
        return FakeCarrier(alias="fake", numbers_later=True)

    @pytest.fixture
    def stranger(self):
        return FakeCarrier(alias="fake", token="wrong")

    @pytest.fixture
    def driver(self, carrier):
        return carrier

    def forge(self, received):
        headers, body, query = received
        return [({}, body, query), ({"x-token": "guessed"}, body, query)]


class TestNumbersAtOnce(TestAble):
    @pytest.fixture
    def carrier(self):
        return FakeCarrier(alias="fake", automatic_tracking_mail=True)


class TestTracksOnly(TestAble):
    @pytest.fixture
    def carrier(self):
        carrier = FakeCarrier(alias="fake", able=[Capability.TRACK])
        carrier.track_batch = 1
        return carrier


class TestOrdersOnly(TestAble):
    @pytest.fixture
    def carrier(self):
        return FakeCarrier(alias="fake", able=[Capability.CREATE_ORDER], url_template="")


class TestLinksOnly(TestAble):
    """The carriers that need no more than an address keep the contract, too."""

    codes = {"yo0iz8bx": "YO0IZ8BX"}

    @pytest.fixture
    def carrier(self):
        return Known(alias="gls")

    @pytest.fixture
    def driver(self):
        return FakeCarrier(alias="fake", able=[])


class TestManual(TestLinksOnly):
    wrong_codes = ("A1", "123456")

    @pytest.fixture
    def carrier(self):
        return Manual(alias="other", pattern="[A-Z0-9]{8}")


def broken(**methods):
    return type("Broken", (FakeCarrier,), methods)(alias="fake")


def answering(change):
    """``track`` with each event changed."""

    def track(self, codes):
        return [
            replace(found, events=[change(event) for event in found.events]) for found in FakeCarrier.track(self, codes)
        ]

    return {"track": track}


def loses_nothing(self, request, *, key):
    """Says "try later" where it should say "it may have been done"."""
    try:
        return FakeCarrier.create_order(self, request, key=key)
    except AdapterUnanswered as error:
        raise AdapterUnavailable(str(error)) from error


def orders_each_time(self, request, *, key):
    return FakeCarrier.create_order(self, request, key=f"{key}{len(self.calls)}")


def raw(self, codes):
    self._call(Capability.TRACK, "track", codes)
    return [Tracked(code, self.parcels[code]) for code in codes]


def leaking(self, *args, **options):
    raise AdapterRejected(f"{TOKEN} is wrong")


def crashing(self, *args, **options):
    raise KeyError("objetos")


CASES = [
    ({"normalise_tracking_code": lambda self, raw: raw.upper()}, "a_code_is_stored_in_one_way_however_it_is_typed"),
    ({"normalise_tracking_code": lambda self, raw: raw.replace(" ", "").upper()}, "a_hostile_code_is_refused"),
    ({"tracking_url": lambda self, code, language="": f"https://fake.example/{code}" if code else ""}, "the_link_leads_to_the_carrier_and_nowhere_else"),
    ({"tracking_url": lambda self, code, language="": "javascript:x" if code else ""}, "the_link_leads_to_the_carrier_and_nowhere_else"),
    ({"track": lambda self, codes: FakeCarrier.track(self, codes)[:1]}, "each_code_that_is_asked_is_answered"),
    ({"track": lambda self, codes: [replace(one, problem="") for one in FakeCarrier.track(self, codes)]}, "each_code_that_is_asked_is_answered"),
    ({"track": raw}, "each_code_that_is_asked_is_answered"),
    ({"track": lambda self, codes: FakeCarrier.track(self, codes[:2])}, "a_full_batch_is_answered"),
    (answering(lambda event: replace(event, state=TrackingState.INFO)), "what_happens_is_told_in_our_words_at_its_time"),
    (answering(lambda event: replace(event, occurred_at=event.occurred_at.replace(tzinfo=None))), "what_happens_is_told_in_our_words_at_its_time"),
    (answering(lambda event: replace(event, occurred_at=event.occurred_at.replace(year=2020))), "what_happens_is_told_in_our_words_at_its_time"),
    (answering(lambda event: replace(event, retracts=False)), "what_happens_is_told_in_our_words_at_its_time"),
    (answering(lambda event: replace(event, code="<b>")), "what_happens_is_told_in_our_words_at_its_time"),
    ({"track": raw}, "what_happens_is_told_in_our_words_at_its_time"),  # texts as they came
    (answering(lambda event: replace(event, state=TrackingState.DELIVERED, is_return=False)), "a_parcel_that_came_back_was_not_delivered"),
    (answering(lambda event: replace(event, state=TrackingState.IN_TRANSIT)), "an_unknown_code_is_kept_and_not_guessed"),
    ({"track": lambda self, codes: [replace(one, events=[e for e in one.events if e.state != "unknown"]) for one in FakeCarrier.track(self, codes)]}, "an_unknown_code_is_kept_and_not_guessed"),
    (answering(lambda event: replace(event, external_id=str(id(event)))), "reading_a_parcel_again_gives_the_same_events"),
    (answering(lambda event: replace(event, external_id="", occurred_at=event.occurred_at.replace(microsecond=0), code="X")), "reading_a_parcel_again_gives_the_same_events"),
    ({"track": crashing}, "a_carrier_in_trouble_is_asked_later"),
    ({"answer_next": lambda self, body: setattr(self, "track", lambda codes: crashing(self))}, "a_nonsensical_answer_is_no_news"),
    ({"revoke_tokens": lambda self: self.refuse("token")}, "a_token_that_ends_in_between_is_renewed_once"),
    ({"logins": lambda self: len(self.calls)}, "a_token_that_ends_in_between_is_renewed_once"),
    ({"received": lambda self: []}, "a_notification_leads_to_its_parcel"),
    ({"parse_notification": lambda self, *received: ParcelHint("same", "FK1")}, "a_notification_leads_to_its_parcel"),
    ({"verify": lambda self, *received: None}, "a_forged_notification_is_refused"),
    ({"parse_notification": lambda self, *received: ParcelHint("1", "FK1")}, "a_notification_of_something_else_concerns_no_parcel"),
    ({"foreign": lambda self: []}, "a_notification_of_something_else_concerns_no_parcel"),
    ({"parse_notification": lambda self, headers, body, query: ParcelHint(external_id=json.loads(body)["id"])}, "a_hostile_notification_is_rejected_or_says_nothing"),
    ({"verify": lambda self, *received: None}, "a_hostile_notification_is_rejected_or_says_nothing"),
    ({"create_order": orders_each_time}, "an_order_is_taken_once_and_found_again"),
    ({"find_order": lambda self, reference: None}, "an_order_is_taken_once_and_found_again"),
    ({"find_order": lambda self, reference: next(iter(self.orders_by_id.values()))}, "an_order_is_taken_once_and_found_again"),
    ({"fetch_order": lambda self, external_id: replace(FakeCarrier.fetch_order(self, external_id), tracking_code="")}, "an_order_gets_its_tracking_code"),
    ({"create_order": loses_nothing}, "an_order_whose_answer_is_lost_is_not_ordered_twice"),
    ({"create_order": orders_each_time}, "an_order_whose_answer_is_lost_is_not_ordered_twice"),
    ({"create_order": crashing}, "an_order_that_did_not_arrive_can_be_tried_again"),
    ({"create_order": lambda self, request, *, key: FakeCarrier.create_order(self, replace(request, packages=(1,)), key=key)}, "an_impossible_order_is_refused_with_its_reason"),
    ({"create_order": crashing}, "hostile_texts_in_an_order_do_no_harm"),
    ({"fetch_order": crashing}, "an_unknown_order_is_rejected"),
    ({"cancel_order": lambda self, external_id: FakeCarrier.fetch_order(self, external_id)}, "an_order_is_taken_back"),
    ({"label": lambda self, external_id: b"<html>"}, "the_label_is_a_pdf"),
    ({"label": lambda self, external_id: b"%PDF-1.4"}, "the_label_is_a_pdf"),
    ({"distance": lambda self, address: None}, "the_distance_is_known_or_not"),
    ({"__repr__": lambda self: f"<{TOKEN}>"}, "it_shows_no_secret_and_promises_what_goes_together"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "test"), CASES)
def test_what_is_wrong_is_caught(wrong, test, request):
    carrier, contract = broken(**wrong), TestAble()
    given = {
        "carrier": carrier,
        "driver": carrier,
        "request": request,
        "kind": "garbage",
        "body": b"{}",
        "code": "<script>alert(1)</script>",
        "caplog": request.getfixturevalue("caplog"),
    }
    method = getattr(contract, f"test_{test}")
    with pytest.raises((AssertionError, pytest.fail.Exception, AdapterError, WebhookVerificationFailed, KeyError, TypeError, ValueError, UnboundLocalError, pytest.FixtureLookupError)):  # fmt: skip
        method(**{name: given[name] for name in inspect.signature(method).parameters})


def test_every_part_of_the_contract_has_been_broken_once():
    tests = {name.removeprefix("test_") for name in dir(CarrierContract) if name.startswith("test_")}
    # Wrong credentials need a second carrier: below.
    assert tests - {test for _wrong, test in CASES} == {"wrong_credentials_are_a_refusal"}


def test_a_stranger_that_is_let_in_or_told_the_secret_is_caught(request):
    class Fixtures:
        def __init__(self, stranger):
            self.getfixturevalue = lambda name: stranger

    carrier = FakeCarrier(alias="fake")
    TestAble().test_wrong_credentials_are_a_refusal(carrier, carrier, Fixtures(FakeCarrier(alias="x", token="wrong")))
    for stranger in (FakeCarrier(alias="x"), broken(track=leaking)):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            TestAble().test_wrong_credentials_are_a_refusal(carrier, carrier, Fixtures(stranger))


# The fake itself, beyond the contract


def test_the_fake_does_what_a_test_tells_it():
    fake = FakeCarrier(alias="fake", numbers_later=True)
    request = TestAble().request()
    fake.refuse("no such street")
    with pytest.raises(AdapterRejected, match="no such street"):
        fake.create_order(request, key="k")
    fake.lose_answers()
    with pytest.raises(AdapterUnanswered):
        fake.create_order(request, key="k")
    ordered = fake.find_order(request.reference)
    assert (ordered.state, ordered.tracking_code) == (CarrierOrderState.ACCEPTED, "")
    with pytest.raises(AdapterUnavailable, match="being made"):
        fake.label(ordered.external_id)
    done = fake.confirm(ordered.external_id, "FK7")
    assert (done.state, done.tracking_code) == (CarrierOrderState.CREATED, "FK7")
    assert request.reference in words(fake.label(ordered.external_id))
    fake.advance("FK7", "collected")
    with pytest.raises(AdapterRejected, match="on its way"):
        fake.cancel_order(ordered.external_id)
    assert fake.effects == [("create_order", ordered.external_id)]
    assert (fake.count("create_order"), fake.count("track")) == (2, 0)
    fake.go_down(2)
    fake.recover()
    assert len(fake.track(["FK7", "FK8"])[0].events) == 1
    with pytest.raises(AdapterRejected, match="at most 10"):
        fake.track([f"FK{number}" for number in range(11)])


def test_a_refused_order_stays_refused():
    fake = FakeCarrier(alias="fake", numbers_later=True)
    ordered = fake.create_order(TestAble().request(), key="k")
    fake.refuse_order(ordered.external_id, "no such city")
    assert fake.confirm(ordered.external_id).problem == "no such city"
    assert fake.fetch_order(ordered.external_id).state == CarrierOrderState.INVALID
    fake.reset()
    assert fake.orders() == 0


def test_a_carrier_that_can_nothing_says_so():
    carrier = Carrier(alias="plain")
    assert carrier.capabilities == frozenset()
    for call in (
        lambda: carrier.track(["A"]),
        lambda: carrier.verify({}, b"", {}),
        lambda: carrier.label("1"),
        lambda: carrier.find_order("1"),
    ):
        with pytest.raises(AdapterRejected, match="plain"):
            call()
    with pytest.raises(TrackingCodeError):
        carrier.normalise_tracking_code("")
