"""P11 on our side: notes of released orders, signed, in one zip: taken in, checked with their signature, applied."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any

from django.test import override_settings
from oscar.core.loading import get_class, get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import Invoice, NfeFile, OrderFulfillment, PaymentMethod, Shipment
from oscar_fulfillment.services import door, nfe_applying, nfe_imports, payments, release
from oscar_fulfillment.test import nfe
from oscar_fulfillment.test.fiscal import make_cpf

from . import shared
from .worker import Statements, memory

PREFIX = "NFE"
ACTOR = Actor.system("bench")


def import_notes(count: int) -> dict[str, Any]:
    """Seconds of storing, checking and applying ``count`` notes, files that ended well, memory grown in kB, and statements
    for each."""
    orders = _released(count)
    packed = _packed(orders)
    with override_settings(OSCAR_FULFILLMENT=_settings(count)), Statements() as counted:
        found = _import(packed)
    found["statements"] = len(counted.sql) / count
    _clean(orders)
    return found


def _settings(count: int) -> dict[str, Any]:
    from tests.settings import OSCAR_FULFILLMENT

    return {**OSCAR_FULFILLMENT, "NFE_MAX_FILES": count, "NFE_MAX_UPLOAD": 10**9}


def _import(packed: bytes) -> dict[str, Any]:
    before = peak = memory()
    began = time.perf_counter()
    taken = nfe_imports.take_files(files=[("notes.zip", io.BytesIO(packed))], actor=ACTOR)
    stored = time.perf_counter()
    while nfe_imports.check_received(batch=taken.batch):
        peak = max(peak, memory())
    checked = time.perf_counter()
    rows = NfeFile.objects.filter(batch=taken.batch)
    good = rows.filter(verdict="good").count()
    batch = nfe_applying.apply_files(files=rows, actor=ACTOR)
    while nfe_applying.apply_queued(batch=batch):
        peak = max(peak, memory())
    ended = time.perf_counter()
    return {
        "store": stored - began, "check": checked - stored, "apply": ended - checked, "all": ended - began,
        "good": good, "applied": NfeFile.objects.filter(batch=batch, status=NfeFile.APPLIED).count(),
        "grown": peak - before,
    }  # fmt: skip


def _released(count: int) -> list[Any]:
    """Orders of the flow that invoices, released; made once, put back after each run."""
    Order = get_model("order", "Order")
    there = Order.objects.filter(number__startswith=PREFIX).count()
    creator = get_class("order.utils", "OrderCreator")()
    method = PaymentMethod.objects.first()
    for number in range(there, count):
        arguments = shared.order_arguments(shared.basket()) | {"order_number": f"{PREFIX}{number:06d}"}
        told = {"payment_method": method, "language": "en", "flow": "BRAZIL", "tax_id": make_cpf(f"{number + 1:09d}")}
        creator.place_order(**arguments, fulfillment=told)
    new = list(
        OrderFulfillment.objects.filter(number__startswith=PREFIX, shipping_status="received").values_list(
            "pk", flat=True
        )
    )
    for start in range(0, len(new), 200):
        ids = new[start : start + 200]
        door.move_many(ids, payments.APPROVE, actor=ACTOR, effect=payments.approve_effect)
        door.move_many(ids, release.RELEASE, actor=ACTOR, effect=release.release_effect)
    found = list(Order.objects.filter(number__startswith=PREFIX).select_related("fulfillment").order_by("pk")[:count])
    _clean(found)
    return found


def _packed(orders: list[Any]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as inside:
        for number, order in enumerate(orders, 1):
            inside.writestr(f"{order.number}.xml", nfe.make_note(order=order, number=number))
    return file.getvalue()


def _clean(orders: list[Any]) -> None:
    # The bench's own database: its orders wait for their notes before and after; versions and history stay.
    ids = [order.pk for order in orders]
    NfeFile.objects.all()._raw_delete("default")
    Shipment.objects.filter(fulfillment__in=ids).update(invoice=None)
    Invoice.objects.filter(fulfillment__in=ids)._raw_delete("default")
    OrderFulfillment.objects.filter(pk__in=ids).update(shipping_status="released")
    get_model("order", "Order").objects.filter(pk__in=ids).update(status="In process")
