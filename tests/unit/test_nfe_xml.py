"""Files that strangers hand in: read, or refused with a reason; never a crash, never a fetch, never a bomb."""

import gzip
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oscar_fulfillment.fiscal import nfe_xml
from oscar_fulfillment.fiscal.nfe_facts import read_nfe
from oscar_fulfillment.fiscal.nfe_findings import NfeError
from oscar_fulfillment.test import nfe

pytestmark = pytest.mark.feature("A10", "Z5")

MB = 1_000_000
NOTE = nfe.make_note(number=1, order_number="100123", text="São Paulo, ação")
PLAIN = NOTE.split(b"?>", 1)[1]
EVENT = nfe.make_cancellation(nfe.key_of(NOTE))


def refusal(content, most_bytes=3 * MB):
    with pytest.raises(NfeError) as told:
        read_nfe(content, most_bytes=most_bytes)
    assert str(told.value)
    assert "%(" not in str(told.value)
    return told.value.finding.code


def outcome(content):
    """What was read, or why it was not; anything else is a crash."""
    try:
        return read_nfe(content, most_bytes=MB)
    except NfeError as error:
        return error


def note_of(content):
    return read_nfe(content, most_bytes=3 * MB).note


def test_a_note_is_read_field_by_field():
    note = note_of(nfe.make_note(
        number=7, series=3, order_number="#100123", text="Pedido 100123", total="25.90",
        items=[nfe.item(sku="A1", quantity=2, amount="20.00", ean="7891000315507", order="X9")],
    ))  # fmt: skip
    assert (note.number, note.series, note.model, note.uf) == ("7", "3", "55", "35")
    assert (note.environment, note.direction, note.purpose) == ("1", "1", "1")
    assert (note.issuer, note.recipient, note.recipient_name) == ("11222333000181", nfe.BUYER, "Ana Souza")
    assert (str(note.total), note.postcode, note.volumes) == ("25.90", "01310100", 1)
    assert note.issued_at.tzinfo is not None
    assert [(i.code, i.ean, int(i.quantity), str(i.amount)) for i in note.items] == [
        ("A1", "7891000315507", 2, "20.00")
    ]
    assert note.order_numbers == ("#100123", "X9")
    assert note.texts == ("Pedido 100123",)
    assert (note.status, note.protocol_key == note.key, note.protocol_digest == note.digest) == ("100", True, True)


def test_an_event_is_read_with_its_answer():
    event = read_nfe(EVENT, most_bytes=MB).event
    assert (event.kind, event.status, event.is_registered) == ("cancellation", "135", True)
    assert event.reason == "Cliente desistiu da compra"
    assert event.key == nfe.key_of(NOTE)


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    + b"".join(b'<!ENTITY %c "%s">' % (99 + i, b"&%c;" % (98 + i) * 10) for i in range(8))
    + b"]><nfeProc>&j;</nfeProc>"
)
HOSTILE = {
    "an empty file": (b"", "empty"),
    "spaces only": (b" \r\n\t ", "empty"),
    "zero bytes only": (b"\0" * 50, "empty"),
    "a PDF": (b"%PDF-1.7\n", "pdf"),
    "gzip": (gzip.compress(NOTE), "packed"),
    "rar": (b"Rar!\x1a\x07", "packed"),
    "plain text": (b"Nota fiscal 123", "not_xml"),
    "half a note": (NOTE[: len(NOTE) // 2], "not_xml"),
    "two roots": (NOTE + PLAIN, "not_xml"),
    "html": (b"<!DOCTYPE html><html><body>Acesso negado</body></html>", "dtd"),
    "html without a doctype": (b"<html><body>Acesso negado</body></html>", "not_nfe"),
    "a billion laughs": (BOMB, "dtd"),
    "an entity that reads a file": (
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + PLAIN.replace(b"Caneca", b"&e;"), "dtd"),
    "an entity that asks a server": (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + PLAIN, "dtd"),
    "a lower case doctype": (b"<!doctype x>" + PLAIN, "dtd"),
    "a doctype in UTF-16": (("<!DOCTYPE x []>" + PLAIN.decode()).encode("utf-16"), "dtd"),
    "an entity nobody declared": (PLAIN.replace(b"Caneca", b"&caneca;"), "not_xml"),
    "endless depth": (b"<a>" * 200 + b"</a>" * 200, "depth"),
    "depth beyond the parser": (b"<a>" * 100_000 + b"</a>" * 100_000, "not_xml"),
    "UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?><a/>', "encoding"),
    "an encoding of nobody": (b'<?xml version="1.0" encoding="klingon"?><a/>', "encoding"),
    "damaged UTF-16": (b"\xff\xfe\x00", "not_xml"),
    "another namespace": (NOTE.replace(nfe_xml.NFE.encode(), b"http://evil.example/nfe"), "namespace"),
    "no namespace": (NOTE.replace(b' xmlns="' + nfe_xml.NFE.encode() + b'"', b""), "namespace"),
    "a freight document": (b'<cteProc xmlns="http://www.portalfiscal.inf.br/cte"><CTe/></cteProc>', "cte"),
    "a request for numbers": (b'<inutNFe xmlns="http://www.portalfiscal.inf.br/nfe"/>', "not_nfe"),
    "an event without anything": (b'<procEventoNFe xmlns="http://www.portalfiscal.inf.br/nfe"/>', "not_nfe"),
    "two notes": (NOTE.replace(b"</nfeProc>", PLAIN + b"</nfeProc>"), "several"),
    "two bodies in one note": (NOTE.replace(b"</infNFe>", b"</infNFe><infNFe Id='NFe1'/>"), "several"),
    "a note without a body": (b'<NFe xmlns="http://www.portalfiscal.inf.br/nfe"/>', "damaged"),
    "a body outside its note": (
        b'<a xmlns="http://www.portalfiscal.inf.br/nfe"><NFe/><infNFe Id="NFe1"/></a>', "damaged"),
    "two events": (EVENT.replace(b"</procEventoNFe>", EVENT + b"</procEventoNFe>"), "several"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_none_is_refused_with_its_reason(name):
    content, code = HOSTILE[name]
    assert refusal(content) == code


def test_a_file_of_50_mb_is_not_even_parsed():
    began = time.monotonic()
    assert refusal(b"<a>" + b" " * 50 * MB + b"</a>") == "too_large"
    assert time.monotonic() - began < 1


FIELDS = ("nNF", "serie", "mod", "cUF", "tpAmb", "tpNF", "finNFe", "dhEmi", "vNF", "emit")


@pytest.mark.parametrize("field", FIELDS)
def test_a_note_without_one_of_its_fields_says_which(field):
    gone = re.sub(rf"<{field}>.*?</{field}>".encode(), b"", NOTE, count=1, flags=re.S)
    with pytest.raises(NfeError, match=field):
        read_nfe(gone, most_bytes=MB)


@pytest.mark.parametrize(
    ("field", "value"),
    [("vNF", "dez"), ("vNF", "1,50"), ("vNF", "1e9"), ("vNF", "-5.00"), ("vNF", "٣.00"), ("vNF", "9" * 40), ("vNF", "NaN"),
     ("qCom", "many"), ("vProd", "<b/>"), ("dhEmi", "ontem"), ("dhEmi", "2026-13-01T00:00:00-03:00"),
     ("dhEmi", "0001-01-01T00:00:00+23:59")],
)  # fmt: skip
def test_a_field_that_cannot_be_read_is_refused_or_read_harmlessly(field, value):
    changed = re.sub(rf"<{field}>.*?</{field}>", f"<{field}>{value}</{field}>", NOTE.decode(), count=1)
    if value.startswith("0001"):
        assert note_of(changed.encode()).issued_at.year == 1
    else:
        with pytest.raises(NfeError, match=field):
            read_nfe(changed.encode(), most_bytes=MB)


# ---- Encodings ----


@pytest.mark.parametrize(
    ("content", "recoded"),
    [
        (NOTE, False),
        (b"\xef\xbb\xbf" + NOTE, False),
        (b"\r\n" + PLAIN + b"\n", False),
        (NOTE.decode().encode("utf-16"), False),
        (NOTE.replace(b"UTF-8", b"ISO-8859-1").decode().encode("latin-1"), False),
        (NOTE.replace(b"UTF-8", b"windows-1252").decode().encode("cp1252"), False),
        # Says UTF-8, and is not.
        (NOTE.decode().encode("cp1252"), True),
    ],
)
def test_notes_are_read_in_the_encodings_that_programs_save_them_in(content, recoded):
    found = read_nfe(content, most_bytes=MB)
    assert found.note.texts == ("São Paulo, ação",)
    assert ("recoded" in found.warnings) is recoded


# ---- What is read is what is signed ----


def test_a_comment_inside_a_value_does_not_change_the_value():
    """As the signature sees it: comments are nothing. A reader that stops at one would read 1 instead of 10."""
    assert str(note_of(NOTE.replace(b"<vNF>10.00", b"<vNF>1<!-- 0 -->0.00")).total) == "10.00"


def test_a_note_hidden_in_a_comment_is_not_read():
    other = nfe.make_note(number=99, total="99.00").split(b"?>", 1)[1]
    for place in (b"<!--" + other + b"-->" + PLAIN, PLAIN.replace(b"<NFe", b"<!--" + other + b"--><NFe")):
        assert note_of(place).number == "1"
    hidden = b'<a xmlns="http://www.portalfiscal.inf.br/nfe"><!--' + other + b"--><NFe><infNFe/></NFe></a>"
    assert refusal(hidden) == "damaged"
    assert note_of(PLAIN.replace(b"<protNFe", b"<x><![CDATA[<NFe>]]></x><protNFe")).number == "1"


# ---- Anything at all ----


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_no_bytes_do_harm(content):
    with pytest.raises(NfeError) as told:
        read_nfe(content, most_bytes=MB)
    assert str(told.value)


@given(st.integers(0, len(NOTE) - 1), st.binary(min_size=1, max_size=6), st.booleans())
@settings(max_examples=400, deadline=None)
def test_a_note_damaged_anywhere_is_read_or_refused(place, noise, replaces):
    content = NOTE[:place] + noise + NOTE[place + (len(noise) if replaces else 0) :]
    found = outcome(content)
    assert str(found) if isinstance(found, NfeError) else found.note is not None


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)


@given(st.recursive(TEXT.map(lambda t: t.replace("<", "").replace("&", "")),
                    lambda inner: st.builds(lambda n, a, b: f"<{n} xmlns='{nfe_xml.NFE}'>{a}{b}</{n}>",
                                            st.sampled_from(["NFe", "infNFe", "ide", "evento", "infEvento", "retEvento",
                                                             "protNFe", "infProt", "infCanc", "cStat", "chNFe", "x"]),
                                            inner, inner), max_leaves=25))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_the_tax_offices_words_in_any_order_do_no_harm(inner):
    found = outcome(f"<a>{inner}</a>".encode())
    assert str(found) if isinstance(found, NfeError) else found.event is not None
