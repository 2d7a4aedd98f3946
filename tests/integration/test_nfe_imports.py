"""Fiscal notes from files: taken in once, matched, judged, applied to their orders."""

import io
import re
import zipfile
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import FollowUp, Invoice, NfeFile, Shipment, StatusChange
from oscar_fulfillment.services import (
    cancelling,
    holds,
    invoicing,
    nfe_applying,
    nfe_imports,
    nfe_work,
    release,
    shipping,
)
from oscar_fulfillment.signals import validate_transition
from oscar_fulfillment.test import factories, nfe
from oscar_fulfillment.test.fiscal import DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC, make_cnpj, make_cpf

from .nfe import ERP, apply, codes, heard, released, take
from .nfe import shipping as status_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A9", "A10", "Z5")]

OTHER = make_cnpj("998887770001")


def settings(**said):
    from tests.settings import OSCAR_FULFILLMENT

    return override_settings(OSCAR_FULFILLMENT={**OSCAR_FULFILLMENT, "ISSUER_TAX_IDS": [DEMO_CNPJ], **said})


@pytest.fixture(autouse=True)
def issuer():
    with settings():
        yield


# ---- The whole way ----


def test_a_note_is_taken_in_checked_applied_and_kept_as_it_was():
    order = released()
    content = nfe.make_note(order=order)
    (file,) = take(content)
    assert (file.verdict, file.status, file.kind, codes(file)) == ("good", "checked", "note", [])
    assert (file.fulfillment.number, file.facts["total"], file.access_key) == (
        order.number,
        "20.00",
        nfe.key_of(content),
    )
    assert status_of(order) == "released"  # nothing is changed by looking

    assert apply(file)
    assert (file.status, file.problem, status_of(order)) == ("applied", "", "invoiced")
    assert bytes(file.content) == content
    invoice = Invoice.objects.get()
    assert (invoice, invoice.access_key, invoice.kind) == (file.invoice, nfe.key_of(content), "nfe")
    assert [s.invoice for s in Shipment.objects.all()] == [invoice]
    change = StatusChange.objects.get(action="invoice")
    assert (change.data["file"], change.data["protocol"], change.data["total"]) == (
        "note.xml",
        "135260000000001",
        "20.00",
    )
    assert (change.actor_kind, change.actor_label) == ("system", "erp")


def test_the_same_file_again_is_already_so():
    order = released()
    content = nfe.make_note(order=order)
    (file,) = take(content)
    apply(file)
    taken = nfe_imports.take_files(files=[("copy.xml", io.BytesIO(content))], actor=ERP)
    assert (taken.new, taken.known, taken.known_names) == (0, 1, ["copy.xml"])
    nfe_work.begin(taken.batch)
    file.refresh_from_db()
    assert (file.status, file.batch, NfeFile.objects.count()) == ("applied", taken.batch, 1)
    assert not apply(file)
    assert Invoice.objects.count() == 1


def test_another_copy_of_a_filed_note_is_already_so_and_forgotten():
    order = released()
    content = nfe.make_note(order=order)
    apply(*take(content))
    (copy,) = take(content.replace(b"?><", b"?>\n<"))
    assert (copy.verdict, copy.status, codes(copy)) == ("known", "refused", ["known_key"])
    assert not apply(copy)


def test_files_wait_until_they_are_thrown_away_and_filed_ones_stay():
    order = released()
    waiting, filed = take(nfe.make_note(total="5.00"), nfe.make_note(order=order))
    apply(filed)
    NfeFile.objects.update(received_at=timezone.now() - timedelta(days=400))
    assert nfe_imports.forget_refused() == 0
    nfe_imports.discard_file(file=waiting)
    with pytest.raises(InvalidInput, match="kept"):
        nfe_imports.discard_file(file=filed)
    assert list(NfeFile.objects.all()) == [filed]


def test_a_refused_file_is_forgotten_after_a_day():
    (file,) = take(b"%PDF-1.7")
    assert (file.status, file.verdict, codes(file)) == ("refused", "refused", ["pdf"])
    assert nfe_imports.forget_refused() == 0
    NfeFile.objects.update(received_at=timezone.now() - timedelta(hours=25))
    assert nfe_imports.forget_refused() == 1


def test_a_file_of_50_mb_is_named_and_not_stored():
    (file,) = take(b"<a>" + b" " * 50_000_000 + b"</a>")
    assert (file.status, codes(file), file.size, bytes(file.content)) == ("refused", ["too_large"], 50_000_007, b"")
    assert nfe_imports.check_again(files=NfeFile.objects.all()) == 1
    nfe_work.work()
    file.refresh_from_db()
    assert file.status == "refused"


def test_a_zip_of_many_is_opened_and_an_upload_too_large_is_taken_as_far_as_it_goes():
    orders = [released() for _number in range(3)]
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as inside:
        for order in orders:
            inside.writestr(f"notas/{order.number}.xml", nfe.make_note(order=order))
    (*files,) = take(zipped.getvalue(), name="notas.zip")
    assert [(f.verdict, f.name.startswith("notas.zip: notas/")) for f in files] == [("good", True)] * 3
    with settings(NFE_MAX_FILES=2):
        more = [(f"{n}.xml", io.BytesIO(nfe.make_note(total="5.00"))) for n in range(4)]
        taken = nfe_imports.take_files(files=more, actor=ERP)
    assert (taken.new, "2 files" in taken.cut_off) == (2, True)


def test_the_packages_are_named_that_are_missing(monkeypatch):
    monkeypatch.setattr(nfe_imports, "missing_packages", lambda: ("lxml", "cryptography"))
    with pytest.raises(InvalidInput, match=r"lxml, cryptography is missing.*django-oscar-fulfillment\[nfe\]"):
        nfe_imports.take_files(files=[("a.xml", io.BytesIO(b"<a/>"))], actor=ERP)
    assert not NfeFile.objects.exists()


# ---- Whose order ----


def test_the_order_is_found_by_the_field_for_it():
    order = released()
    for number in (order.number, f"#{order.number}", f"Pedido {order.number}"):
        (file,) = take(nfe.make_note(order=order, order_number=number))
        assert (file.verdict, file.fulfillment.number) == ("good", order.number)
    (file,) = take(nfe.make_note(order=order, order_number="", items=[
        nfe.item(sku="x", amount="20.00", order=order.number)]))  # fmt: skip
    assert file.fulfillment.number == order.number


def test_the_order_is_found_by_its_number_in_the_texts_as_a_whole_word():
    order = released(number="100123")
    other = {"order_number": "", "buyer": make_cpf("111222333")}  # so that buyer and sum do not find it
    for text in ("Pedido 100123.", "Ref:100123/Loja; Trib aprox R$ 4,00", "(100123)", "n.100123"):
        (file,) = take(nfe.make_note(order=order, text=text, **other))
        assert file.fulfillment is not None, text
    for text in ("Pedido 1001234", "x100123", "100123x", "99100123"):
        (file,) = take(nfe.make_note(order=order, text=text, **other))
        assert codes(file) == ["no_order"], text


def test_a_number_that_is_some_orders_by_chance_is_not_taken_for_it():
    stranger = released(number="445566", tax_id=make_cpf("111222333"))
    mine = released()
    (file,) = take(nfe.make_note(order=mine, order_number="", total="77.00", text="Lote 445566"))
    assert (file.verdict, file.fulfillment) == ("choose", None)
    (file,) = take(nfe.make_note(order=mine, order_number="", text="Lote 445566"))
    assert (file.verdict, file.fulfillment.number) == ("good", mine.number)
    assert status_of(stranger) == "released"


def test_buyer_and_sum_find_the_order_and_two_alike_are_a_persons_choice():
    first = released()
    (file,) = take(nfe.make_note(order=first, order_number=""))
    assert (file.verdict, file.fulfillment.number) == ("good", first.number)
    second = released()
    (file,) = take(nfe.make_note(order=second, order_number=""))
    assert (file.verdict, codes(file), file.fulfillment) == ("choose", ["several_orders"], None)
    assert not apply(file)
    nfe_imports.choose_order(file=file, fulfillment=second.fulfillment)
    nfe_work.work()
    file.refresh_from_db()
    assert (file.verdict, file.is_chosen, file.fulfillment.number) == ("good", True, second.number)
    assert apply(file)
    assert (status_of(first), status_of(second)) == ("released", "invoiced")


@pytest.mark.parametrize("tax_id", [make_cpf("987654321"), OTHER, DEMO_CNPJ_ALPHANUMERIC])
def test_buyers_with_a_cpf_a_cnpj_and_one_with_letters(tax_id):
    order = released(tax_id=tax_id)
    (file,) = take(nfe.make_note(order=order, order_number=""))
    assert (file.verdict, file.fulfillment.number) == ("good", order.number)
    assert apply(file)


def test_an_issuer_with_letters_invoices_too():
    order = released()
    with settings(ISSUER_TAX_IDS=[DEMO_CNPJ_ALPHANUMERIC]):
        (file,) = take(nfe.make_note(order=order, issuer=DEMO_CNPJ_ALPHANUMERIC))
        assert (file.verdict, apply(file)) == ("good", True)
    assert Invoice.objects.get().issuer_tax_id == DEMO_CNPJ_ALPHANUMERIC


def test_a_note_of_nobody_waits_for_a_person_and_the_choice_can_be_taken_back():
    order = released()
    (file,) = take(nfe.make_note(total="55.00"))
    assert (file.verdict, codes(file)) == ("choose", ["no_order"])
    nfe_imports.choose_order(file=file, fulfillment=order.fulfillment)
    nfe_work.work()
    file.refresh_from_db()
    assert (file.verdict, codes(file)) == ("differs", ["total"])
    nfe_imports.choose_order(file=file, fulfillment=None)
    nfe_work.work()
    file.refresh_from_db()
    assert (file.verdict, file.is_chosen, file.fulfillment) == ("choose", False, None)


# ---- What speaks against it ----


def test_someone_elses_note_is_refused():
    order = released()
    (file,) = take(nfe.make_note(order=order, issuer=OTHER))
    assert (file.status, codes(file)) == ("refused", ["issuer"])
    assert not apply(file)
    assert status_of(order) == "released"


def test_test_notes_and_real_ones_are_told_apart():
    order = released()
    (test,) = take(nfe.make_note(order=order, environment="2"))
    assert codes(test) == ["environment_test"]
    with settings(NFE_ENVIRONMENT="homologation"):
        (real,) = take(nfe.make_note(order=order))
        assert codes(real) == ["environment_production"]
        nfe_imports.check_again(files=NfeFile.objects.filter(pk=test.pk))
        nfe_work.work()
        test.refresh_from_db()
        assert (test.verdict, test.environment) == ("good", "2")


def test_a_changed_note_is_a_warning_and_its_sum_an_error():
    order = released()
    content = nfe.make_note(order=order)
    (file,) = take(content.replace(b"Ana Souza", b"Ana Sousa"))
    assert (file.verdict, codes(file)) == ("look", ["signature_changed"])
    (file,) = take(content.replace(b"<vNF>20.00", b"<vNF>19.00"))
    assert (file.verdict, codes(file)) == ("differs", ["signature_changed", "total"])


def test_a_note_that_differs_is_applied_with_a_reason_only():
    order = released()
    (file,) = take(nfe.make_note(order=order, total="18.00"))
    assert (file.verdict, codes(file)) == ("differs", ["total"])
    assert not apply(file)
    assert apply(file, reason="PIX discount of 2.00")
    assert (file.status, status_of(order)) == ("applied", "invoiced")
    assert StatusChange.objects.get(action="invoice").reason == "PIX discount of 2.00"


def test_the_tolerance_is_the_shops():
    order = released()
    with settings(NFE_TOLERANCE=2):
        (file,) = take(nfe.make_note(order=order, total="18.00"))
        assert file.verdict == "good"


def test_another_buyer_needs_a_reason():
    order = released()
    (file,) = take(nfe.make_note(order=order, buyer=make_cpf("987654321")))
    assert (file.verdict, codes(file)) == ("differs", ["buyer"])


def test_an_order_that_is_not_released_waits_and_is_good_when_it_is():
    order = factories.paid_order(fulfillment={"tax_id": nfe.BUYER, "tax_id_kind": "cpf"})
    (file,) = take(nfe.make_note(order=order))
    assert (file.verdict, codes(file)) == ("wait", ["not_ready"])
    assert not apply(file)
    release.release_order(order=order, actor=ERP)
    assert nfe_imports.check_again(files=NfeFile.objects.all()) == 1
    nfe_work.work()
    file.refresh_from_db()
    assert (file.verdict, apply(file)) == ("good", True)


@pytest.mark.parametrize("situation", ["hold", "cancelled", "invoiced", "standard"])
def test_an_order_that_cannot_be_invoiced_says_why(situation):
    order = released(currency="CHF" if situation == "standard" else "BRL")
    if situation == "hold":
        holds.place_hold(order=order, actor=ERP, code="fraud")
    elif situation == "cancelled":
        cancelling.cancel_order(order=order, actor=ERP, reason="x")
    elif situation == "invoiced":
        invoicing.invoice_order(order=order, actor=ERP, kind="none")
    (file,) = take(nfe.make_note(order=order))
    assert file.verdict == "wait"
    assert "not_ready" in codes(file)
    assert not apply(file)


# ---- Keys ----


def test_a_note_typed_by_hand_is_joined_by_its_file():
    order = released()
    content = nfe.make_note(order=order)
    invoicing.invoice_order(order=order, actor=ERP, access_key=nfe.key_of(content))
    (file,) = take(content)
    assert (file.verdict, file.fulfillment.number) == ("good", order.number)
    assert apply(file)
    assert (file.status, file.invoice, Invoice.objects.count()) == ("applied", Invoice.objects.get(), 1)
    assert StatusChange.objects.get(action="file_note").data["access_key"] == nfe.key_of(content)
    assert status_of(order) == "invoiced"


def test_a_key_typed_at_the_wrong_order_is_not_joined():
    wrong, right = released(), released()
    content = nfe.make_note(order=right)
    invoicing.invoice_order(order=wrong, actor=ERP, access_key=nfe.key_of(content))
    (file,) = take(content)
    assert (file.status, codes(file)) == ("refused", ["key_used"])
    (file,) = take(nfe.make_note(order=wrong, total="999.00", key=""))
    assert "total" in codes(file) or "not_ready" in codes(file)


def test_what_was_typed_by_hand_for_another_sum_is_told():
    order = released()
    content = nfe.make_note(order=order, total="999.00")
    invoicing.invoice_order(order=order, actor=ERP, access_key=nfe.key_of(content))
    (file,) = take(content)
    assert (file.verdict, codes(file)) == ("differs", ["total"])


def test_two_notes_for_one_order_the_second_one_says_why_not():
    order = released()
    first, second = take(nfe.make_note(order=order), nfe.make_note(order=order))
    assert (first.verdict, second.verdict) == ("good", "good")
    assert apply(first, second)
    assert (first.status, second.status) == ("applied", "checked")
    assert second.problem
    assert second.verdict == "wait"
    assert Invoice.objects.count() == 1


def test_a_note_taken_back_by_hand_can_be_entered_again():
    order, right = released(), released()
    content = nfe.make_note(order=order)
    (file,) = take(content)
    apply(file)
    invoicing.cancel_invoice(order=order, actor=ERP, reason="wrong order")
    (again,) = take(content)
    assert (again.pk, again.status, again.verdict, again.invoice) == (file.pk, "checked", "good", None)
    nfe_imports.choose_order(file=again, fulfillment=right.fulfillment)
    nfe_work.work()
    again.refresh_from_db()
    assert apply(again)
    assert (status_of(order), status_of(right)) == ("released", "invoiced")


# ---- Several notes for one order ----


def parted():
    """An order of two mugs (20.00) and three cups (45.00): released in two shipments."""
    mug, cup = factories.product("Mug", "10.00", sku="MUG"), factories.product("Cup", "15.00", sku="CUP")
    order = factories.paid_order(lines=[(mug, 2), (cup, 3)], fulfillment={"tax_id": nfe.BUYER, "tax_id_kind": "cpf"})
    lines = {line.partner_sku: line.pk for line in order.lines.all()}
    release.release_order(order=order, actor=ERP, quantities={lines["MUG"]: 2, lines["CUP"]: 0})
    release.release_order(order=order, actor=ERP)
    return order


def test_a_note_for_each_shipment_adds_up_to_the_order():
    order = parted()
    mugs = nfe.make_note(order=order, total="20.00", items=[nfe.item(sku="MUG", quantity=2, amount="20.00")])
    cups = nfe.make_note(order=order, total="45.00", items=[nfe.item(sku="CUP", quantity=3, amount="45.00")])
    first, second = take(mugs, cups)
    assert (first.verdict, second.verdict) == ("good", "good")
    assert apply(second)
    assert status_of(order) == "partially_invoiced"
    assert [s.invoice_id is not None for s in Shipment.objects.order_by("number")] == [False, True]
    assert apply(first)
    assert status_of(order) == "invoiced"
    assert sum(Decimal(f.facts["total"]) for f in (first, second)) == order.total_incl_tax


def test_both_notes_in_one_go_and_one_of_them_cancelled():
    order = parted()
    files = take(*(nfe.make_note(order=order, total=t, items=[nfe.item(sku=s, quantity=q, amount=t)])
                   for s, q, t in (("MUG", 2, "20.00"), ("CUP", 3, "45.00"))))  # fmt: skip
    assert apply(*files)
    assert status_of(order) == "invoiced"
    (event,) = take(nfe.make_cancellation(files[0].access_key))
    assert apply(event)
    files[0].refresh_from_db()
    assert (status_of(order), files[0].status) == ("partially_invoiced", "superseded")
    assert [s.invoice_id is not None for s in Shipment.objects.order_by("number")] == [False, True]
    (again,) = take(nfe.make_note(order=order, total="20.00", items=[nfe.item(sku="MUG", quantity=2, amount="20.00")]))
    assert (again.verdict, apply(again), status_of(order)) == ("good", True, "invoiced")


def test_a_note_for_some_of_the_goods_splits_the_shipment():
    mug = factories.product("Mug", "10.00", sku="MUG")
    order = released(lines=[(mug, 5)])
    (file,) = take(nfe.make_note(order=order, total="20.00", items=[nfe.item(sku="MUG", quantity=2, amount="20.00")]))
    assert file.verdict == "good"
    assert apply(file)
    assert status_of(order) == "partially_invoiced"
    rows = Shipment.objects.order_by("number")
    assert [(s.lines.get().quantity, s.invoice_id is not None) for s in rows] == [(2, True), (3, False)]
    (rest,) = take(nfe.make_note(order=order, total="30.00", items=[nfe.item(sku="MUG", quantity=3, amount="30.00")]))
    assert (rest.verdict, apply(rest), status_of(order)) == ("good", True, "invoiced")


def test_a_note_over_a_part_that_is_no_shipments_differs():
    order = parted()
    (file,) = take(nfe.make_note(order=order, total="33.00", items=[nfe.item(sku="ERP", quantity=1, amount="33.00")]))
    assert (file.verdict, codes(file)) == ("differs", ["total"])


def test_the_rest_that_was_sent_before_is_invoiced_by_its_own_note():
    order = parted()
    (first,) = take(nfe.make_note(order=order, total="20.00", items=[nfe.item(sku="MUG", quantity=2, amount="20.00")]))
    apply(first)
    shipping.dispatch_order(order=order, actor=ERP, shipment=Shipment.objects.get(number=1).pk)
    assert status_of(order) == "partially_dispatched"
    (second,) = take(nfe.make_note(order=order, total="45.00", items=[nfe.item(sku="CUP", quantity=3, amount="45.00")]))
    assert (second.verdict, apply(second)) == ("good", True)
    assert status_of(order) == "partially_dispatched"


# ---- Cancelled at the tax office ----


def invoiced():
    order = released()
    (file,) = take(nfe.make_note(order=order))
    apply(file)
    return order, file


@pytest.mark.parametrize("said", [{}, {"kind": "110112"}, {"status": "155"}, {"status": "136"}])
def test_a_cancelled_note_takes_the_order_back_with_its_reason(said):
    order, note = invoiced()
    (event,) = take(nfe.make_cancellation(note.access_key, why="Pedido duplicado", **said), name="canc.xml")
    assert (event.kind, event.verdict, event.fulfillment.number) == ("cancellation", "good", order.number)
    assert apply(event)
    note.refresh_from_db()
    assert (status_of(order), event.status, note.status) == ("released", "applied", "superseded")
    change = StatusChange.objects.get(action="cancel_invoice")
    assert change.reason.startswith("Cancelled at the tax office (protocol 135260000000009).")
    if not said.get("kind"):
        assert "Pedido duplicado" in change.reason
    # The same event again, and the note itself, do nothing more.
    (again,) = take(nfe.make_cancellation(note.access_key, why="Pedido duplicado").replace(b"?>", b"?> "))
    assert codes(again) == ["event_early"]
    (copy,) = take(bytes(note.content).replace(b"?><", b"?>\n<"))
    assert (copy.status, codes(copy)) == ("refused", ["cancelled"])


def test_a_note_that_comes_with_its_own_cancellation_takes_the_order_back():
    order, note = invoiced()
    event = nfe.make_cancellation(note.access_key)
    told = bytes(note.content).replace(b"</nfeProc>", event + b"</nfeProc>")
    (file,) = take(told)
    assert (file.kind, file.verdict) == ("note", "good")
    assert apply(file)
    note.refresh_from_db()
    assert (status_of(order), file.status, note.status) == ("released", "superseded", "superseded")


def test_goods_that_have_left_are_a_persons_business():
    order, note = invoiced()
    shipping.dispatch_order(order=order, actor=ERP)
    (event,) = take(nfe.make_cancellation(note.access_key))
    assert (event.verdict, codes(event)) == ("look", ["goods_left"])
    assert apply(event)
    followup = FollowUp.objects.get()
    assert (followup.kind, followup.fulfillment.number) == ("note_cancelled", order.number)
    assert status_of(order) == "dispatched"
    assert Invoice.objects.get().cancelled_at is None
    (again,) = take(nfe.make_cancellation(note.access_key, why="de novo"))
    apply(again)
    assert FollowUp.objects.count() == 1


def test_a_cancellation_that_comes_first_refuses_the_note():
    order = released()
    content = nfe.make_note(order=order)
    (event,) = take(nfe.make_cancellation(nfe.key_of(content)))
    assert (event.verdict, codes(event)) == ("look", ["event_early"])
    (note,) = take(content)
    assert (note.status, codes(note)) == ("refused", ["cancelled"])
    assert apply(event)
    assert (event.status, event.invoice, status_of(order)) == ("applied", None, "released")


def test_note_and_cancellation_in_one_go_in_any_order():
    order = released()
    content = nfe.make_note(order=order)
    event = nfe.make_cancellation(nfe.key_of(content))
    for files in ((content, event), (event, content)):
        NfeFile.objects.all().delete()
        found = {file.kind: file for file in take(*files)}
        assert codes(found["note"]) == ["cancelled"]


def test_a_note_that_waits_is_refused_when_its_cancellation_comes():
    order = released()
    content = nfe.make_note(order=order)
    (note,) = take(content)
    assert note.verdict == "good"
    take(nfe.make_cancellation(nfe.key_of(content)))
    note.refresh_from_db()
    assert (note.status, codes(note)) == ("refused", ["cancelled"])


def test_a_cancelled_note_and_the_one_that_replaces_it():
    order, note = invoiced()
    event, new = take(nfe.make_cancellation(note.access_key), nfe.make_note(order=order))
    assert (event.verdict, new.verdict) == ("good", "wait")
    apply(event)
    new.refresh_from_db()
    assert new.verdict == "good"  # looked at again by itself
    assert apply(new)
    assert status_of(order) == "invoiced"
    assert Invoice.objects.filter(cancelled_at=None).get().access_key == new.access_key


def test_a_cancellation_that_is_filed_while_its_note_is_applied_is_seen(monkeypatch):
    """Both were judged before either was applied: the later one sees the earlier one."""
    order = released()
    content = nfe.make_note(order=order)
    note, event = take(content, b"<x/>")
    rows = NfeFile.objects.filter(pk=note.pk)
    batch = nfe_applying.apply_files(files=rows, actor=ERP)
    real = nfe_applying.judge_files
    told = []

    def judge(files, actor, **said):
        found = real(files, actor, **said)
        if not told:
            told.append(take(nfe.make_cancellation(nfe.key_of(content)))[0])
        return found

    monkeypatch.setattr(nfe_applying, "judge_files", judge)
    nfe_work.begin(batch)
    note.refresh_from_db()
    assert (status_of(order), note.status, codes(note)) == ("released", "checked", ["cancelled"])
    assert "cancelled at the tax office" in note.problem


def test_a_correction_letter_is_filed_with_its_order():
    order, note = invoiced()
    (letter,) = take(nfe.make_event(note.access_key, kind="110110", why="Volume: 2"))
    assert (letter.kind, letter.verdict) == ("correction", "good")
    assert apply(letter)
    assert (letter.invoice, status_of(order)) == (note.invoice, "invoiced")
    assert StatusChange.objects.get(action="file_note").reason == "Volume: 2"


def test_the_buyers_word_on_a_note_changes_nothing():
    order, note = invoiced()
    (event,) = take(nfe.make_event(note.access_key, kind="210200"))
    assert (event.status, codes(event)) == ("refused", ["event_other"])
    assert status_of(order) == "invoiced"


# ---- Many, again, and in the background ----


def test_applying_is_once_and_a_retry_takes_only_what_failed():
    orders = [released() for _number in range(3)]
    files = take(*(nfe.make_note(order=order) for order in orders))
    holds.place_hold(order=orders[1], actor=ERP, code="fraud")
    assert apply(*files)
    assert [file.status for file in files] == ["applied", "checked", "applied"]
    assert "on hold" in files[1].problem
    batch = files[1].batch
    assert nfe_applying.retry_files(batch=batch, actor=ERP) == ""  # it waits
    holds.release_hold(order=orders[1], actor=ERP, hold=orders[1].fulfillment.holds.get().pk)
    nfe_imports.check_again(files=NfeFile.objects.filter(pk=files[1].pk))
    nfe_work.work()
    files[1].refresh_from_db()
    assert apply(files[1])
    assert [status_of(order) for order in orders] == ["invoiced"] * 3
    assert Invoice.objects.count() == 3


def test_what_failed_by_chance_is_retried_by_itself_in_its_batch():
    orders = [released(), released()]
    files = take(*(nfe.make_note(order=order) for order in orders))

    def fails(order, **said):
        if order.number == orders[0].number:
            raise RuntimeError("a plugin that raises")

    with heard(validate_transition, fails):
        assert apply(*files)
    assert (files[0].status, files[1].status) == ("checked", "applied")
    assert "unexpected error" in files[0].problem
    batch = nfe_applying.retry_files(batch=files[0].batch, actor=ERP)
    nfe_work.begin(batch)
    files[0].refresh_from_db()
    files[1].refresh_from_db()
    assert (files[0].status, files[0].problem, files[0].batch, files[1].batch != batch) == ("applied", "", batch, True)


def test_who_lost_the_permission_since_does_nothing():
    order = released()
    (file,) = take(nfe.make_note(order=order))
    clerk = factories.staff_user("invoice_order")
    rows = NfeFile.objects.filter(pk=file.pk)
    batch = nfe_applying.apply_files(files=rows, actor=Actor.from_user(clerk))
    clerk.user_permissions.clear()
    nfe_work.begin(batch)
    file.refresh_from_db()
    assert (file.status, status_of(order)) == ("checked", "released")
    assert "permission" in file.problem


def test_a_worker_that_died_leaves_its_files_to_the_next():
    orders = [released() for _number in range(2)]
    files = take(*(nfe.make_note(order=order) for order in orders))
    nfe_applying.apply_files(files=NfeFile.objects.all(), actor=ERP)
    assert len(nfe_imports.claim("queued")) == 2  # and dies
    assert nfe_work.work() == 0
    NfeFile.objects.update(touched_at=timezone.now() - timedelta(minutes=10))
    assert nfe_work.work() == 2
    for file in files:
        file.refresh_from_db()
    assert [file.status for file in files] == ["applied", "applied"]


def test_the_checks_of_many_cost_no_statement_more():
    orders = [released() for _number in range(6)]
    contents = [nfe.make_note(order=order) for order in orders]

    def statements(some):
        NfeFile.objects.all().delete()
        nfe_imports.take_files(files=[(f"{n}.xml", io.BytesIO(c)) for n, c in enumerate(some)], actor=ERP)
        with CaptureQueriesContext(connection) as counted:
            assert nfe_imports.check_received() == len(some)
        return len(counted)

    assert statements(contents) == statements(contents[:2])


def test_nothing_of_a_note_is_in_the_log(caplog):
    order = released()
    content = nfe.make_note(order=order)
    with caplog.at_level("DEBUG", logger="oscar_fulfillment"):
        apply(*take(content, content.replace(b"20.00", b"21.00"), b"<x/>"))
    assert nfe.BUYER not in caplog.text
    assert not re.search("Ana Souza", caplog.text)
