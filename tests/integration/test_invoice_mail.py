"""The invoice that goes out with the confirmation: from the order's rows to the letter, and what happens when it fails."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.utils import translation
from django.utils.translation import gettext
from oscar.core.loading import get_model

from oscar_fulfillment import checks
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.models import LaneHealth, OutboundMessage, PaymentTerms
from oscar_fulfillment.services import documents, messages
from oscar_fulfillment.test import factories
from sandbox.sellers import SELLERS
from tests import pdf

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS, "OUTBOX_BACKOFF": [0.0]}
    settings.MANAGERS = [("Boss", "boss@example.com")]


@pytest.fixture
def method(db):
    return factories.manual_method("invoice", name="Invoice", sends_invoice=True, instructions="Please pay soon.")


def invoiced(method, currency="CHF", language="fr", **given):
    return factories.placed_order(currency=currency, method=method, fulfillment={"language": language}, **given)


def fresh(order):
    return get_model("order", "Order").objects.get(pk=order.pk)


def confirmation(order):
    """The letter to the customer; None while it is not out."""
    for _try in range(5):
        LaneHealth.objects.all().delete()
        if not outbox.drain():
            break
    found = [letter for letter in mail.outbox if letter.to == [order.email]]
    return found[0] if found else None


def sell(settings, **changed):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, **changed}


@pytest.mark.feature("E6")
@pytest.mark.parametrize(
    ("currency", "language", "words", "code"),
    [
        ("CHF", "fr", "Section paiement", "SPC"),
        ("RUB", "ru", "Двадцать рублей 00 копеек", "ST00012|"),
        ("BRL", "pt", "R$ 20,00", "000201"),
        ("EUR", "en", "FR14 2004 1010", None),
    ],
)
def test_the_confirmation_carries_the_invoice(method, currency, language, words, code):
    order = invoiced(method, currency, language)
    letter = confirmation(order)
    ((name, content, kind),) = letter.attachments
    assert (name, kind) == (f"invoice-{order.number}.pdf", "application/pdf")
    assert words in pdf.words(content).replace("\xa0", " ")
    assert order.number in pdf.words(content)
    assert [text[: len(code)] for text in pdf.codes(content)] == [code] if code else pdf.codes(content) == []


@pytest.mark.feature("E6")
def test_the_letter_says_that_the_invoice_is_attached(method):
    letter = confirmation(invoiced(method, language="en"))
    assert "Your invoice is attached to this mail." in letter.body
    assert "Your invoice is attached to this mail." in letter.alternatives[0][0]


def test_other_methods_and_other_mails_carry_nothing(method):
    plain = confirmation(factories.placed_order())
    assert plain.attachments == []
    assert "attached" not in plain.body
    mail.outbox.clear()
    order = invoiced(method)
    confirmation(order)
    assert [letter.to for letter in mail.outbox if letter.attachments] == [[order.email]]


def test_an_invoice_that_can_never_be_made_ends_the_mail_and_shows_on_the_order(method):
    order = invoiced(method, "RUB", number="T|1")
    assert confirmation(order) is None
    message = OutboundMessage.objects.get(kind=messages.ORDER_PLACED)
    assert (message.status, message.attempts) == ("dead", 1)
    assert "the invoice cannot be made: Purpose holds a character" in message.error
    assert fresh(order).fulfillment.problem == "mail_failed"


def test_a_mistake_in_the_settings_is_tried_again_and_the_mail_goes_out_once_it_is_mended(method, settings):
    sell(settings, SELLERS={})
    order = invoiced(method)
    other = factories.placed_order(email="other@example.com")
    assert confirmation(order) is None
    message = OutboundMessage.objects.get(kind=messages.ORDER_PLACED, order=order)
    assert message.status == "dead"
    assert message.attempts == 2
    assert "names no seller" in message.error
    assert fresh(order).fulfillment.problem == "mail_failed"
    assert confirmation(other) is not None
    sell(settings, SELLERS=SELLERS)
    assert outbox.send_again(message)
    assert confirmation(order).attachments[0][0].endswith(".pdf")
    assert fresh(order).fulfillment.problem == ""


def test_a_broken_template_of_the_shop_loses_no_mail(method, settings, tmp_path):
    (tmp_path / "invoice.typ").write_text("#panic(1)")
    engine = {"BACKEND": "oscar_fulfillment.documents.typst_engine.TypstEngine", "OPTIONS": {"templates": [tmp_path]}}
    sell(settings, DOCUMENTS={"default": engine})
    order = invoiced(method)
    assert confirmation(order) is None
    message = OutboundMessage.objects.get(kind=messages.ORDER_PLACED)
    assert "template invoice" in message.error
    sell(settings, DOCUMENTS={"default": {"BACKEND": engine["BACKEND"]}})
    outbox.send_again(message)
    assert confirmation(order).attachments


def test_the_data_are_those_of_the_order(method):
    surcharge = Decimal("2.50")
    order = invoiced(
        method, "CHF", lines=[(factories.product("Mug", "10.00", sku="M1"), 3)],
        shipping_address=factories.address(country="CH", line1="Rue A 1", line4="Lausanne", postcode="1003"),
    )  # fmt: skip
    line = order.lines.get()
    line.line_price_incl_tax = Decimal("27.00")
    line.save()
    order.surcharges.create(name="Gift", code="gift", incl_tax=surcharge, excl_tax=surcharge)
    order.shipping_incl_tax, order.shipping_method = Decimal("7.90"), "Post"
    order.total_incl_tax, order.total_excl_tax = Decimal("37.00"), Decimal("34.23")
    order.save()
    order.fulfillment.tax_id, order.fulfillment.tax_id_kind = "CHE109322551", "uid"
    data = documents.invoice_data(order)
    assert (data.number, data.serial, data.currency, data.language) == (order.number, order.pk, "CHF", "fr")
    (item,) = data.lines
    assert (item.title, item.sku, item.quantity) == ("Mug", "M1", 3)
    assert (item.unit_price, item.discount, item.total) == (Decimal("10.00"), Decimal("3.00"), Decimal("27.00"))
    assert data.charges[:2] == (("Post", Decimal("7.90")), ("Gift", surcharge))
    assert data.charges[2][1] == Decimal("-0.40")
    assert (data.total, data.tax) == (Decimal("37.00"), Decimal("2.77"))
    assert data.buyer.name == "Ana Souza"
    assert data.buyer.lines == ("Rue A 1", "1003 Lausanne")
    with translation.override("fr"):  # the order's language
        label = gettext("UID")
    assert data.buyer.tax_ids == ((label, "CHE-109.322.551"),)
    assert (data.buyer.street, data.buyer.postcode, data.buyer.city) == ("Rue A 1", "1003", "Lausanne")
    assert data.delivery is None
    assert data.instructions == "Please pay soon."


def test_a_foreign_address_names_its_country_in_the_orders_language(method):
    order = invoiced(method, "CHF", "ru")
    assert documents.invoice_data(order).buyer.lines[-1] == "Бразилия"


def test_goods_that_go_elsewhere_show_where(method):
    order = invoiced(method)
    order.billing_address = factories.address("BillingAddress", country="CH", first_name="Bruno")
    assert documents.invoice_data(order).buyer.name == "Bruno Souza"
    assert documents.invoice_data(order).delivery.name == "Ana Souza"


def test_an_order_without_addresses_is_invoiced_to_the_account(method):
    order = invoiced(method)
    order.shipping_address = order.billing_address = None
    data = documents.invoice_data(order)
    assert data.buyer.name == "Ana Souza"
    assert "SPC" in pdf.codes(documents.invoice_pdf(order))[0]


def test_the_due_day_is_the_terms_then_the_methods_then_the_sellers(method):
    order = invoiced(method)
    placed = documents.invoice_data(order).issued
    assert documents.invoice_data(order).due == placed + timedelta(days=30)
    method.due_days = 10
    order.fulfillment.payment_method = method
    PaymentTerms.objects.filter(fulfillment=order.fulfillment).delete()
    assert documents.invoice_data(fresh_with(order, method)).due == placed + timedelta(days=10)
    agreed = order.date_placed + timedelta(days=5)
    PaymentTerms.objects.create(fulfillment=order.fulfillment, due_at=agreed, reserved_until=agreed)
    data = documents.invoice_data(fresh_with(order, method))
    assert data.due == data.reserved_until == placed + timedelta(days=5)
    assert isinstance(data.due, date)


def fresh_with(order, method):
    found = fresh(order)
    found.fulfillment.payment_method = method
    return found


def test_an_order_over_nothing_has_an_invoice_that_asks_for_nothing(method):
    order = invoiced(method, lines=[(factories.product(price="0.00"), 1)])
    assert pdf.codes(documents.invoice_pdf(order)) == []


def test_no_seller_is_a_mistake_in_the_settings(method, settings):
    sell(settings, SELLERS={"JPY": SELLERS["EUR"]})
    order = invoiced(method)
    assert not documents.can_be_invoiced(order)
    with pytest.raises(ConfigurationError, match="names no seller"):
        documents.invoice_data(order)


@pytest.mark.parametrize(
    ("number", "name"), [("A/../B", "invoice-A..B.pdf"), ("Ж 1", "invoice-Ж_1.pdf"), ('"\n', "invoice-_.pdf")]
)
def test_file_names_are_harmless(number, name):
    found = documents.invoice_filename(get_model("order", "Order")(number=number))
    assert "/" not in found
    assert found.startswith("invoice-")
    assert '"' not in found
    assert name.endswith(".pdf")


def test_a_missing_engine_is_found_at_deployment(monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    (found,) = checks.check_sellers()
    assert found.id == "oscar_fulfillment.W042"
    assert "[documents]" in found.hint


def test_a_wrong_seller_is_found_at_deployment(settings):
    assert checks.check_sellers() == []
    sell(settings, SELLERS={"CHF": {**SELLERS["CHF"], "colour": "red"}})
    (found,) = checks.check_sellers()
    assert found.id == "oscar_fulfillment.E041"
    assert "colour" in found.msg
