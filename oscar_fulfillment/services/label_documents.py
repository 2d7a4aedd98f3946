"""The address labels of orders: what is read for them, and the PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.address_label import LabelData, render_labels
from oscar_fulfillment.documents.formats import Formats
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.scan_codes import order_code, shipment_code
from oscar_fulfillment.selectors.consignments import Consignment, read_consignments

from .document_parties import Sellers, destination, receiver, seen_from
from .languages import nearest_language


def labels_pdf(order_ids: Sequence[int], *, shipment: int | None = None) -> bytes:
    """The labels of these orders: one for each parcel of each shipment that waits, else of those that were sent, else
    one for the order; of the shipment of this number where one is given.

    Raises :class:`DocumentError` where no order has an address, ``ConfigurationError`` for wrong settings.
    """
    labels = label_data(order_ids, shipment=shipment)
    if not labels:
        raise DocumentError(_("there is no address to send to"))
    return render_labels(labels)


def label_data(order_ids: Sequence[int], *, shipment: int | None = None) -> list[LabelData]:
    """What the labels say, each in its order's language. Orders without a delivery address have none."""
    sellers = Sellers()
    found: list[LabelData] = []
    for consignment in read_consignments(order_ids, shipment=shipment):
        language = nearest_language(consignment.fulfillment.language)
        with translation.override(language):
            found += _labels(consignment, sellers, language)
    return found


def _labels(consignment: Consignment, sellers: Sellers, language: str) -> list[LabelData]:
    order, shipment = consignment.order, consignment.shipment
    seller = sellers.named(order)
    recipient = receiver(order, seller)
    if recipient is None:
        return []
    to = destination(order)
    made = shipment.created_at if shipment else consignment.fulfillment.placed_at
    ours = shipment_code(shipment.pk) if shipment else order_code(order.pk)
    label = LabelData(
        number=order.number,
        made=timezone.localtime(made).date(),
        language=language,
        seller=replace(seller, party=replace(seen_from(seller.party, to), tax_ids=())),
        recipient=_in_english_too(recipient) if to != seller.party.country else recipient,
        code=ours,
        carrier=order.shipping_method or "",
        shipment=consignment.place,
    )
    parcels = consignment.parcels
    return [
        replace(
            label, code=parcel.tracking_code or ours, carrier=parcel.carrier_for_customer or label.carrier,
            parcel=(place, len(parcels)),
        )
        for place, parcel in enumerate(parcels, 1)
    ] or [label]  # fmt: skip


def _in_english_too(recipient: Party) -> Party:
    """The last line names the country in the order's language: posts on the way read English (or French)."""
    english = Formats("en").country_name(recipient.country)
    if not recipient.lines or not recipient.country or recipient.lines[-1] == english:
        return recipient
    return replace(recipient, lines=(*recipient.lines[:-1], f"{recipient.lines[-1]} / {english}"))
