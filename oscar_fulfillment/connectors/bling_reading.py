"""What Bling has of an order and of a note, read again: each a list of changes in the order in which they are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import bling_mapping as mapping
from .bling_mapping import Terms
from .bling_wire import BlingWire
from .records import Change

ORDERS = "/pedidos/vendas"


class Reading:
    """Questions about single things. ``fetch_xml`` and ``needs_note`` as the connector's options."""

    def __init__(self, wire: BlingWire, terms: Terms, *, fetch_xml: bool, needs_note: bool):
        self.wire, self.terms = wire, terms
        self._fetch_xml, self._needs_note = fetch_xml, needs_note

    def order_of(self, number: str) -> Mapping[str, Any] | None:
        """Their order with our number, as their list shows it; one that is not cancelled before one that is."""
        listed = self.wire.listed(ORDERS, {"numerosLojas[]": number, "limite": 100})
        mine = [
            one
            for one in listed
            if mapping.reference_of(one, self.terms) == number and mapping.number_of(one.get("id"))
        ]
        mine.sort(
            key=lambda one: (mapping.situation_of(one) == mapping.ORDER_CANCELLED, mapping.number_of(one.get("id")))
        )
        return mine[0] if mine else None

    def order_changes(self, order_id: int, word: str) -> list[Change]:
        """An order of ours there: its note, its tracking codes, then its situation. ``word`` names this occasion."""
        order = self.wire.find(f"{ORDERS}/{order_id}")
        number = mapping.reference_of(order, self.terms) if order else ""
        if not order or not number:
            return []
        note_id = mapping.number_of(mapping.inner(order, "notaFiscal").get("id"))
        note = self._note("nfe", note_id, number) if note_id else None
        found = self._note_and_parcels(order, note)
        if state := mapping.situation_of(order):
            label = mapping.SITUATIONS.get(state, state)
            found.append(self._about(order, f"{state}:{word}", state=state, label=label))
        return found

    def note_changes(self, kind: str, note_id: int) -> list[Change]:
        """A note of ours there, and once it is issued the tracking codes of its order."""
        note = self._note(kind, note_id, "")
        if note is None or not note.reference:
            return []
        listed = self.order_of(note.reference)
        if listed is None:
            return [note]
        if not _is_issued(note):
            return [replace(note, external_id=str(mapping.number_of(listed.get("id"))))]
        order = self.wire.find(f"{ORDERS}/{mapping.number_of(listed.get('id'))}")
        return self._note_and_parcels(order or listed, note)

    def _note_and_parcels(self, order: Mapping[str, Any], note: Change | None) -> list[Change]:
        """First what an order needs before it may leave."""
        found = [replace(note, external_id=str(mapping.number_of(order.get("id"))))] if note else []
        if self._needs_note and not _is_issued(note):
            return found
        return found + [self._about(order, f"parcel:{one.code}", tracking=one) for one in mapping.parcels_of(order)]

    def _about(self, order: Mapping[str, Any], what: str, **facts: Any) -> Change:
        number = mapping.number_of(order.get("id"))
        reference = mapping.reference_of(order, self.terms)
        return Change(
            f"order:{number}:{what}", external_id=str(number), reference=reference, foreign=self._may_be_others, **facts
        )

    @property
    def _may_be_others(self) -> bool:
        # Without a channel of its own the shop's number may be another's, too.
        return not self.terms.store

    def _note(self, kind: str, note_id: int, reference: str) -> Change | None:
        document = self.wire.find(f"/{kind}/{note_id}")
        if document is None:
            return None
        store = mapping.number_of(mapping.inner(document, "loja").get("id"))
        if self.terms.store and store not in (0, self.terms.store):
            return None
        change = mapping.note_change(kind, document, reference=reference)
        url = document.get("xml")
        if self._fetch_xml and _is_issued(change) and isinstance(url, str):
            change = mapping.note_change(kind, document, reference=reference, xml=self.wire.xml(url))
        return replace(change, foreign=self._may_be_others) if change else None


def _is_issued(note: Change | None) -> bool:
    return note is not None and note.invoice is not None and not note.invoice.cancelled
