"""Bank statements as files: every format read in whole, or refused with a reason."""

import pathlib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.documents.payment_parts import references
from oscar_fulfillment.statements import csv_file
from oscar_fulfillment.statements.base import StatementError, check_account, fingerprints, mask_account
from oscar_fulfillment.statements.camt import read_camt
from oscar_fulfillment.statements.encoding import check_kind, decode
from oscar_fulfillment.statements.layout import Layout
from oscar_fulfillment.statements.one_c import read_one_c
from oscar_fulfillment.statements.reading import kind_of
from oscar_fulfillment.statements.table import read_table
from oscar_fulfillment.statements.values import DATE_FORMATS, fitting_orders, guess_mark, parse_day, parse_sum

pytestmark = pytest.mark.feature("D6")

DATA = pathlib.Path(__file__).parents[1] / "data" / "bank"
MOST = 50_000


def content(name):
    return (DATA / name).read_bytes()


def camt(name):
    return read_camt(content(name), most=MOST)


def csv(name, account="CH9300762011623852957", currency="CHF"):
    table = read_table(content(name), most=MOST)
    layout = csv_file.guess_layout(table)
    return csv_file.read_csv(table, layout, account=account, currency=currency), layout, table


def swapped(name, old, new):
    text = content(name)
    assert old in text
    return text.replace(old, new)


def test_a_collective_booking_is_read_as_its_payments():
    (statement,) = camt("camt053_v02_collective.xml")
    assert (statement.account, statement.currency) == ("CH0200700110000387896", "CHF")
    assert (statement.begins, statement.ends) == (date(2026, 11, 2), date(2026, 11, 2))
    pia, son, urs, fee = statement.entries
    assert [entry.amount for entry in statement.entries] == [
        Decimal("100.00"), Decimal("50.50"), Decimal("20.00"), Decimal("-3.20"),
    ]  # fmt: skip
    assert (pia.name, pia.reference) == ("Rutschmann Pia", "000000000000000000001001233")
    assert references.read_reference(pia.reference) == references.Hint(number="100123")
    assert (son.name, references.read_reference(son.reference).number) == ("Müller & Söhne GmbH", "100124")
    assert urs.text == "Bestellung 100125"
    assert fee.text == "Kontoführungsgebühr"
    # The bank gives its three payments one number: they stay three.
    assert len({mark for _entry, mark in fingerprints(statement.account, statement.entries)}) == 4


def test_another_prefix_another_encoding_and_the_charges_of_the_bank():
    (statement,) = camt("camt053_v04_prefixed.xml")
    (entry,) = statement.entries
    assert (entry.amount, entry.charges) == (Decimal("119.00"), Decimal("1.00"))
    assert (entry.name, entry.account) == ("Céline Dubois", "25-9034-2")
    assert entry.text == "Commande no 100126 merci B-100126"
    assert (entry.booked_on, entry.valued_on) == (date(2026, 11, 3), date(2026, 11, 4))
    assert (entry.bank_reference, statement.currency) == ("ZV20261103/001122", "CHF")


def test_reversals_pending_foreign_sums_and_two_accounts_in_one_file():
    francs, euros = camt("camt053_v08.xml")
    paid, back, foreign = francs.entries
    assert (paid.name, paid.amount, paid.is_reversal) == ("Kuznetsov Petr", Decimal("80.00"), False)
    assert (back.amount, back.is_reversal, back.name) == (Decimal("-35.00"), True, "Bo Ek")
    assert francs.pending == 1
    # The parts are in another currency: the booking is one movement, and no text is lost.
    assert (foreign.amount, foreign.text) == (Decimal("60.00"), "first / second")
    assert (euros.account, euros.currency) == ("40-123.456.7", "EUR")
    marks = [mark for _entry, mark in fingerprints(euros.account, euros.entries)]
    assert len(set(marks)) == len(euros.entries) == 2


def test_the_same_movement_has_the_same_mark_in_every_file():
    (statement,) = camt("camt053_v02_collective.xml")
    again = camt("camt053_v02_collective.xml")[0]
    marks = [mark for _entry, mark in fingerprints(statement.account, statement.entries)]
    assert marks == [mark for _entry, mark in fingerprints(again.account, again.entries)]
    # Twice in one file by the bank's number: once.
    assert len(list(fingerprints(statement.account, [*statement.entries, *again.entries]))) == len(marks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b"", b""), None),
        ((b"</Stmt>", b""), "damaged or cut off near line"),
        ((b"CRDT</CdtDbtInd><RvslInd>", b"MAYBE</CdtDbtInd><RvslInd>"), "came in or went out"),
        ((b'<Amt Ccy="CHF">170.50</Amt>', b'<Amt Ccy="CHF">1e999999</Amt>'), "is not a sum|too large"),
        ((b'<Amt Ccy="CHF">170.50</Amt>', b'<Amt Ccy="CHF">170.505</Amt>'), "part of a cent"),
        ((b'<Amt Ccy="CHF">170.50</Amt>', b'<Amt Ccy="CHF">-5</Amt>'), "is not a sum"),
        ((b"CH0200700110000387896", b"CH0500700110000387896"), "not a valid IBAN"),
        ((b"<BookgDt><Dt>2026-11-02</Dt></BookgDt>", b"<BookgDt><Dt>2026-31-02</Dt></BookgDt>"), "is not a date"),
        ((b"camt.053.001.02", b"pain.001.001.03"), "not a CAMT.053"),
        ((b'encoding="UTF-8"', b'encoding="klingon"'), "damaged"),
        ((b"Rutschmann", b"R\xfctschmann"), "damaged"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_its_reason(change, words):
    text = swapped("camt053_v02_collective.xml", *change)
    if words is None:
        assert read_camt(text, most=MOST)
        return
    with pytest.raises(StatementError, match=words):
        read_camt(text, most=MOST)


def test_a_cut_off_file_is_never_read_in_part():
    text = content("camt053_v02_collective.xml")
    for length in range(200, len(text) - 20, 97):
        with pytest.raises(StatementError):
            read_camt(text[:length], most=MOST)


def test_entities_other_messages_and_endless_files_are_refused():
    with pytest.raises(StatementError, match="entities"):
        camt("entities.xml")
    with pytest.raises(StatementError, match="camt.054"):
        camt("camt054.xml")
    with pytest.raises(StatementError, match="more than 1 movements"):
        read_camt(content("camt053_v08.xml"), most=1)
    with pytest.raises(StatementError, match="no statement"):
        read_camt(b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"/>', most=MOST)


@pytest.mark.parametrize(
    ("start", "words"),
    [(b"PK\x03\x04x", "zip or Excel"), (b"%PDF-1.7", "PDF"), (b"\x1f\x8b\x08", "gzip"), (b"Rar!", "rar"),
     (b"\xd0\xcf\x11\xe0", "old Excel"), (b"", "empty"), (b" \r\n", "empty")],
)  # fmt: skip
def test_files_of_another_kind_are_named(start, words):
    with pytest.raises(StatementError, match=words):
        check_kind(start)


def test_a_file_that_is_too_large_is_refused_unread():
    with pytest.raises(StatementError, match="larger than 2 MB"):
        kind_of(b"x" * 2_000_001, most_bytes=2_000_000)
    assert kind_of(content("camt053_v08.xml"), most_bytes=2_000_000) == "camt.053"
    assert kind_of(content("1c_utf8.txt"), most_bytes=2_000_000) == "1c"
    assert kind_of(content("ubs_de.csv"), most_bytes=2_000_000) == "csv"


# ---- CSV ----


def test_a_swiss_file_with_lines_above_the_table():
    statement, layout, table = csv("ubs_de.csv")
    assert table.headings[0] == "Abschlussdatum"
    urs, fee = statement.entries
    assert (urs.amount, urs.currency, urs.booked_on) == (Decimal("190.00"), "CHF", date(2026, 11, 5))
    assert "100125" in urs.text + urs.name
    assert (urs.bank_reference, fee.amount) == ("9901234TI1234567", Decimal("-3.20"))
    assert (layout.order, layout.mark) == ("ymd", ".")


def test_a_german_file_in_windows_encoding_with_commas():
    statement, layout, table = csv("sparkasse_de.csv")
    paid, power = statement.entries
    assert (table.encoding, layout.order, layout.mark) == ("cp1252", "dmy", ",")
    assert (paid.amount, paid.currency, paid.name) == (Decimal("1234.50"), "EUR", "Jürgen Groß")
    assert "Bestellung 100125 Größe L" in paid.text
    assert (paid.account, power.amount) == ("DE89370400440532013000", Decimal("-89.00"))


def test_brazilian_files():
    statement, layout, table = csv("banco_br.csv", account="0001-2345678", currency="BRL")
    paid, fee = statement.entries
    assert (paid.amount, paid.booked_on) == (Decimal("1250.00"), date(2026, 11, 5))
    assert "João da Conceição pedido 100128" in paid.text
    assert (fee.amount, layout.mark) == (Decimal("-39.90"), ",")
    assert table.encoding == "cp1252"
    statement, layout, _table = csv("nubank_br.csv", currency="BRL")
    assert [entry.amount for entry in statement.entries] == [Decimal("149.90"), Decimal("-50.00")]
    assert statement.entries[0].bank_reference == "6549e0a1-1111-4c1a-9e0e-000000000001"


def test_lines_that_are_no_movement_are_left_out_and_named():
    assert csv("banco_br.csv", account="0001-2345678", currency="BRL")[0].left_out == [4]
    assert csv("sber_ru.csv", account="40702810900000005555", currency="RUB")[0].left_out == [6]


def test_a_last_line_that_is_cut_off_is_an_error():
    text = content("nubank_br.csv")
    for length in (len(text) - 45, len(text) - 75):
        table = read_table(text[:length], most=MOST)
        with pytest.raises(StatementError, match=r"line 3 \(cut off\)"):
            csv_file.read_csv(table, csv_file.guess_layout(table), account="X1234", currency="BRL")


def test_a_french_file_with_two_columns_of_sums():
    statement, _layout, table = csv("credit_fr.csv", currency="EUR")
    assert [entry.amount for entry in statement.entries] == [Decimal("1234.50"), Decimal("-2.50")]
    assert table.encoding == "utf-8"
    assert statement.entries[0].text == "VIR SEPA DUBOIS CELINE COMMANDE 100126"


def test_a_russian_file_in_windows_encoding_with_quotes_that_do_not_pair():
    statement, _layout, table = csv("sber_ru.csv", account="40702810900000005555", currency="RUB")
    assert table.encoding == "cp1251"
    paid, fee = statement.entries
    assert (paid.name, paid.amount) == ("Кузнецов Пётр Ильич", Decimal("12500.00"))
    assert fee.name == 'ООО "Ромашка"'


def test_an_english_file_with_times():
    statement, _layout, _table = csv("revolut_en.csv", currency="EUR")
    (entry,) = statement.entries
    assert (entry.amount, entry.booked_on, entry.currency) == (Decimal("1020.00"), date(2026, 11, 5), "EUR")


def test_lines_that_cannot_be_read_are_named_and_nothing_is_taken():
    text = b"Date;Name;Amount\n" + b"".join(b"05.11.2026;A;%s\n" % word for word in [b"1.00", b"x", b"2.00", b"1.2.3"])
    table = read_table(text, most=MOST)
    with pytest.raises(StatementError, match=r"line 3 \(“x” is not a sum\), line 5") as caught:
        csv_file.read_csv(table, csv_file.guess_layout(table), account="X1234", currency="CHF")
    assert "Nothing was taken" in str(caught.value)


def test_quotation_marks_that_swallow_the_rest_are_an_error():
    text = b'Date;Name;Amount\n05.11.2026;"A;1.00\n06.11.2026;B;2.00\n'
    with pytest.raises(StatementError, match="quotation marks"):
        read_table(text + b'07.11.2026;"C;more;3.00\n', most=MOST)


def test_a_layout_that_says_too_little_or_too_much_is_refused():
    roles = csv_file.problems
    assert "booking date" in roles(Layout(("amount", "text")))[0]
    assert "the sum" in roles(Layout(("date", "text")))[0]
    assert "Only one column" in roles(Layout(("date", "amount", "amount")))[0]
    assert "either one column" in roles(Layout(("date", "amount", "debit")))[0]
    assert roles(Layout(("date", "amount", "bogus")))
    assert roles(Layout(("date", "amount"), order="xyz"))
    assert not roles(Layout(("date", "text", "text", "amount")))


def test_a_direction_beside_the_sum():
    table = read_table(b"Datum;Betrag;Soll/Haben;Text\n05.11.2026;5,00;S;a\n06.11.2026;7,00;H;b\n", most=MOST)
    layout = csv_file.guess_layout(table)
    read = csv_file.read_csv(table, layout, account="X1234", currency="CHF")
    assert [entry.amount for entry in read.entries] == [Decimal("-5.00"), Decimal("7.00")]


def test_files_without_headings_and_with_a_hint_of_excel():
    table = read_table(b"sep=,\n05.11.2026,Ana,5.00\n06.11.2026,Bob,6.00\n", most=MOST)
    assert (table.has_headings, table.delimiter, len(table.rows)) == (False, ",", 2)
    assert table.rows[0].line == 2
    assert csv_file.guess_layout(table).of("date") == 0


def test_what_is_no_table_is_refused():
    for text in (b"hello\nworld\n", b"a;b\nc;d\n", b"\0\1\2;;;\n"):
        with pytest.raises(StatementError):
            read_table(text, most=MOST)
    with pytest.raises(StatementError, match="more than 5 lines"):
        read_table(b"a;b;c\n" + b"1;2;3\n" * 100, most=5)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_russian_text_in_any_encoding(encoding):
    text = "Дата;Плательщик;Сумма\n05.11.2026;Иванов;1,00\n"
    assert decode(text.encode(encoding))[0] == text


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1"])
def test_western_text_in_any_encoding(encoding):
    text = "Date;Libellé;Crédit\n05.11.2026;Reçu à Genève, Zürich, São João;1,00\n"
    assert decode(text.encode(encoding))[0] == text


# ---- Sums and days ----


SUMS = st.decimals(min_value=Decimal("-9999999999.99"), max_value=Decimal("9999999999.99"), places=2)


@given(SUMS, st.sampled_from(["'", "’", " ", "\u00a0", "\u202f", "other", ""]), st.sampled_from([".", ","]))
def test_any_sum_written_any_way_is_read_as_it_is(amount, between, mark):
    other = "," if mark == "." else "."
    between = other if between == "other" else between
    whole, cents = f"{abs(amount):,.2f}".split(".")
    text = whole.replace(",", between) + mark + cents
    for written in (
        (f"-{text}", f"{text}-", f"({text})", f"- {text}", f"CHF -{text}")
        if amount < 0
        else (text, f"+{text}", f"R$ {text}")
    ):
        assert parse_sum(written, mark) == amount


@given(st.text(alphabet="0123456789.,'- +()CHFx", max_size=14))
def test_whatever_stands_there_is_a_sum_or_refused(text):
    for mark in ".,":
        try:
            assert isinstance(parse_sum(text, mark), Decimal)
        except ValueError:
            continue


@pytest.mark.parametrize(
    "text", ["", "-", "1.2.3", "12,34,5", "1'23", "--1", "(-1)", "1e5", "NaN", "٣", "1 2345", "5-6"]
)
def test_what_is_no_sum(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_sum(text, ".")


@pytest.mark.parametrize(
    ("texts", "mark"),
    [(["1.234,50"], ","), (["1,234.50"], "."), (["1.234", "5,00"], ","), (["1.234", "1.500.000"], ","),
     (["12,5"], ","), (["100", "200"], "."), (["1'000.50"], "."), ([], ".")],
)  # fmt: skip
def test_the_decimal_mark_of_a_column(texts, mark):
    assert guess_mark(texts) == mark


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2050, 12, 31)), st.sampled_from(sorted(DATE_FORMATS)))
def test_any_day_is_read_as_it_was_written(day, order):
    for pattern in DATE_FORMATS[order]:
        assert parse_day(day.strftime(pattern), order) == day
        assert parse_day(f"{day.strftime(pattern)} 23:59:59", order) == day
        if order in fitting_orders([day.strftime(pattern)]):
            continue
        raise AssertionError(pattern)


# ---- 1C ----


@pytest.mark.parametrize("name", ["1c_windows.txt", "1c_utf8.txt", "1c_dos.txt"])
def test_a_file_for_1c(name):
    (statement,) = read_one_c(content(name), most=MOST)
    assert (statement.account, statement.currency) == ("40702810900000005555", "RUB")
    assert (statement.begins, statement.ends) == (date(2026, 11, 5), date(2026, 11, 6))
    paid, fee = statement.entries
    assert (paid.amount, paid.name, paid.booked_on) == (Decimal("12500.00"), "Кузнецов Пётр Ильич", date(2026, 11, 5))
    assert paid.text == "Оплата заказа № 100129 (счёт = договор), без НДС"
    assert (fee.amount, fee.name) == (Decimal("-990.00"), 'АО "Банк"')
    assert statement.pending == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("КонецФайла", "", "cut off"),
        ("1CClientBankExchange", "Something", "does not begin"),
        ("РасчСчет=40702810900000005555", "Счета=нет", "no account"),
        ("Сумма=12500.00", "Сумма=много", "is not a sum"),
        ("ДатаПоступило=05.11.2026", "ДатаПоступило=05.13.2026", "is not a date"),
    ],
)
def test_a_1c_file_that_is_not_whole_is_refused(old, new, words):
    with pytest.raises(StatementError, match=words):
        read_one_c(swapped("1c_utf8.txt", old.encode(), new.encode()), most=MOST)


def test_a_1c_file_cut_off_anywhere_is_refused():
    text = content("1c_utf8.txt")
    for length in range(30, len(text) - 25, 53):
        with pytest.raises(StatementError):
            read_one_c(text[:length], most=MOST)
    with pytest.raises(StatementError, match="more than 2 movements"):
        read_one_c(text, most=2)


# ---- References and accounts ----


NUMBERS = st.text(alphabet="0123456789ABCXYZ", min_size=1, max_size=20)


@given(NUMBERS, st.integers(min_value=1, max_value=10**17))
def test_every_reference_of_ours_leads_back_to_its_order(number, serial):
    qr = references.read_reference(references.qr_reference(references.numeric(number, serial)))
    rf = references.read_reference(references.creditor_reference(references.alphanumeric(number, serial)))
    for hint in (qr, rf):
        assert hint in (references.Hint(number=number), references.Hint(serial=serial))


def test_references_lead_back_to_the_order():
    assert references.read_reference("00 00000 00000 00000 00010 01233").number == "100123"
    assert references.read_reference("000000000000000000001001234") is None
    assert references.read_reference("RF18539007547034").number == "539007547034"
    assert references.read_reference("RF19539007547034") is None
    assert references.references_in("Zahlung RF18 5390 0754 7034 danke") == ["RF18539007547034"]
    assert references.references_in("ref 000000000000000000001001233.") == ["000000000000000000001001233"]
    assert references.read_reference("") is None


def test_accounts_are_checked_and_masked():
    assert check_account("CH93 0076 2011 6238 5295 7") == "CH9300762011623852957"
    for wrong in ("CH9400762011623852957", "", "x", "a b", "12;DROP"):
        with pytest.raises(StatementError):
            check_account(wrong)
    assert mask_account("CH9300762011623852957") == "CH••••2957"
    assert mask_account("40817810099910004312") == "••••4312"
    assert mask_account("") == ""
