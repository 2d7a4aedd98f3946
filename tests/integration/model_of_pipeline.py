"""What the pipeline should do, told a second time and naively: the oracle of the state-machine test.

Plain dictionaries, no database, no code of the app. Each ``may_*`` answers True (must work), False (must be refused)
or None (the stock is short somewhere: the app decides, the invariants judge).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SOURCES = {
    "BRAZIL": {
        "release": {"received", "released", "partially_invoiced", "invoiced", "partially_dispatched"},
        "invoice": {"released", "partially_invoiced", "partially_dispatched"},
        "cancel_invoice": {"partially_invoiced", "invoiced", "partially_dispatched"},
        "dispatch": {"partially_invoiced", "invoiced", "partially_dispatched"},
        "cancel": {"received", "released", "partially_invoiced", "invoiced"},
        "cancel_shipment": {"released", "partially_invoiced", "invoiced", "partially_dispatched"},
    },
    "STANDARD": {
        "release": {"received", "released", "partially_dispatched"},
        "dispatch": {"released", "partially_dispatched"},
        "cancel": {"received", "released"},
        "cancel_shipment": {"released", "partially_dispatched"},
    },
    "PLUGIN": {
        "release": {"received", "released", "partially_dispatched"},
        "pack": {"released"},
        "dispatch": {"packed", "partially_dispatched"},
        "cancel": {"received", "released"},
        "cancel_shipment": {"released", "partially_dispatched"},
    },
}
OSCAR = {
    "received": "Received", "released": "In process", "invoiced": "In process", "packed": "In process",
    "partially_invoiced": "In process",
    "partially_dispatched": "In process", "dispatched": "Sent", "delivered": "Sent", "returned": "Sent",
    "cancelled": "Cancelled",
}  # fmt: skip


@dataclass
class Record:
    in_stock: int
    allocated: int = 0


@dataclass
class Line:
    record: int
    quantity: int
    allocated: int


@dataclass
class Parcel:
    units: Counter
    status: str = "pending"
    document: str = ""  # the key of its fiscal document, "none", or ""
    paper: int = 0  # which of the order's documents that is, from 1; 0 without one
    dropped: bool = False  # cancelled, and not sent at all


@dataclass
class ModelOrder:
    flow: str
    lines: dict[int, Line]
    payment: str = "awaiting_payment"
    shipping: str = "received"
    parcels: list[Parcel] = field(default_factory=list)
    holds: set[str] = field(default_factory=set)
    problem: str = ""
    papers: int = 0  # documents ever entered
    begun: bool = False  # something was released once
    #: one entry per history row; True where it makes an open form stale
    history: list[bool] = field(default_factory=lambda: [True])

    def waiting(self, pk):
        counted = (p for p in self.parcels if p.status != "cancelled" or p.dropped)
        return self.lines[pk].quantity - sum(p.units[pk] for p in counted)

    @property
    def backorder(self):
        return self.shipping != "cancelled" and self.begun and any(self.waiting(pk) for pk in self.lines)

    def of(self, *statuses):
        return [p for p in self.parcels if p.status in statuses]

    def starts(self, action):
        return self.shipping in SOURCES[self.flow].get(action, ())

    def stale(self, seen):
        return seen > len(self.history) or any(self.history[seen:])

    @property
    def prepared(self):
        """What it is called while nothing has left."""
        documents = {bool(p.document) for p in self.of("pending")}
        return {(True,): "invoiced", (False, True): "partially_invoiced"}.get(tuple(sorted(documents)), "released")

    def resolve(self, before_leaving):
        found = {p.status for p in self.parcels} - {"cancelled"}
        if found <= {"pending"}:
            self.shipping = before_leaving
        elif "pending" in found or self.backorder:
            self.shipping = "partially_dispatched"
        elif found == {"returned"}:
            self.shipping = "returned"
        else:
            self.shipping = "dispatched" if "dispatched" in found else "delivered"

    @property
    def oscar_status(self):
        if self.shipping == "delivered" and self.payment == "paid":
            return "Completed"
        return OSCAR[self.shipping]


class Model:
    def __init__(self, stock):
        self.records = {pk: Record(units) for pk, units in stock.items()}
        self.orders: dict[int, ModelOrder] = {}

    # Facts

    def promised(self, record):
        return sum(
            units
            for order in self.orders.values()
            for parcel in order.of("pending")
            for pk, units in parcel.units.items()
            if order.lines[pk].record == record
        )

    def valid_keys(self):
        return {p.document for o in self.orders.values() for p in o.parcels if p.document not in ("", "none")}

    def place(self, pk, flow, lines):
        self.orders[pk] = ModelOrder(flow, {n: Line(r, q, q) for n, (r, q) in lines.items()})
        for record, quantity in lines.values():
            self.records[record].allocated += quantity

    # Steps: may_x says whether, do_x does

    def may_approve(self, o):
        return o.payment == "awaiting_payment"

    def do_approve(self, o):
        o.payment = "paid"

    def goods_may_go(self, o):
        return not o.holds and o.payment == "paid"

    def may_release(self, o, quantities=None, in_part=False):
        if not self.goods_may_go(o) or not o.starts("release") or not (o.shipping == "received" or o.backorder):
            return False
        wanted = {pk: o.waiting(pk) for pk in o.lines} if quantities is None else quantities
        if set(wanted) - set(o.lines) or any(q < 0 or q > o.waiting(pk) for pk, q in wanted.items()):
            return False
        if not any(wanted.values()):
            return False
        plenty = all(
            self.records[o.lines[pk].record].in_stock >= self.records[o.lines[pk].record].allocated for pk in o.lines
        )
        return True if plenty else None

    def do_release(self, o, units):
        o.begun = True
        o.parcels.append(Parcel(Counter({pk: q for pk, q in units.items() if q})))
        o.resolve(o.prepared)
        for pk in units:
            record = o.lines[pk].record
            assert self.promised(record) <= self.records[record].in_stock, "promised goods that do not exist"

    def may_invoice(self, o, document):
        if o.holds or not o.starts("invoice") or document in self.valid_keys():
            return False
        return any(not p.document for p in o.of("pending"))

    def do_invoice(self, o, document):
        o.papers += 1
        for parcel in o.of("pending"):
            if not parcel.document:
                parcel.document, parcel.paper = document, o.papers
        o.resolve(o.prepared)

    def to_take_back(self, o):
        return {p.paper for p in o.of("pending")} - {p.paper for p in o.of("dispatched", "delivered")} - {0}

    def may_cancel_invoice(self, o, paper=None):
        found = self.to_take_back(o)
        return o.starts("cancel_invoice") and (bool(found) if paper is None else paper in found)

    def do_cancel_invoice(self, o, paper=None):
        gone = self.to_take_back(o) if paper is None else {paper}
        for parcel in o.parcels:
            if parcel.paper in gone:
                parcel.document, parcel.paper = "", 0
        o.resolve(o.prepared)

    def may_pack(self, o):
        return o.starts("pack")

    def do_pack(self, o):
        o.shipping = "packed"

    def waits_for_document(self, o):
        return not o.holds and o.starts("invoice") and any(not p.document for p in o.of("pending"))

    def waits_for_dispatch(self, o):
        return not o.holds and o.starts("dispatch") and bool(self.ready(o))

    def ready(self, o):
        return [p for p in o.of("pending") if p.document or o.flow != "BRAZIL"]

    def may_dispatch(self, o, quantities=None):
        ready = self.ready(o)
        if not self.goods_may_go(o) or not o.starts("dispatch") or not ready:
            return False
        held = sum((p.units for p in ready), Counter())
        wanted = held if quantities is None else quantities
        if any(q < 0 or q > held[pk] for pk, q in wanted.items()) or not any(wanted.values()):
            return False
        need = Counter()
        for pk, q in wanted.items():
            need[o.lines[pk].record] += q
        return all(q <= self.records[record].in_stock for record, q in need.items())

    def do_dispatch(self, o, quantities=None):
        left = None if quantities is None else Counter(quantities)
        for parcel in self.ready(o):
            taken = parcel.units if left is None else parcel.units & left
            if not taken:
                continue
            if left is not None:
                left -= taken
            if rest := parcel.units - taken:
                o.parcels.append(Parcel(rest, document=parcel.document, paper=parcel.paper))
            parcel.units, parcel.status = Counter(taken), "dispatched"
            for pk, q in taken.items():
                line = o.lines[pk]
                line.allocated -= q
                self.records[line.record].allocated -= q
                self.records[line.record].in_stock -= q
        o.resolve(o.shipping)

    def may_deliver(self, o):
        return o.shipping in ("dispatched", "partially_dispatched") and bool(o.of("dispatched"))

    def do_deliver(self, o):
        for parcel in o.of("dispatched"):
            parcel.status = "delivered"
        o.resolve(o.shipping)

    def may_return(self, o):
        return o.shipping in ("dispatched", "delivered")

    def do_return(self, o, restock):
        for parcel in o.of("dispatched", "delivered"):
            parcel.status = "returned"
            for pk, q in parcel.units.items():
                self.records[o.lines[pk].record].in_stock += q if restock else 0
        o.shipping = "returned"

    def may_cancel(self, o):
        return o.starts("cancel") and not any(p.document not in ("", "none") for p in o.parcels)

    def do_cancel(self, o):
        for line in o.lines.values():
            self.records[line.record].allocated -= line.allocated
            line.allocated = 0
        for parcel in o.parcels:
            parcel.status = "cancelled"
        o.holds.clear()
        o.shipping = "cancelled"
        if o.payment == "awaiting_payment":
            o.payment = "cancelled"
            o.history.append(True)  # the payment's own row
        else:
            o.problem = "refund_due"

    # Shipments that are still here

    def may_split(self, o, parcel, wanted):
        inside = all(0 <= q <= parcel.units[pk] for pk, q in wanted.items())
        return parcel.status == "pending" and inside and 0 < sum(wanted.values()) < sum(parcel.units.values())

    def do_split(self, o, parcel, wanted):
        part = Counter({pk: q for pk, q in wanted.items() if q})
        parcel.units -= part
        o.parcels.append(Parcel(part, document=parcel.document, paper=parcel.paper))

    def may_merge(self, o, parcels):
        return len(parcels) > 1 and {p.status for p in parcels} == {"pending"} and len({p.paper for p in parcels}) == 1

    def do_merge(self, o, parcels):
        for parcel in parcels[1:]:
            parcels[0].units += parcel.units
            parcel.units, parcel.status = Counter(), "cancelled"

    def may_cancel_shipment(self, o, parcel, keep):
        if not o.starts("cancel_shipment") or parcel.status != "pending" or parcel.document not in ("", "none"):
            return False
        others = [p for p in o.parcels if p.status != "cancelled" and p is not parcel]
        return keep or bool(others) or o.backorder

    def do_cancel_shipment(self, o, parcel, keep):
        self.give_up(o, [parcel], keep)

    def may_cancel_rest(self, o):
        if not o.starts("cancel_shipment") or not o.of("dispatched", "delivered", "returned"):
            return False
        return bool(o.of("pending") or o.backorder) and all(p.document in ("", "none") for p in o.of("pending"))

    def do_cancel_rest(self, o):
        if waiting := Counter({pk: o.waiting(pk) for pk in o.lines if o.waiting(pk)}):
            o.parcels.append(Parcel(waiting))
        self.give_up(o, o.of("pending"), keep=False)

    def give_up(self, o, parcels, keep):
        for parcel in parcels:
            parcel.status, parcel.dropped = "cancelled", not keep
            for pk, q in parcel.units.items() if not keep else ():
                o.lines[pk].allocated -= q
                self.records[o.lines[pk].record].allocated -= q
        if all(p.status == "cancelled" for p in o.parcels):
            o.shipping = "received"
        else:
            o.resolve(o.prepared)
        if not keep and o.payment == "paid":
            o.problem = "refund_due"
        if not o.of("pending") and not o.backorder:
            o.holds.clear()

    def may_hold(self, o, code):
        return o.shipping not in ("dispatched", "delivered", "returned", "cancelled") and code not in o.holds

    def do_hold(self, o, code):
        o.holds.add(code)

    def may_unhold(self, o, code):
        return code in o.holds

    def do_unhold(self, o, code):
        o.holds.discard(code)
