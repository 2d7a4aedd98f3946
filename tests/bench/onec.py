"""P11 on our side: 1C asks for a page of orders and acknowledges it, and brings a file of as many back."""

from __future__ import annotations

import base64
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.test import Client, override_settings
from django.utils import timezone

from oscar_fulfillment.models import ExchangeSession, Export, OrderFulfillment, OutsideChange

from .worker import memory

ALIAS, USER, PASSWORD = "onec", "1c", "bench"
URL = f"/fulfillment/exchange/1c/{ALIAS}/"


def fetch_orders(count: int, pages: int = 4) -> dict[str, Any]:
    """Seconds of a page of ``count`` orders (its question and its acknowledgement), of their return, and memory in kB.

    The first page warms up; what the others add to the memory is what they cost.
    """
    from tests.settings import OSCAR_FULFILLMENT

    options = {"user": USER, "password": PASSWORD, "page_size": count, "max_upload": 10**9, "file_limit": 10**9}
    declared = {ALIAS: {"BACKEND": "oscar_fulfillment.connectors.commerceml.CommerceML", "OPTIONS": options}}
    with override_settings(OSCAR_FULFILLMENT={**OSCAR_FULFILLMENT, "CONNECTORS": declared}):
        _clean()
        _fill(count * (pages + 1))
        try:
            return _measure(count, pages)
        finally:
            _clean()


def _clean() -> None:
    # The bench's own database: its ledger is empty before and after.
    for model in (OutsideChange, Export):
        model.objects.filter(connector=ALIAS)._raw_delete("default")
    ExchangeSession.objects.all().delete()


def _fill(count: int) -> None:
    now: datetime = timezone.now()
    ids = OrderFulfillment.objects.order_by("-pk").values_list("pk", flat=True)[:count]
    Export.objects.bulk_create(
        [Export(fulfillment_id=pk, connector=ALIAS, kind="order", created_at=now) for pk in ids], batch_size=1000
    )


class _OneC:
    def __init__(self) -> None:
        self.client = Client()
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        answer = self.client.get(self.address("checkauth"), secure=True, headers={"Authorization": f"Basic {basic}"})
        _success, name, value, sessid, *_rest = answer.content.decode().splitlines()
        self.client.cookies[name] = value
        self.sessid = sessid.partition("=")[2]

    def address(self, mode: str, **fields: str) -> str:
        more = {"sessid": self.sessid} if hasattr(self, "sessid") else {}
        return f"{URL}?{urlencode({'type': 'sale', 'mode': mode, **more, **fields})}"

    def ask(self, mode: str) -> Any:
        return self.client.get(self.address(mode), secure=True)


def _measure(count: int, pages: int) -> dict[str, Any]:
    onec, seconds, busy, grown, size = _OneC(), [], [], [], 0
    before = 0
    for page in range(pages + 1):
        began, cpu = time.perf_counter(), time.process_time()
        written, peak = 0, 0
        for piece in onec.ask("query").streaming_content:
            written += len(piece)
            peak = max(peak, memory())
        assert onec.ask("success").content.startswith(b"success")
        if page:
            seconds.append(time.perf_counter() - began)
            busy.append(time.process_time() - cpu)
            grown.append(peak - before)
            size = written
        before = max(before, peak)
    acknowledged = Export.objects.filter(connector=ALIAS, status="acknowledged").count()
    return {
        "page": sorted(seconds)[len(seconds) // 2], "grown": max(grown), "bytes": size, "acknowledged": acknowledged,
        "cpu": sorted(busy)[len(busy) // 2],
        "back": _bring_back(onec, count),
    }  # fmt: skip


def _bring_back(onec: _OneC, count: int) -> float:
    """Seconds of entering a file that says nothing new of so many orders but their number in 1C."""
    rows = Export.objects.filter(connector=ALIAS).select_related("fulfillment__order")[:count]
    documents = "".join(
        f"<Документ><Ид>{row.fulfillment.number}</Ид><Номер>{row.fulfillment.number}</Номер>"
        f"<ХозОперация>Заказ товара</ХозОперация><Сумма>{row.fulfillment.order.total_incl_tax}</Сумма>"
        "<ЗначенияРеквизитов><ЗначениеРеквизита><Наименование>Номер по 1С</Наименование>"
        f"<Значение>{row.pk}</Значение></ЗначениеРеквизита></ЗначенияРеквизитов></Документ>"
        for row in rows
    )
    content = f"<КоммерческаяИнформация>{documents}</КоммерческаяИнформация>".encode()
    began = time.perf_counter()
    answer = onec.client.generic("POST", onec.address("file", filename="back.xml"), content, secure=True)
    assert answer.content.startswith(b"success"), answer.content.decode()
    while not onec.ask("import").content.startswith(b"success"):
        pass
    return time.perf_counter() - began
