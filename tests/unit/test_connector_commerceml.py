"""CommerceML without a shop: what is written, what is read, and what a document means."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from oscar_fulfillment.connectors.commerceml import CommerceML
from oscar_fulfillment.connectors.commerceml_files import base_name, is_whole, unpacked
from oscar_fulfillment.connectors.commerceml_mapping import read_word
from oscar_fulfillment.connectors.commerceml_reader import BadFile, read_documents
from oscar_fulfillment.connectors.commerceml_values import read_date, read_flag, read_number
from oscar_fulfillment.connectors.commerceml_writer import Outgoing, write
from oscar_fulfillment.connectors.records import Contact, OrderLine, OrderRecord
from oscar_fulfillment.core.exceptions import ConfigurationError, WebhookVerificationFailed

pytestmark = pytest.mark.feature("E11")
D = Decimal
NOW = datetime(2026, 11, 26, 12, 0, 5, tzinfo=UTC)


def record(**values):
    given = {
        "id": 7, "number": "100042", "version": 3, "placed_at": NOW, "flow": "STANDARD", "language": "ru",
        "currency": "RUB", "payment_status": "paid", "shipping_status": "released",
        "lines": (
            OrderLine(1, "CUP-1", "460001", "Чашка «Brasa» <белая> & ложка", 3, D("100.33"), D("83.61"), D("301.00"),
                      D("250.83"), D("20.0")),
        ),
        "buyer": Contact("Иван Петров", "ivan@example.com", "+79001234567", "ул. Ленина, 1", city="Казань",
                         postcode="420111", country="RU"),
        "receiver": Contact("Иван Петров", line1="ул. Ленина, 1", city="Казань", postcode="420111", country="RU"),
        "total_incl_tax": D("651.00"), "total_excl_tax": D("542.50"), "shipping_incl_tax": D("350.00"),
        "shipping_excl_tax": D("291.67"), "shipping_code": "cdek", "shipping_name": "СДЭК", "payment_code": "sbp",
        "payment_name": "СБП", "received": D("651.00"), "link": "https://shop.example/orders/100042/",
    }  # fmt: skip
    return OrderRecord(**given | values)


def written(*orders, version="2.08", encoding="utf-8", **more):
    outgoing = [Outgoing(order, order.placed_at, "P", "Оплачен", paid=True, **more) for order in orders]
    return b"".join(write(outgoing, version=version, encoding=encoding, now=NOW))


def read(content):
    return list(read_documents(io.BytesIO(content)))


def document(body="", **requisites):
    values = "".join(
        f"<ЗначениеРеквизита><Наименование>{name}</Наименование><Значение>{value}</Значение></ЗначениеРеквизита>"
        for name, value in requisites.items()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><КоммерческаяИнформация ВерсияСхемы="2.08"><Документ><Ид>100042</Ид>'
        "<Номер>100042</Номер><ХозОперация>Заказ товара</ХозОперация><Сумма>651.00</Сумма>"
        f"{body}<ЗначенияРеквизитов>{values}</ЗначенияРеквизитов></Документ></КоммерческаяИнформация>"
    ).encode()


def word(body="", **requisites):
    return read_word(read(document(body, **{name.replace("_", " "): value for name, value in requisites.items()}))[0])


# What is written


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
@pytest.mark.parametrize("version", ["2.08", "3.1"])
def test_an_order_is_written_as_1c_reads_it(version, encoding):
    root = ElementTree.fromstring(written(record(), version=version, encoding=encoding))
    assert (root.tag, root.get("ВерсияСхемы"), root.get("ДатаФормирования")) == (
        "КоммерческаяИнформация", version, "2026-11-26T12:00:05",
    )  # fmt: skip
    assert (root.find("Контейнер") is not None) == (version == "3.1")
    found = root.find(".//Документ")
    assert [found.findtext(name) for name in ("Ид", "Номер", "Дата", "Время", "ХозОперация", "Роль", "Валюта", "Сумма")] == [
        "100042", "100042", "2026-11-26", "12:00:05", "Заказ товара", "Продавец", "RUB", "651.00",
    ]  # fmt: skip
    goods = found.findall("Товары/Товар")
    assert [(good.findtext("Ид"), good.findtext("Количество"), good.findtext("Сумма")) for good in goods] == [
        ("460001", "3", "301.00"), ("ORDER_DELIVERY", "1", "350.00"),
    ]  # fmt: skip
    assert sum(D(good.findtext("Сумма")) for good in goods) == D("651.00")
    assert goods[0].findtext("Наименование") == "Чашка «Brasa» <белая> & ложка"
    assert goods[0].find("БазоваяЕдиница").get("Код") == "796"
    assert goods[0].findtext("СтавкиНалогов/СтавкаНалога/Ставка") == "20"
    buyer = found.find("Контрагенты/Контрагент")
    assert (buyer.findtext("Роль"), buyer.findtext("ПолноеНаименование")) == ("Покупатель", "Иван Петров")
    told = {each.findtext("Наименование"): each.findtext("Значение") for each in found.findall("ЗначенияРеквизитов/*")}
    assert told["Статус заказа"] == "[P] Оплачен"
    assert told["Статуса заказа ИД"] == "P"
    assert (told["Заказ оплачен"], told["Отменен"]) == ("true", "false")


def test_what_the_encoding_lacks_is_written_as_a_number_and_what_xml_lacks_is_left_out():
    content = written(record(buyer=Contact("Zoë \x01 日本 \ud800")), encoding="windows-1251")
    assert "日本".encode() not in content
    assert ElementTree.fromstring(content).findtext(".//Контрагент/Наименование") == "Zoë  日本 "


def test_a_company_is_told_from_a_person_and_surcharges_are_a_line():
    buyer = Contact("ООО «Ромашка»", "a@example.com", tax_id_kind="inn", tax_id="7707083893")
    found = ElementTree.fromstring(written(record(buyer=buyer, extra_incl_tax=D("-1.00"), total_incl_tax=D("650.00"))))
    agent = found.find(".//Контрагент")
    assert (agent.findtext("ИНН"), agent.findtext("ОфициальноеНаименование")) == ("7707083893", "ООО «Ромашка»")
    assert sum(D(good.findtext("Сумма")) for good in found.iter("Товар")) == D("650.00")


def test_what_is_written_can_be_read_again():
    (found,) = read(written(record(), version="3.1", encoding="windows-1251"))
    assert (found.id, found.total, found.requisites["Статуса заказа ИД"]) == ("100042", D("651.00"), "P")


# What is read


@pytest.mark.parametrize(
    ("text", "number"),
    [("23 000", "23000"), ("23\u00a0000,50", "23000.50"), ("1,234.50", "1234.50"), ("1.234,50", "1234.50"), ("12,5", "12.5"),
     ("-3", "-3"), ("", None), ("T", None), ("NaN", None), ("1e9", None), ("9" * 50, None)],
)  # fmt: skip
def test_numbers_in_all_their_ways(text, number):
    assert read_number(text) == (None if number is None else D(number))


@pytest.mark.parametrize("text", ["", "T", " T ", "0001-01-01T00:00:00", "0001-01-01", "01.01.0001 0:00:00", "morning"])
def test_an_emptied_date_is_none(text):
    assert read_date(text) is None


@pytest.mark.parametrize(
    "text", ["2026-11-26T10:00:00", "2026-11-26", "26.11.2026 10:00:00", "2026-11-26T", "20261126"]
)
def test_a_date_is_read(text):
    assert read_date(text).date() == NOW.date()


def test_yes_and_no():
    assert [read_flag(text) for text in ("true", "Да", "false", "Нет", "", "maybe")] == [
        True,
        True,
        False,
        False,
        None,
        None,
    ]


def test_attributes_stand_for_tags_whatever_the_namespace_and_encoding():
    text = (
        '<?xml version="1.0" encoding="windows-1251"?><c:КоммерческаяИнформация xmlns:c="urn:1C.ru:commerceml_3"><c:Контейнер>'
        '<c:Документ Номер="100042" Сумма="23 000" ХозОперация="Заказ товара"><c:ЗначенияРеквизитов>'
        '<c:ЗначениеРеквизита Наименование="Номер по 1С" Значение="ЦБ-7"/></c:ЗначенияРеквизитов></c:Документ>'
        "</c:Контейнер></c:КоммерческаяИнформация>"
    )
    (found,) = read(text.encode("cp1251"))
    assert (found.id, found.number, found.total) == ("", "100042", D(23000))
    assert found.requisites == {"Номер по 1С": "ЦБ-7"}
    assert read_word(found).number == "ЦБ-7"


def test_requisites_of_goods_are_not_those_of_the_document():
    goods = "<Товары><Товар><ЗначенияРеквизитов><ЗначениеРеквизита><Наименование>Отменен</Наименование><Значение>true</Значение></ЗначениеРеквизита></ЗначенияРеквизитов></Товар></Товары>"
    assert word(goods).change.state == ""


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no xml", b"<other/>", document()[:-9], b"<\xd0\x9a>" * 50,
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><КоммерческаяИнформация/>'.encode(),
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        ("<КоммерческаяИнформация>" + "<a>" * 100 + "</a>" * 100 + "</КоммерческаяИнформация>").encode(),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused(content):
    with pytest.raises(BadFile):
        read(content)


def test_a_bomb_of_entities_does_not_go_off():
    lines = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "boom">{lines}]><b>&a11;</b>'
    with pytest.raises(BadFile, match="DTD"):
        read(bomb.encode())


def test_memory_does_not_grow_with_the_file():
    def size(number):
        content = io.BytesIO(
            b"".join(write((Outgoing(record(), NOW) for _n in range(number)), version="3.1", encoding="utf-8", now=NOW))
        )
        tracemalloc.start()
        count = sum(1 for _document in read_documents(content))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == number
        return peak

    assert size(2000) < 1.5 * size(100) + 100_000


# What a document means


def test_an_emptied_date_is_no_payment_and_no_shipment():
    for empty in ("T", "", "0001-01-01T00:00:00"):
        found = word(Дата_оплаты_по_1С=empty, Номер_оплаты_по_1С="", Дата_отгрузки_по_1С=empty).change
        assert (found.paid, found.tracking) == (None, None)
    # Not even where a flag stands beside it.
    assert word(Дата_оплаты_по_1С="T", Оплачен="true").change.paid is None


def test_a_date_of_payment_pays_the_document():
    found = word(Дата_оплаты_по_1С="2026-11-26T10:00:00", Номер_оплаты_по_1С="П-12", Номер_по_1С="ЦБ-7")
    assert (found.change.paid, found.change.paid_reference, found.number) == (D("651.00"), "П-12", "ЦБ-7")


@pytest.mark.parametrize("name", ["Заказ_оплачен", "Оплачен"])
def test_a_flag_pays_where_there_is_no_date_and_a_no_counts_against_one(name):
    assert word(**{name: "true"}).change.paid == D("651.00")
    assert word(**{name: "false", "Дата_оплаты_по_1С": "2026-11-26"}).change.paid is None


def test_what_was_sent_is_told_and_not_of_a_cancelled_order():
    assert word(Дата_отгрузки_по_1С="2026-11-26").change.tracking is not None
    assert word(Отгружен="true").change.tracking is not None
    cancelled = word(Отгружен="true", Отменен="true").change
    assert (cancelled.tracking, cancelled.state) == (None, "cancelled")


def test_a_mark_for_deletion_cancels_wherever_it_stands():
    assert word(ПометкаУдаления="true").change.state == "cancelled"
    assert word("<ПометкаУдаления>true</ПометкаУдаления>").change.state == "cancelled"
    assert word("<ПометкаУдаления>false</ПометкаУдаления>", Проведен="true").change.state == ""


@pytest.mark.parametrize(
    ("told", "state", "label"),
    [({"Статус_заказа": "[F] Доставлен"}, "F", "Доставлен"), ({"Статус_заказа": "Доставлен"}, "Доставлен", "Доставлен"),
     ({"Статус_заказа": "Доставлен", "Статуса_заказа_ИД": "F"}, "F", "Доставлен"), ({"Статуса_заказа_ИД": "F"}, "F", "")],
)  # fmt: skip
def test_a_status_has_a_code_and_words(told, state, label):
    found = word(**told).change
    assert (found.state, found.label) == (state, label)


def test_the_same_is_the_same_and_anything_else_is_not():
    assert word(Оплачен="true").change.key == word(Оплачен="true").change.key
    keys = {
        word().change.key,
        word(Оплачен="true").change.key,
        word(Отгружен="true").change.key,
        word(Статус_заказа="F").change.key,
    }
    assert len(keys) == 4


def test_other_documents_say_nothing_of_an_order():
    other = document().replace("Заказ товара".encode(), "Выплата безналичных денег".encode())
    assert read_word(read(other)[0]) is None


# Files and names


@pytest.mark.parametrize(
    ("given", "name"),
    [("C:\\v8_8789_c.xml", "v8_8789_c.xml"), ("/etc/passwd", "passwd"), ("../../a.xml", "a.xml"), ("..", ""), ("a\x00b.xml", "ab.xml"),
     ("заказы.xml", "заказы.xml"), ("\\\\host\\share\\..\\x.zip", "x.zip"), ("", ""), ("a/" , "")],
)  # fmt: skip
def test_only_the_last_part_of_a_name_is_left(given, name):
    assert base_name(given) == name


def packed(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as inside:
        for name, body in files.items():
            inside.writestr(name, body)
    return content.getvalue()


def test_a_file_is_whole_when_its_end_is_there():
    xml, box = document(), packed(**{"a.xml": document()})
    for content in (xml, xml.decode().encode("cp1251"), box, xml + b"\r\n "):
        assert is_whole(content[:8], content[-512:], len(content))
        assert not is_whole(content[:8], content[:-15][-512:], len(content) - 15)
    assert not is_whole(box[:8], box[-512:], len(box) + 7)


def test_a_zip_gives_its_xml_and_no_more_than_is_allowed():
    def documents(content, most=10_000_000):
        with unpacked(io.BytesIO(content), most=most) as files:
            return [found.id for file in files for found in read_documents(file)]

    assert documents(packed(**{"../../x/a.xml": document(), "b.XML": document(), "c.txt": b"no"})) == ["100042"] * 2
    with pytest.raises(BadFile, match="too large"):
        documents(packed(**{"a.xml": b" " * 30_000_000}), most=50_000_000)
    with pytest.raises(BadFile, match="too large"):
        documents(packed(**{"a.xml": document()}), most=100)
    with pytest.raises(BadFile, match="too many"):
        documents(packed(**{f"{n}.xml": document() for n in range(60)}))
    with pytest.raises(BadFile, match="no XML"):
        documents(packed(**{"a.txt": b"x"}))
    with pytest.raises(BadFile):
        documents(packed(**{"a.xml": document()})[:-30])
    broken = bytearray(packed(**{"a.xml": document()}))
    broken[60] ^= 0xFF
    with pytest.raises(BadFile):
        documents(bytes(broken))


# The connector's options


def made(**options):
    return CommerceML(alias="onec", **{"user": "1c", "password": "secret", **options})


def basic(text, encoding="utf-8"):
    import base64

    return "Basic " + base64.b64encode(text.encode(encoding)).decode()


def test_a_password_is_checked_and_shown_nowhere():
    connector = made(password=["old", "пароль"])
    connector.check_login(basic("1c:old"))
    connector.check_login(basic("1c:пароль"))
    connector.check_login(basic("1c:пароль", "cp1251"))
    for wrong in ("", "Basic", "Basic !!", basic("1c:"), basic("1c:secret"), basic("2c:old"), "Bearer abc", basic("")):
        with pytest.raises(WebhookVerificationFailed):
            connector.check_login(wrong)
    assert "пароль" not in repr(connector)


@pytest.mark.parametrize(
    "options",
    [{"password": ""}, {"password": []}, {"user": "a:b"}, {"version": "1.0"}, {"encoding": "koi8-r"}, {"page_size": 0},
     {"catalog": "maybe"}, {"max_upload": 1}],
)  # fmt: skip
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigurationError):
        made(**options)


def test_the_schema_is_what_1c_asks_for_unless_the_shop_says():
    assert [made().schema(asked) for asked in ("", "2.08", "3.1", "3.05")] == ["2.08", "2.08", "3.1", "3.1"]
    assert made(version="2.08").schema("3.1") == "2.08"
