"""The documents of one order: one click, a PDF, a line in the history; a second printing says so."""

from datetime import timedelta

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.documents.formats import Formats
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.selectors.order_page import HISTORY_ROWS
from oscar_fulfillment.services import notes, printing, release, shipping
from oscar_fulfillment.test import factories
from sandbox.sellers import SELLERS
from tests import pdf

from .steps import page_url, said, text_of
from .test_order_list import partner_user

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D10")]

NAMES = list(printing.DOCUMENTS)


@pytest.fixture(autouse=True)
def shop(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS}


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna", last_name="Reis")
    client.force_login(user)
    return user


def document_url(order, document="slip", shipment=None):
    url = page_url(order, "order-document", document=document)
    return f"{url}?shipment={shipment}" if shipment else url


def prints(order):
    return [row.data for row in StatusChange.objects.filter(fulfillment=order.pk, action="print").order_by("sequence")]


def in_two_shipments(**options):
    """An order of which one unit waits in each of two shipments."""
    order = factories.paid_order(lines=[(factories.product("Mug"), 3)], **options)
    (pk,) = order.lines.values_list("pk", flat=True)
    for _time in range(2):
        release.release_order(order=order, actor=factories.TEAM, quantities={pk: 1})
    return order


def later(monkeypatch, **ahead):
    """So much time has gone by since the first click."""
    now = timezone.now() + timedelta(**ahead)
    monkeypatch.setattr(printing.timezone, "now", lambda: now)


@pytest.mark.parametrize("document", NAMES)
def test_one_click_prints_and_is_noted(client, boss, document):
    order = factories.released_order()
    shipment = order.fulfillment.shipments.get()
    url = document_url(order, document)
    assert f'formaction="{url}"' in client.get(page_url(order)).content.decode()
    answer = client.post(url)
    assert (answer.status_code, answer.url) == (302, url)
    made = client.get(url)
    assert made["Content-Type"] == "application/pdf"
    assert made["Content-Disposition"] == f'inline; filename="{document}-{order.number}.pdf"'
    assert "no-store" in made["Cache-Control"]
    assert order.number in pdf.words(made.content)
    assert prints(order) == [{"document": document, "shipments": [shipment.pk]}]


def test_looking_at_it_notes_nothing(client, boss):
    order = factories.released_order()
    assert client.get(document_url(order)).status_code == 200
    assert prints(order) == []


def test_a_second_click_is_one_printing_and_a_later_one_is_another(client, boss, monkeypatch):
    order = factories.released_order()
    for _click in range(3):
        assert client.post(document_url(order)).status_code == 302
    assert len(prints(order)) == 1
    later(monkeypatch, seconds=11)
    for _click in range(2):
        client.post(document_url(order))
    assert len(prints(order)) == 2
    client.post(document_url(order, "label"))
    assert [row["document"] for row in prints(order)] == ["slip", "slip", "label"]


def test_two_people_who_print_at_once_are_both_noted(client, boss):
    order = factories.released_order()
    client.post(document_url(order))
    printing.record_print(order=order, actor=Actor.from_user(factories.staff_user("*")), document="slip")
    assert len(prints(order)) == 2


def test_a_reprint_says_so_on_the_slip_and_in_the_menu(client, boss, monkeypatch):
    order = factories.released_order()
    client.post(document_url(order))
    assert "Reprint" not in pdf.words(client.get(document_url(order)).content)
    page = text_of(client.get(page_url(order)))
    assert page.count("Printed before on") == 1
    assert "by Bruna Reis</p>" in page
    later(monkeypatch, minutes=5)
    client.post(document_url(order))
    assert "Reprint: printed before on" in pdf.words(client.get(document_url(order)).content)
    assert "by Bruna Reis" in pdf.words(client.get(document_url(order)).content)


def test_a_printing_of_long_ago_is_not_forgotten(client, boss):
    order = factories.released_order()
    client.post(document_url(order))
    for number in range(HISTORY_ROWS + 5):
        notes.add_note(order=order, actor=factories.TEAM, text=f"Note {number}")
    page = client.get(page_url(order))
    assert "Printed before on" in text_of(page)
    assert len(page.context["page"].history) == HISTORY_ROWS
    assert page.context["page"].has_more_history
    assert [change.action for change in page.context["page"].history].count("print") == 0


def test_the_history_names_the_document(client, boss):
    order = factories.released_order()
    client.post(document_url(order, "label"))
    page = text_of(client.get(page_url(order)))
    assert "Printed" in page
    assert page.count("Address label") >= 2  # in the menu, and in the history
    with translation.override("en"):
        assert StatusChange.objects.filter(action="print").get().action_label == "Printed"


def test_each_of_several_shipments_has_its_papers(client, boss):
    order = in_two_shipments()
    one, two = order.fulfillment.shipments.order_by("number")
    page = client.get(page_url(order)).content.decode()
    assert f'formaction="{document_url(order, "slip", 2)}"' in page
    whole = pdf.pages(client.get(document_url(order)).content)
    assert [("1 of 2" in words, "2 of 2" in words) for words in whole] == [(True, False), (False, True)]
    client.post(document_url(order, "slip", 2))
    made = client.get(document_url(order, "slip", 2))
    assert made["Content-Disposition"] == f'inline; filename="slip-{order.number}-2.pdf"'
    codes = pdf.codes(made.content)
    assert scan_codes.shipment_code(two.pk) in codes
    assert scan_codes.shipment_code(one.pk) not in codes
    assert prints(order) == [{"document": "slip", "shipments": [two.pk]}]


def test_a_slip_of_another_shipment_is_no_reprint(client, boss):
    order = in_two_shipments()
    client.post(document_url(order, "slip", 1))
    client.post(document_url(order, "slip", 2))
    assert "Reprint" not in pdf.words(client.get(document_url(order, "slip", 2)).content)


def test_one_shipment_has_no_menu_of_its_own(client, boss):
    order = factories.released_order()
    assert "?shipment=" not in client.get(page_url(order)).content.decode()


def test_what_was_sent_is_printed_again_as_it_left(client, boss):
    order = factories.dispatched_order(carrier="correios", tracking_code="AA123456785BR")
    assert order.number in pdf.words(client.get(document_url(order)).content)
    assert pdf.codes(client.get(document_url(order, "label")).content) == ["AA123456785BR"]


def test_nothing_to_pick_is_said_and_not_noted(client, boss):
    order = factories.dispatched_order()
    answer = client.post(document_url(order, "picking"))
    assert said(client, answer) == ["The document cannot be made: nothing waits to be packed"]
    assert prints(order) == []


def test_customs_papers_need_a_seller(client, boss, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": {}}
    order = factories.released_order()
    (message,) = said(client, client.post(document_url(order, "commercial")))
    assert message.startswith("The document cannot be made: OSCAR_FULFILLMENT['SELLERS'] names no seller")
    assert prints(order) == []
    for document in ("slip", "picking", "label"):
        assert client.get(document_url(order, document)).status_code == 200


@pytest.mark.parametrize("document", NAMES)
def test_who_may_not_print_gets_nothing(client, document):
    order = factories.released_order()
    url = document_url(order, document)
    assert [client.get(url).status_code, client.post(url).status_code] == [302, 302]
    client.force_login(factories.staff_user("release_order"))
    assert [client.get(url).status_code, client.post(url).status_code] == [403, 403]
    assert "formaction" not in client.get(page_url(order)).content.decode()
    assert prints(order) == []


def test_a_partners_people_print_those_of_their_orders(client):
    own = factories.released_order(lines=[(factories.product(partner="North"), 1)])
    foreign = factories.released_order(lines=[(factories.product(partner="South"), 1)])
    partner_user(client, "North")
    assert client.post(document_url(own)).status_code == 302
    assert own.number in pdf.words(client.get(document_url(own)).content)
    for url in (document_url(foreign), document_url(foreign, "label")):
        assert [client.get(url).status_code, client.post(url).status_code] == [404, 404]
    assert prints(foreign) == []


@pytest.mark.parametrize("shipment", ["0", "2", "-1", "x", "٣", "9" * 40, "1%00"])
def test_a_shipment_that_is_not_there_is_not_found(client, boss, shipment):
    order = factories.released_order()
    url = f"{document_url(order)}?shipment={shipment}"
    assert [client.get(url).status_code, client.post(url).status_code] == [404, 404]
    assert prints(order) == []


@pytest.mark.parametrize("document", ["nosuch", "packing_slip", "..", "slip.pdf"])
def test_an_unknown_document_is_not_found(client, boss, document):
    order = factories.released_order()
    assert client.post(f"/dashboard/orders/{order.number}/documents/{document}/").status_code == 404


@pytest.mark.parametrize("verb", ["put", "delete", "patch"])
def test_documents_are_read_or_printed(client, boss, verb):
    assert getattr(client, verb)(document_url(factories.released_order())).status_code == 405


@pytest.mark.parametrize("number", ["T-1", "a b", "Ж1", "x" * 128, "#panic()", "T|1"])
def test_any_order_number_prints(client, boss, number):
    order = factories.released_order(number=number)
    answer = client.get(document_url(order))
    assert answer.status_code == 200
    assert "".join(number.split()) in pdf.words(answer.content).replace(" ", "")
    assert scan_codes.shipment_code(order.fulfillment.shipments.get().pk) in pdf.codes(answer.content)


@pytest.mark.parametrize("language", ["en-gb", "pt", "fr", "ru"])
def test_papers_are_in_the_orders_language_whatever_the_readers_is(client, boss, language):
    order = factories.released_order(fulfillment={"language": language})
    answer = client.get(document_url(order), headers={"Accept-Language": "fr"})
    day = Formats(language, "BR").date(timezone.localtime(order.date_placed).date())
    with translation.override(language):
        words = [gettext("Order %(number)s") % {"number": order.number}, gettext("Shipping method"), day]
    shown = "".join(pdf.words(answer.content).split())
    assert all("".join(word.split()) in shown for word in words)


def test_a_dispatch_between_two_shipments_leaves_the_papers_of_what_waits(client, boss):
    order = in_two_shipments(currency="CHF")
    one, two = order.fulfillment.shipments.order_by("number")
    shipping.dispatch_order(order=order, actor=factories.TEAM, shipment=one.pk, carrier="", tracking_code="")
    codes = set(pdf.codes(client.get(document_url(order)).content))
    assert scan_codes.shipment_code(two.pk) in codes
    assert scan_codes.shipment_code(one.pk) not in codes
