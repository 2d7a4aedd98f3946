"""The files of the notes that go with goods, ours or an ERP's, as their printed form needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from oscar_fulfillment.models import Invoice, NfeEmission, NfeFile
from oscar_fulfillment.models.invoice import NFE


def printable_notes(order_ids: Sequence[int], *, shipment: int | None = None) -> list[tuple[bytes, bool]]:
    """The valid notes of these orders (of the shipment of this number) whose file we have: (nfeProc, is cancelled).

    In the order of ``order_ids``; three statements for any number.
    """
    invoices = Invoice._default_manager.filter(fulfillment__in=order_ids, kind=NFE, cancelled_at=None)
    if shipment is not None:
        invoices = invoices.filter(shipments__number=shipment).distinct()
    found = list(invoices.order_by("pk"))
    files = _files([invoice.pk for invoice in found])
    place = {pk: index for index, pk in enumerate(order_ids)}
    found.sort(key=lambda invoice: (place[invoice.fulfillment_id], invoice.pk))
    return [(files[invoice.pk], False) for invoice in found if invoice.pk in files]


def _files(invoices: Sequence[int]) -> dict[int, bytes]:
    """The newest file of each of these documents."""
    filed = NfeFile._default_manager.filter(invoice__in=invoices, kind=NfeFile.NOTE, status=NfeFile.APPLIED)
    found = dict(filed.order_by("pk").values_list("invoice_id", "content"))
    ours = NfeEmission._default_manager.filter(Q(invoice__in=invoices), status=NfeEmission.AUTHORISED)
    found |= dict(ours.values_list("invoice_id", "proc_xml"))
    return {pk: bytes(content) for pk, content in found.items() if content}


def has_notes(invoices: Sequence[Any]) -> bool:
    """Whether one of an order's documents is a valid NF-e; its file may still be missing."""
    return any(invoice.kind == NFE and invoice.cancelled_at is None for invoice in invoices)
