"""A note built from what was sold: valid by the official schema, its sums those of the order, to the cent."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from oscar_fulfillment.core.streets import split_street
from oscar_fulfillment.fiscal.access_key import parse
from oscar_fulfillment.fiscal.emission.build import NO_VALUE, build_note
from oscar_fulfillment.fiscal.emission.facts import Contact, Issuer, NoteFacts, NoteLine, Payment, Place, Recipient
from oscar_fulfillment.fiscal.emission.keys import is_code, make_access_key, make_code
from oscar_fulfillment.fiscal.emission.municipalities import STATE_CODES, find_municipality, is_municipality
from oscar_fulfillment.fiscal.emission.rules import ICMS, TaxRules, rule_problems, rules_from_json
from oscar_fulfillment.fiscal.emission.schema import schema_problems
from oscar_fulfillment.fiscal.emission.shares import split
from oscar_fulfillment.fiscal.emission.texts import plain
from oscar_fulfillment.test.fiscal import DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC, make_cpf

pytestmark = pytest.mark.feature("A9", "Z5")

NFE = "{http://www.portalfiscal.inf.br/nfe}"
NOON = datetime(2026, 11, 26, 12, 0, tzinfo=timezone(timedelta(hours=-3)))
SAO_PAULO = Place("Rua Augusta", "1500", "Consolação", "São Paulo", "SP", "01304-001", "3550308")
RECIFE = Place("Rua da Aurora", "55", "Boa Vista", "Recife", "PE", "50050-000", "2611606", "ap. 3", "+55 81 99999-0000")
SIMPLES = TaxRules(ncm="69111010", cfop_inside="5102", cfop_outside="6108", icms="102", pis="49", cofins="49")
NORMAL = TaxRules(
    ncm="69111010", cest="1234567", cfop_inside="5102", cfop_outside="6108", icms="00", icms_rate=D(18),
    destinations={"PE": (D("20.5"), D(2))}, pis="01", pis_rate=D("1.65"), cofins="01", cofins_rate=D("7.6"),
)  # fmt: skip


def line(rules=SIMPLES, **said):
    given_ = {"reference": "1", "code": "SKU-1", "title": "Caneca", "quantity": 2, "gross": D("20.00"), "rules": rules}
    return NoteLine(**{**given_, **said})


def facts(*lines, cnpj=DEMO_CNPJ, crt=1, place=SAO_PAULO, **said):
    lines = lines or (line(),)
    total = sum((one.paid for one in lines), D(0))
    recipient = said.pop("recipient", Recipient("Ana Souza", "cpf", make_cpf("123456789"), place))
    given_ = {
        "issuer": Issuer(cnpj, "Ponto & Vírgula Ltda.", SAO_PAULO, "111111111111", crt),
        "recipient": recipient,
        "lines": tuple(lines),
        "payments": (Payment("17", total),),
        "environment": "homologation",
        "series": 1,
        "number": 7,
        "code": "75450570",
        "issued_at": NOON,
        "order_number": "100123",
    }
    return NoteFacts(**{**given_, **said})


def tree(given_):
    note = build_note(given_)
    assert schema_problems(note.xml) == []
    return etree.fromstring(note.xml)


def text(root, path):
    return root.findtext(".//" + "/".join(NFE + step for step in path.split("/")))


REFORM = {"class_code": "000001"}


@pytest.mark.parametrize("place", [SAO_PAULO, RECIFE], ids=["inside", "outside"])
@pytest.mark.parametrize("reform", [{}, REFORM], ids=["plain", "ibs-cbs"])
@pytest.mark.parametrize("cnpj", [DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC], ids=["digits", "letters"])
@pytest.mark.parametrize("crt", [1, 2, 3, 4])
def test_a_note_is_valid_by_the_official_schema(crt, cnpj, reform, place):
    rules = replace(NORMAL if crt in (2, 3) else SIMPLES, **reform)
    assert rule_problems(rules, crt, place.state if place is RECIFE else "") == {}
    root = tree(facts(line(rules), crt=crt, cnpj=cnpj, place=place))
    assert (text(root, "IBSCBSTot/vBCIBSCBS") is not None) == bool(reform)
    assert (text(root, "imposto/ICMSUFDest/pICMSUFDest") is not None) == (crt in (2, 3) and place is RECIFE)
    key = parse(root[0].get("Id"))
    assert (key.issuer, key.series, key.number, key.year_month, key.state) == (cnpj, 1, 7, "2611", "SP")
    assert text(root, "ide/cDV") == key.check_digit


@pytest.mark.parametrize("code", sorted(ICMS))
def test_every_kind_of_icms_is_valid(code):
    crt = 3 if len(code) == 2 else 1
    rules = replace(NORMAL, icms=code, icms_reduction=D(30), credit_rate=D("1.25"), fcp_rate=D(2), benefit="SP123456")
    assert rule_problems(rules, crt) == {}
    tree(facts(line(rules), crt=crt))


@pytest.mark.parametrize("code", ["50", "51", "52", "53", "54", "55", "99"])
@pytest.mark.parametrize("contribution", ["01", "02", "04", "06", "07", "08", "09", "49", "99"])
def test_every_kind_of_ipi_pis_and_cofins_is_valid(code, contribution):
    rules = replace(NORMAL, ipi=code, ipi_rate=D("9.75"), pis=contribution, cofins=contribution)
    assert rule_problems(rules, 3) == {}
    tree(facts(line(rules), crt=3))


def test_the_taxes_of_a_sale_to_another_state():
    root = tree(facts(line(replace(NORMAL, **REFORM), gross=D("1000.00")), crt=3, place=RECIFE))
    found = {
        name: text(root, f"ICMSTot/{name}") for name in ("vBC", "vICMS", "vICMSUFDest", "vFCPUFDest", "vPIS", "vNF")
    }
    # 7 % from São Paulo to Pernambuco; 20.5 % there; PIS on what is left without the ICMS.
    assert found == {
        "vBC": "1000.00", "vICMS": "70.00", "vICMSUFDest": "135.00", "vFCPUFDest": "20.00", "vPIS": "15.35",
        "vNF": "1000.00",
    }  # fmt: skip
    # 1000 - 70 - 135 - 20 - 15.35 - 70.68
    assert text(root, "IBSCBSTot/vBCIBSCBS") == "688.97"
    assert text(root, "IBSCBSTot/gCBS/vCBS") == "6.20"
    assert text(root, "IBSCBSTot/gIBS/vIBS") == "0.69"


def test_imported_goods_go_between_states_at_four_percent():
    root = tree(facts(line(replace(NORMAL, origin="1"), gross=D("100.00")), crt=3, place=RECIFE))
    assert text(root, "ICMS00/pICMS") == "4.0000"
    assert text(root, "ICMSUFDest/pICMSInter") == "4.00"


def test_a_taxpayer_of_another_state_gets_no_share_for_the_state_and_a_code_of_their_own():
    firm = Recipient("Café Central Ltda", "cnpj", DEMO_CNPJ, RECIFE, ie="0321418496")
    root = tree(facts(line(replace(NORMAL, cfop_outside_firm="6102")), crt=3, recipient=firm))
    assert text(root, "dest/indIEDest") == "1"
    assert text(root, "prod/CFOP") == "6102"
    assert text(root, "imposto/ICMSUFDest/pICMSUFDest") is None


def test_an_ipi_is_taken_out_of_the_price_and_the_buyer_pays_the_same():
    rules = replace(NORMAL, ipi="50", ipi_rate=D(10))
    root = tree(facts(line(rules, gross=D("110.00"), discount=D("5.00"), freight=D("15.00")), crt=3))
    assert text(root, "ICMSTot/vIPI") == "10.91"
    assert text(root, "ICMSTot/vProd") == "99.09"
    assert text(root, "ICMSTot/vNF") == "120.00"


def test_a_test_note_names_nobody_and_a_real_one_does():
    assert text(tree(facts()), "dest/xNome") == NO_VALUE
    assert text(tree(facts(environment="production")), "dest/xNome") == "Ana Souza"


def test_a_note_of_the_contingency_says_since_when_and_why():
    root = tree(facts(emission_type=6, contingency_at=NOON, contingency_reason="109 Serviço Paralisado"))
    assert text(root, "ide/tpEmis") == "6"
    assert text(root, "ide/dhCont") == "2026-11-26T12:00:00-03:00"


def test_volumes_contact_text_and_payments():
    given_ = facts(
        line(replace(SIMPLES, note_text="Optante pelo Simples.")), line(replace(SIMPLES, note_text="Optante pelo Simples.")),
        volumes=2, weight=1550, text="Obrigado!", technical=Contact(DEMO_CNPJ, "Suporte", "a@example.com", "1155550123"),
        payments=(Payment("12", D(10)), Payment("99", D(30), "Fatura “mensal”")),
    )  # fmt: skip
    root = tree(given_)
    assert text(root, "vol/pesoB") == "1.550"
    assert text(root, "infAdic/infCpl") == "Pedido 100123. Obrigado! Optante pelo Simples."
    assert [tag.text for tag in root.iter(f"{NFE}xPag")] == ['Fatura "mensal"']
    assert text(root, "infRespTec/CNPJ") == DEMO_CNPJ


cents = st.integers(min_value=0, max_value=10_000_000).map(lambda n: D(n) / 100)


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.integers(1, 500), cents.filter(lambda c: c > 0), st.integers(0, 100)), min_size=1, max_size=6
    ),
    freight=cents,
    other=cents,
    ipi=st.sampled_from([D(0), D(5), D("9.75"), D(50)]),
    crt=st.sampled_from([1, 3]),
)
def test_whatever_is_sold_the_note_adds_up_to_what_is_paid(lines, freight, other, ipi, crt):
    rules = replace(NORMAL if crt == 3 else SIMPLES, ipi="50" if ipi else "", ipi_rate=ipi, **REFORM)
    nets = [gross - (gross * percent / 100).quantize(D("0.01")) for _q, gross, percent in lines]
    freights, others = split(freight, nets), split(other, nets)
    made = [
        line(
            rules,
            reference=str(n),
            quantity=q,
            gross=gross,
            discount=gross - nets[n],
            freight=freights[n],
            other=others[n],
        )
        for n, (q, gross, _percent) in enumerate(lines)
    ]
    given_ = facts(*made, crt=crt)
    root = etree.fromstring(build_note(given_).xml)
    # An IPI that is taken out of a price which a discount has eaten up leaves a negative one: a schema's matter.
    if all(D(tag.text) >= 0 for tag in root.iter(f"{NFE}vProd")):
        assert schema_problems(build_note(given_).xml) == []
    total = root.find(f".//{NFE}ICMSTot")
    sums = {etree.QName(tag).localname: D(tag.text) for tag in total}
    assert sums["vNF"] == sum(nets, D(0)) + freight + other
    assert sums["vNF"] == sums["vProd"] - sums["vDesc"] + sums["vFrete"] + sums["vOutro"] + sums["vIPI"]
    for name in ("vProd", "vDesc", "vFrete", "vOutro"):
        assert sums[name] == sum((D(tag.text) for tag in root.iterfind(f".//{NFE}det/{NFE}prod/{NFE}{name}")), D(0))
    for name in ("vICMS", "vIPI", "vPIS", "vCOFINS"):
        assert sums[name] == sum((D(tag.text) for tag in root.iterfind(f".//{NFE}det//{NFE}{name}")), D(0))


@given(cents, st.lists(st.integers(0, 100_000).map(D), min_size=1, max_size=30))
def test_a_sum_that_is_split_loses_no_cent(total, weights):
    parts = split(total, weights)
    assert sum(parts) == total
    assert all(part >= 0 for part in parts)
    if any(weights):
        whole = sum(weights)
        assert all(abs(part - total * weight / whole) < D("0.01") for part, weight in zip(parts, weights, strict=True))


@pytest.mark.parametrize("bad", [{"quantity": 0}, {"gross": D("-1")}, {"freight": D("-0.01")}])
def test_what_no_layout_can_hold_is_refused(bad):
    with pytest.raises(ValueError, match="line"):
        build_note(facts(line(**bad)))


def test_no_lines_and_too_many_are_refused():
    for count in (0, 991):
        with pytest.raises(ValueError, match="990"):
            build_note(replace(facts(), lines=tuple(line() for _ in range(count))))


# Errors in the merchant's words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"rules": replace(SIMPLES, ncm="6911")}, "Item 1, Caneca: “NCM code” cannot be “6911”."),
        ({"rules": replace(SIMPLES, cfop_inside="")}, "Item 1, Caneca: “CFOP” is missing."),
        ({"title": ""}, "“title of the article” is missing."),
    ],
)
def test_what_the_schema_refuses_in_an_item_is_said_in_words(said, words):
    assert words in " ".join(map(str, schema_problems(build_note(facts(line(**said))).xml)))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"district": ""}, "Buyer: “district (bairro)” is missing."),
        ({"municipality": "12"}, "Buyer: “municipality (IBGE's code)” cannot be “12”."),
        ({"postcode": "1"}, "Buyer: “CEP” cannot be “1”."),
        ({"state": "ZZ"}, "Buyer: “state (UF)” cannot be “ZZ”."),
    ],
)
def test_what_the_schema_refuses_in_an_address_is_said_in_words(said, words):
    problems = schema_problems(build_note(facts(place=replace(SAO_PAULO, **said))).xml)
    assert [str(problem) for problem in problems] == [words]


# Pieces


def test_codes_are_random_and_none_of_those_that_are_refused():
    assert len({make_code(1) for _ in range(50)}) == 50
    for code in ("00000000", "11111111", "12345678", "00000042", "1234567", "١٢٣٤٥٦٧٨"):
        assert not is_code(code, 42)


def test_a_key_has_its_digits_and_refuses_what_cannot_stand_in_it():
    given_ = {"state": "SP", "issued_at": NOON, "cnpj": DEMO_CNPJ, "number": 5, "emission_type": 1, "code": "75450570"}
    assert len(make_access_key(**given_, series=889).text) == 44
    with pytest.raises(ValueError, match="Series"):
        make_access_key(**given_, series=970)


@pytest.mark.parametrize(
    ("city", "state", "code"),
    [
        ("São Paulo", "SP", "3550308"), ("sao  paulo", "sp", "3550308"), ("SANTA BARBARA D OESTE", "SP", "3545803"),
        ("Santa Bárbara d’Oeste", "SP", "3545803"), ("Mogi-Mirim", "SP", "3530805"), ("Brasília", "DF", "5300108"),
        ("Boa Esperança do Norte", "MT", "5101837"), ("São Paulo", "RJ", ""), ("", "SP", ""), ("Recife", "XX", ""),
    ],
)  # fmt: skip
def test_a_city_is_found_however_it_is_spelt(city, state, code):
    assert find_municipality(city, state) == code


def test_every_state_has_its_capital():
    capitals = "Rio Branco/AC Maceió/AL Macapá/AP Manaus/AM Salvador/BA Fortaleza/CE Brasília/DF Vitória/ES Goiânia/GO São Luís/MA Cuiabá/MT Campo Grande/MS Belo Horizonte/MG Belém/PA João Pessoa/PB Curitiba/PR Recife/PE Teresina/PI Rio de Janeiro/RJ Natal/RN Porto Alegre/RS Porto Velho/RO Boa Vista/RR Florianópolis/SC Aracaju/SE Palmas/TO"
    import re

    found = re.findall(r"(\S[^/]*)/([A-Z]{2})", capitals)
    assert {state for _city, state in found} | {"SP"} == set(STATE_CODES)
    for city, state in found:
        assert is_municipality(find_municipality(city, state), state), city
    assert not is_municipality("3550308", "RJ")
    assert not is_municipality("9999999")


@pytest.mark.parametrize(
    ("typed", "street", "number", "rest"),
    [
        ("Rua A, 1", "Rua A", "1", ""),
        ("Av. Paulista, 1000 - ap. 71", "Av. Paulista", "1000", "ap. 71"),
        ("Av. Paulista 1000, ap. 71", "Av. Paulista", "1000", "ap. 71"),
        ("Rua das Laranjeiras 210", "Rua das Laranjeiras", "210", ""),
        ("Rua 7 de Setembro 55", "Rua 7 de Setembro", "55", ""),
        ("Rua XV de Novembro, nº 300A", "Rua XV de Novembro", "300A", ""),
        ("Rua B, s/n", "Rua B", "S/N", ""),
        ("Rua C 12 - fundos", "Rua C", "12", "fundos"),
        ("SQN 104 Bloco B", "SQN 104 Bloco B", "S/N", ""),
        ("", "", "S/N", ""),
    ],
)
def test_a_street_is_taken_apart(typed, street, number, rest):
    assert split_street(typed) == (street, number, rest)


@pytest.mark.parametrize(
    ("typed", "fitting"),
    [
        ("  Ponto   & Vírgula ", "Ponto & Vírgula"), ("“Café” – d’água…", "\"Café\" - d'água..."), ("Łódź", "?ódz"),
        ("a\u0301", "á"), ("x\x00y\nz", "xy z"), ("日本", "??"), ("12€", "12EUR"), ("a\u200bb", "ab"),
    ],
)  # fmt: skip
def test_text_is_made_fit_for_the_layout(typed, fitting):
    assert plain(typed, 60) == fitting


@given(st.text(max_size=200))
def test_whatever_is_typed_fits(typed):
    import re

    found = plain(typed, 60)
    assert found == "" or re.fullmatch("[!-ÿ]{1}[ -ÿ]{0,}[!-ÿ]{1}|[!-ÿ]{1}", found)
    assert len(found) <= 60


@pytest.mark.parametrize("text_", ["Café & Cia <script>", "a\u0301 “ü” – ĳ", "x" * 300])
def test_hostile_titles_and_names_stay_text(text_):
    root = tree(
        facts(
            line(title=text_),
            environment="production",
            recipient=Recipient(text_, "cpf", make_cpf("123456789"), SAO_PAULO),
        )
    )
    assert text(root, "prod/xProd") == plain(text_, 120)
    assert root.find(f".//{NFE}script") is None


# Rules


def test_rules_are_stored_and_read_again():
    rules = replace(NORMAL, icms_rate_outside=D(12), excludes_icms=False, note_text="x")
    assert rules_from_json(rules.to_json()) == rules
    damaged = {"ncm": None, "icms_rate": "x", "destinations": {"PE": ["a"], "XX": ["1"], "RJ": "20"}, "unknown": 1}
    assert rules_from_json(damaged).destinations == {"RJ": (D(20), D(0))}


@pytest.mark.parametrize(
    ("said", "crt", "field"),
    [
        ({"ncm": ""}, 3, "ncm"), ({"cfop_inside": "6102"}, 3, "cfop_inside"), ({"cfop_outside": ""}, 3, "cfop_outside"),
        ({"icms": "102"}, 3, "icms"), ({"icms": "00"}, 1, "icms"), ({"icms_rate": D(0)}, 3, "icms_rate"),
        ({"icms_rate_outside": D(9)}, 3, "icms_rate_outside"), ({"icms": "20"}, 3, "icms_reduction"),
        ({"icms": "101"}, 1, "credit_rate"), ({"pis": ""}, 3, "pis"), ({"cofins_rate": D(0)}, 3, "cofins_rate"),
        ({"ipi": "50"}, 3, "ipi_rate"), ({"ipi": "12"}, 3, "ipi"), ({"class_code": "1"}, 3, "class_code"),
        ({"origin": "9"}, 3, "origin"), ({"unit": ""}, 3, "unit"), ({"cest": "1"}, 3, "cest"), ({"benefit": "x"}, 3, "benefit"),
        ({"cbs_rate": D(101)}, 3, "cbs_rate"),
    ],
)  # fmt: skip
def test_gaps_and_contradictions_are_named(said, crt, field):
    assert list(rule_problems(replace(NORMAL, **said), crt)) == [field]


def test_a_buyers_state_without_its_rate_is_a_gap_for_the_normal_regime_alone():
    assert "destinations" in rule_problems(NORMAL, 3, "RJ")
    assert rule_problems(SIMPLES, 1, "RJ") == {}
