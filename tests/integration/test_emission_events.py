"""What happens to a note after it was authorised: cancelled, corrected by letter; and numbers that no note has."""

from datetime import timedelta

import pytest
from django.utils import timezone
from lxml import etree

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.fiscal.emission.rules import TaxRules
from oscar_fulfillment.fiscal.emission.schema import load_schema
from oscar_fulfillment.models import NfeEmission, NfeEvent, NfeSeries, NfeVoiding, OrderFulfillment, TaxProfile
from oscar_fulfillment.services import (
    cancelling,
    emission_events,
    emission_issue,
    emission_numbers,
    invoicing,
    shipping,
)
from oscar_fulfillment.test import factories
from sandbox.simulators.sefaz_rules import NO_NCM
from tests import tax_office as shop

pytestmark = [pytest.mark.feature("A9", "Z5"), pytest.mark.django_db(transaction=True)]

REASON = "Cliente desistiu da compra"


@pytest.fixture
def office(settings):
    with shop.tax_office(settings) as office:
        shop.profile()
        yield office


def order_row(order):
    return OrderFulfillment.objects.get(pk=order.pk)


def cancel(note, reason=REASON):
    event = emission_events.cancel_note(emission=note, actor=shop.CLERK, reason=reason)
    shop.work()
    event.refresh_from_db()
    note.refresh_from_db()
    return event


def test_a_cancelled_note_takes_the_order_back_and_another_can_be_issued(office):
    order = shop.released()
    note = shop.authorised(order)
    event = cancel(note)
    assert (event.status, event.answer_code) == (NfeEvent.TAKEN, "135")
    assert note.status == NfeEmission.CANCELLED
    note.invoice.refresh_from_db()
    assert note.invoice.cancelled_at
    assert note.invoice.cancel_reason == REASON
    assert order_row(order).shipping_status == "released"
    assert shop.authorised(order).number == 2
    schema = load_schema("nfe_evento_cancel/schemas/v1_0/procEventoCancNFe_v1.00.xsd")
    assert schema.validate(etree.fromstring(bytes(event.proc_xml))), schema.error_log


def test_a_cancellation_whose_answer_was_lost_is_done_once(office):
    note = shop.authorised(shop.released())
    office.sefaz.fail_next("cut_after", path="NFeRecepcaoEvento")
    event = cancel(note)
    assert event.status == NfeEvent.REQUESTED
    shop.work()
    event.refresh_from_db()
    note.refresh_from_db()
    assert (event.status, event.answer_code, note.status) == (NfeEvent.TAKEN, "135", NfeEmission.CANCELLED)
    assert event.protocol
    assert office.asked[-3:] == ["NFeRecepcaoEvento", "NFeRecepcaoEvento", "NFeConsultaProtocolo"]


@pytest.mark.parametrize("reason", ["", "too short", "x" * 256, "a" * 10 + " " * 30])
def test_a_reason_that_the_tax_office_refuses_is_refused_here(office, reason):
    note = shop.authorised(shop.released())
    with pytest.raises(InvalidInput, match="15 to 255"):
        emission_events.cancel_note(emission=note, actor=shop.CLERK, reason=reason)
    assert not note.events.exists()


def test_after_the_legal_time_nothing_is_asked(office):
    note = shop.authorised(shop.released())
    NfeEmission.objects.update(authorised_at=timezone.now() - timedelta(hours=25))
    with pytest.raises(TransitionNotAllowed, match="24 hours"):
        emission_events.cancel_note(emission=note, actor=shop.CLERK, reason=REASON)


def test_a_tax_office_that_says_too_late_keeps_the_note_valid(office):
    order = shop.released()
    note = shop.authorised(order)
    office.sefaz.late = True
    event = cancel(note)
    assert (event.status, event.answer_code, note.status) == (NfeEvent.REFUSED, "501", NfeEmission.AUTHORISED)
    assert order_row(order).shipping_status == "invoiced"
    office.sefaz.late = False
    assert cancel(note).status == NfeEvent.TAKEN


def test_a_note_whose_goods_have_left_is_not_cancelled(office):
    order = shop.released()
    note = shop.authorised(order)
    shipping.dispatch_order(order=order, actor=shop.CLERK)
    with pytest.raises(TransitionNotAllowed, match="left the house"):
        emission_events.cancel_note(emission=note, actor=shop.CLERK, reason=REASON)


def test_a_note_that_was_cancelled_elsewhere_is_found_cancelled(office):
    order = shop.released()
    office.sefaz.fail_next("cut_after", path="NFeAutorizacao")
    note = shop.issued(order)
    with office.sefaz.books.change("note", note.access_key) as there:
        there["code"] = "101"
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.CANCELLED
    assert bytes(note.proc_xml)
    assert order_row(order).shipping_status == "released"


def test_corrections_are_numbered_and_the_last_one_counts(office):
    note = shop.authorised(shop.released())
    texts = ["O bairro correto e Jardim Paulista", "O bairro e Jardins e o numero 1001"]
    for text in texts:
        emission_events.correct_note(emission=note, actor=shop.CLERK, text=text)
        with pytest.raises(TransitionNotAllowed, match="on its way"):
            emission_events.correct_note(emission=note, actor=shop.CLERK, text=text)
        shop.work()
    letters = list(note.events.all())
    assert [(letter.sequence, letter.status, letter.text) for letter in letters] == [
        (1, NfeEvent.TAKEN, texts[0]),
        (2, NfeEvent.TAKEN, texts[1]),
    ]
    schema = load_schema("nfe_evento_cce/schemas/v1_0/procCCeNFe_v1.00.xsd")
    assert schema.validate(etree.fromstring(bytes(letters[1].proc_xml))), schema.error_log
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    # A cancelled note takes no letter.
    cancel(note)
    with pytest.raises(TransitionNotAllowed):
        emission_events.correct_note(emission=note, actor=shop.CLERK, text=texts[0])


def test_a_note_that_is_given_up_has_its_number_voided(office):
    rules = TaxRules(**{**shop.SIMPLES.__dict__, "ncm": NO_NCM})
    shop.profile(rules, profile=TaxProfile.objects.get())
    order = shop.released()
    note = shop.issued(order)
    assert note.answer_code == "778"
    emission_numbers.give_up_note(emission=note, actor=shop.CLERK, reason="Pedido desfeito pelo cliente")
    assert note.status == NfeEmission.VOIDED
    shop.work()
    voiding = NfeVoiding.objects.get()
    assert (voiding.status, voiding.first, voiding.last, voiding.answer_code) == (NfeVoiding.TAKEN, 1, 1, "102")
    assert b"retInutNFe" in bytes(voiding.proc_xml)
    note.refresh_from_db()
    assert note.problem == ""
    history = [change.action for change in order_row(order).history.order_by("sequence")]
    assert history[-2:] == ["give_up_nfe", "nfe_voided"]
    shop.profile(profile=TaxProfile.objects.get())
    assert shop.authorised(order).number == 2


def test_a_valid_note_is_not_taken_back_here_alone(office):
    order = shop.released()
    note = shop.authorised(order)
    person = Actor.from_user(factories.staff_user("invoice_order"))
    with pytest.raises(TransitionNotAllowed, match="cancel it there"):
        invoicing.cancel_invoice(order=order, actor=person, reason="typed wrongly", invoice=note.invoice_id)
    assert cancel(note).status == NfeEvent.TAKEN
    assert order_row(order).shipping_status == "released"


def test_a_note_of_an_order_that_its_provider_cancelled_meanwhile_can_be_cancelled(office):
    order = shop.released()
    note = emission_issue.issue_note(order=order, actor=shop.CLERK)
    cancelling.cancel_order(order=order, actor=Actor.provider("demo"), reason="charged back")
    shop.work()
    note.refresh_from_db()
    assert (note.status, note.invoice) == (NfeEmission.AUTHORISED, None)
    assert order_row(order).problem
    assert cancel(note).status == NfeEvent.TAKEN
    assert note.status == NfeEmission.CANCELLED
    assert order_row(order).shipping_status == "cancelled"


def test_numbers_that_another_program_left_out_are_voided(office):
    emission_numbers.set_next_number(alias="BRL", number=10, actor=shop.CLERK)
    note = shop.authorised(shop.released())
    assert note.number == 10
    office.sefaz.fail_next("cut_after", path="NFeInutilizacao")
    row = emission_numbers.void_numbers(alias="BRL", first=5, last=9, actor=shop.CLERK, reason="Numeros nao usados")
    shop.work(2)
    row.refresh_from_db()
    assert (row.status, row.answer_code) == (NfeVoiding.TAKEN, "563")
    for first, last, words in [
        (5, 9, "already"),
        (9, 8, "after"),
        (8, 10, "has a note"),
        (11, 11, "the next one"),
        (0, 3, "after"),
    ]:
        with pytest.raises(InvalidInput, match=words):
            emission_numbers.void_numbers(
                alias="BRL", first=first, last=last, actor=shop.CLERK, reason="Numeros nao usados"
            )


def test_the_next_number_is_only_raised(office):
    emission_numbers.set_next_number(alias="BRL", number=100, actor=shop.CLERK)
    for number in (99, 0, 1_000_000_000):
        with pytest.raises(InvalidInput):
            emission_numbers.set_next_number(alias="BRL", number=number, actor=shop.CLERK)
    assert NfeSeries.objects.get().next_number == 100
