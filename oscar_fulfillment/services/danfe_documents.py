"""The DANFE of orders: of the notes that go with their goods."""

from __future__ import annotations

from collections.abc import Sequence

from oscar_fulfillment.documents.danfe import danfe_labels_pdf, danfe_pdf
from oscar_fulfillment.selectors.printable_notes import printable_notes

DANFE, DANFE_LABEL = "danfe", "danfe-label"


def danfes_pdf(order_ids: Sequence[int], *, shipment: int | None = None) -> bytes:
    """The DANFE of every note of these orders. ``DocumentError`` where there is none whose file we have."""
    return danfe_pdf(printable_notes(order_ids, shipment=shipment))


def danfe_labels(order_ids: Sequence[int], *, shipment: int | None = None) -> bytes:
    """The simplified DANFE for parcels, of the same notes."""
    return danfe_labels_pdf(printable_notes(order_ids, shipment=shipment))
