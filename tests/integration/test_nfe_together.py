"""Notes that have nothing to do with each other are entered at once: with what each comes to by itself."""

from collections import Counter
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone
from oscar.apps.order.signals import order_status_changed

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.history import verify
from oscar_fulfillment.models import Invoice, NfeFile, OrderFulfillment, OutboundMessage, Shipment, StatusChange
from oscar_fulfillment.services import invoicing, nfe_applying, nfe_imports, nfe_together, nfe_work
from oscar_fulfillment.signals import order_invoiced, validate_transition
from oscar_fulfillment.test import factories, nfe
from oscar_fulfillment.test.fiscal import DEMO_CNPJ

from .nfe import ERP, apply, codes, heard, released, take
from .nfe import shipping as status_of
from .webhooks import make

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A9", "A10", "Z5")]


@pytest.fixture(autouse=True)
def issuer():
    from tests.settings import OSCAR_FULFILLMENT

    with override_settings(OSCAR_FULFILLMENT={**OSCAR_FULFILLMENT, "ISSUER_TAX_IDS": [DEMO_CNPJ]}):
        yield


def notes_of(*orders):
    return take(*(nfe.make_note(order=order) for order in orders))


@pytest.fixture
def alone(monkeypatch):
    """The files that were applied by themselves."""
    found = []
    real = nfe_applying._apply
    monkeypatch.setattr(nfe_applying, "_apply", lambda judged: found.append(judged.file.pk) or real(judged))
    return found


def between(monkeypatch, act):
    """Let this happen once, after the files were judged and before they are applied."""
    real, told = nfe_applying.judge_files, []

    def judge(files, actor, **said):
        found = real(files, actor, **said)
        if not told:
            told.append(True)
            act()
        return found

    monkeypatch.setattr(nfe_applying, "judge_files", judge)


def test_many_cost_the_statements_of_few_and_none_goes_alone(alone):
    def statements(count):
        files = notes_of(*(released() for _number in range(count)))
        nfe_applying.apply_files(files=NfeFile.objects.filter(pk__in=[f.pk for f in files]), actor=ERP)
        with CaptureQueriesContext(connection) as counted:
            assert nfe_applying.apply_queued() == count
        assert set(NfeFile.objects.values_list("status", flat=True)) == {"applied"}
        return len(counted)

    assert statements(2) == statements(7) <= 40
    assert alone == []


def test_together_and_one_by_one_leave_the_same_behind(django_capture_on_commit_callbacks):
    make()

    def traces(most):
        orders = [released() for _number in range(3)]
        files = notes_of(*orders)
        heard_of, pks = [], [order.pk for order in orders]
        already = set(OutboundMessage.objects.values_list("pk", flat=True))

        def hear(order, **said):
            heard_of.append((pks.index(order.pk), said.get("old_status"), said.get("new_status"), "change" in said))

        nfe_applying.apply_files(files=NfeFile.objects.filter(pk__in=[f.pk for f in files]), actor=ERP)
        with heard(order_invoiced, hear), heard(order_status_changed, hear):
            with django_capture_on_commit_callbacks(execute=True):
                while nfe_applying.apply_queued(most=most):
                    pass
        changes = StatusChange.objects.filter(fulfillment__in=pks, action="invoice").order_by("fulfillment")
        sent = OutboundMessage.objects.exclude(pk__in=already)
        for order, file in zip(orders, files, strict=True):
            file.refresh_from_db()
            assert [s.invoice.access_key for s in Shipment.objects.filter(fulfillment=order.pk)] == [file.access_key]
            assert (file.invoice.fulfillment_id, file.fulfillment_id) == (order.pk, order.pk)
            assert changes.get(fulfillment=order.pk).data["invoice"] == file.invoice_id
        assert not list(verify(OrderFulfillment, StatusChange))
        told = [
            (c.sequence, c.from_status, c.to_status, c.actor_kind, c.actor_label, sorted(c.data), c.data["file"],
             c.idempotency_key == f"nfe-{f.batch}-{f.pk}")
            for c, f in zip(changes, files, strict=True)
        ]  # fmt: skip
        oscars = [(order.status, order.status_changes.count()) for order in orders]
        rows = [(f.status, f.problem, f.verdict, f.kind, f.facts["items"]) for f in files]
        return told, rows, oscars, Counter(heard_of), Counter(sent.values_list("destination", "kind"))

    together = traces(50)
    assert together == traces(1)
    assert sum(together[3].values()) >= 3
    assert sum(together[4].values()) >= 6


def test_whoever_is_vetoed_says_why_and_the_others_are_entered(alone):
    orders = [released() for _number in range(4)]
    files = notes_of(*orders)

    def veto(order, **said):
        if order.number == orders[1].number:
            raise ValidationError("The accountant says no.")

    with heard(validate_transition, veto):
        apply(*files)
    assert [file.status for file in files] == ["applied", "checked", "applied", "applied"]
    assert "The accountant says no." in files[1].problem
    assert [status_of(order) for order in orders] == ["invoiced", "released", "invoiced", "invoiced"]
    assert alone == [files[1].pk]


def test_a_plugin_that_raises_costs_only_its_own_order(alone):
    orders = [released() for _number in range(3)]
    files = notes_of(*orders)

    def fails(order, **said):
        if order.number == orders[2].number:
            raise RuntimeError("a plugin that raises")

    with heard(validate_transition, fails):
        apply(*files)
    assert [file.status for file in files] == ["applied", "applied", "checked"]
    assert "unexpected error" in files[2].problem
    assert Invoice.objects.count() == StatusChange.objects.filter(action="invoice").count() == 2
    assert alone == [file.pk for file in files]


def test_an_order_that_was_changed_meanwhile_is_looked_at_anew(monkeypatch, alone):
    orders = [released() for _number in range(3)]
    files = notes_of(*orders)
    between(monkeypatch, lambda: invoicing.invoice_order(order=orders[0], actor=ERP, kind="none"))
    apply(*files)
    assert [file.status for file in files] == ["checked", "applied", "applied"]
    assert (files[0].verdict, bool(files[0].problem), alone) == ("wait", True, [files[0].pk])


def test_a_key_that_another_order_took_meanwhile_is_refused_alone(monkeypatch):
    orders, other = [released() for _number in range(3)], released()
    files = notes_of(*orders)
    key = files[1].access_key
    between(monkeypatch, lambda: invoicing.invoice_order(order=other, actor=ERP, access_key=key))
    apply(*files)
    assert [file.status for file in files] == ["applied", "checked", "applied"]
    assert f"belongs to order {other.number}" in files[1].problem
    assert Invoice.objects.get(access_key=key).fulfillment_id == other.pk
    assert [status_of(order) for order in orders] == ["invoiced", "released", "invoiced"]


def test_a_key_that_is_twice_in_a_chunk_is_entered_once():
    orders = [released() for _number in range(3)]
    content = nfe.make_note(order=orders[0])
    files = take(content, content.replace(b"?><", b"?>\n<"), *(nfe.make_note(order=order) for order in orders[1:]))
    # A person has said that the copy is for another order.
    nfe_imports.choose_order(file=files[1], fulfillment=orders[2].fulfillment)
    nfe_work.work()
    apply(*files[:3], reason="as the person says")
    assert [file.status for file in files[:3]] == ["applied", "checked", "applied"]
    assert files[1].problem
    assert Invoice.objects.filter(access_key=files[0].access_key).count() == 1
    assert [status_of(order) for order in orders] == ["invoiced", "invoiced", "released"]


def test_two_notes_of_one_order_do_not_go_together(alone):
    orders = [released() for _number in range(3)]
    files = notes_of(orders[0], *orders)
    apply(*files)
    assert [file.status for file in files] == ["applied", "checked", "applied", "applied"]
    assert alone == [files[0].pk, files[1].pk]


def test_a_cancellation_goes_before_the_note_that_replaces_it(alone):
    orders = [released() for _number in range(3)]
    (old,) = notes_of(orders[0])
    apply(old)
    new, other, third, event = take(
        *(nfe.make_note(order=order) for order in orders), nfe.make_cancellation(old.access_key)
    )
    assert [f.verdict for f in (new, other, third, event)] == ["wait", "good", "good", "good"]
    del alone[:]
    # It was good when somebody applied it: the order was free for a moment.
    NfeFile.objects.filter(pk=new.pk).update(verdict="good")
    apply(new, other, third, event)
    assert [(f.status, f.problem) for f in (new, other, third, event)] == [("applied", "")] * 4
    old.refresh_from_db()
    assert (old.status, alone) == ("superseded", [event.pk])
    assert [status_of(order) for order in orders] == ["invoiced"] * 3
    assert Invoice.objects.get(fulfillment=orders[0].pk, cancelled_at=None).access_key == new.access_key


def test_a_cancellation_that_is_filed_meanwhile_is_seen(monkeypatch):
    orders = [released() for _number in range(3)]
    files = notes_of(*orders)
    between(monkeypatch, lambda: take(nfe.make_cancellation(files[0].access_key)))
    apply(*files)
    assert [file.status for file in files] == ["checked", "applied", "applied"]
    assert codes(files[0]) == ["cancelled"]
    assert status_of(orders[0]) == "released"


def test_a_part_of_the_goods_goes_alone_and_splits_its_shipment(alone):
    mug = factories.product("Mug", "10.00", sku="MUG")
    order, others = released(lines=[(mug, 5)]), [released() for _number in range(2)]
    part = nfe.make_note(order=order, total="20.00", items=[nfe.item(sku="MUG", quantity=2, amount="20.00")])
    files = take(part, *(nfe.make_note(order=other) for other in others))
    apply(*files)
    assert [file.status for file in files] == ["applied"] * 3
    assert alone == [files[0].pk]
    shipments = Shipment.objects.filter(fulfillment=order.pk).order_by("number")
    assert [(s.lines.get().quantity, s.invoice_id is not None) for s in shipments] == [(2, True), (3, False)]


def test_each_is_in_the_name_of_who_applied_it_and_needs_the_permission():
    orders = [released() for _number in range(6)]
    files = notes_of(*orders)
    may, may_not = factories.staff_user("invoice_order"), factories.staff_user("invoice_order")
    for some, who in ((files[:2], Actor.from_user(may)), (files[2:4], Actor.from_user(may_not)), (files[4:], ERP)):
        nfe_applying.apply_files(files=NfeFile.objects.filter(pk__in=[f.pk for f in some]), actor=who)
    may_not.user_permissions.clear()
    nfe_work.work()
    for file in files:
        file.refresh_from_db()
    assert [file.status for file in files] == ["applied", "applied", "checked", "checked", "applied", "applied"]
    assert all("permission" in file.problem for file in files[2:4])
    told = StatusChange.objects.filter(action="invoice").order_by("fulfillment").values_list("actor", "actor_label")
    assert [who for who, _label in told] == [may.pk, may.pk, None, None]
    assert list(Invoice.objects.order_by("pk").values_list("created_by", flat=True)) == [may.pk, may.pk, None, None]


def test_a_file_that_another_worker_has_applied_leaves_the_others_to_be_applied(monkeypatch):
    orders = [released() for _number in range(3)]
    files = notes_of(*orders)
    between(monkeypatch, lambda: NfeFile.objects.filter(pk=files[1].pk).update(status="applied"))
    apply(*files)
    assert [file.status for file in files] == ["applied"] * 3
    # Its own worker's step is not repeated here.
    assert [status_of(order) for order in orders] == ["invoiced", "released", "invoiced"]
    assert Invoice.objects.count() == 2


def test_a_worker_that_is_killed_before_the_commit_leaves_all_to_the_next(monkeypatch):
    orders = [released() for _number in range(3)]
    files = notes_of(*orders)

    def die(done):
        raise SystemExit

    batch = nfe_applying.apply_files(files=NfeFile.objects.all(), actor=ERP)
    monkeypatch.setattr(nfe_together, "write_results", die)
    with pytest.raises(SystemExit):
        nfe_applying.apply_queued(batch=batch)
    monkeypatch.undo()
    assert set(NfeFile.objects.values_list("status", flat=True)) == {"queued"}
    assert ([status_of(order) for order in orders], Invoice.objects.count()) == (["released"] * 3, 0)
    assert nfe_applying.apply_queued(batch=batch) == 0
    NfeFile.objects.update(touched_at=timezone.now() - timedelta(minutes=10))
    assert nfe_applying.apply_queued(batch=batch) == 3
    for file in files:
        file.refresh_from_db()
    assert [file.status for file in files] == ["applied"] * 3
