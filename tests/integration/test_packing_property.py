"""Whatever is scanned, in whatever order and how often: the counts never exceed the shipment, the boxes hold exactly what
was scanned, and a refusal changes nothing."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.models import Packing, PackingScan, Parcel, ParcelLine, Shipment, ShipmentLine, StatusChange
from oscar_fulfillment.services import packed, packing
from oscar_fulfillment.test import factories

from .desk import goods, packer

ARTICLES = [("Mug", "4006381333931", "MUG-1", 3), ("Pen", "012345678905", "PEN-2", 1), ("Cup", "11", "CUP", 2)]
CODES = {"4006381333931": 0, "MUG-1": 0, "&é": None, "012345678905": 1, "PEN-2": 1, "11": 2, "&&": 2, "nothing": None}


class Packers(RuleBasedStateMachine):
    scans = Bundle("scans")

    def __init__(self):
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()

    def teardown(self):
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    @initialize()
    def begin(self):
        self.people = [packer(first_name="Ana"), packer(first_name="Rui")]
        self.order = goods(*ARTICLES).fulfillment.order
        self.first = Shipment.objects.get(fulfillment=self.order.pk)
        self.pk = self.first.pk
        self.by_title = {line.title: line.pk for line in self.order.lines.all()}
        self.holder = None
        self.counted = dict.fromkeys(self.by_title.values(), 0)
        self.wanted = {self.by_title[title]: units for title, _upc, _sku, units in ARTICLES}
        self.done = {}  # scan -> (line, units); gone once it is taken back
        self.serial = 0

    def tries(self, call):
        """What the call came to; None, and nothing changed, when it was refused."""
        before = self.dump()
        try:
            with transaction.atomic():
                return call()
        except (TransitionNotAllowed, InvalidInput) as error:
            refusal = str(error)
        assert refusal
        assert self.dump() == before
        return None

    def dump(self):
        models = (Packing, PackingScan, Parcel, ParcelLine, Shipment, ShipmentLine)
        return [list(model.objects.order_by("pk").values()) for model in models], StatusChange.objects.count()

    @rule(who=st.sampled_from([0, 1]), force=st.booleans())
    def open(self, who, force):
        row = self.tries(lambda: packing.open_packing(shipment=self.pk, actor=self.people[who], take_over=force))
        if row is not None:
            assert self.holder in (None, who) or force
            self.holder = who

    @rule(target=scans, who=st.sampled_from([0, 1]), code=st.sampled_from(sorted(CODES)), units=st.integers(1, 3),
          out=st.booleans())  # fmt: skip
    def scan(self, who, code, units, out):
        self.serial += 1
        scan = (who, code, units, out, f"k{self.serial}")
        self.take(scan)
        return scan

    @rule(scan=scans)
    def scan_again(self, scan):
        self.take(scan)

    def take(self, scan):
        who, code, units, out, key = scan
        found = self.tries(
            lambda: packing.scan_article(
                shipment=self.pk, actor=self.people[who], text=code, key=key, quantity=units, take_out=out
            )
        )
        if found is None:
            return
        assert self.holder == who
        if found.is_repeated:
            assert key in self.done
            return
        assert key not in self.done
        change = -units if out else units
        self.counted[found.line.pk] += change
        self.done[key] = (found.line.pk, change)

    @rule(scan=consumes(scans))
    def undo(self, scan):
        who, key = scan[0], scan[4]
        found = self.tries(lambda: packing.undo_scan(shipment=self.pk, actor=self.people[who], scan=key))
        if found is None or found.is_repeated:
            return
        line, change = self.done[key]
        self.counted[line] -= change

    @rule(who=st.sampled_from([0, 1]))
    def another_box(self, who):
        row = Packing.objects.filter(shipment=self.pk).first()
        box = row.box_id if row else 0
        self.tries(lambda: packing.next_box(shipment=self.pk, actor=self.people[who], box=box, weight=100))

    @rule(who=st.sampled_from([0, 1]))
    def aside(self, who):
        if self.tries(lambda: packing.put_aside(shipment=self.pk, actor=self.people[who]) or True):
            self.holder = None

    @rule(who=st.sampled_from([0, 1]), in_part=st.booleans())
    def close(self, who, in_part):
        had = Packing.objects.filter(shipment=self.pk).exists()
        change = self.tries(lambda: packed.close_packing(shipment=self.pk, actor=self.people[who], in_part=in_part))
        if change is None or not had:
            return
        assert sum(self.counted.values()) > 0
        rest = Shipment.objects.filter(fulfillment=self.order.pk).exclude(pk=self.pk).order_by("-pk").first()
        missing = {pk: units - self.counted[pk] for pk, units in self.wanted.items() if units > self.counted[pk]}
        if missing:
            assert in_part
            assert {line.line_id: line.quantity for line in rest.lines.all()} == missing
            self.pk, self.wanted = rest.pk, missing  # the rest is packed next
            self.counted = dict.fromkeys(missing, 0)
        self.holder = None
        self.done = {}

    @rule(who=st.sampled_from([0, 1]))
    def reopen(self, who):
        if self.tries(lambda: packing.reopen_packing(shipment=self.pk, actor=self.people[who])):
            self.holder = who
            self.done = {}

    @invariant()
    def the_boxes_hold_what_was_scanned(self):
        if not hasattr(self, "pk"):
            return
        held = {}
        for line in ParcelLine.objects.filter(parcel__shipment=self.pk):
            held[line.line_id] = held.get(line.line_id, 0) + line.quantity
        assert held == {pk: units for pk, units in self.counted.items() if units}
        for line in ShipmentLine.objects.filter(shipment__fulfillment=self.order.pk):
            boxed = ParcelLine.objects.filter(parcel__shipment=line.shipment_id, line=line.line_id)
            assert sum(each.quantity for each in boxed) <= line.quantity
        total = sum(ShipmentLine.objects.filter(shipment__fulfillment=self.order.pk).values_list("quantity", flat=True))
        assert total == sum(units for *_rest, units in ARTICLES)


@pytest.mark.django_db
@pytest.mark.feature("Z13")
def test_packing_by_random_scans():
    factories.manual_method()
    run_state_machine_as_test(
        Packers,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
