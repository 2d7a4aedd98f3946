"""The DANFE: drawn in the layout of its day, its bar code read back, cancelled ones marked, broken ones refused."""

from datetime import datetime, timedelta, timezone

import pytest

from oscar_fulfillment.documents import DocumentError, danfe
from oscar_fulfillment.documents.danfe import danfe_labels_pdf, danfe_pdf, has_danfe
from oscar_fulfillment.fiscal.emission.build import build_note
from oscar_fulfillment.fiscal.emission.requests import join_proc
from oscar_fulfillment.test.fiscal import DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC
from oscar_fulfillment.test.nfe import sign
from tests import pdf

from .test_emission_build import facts, line

pytestmark = pytest.mark.feature("A9", "Z5")

BRASILIA = timezone(timedelta(hours=-3))
DAYS = {
    "MOC 7.0": datetime(2026, 11, 30, 12, tzinfo=BRASILIA),
    "NT 2026.010": datetime(2026, 12, 1, 12, tzinfo=BRASILIA),
}


def note(**said):
    built = build_note(facts(**said))
    protocol = (
        f'<protNFe versao="4.00"><infProt><tpAmb>2</tpAmb><verAplic>SP</verAplic><chNFe>{built.key.text}</chNFe>'
        "<dhRecbto>2026-11-30T12:00:05-03:00</dhRecbto><nProt>135260000000001</nProt><digVal>A</digVal>"
        "<cStat>100</cStat><xMotivo>Autorizado o uso da NF-e</xMotivo></infProt></protNFe>"
    )
    return built.key.text, join_proc(sign(built.xml.decode()).encode(), protocol)


@pytest.mark.parametrize("cnpj", [DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC], ids=["digits", "letters"])
@pytest.mark.parametrize("layout", list(DAYS))
def test_a_danfe_and_its_label_are_read_back_by_a_scanner(layout, cnpj):
    key, proc = note(issued_at=DAYS[layout], cnpj=cnpj)
    made = danfe_pdf([(proc, False)])
    assert pdf.codes(made, scale=6) == [key]
    words = pdf.words(made)
    assert "135260000000001" in words.replace(" ", "")
    assert "SEM VALOR FISCAL" in words
    assert ("CBS" in words) == (layout == "NT 2026.010")
    assert pdf.codes(danfe_labels_pdf([(proc, False)]), scale=6) == [key]


def test_many_are_one_file_and_a_cancelled_one_says_so():
    notes = [note(number=number) for number in (1, 2, 3)]
    made = danfe_pdf([(proc, number == 1) for number, (_key, proc) in enumerate(notes)])
    assert pdf.codes(made) == [key for key, _proc in notes]
    assert ["CANCELADA" in page for page in pdf.pages(made)] == [False, True, False]
    labels = danfe_labels_pdf([(proc, True) for _key, proc in notes[:2]])
    assert all("CANCELADA" in page for page in pdf.pages(labels))


def test_a_long_note_has_several_pages():
    _key, proc = note(number=9)
    many = tuple(
        line(reference=str(n), title=f"Caneca de porcelana pintada à mão, modelo {n}, {'x' * 60}") for n in range(60)
    )
    from dataclasses import replace

    built = build_note(replace(facts(), lines=many))
    assert len(pdf.pages(danfe_pdf([(sign(built.xml.decode()).encode(), False)]))) > 1
    assert len(pdf.pages(danfe_pdf([(proc, False)]))) == 1


@pytest.mark.parametrize(
    "content", [b"", b"<x", b"<nfeProc/>", b"<!DOCTYPE a><nfeProc/>", b"\xff\xfe", b"<html></html>"]
)
def test_what_is_no_note_is_refused_and_no_error_of_the_library_comes_out(content):
    for draw in (danfe_pdf, danfe_labels_pdf):
        with pytest.raises(DocumentError):
            draw([(content, False)])


def test_without_what_joins_them_one_is_drawn_and_many_say_why(monkeypatch):
    _key, proc = note()
    find = danfe.find_spec
    monkeypatch.setattr(danfe, "find_spec", lambda name: None if name == "pypdfium2" else find(name))
    assert danfe_pdf([(proc, False)]).startswith(b"%PDF")
    with pytest.raises(DocumentError, match="pypdfium2"):
        danfe_pdf([(proc, False)] * 2)


def test_no_note_at_all_is_refused():
    assert has_danfe()
    with pytest.raises(DocumentError, match="no note"):
        danfe_pdf([])
