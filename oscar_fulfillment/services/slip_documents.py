"""The packing slips of orders: what is read for them, and the PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.sites.models import Site
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.packing_slip import Printed, ReturnForm, SlipData, SlipLine, render_slips
from oscar_fulfillment.documents.scan_codes import order_code, shipment_code
from oscar_fulfillment.documents.sellers import Seller
from oscar_fulfillment.models.returns import REASON_LABELS
from oscar_fulfillment.selectors.consignments import Consignment, Contents, read_consignments
from oscar_fulfillment.selectors.payment_links import absolute_url, returns_path
from oscar_fulfillment.selectors.prints import Print, read_prints

from .document_hooks import bin_of
from .document_parties import Sellers, destination, receiver, seen_from
from .languages import nearest_language
from .return_rows import UNDELIVERABLE

#: How the history calls a packing slip.
SLIP = "slip"


def slips_pdf(order_ids: Sequence[int], *, shipment: int | None = None) -> bytes:
    """The packing slips of these orders: one for each shipment that waits, else for each that was sent, else for the
    whole order; of the shipment of this number where one is given. The same few statements for any number of orders.

    Raises :class:`DocumentError` where there is nothing in them, ``ConfigurationError`` for wrong settings.
    """
    slips = slip_data(order_ids, shipment=shipment)
    if not slips:
        raise DocumentError(_("there is nothing to pack"))
    return render_slips(slips)


def slip_data(order_ids: Sequence[int], *, shipment: int | None = None) -> list[SlipData]:
    """What the slips say, each in its order's language."""
    prints, sellers = read_prints(order_ids), Sellers()
    found = []
    for consignment in read_consignments(order_ids, shipment=shipment):
        order, fulfillment = consignment.order, consignment.fulfillment
        seller = sellers.named(order)
        language = nearest_language(fulfillment.language)
        with translation.override(language):
            found.append(_slip(consignment, seller, language, prints.get(fulfillment.pk, [])))
    return found


def _slip(consignment: Consignment, seller: Seller, language: str, prints: Sequence[Print]) -> SlipData:
    order, shipment = consignment.order, consignment.shipment
    return SlipData(
        number=order.number,
        placed=timezone.localtime(consignment.fulfillment.placed_at).date(),
        language=language,
        seller=seller,
        code=shipment_code(shipment.pk) if shipment else order_code(order.pk),
        lines=tuple(_lines(consignment.contents)),
        delivery=receiver(order, seller),
        shipment=consignment.place,
        shipping_method=order.shipping_method or "",
        invoice=_invoice(shipment),
        notes=getattr(order.shipping_address, "notes", "") or "",
        later=tuple(_lines(consignment.later)),
        reprint=_reprint(prints, shipment),
        returns=_return_form(order, seller, language),
    )


def _lines(contents: Contents) -> list[SlipLine]:
    return [SlipLine(line.title, quantity, line.partner_sku, bin_of(line.stockrecord)) for line, quantity in contents]


def _invoice(shipment: Any) -> str:
    """The fiscal document that goes with the goods."""
    invoice = shipment.invoice if shipment else None
    if invoice is None or invoice.is_none or invoice.cancelled_at is not None:
        return ""
    return "  ".join(text for text in (str(invoice), invoice.access_key) if text)


def _reprint(prints: Sequence[Print], shipment: Any) -> Printed | None:
    """The printing before the one that this slip is made for, which is noted already."""
    earlier = [each for each in prints if each.covers(SLIP, shipment.pk if shipment else None)][:-1]
    return Printed(timezone.localtime(earlier[-1].at), earlier[-1].by) if earlier else None


def _return_form(order: Any, seller: Seller, language: str) -> ReturnForm | None:
    if not seller.return_form or not seller.returns_to.address:
        return None
    return ReturnForm(
        address=seen_from(seller.returns_to, destination(order)),
        reasons=tuple(str(label) for reason, label in REASON_LABELS.items() if reason != UNDELIVERABLE),
        instructions=seller.instructions_in(language),
        url=_return_url(order),
    )


def _return_url(order: Any) -> str:
    """The customer's page to announce a return at; "" where customers do not ask by themselves."""
    path = returns_path(order) if settings.RETURN_DAYS != 0 else ""
    return absolute_url(order.site or Site.objects.get_current(), path) if path else ""
