"""The readers of tracking codes (CSV) and of carriers' occurrences (Proceda OCOREN): text in, plain data out."""

import tracemalloc
from datetime import UTC, date, datetime

import pytest

from oscar_fulfillment.carriers.events import IncidentClass, Meaning, TrackingState
from oscar_fulfillment.imports import ocoren, ocoren_codes, tracking_csv
from oscar_fulfillment.statements.base import StatementError

pytestmark = pytest.mark.feature("A12", "E4", "C1")

CODE, OTHER = "AA123456785BR", "BR000000015BR"


def read(content, **roles):
    """The rows of a file with the layout that is guessed, or with these roles by column."""
    if isinstance(content, str):
        content = content.encode()
    file = tracking_csv.open_file(content)
    layout = tracking_csv.guess_layout(file.table)
    if roles:
        listed = [""] * len(file.table.headings)
        for role, index in roles.items():
            listed[index] = role
        layout = tracking_csv.Layout(tuple(listed), layout.order)
    return list(tracking_csv.read_codes(file, layout))


def pairs(content, **roles):
    return [(row.order, row.code) for row in read(content, **roles)]


# ---- CSV ----


@pytest.mark.parametrize(
    "heading",
    [
        "Order number,Tracking code",
        "Número do pedido,Código de rastreio",
        "Nº Pedido,Código do objeto",
        "Número de pedido,Número de seguimiento",
        "Numéro de commande,Numéro de suivi",
        "N° de commande,N° de suivi",
        "Номер заказа,Трек-номер",
        "ORDER_ID,TRACKING_NUMBER",
    ],
)
def test_columns_are_known_by_their_headings_in_five_languages(heading):
    assert pairs(f"{heading}\n100123,{CODE}\n") == [("100123", CODE)]


def test_all_columns_and_their_order_do_not_matter():
    (row,) = read(
        f"Transportadora;Remessa;Rastreio;Observação;Pedido;Data de envio\nCorreios;2;{CODE};x;#100123;05/11/2026\n"
    )
    assert row == tracking_csv.CodeRow(2, "100123", CODE, "Correios", "2", date(2026, 11, 5))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_signs_between_cells_line_ends_and_the_mark_in_front(delimiter, newline, mark):
    lines = [f"Order{delimiter}Tracking", f"1{delimiter}{CODE}", "", f'"2"{delimiter}"{OTHER}"', ""]
    assert pairs(mark + newline.join(lines)) == [("1", CODE), ("2", OTHER)]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Número do pedido;Código de rastreio;Cliente\n1;{code};João Conceição\n", "latin-1"),
        ("Numéro de commande;Numéro de suivi;Client\n1;{code};Zoé\n", "cp1252"),
        ("Номер заказа;Трек-номер;Клиент\n1;{code};Дмитрий Лебедев\n", "cp1251"),
        ("Номер заказа;Трек-номер\n1;{code}\n", "utf-16"),
        ("Номер заказа;Трек-номер\n1;{code}\n", "utf-8-sig"),
    ],
)
def test_encodings_of_spreadsheets(text, encoding):
    assert pairs(text.format(code=CODE).encode(encoding)) == [("1", CODE)]


def test_a_first_line_that_names_the_sign_and_lines_above_the_headings():
    assert pairs(f"sep=;\nOrder;Tracking\n1;{CODE}\n") == [("1", CODE)]
    assert pairs(f"Report of 5 November\n\nOrder;Tracking;Carrier\n1;{CODE};x\n2;{OTHER};y\n") == [
        ("1", CODE),
        ("2", OTHER),
    ]


def test_files_without_headings_are_asked_for_their_columns():
    for first in ("100123", "T000012"):
        file = tracking_csv.open_file(f"{first};{CODE}\n100124;{OTHER}\n".encode())
        assert not file.table.has_headings
        assert tracking_csv.problems(tracking_csv.guess_layout(file.table))
        assert pairs(f"{first};{CODE}\n100124;{OTHER}\n", order=0, code=1) == [(first, CODE), ("100124", OTHER)]


def test_what_spreadsheets_put_around_a_cell_is_taken_off_and_formulas_stay_text():
    rows = f'Order,Tracking\n="00123","=""{CODE}"""\n\'=1+1,\'{OTHER}\n=1+1,=cmd|\' /C calc\'!A0\n'
    assert pairs(rows) == [("00123", CODE), ("=1+1", OTHER), ("=1+1", "=cmd"), ("=1+1", "' /C calc'!A0")]


def test_a_cell_with_several_codes_gives_several_rows_of_the_same_line():
    rows = read(f'Order;Tracking\n1;"{CODE}, {OTHER}"\n2;AA 123 456 785 BR\n')
    assert [(row.line, row.order, row.code) for row in rows] == [
        (2, "1", CODE), (2, "1", OTHER), (3, "2", "AA 123 456 785 BR"),
    ]  # fmt: skip


def test_rows_that_lack_something_say_what_and_empty_ones_say_nothing():
    rows = read(f"Order,Tracking,Sent\n1,,\n,{CODE},\n,,\n2,{OTHER},the day before\n3,{CODE},31/11/2026\n")
    assert [(row.line, row.problem) for row in rows] == [
        (2, "The tracking code is missing."),
        (3, "The order number is missing."),
        (5, "“the day before” is not a day."),
        (6, "“31/11/2026” is not a day."),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"  \n\r\n\0", "empty"),
        (b"PK\x03\x04abc", "zip or Excel"),
        (b"%PDF-1.7", "Ask for the data as a text file"),
        (b"hello", "at least an order number and a tracking code"),
        (b"Order\n1\n2\n", "at least an order number and a tracking code"),
        (b"Order,Tracking\n1,\0\0", "zero bytes"),
        (b'Order,Tracking\n1,"AA123', "quotation marks"),
    ],
)
def test_files_that_cannot_be_read_are_refused_in_words(content, words):
    with pytest.raises(StatementError, match=words):
        read(content)


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (("order", ""), "which the tracking code"),
        (("", "code"), "which column holds the order number"),
        (("order", "order"), "Only one column can be “Order number”"),
        (("order", "password"), "Choose one of the answers"),
    ],
)
def test_a_layout_that_does_not_do_is_refused(roles, words):
    file = tracking_csv.open_file(b"a,b\n1,2\n")
    with pytest.raises(StatementError, match=words):
        list(tracking_csv.read_codes(file, tracking_csv.Layout(roles)))


def test_damage_far_down_the_file_is_found_when_it_is_read_to_its_end():
    body = "".join(f"{n},{CODE}\n" for n in range(2000))
    file = tracking_csv.open_file(f'Order,Tracking\n{body}9999,"AA1\n'.encode())
    with pytest.raises(StatementError, match="quotation marks"):
        list(tracking_csv.read_codes(file, tracking_csv.guess_layout(file.table)))


def test_many_rows_take_no_more_memory_than_the_files_text():
    body = "".join(f"{100000 + n};AA{n:09d}BR;Correios;05/11/2026\n" for n in range(20_000))
    content = f"Pedido;Rastreio;Transportadora;Data\n{body}".encode()
    tracemalloc.start()
    file = tracking_csv.open_file(content)
    layout = tracking_csv.guess_layout(file.table)
    count = sum(1 for row in tracking_csv.read_codes(file, layout) if not row.problem)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{len(content) / 1e6:.1f} MB: peak {peak / 1e6:.1f} MB")
    assert count == 20_000
    assert peak < 6 * len(content)


# ---- OCOREN ----

HEAD3 = "000" + "TRANSPORTES RAPIDO".ljust(35) + "PONTO E VIRGULA".ljust(35) + "0511261430" + "OCO0511143001".ljust(37)
DOC3, CARRIER3 = "340OCORR05111430".ljust(120), ("34112345678000195" + "RAPIDO LTDA".ljust(40)).ljust(120)


def record3(
    number, code, day="05112026", time="1430", *, series="1", observation="00", text="", sender="11444777000161"
):
    return f"342{sender}{series.ljust(3)}{number:>08}{code}{day}{time}{observation}{text[:70].ljust(70)}".ljust(120)


def record5(number, code, day="05112026", time="1430", *, series="1", observation="00", sender="11444777000161"):
    return f"542{sender}{series.ljust(3)}{number:>09}{code:>03}{day}{time}{observation}".ljust(250)


def file3(*records):
    return "\r\n".join([HEAD3, DOC3, CARRIER3, *records, ""])


def occurrences(text, encoding="latin-1"):
    return list(ocoren.read_occurrences(ocoren.read_text(text.encode(encoding))))


def test_an_occurrence_of_layout_3():
    (found,) = occurrences(file3(record3("40935", "01", text="RECEBIDO POR JOSÉ")))
    assert found == ocoren.Occurrence(
        4, "11444777000161", "1", "40935", "01", "", datetime(2026, 11, 5, 17, 30, tzinfo=UTC), "RECEBIDO POR JOSÉ",
        "RAPIDO LTDA",
    )  # fmt: skip
    assert found.invoice == "40935/1"
    event = found.event()
    assert (event.code, event.state, event.text, event.note) == (
        "OCO/01", TrackingState.DELIVERED, "Entrega realizada", "RECEBIDO POR JOSÉ",
    )  # fmt: skip


def test_records_as_carriers_send_them():
    """Without header fields of the full width, without the filling at the end, with the series aligned either way."""
    text = (
        "000CARRIER                            SHOP DE PRODUTOS                   0203200826OCO020308261\n"
        "340OCORR020308261\n"
        "34148740351001641CARRIER TRANSPORTES URGENTES LTDA\n"
        "3420210189400188023 000409350128022020120000\n"
        "34202101894001880004000409363528022020\n"
    )
    first, second = occurrences(text)
    assert (first.sender, first.series, first.number, first.code) == ("02101894001880", "23", "40935", "01")
    assert first.occurred_at == datetime(2020, 2, 28, 15, 0, tzinfo=UTC)
    assert (second.series, second.number, second.code, second.observation) == ("4", "40936", "35", "")
    assert second.occurred_at == datetime(2020, 2, 28, 3, 0, tzinfo=UTC)  # no time: the day's beginning there


def test_layout_5_with_its_texts_in_a_record_of_their_own():
    head = ["000".ljust(250), "540OCORR".ljust(250), ("54112345678000195" + "RAPIDO LTDA".ljust(50)).ljust(250)]
    more = "543" + "Portão fechado".ljust(70) + "Volta amanhã".ljust(70) + " " * 70
    text = "\n".join([*head, record5("123456789", "21"), more.ljust(250), record5("7", "110"), "549".ljust(250)])
    first, second = occurrences(text, "utf-8")
    assert (first.number, first.code, first.text, first.carrier) == (
        "123456789", "21", "Portão fechado Volta amanhã", "RAPIDO LTDA",
    )  # fmt: skip
    assert first.event().incident == IncidentClass.CLOSED
    assert (second.code, second.text, second.event().state) == ("110", "", TrackingState.UNKNOWN)


@pytest.mark.parametrize(
    ("code", "observation", "state", "incident"),
    [
        ("01", "03", TrackingState.DELIVERED, None),
        ("01", "01", TrackingState.DELIVERY_FAILED, IncidentClass.REFUSED),
        ("01", "02", TrackingState.DELIVERED_IN_PART, IncidentClass.PARTIAL_DELIVERY),
        ("46", "00", TrackingState.DELIVERY_FAILED, IncidentClass.ABSENT),
        ("29", "00", TrackingState.READY_FOR_PICKUP, IncidentClass.AWAITING_PICKUP),
        ("98", "00", TrackingState.IN_TRANSIT, None),
        ("99", "00", TrackingState.INFO, None),
    ],
)
def test_codes_and_observations_mean_one_thing(code, observation, state, incident):
    (found,) = occurrences(file3(record3("1", code, observation=observation)))
    event = found.event()
    assert (event.state, event.incident) == (state, incident)


def test_the_code_table_is_whole_and_delivered_only_where_it_says_so():
    plain = {code: meaning for code, meaning in ocoren_codes.CODES.items() if code.count("/") == 1}
    assert sorted(plain) == [f"OCO/{number:02d}" for number in range(100)]
    assert all(isinstance(meaning, Meaning) and meaning.text for meaning in plain.values())
    delivered = {code for code, meaning in plain.items() if meaning.state == TrackingState.DELIVERED}
    assert delivered == {"OCO/01", "OCO/24", "OCO/31"}
    assert TrackingState.UNKNOWN not in {meaning.state for meaning in plain.values()}
    (back,) = occurrences(file3(record3("1", "25")))
    assert back.event().is_return


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (record3("1", "01")[:34], "cut off"),
        (record3("", "01"), "names no invoice"),
        (record3("ABC", "01"), "names no invoice"),
        (record3("1", "  "), "no occurrence code"),
        (record3("1", "X1"), "no occurrence code"),
        (record3("1", "01", day="31112026"), "“31112026 1430” is not a day and time"),
        (record3("1", "01", day="00000000"), "is not a day and time"),
        (record3("1", "01", day="05111026"), "is not a day and time"),
        (record3("1", "01", time="2561"), "is not a day and time"),
        (record3("1", "01", time="14H0"), "is not a day and time"),
        ("999 something else".ljust(120), "none of OCOREN: 999 something else"),
        ("<script>alert(1)</script>".ljust(120), "none of OCOREN"),
    ],
)
def test_a_record_that_cannot_be_read_says_why_and_the_others_are_read(record, words):
    wrong, right = occurrences(file3(record, record3("2", "01")))
    assert words in wrong.problem
    assert wrong.line == 4
    assert (right.number, right.problem) == ("2", "")


def test_midnight_is_written_in_two_ways():
    late, early = occurrences(file3(record3("1", "01", time="2400"), record3("1", "01", day="06112026", time="0000")))
    assert late.occurred_at == early.occurred_at == datetime(2026, 11, 6, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"%PDF-1.7", "PDF"),
        (b"Order,Tracking\n1,2\n", "no OCOREN"),
        (HEAD3.encode(), "no occurrence"),
        ("\n".join([HEAD3, DOC3, CARRIER3]).encode(), "no occurrence"),
        (HEAD3.encode() + b"\n342\0", "zero bytes"),
    ],
)
def test_other_files_are_refused_in_words(content, words):
    with pytest.raises(StatementError, match=words):
        ocoren.read_text(content)


def test_many_occurrences_take_no_more_memory_than_the_files_text():
    content = file3(*[record3(str(n + 1), "01") for n in range(20_000)]).encode()
    tracemalloc.start()
    count = sum(1 for found in ocoren.read_occurrences(ocoren.read_text(content)) if not found.problem)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{len(content) / 1e6:.1f} MB: peak {peak / 1e6:.1f} MB")
    assert count == 20_000
    assert peak < 2 * len(content)
