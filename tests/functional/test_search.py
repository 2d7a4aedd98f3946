"""The one search box."""

import pytest

from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.selectors import search
from oscar_fulfillment.services import invoicing, parcels, shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_cnpj, make_key

from .test_order_list import URL, numbers

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z16")]


@pytest.fixture
def staff(client):
    client.force_login(factories.staff_user("*"))
    return client


@pytest.fixture
def others(db):
    return [
        factories.placed_order(shipping_address=factories.address(first_name="Bo", last_name="Zhu"), email="bo@x.org")
    ]


def find(client, text, **more):
    response = client.get(URL, {"q": text, **more})
    assert response.status_code == 200, response
    return numbers(response)


def person(first, last, **options):
    return factories.placed_order(shipping_address=factories.address(first_name=first, last_name=last), **options)


def test_the_beginning_of_a_number_lists_and_the_whole_number_opens(staff, others):
    one, two = factories.placed_order(number="BR1001"), factories.placed_order(number="BR1002")
    assert find(staff, "BR100") == [two.number, one.number]
    assert find(staff, " #br100 ") == [two.number, one.number]
    assert find(staff, "1001") == []
    for text in ("BR1001", "#BR1001", " br1001 "):
        assert staff.get(URL, {"q": text}).status_code == 302


@pytest.mark.parametrize(
    "text",
    ["joão", "JOAO", "joao", "João da", "conceição", "CONCEICAO", "joao conceicao", "João Conceição", "Conceição, João",
     "joao conc"],
)  # fmt: skip
def test_a_customer_is_found_by_first_name_last_name_or_both_without_accents(staff, others, text):
    order = person("João", "da Conceição")
    assert find(staff, text) == [order.number]


def test_names_match_from_the_beginning_of_a_word_only(staff, others):
    person("João", "da Conceição")
    assert find(staff, "ceição") == []
    assert find(staff, "maria conceição") == []


def test_mail(staff, others):
    order = factories.placed_order(email="Maria.Silva@Example.com")
    assert find(staff, "maria.silva@example.com") == [order.number]
    assert find(staff, "MARIA.SILVA@ex") == [order.number]


def test_sku(staff, others):
    order = factories.placed_order(lines=[(factories.product(sku="MUG-BLUE"), 1)])
    assert find(staff, "MUG-BLUE") == [order.number]
    assert find(staff, "mug-blue") == [order.number]
    assert find(staff, "MUG") == []


def test_tracking_code(staff, others):
    order = factories.dispatched_order(carrier="correios", tracking_code="AA123456785BR")
    assert find(staff, "AA123456785BR") == [order.number]
    assert find(staff, "aa 123456785 br") == [order.number]
    assert find(staff, "AA12345") == [order.number]


@pytest.mark.feature("Z6")
def test_the_code_of_any_parcel_finds_its_order_once(staff, others, team):
    order = factories.invoiced_order(lines=[(factories.product(), 3)])
    line = order.lines.get().pk
    first = [{"carrier": "other", "tracking_code": code} for code in ("PACK-1001", "PACK-1002")]
    shipping.dispatch_order(order=order, actor=team, boxes=first, quantities={line: 1})
    shipping.dispatch_order(order=order, actor=team, carrier="other", tracking_code="PACK-1003", quantities={line: 1})
    rest = order.fulfillment.shipments.get(status="pending")
    named = [{"carrier": "other", "tracking_code": "PACK-1004"}]
    parcels.change_parcels(order=order, actor=team, shipment=rest.pk, parcels=named)
    for code in ("PACK-1001", "pack-1002", "PACK-1003", "PACK-1004", "PACK-100"):
        assert find(staff, code) == [order.number], code
    assert find(staff, "PACK-1005") == []


def test_access_key_in_groups_too(staff, others, team):
    order = factories.released_order()
    key = make_key(number=77)
    invoicing.invoice_order(order=order, actor=team, access_key=key)
    assert find(staff, key) == [order.number]
    assert find(staff, " ".join(key[i : i + 4] for i in range(0, 44, 4))) == [order.number]
    assert find(staff, make_key(number=78)) == []


@pytest.mark.parametrize("text", ["11.222.333/0001-81", "11222333000181", "11 222 333 0001 81", "11.222.333"])
def test_tax_number_with_or_without_its_punctuation(staff, others, text):
    cnpj = make_cnpj("112223330001")
    order = factories.placed_order(fulfillment={"tax_id": cnpj, "tax_id_kind": "cnpj"})
    assert find(staff, text) == [order.number]


def test_one_order_found_in_several_ways_is_listed_once(staff):
    order = person("Ana", "Ana", email="ana@example.com")
    assert find(staff, "ana") == [order.number]


@pytest.mark.parametrize("limit", [1, 500])
@pytest.mark.parametrize("key", ["q", "name"])
def test_a_first_and_the_beginning_of_a_last_name_find_who_has_names_between(staff, others, monkeypatch, limit, key):
    monkeypatch.setattr(search, "MAX_PEOPLE", limit)
    one, two = person("Ana Maria", "Souza"), person("Ana", "Soutelo")
    anabela = person("Anabela", "Souza")
    three = person("Ana Rita", "Souto")
    for text in ("ana sou", "Ana  SOU"):
        response = staff.get(URL, {key: text})
        assert numbers(response) == [three.number, two.number, one.number]
    assert numbers(staff.get(URL, {key: "ana zhu"})) == []
    assert numbers(staff.get(URL, {key: "souza, ana"})) == [anabela.number, one.number]


def test_search_combines_with_queue_and_filters(staff, others):
    paid = factories.paid_order()
    new = factories.placed_order()
    assert find(staff, "souza") == [new.number, paid.number]
    assert find(staff, "souza", queue="to-release") == [paid.number]
    assert find(staff, "souza", payment=["awaiting_payment", "refunded"], shipping="received") == [new.number]


@pytest.mark.parametrize(
    "text", ["%", "_", "'; DROP TABLE x; --", "\\", "100%", "🙂", "@", "#", "a" * 200, "-", "\u202e"]
)
def test_odd_text_finds_nothing_and_breaks_nothing(staff, others, text):
    before = OrderFulfillment.objects.count()
    found = find(staff, text)
    assert found == [] or text == "#"
    assert OrderFulfillment.objects.count() == before
