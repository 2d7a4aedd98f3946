"""What the papers of real orders say, read in a constant number of statements."""

from decimal import Decimal

import pytest
from django.contrib.sites.models import Site
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_fulfillment.checks import check_document_hooks
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents import DocumentError, scan_codes
from oscar_fulfillment.documents.customs_invoice import COMMERCIAL
from oscar_fulfillment.models import Parcel, Return
from oscar_fulfillment.selectors.consignments import read_consignments
from oscar_fulfillment.services import document_hooks, invoicing, release, shipping
from oscar_fulfillment.services.customs_documents import customs_data, customs_pdf
from oscar_fulfillment.services.label_documents import label_data, labels_pdf
from oscar_fulfillment.services.picking_documents import picking_pdf
from oscar_fulfillment.services.printing import DOCUMENTS, document_pdf
from oscar_fulfillment.services.slip_documents import slip_data, slips_pdf
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key
from sandbox.sellers import SELLERS
from tests import pdf
from tests.slips import HOSTILE

# What is drawn of a fiscal note has its own tests: an order without a note has none of it.
OWN_PAPERS = [name for name in DOCUMENTS if not name.startswith("danfe")]

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D10")]


def lies_at(stockrecord):
    return f"A-{stockrecord.partner_sku[-1]}"


def customs_by_hand(product):
    return {"hs_code": 6911, "origin": "ch", "weight_grams": "350.4"}


@pytest.fixture(autouse=True)
def shop(settings):
    def configure(**changed):
        settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, **changed}

    configure(SELLERS=SELLERS)
    return configure


def short_order(*, skus=("", ""), **options):
    """Two lines; of one there was too little, so that one unit follows later."""
    mug, pot = factories.product("Mug", "10.00", sku=skus[0]), factories.product("Pot", "30.00", sku=skus[1])
    order = factories.paid_order(lines=[(mug, 3), (pot, 1)], **options)
    first, second = order.lines.order_by("pk").values_list("pk", flat=True)
    release.release_order(order=order, actor=factories.TEAM, quantities={first: 2, second: 1})
    return order


# Packing slips


def test_a_slip_says_what_is_in_the_shipment_and_what_follows(shop):
    shop(DOCUMENT_BIN=f"{__name__}.lies_at")
    address = factories.address(country="BR", phone_number="+551155550000", notes="Ring twice", state="SP")
    order = short_order(skus=("M1", "P2"), shipping_address=address, fulfillment={"language": "pt"})
    (slip,) = slip_data([order.pk])
    assert [(line.title, line.quantity, line.sku, line.bin) for line in slip.lines] == [
        ("Mug", 2, "M1", "A-1"), ("Pot", 1, "P2", "A-2"),
    ]  # fmt: skip
    assert [(line.title, line.quantity) for line in slip.later] == [("Mug", 1)]
    assert (slip.number, slip.language, slip.shipment, slip.notes) == (order.number, "pt", (1, 1), "Ring twice")
    assert slip.delivery.name == "Ana Souza"
    assert slip.delivery.lines == ("Rua A, 1", "01310-100 São Paulo - SP")
    assert slip.delivery.contact == ("+55 11 5555-0000",)
    assert slip.seller.party.name == "Ponto & Vírgula Ltda."
    assert scan_codes.parse(slip.code) == scan_codes.ScanCode("shipment", order.fulfillment.shipments.get().pk)


def test_an_order_without_shipment_has_a_slip_of_everything_with_its_own_code():
    order = factories.paid_order()
    (slip,) = slip_data([order.pk])
    assert scan_codes.parse(slip.code) == scan_codes.ScanCode("order", order.pk)
    assert (slip.shipment, slip.later, [line.quantity for line in slip.lines]) == (None, (), [2])


def test_the_fiscal_document_of_the_shipment_is_named():
    order = factories.released_order()
    key = make_key(number=77)
    invoicing.invoice_order(order=order, actor=factories.TEAM, access_key=key)
    (slip,) = slip_data([order.pk])
    assert key in slip.invoice
    none = factories.released_order()
    invoicing.invoice_order(order=none, actor=factories.TEAM, kind="none")
    assert slip_data([none.pk])[0].invoice == ""


@pytest.mark.feature("D15")
def test_the_return_form_is_the_sellers(shop):
    order = factories.released_order(currency="CHF", fulfillment={"language": "fr"})

    def form(**changed):
        plain = {key: value for key, value in SELLERS["CHF"].items() if not key.startswith("return_")}
        shop(SELLERS={"CHF": plain | changed})
        return slip_data([order.pk])[0].returns

    own = form()
    assert own.address.name == "Ponto & Vírgula SA"
    assert own.address.address == ("Rue de Bourg 12", "1003 Lausanne", "Suisse")
    assert own.instructions == ""
    assert len(own.reasons) == 8
    other = form(return_address=["Retours", "Dock 4", "1000 Lausanne"], return_instructions={"fr": "Sous 30 jours."})
    assert (other.address.name, other.address.address) == ("Retours", ("Dock 4", "1000 Lausanne"))
    assert other.instructions == "Sous 30 jours."
    assert form(return_instructions={"ru": "30 дней"}).instructions == ""
    assert form(return_instructions="In 30 days.").instructions == "In 30 days."
    assert form(return_form=False) is None


@pytest.mark.feature("D15")
def test_the_codes_on_the_form_lead_to_the_customers_page_of_returns(shop, client):
    guest = factories.released_order()
    member = factories.released_order(user=factories.staff_user())
    urls = {slip.number: slip.returns.url for slip in slip_data([guest.pk, member.pk])}
    domain = Site.objects.get_current().domain
    assert urls[member.number] == f"http://{domain}/fulfillment/returns/{member.number}/"
    assert urls[guest.number].startswith(f"http://{domain}/fulfillment/returns/{guest.number}/")
    assert urls[guest.number] in pdf.codes(slips_pdf([guest.pk]))
    # A guest is asked for the address of the order first.
    assert client.get(urls[guest.number].removeprefix(f"http://{domain}")).status_code in (200, 302)
    shop(RETURN_DAYS=0)
    assert [slip.returns.url for slip in slip_data([guest.pk, member.pk])] == ["", ""]


@pytest.mark.feature("D15")
def test_goods_sent_back_from_abroad_find_the_country():
    order = factories.released_order(currency="EUR", fulfillment={"language": "pt"})
    assert slip_data([order.pk])[0].returns.address.address[-1] == "França"


@pytest.mark.feature("D15")
def test_without_a_seller_there_is_a_slip_with_the_shops_name_and_no_return_form(shop, settings):
    shop(SELLERS={})
    settings.OSCAR_SHOP_NAME = "Corner shop"
    order = factories.released_order()
    assert slip_data([order.pk])[0].returns is None
    assert "Corner shop" in pdf.words(slips_pdf([order.pk]))


def test_an_address_abroad_names_the_country_in_the_orders_language():
    address = factories.address(country="BR")
    order = factories.released_order(currency="RUB", shipping_address=address, fulfillment={"language": "ru"})
    assert slip_data([order.pk])[0].delivery.lines[-1] == "Бразилия"
    assert label_data([order.pk])[0].recipient.lines[-1] == "Бразилия / Brazil"
    assert label_data([order.pk])[0].seller.party.address[-1] == "Россия"


def test_an_order_without_address_has_a_slip_and_no_label():
    order = factories.released_order()
    order.shipping_address = None
    order.save()
    assert slip_data([order.pk])[0].delivery is None
    assert slips_pdf([order.pk]).startswith(b"%PDF")
    with pytest.raises(DocumentError, match="no address"):
        labels_pdf([order.pk])


def test_the_order_of_the_list_is_kept_and_unknown_orders_are_left_out():
    orders = [factories.released_order() for _ in range(3)]
    wanted = [orders[2].pk, 10**9, orders[0].pk, orders[0].pk]
    assert [slip.number for slip in slip_data(wanted)] == [orders[2].number, orders[0].number]
    with pytest.raises(DocumentError, match="nothing to pack"):
        slips_pdf([10**9])


def test_given_up_units_do_not_follow_and_replacements_were_not_ordered():
    order = short_order()
    shipment = order.fulfillment.shipments.get()
    (before,) = read_consignments([order.pk])
    assert [quantity for _line, quantity in before.later] == [1]
    extra = order.fulfillment.shipments.create(
        number=2, created_at=shipment.created_at, status="cancelled", is_dropped=True
    )
    line = order.lines.get(title="Mug")
    extra.lines.create(line=line, quantity=1)
    (given_up,) = read_consignments([order.pk])
    assert given_up.later == []
    returned = Return.objects.create(fulfillment=order.fulfillment, number=1, created_at=shipment.created_at)
    again = order.fulfillment.shipments.create(number=3, created_at=shipment.created_at, replaces=returned)
    again.lines.create(line=line, quantity=2)
    found = read_consignments([order.pk])
    assert [one.place for one in found] == [(1, 3), (3, 3)]
    assert all(one.later == [] for one in found)
    extra.is_dropped = False
    extra.save()
    assert [quantity for _line, quantity in read_consignments([order.pk])[0].later] == [1]


# Picking lists


def test_a_picking_list_adds_up_what_waits_for_all_orders(shop):
    shop(DOCUMENT_BIN=lies_at)
    mug, pot = factories.product("Mug", sku="M2"), factories.product("Pot", sku="P1")
    one = factories.released_order(lines=[(mug, 3), (pot, 1)])
    two = factories.paid_order(lines=[(mug, 2)])
    sent = factories.dispatched_order(lines=[(mug, 1)])
    off = factories.cancelled_order(lines=[(mug, 1)])
    words = pdf.words(picking_pdf([one.pk, two.pk, sent.pk, off.pk]))
    assert "2 orders · 2 articles · 6 items" in words
    assert f"5 Mug M2 {one.number} × 3, {two.number} × 2" in words
    assert words.index("A-1") < words.index("A-2")
    with pytest.raises(DocumentError, match="nothing waits"):
        picking_pdf([sent.pk, off.pk])


# Labels


def test_a_label_for_each_parcel_with_its_carriers_code():
    order = factories.released_order(currency="CHF")
    shipment = order.fulfillment.shipments.get()
    (alone,) = label_data([order.pk])
    assert (scan_codes.parse(alone.code).pk, alone.parcel) == (shipment.pk, (1, 1))
    Parcel.objects.create(shipment=shipment, number=1, carrier="correios", tracking_code="AA123456785BR")
    Parcel.objects.create(shipment=shipment, number=2, carrier="other")
    first, second = label_data([order.pk])
    assert (first.code, first.carrier, first.parcel) == ("AA123456785BR", "Correios", (1, 2))
    assert (second.code, second.carrier, second.parcel) == (alone.code, alone.carrier, (2, 2))
    content = labels_pdf([order.pk])
    assert pdf.codes(content) == ["AA123456785BR", alone.code]
    assert len(pdf.pages(content)) == 2


# Customs


def attribute(product, code, value):
    kind = "text" if isinstance(value, str) else "float"
    made = product.product_class.attributes.get_or_create(code=code, defaults={"name": code, "type": kind})[0]
    made.save_value(product, value)


def test_a_customs_invoice_reads_the_products_attributes():
    mug = factories.product("Mug", "10.00")
    for code, value in {"hs_code": "6911.10", "country_of_origin": "PT", "weight": 0.35}.items():
        attribute(mug, code, value)
    order = factories.released_order(currency="CHF", lines=[(mug, 3)])
    (invoice,) = customs_data([order.pk], kind=COMMERCIAL)
    (line,) = invoice.lines
    assert (line.hs_code, line.origin, line.weight, line.total) == ("6911.10", "PT", 350, Decimal("30.00"))
    assert (invoice.number, invoice.total, invoice.reason) == (order.number, Decimal("30.00"), "sale")
    assert invoice.buyer.lines[-1] == "Brazil"
    assert invoice.seller.party.lines[-1] == "Switzerland"


def test_the_shop_says_itself_what_customs_ask(shop):
    shop(
        DOCUMENT_CUSTOMS=f"{__name__}.customs_by_hand",
        SELLERS={"CHF": {**SELLERS["CHF"], "incoterm": "DAP", "export_reason": "gift", "signatures": {"Clerk": "Bo"}}},
    )
    order = factories.released_order(currency="CHF")
    (invoice,) = customs_data([order.pk], kind=COMMERCIAL)
    (line,) = invoice.lines
    assert (line.hs_code, line.origin, line.weight) == ("6911", "ch", 350)
    assert (invoice.incoterm, invoice.reason, invoice.signed_by) == ("DAP", "gift", ("Clerk", "Bo"))
    words = pdf.words(customs_pdf([order.pk], kind=COMMERCIAL))
    assert "Gift" in words
    assert "Switzerland (CH)" in words


def test_values_of_several_shipments_add_up_to_the_order():
    thing = factories.product("Thing", "10.00")
    order = factories.paid_order(currency="CHF", lines=[(thing, 3)])
    line = order.lines.get()
    line.line_price_excl_tax = line.line_price_incl_tax = Decimal("10.00")
    line.save()
    order.shipping_excl_tax = Decimal("7.90")
    order.save()
    order.surcharges.create(name="Gift wrap", code="gift", incl_tax=Decimal("2.50"), excl_tax=Decimal("2.50"))
    for _time in range(3):
        release.release_order(order=order, actor=factories.TEAM, quantities={line.pk: 1})
    invoices = customs_data([order.pk], kind=COMMERCIAL)
    assert [invoice.number for invoice in invoices] == [f"{order.number}-{n}" for n in (1, 2, 3)]
    assert [invoice.lines[0].total for invoice in invoices] == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]
    assert [invoice.total for invoice in invoices] == [Decimal("13.73"), Decimal("3.34"), Decimal("3.33")]
    assert len(pdf.pages(customs_pdf([order.pk], kind=COMMERCIAL, shipment=2))) == 1


def test_a_deleted_product_is_still_declared():
    order = factories.released_order(currency="CHF")
    get_model("catalogue", "Product").objects.all().delete()
    (invoice,) = customs_data([order.pk], kind=COMMERCIAL)
    assert (invoice.lines[0].title, invoice.lines[0].hs_code, invoice.lines[0].weight) == ("Mug", "", None)
    assert slips_pdf([order.pk]).startswith(b"%PDF")


@pytest.mark.parametrize("weight", ["", None, "heavy", float("nan"), float("inf"), -3, 0])
def test_a_weight_that_is_none_is_left_out(shop, weight):
    shop(DOCUMENT_CUSTOMS=lambda product: {"weight_grams": weight})
    assert document_hooks.customs_of(object()).weight is None


# All of them


@pytest.mark.parametrize("document", OWN_PAPERS)
def test_hostile_texts_of_customers_and_catalogue_are_shown(document, shop):
    nasty = HOSTILE[0] + HOSTILE[1]
    order = factories.released_order(
        currency="CHF", number=f"7{nasty}"[:100],
        lines=[(factories.product(f"Mug {nasty}", sku=f"S{nasty}"), 1)],
        shipping_address=factories.address(country="CH", first_name=nasty, line1=nasty, line4=nasty, notes=nasty),
    )  # fmt: skip
    assert "#panic()" in pdf.words(document_pdf(document, [order.pk]))


@pytest.mark.parametrize("document", OWN_PAPERS)
def test_papers_read_the_same_statements_for_any_number_of_orders(document, shop):
    shop(DOCUMENT_BIN=lies_at)
    orders = []
    for number in range(6):
        order = short_order(
            currency=["CHF", "RUB", "EUR"][number % 3], fulfillment={"language": ["fr", "ru", "pt"][number % 3]}
        )
        if number % 2:
            shipping.dispatch_order(order=order, actor=factories.TEAM, carrier="other", tracking_code=f"X{number}")
        orders.append(order.pk)
    counts = []
    for some in (orders[:2], orders):
        with CaptureQueriesContext(connection) as queries:
            document_pdf(document, some)
        counts.append(len(queries))
    print(document, counts)
    assert counts[0] == counts[1] <= 11


@pytest.mark.parametrize("name", ["DOCUMENT_BIN", "DOCUMENT_CUSTOMS"])
@pytest.mark.parametrize("path", ["no.such.module", f"{__name__}.nosuch", f"{__name__}.HOSTILE", "x"])
def test_a_wrong_path_is_found_at_deployment(shop, name, path):
    shop(**{name: path})
    (message,) = check_document_hooks()
    assert (message.id, name in message.msg) == ("oscar_fulfillment.E043", True)
    with pytest.raises(ConfigurationError, match=name):
        document_hooks.hook(name)


def test_right_paths_pass_the_check(shop):
    shop(DOCUMENT_BIN=f"{__name__}.lies_at", DOCUMENT_CUSTOMS=customs_by_hand)
    assert check_document_hooks() == []


def test_a_shops_own_address_fields_are_printed_where_it_puts_them(monkeypatch):
    Address = get_model("order", "ShippingAddress")
    monkeypatch.setattr(Address, "base_fields", ["salutation", "postcode", "line4", "line1", "notes", "country"])
    order = factories.released_order(shipping_address=factories.address(notes="Door 3"))
    assert slip_data([order.pk])[0].delivery.lines == ("01310-100", "São Paulo", "Rua A, 1", "Door 3")
