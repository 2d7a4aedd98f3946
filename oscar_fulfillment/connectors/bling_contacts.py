"""The buyer of an order in Bling's contacts: found by CPF or CNPJ, made where there is none."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable

from . import bling_mapping as mapping
from .bling_wire import BlingWire
from .records import OrderRecord

#: What Bling calls a contact that was thrown away.
_DELETED = "E"


def contact_of(wire: BlingWire, order: OrderRecord) -> int:
    """The id of the buyer there. A contact that exists is left as it is: people keep it.

    AdapterRejected for a buyer without a CPF or CNPJ. Lost answers are harmless: the next try finds the contact.
    """
    document = mapping.compact(order.buyer.tax_id)
    if order.buyer.tax_id_kind not in ("cpf", "cnpj") or not document:
        raise AdapterRejected(gettext("Bling needs the buyer's CPF or CNPJ."))
    if found := _known(wire, document):
        return found
    try:
        made = wire.change("POST", "/contatos", mapping.contact_body(order.buyer, order.receiver))
    except AdapterRejected:
        # Another worker was faster with an order of the same buyer.
        if found := _known(wire, document):
            return found
        raise
    found = mapping.number_of(made.get("id") if isinstance(made, Mapping) else None)
    if not found:
        raise AdapterUnavailable("Bling's answer names no contact")
    return found


def _known(wire: BlingWire, document: str) -> int:
    for one in wire.listed("/contatos", {"numeroDocumento": document, "limite": 100}):
        if mapping.compact(one.get("numeroDocumento")) == document and one.get("situacao") != _DELETED:
            return mapping.number_of(one.get("id"))
    return 0
