"""Notes of our own, over real TLS to a simulated tax office: issued, lost, rejected, mended, denied, in contingency."""

import re
from decimal import Decimal

import pytest
from django.core import mail
from django.utils import timezone
from lxml import etree

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.fiscal.emission.requests import join_proc
from oscar_fulfillment.fiscal.emission.schema import load_schema
from oscar_fulfillment.models import NfeCoverage, NfeEmission, NfeSeries, OrderFulfillment, OutboundMessage
from oscar_fulfillment.services import cancelling, emission_issue, emission_watch, holds, release, tax_profiles
from oscar_fulfillment.test import factories
from sandbox.simulators.sefaz import DENIED_CPF
from sandbox.simulators.sefaz_rules import NO_NCM
from tests import tax_office as shop

pytestmark = [pytest.mark.feature("A9", "Z5"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def office(settings):
    with shop.tax_office(settings) as office:
        shop.profile()
        yield office


def order_row(order):
    return OrderFulfillment.objects.get(pk=order.pk)


def actions(order):
    return [change.action for change in order_row(order).history.order_by("sequence")]


def test_a_note_is_issued_and_becomes_the_orders_invoice(office):
    order = shop.released()
    note = emission_issue.issue_note(order=order, actor=shop.CLERK)
    assert (note.number, note.series, note.status, note.access_key) == (1, 1, NfeEmission.DRAFT, "")
    shop.work()
    note.refresh_from_db()
    assert (note.status, note.answer_code) == (NfeEmission.AUTHORISED, "100")
    assert office.asked == ["NFeAutorizacao"]
    assert order_row(order).shipping_status == "invoiced"
    assert note.invoice.access_key == note.access_key
    assert list(note.invoice.shipments.all()) == [row.shipment for row in note.coverage.all()]
    assert actions(order)[-3:] == ["issue_nfe", "nfe_authorised", "invoice"]
    assert NfeSeries.objects.get().next_number == 2


def test_the_file_that_is_kept_is_valid_and_holds_what_was_signed(office):
    note = shop.authorised(shop.released())
    proc = bytes(note.proc_xml)
    assert load_schema("nfe/schemas/v4_0/procNFe_v4.00.xsd").validate(etree.fromstring(proc))
    assert bytes(note.xml) in proc
    assert proc == join_proc(bytes(note.xml), proc.split(bytes(note.xml))[1].removesuffix(b"</nfeProc>").decode())


def test_the_customer_gets_the_note_and_its_printed_form(office):
    note = shop.authorised(shop.released())
    outbox.drain(destination="mail")
    sent = [m for m in mail.outbox if "NF-e" in m.subject]
    assert len(sent) == 1
    assert sent[0].to == ["ana@example.com"]
    files = {name: content for name, content, _kind in sent[0].attachments}
    assert files[f"{note.access_key}-nfe.xml"] == bytes(note.proc_xml)
    assert files["danfe-1.pdf"].startswith(b"%PDF")
    assert note.access_key in sent[0].body
    assert "without fiscal value" in sent[0].body


def test_a_test_note_goes_to_nobody_unless_the_settings_say_so(office):
    office.configure(mails=False)
    shop.authorised(shop.released())
    assert not OutboundMessage.objects.filter(kind="FULFILLMENT_NFE").exists()


# Lost answers


@pytest.mark.parametrize("accident", ["cut_after", "error_after", "garbage"])
def test_a_lost_answer_is_asked_for_and_nothing_is_sent_twice(office, accident):
    office.sefaz.fail_next(accident, path="NFeAutorizacao")
    note = shop.issued(shop.released())
    assert note.status == NfeEmission.SENT
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked == ["NFeAutorizacao", "NFeConsultaProtocolo"]
    assert office.sefaz.books.count("note") == 1


@pytest.mark.parametrize("accident", ["cut_before", "error_before"])
def test_a_lost_question_is_repeated_byte_for_byte_once_it_is_known_to_be_unknown(office, accident):
    office.sefaz.fail_next(accident, path="NFeAutorizacao")
    note = shop.issued(shop.released())
    assert note.status == NfeEmission.SENT
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked == ["NFeAutorizacao", "NFeConsultaProtocolo", "NFeAutorizacao"]
    notes = [
        re.search(rb"<NFe .*</NFe>", body)[0] for _m, path, _h, body in office.sefaz.calls if "NFeAutorizacao" in path
    ]
    assert notes == [bytes(note.xml), bytes(note.xml)]


def test_while_the_question_after_a_lost_answer_is_not_answered_either_nothing_is_sent(office):
    office.sefaz.fail_next("cut_after", path="NFeAutorizacao")
    office.sefaz.fail_next("cut_before", "error_after", path="NFeConsultaProtocolo")
    note = shop.issued(shop.released())
    shop.work(2)
    note.refresh_from_db()
    assert note.status == NfeEmission.SENT
    assert note.problem
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked.count("NFeAutorizacao") == 1


def test_a_tax_office_that_is_too_busy_has_nothing_and_is_sent_to_again(office):
    office.sefaz.fail_next("busy", path="NFeAutorizacao")
    note = shop.issued(shop.released())
    assert note.status == NfeEmission.SIGNED
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked == ["NFeAutorizacao", "NFeAutorizacao"]


def test_a_note_that_is_known_there_already_takes_its_protocol_over(office):
    office.sefaz.fail_next("cut_after", path="NFeAutorizacao")
    note = shop.issued(shop.released())
    # Whatever made us forget that it was sent: it goes out again, and is answered as a duplicate.
    NfeEmission.objects.filter(pk=note.pk).update(status=NfeEmission.SIGNED)
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked == ["NFeAutorizacao", "NFeAutorizacao", "NFeConsultaProtocolo"]
    assert office.sefaz.books.count("note") == 1


def test_another_note_under_our_key_is_not_taken_for_ours(office):
    office.sefaz.fail_next("cut_after", path="NFeAutorizacao")
    note = shop.issued(shop.released())
    with office.sefaz.books.change("note", note.access_key) as there:
        there["protocol"] = re.sub(r"<digVal>[^<]*<", "<digVal>AAAAAAAAAAAAAAAAAAAAAAAAAAA=<", there["protocol"])
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.SENT
    assert "not what we have signed" in note.problem
    assert note.invoice is None


def test_a_lot_that_is_worked_on_is_asked_for_until_it_is_done(office):
    office.sefaz.answers = "later"
    note = shop.issued(shop.released())
    assert (note.status, note.answer_code) == (NfeEmission.PROCESSING, "103")
    shop.work(3)
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked == ["NFeAutorizacao", *["NFeRetAutorizacao"] * 3]


def test_a_receipt_that_was_lost_there_leads_to_the_key(office):
    office.sefaz.answers = "later"
    note = shop.issued(shop.released())
    NfeEmission.objects.filter(pk=note.pk).update(receipt="359999999999999")
    shop.work(2)
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked == ["NFeAutorizacao", "NFeRetAutorizacao", "NFeConsultaProtocolo"]


# Refusals


def test_a_rejected_note_is_mended_and_authorised_under_its_number(office):
    profile = tax_profiles.TaxProfile.objects.get()
    wrong = shop.SIMPLES.__class__(**{**shop.SIMPLES.__dict__, "ncm": NO_NCM})
    tax_profiles.save_tax_profile(actor=shop.CLERK, name="All", product_class=None, rules=wrong, profile=profile)
    order = shop.released()
    note = shop.issued(order)
    assert (note.status, note.answer_code) == (NfeEmission.REJECTED, "778")
    assert "NCM inexistente" in note.answer_text
    assert order_row(order).problem == "nfe_rejected"
    assert order_row(order).shipping_status == "released"
    before = (note.number, note.code, note.access_key)

    with pytest.raises(TransitionNotAllowed):
        emission_issue.issue_note(order=order, actor=shop.CLERK)
    tax_profiles.save_tax_profile(actor=shop.CLERK, name="All", product_class=None, rules=shop.SIMPLES, profile=profile)
    emission_issue.mend_note(emission=note, actor=shop.CLERK)
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert (note.number, note.code, note.access_key) == before
    assert order_row(order).problem == ""
    assert actions(order)[-5:] == ["issue_nfe", "nfe_rejected", "mend_nfe", "nfe_authorised", "invoice"]
    with pytest.raises(TransitionNotAllowed):
        emission_issue.mend_note(emission=note, actor=shop.CLERK)


def test_a_note_that_is_mended_in_another_month_has_another_key_and_remembers_the_old_one(office, monkeypatch):
    office.sefaz.answer_next(b"")
    order = shop.released()
    note = emission_issue.issue_note(order=order, actor=shop.CLERK)
    old = "35200111222333000181550010000000011755000006"
    NfeEmission.objects.filter(pk=note.pk).update(status=NfeEmission.REJECTED, access_key=old, code="75500000")
    office.sefaz._answers.clear()
    note.refresh_from_db()
    emission_issue.mend_note(emission=note, actor=shop.CLERK)
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert note.earlier_keys == [old]
    assert note.access_key[35:43] == "75500000"


def test_a_denied_note_uses_its_number_up(office):
    order = shop.released(tax_id=DENIED_CPF)
    note = shop.issued(order)
    assert (note.status, note.answer_code) == (NfeEmission.DENIED, "302")
    assert note.protocol
    assert order_row(order).problem == "nfe_denied"
    assert not NfeCoverage.objects.filter(is_standing=True).exists()
    office.sefaz.denies = False
    again = shop.authorised(order)
    assert again.number == 2
    assert order_row(order).problem == ""


def test_a_number_that_another_program_has_used_is_refused_and_let_go(office):
    from oscar_fulfillment.services import emission_numbers

    office.sefaz.books.put("number", "11222333000181-1-1", {"key": "3" * 44})
    order = shop.released()
    note = shop.issued(order)
    assert (note.status, note.answer_code) == (NfeEmission.REJECTED, "539")
    assert "3" * 44 in note.answer_text
    emission_numbers.give_up_note(emission=note, actor=shop.CLERK, reason="Numero usado por outro sistema")
    assert note.status == NfeEmission.VOIDED
    assert order_row(order).problem == ""
    again = shop.authorised(order)
    assert again.number == 2
    assert "NFeInutilizacao" not in office.asked


def test_a_signature_that_does_not_fit_is_refused_there(office):
    order = shop.released()
    note = emission_issue.issue_note(order=order, actor=shop.CLERK)
    office.sefaz.fail_next("busy", path="NFeAutorizacao")
    shop.work()
    note.refresh_from_db()
    NfeEmission.objects.filter(pk=note.pk).update(xml=bytes(note.xml).replace(b"Pedido", b"Pedida"))
    shop.work()
    note.refresh_from_db()
    assert (note.status, note.answer_code) == (NfeEmission.REJECTED, "297")


# Out of service, contingency


def test_without_contingency_a_note_waits_for_the_tax_office(office):
    office.sefaz.service = "stopped"
    note = shop.issued(shop.released())
    assert note.status == NfeEmission.SIGNED
    assert "109" in note.problem
    shop.work()
    office.sefaz.service = "working"
    shop.work()
    note.refresh_from_db()
    assert (note.status, note.emission_type, note.problem) == (NfeEmission.AUTHORISED, 1, "")


def test_with_contingency_a_note_goes_to_who_stands_in(office):
    office.configure(contingency=True)
    office.sefaz.service = "paused"
    note = shop.authorised(shop.released())
    assert note.emission_type == 6
    assert note.access_key[34] == "6"
    assert len(note.earlier_keys) == 1
    assert [path for _m, path, _h, _b in office.sefaz.calls] == ["/ws/NFeAutorizacao4", "/svc/NFeAutorizacao4"]
    root = etree.fromstring(bytes(note.proc_xml))
    told = {
        etree.QName(tag).localname: tag.text for tag in root.iter() if etree.QName(tag).localname in ("dhCont", "xJust")
    }
    assert told["xJust"].startswith("108 ")
    assert office.sefaz.books.count("note") == 1


def test_a_contingency_that_is_over_leads_back(office):
    office.configure(contingency=True)
    office.sefaz.service = "paused"
    office.sefaz.fail_next("", "busy", path="NFeAutorizacao")
    note = shop.issued(shop.released())
    assert (note.status, note.emission_type) == (NfeEmission.CONTINGENCY, 6)
    office.sefaz.service = "working"
    shop.work()
    note.refresh_from_db()
    assert (note.status, note.emission_type) == (NfeEmission.AUTHORISED, 1)


def test_a_note_that_may_have_arrived_is_never_signed_under_another_key(office):
    office.configure(contingency=True)
    office.sefaz.fail_next("cut_after", path="NFeAutorizacao")
    note = shop.issued(shop.released())
    key = note.access_key
    office.sefaz.service = "stopped"
    shop.work(3)
    note.refresh_from_db()
    assert (note.status, note.access_key) == (NfeEmission.SENT, key)
    office.sefaz.service = "working"
    shop.work()
    note.refresh_from_db()
    assert (note.status, note.access_key) == (NfeEmission.AUTHORISED, key)


# What is refused before a number is used


def test_what_is_missing_is_said_at_once_and_no_number_is_used(office):
    tax_profiles.delete_tax_profile(
        actor=shop.CLERK, profile=tax_profiles.TaxProfile.objects.get(), reason="wrong from the start"
    )
    order = shop.released(tax_id="", at={"line3": "", "line4": "Nowhere", "postcode": "1"})
    with pytest.raises(InvalidInput) as refused:
        emission_issue.issue_note(order=order, actor=shop.CLERK)
    said = " ".join(refused.value.errors["note"])
    for words in ("no valid CPF or CNPJ", "district", "CEP", "no municipality of SP", "no tax profile"):
        assert words in said
    assert not NfeEmission.objects.exists()
    assert not NfeSeries.objects.exists()


def test_an_order_that_is_not_released_has_nothing_to_issue(office):
    order = shop.released(make=factories.paid_order)
    with pytest.raises(InvalidInput, match="Nothing of this order waits"):
        emission_issue.issue_note(order=order, actor=shop.CLERK)


def test_an_order_on_hold_is_not_issued(office):
    order = shop.released()
    holds.place_hold(order=order, actor=shop.CLERK, code="other", note="wait")
    with pytest.raises(TransitionNotAllowed, match="on hold"):
        emission_issue.issue_note(order=order, actor=shop.CLERK)
    assert not NfeSeries.objects.exists()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"password": "wrong"}, "does not open with this password"),
        ({"certificate": "/nowhere/a1.pfx"}, "cannot be read"),
        ({"certificate": str(__file__)}, "does not open"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_said_to_the_person(office, said, words):
    office.configure(**said)
    with pytest.raises(InvalidInput, match=words) as refused:
        emission_issue.issue_note(order=shop.released(), actor=shop.CLERK)
    assert "wrong" not in str(refused.value).replace("with this", "")


# Once


def test_the_same_key_issues_once_and_another_is_refused(office):
    order = shop.released()
    first = emission_issue.issue_note(order=order, actor=shop.CLERK, key="a-form-of-ours")
    again = emission_issue.issue_note(order=order, actor=shop.CLERK, key="a-form-of-ours")
    assert again.pk == first.pk
    with pytest.raises(TransitionNotAllowed, match="being issued already"):
        emission_issue.issue_note(order=order, actor=shop.CLERK, key="another-form")
    assert NfeSeries.objects.get().next_number == 2


def test_what_a_person_does_to_the_goods_waits_for_the_tax_office(office, django_user_model):
    order = shop.released()
    emission_issue.issue_note(order=order, actor=shop.CLERK)
    person = Actor.from_user(factories.staff_user("cancel_order"))
    with pytest.raises(TransitionNotAllowed, match="on its way to the tax office"):
        cancelling.cancel_order(order=order, actor=person, reason="no more")
    shop.work()
    with pytest.raises(TransitionNotAllowed, match="valid fiscal document"):
        cancelling.cancel_order(order=order, actor=person, reason="no more")


def test_a_note_that_its_order_does_not_take_is_entered_once_it_does(office):
    order = shop.released()
    note = emission_issue.issue_note(order=order, actor=shop.CLERK)
    holds.place_hold(order=order, actor=Actor.system("rule"), code="other", note="wait")
    shop.work()
    note.refresh_from_db()
    assert (note.status, note.invoice) == (NfeEmission.AUTHORISED, None)
    assert "on hold" in note.problem
    assert order_row(order).problem == "nfe_not_entered"
    emission_watch.watch_emissions(budget=5)
    hold = order_row(order).holds.get()
    holds.release_hold(order=order, actor=shop.CLERK, hold=hold.pk, note="go")
    NfeEmission.objects.update(next_check_at=timezone.now())
    emission_watch.watch_emissions(budget=5)
    note.refresh_from_db()
    assert (note.problem, order_row(order).problem, order_row(order).shipping_status) == ("", "", "invoiced")
    assert actions(order).count("nfe_not_entered") == 1


def test_the_notes_of_an_order_sent_in_parts_add_up_to_it(office):
    order = shop.released(lines=[(factories.product(price="9.99"), 3)], make=factories.paid_order)
    line = order.lines.get()
    release.release_order(order=order, actor=shop.CLERK, quantities={line.pk: 1})
    first = shop.authorised(order)
    release.release_order(order=order, actor=shop.CLERK)
    second = shop.authorised(order)
    assert first.total + second.total == order.total_incl_tax == Decimal("29.97")
    assert (first.number, second.number) == (1, 2)
    assert order_row(order).shipping_status == "invoiced"


def test_a_note_whose_worker_was_given_up_is_taken_up_later(office):
    office.sefaz.mood = "down"
    note = shop.issued(shop.released())
    shop.work(12)
    assert OutboundMessage.objects.filter(destination=shop.LANE, status="dead").exists()
    office.sefaz.mood = "well"
    note.refresh_from_db()
    assert note.is_open
    assert note.next_check_at > timezone.now()
    NfeEmission.objects.update(next_check_at=timezone.now())
    assert emission_watch.watch_emissions(budget=5) == 1
    shop.work()
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED


def test_somebody_without_a_certificate_of_the_firm_is_not_let_in(office):
    import urllib3

    pool = urllib3.PoolManager(ca_certs=str(shop.pki().authority), retries=False)
    with pytest.raises(urllib3.exceptions.HTTPError):
        pool.request("POST", f"{office.address}/ws/NFeStatusServico4", body=b"")
    assert office.asked == []
