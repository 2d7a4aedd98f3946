"""What the tax office answers, read without trust; where it is asked; what its codes mean; what a shop says of articles."""

from decimal import Decimal as D
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oscar_fulfillment.core.exceptions import AdapterUnanswered, ConfigurationError
from oscar_fulfillment.fiscal.emission import answers, codes, missing_packages
from oscar_fulfillment.fiscal.emission.endpoints import Service, address_of, contingency_type, server_of
from oscar_fulfillment.fiscal.emission.municipalities import STATE_CODES
from oscar_fulfillment.selectors.note_amounts import reckon_amounts
from oscar_fulfillment.selectors.note_payments import payment_code, read_payments
from oscar_fulfillment.selectors.tax_profiles import is_gtin
from oscar_fulfillment.test.fiscal import make_key

pytestmark = pytest.mark.feature("A9", "Z5")

NFE = "http://www.portalfiscal.inf.br/nfe"
KEY = make_key()
PROTOCOL = (
    f'<protNFe versao="4.00"><infProt Id="ID1"><tpAmb>2</tpAmb><verAplic>SP</verAplic><chNFe>{KEY}</chNFe>'
    "<dhRecbto>2026-11-26T12:00:00-03:00</dhRecbto><nProt>135260000000001</nProt><digVal>AAAA</digVal>"
    "<cStat>100</cStat><xMotivo>Autorizado o uso da NF-e</xMotivo></infProt></protNFe>"
)


def envelope(content, soap="http://www.w3.org/2003/05/soap-envelope", prefix="soap"):
    return (
        f'<?xml version="1.0" encoding="utf-8"?><{prefix}:Envelope xmlns:{prefix}="{soap}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<{prefix}:Body><nfeResultMsg xmlns="http://www.portalfiscal.inf.br/nfe/wsdl/NFeAutorizacao4">{content}'
        f"</nfeResultMsg></{prefix}:Body></{prefix}:Envelope>"
    ).encode()


def lot(status="104", text="Lote processado", more=PROTOCOL):
    return (
        f'<retEnviNFe xmlns="{NFE}" versao="4.00"><cStat>{status}</cStat><xMotivo>{text}</xMotivo>{more}</retEnviNFe>'
    )


@pytest.mark.parametrize(
    "soap", ["http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"]
)
@pytest.mark.parametrize("prefix", ["soap", "env", "S"])
def test_a_protocol_is_taken_over_letter_by_letter(soap, prefix):
    found = answers.read_lot(envelope(lot(), soap, prefix))
    assert (found.status, found.protocol.status, found.protocol.number) == ("104", "100", "135260000000001")
    assert found.protocol.xml == PROTOCOL
    assert found.protocol.at.isoformat() == "2026-11-26T12:00:00-03:00"


def test_a_receipt_tells_how_long_to_wait():
    found = answers.read_lot(
        envelope(lot("103", "Lote recebido", "<infRec><nRec>351000</nRec><tMed>3</tMed></infRec>"))
    )
    assert (found.status, found.receipt, found.wait, found.protocol) == ("103", "351000", 3, None)


def test_a_query_tells_of_events_too():
    event = '<retEvento versao="1.00"><infEvento><cStat>135</cStat><xMotivo>ok</xMotivo><tpEvento>110111</tpEvento><nSeqEvento>1</nSeqEvento><nProt>1</nProt></infEvento></retEvento>'
    two = f'<procEventoNFe versao="1.00">{event}</procEventoNFe><procEventoNFe versao="1.00">{event.replace("110111", "110110")}</procEventoNFe>'
    found = answers.read_query(
        envelope(f'<retConsSitNFe xmlns="{NFE}"><cStat>101</cStat><xMotivo>x</xMotivo>{PROTOCOL}{two}</retConsSitNFe>')
    )
    assert [(e.kind, e.number, e.status) for e in found.events] == [("110111", 1, "135"), ("110110", 1, "135")]
    assert found.status == "101"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html>busy</html>", b"{}", b"<x", envelope(""), envelope("<retOther/>"), envelope(lot() + lot()),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + envelope(lot()), b"<a>" * 10_000, envelope(lot(more="x" * 3_000_000)),
    ],
    ids=["empty", "html", "json", "cut", "nothing", "other", "two", "dtd", "deep", "huge"],
)  # fmt: skip
def test_what_is_no_answer_may_have_been_done(content):
    with pytest.raises(AdapterUnanswered):
        answers.read_lot(content)


def test_hostile_words_are_shown_on_one_line():
    found = answers.read_lot(envelope(lot("215", "a\n\n<b>\x85".replace("<", "&lt;"), "")))
    assert found.text == "a <b>"


def test_an_answer_without_a_code_says_so():
    assert answers.read_status(envelope(f'<retConsStatServ xmlns="{NFE}"/>')).status == ""


# Where


@pytest.mark.parametrize("environment", ["homologation", "production"])
@pytest.mark.parametrize("state", sorted(STATE_CODES))
def test_every_state_has_an_address_for_every_service(state, environment):
    for service in Service:
        assert address_of(service, state=state, environment=environment).startswith("https://")
        if service is not Service.VOID:
            kind = contingency_type(state)
            found = address_of(service, state=state, environment=environment, emission_type=kind)
            assert found.startswith("https://")
            assert "?" not in found


def test_tests_and_production_never_go_to_the_same_place():
    for state in STATE_CODES:
        for service in Service:
            test, real = (address_of(service, state=state, environment=e) for e in ("homologation", "production"))
            assert test != real


def test_who_stands_in_is_as_the_portal_lists():
    assert {state: contingency_type(state) for state in ("SP", "RS", "MG", "BA", "PR", "MA")} == {
        "SP": 6, "RS": 6, "MG": 6, "BA": 7, "PR": 7, "MA": 7,
    }  # fmt: skip
    assert [server_of(state, 1) for state in ("SP", "MA", "SC")] == ["SP", "SVAN", "SVRS"]
    with pytest.raises(ConfigurationError, match="contingency"):
        address_of(
            Service.QUERY,
            state="SP",
            environment="homologation",
            emission_type=6,
            given={"normal": "https://x/{service}"},
        )


def test_codes_that_we_know_say_what_helps():
    assert codes.hint("778").where == codes.PROFILE
    assert codes.hint("302").where == codes.PERSON
    assert codes.hint("12345") is None
    # 303 is about the buyer, 271 about the firm's own municipality, 728 about the buyer's registration.
    assert codes.hint("303") == codes.hint("302") != codes.hint("301")
    assert (codes.hint("271").where, codes.hint("275").where) == (codes.SETTINGS, codes.MEND)
    assert codes.hint("728") == codes.hint("232")
    assert codes.hint("1115").where == codes.hint("529").where == codes.PROFILE
    # Return notes, consumers' notes, places where goods are fetched, SUFRAMA: never about a sale of ours.
    assert not [code for code in ("235", "297", "298", "321", "327", "512", "519", "725", "853") if codes.hint(code)]
    assert "678" not in codes.LATER
    assert all(len(code) in (3, 4) for code in codes.HINTS)
    assert len(codes.HINTS) == sum(len(listed.split()) for _hint, listed in codes._BY_HINT)
    assert missing_packages() == ()


# What shops say


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("7891234567895", True),
        ("7891234567890", False),
        ("12345670", True),
        ("0" * 13, False),
        ("abc", False),
        ("٧٨٩١٢٣٤٥٦٧٨٩٥", False),
    ],
)
def test_a_gtin_has_its_check_digit(text, is_one):
    assert is_gtin(text) is is_one


@pytest.mark.parametrize(
    ("code", "method", "found"),
    [
        ("pix", "pix", "17"),
        ("boleto-30", "", "15"),
        ("card", "credit_card", "03"),
        ("x", "debit_card", "04"),
        ("deposit", "", "18"),
        ("invoice", "", "99"),
    ],
)
def test_a_way_to_pay_is_told_by_its_name_or_by_the_settings(code, method, found):
    chosen = SimpleNamespace(code=code, provider_method=method, name="Name")
    assert payment_code(chosen, SimpleNamespace(payments={})) == found
    assert payment_code(chosen, SimpleNamespace(payments={code: "14"})) == "14"
    assert payment_code(None, SimpleNamespace(payments={})) == "99"


def test_a_voucher_is_a_way_to_pay_of_its_own():
    order = SimpleNamespace(
        fulfillment=SimpleNamespace(payment_method=SimpleNamespace(code="pix", provider_method="", name="Pix"))
    )
    rows = read_payments(order, SimpleNamespace(payments={}), total=D(100), credit=D(30))
    assert [(row["code"], row["amount"]) for row in rows] == [("12", "30"), ("17", "70")]
    assert [row["code"] for row in read_payments(order, SimpleNamespace(payments={}), total=D(30), credit=D(40))] == [
        "12"
    ]


# Parts of an order


class Many(list):
    def all(self):
        return self


def order_of(lines, shipping, surcharge, credit):
    made = Many(
        SimpleNamespace(pk=n, quantity=q, line_price_before_discounts_incl_tax=gross, line_price_incl_tax=gross - off)
        for n, (q, gross, off) in enumerate(lines)
    )
    total = sum((one.line_price_incl_tax for one in made), D(0)) + shipping + surcharge - credit
    surcharges = Many([SimpleNamespace(incl_tax=surcharge)] if surcharge else [])
    return SimpleNamespace(lines=made, surcharges=surcharges, shipping_incl_tax=shipping, total_incl_tax=total)


def shipment(pk, units, invoice_id=None):
    lines = Many(SimpleNamespace(line_id=line, quantity=q) for line, q in units.items() if q)
    return SimpleNamespace(pk=pk, lines=lines, invoice_id=invoice_id, replaces_id=None, status="pending")


def as_note(amounts, pk):
    return SimpleNamespace(
        coverage=Many([SimpleNamespace(shipment_id=pk, is_standing=True)]),
        content={
            "lines": [
                {
                    "line": p.line.pk,
                    "quantity": p.quantity,
                    "gross": str(p.gross),
                    "discount": str(p.discount),
                    "freight": str(p.freight),
                    "other": str(p.other),
                }
                for p in amounts.lines
            ],
            "payments": [{"amount": str(amounts.credit), "is_credit": True}],
        },
    )


cents = st.integers(0, 100_000).map(lambda n: D(n) / 100)


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.integers(1, 9), cents.filter(lambda c: c > 0), st.integers(0, 100)), min_size=1, max_size=4
    ),
    shipping=cents,
    surcharge=cents,
    percent_credit=st.integers(0, 100),
    cuts=st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=0, max_size=4),
    again=st.booleans(),
)
def test_however_an_order_is_cut_into_notes_they_add_up_to_it(lines, shipping, surcharge, percent_credit, cuts, again):
    lines = [(q, gross, (gross * percent / 100).quantize(D("0.01"))) for q, gross, percent in lines]
    whole = sum((gross - off for _q, gross, off in lines), D(0)) + shipping + surcharge
    credit = (whole * percent_credit / 100).quantize(D("0.01"))
    order = order_of(lines, shipping, surcharge, credit)
    left = {n: q for n, (q, _g, _o) in enumerate(lines)}
    shipments = []
    for cut in cuts:
        units = {n: min(cut[n], left[n]) for n in left}
        if any(units.values()):
            shipments.append(shipment(len(shipments), units))
            left = {n: left[n] - units[n] for n in left}
    if any(left.values()):
        shipments.append(shipment(len(shipments), left))
    notes, found = [], []
    for one in shipments:
        amounts = reckon_amounts(order, [one], shipments, notes)
        assert all(min(p.gross, p.discount, p.freight, p.other) >= 0 for p in amounts.lines)
        notes.append(as_note(amounts, one.pk))
        found.append(amounts)
    if again and len(found) > 1:
        # The first one is cancelled and issued anew: it comes to what is left for it.
        del notes[0]
        found[0] = reckon_amounts(order, [shipments[0]], shipments, notes)
    for name, total in (
        ("gross", sum(g for _q, g, _o in lines)),
        ("discount", sum(o for _q, _g, o in lines)),
        ("freight", shipping),
        ("other", surcharge),
    ):
        assert sum((getattr(p, name) for a in found for p in a.lines), D(0)) == total, name
    assert sum((a.credit for a in found), D(0)) == credit


def test_what_another_program_has_invoiced_is_left_out_in_proportion():
    order = order_of([(3, D("10.00"), D("0"))], D("3.00"), D(0), D(0))
    mine, theirs = shipment(1, {0: 1}), shipment(2, {0: 2}, invoice_id=5)
    amounts = reckon_amounts(order, [mine], [mine, theirs], [])
    assert (amounts.lines[0].gross, amounts.lines[0].freight) == (D("3.33"), D("1.00"))
