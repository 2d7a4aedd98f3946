"""The part of the carriers' contract about orders: taken once, found again, with a number, a label, a distance."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from oscar_fulfillment.carriers.base import Capability, Carrier
from oscar_fulfillment.carriers.events import CarrierOrderState, RemoteOrder
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable

from .carrier_case import CarrierCase, Driver, new_key


class OrderContract(CarrierCase):
    """Not to be subclassed by itself: :class:`carrier_contract.CarrierContract` has it."""

    def test_an_order_is_taken_once_and_found_again(self, carrier: Carrier, driver: Driver) -> None:
        request, key = self.request(), new_key()
        if not self.orders(carrier):
            return
        first = carrier.create_order(request, key=key)
        assert first.external_id
        assert first.state in (CarrierOrderState.ACCEPTED, CarrierOrderState.CREATED)
        assert carrier.create_order(request, key=key).external_id == first.external_id
        assert driver.orders() == 1
        assert carrier.create_order(self.request(), key=new_key()).external_id != first.external_id
        assert driver.orders() == 2
        assert carrier.fetch_order(first.external_id).external_id == first.external_id
        self.finds(carrier, request.reference, first.external_id)

    def finds(self, carrier: Carrier, reference: str, external_id: str) -> None:
        if not self.can(carrier, Capability.FIND_ORDER):
            self.refused(lambda: carrier.find_order(reference))
            return
        found = carrier.find_order(reference)
        assert found is not None
        assert (found.external_id, found.reference) == (external_id, reference)
        assert carrier.find_order("no-such-reference") is None

    def test_an_order_gets_its_tracking_code(self, carrier: Carrier, driver: Driver) -> None:
        if not self.orders(carrier):
            return
        ordered = carrier.create_order(self.request(), key=new_key())
        driver.confirm(ordered.external_id)
        now = carrier.fetch_order(ordered.external_id)
        assert now.state == CarrierOrderState.CREATED
        assert now.tracking_code
        assert carrier.normalise_tracking_code(now.tracking_code) == now.tracking_code
        if self.can(carrier, Capability.TRACK):
            driver.advance(now.tracking_code, "in_transit")
            assert self.tracked(carrier, now.tracking_code).events

    @pytest.mark.parametrize("kind", ["cut_after", "error_after", "garbage"])
    def test_an_order_whose_answer_is_lost_is_not_ordered_twice(
        self, carrier: Carrier, driver: Driver, kind: str
    ) -> None:
        request, key = self.request(), new_key()
        if not self.orders(carrier):
            return
        carrier.create_order(self.request(), key=new_key())  # has its token from here on
        lost = self.loses(carrier, driver, request, key, kind)
        assert driver.orders() == 2, lost
        again = carrier.create_order(request, key=key)
        assert driver.orders() == 2
        self.finds(carrier, request.reference, again.external_id)

    def loses(self, carrier: Carrier, driver: Driver, request: Any, key: str, kind: str) -> str:
        """Let the carrier take the order, and its answer be lost. An adapter may ask before it orders: so often the
        accident happens to the question, and the order is tried again."""
        for number in range(4):
            # The accident falls on one later call each time; those before it go well.
            driver.fail_next(*[""] * number, kind)
            try:
                carrier.create_order(request, key=key)
                break
            except AdapterUnanswered as error:
                if driver.orders() == 2:
                    return str(error)
            except AdapterUnavailable:
                assert driver.orders() == 1
        raise AssertionError("the answer was lost, and no error said so")

    def test_an_order_that_did_not_arrive_can_be_tried_again(self, carrier: Carrier, driver: Driver) -> None:
        request, key = self.request(), new_key()
        if not self.orders(carrier):
            return
        for kind in ("busy", "cut_before", "error_before"):
            driver.fail_next(kind)
            with pytest.raises(AdapterUnavailable):
                carrier.create_order(request, key=key)
            assert driver.orders() == 0
        if self.can(carrier, Capability.FIND_ORDER):
            assert carrier.find_order(request.reference) is None
        carrier.create_order(request, key=key)
        assert driver.orders() == 1

    def test_an_impossible_order_is_refused_with_its_reason(self, carrier: Carrier, driver: Driver) -> None:
        request = self.request(**self.wrong_order)
        if not self.orders(carrier):
            return
        try:
            answer = carrier.create_order(request, key=new_key())
        except AdapterRejected:
            self.refused(lambda: carrier.create_order(request, key=new_key()))
            return
        with contextlib.suppress(KeyError):
            driver.confirm(answer.external_id)
        now = carrier.fetch_order(answer.external_id)
        assert now.state == CarrierOrderState.INVALID
        assert now.problem
        assert not now.tracking_code

    def test_hostile_texts_in_an_order_do_no_harm(self, carrier: Carrier, driver: Driver) -> None:
        nasty = "<b>\x00\r\n'\";--]]>&amp;\u202e\U0001f4a9" + "x" * 10_000
        person = replace(self.recipient, name=nasty, line1=nasty, company=nasty)
        request = self.request(recipient=person, comment=nasty, order_number=nasty)
        if not self.orders(carrier):
            return
        answer: RemoteOrder | None = None
        with contextlib.suppress(AdapterRejected):
            answer = carrier.create_order(request, key=new_key())
        assert driver.orders() == (1 if answer else 0)

    def test_an_unknown_order_is_rejected(self, carrier: Carrier) -> None:
        for hostile in ("00000000-0000-0000-0000-000000000000", "", ".", "..", "../x", "a/b", "x?y=1", "ü\r\nX-Y: 1"):
            self.refused(lambda hostile=hostile: carrier.fetch_order(hostile))  # type: ignore[misc]
            self.refused(lambda hostile=hostile: carrier.label(hostile))  # type: ignore[misc]
            self.refused(lambda hostile=hostile: carrier.cancel_order(hostile))  # type: ignore[misc]

    def test_an_order_is_taken_back(self, carrier: Carrier) -> None:
        if not self.can(carrier, Capability.CANCEL_ORDER):
            self.refused(lambda: carrier.cancel_order("1"))
            return
        ordered = carrier.create_order(self.request(), key=new_key())
        for _time in range(2):
            assert carrier.cancel_order(ordered.external_id).state == CarrierOrderState.CANCELLED
        assert carrier.fetch_order(ordered.external_id).state == CarrierOrderState.CANCELLED

    def test_the_label_is_a_pdf(self, carrier: Carrier, driver: Driver) -> None:
        if not self.can(carrier, Capability.LABEL):
            self.refused(lambda: carrier.label("1"))
            return
        ordered = carrier.create_order(self.request(), key=new_key())
        driver.confirm(ordered.external_id)
        for _time in range(5):
            # Some carriers make it only when it is asked for, and say "later" until it is done.
            with contextlib.suppress(AdapterUnavailable):
                label = carrier.label(ordered.external_id)
                break
        assert label.startswith(b"%PDF-")
        driver.fail_next("garbage")
        with pytest.raises(AdapterUnavailable):
            carrier.label(ordered.external_id)

    def test_the_distance_is_known_or_not(self, carrier: Carrier) -> None:
        if not self.can(carrier, Capability.DISTANCE):
            self.refused(lambda: carrier.distance(self.near))
            return
        found = carrier.distance(self.near)
        assert found is not None
        assert isinstance(found.kilometres, Decimal)
        assert 0 <= found.kilometres < 20_000
        assert carrier.distance(self.nowhere) is None
