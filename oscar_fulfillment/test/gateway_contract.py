"""What every payment gateway has to do, as a pytest class to subclass: one subclass per method of payment.

    class TestCard(GatewayContract):
        method, currency = "card", "EUR"

        @pytest.fixture
        def gateway(self): return MyGateway(alias="mine", api_key="secret", base_url=...)

        @pytest.fixture
        def driver(self): return MyDriver(...)  # plays the buyer at the provider's test system or simulator

What the method can do is read from the gateway's capabilities; what it cannot do must be refused, so nothing is left
out: each test asserts the one or the other. For readable failures register the two modules in the conftest, before they
are imported: ``pytest.register_assert_rewrite("oscar_fulfillment.test.gateway_case", "...gateway_contract")``.
"""

from __future__ import annotations

import contextlib
import uuid
from decimal import Decimal

import pytest

from oscar_fulfillment.core.exceptions import AdapterRejected, WebhookVerificationFailed
from oscar_fulfillment.gateways.base import Capability, Gateway, Hint, PaymentState

from .gateway_case import HOSTILE, Driver, GatewayCase, new_key, same


class GatewayContract(GatewayCase):
    """Subclass it in a test module; override the two fixtures and what of the attributes is different."""

    # Beginning

    def test_starting_gives_the_buyer_a_way_to_pay(self, gateway: Gateway) -> None:
        request = self.request()
        started = gateway.start(request, key=new_key())
        assert started.state == PaymentState.PENDING
        assert started.external_id
        assert started.redirect_url or started.instructions
        assert (started.amount, started.currency) == (request.amount, request.currency)
        assert started.reference == request.reference
        assert (started.authorized, started.captured, started.refunded) == (0, 0, 0)

    def test_starting_again_with_the_same_key_is_the_same_payment(self, gateway: Gateway) -> None:
        request, key = self.request(), new_key()
        first = gateway.start(request, key=key)
        assert gateway.start(request, key=key).external_id == first.external_id
        assert gateway.start(self.request(), key=new_key()).external_id != first.external_id

    def test_what_cannot_be_paid_is_refused_at_the_start(self, gateway: Gateway) -> None:
        for changes in (
            {"amount": Decimal("0.00")},
            {"amount": Decimal("-1.00")},
            {"amount": Decimal("1.0001")},
            {"method": "no-such-method"},
            *([{"currency": self.other_currency}] if self.other_currency else []),
        ):
            self.refused(lambda changes=changes: self.started(gateway, **changes))  # type: ignore[misc]

    # Asking

    def test_fetching_and_finding_agree_with_the_start(self, gateway: Gateway) -> None:
        started = self.started(gateway)
        fetched = gateway.fetch(started.external_id)
        assert same(fetched) == same(started)
        if self.can(gateway, Capability.FIND):
            found = gateway.find(started.reference)
            assert found is not None
            assert same(found) == same(fetched)
            assert gateway.find("no-such-reference") is None
        else:
            self.refused(lambda: gateway.find(started.reference))

    def test_an_unknown_payment_is_rejected_as_not_found(self, gateway: Gateway) -> None:
        self.refused(lambda: gateway.fetch(str(uuid.UUID(int=7))), status=404)
        for hostile in ("", ".", "..", "../payments", "a/b", "x?y=1", "x#y", "ü\r\nX-Y: 1"):
            self.refused(lambda hostile=hostile: gateway.fetch(hostile))  # type: ignore[misc]

    # Paying

    def test_a_payment_without_hold_is_captured(self, gateway: Gateway, driver: Driver) -> None:
        paid = self.paid(gateway, driver)
        assert paid.state == PaymentState.CAPTURED
        assert (paid.captured, paid.refunded) == (self.amount, 0)
        self.refused(lambda: gateway.void(paid, key=new_key()))
        assert gateway.fetch(paid.external_id).state == PaymentState.CAPTURED

    def test_a_refusal_takes_nothing_and_says_why(self, gateway: Gateway, driver: Driver) -> None:
        started = self.started(gateway)
        if self.can_refuse:
            driver.refuse(started)
            now = gateway.fetch(started.external_id)
            assert now.state in (PaymentState.REFUSED, PaymentState.REFUSED_ANTIFRAUD)
            assert (now.authorized, now.captured, now.refunded) == (0, 0, 0)
            assert now.reason
        else:
            assert gateway.fetch(started.external_id).state == PaymentState.PENDING

    def test_a_payment_that_nobody_pays_expires(self, gateway: Gateway, driver: Driver) -> None:
        started = self.started(gateway)
        if self.can_expire:
            driver.expire(started)
            now = gateway.fetch(started.external_id)
            assert now.state == PaymentState.EXPIRED
            assert (now.authorized, now.captured) == (0, 0)
        else:
            assert gateway.fetch(started.external_id).state == PaymentState.PENDING

    # Holding

    def test_a_hold_is_held_and_captured_once(self, gateway: Gateway, driver: Driver) -> None:
        if not self.can(gateway, Capability.HOLD):
            return self.refused(lambda: self.started(gateway, hold=True))
        held, key = self.held(gateway, driver), new_key()
        assert held.state == PaymentState.AUTHORIZED
        assert (held.authorized, held.captured) == (self.amount, 0)
        for _time in range(2):
            captured = gateway.capture(held, self.amount, key=key, items=self.items(self.amount))
            assert (captured.state, captured.captured) == (PaymentState.CAPTURED, self.amount)
        now = gateway.fetch(held.external_id)
        assert same(now) == same(captured)
        self.refused(lambda: gateway.void(now, key=new_key()))
        return None

    def test_a_part_of_a_hold_is_captured(self, gateway: Gateway, driver: Driver) -> None:
        if not self.can(gateway, Capability.HOLD):
            return self.refused(lambda: self.started(gateway, hold=True))
        held, key = self.held(gateway, driver), new_key()
        if not self.can(gateway, Capability.PARTIAL_CAPTURE):
            return self.refused(lambda: gateway.capture(held, self.part, key=key, items=self.items(self.part)))
        for _time in range(2):
            captured = gateway.capture(held, self.part, key=key, items=self.items(self.part))
            assert (captured.state, captured.captured) == (PaymentState.CAPTURED, self.part)
        assert gateway.fetch(held.external_id).captured == self.part
        return None

    def test_more_than_is_held_is_not_captured(self, gateway: Gateway, driver: Driver) -> None:
        if not self.can(gateway, Capability.HOLD):
            return self.refused(lambda: self.started(gateway, hold=True))
        held = self.held(gateway, driver)
        for wrong in (self.amount + Decimal("0.01"), Decimal(0), Decimal("-1.00"), Decimal("1.0001")):
            self.refused(
                lambda wrong=wrong: gateway.capture(held, wrong, key=new_key(), items=self.items(wrong))  # type: ignore[misc]
            )
        now = gateway.fetch(held.external_id)
        assert (now.state, now.authorized, now.captured) == (PaymentState.AUTHORIZED, self.amount, 0)
        return None

    def test_a_hold_is_given_back_once(self, gateway: Gateway, driver: Driver) -> None:
        if not self.can(gateway, Capability.HOLD):
            return self.refused(lambda: self.started(gateway, hold=True))
        held, key = self.held(gateway, driver), new_key()
        if not self.can(gateway, Capability.VOID):
            return self.refused(lambda: gateway.void(held, key=key))
        for _time in range(2):
            assert gateway.void(held, key=key).state == PaymentState.CANCELLED
        now = gateway.fetch(held.external_id)
        assert (now.state, now.authorized, now.captured) == (PaymentState.CANCELLED, 0, 0)
        self.refused(lambda: gateway.capture(now, self.amount, key=new_key(), items=self.items(self.amount)))
        return None

    # Giving back

    def test_refunds_add_up_and_happen_once(self, gateway: Gateway, driver: Driver) -> None:
        paid, key = self.paid(gateway, driver), new_key()
        if not self.can(gateway, Capability.REFUND):
            return self.refused(lambda: gateway.refund(paid, self.amount, key=key))
        self.refused(lambda: gateway.refund(paid, self.amount + Decimal("0.01"), key=new_key()))
        for wrong in (Decimal(0), Decimal("-1.00"), Decimal("1.0001")):
            self.refused(lambda wrong=wrong: gateway.refund(paid, wrong, key=new_key()))  # type: ignore[misc]
        rest = self.amount
        if self.can(gateway, Capability.PARTIAL_REFUND):
            first = gateway.refund(paid, self.part, key=key, reason="Damaged")
            assert first.amount == self.part
            assert first.state in ("done", "pending")
            assert gateway.refund(paid, self.part, key=key, reason="Damaged").external_id == first.external_id
            now = gateway.fetch(paid.external_id)
            assert (now.state, now.captured, now.refunded) == (PaymentState.CAPTURED, self.amount, self.part)
            rest -= self.part
        else:
            self.refused(lambda: gateway.refund(paid, self.part, key=new_key()))
        gateway.refund(gateway.fetch(paid.external_id), rest, key=new_key())
        now = gateway.fetch(paid.external_id)
        assert (now.state, now.captured, now.refunded) == (PaymentState.REFUNDED, self.amount, self.amount)
        return None

    # Being told

    def test_a_notification_leads_to_its_payment(self, gateway: Gateway, driver: Driver) -> None:
        paid = self.paid(gateway, driver)
        if not self.can(gateway, Capability.NOTIFY):
            assert not driver.received()
            return self.refused(lambda: gateway.verify({}, b"{}", {}))
        hints: list[Hint] = []
        for headers, body, query in driver.received():
            gateway.verify(headers, body, query)
            hints.append(gateway.parse_notification(headers, body, query))
        assert [hint for hint in hints if hint.external_id == paid.external_id or hint.reference == paid.reference]
        return None

    def test_a_forged_notification_is_refused(self, gateway: Gateway, driver: Driver) -> None:
        self.paid(gateway, driver)
        for headers, body, query in driver.received():
            for forged in self.forge((headers, body, query)):
                if not self.signed:
                    gateway.verify(*forged)
                    assert isinstance(gateway.parse_notification(*forged), Hint)
                    continue
                with pytest.raises(WebhookVerificationFailed):
                    gateway.verify(*forged)

    @pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
    def test_a_hostile_notification_is_rejected_or_says_nothing(self, gateway: Gateway, body: bytes) -> None:
        if self.signed:
            with pytest.raises((WebhookVerificationFailed, AdapterRejected)):
                gateway.verify({}, body, {})
        hint = Hint()
        with contextlib.suppress(AdapterRejected):
            hint = gateway.parse_notification({}, body, {})
        said = (hint.event_id, hint.external_id, hint.reference, hint.kind)
        assert all(isinstance(value, str) for value in said)
        assert len("".join(said).encode()) < 1_000

    # What is said of it

    def test_it_shows_no_secret_and_promises_what_goes_together(self, gateway: Gateway) -> None:
        assert not [secret for secret in self.secrets if secret in repr(gateway) or secret in str(gateway)]
        assert self.method in gateway.methods
        assert gateway.capabilities("no-such-method") == frozenset()
        for method, (label, capabilities) in gateway.methods.items():
            assert label
            assert capabilities == gateway.capabilities(method)
            assert capabilities <= frozenset(Capability)
            assert Capability.HOLD in capabilities or Capability.PARTIAL_CAPTURE not in capabilities
            assert Capability.REFUND in capabilities or Capability.PARTIAL_REFUND not in capabilities
