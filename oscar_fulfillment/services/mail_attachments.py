"""What travels with a mail: the invoice, the return slip, the pick-up code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.qr import qr_png
from oscar_fulfillment.selectors.customer import order_journey

from . import documents, messages, return_mails, return_slips

_PDF = "application/pdf"
#: Mails that carry the invoice, where the payment method sends one.
WITH_INVOICE = (messages.ORDER_PLACED, messages.ORDER_EDITED)


def pickups_of(order: Any, payload: Mapping[str, Any]) -> list[Any]:
    """The goods that such a mail is about and that still wait."""
    wanted = set(payload.get("shipments") or ())
    return [each for each in order_journey(order).pickups if not wanted or each.shipment in wanted]


def attachments(kind: str, order: Any, payload: Mapping[str, Any]) -> list[tuple[str, bytes, str]]:
    """What travels with a mail of this kind, as (file name, content, MIME type): the invoice with the confirmation
    and with what changes it, where the payment method wants that; the return slip where SELLERS says where to; the
    pick-up code as a square to be scanned.

    A document that these data can never give ends the mail at once, so that the order shows the problem; a mistake in
    the settings or in a template is tried again like any other, because somebody may mend it meanwhile.
    """
    if kind == messages.PICKUP_READY:
        codes = [(each.code, qr_png(each.code)) for each in pickups_of(order, payload)]
        return [(f"{code}.png", picture, "image/png") for code, picture in codes if picture]
    try:
        if kind in WITH_INVOICE and documents.mails_invoice(order):
            return [(documents.invoice_filename(order), documents.invoice_pdf(order), _PDF)]
        if kind == messages.RETURN_APPROVED and return_slips.has_slip(order):
            ret = return_mails.return_of(payload)
            return [(return_slips.filename(ret), return_slips.pdf(ret), _PDF)]
    except DocumentError as error:
        name = "return slip" if kind == messages.RETURN_APPROVED else "invoice"
        raise AdapterRejected(f"the {name} cannot be made: {error}") from error
    return []
