"""P7 on our side: notifications of a provider that answers at once, so that only our own work is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from oscar.core.loading import get_model

from oscar_fulfillment.core import inbox
from oscar_fulfillment.core.signatures import sign_hmac, verify_hmac
from oscar_fulfillment.gateways.base import Capability, Gateway, Hint, PaymentState, RemotePayment, money
from oscar_fulfillment.models import InboundMessage, OrderFulfillment, PaymentMethod, ProviderPayment
from oscar_fulfillment.webhooks.payments import register_gateways

from . import shared
from .shared import pool
from .worker import Statements

SECRET = "bench"
HOOK = "/fulfillment/webhooks/payments/bench/"


class BenchGateway(Gateway):
    """Signed notifications; a payment's number says what was paid: ``<reference>/<sum>``."""

    methods = {"card": ("Card", frozenset(Capability))}

    def fetch(self, external_id: str) -> RemotePayment:
        reference, _slash, amount = external_id.partition("/")
        paid = money(amount)
        return RemotePayment(
            external_id, PaymentState.CAPTURED, paid, "BRL", reference=reference, authorized=paid, captured=paid
        )

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        verify_hmac(body, headers.get("x-signature"), SECRET)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hint:
        document = json.loads(body)
        return Hint(document["id"], document["payment"])


def install() -> None:
    """Make the provider known to this process, and a view that does nothing, for comparison."""
    from tests import urls

    declared = settings.OSCAR_FULFILLMENT["GATEWAYS"]
    if "bench" not in declared:
        declared["bench"] = {"BACKEND": "tests.bench.notifications.BenchGateway"}
        register_gateways()
        bare = csrf_exempt(lambda request: HttpResponse("ok"))
        urls.urlpatterns.insert(0, path("bench/bare/", bare, name="bench-bare"))
    if not shared._client:
        shared._client.append(shared.client())


def prepare(count: int) -> dict[str, Any]:
    """So many orders that wait for their provider; nothing of an earlier round is left."""
    install()
    method = PaymentMethod.objects.get_or_create(
        code="bench", defaults={"name": "Card", "kind": "gateway", "provider": "bench", "provider_method": "card"}
    )[0]
    ids = pool(count)
    InboundMessage.objects.filter(source="payments:bench").delete()
    ProviderPayment.objects.filter(provider="bench").delete()
    get_model("payment", "Source").objects.filter(order__in=ids).delete()
    OrderFulfillment.objects.filter(pk__in=ids).update(
        payment_status="awaiting_payment", shipping_status="received", payment_method=method, has_money=False
    )
    orders = get_model("order", "Order").objects.filter(pk__in=ids)
    orders.update(status="Received")
    ProviderPayment.objects.bulk_create(
        ProviderPayment(
            fulfillment_id=order.pk, payment_method=method, provider="bench", method="card",
            reference=f"B{order.pk}", external_id=f"B{order.pk}/{order.total_incl_tax}", currency=order.currency,
            amount=order.total_incl_tax, created_at=timezone.now(),
        )
        for order in orders
    )  # fmt: skip
    return {}


def _post(url: str, body: bytes) -> Any:
    headers = {"X-Signature": sign_hmac(body, SECRET)}
    return shared._client[0].post(url, body, content_type="application/json", headers=headers)


def answer(count: int) -> dict[str, Any]:
    """Median seconds of a notification that is verified and stored, and of the view that does nothing."""
    payments = list(ProviderPayment.objects.filter(provider="bench").order_by("pk")[:count])
    seconds, bare = [], []
    for payment in payments:
        body = json.dumps({"id": f"e{payment.pk}", "payment": payment.external_id}).encode()
        with Statements() as counted:
            began = time.perf_counter()
            assert _post(HOOK, body).content == b"stored"
            seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        assert _post("/bench/bare/", body).status_code == 200
        bare.append(time.perf_counter() - began)
    middle = count // 2
    return {"seconds": sorted(seconds)[middle], "bare": sorted(bare)[middle], "statements": len(counted.sql)}


def process() -> dict[str, Any]:
    """Work off what is stored, together with whoever does the same."""
    install()
    began = time.perf_counter()
    total = 0
    while done := sum(inbox.process(limit=500, source="payments:bench").values()):
        total += done
    return {"seconds": time.perf_counter() - began, "done": total}


def clean(count: int) -> dict[str, Any]:
    """The orders are paid by hand again, for the other rows."""
    method = PaymentMethod.objects.filter(kind="manual").first()
    ids = pool(count)
    get_model("payment", "Source").objects.filter(order__in=ids).delete()
    OrderFulfillment.objects.filter(pk__in=ids).update(payment_method=method, has_money=False)
    return {}


def lost() -> dict[str, Any]:
    """Notifications that were answered with 200 and did not lead to a paid order."""
    waiting = OrderFulfillment.objects.filter(provider_payments__provider="bench").exclude(payment_status="paid")
    return {"count": waiting.count()}
