"""The return slip: the paper that goes into the parcel that comes back, with the code by which it is found again."""

from __future__ import annotations

from typing import Any

from django.utils import timezone, translation
from django.utils.text import get_valid_filename

from oscar_fulfillment.documents.return_slip import ReturnSlipData, ReturnSlipLine, render_return_slip
from oscar_fulfillment.documents.scan_codes import return_code
from oscar_fulfillment.models import Return
from oscar_fulfillment.models.returns import EXCHANGE

from . import document_parties, documents
from .languages import nearest_language


def has_slip(order: Any) -> bool:
    """Whether SELLERS says where goods of this order are sent back to."""
    return documents.can_be_invoiced(order)


def filename(ret: Return) -> str:
    """A name that any file system and mail takes."""
    return get_valid_filename(f"return-{ret.fulfillment.number[:80]}-R{ret.number}") + ".pdf"


def pdf(ret: Return) -> bytes:
    """The slip of a return, in the order's language. Raises what ``render_return_slip`` raises, and ConfigurationError
    where SELLERS names nobody for its order."""
    fulfillment = ret.fulfillment
    order = fulfillment.order
    order.fulfillment = fulfillment
    language = nearest_language(fulfillment.language)
    with translation.override(language):
        lines = tuple(
            ReturnSlipLine(each.line.title, each.line.partner_sku or "", each.quantity, str(each.reason_label))
            for each in ret.lines.select_related("line")
        )
    return render_return_slip(
        ReturnSlipData(
            number=fulfillment.number,
            return_number=ret.number,
            code=return_code(ret.pk),
            issued=timezone.localdate(ret.approved_at or ret.created_at),
            language=language,
            seller=documents.seller_of(order),
            comes_from=document_parties.destination(order),
            sender=fulfillment.customer_name or order.email or "",
            wants_exchange=ret.wants == EXCHANGE,
            instructions=ret.answer,
            lines=lines,
        )
    )
