"""Every accident at every call to each of the four providers, through the services: nothing twice, nothing lost.

The simulators have the accidents (``Simulator.fail_next``); what is looked at afterwards are the provider's own books,
the ledger, the order, and what a person is told.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.utils import timezone

from oscar_fulfillment.core import circuit, history, outbox
from oscar_fulfillment.core.exceptions import AdapterUnavailable
from oscar_fulfillment.core.http import HttpClient
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import Capability
from oscar_fulfillment.models import OrderFulfillment, OutboundMessage, PaymentOperation, ProviderPayment, StatusChange
from oscar_fulfillment.services import audit, cancelling, operations, unpaid
from oscar_fulfillment.services.provider_payments import begin_payment, reconcile, refresh_payment
from oscar_fulfillment.test import factories
from oscar_fulfillment.webhooks.payments import register_gateways
from sandbox import vendors
from sandbox.simulators import __main__ as simulators
from sandbox.simulators.base import ACCIDENTS, serve

from .payments import TEAM, money, open_kinds, problem, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A3", "Z7")]
TWENTY, FOUR = Decimal("20.00"), Decimal("4.00")


@dataclass(frozen=True)
class Provider:
    """What differs: its currency and methods, and the part of the path by which each call is known."""

    currency: str
    method: str
    hold: str  # "" where nothing is held
    paths: dict[str, str] = field(default_factory=dict)
    starts: str = "payment"  # kind of its documents that a start makes
    options: dict[str, Any] = field(default_factory=dict)


PROVIDERS = {
    "yookassa": Provider("RUB", "bank_card", "bank_card", {
        "start": "POST /v3/payments", "find": "GET /v3/payments", "fetch": "GET /v3/payments/", "capture": "/capture",
        "void": "/cancel", "refund": "POST /v3/refunds", "look": "GET /v3/payments/",
    }, options={"read_timeout": 0.8}),
    "mercadopago": Provider("BRL", "card", "", {
        "start": "POST /checkout/preferences", "find": "GET /checkout/preferences/search",
        "fetch": "GET /checkout/preferences/", "void": "PUT /checkout/preferences/", "refund": "/refunds",
        "look": "GET /v1/payments/search",
    }, starts="preference", options={"timeout": 0.8}),
    "pagarme": Provider("BRL", "card", "card", {
        "start": "POST /core/v5/orders", "find": "GET /core/v5/orders", "fetch": "GET /core/v5/orders/",
        "capture": "/capture", "void": "DELETE /core/v5/charges/", "refund": "DELETE /core/v5/charges/",
        "look": "GET /core/v5/orders/", "close": "/closed",
    }, starts="order"),
    "datatrans": Provider("CHF", "twint", "twint", {
        "start": "POST /v1/transactions", "fetch": "GET /v1/transactions/", "capture": "/settle", "void": "/cancel",
        "refund": "/credit", "look": "GET /v1/transactions/",
    }, starts="transaction", options={"timeout": 0.8}),
}  # fmt: skip


@pytest.fixture(scope="module")
def running():
    """One server for all; each test has simulators with fresh books."""
    now: dict[str, Any] = {}
    with serve(lambda environ, start_response: now["application"](environ, start_response)) as address:
        yield address, now


class Shop:
    """A shop with one provider, and the provider's side of it."""

    def __init__(self, name, simulator):
        self.name, self.simulator, self.provider = name, simulator, PROVIDERS[name]

    @property
    def gateway(self):
        return gateways.get(self.name)

    def order(self, hold=False):
        provider = self.provider
        method = factories.gateway_method(
            f"{self.name}-{hold}", provider=self.name, provider_method=provider.hold if hold else provider.method,
            capture="hold" if hold else "now", retry_hours=0,
        )  # fmt: skip
        address = factories.address(line1="375, Av. Paulista, Bela Vista", line3="Bela Vista", state="SP",
                                    phone_number="+5511987654321")  # fmt: skip
        return factories.placed_order(
            currency=provider.currency, method=method, shipping_address=address,
            fulfillment={"tax_id_kind": "cpf", "tax_id": "529.982.247-25"},
        )  # fmt: skip

    def begin(self, order):
        return begin_payment(order=order, actor=TEAM, return_url="https://shop.example/back/")

    def approve(self, payment):
        self.simulator.decide(payment.external_id, "approve", "never")

    def paid(self, hold=False):
        order = self.order(hold)
        payment = self.begin(order)
        self.approve(payment)
        return order, refresh_payment(payment=payment)

    def fail(self, accident, call):
        self.simulator.fail_next(accident, path=self.provider.paths[call])

    def started(self):
        """How many payments there are at the provider."""
        return self.simulator.books.count(self.provider.starts)

    def remote(self, payment):
        payment.refresh_from_db()
        return self.gateway.fetch(payment.external_id)

    def work_off(self, tries=8):
        """The outbox, with its waiting made short: until no operation waits for an answer."""
        lane = operations.lane(self.name)
        for _try in range(tries):
            if not PaymentOperation.objects.filter(status="requested").exists():
                return
            OutboundMessage.objects.filter(destination=lane).update(next_attempt_at=timezone.now())
            circuit.reopen(f"outbox:{lane}")
            outbox.drain(destination=lane)
        raise AssertionError(PaymentOperation.objects.get().error)

    def agreed(self):
        """All books agree, and no accident of the test is left."""
        assert not self.simulator._accidents, "the accident did not happen"
        assert [str(difference) for difference in audit.audit_payments(ask_providers=True)] == []
        assert list(history.verify(OrderFulfillment, StatusChange)) == []


@pytest.fixture(params=PROVIDERS)
def shop(request, running, settings):
    address, now = running
    simulator = simulators.build()[request.param]
    simulator.deliver = lambda notification: 200
    now["application"] = simulators.application({request.param: simulator})
    declared = vendors.gateways(address)[request.param]
    declared["OPTIONS"] = {**declared["OPTIONS"], **PROVIDERS[request.param].options}
    settings.OSCAR_FULFILLMENT = {**django_settings.OSCAR_FULFILLMENT, "GATEWAYS": {request.param: declared}}
    register_gateways()
    yield Shop(request.param, simulator)
    outbox.PUMP.lanes.pop(operations.lane(request.param), None)


def again(call, tries=4):
    """What a person (or the next tick of the clock) does: the same once more, until it works. What it came to, and how
    often the provider could not be asked."""
    for failed in range(tries):
        try:
            return call(), failed
        except AdapterUnavailable:
            continue
    raise AssertionError("it never worked")


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_start(shop, accident):
    order = shop.order()
    shop.fail(accident, "start")
    payment, failed = again(lambda: shop.begin(order))
    assert failed == (0 if accident == "slow" and shop.name == "pagarme" else 1)
    assert shop.started() == 1
    assert ProviderPayment.objects.get() == payment
    assert payment.redirect_url
    assert open_kinds(order) == []
    shop.approve(payment)
    assert refresh_payment(payment=payment).state == "captured"
    assert statuses(order)[0] == "paid"
    assert money(order) == (TWENTY, TWENTY, 0)
    shop.agreed()


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_the_question_whether_it_was_started(shop, accident):
    """The answer of a start is lost, and then the answer to what became of it."""
    order = shop.order()
    shop.fail("cut_after", "start")
    if "find" in shop.provider.paths:
        with pytest.raises(AdapterUnavailable):
            shop.begin(order)
        shop.fail(accident, "find")
        assert again(lambda: shop.begin(order))[1] <= 1
    else:
        shop.fail(accident, "start")
        assert again(lambda: shop.begin(order))[1] == 2
    assert shop.started() == 1
    payment = ProviderPayment.objects.get()
    shop.approve(payment)
    refresh_payment(payment=payment)
    assert (statuses(order)[0], open_kinds(order)) == ("paid", [])
    shop.agreed()


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_fetch(shop, accident):
    order = shop.order()
    payment = shop.begin(order)
    shop.approve(payment)
    shop.fail(accident, "fetch")
    # By the clock, which is told of no error and asks again when it is due.
    for _time in range(2):
        ProviderPayment.objects.update(next_check_at=timezone.now())
        reconcile()
    assert statuses(order)[0] == "paid"
    assert money(order) == (TWENTY, TWENTY, 0)
    shop.agreed()


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("call", ["capture", "look"])
def test_capture(shop, call, accident):
    if not shop.provider.hold:
        assert Capability.HOLD not in shop.gateway.capabilities(shop.provider.method)
        return
    order, payment = shop.paid(hold=True)
    assert statuses(order)[0] == "authorized"
    operations.request_capture(order=order, payment=payment.pk, actor=TEAM)
    shop.fail(accident, call)
    shop.work_off()
    remote = shop.remote(payment)
    assert (remote.captured, remote.refunded) == (TWENTY, 0)
    assert PaymentOperation.objects.get().status == "done"
    assert statuses(order)[0] == "paid"
    assert (problem(order), open_kinds(order)) == ("", [])
    shop.agreed()


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("call", ["void", "look"])
def test_void(shop, call, accident):
    hold = bool(shop.provider.hold)
    order, payment = shop.paid(hold=True) if hold else (one := shop.order(), shop.begin(one))
    cancelling.cancel_order(order=order, actor=TEAM, reason="No", override=True)
    shop.fail(accident, call)
    shop.work_off()
    remote = shop.remote(payment)
    assert (str(remote.state), remote.captured) == ("cancelled", 0)
    assert PaymentOperation.objects.get().status == "done"
    assert statuses(order) == ("cancelled", "cancelled")
    assert money(order) == (0, 0, 0)
    assert (problem(order), open_kinds(order)) == ("", [])
    shop.agreed()


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("call", ["refund", "look"])
def test_refund(shop, call, accident):
    order, payment = shop.paid()
    operations.request_refund(order=order, payment=payment.pk, actor=TEAM, amount=FOUR, reason="broken")
    shop.fail(accident, call)
    shop.work_off()
    remote = shop.remote(payment)
    assert (remote.captured, remote.refunded) == (TWENTY, FOUR)
    assert PaymentOperation.objects.get().status == "done"
    assert statuses(order)[0] == "partially_refunded"
    assert money(order) == (TWENTY, TWENTY, FOUR)
    assert (problem(order), open_kinds(order)) == ("", [])
    shop.agreed()


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_the_answer_to_the_question_after_a_refund(shop, accident):
    """The refund is done and answered; what is lost is the answer to how the payment stands now."""
    order, payment = shop.paid()
    operations.request_refund(order=order, payment=payment.pk, actor=TEAM, amount=FOUR, reason="broken")
    refund = type(shop.gateway).refund

    def and_then(*arguments, **options):
        done = refund(shop.gateway, *arguments, **options)
        shop.fail(accident, "look")
        return done

    shop.gateway.refund = and_then
    shop.work_off()
    assert shop.remote(payment).refunded == FOUR
    assert PaymentOperation.objects.get().status == "done"
    assert money(order) == (TWENTY, TWENTY, FOUR)
    assert (problem(order), open_kinds(order)) == ("", [])
    shop.agreed()


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("when", ["asked", "closed"])
def test_the_end_of_an_order_that_nobody_paid(shop, when, accident):
    order = shop.order()
    payment = shop.begin(order)
    closing = {"pagarme": "close", "mercadopago": "void", "yookassa": "void"}.get(shop.name)
    if when == "closed" and closing is None:
        closing = "look"  # Datatrans closes nothing that is not paid, and is only looked at
    shop.fail(accident, closing if when == "closed" else "look")
    cancelled, _failed = again(lambda: unpaid.cancel_unpaid(order=order))
    assert cancelled is True
    assert statuses(order) == ("cancelled", "cancelled")
    shop.work_off()
    remote = shop.remote(payment)
    assert remote.captured == 0
    assert str(remote.state) == ("pending" if shop.name in ("yookassa", "datatrans") else "cancelled")
    assert (problem(order), open_kinds(order)) == ("", [])
    assert StatusChange.objects.filter(fulfillment=order.pk, action="cancel").count() == 1
    shop.agreed()


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_an_order_that_was_paid_in_the_last_moment_stands(shop, accident):
    order = shop.order()
    payment = shop.begin(order)
    shop.approve(payment)
    shop.fail(accident, "look")
    stands, _failed = again(lambda: unpaid.cancel_unpaid(order=order))
    assert stands is False
    assert statuses(order) == ("paid", "received")
    assert money(order) == (TWENTY, TWENTY, 0)
    shop.agreed()


@pytest.mark.parametrize("shop", ["yookassa", "datatrans"], indirect=True)
@pytest.mark.parametrize("moment", ["before the call", "during the call", "after the call"])
@pytest.mark.parametrize("hold", [True, False], ids=["hold", "charge"])
def test_what_is_paid_while_an_unpaid_payment_cannot_be_closed(shop, moment, hold, monkeypatch):
    """The order is off; these two close nothing that is not paid, and the buyer pays all the same."""
    order = shop.order(hold)
    payment = shop.begin(order)
    cancelling.cancel_order(order=order, actor=TEAM, reason="No", override=True)
    void = type(shop.gateway).void

    def meanwhile(remote, **options):
        monkeypatch.setattr(shop.gateway, "void", lambda *args, **kwargs: void(shop.gateway, *args, **kwargs))
        try:
            return shop.gateway.void(remote, **options)
        finally:
            shop.approve(payment)

    if moment == "before the call":
        shop.approve(payment)
    elif moment == "during the call":
        monkeypatch.setattr(shop.gateway, "void", meanwhile)
    shop.work_off()
    if moment == "after the call":
        shop.approve(payment)
    refresh_payment(payment=ProviderPayment.objects.get())
    shop.work_off()
    remote = shop.remote(payment)
    if hold:
        assert (str(remote.state), remote.captured) == ("cancelled", 0)
        assert (problem(order), open_kinds(order)) == ("", [])
    else:
        assert remote.captured == TWENTY
        assert problem(order) == "late_money"
        assert "late_money" in open_kinds(order)
    assert statuses(order) == ("cancelled", "cancelled")
    shop.agreed()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_four_clicks_at_the_same_moment_begin_one_payment(shop, monkeypatch):
    order = shop.order()
    request = HttpClient.request

    def far_away(*arguments, **options):
        time.sleep(random.random() / 15)
        return request(*arguments, **options)

    monkeypatch.setattr(HttpClient, "request", far_away)
    barrier = threading.Barrier(4)

    def click(_number):
        try:
            barrier.wait(30)
            return shop.begin(type(order).objects.get(pk=order.pk)).redirect_url
        except AdapterUnavailable:
            return ""  # "in this very moment somebody else does": the page says to try again
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        links = set(pool.map(click, range(4))) - {""}
    payment = ProviderPayment.objects.get()
    assert links == {payment.redirect_url}
    assert shop.started() == 1
    shop.approve(payment)
    refresh_payment(payment=payment)
    assert statuses(order)[0] == "paid"
    assert (problem(order), open_kinds(order)) == ("", [])
    shop.agreed()
