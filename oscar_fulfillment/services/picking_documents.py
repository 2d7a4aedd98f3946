"""The picking list of orders: what is read for it, and the PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings as django_settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.picking_list import PickingData, Wanted, render_picking_list
from oscar_fulfillment.selectors.consignments import read_consignments

from .document_hooks import bin_of


def picking_pdf(order_ids: Sequence[int], *, part: tuple[int, int] | None = None) -> bytes:
    """One list of everything that waits to be packed for these orders, in the active language: what is in pending
    shipments, and all of an order that has no shipment yet and is not cancelled. The same few statements for any number
    of orders.

    Raises :class:`DocumentError` where nothing waits, ``ConfigurationError`` for wrong settings.
    """
    wanted = tuple(
        Wanted(
            key=_article(line), order=consignment.order.number, quantity=quantity, title=line.title,
            sku=line.partner_sku, bin=bin_of(line.stockrecord),
        )
        for consignment in read_consignments(order_ids, waiting=True)
        if consignment.fulfillment.shipping_status != "cancelled"
        for line, quantity in consignment.contents
    )  # fmt: skip
    if not wanted:
        raise DocumentError(_("nothing waits to be packed"))
    return render_picking_list(
        PickingData(
            shop=str(getattr(django_settings, "OSCAR_SHOP_NAME", "")),
            made=timezone.localtime(),
            language=translation.get_language() or "en",
            wanted=wanted,
            part=part,
        )
    )


def _article(line: Any) -> Any:
    """What makes two order lines the same article: the stock record, else what is left where that was deleted."""
    return line.stockrecord_id or (line.partner_sku, line.title)
