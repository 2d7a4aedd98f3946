"""The shipped contract of gateways: a right gateway passes, and each kind of wrong one is caught."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.core.signatures import sign_hmac, verify_hmac
from oscar_fulfillment.gateways.base import (
    Capability,
    Gateway,
    Hint,
    PaymentState,
    RemotePayment,
    RemoteRefund,
    to_minor,
)
from oscar_fulfillment.test.gateway_case import new_key
from oscar_fulfillment.test.gateway_contract import GatewayContract

SECRET = "a very secret key"
ALL = frozenset(Capability)


class Memory(Gateway):
    """Keeps its payments in a dict; also plays the buyer."""

    name = "Memory"
    methods = {"card": ("Card", ALL)}
    currencies = frozenset({"EUR"})

    def __init__(self, capabilities=ALL, **options):
        super().__init__(**options)
        self.methods = {"card": ("Card", frozenset(capabilities))}
        self.payments, self.keys, self.holds, self.letters = {}, {}, set(), []

    def _needs(self, *capabilities):
        if not set(capabilities) <= self.capabilities("card"):
            raise AdapterRejected("cannot do that")

    def _sum(self, amount, most=None):
        if to_minor(amount, "EUR") <= 0 or (most is not None and amount > most):
            raise AdapterRejected("wrong sum")

    def _once(self, key, do):
        if key not in self.keys:
            self.keys[key] = do()
        return self.keys[key]

    def _put(self, payment, **changes):
        self.payments[payment.external_id] = payment = replace(payment, **changes)
        body = json.dumps({"id": payment.external_id}).encode()
        self.letters.append(({"x-signature": sign_hmac(body, SECRET)}, body, {}))
        return payment

    def start(self, request, *, key):
        if request.method not in self.methods or request.currency != "EUR":
            raise AdapterRejected("wrong method or currency")
        self._sum(request.amount)
        if request.hold:
            self._needs(Capability.HOLD)

        def begin():
            payment = RemotePayment(
                f"P{len(self.payments)}", PaymentState.PENDING, request.amount, "EUR", request.reference,
                redirect_url="https://pay.example/",
            )  # fmt: skip
            if request.hold:
                self.holds.add(payment.external_id)
            return self._put(payment)

        return self._once(key, begin)

    def fetch(self, external_id):
        if external_id not in self.payments:
            raise AdapterRejected("no such payment", status=404)
        return self.payments[external_id]

    def find(self, reference):
        self._needs(Capability.FIND)
        return next((payment for payment in self.payments.values() if payment.reference == reference), None)

    def capture(self, payment, amount, *, key, items=()):
        now = self.fetch(payment.external_id)
        self._sum(amount, now.authorized)
        if amount != now.authorized:
            self._needs(Capability.PARTIAL_CAPTURE)
        return self._once(key, lambda: self._put(now, state=PaymentState.CAPTURED, captured=amount, authorized=amount))

    def void(self, payment, *, key):
        self._needs(Capability.VOID)
        now = self.fetch(payment.external_id)
        if now.captured:
            raise AdapterRejected("the money is in")
        return self._once(key, lambda: self._put(now, state=PaymentState.CANCELLED, authorized=Decimal(0)))

    def refund(self, payment, amount, *, key, reason=""):
        now = self.fetch(payment.external_id)
        self._needs(Capability.REFUND, *([] if amount == now.captured else [Capability.PARTIAL_REFUND]))

        def back():
            self._sum(amount, now.captured - now.refunded)
            refunded = now.refunded + amount
            state = PaymentState.REFUNDED if refunded == now.captured else now.state
            self._put(now, refunded=refunded, state=state)
            return RemoteRefund(f"R{len(self.keys)}", amount, "done", reason, key)

        return self._once(key, back)

    def verify(self, headers, body, query):
        self._needs(Capability.NOTIFY)
        verify_hmac(body, headers.get("x-signature"), SECRET)

    def parse_notification(self, headers, body, query):
        try:
            found = json.loads(body)["id"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise AdapterRejected("unreadable") from error
        if not isinstance(found, str) or not found.isascii() or len(found) > 100:
            raise AdapterRejected("no id")
        return Hint(external_id=found)

    # The buyer

    def approve(self, payment):
        if payment.external_id in self.holds:
            self._put(payment, state=PaymentState.AUTHORIZED, authorized=payment.amount)
        else:
            self._put(payment, state=PaymentState.CAPTURED, captured=payment.amount)

    def refuse(self, payment):
        self._put(payment, state=PaymentState.REFUSED, reason="no funds")

    def expire(self, payment):
        self._put(payment, state=PaymentState.EXPIRED)

    def received(self):
        return self.letters if Capability.NOTIFY in self.capabilities("card") else []


class TestAble(GatewayContract):
    secrets = (SECRET,)

    @pytest.fixture
    def gateway(self):
        return Memory(alias="memory")

    @pytest.fixture
    def driver(self, gateway):
        return gateway


class TestUnable(TestAble):
    """A gateway that can only begin payments and be asked."""

    signed = False

    @pytest.fixture
    def gateway(self):
        return Memory([], alias="memory")


class TestHoldOnly(TestAble):
    """No parts, and nothing goes back by itself."""

    @pytest.fixture
    def gateway(self):
        return Memory([Capability.HOLD, Capability.REFUND, Capability.NOTIFY], alias="memory")


def broken(**methods):
    return type("Broken", (Memory,), methods)(alias="memory")


def twice(gateway_method):
    """The method without its memory of keys."""
    return lambda self, *args, key, **options: gateway_method(self, *args, key=new_key(), **options)


def leaking(self, external_id):
    raise AdapterRejected(f"no such payment for {SECRET}", status=404)


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        ({"start": twice(Memory.start)}, "starting_again_with_the_same_key_is_the_same_payment"),
        ({"_sum": lambda self, amount, most=None: None}, "what_cannot_be_paid_is_refused_at_the_start"),
        ({"_sum": lambda self, amount, most=None: None}, "more_than_is_held_is_not_captured"),
        ({"fetch": leaking}, "an_unknown_payment_is_rejected_as_not_found"),
        ({"fetch": lambda self, external_id: None}, "an_unknown_payment_is_rejected_as_not_found"),
        ({"find": lambda self, reference: list(self.payments.values())[-1]}, "fetching_and_finding_agree_with_the_start"),
        ({"capture": lambda self, payment, amount, **_: Memory.capture(self, payment, payment.amount, **_)}, "a_part_of_a_hold_is_captured"),
        ({"void": lambda self, payment, *, key: payment}, "a_hold_is_given_back_once"),
        ({"refund": twice(Memory.refund)}, "refunds_add_up_and_happen_once"),
        ({"verify": lambda self, headers, body, query: None}, "a_forged_notification_is_refused"),
        ({"refuse": lambda self, payment: None}, "a_refusal_takes_nothing_and_says_why"),
        ({"expire": lambda self, payment: None}, "a_payment_that_nobody_pays_expires"),
        ({"approve": lambda self, payment: None}, "a_payment_without_hold_is_captured"),
        ({"approve": lambda self, payment: None}, "a_hold_is_held_and_captured_once"),
        ({"received": list}, "a_notification_leads_to_its_payment"),
        ({"__repr__": lambda self: f"<Memory {SECRET}>"}, "it_shows_no_secret_and_promises_what_goes_together"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_caught(wrong, test):
    gateway, contract = broken(**wrong), TestAble()
    arguments = {"gateway": gateway, "driver": gateway}
    method = getattr(contract, f"test_{test}")
    names = method.__func__.__code__.co_varnames[1 : method.__func__.__code__.co_argcount]
    with pytest.raises((AssertionError, pytest.fail.Exception, AdapterRejected)):
        method(**{name: arguments[name] for name in names})


def test_hostile_messages_that_break_the_parser_are_caught():
    def parse(self, headers, body, query):
        return Hint(external_id=json.loads(body)["id"])

    for body in (b"", b"{}", b"[" * 100_000, b'{"id": {}}'):
        with pytest.raises((AssertionError, ValueError, KeyError, RecursionError)):
            TestAble().test_a_hostile_notification_is_rejected_or_says_nothing(broken(parse_notification=parse), body)


def test_a_gateway_that_is_down_fails_the_contract():
    def down(self, request, *, key):
        raise AdapterUnavailable("down")

    with pytest.raises(AdapterUnavailable):
        TestAble().test_starting_gives_the_buyer_a_way_to_pay(broken(start=down))
