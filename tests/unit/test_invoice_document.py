"""The invoice as its reader sees it: words, sums, pages, and the codes on the paper."""

from datetime import date
from decimal import Decimal

import pytest

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents import DocumentError, sellers
from oscar_fulfillment.documents.formats import Formats
from oscar_fulfillment.documents.invoice import render_invoice, render_invoices
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.rubles import rubles_in_words
from sandbox.sellers import SELLERS
from tests import pdf
from tests.invoices import IBAN, but, invoice, line, paid_to

HOSTILE = ["#panic()", "$ @ \\ ]", "Ёлка", "😀", "שלום", "\x00\x1b", "x" * 10_000]


@pytest.mark.feature("E6")
def test_a_swiss_invoice_ends_in_its_payment_part():
    content = render_invoice(invoice("CHF"))
    (page,) = pdf.pages(content)
    for words in ("Ponto & Vírgula SA", "100012", "26 novembre 2026", "26 décembre 2026", "Mug", "49,00", "56,90 CHF",
                  "TVA 8,1 %", "4,26", "Section paiement", "Récépissé", "CH44 3199 9123 0008 8901 2",
                  "00 00000 00000 00000 00010 00122", "Peter Müller"):  # fmt: skip
        assert words in page
    (code,) = pdf.codes(content)
    lines = code.splitlines()
    assert lines[0] == "SPC"
    assert lines[18:20] == ["56.90", "CHF"]
    assert lines[27:29] == ["QRR", "000000000000000000001000122"]
    assert pdf.fonts(content) == {"LiberationSans", "LiberationSans-Bold", "DejaVuSansMono"}


@pytest.mark.feature("E6")
def test_a_russian_invoice_has_the_banks_table_the_code_and_the_sum_in_words():
    content = render_invoice(invoice("RUB", tax=Decimal("10.26"), reserved_until=date(2026, 11, 29)))
    (page,) = pdf.pages(content)
    for words in ("БИК", "044525225", "40702810138250123017", "30101810400000000225", "ИНН 7707083893", "КПП 770701001",
                  "Банк получателя", "Получатель", "29 ноября 2026", "56,90", "НДС 22%",
                  "Пятьдесят шесть рублей 90 копеек", "Иванов И. И."):  # fmt: skip
        assert words in page.replace("\u202f", " ").replace("\xa0", " ")
    (code,) = pdf.codes(content)
    assert code.startswith("ST00012|Name=ООО «Точка с запятой»|PersonalAcc=40702810138250123017|")
    assert "|Sum=5690|" in code
    assert code.endswith("|Purpose=Оплата по счёту № 100012 от 26.11.2026. В т.ч. НДС 22% 10.26 руб.")


@pytest.mark.feature("E6")
def test_a_brazilian_invoice_has_a_pix():
    content = render_invoice(invoice("BRL", tax=None))
    (page,) = pdf.pages(content)
    (code,) = pdf.codes(content)
    assert code.startswith("00020126380014br.gov.bcb.pix0116loja@example.com")
    assert "540556.90" in code
    assert "0506100012" in code
    assert code.replace(" ", "") in page.replace(" ", "")
    assert "R$ 56,90" in page.replace("\xa0", " ")


def test_a_transfer_names_the_account_and_the_reference():
    (page,) = pdf.pages(render_invoice(invoice("EUR")))
    assert "FR14 2004 1010 0505 0001 3M02 606" in page
    assert page.count("100012") >= 2
    assert "56,90 €" in page.replace("\xa0", " ")


@pytest.mark.parametrize("currency", SELLERS)
@pytest.mark.parametrize("language", ["en", "en-gb", "pt", "fr", "ru", "de", "tlh"])
def test_every_seller_writes_in_every_language(currency, language):
    content = render_invoice(invoice(currency, language=language))
    day = {"en": "2026", "pt": "26 de novembro de 2026", "fr": "26 novembre 2026", "ru": "26 ноября 2026"}
    assert day.get(language, "2026") in pdf.words(content)
    assert len(pdf.codes(content)) == (currency != "EUR")


@pytest.mark.parametrize("currency", SELLERS)
def test_hostile_texts_are_shown_and_the_code_still_scans(currency):
    lines = [line(title=text, sku=text) for text in HOSTILE]
    data = invoice(currency, lines=lines, charges=[(HOSTILE[1], Decimal(1))], instructions="\n\n".join(HOSTILE))
    buyer = Party("#panic() $ @", "\\ ] Street", "", "9400", "Rorschach", "CH", lines=tuple(HOSTILE))
    content = render_invoice(but(data, buyer=buyer, delivery=buyer))
    words = pdf.words(content)
    assert words.count("#panic()") >= 4
    assert "$ @ \\ ]" in words
    assert len(pdf.codes(content)) == (currency != "EUR")


def test_many_lines_fill_pages_that_are_counted_and_headed():
    content = render_invoice(invoice("CHF", lines=[line(title=f"Thing {i}") for i in range(120)]))
    pages = pdf.pages(content)
    assert len(pages) > 3
    assert "Thing 0" in pages[0]
    assert "Thing 119" in " ".join(pages[-2:])
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page
    assert [("Section paiement" in page) for page in pages] == [False] * (len(pages) - 1) + [True]


def test_one_page_is_not_counted():
    assert "1 / 1" not in pdf.words(render_invoice(invoice("EUR")))


def test_many_invoices_in_one_file_count_their_own_pages():
    long = invoice("BRL", number="7", lines=[line(title=f"Thing {i}") for i in range(40)])
    pages = pdf.pages(render_invoices([invoice("CHF"), long, invoice("RUB", number="9")]))
    assert len(pages) == 5
    assert "1 / 1" not in pages[0] + pages[4]
    for number in (1, 2, 3):
        assert f"{number} / 3" in pages[number]


def test_no_invoice_is_no_file():
    with pytest.raises(DocumentError):
        render_invoices([])


def test_the_same_invoice_gives_the_same_bytes():
    assert render_invoice(invoice("RUB")) == render_invoice(invoice("RUB"))


def test_discounts_get_a_column_only_where_there_are_some():
    assert "Discount" not in pdf.words(render_invoice(invoice("EUR", language="en")))
    content = pdf.words(render_invoice(invoice("EUR", language="en", lines=[line(discount="4.90"), line()])))
    assert "Discount" in content
    assert "-4,90" in content or "-4.90" in content


def test_an_invoice_over_nothing_asks_for_nothing():
    content = render_invoice(invoice("CHF", lines=[line(discount="49.00")], charges=[]))
    assert pdf.codes(content) == []
    assert "Section paiement" not in pdf.words(content)


def test_the_untaxed_note_stands_where_there_is_no_tax():
    seller = {**SELLERS["RUB"], "untaxed_note": "Без НДС"}
    content = render_invoice(invoice("RUB", seller=seller, tax=Decimal(0)))
    assert "Без НДС" in pdf.words(content)
    assert pdf.codes(content)[0].endswith("Без НДС")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: but(invoice("CHF"), total=Decimal("56.91")), "do not add up"),
        (lambda: but(invoice("CHF"), currency="RUB"), "CHF"),
        (lambda: but(invoice("RUB"), currency="CHF"), "rubles"),
        (lambda: but(invoice("BRL"), currency="CHF"), "reais"),
        (lambda: invoice("RUB", number="a|b"), "Purpose"),
        (lambda: invoice("CHF", lines=[line(discount="100")]), "0.01"),
    ],
)
def test_what_cannot_be_paid_is_refused(data, message):
    with pytest.raises(DocumentError, match=message):
        render_invoice(data())


@pytest.mark.parametrize("number", ["T-1", "a b", "Ж1", "x" * 128, "../..", "#panic()"])
@pytest.mark.parametrize("seller", [SELLERS["CHF"], paid_to("CHF", kind="swiss_qr", iban=IBAN)], ids=["qrr", "scor"])
def test_any_order_number_has_a_reference(number, seller):
    (code,) = pdf.codes(render_invoice(invoice("CHF", number=number, seller=seller)))
    kind, reference = code.splitlines()[27:29]
    assert (kind, reference[-3:-1] if kind == "QRR" else reference[4:]) == (kind, {"QRR": "12", "SCOR": "012"}[kind])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": ""}, "no name"),
        ({"colour": "red"}, "unknown colour"),
        ({"due_days": "3"}, "due_days"),
        ({"payment": {"kind": "cheque"}}, "cheque"),
        ({"payment": {"kind": "swiss_qr", "iban": "CH00"}}, "IBAN"),
        ({"payment": {"kind": "swiss_qr"}}, "iban"),
        ({"payment": {"kind": "swiss_qr", "iban": IBAN, "language": "pt"}}, "de, fr, it or en"),
        ({"payment": {"kind": "pix", "key": "x"}}, "Pix key"),
        ({"payment": {"kind": "russian_qr", "inn": "1"}}, "missing"),
        ({"payment": {"kind": "transfer", "rows": {"IBAN": "FR15 2004 1010 0505 0001 3M02 606"}}}, "IBAN"),
        ({"tax_ids": ["x"]}, "SELLERS"),
    ],
)
def test_a_wrong_seller_is_named(changed, message):
    with pytest.raises(ConfigurationError, match=message) as found:
        sellers.read_seller("CHF", {**SELLERS["CHF"], **changed})
    assert "['SELLERS']['CHF']" in str(found.value)


def test_the_seller_is_found_by_country_then_currency_then_flow(settings):
    named = {key: {"name": key} for key in ("LI", "CHF", "BRAZIL", "default")}
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": named}
    for given, expected in (
        ({"country": "LI", "currency": "CHF", "flow": "BRAZIL"}, "LI"),
        ({"country": "CH", "currency": "CHF", "flow": "BRAZIL"}, "CHF"),
        ({"country": "CH", "currency": "BRL", "flow": "BRAZIL"}, "BRAZIL"),
        ({}, "default"),
    ):
        assert sellers.find_seller(**given).party.name == expected
        assert sellers.has_seller(**given)
    del named["default"]
    assert sellers.find_seller(currency="USD") is None
    assert not sellers.has_seller(currency="USD")


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "Ноль рублей 00 копеек"),
        ("1", "Один рубль 00 копеек"),
        ("2.01", "Два рубля 01 копейка"),
        ("5.02", "Пять рублей 02 копейки"),
        ("11.11", "Одиннадцать рублей 11 копеек"),
        ("21", "Двадцать один рубль 00 копеек"),
        ("112", "Сто двенадцать рублей 00 копеек"),
        ("1000", "Одна тысяча рублей 00 копеек"),
        ("2002.50", "Две тысячи два рубля 50 копеек"),
        ("21001", "Двадцать одна тысяча один рубль 00 копеек"),
        ("112014", "Сто двенадцать тысяч четырнадцать рублей 00 копеек"),
        ("1000000", "Один миллион рублей 00 копеек"),
        ("2000345.07", "Два миллиона триста сорок пять рублей 07 копеек"),
        ("5000000000", "Пять миллиардов рублей 00 копеек"),
        ("999999999999.99", "Девятьсот девяносто девять миллиардов девятьсот девяносто девять миллионов девятьсот "
         "девяносто девять тысяч девятьсот девяносто девять рублей 99 копеек"),
    ],
)  # fmt: skip
def test_rubles_in_words(amount, words):
    assert rubles_in_words(Decimal(amount)) == words


@pytest.mark.parametrize("amount", ["-1", "0.001", "1000000000000"])
def test_sums_without_words(amount):
    with pytest.raises(DocumentError):
        rubles_in_words(Decimal(amount))


@pytest.mark.parametrize(
    ("language", "country", "code", "money"),
    [
        ("pt", "BR", "pt_BR", "R$ 1.234,50"),
        ("fr", "CH", "fr_CH", "1 234,50 BRL"),
        ("ru", "RU", "ru_RU", "1 234,50 R$"),
        ("en-gb", "BR", "en_GB", "R$1,234.50"),
        ("tlh", "", "en", "R$1,234.50"),
        ("", "", "en", "R$1,234.50"),
    ],
)
def test_sums_as_the_reader_writes_them(language, country, code, money):
    formats = Formats(language, country)
    assert str(formats.locale) == code
    shown = formats.money(Decimal("1234.5"), "BRL").replace("\xa0", " ").replace("\u202f", " ")
    assert shown.replace("R$US", "R$") in (money, money.replace("BRL", "R$"))
    assert formats.bare(Decimal("1234"), "JPY").endswith("234")
