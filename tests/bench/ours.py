"""Our side of the bench."""

from __future__ import annotations

import time
from typing import Any

from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import OrderFulfillment, PaymentMethod
from oscar_fulfillment.services import door, payments

from . import nfe, notifications, onec, shared, tracking
from .papers import slips, slips_by_weasyprint, slips_of_orders
from .shared import page, pool, rss
from .worker import Statements, memory


def _user() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(first_name="Bench")


def reset() -> dict[str, Any]:
    """The pool awaits its payment again (versions and history stay: the chain goes on)."""
    ids = pool(10_000)
    OrderFulfillment.objects.filter(pk__in=ids).update(payment_status="awaiting_payment", shipping_status="received")
    get_model("order", "Order").objects.filter(pk__in=ids).update(status="Received")
    return {}


def transition(start: int, count: int) -> dict[str, Any]:
    """``approve_payment``: guards, vetoes, Oscar's payment event, history, the customer's mail, signals."""
    actor = Actor.from_user(_user())
    orders = list(get_model("order", "Order").objects.filter(pk__in=pool(start + count)[start:]))
    with Statements() as counted:
        began = time.perf_counter()
        for order in orders:
            payments.approve_payment(order=order, actor=actor)
        seconds = time.perf_counter() - began
    inside = [sql for sql in counted.sql if "queuesignal" not in sql and "django_q" not in sql]
    return {"seconds": seconds / count, "statements": len(inside) / count, "wake": len(counted.sql) - len(inside)}


def bulk(count: int) -> dict[str, Any]:
    """``approve_payment`` for so many orders in one call."""
    ids, actor = pool(count), Actor.from_user(_user())
    with Statements() as counted:
        began = time.perf_counter()
        steps = door.move_many(ids, payments.APPROVE, actor=actor, effect=payments.approve_effect, key="")
        seconds = time.perf_counter() - began
    assert len(steps) == count
    assert not any(step.reasons for step in steps)
    inside = [sql for sql in counted.sql if "queuesignal" not in sql and "django_q" not in sql]
    return {"seconds": seconds / count, "statements": len(inside)}


def place(times: int) -> dict[str, Any]:
    return shared.place(times, fulfillment={"payment_method": PaymentMethod.objects.first(), "language": "en"})


def layout(times: int) -> dict[str, Any]:
    """Oscar's dashboard layout with nothing in it: the floor of every page."""
    from django.http import HttpResponse
    from django.template import engines
    from django.urls import path

    from tests import urls

    if not any(getattr(each, "name", "") == "bench-layout" for each in urls.urlpatterns):
        template = engines["django"].from_string('{% extends "oscar/dashboard/layout.html" %}')
        view = lambda request: HttpResponse(template.render({}, request))  # noqa: E731
        urls.urlpatterns.insert(0, path("bench/layout/", view, name="bench-layout"))
    return page("/bench/layout/", times)


def post_step(start: int, count: int) -> dict[str, Any]:
    """``approve_payment`` as the order page's form posts it."""
    from django.urls import reverse

    if not shared._client:
        shared._client.append(shared.client())
    numbers = list(OrderFulfillment.objects.filter(pk__in=pool(start + count)[start:]).values_list("number", "version"))
    with Statements() as counted:
        began = time.perf_counter()
        for number, version in numbers:
            url = reverse("dashboard:order-step", kwargs={"number": number, "action": "approve_payment"})
            answer = shared._client[0].post(url, {"version": version, "key": f"{number}-{version}"})
            shared._client[0].cookies.pop("messages", None)  # as a browser that shows the page it is sent to
        seconds = time.perf_counter() - began
    moved = OrderFulfillment.objects.filter(pk__in=pool(start + count)[start:], payment_status="paid").count()
    assert moved == count, (moved, count, answer.status_code)
    return {"seconds": seconds / count, "statements": len(counted.sql) / count}


def post_floor(count: int) -> dict[str, Any]:
    """A POST that asks who is there and redirects: what Django and Oscar's middleware take before a view does anything."""
    from django.http import HttpResponseRedirect
    from django.urls import path

    from tests import urls

    if not any(getattr(each, "name", "") == "bench-post" for each in urls.urlpatterns):
        view = lambda request: HttpResponseRedirect("/" if request.user.is_staff else "/no/")  # noqa: E731
        urls.urlpatterns.insert(0, path("bench/post/", view, name="bench-post"))
    if not shared._client:
        shared._client.append(shared.client())
    with Statements() as counted:
        began = time.perf_counter()
        for number in range(count):
            answer = shared._client[0].post("/bench/post/", {"version": 1, "key": f"key-{number}"})
            assert answer.headers["Location"] == "/", answer.status_code
        seconds = time.perf_counter() - began
    return {"seconds": seconds / count, "statements": len(counted.sql) / count}


def desk_prepare(count: int) -> dict[str, Any]:
    """Shipments on the packing table, each with room for any number of scans."""
    from django.utils import timezone

    from oscar_fulfillment.models import Packing, PackingScan, Parcel, ParcelLine, Shipment, ShipmentLine

    found = list(Shipment.objects.filter(status="pending", fulfillment__hold_count=0).order_by("pk")[:count])
    assert len(found) == count
    ShipmentLine.objects.filter(shipment__in=found).update(quantity=1_000_000)
    Packing.objects.filter(shipment__in=found).delete()
    Parcel.objects.filter(shipment__in=found).delete()
    boxes = [Parcel.objects.create(shipment=shipment, number=1) for shipment in found]
    for shipment, box in zip(found, boxes, strict=True):
        Packing.objects.create(
            shipment=shipment, box=box, packer=_user(), packer_label="Bench", begun_at=timezone.now()
        )
    assert not ParcelLine.objects.filter(parcel__shipment__in=found).exists()
    assert not PackingScan.objects.filter(packing__shipment__in=found).exists()
    return {"pks": [shipment.pk for shipment in found]}


def desk_scan(pks: list[int], key: str) -> dict[str, Any]:
    """An article scanned into each of these shipments."""
    from oscar_fulfillment.models import ShipmentLine
    from oscar_fulfillment.services import packing

    actor = Actor.from_user(_user())
    lines = ShipmentLine.objects.filter(shipment__in=pks).order_by("line").values_list("shipment", "line__partner_sku")
    skus = dict(lines)
    with Statements() as counted:
        began = time.perf_counter()
        for pk in pks:
            packing.scan_article(shipment=pk, actor=actor, text=skus[pk], key=f"{key}-{pk}")
        seconds = time.perf_counter() - began
    return {"seconds": seconds / len(pks), "statements": len(counted.sql) / len(pks)}


def desk_post(pks: list[int], key: str) -> dict[str, Any]:
    """The same as the desk's script posts it."""
    from django.urls import reverse

    from oscar_fulfillment.models import ShipmentLine

    if not shared._client:
        shared._client.append(shared.client())
    lines = ShipmentLine.objects.filter(shipment__in=pks).order_by("line").values_list("shipment", "line__partner_sku")
    skus = dict(lines)
    with Statements() as counted:
        began = time.perf_counter()
        for pk in pks:
            url = reverse("dashboard:scan-pack", kwargs={"shipment": pk})
            data = {"text": skus[pk], "scan": f"{key}-{pk}"}
            answer = shared._client[0].post(url, data, headers={"X-Requested-With": "fetch"})
        seconds = time.perf_counter() - began
    assert answer.json()["ok"], answer.json()
    return {"seconds": seconds / len(pks), "statements": len(counted.sql) / len(pks)}


def queues() -> dict[str, Any]:
    from oscar_fulfillment.selectors.queues import build_queues

    manual = PaymentMethod.objects.filter(kind="manual").values_list("pk", flat=True)
    return {"names": list(build_queues(manual))}


def plans(path: str) -> dict[str, Any]:
    """Scans of whole big tables in the plans of a page."""
    from django.db import connection

    if not shared._client:
        shared._client.append(shared.client())
    seen: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        shared._client[0].get(path)
    found = []
    for sql, params in seen:
        if not sql.lstrip("( ").startswith(("SELECT", "WITH")):
            continue
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + sql, params)
            for (line,) in cursor.fetchall():
                if "Seq Scan on" in line and any(f"Seq Scan on {big}" in line for big in _BIG):
                    found.append(line.strip())
    return {"scans": found}


_BIG = ("order_", "oscar_fulfillment_orderfulfillment", "oscar_fulfillment_statuschange", "oscar_fulfillment_shipment")


def big_order() -> dict[str, Any]:
    """An order of 50 lines, 10 parcels and 200 history rows; made once."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM bench_plan WHERE k = 960 ORDER BY id LIMIT 1")
        (pk,) = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM order_line WHERE order_id = %s", [pk])
        if cursor.fetchone()[0] < 50:
            columns = [f.column for f in get_model("order", "Line")._meta.concrete_fields if not f.primary_key]
            listed = ", ".join(columns)
            cursor.execute(
                f"INSERT INTO order_line ({listed}) SELECT {listed} FROM order_line CROSS JOIN generate_series(1, 60) "
                "WHERE order_id = %s LIMIT 50 - (SELECT count(*) FROM order_line WHERE order_id = %s)",
                [pk, pk],
            )
            cursor.execute(
                "INSERT INTO oscar_fulfillment_shipment (fulfillment_id, number, status, created_at) "
                "SELECT %s, n, 'dispatched', now() FROM generate_series(2, 10) AS n",
                [pk],
            )
            cursor.execute(
                "INSERT INTO oscar_fulfillment_parcel (shipment_id, number, status, carrier, tracking_code, "
                "tracking_url, packed_by_label, tracking_state, tracking_text, tracking_place, incident, checks, "
                "tracking_problem) SELECT id, 1, 'dispatched', 'correios', 'AA' || number, '', '', '', '', '', '', 0, "
                "'' FROM oscar_fulfillment_shipment WHERE fulfillment_id = %s AND number > 1",
                [pk],
            )
            cursor.execute(
                "INSERT INTO oscar_fulfillment_shipmentline (shipment_id, line_id, quantity) SELECT s.id, l.id, 1 "
                "FROM oscar_fulfillment_shipment AS s JOIN order_line AS l ON l.order_id = s.fulfillment_id "
                "AND l.id %% 10 = s.number %% 10 WHERE s.fulfillment_id = %s AND s.number > 1",
                [pk],
            )
            cursor.execute(
                "INSERT INTO oscar_fulfillment_statuschange (fulfillment_id, sequence, machine, action, from_status, "
                "to_status, actor_kind, actor_label, reason, data, idempotency_key, created_at, hash) SELECT %s, n, "
                "'note', 'add_note', '', '', 'system', 'bench', 'A note', '{}', '', now(), repeat('0', 64) "
                "FROM generate_series((SELECT version + 1 FROM oscar_fulfillment_orderfulfillment WHERE order_id = %s), "
                "200) AS n",
                [pk, pk],
            )
            cursor.execute("UPDATE oscar_fulfillment_orderfulfillment SET version = 200 WHERE order_id = %s", [pk])
    return {"path": f"/dashboard/orders/{100000 + pk}/"}


def export(path: str) -> dict[str, Any]:
    """The CSV: rows per second and how far the memory grew."""
    if not shared._client:
        shared._client.append(shared.client())
    before, most, lines = memory(), 0, 0
    began = time.perf_counter()
    answer = shared._client[0].get(path)
    assert answer.status_code == 200, answer.status_code
    for number, chunk in enumerate(answer.streaming_content if answer.streaming else [answer.content]):
        lines += chunk.count(b"\n")
        if number % 500 == 0:
            most = max(most, memory())
    seconds = time.perf_counter() - began
    return {"rows": lines, "seconds": seconds, "grown": max(most, memory()) - before}


notify_prepare, notify_answer = notifications.prepare, notifications.answer
notify_process, notify_lost, notify_clean = notifications.process, notifications.lost, notifications.clean
ingest = tracking.ingest
import_notes = nfe.import_notes
fetch_orders = onec.fetch_orders


__all__ = [
    "big_order",
    "bulk",
    "desk_post",
    "desk_prepare",
    "desk_scan",
    "export",
    "import_notes",
    "ingest",
    "layout",
    "notify_answer",
    "notify_clean",
    "notify_lost",
    "notify_prepare",
    "notify_process",
    "page",
    "place",
    "plans",
    "post_floor",
    "post_step",
    "queues",
    "reset",
    "rss",
    "slips",
    "slips_by_weasyprint",
    "slips_of_orders",
    "transition",
]
