"""Each check of a note: its good case and its bad one."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone, translation

from oscar_fulfillment.fiscal import nfe_checks, nfe_words
from oscar_fulfillment.fiscal.nfe_checks import Shop, check_content
from oscar_fulfillment.fiscal.nfe_facts import read_nfe
from oscar_fulfillment.fiscal.nfe_findings import CHOICES, OVERRIDABLE, Finding, find, from_json
from oscar_fulfillment.fiscal.nfe_order_checks import OrderFacts, check_order, verdict_of
from oscar_fulfillment.fiscal.nfe_signature import Bundle
from oscar_fulfillment.test import nfe
from oscar_fulfillment.test.fiscal import DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC, make_cnpj, make_cpf, make_key

pytestmark = pytest.mark.feature("A10", "Z5")

OTHER = make_cnpj("998887770001")
BRANCH = make_cnpj(f"{DEMO_CNPJ[:8]}0002")


def shop(**said):
    return Shop(**{
        "environment": "production", "issuers": frozenset({DEMO_CNPJ}), "tolerance": Decimal("0.01"),
        "now": timezone.now(), "bundle": None, **said,
    })  # fmt: skip


def found(content, **said):
    read = read_nfe(content, most_bytes=3_000_000)
    findings = check_content(read, shop(**said))
    for finding in findings:
        assert finding.message
        assert "%(" not in finding.message
    return [finding.code for finding in findings]


NOTE = nfe.make_note(number=1)
KEY = nfe.key_of(NOTE)


def changed(pattern, by, content=NOTE):
    """The note with something changed, and its digest with it, so that only this is wrong."""
    assert re.search(pattern, content.decode())
    return re.sub(pattern, by, content.decode(), count=1).encode()


def issued(**said):
    """A note that is all right but for what it says."""
    return nfe.make_note(number=1, **said)


def test_a_good_note_has_no_finding():
    assert found(NOTE) == []


BAD = {
    "key: check digit": (lambda: issued(key=make_key(number=1, check_digit="X")), {}, "key"),
    "key: no Id": (lambda: nfe.make_note(number=1).replace(KEY.encode(), b"0" * 44), {}, "key"),
    "number": (lambda: issued(key=make_key(number=2)), {}, "key_content"),
    "series": (lambda: issued(key=make_key(number=1, series=2)), {}, "key_content"),
    "issuer in the key": (lambda: issued(key=make_key(number=1, issuer=BRANCH)), {}, "key_content"),
    "model": (lambda: issued(key=make_key(number=1, model="65")), {}, "key_content"),
    "state": (lambda: issued(key=make_key(number=1, uf="RJ")), {}, "key_content"),
    "month": (lambda: issued(key=make_key(number=1, year_month="2001")), {}, "key_content"),
    "no protocol": (lambda: nfe.sign(nfe.build_nfe(number=1)).encode(), {}, "unauthorised"),
    "rejected": (lambda: issued(status="539"), {}, "not_accepted"),
    "denied": (lambda: issued(status="302"), {}, "denied"),
    "another note's protocol": (
        lambda: nfe.authorise(nfe.sign(nfe.build_nfe(number=1)), key=make_key(number=9)).encode(), {}, "protocol_key"),
    "a protocol for other contents": (
        lambda: nfe.authorise(nfe.sign(nfe.build_nfe(number=1)), digest="AAAA").encode(), {}, "protocol_digest"),
    "cancelled by its protocol": (lambda: issued(status="101"), {}, "cancelled"),
    "cancelled late by its protocol": (lambda: issued(status="151"), {}, "cancelled"),
    "cancelled by an event in the file": (
        lambda: NOTE.replace(b"</nfeProc>", nfe.make_cancellation(KEY) + b"</nfeProc>"), {}, "cancelled"),
    "a test note": (lambda: issued(environment="2"), {}, "environment_test"),
    "a real note in a test shop": (lambda: NOTE, {"environment": "homologation"}, "environment_production"),
    "goods that come in": (lambda: issued(direction="0"), {}, "incoming"),
    "a complement": (lambda: issued(purpose="2"), {}, "purpose"),
    "a return": (lambda: issued(purpose="4"), {}, "purpose"),
    "someone else's note": (lambda: issued(issuer=OTHER), {}, "issuer"),
    "tomorrow's note": (lambda: issued(issued_at=timezone.localtime() + timedelta(days=3)), {}, "future"),
    "letters in another code": (lambda: NOTE.decode().encode("cp1252"), {}, "recoded"),
    "not signed": (lambda: re.sub(b"<Signature .*</Signature>", b"", NOTE), {}, "signature_missing"),
    "changed": (lambda: changed("Caneca", "Copo"), {}, "signature_changed"),
    "forged": (lambda: changed("<SignatureValue>.{4}", "<SignatureValue>AAAA"), {}, "signature_forged"),
    "signed in another way": (lambda: changed("#rsa-sha1", "#dsa-sha1"), {}, "signature_unknown"),
    "no certificate": (lambda: changed("<X509Certificate>.*?<", "<X509Certificate><"), {}, "certificate_unreadable"),
    "signed by another firm": (lambda: issued(signer=nfe.demo_signer(OTHER)), {}, "certificate_other"),
    "signed with an old certificate": (
        lambda: issued(signer=nfe.make_certificate(nfe.demo_authority(), days=(-50, -10))), {}, "certificate_expired"),
    "signed by nobody we know": (lambda: NOTE, {"bundle": Bundle([])}, "certificate_untrusted"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_note_is_found(name):
    make, said, code = BAD[name]
    assert code in found(make(), **said)


GOOD = {
    "authorised late": (lambda: issued(status="150"), {}),
    "a shop that takes anybody's": (lambda: issued(issuer=OTHER), {"issuers": frozenset()}),
    "a branch, signed by the head office": (
        lambda: issued(issuer=BRANCH, signer=nfe.demo_signer()), {"issuers": frozenset({BRANCH})}),
    "a CNPJ with letters": (
        lambda: issued(issuer=DEMO_CNPJ_ALPHANUMERIC), {"issuers": frozenset({"12.ABC.345/01DE-35"})}),
    "a test note in a test shop": (lambda: issued(environment="2"), {"environment": "homologation"}),
    "a receipt of a shop (NFC-e)": (lambda: issued(model="65", buyer=None), {}),
    "a farmer with a CPF": (
        lambda: issued(issuer=make_cpf("987654321"), series=920, signer=nfe.make_certificate(
            nfe.demo_authority(), cpf=make_cpf("987654321"))), {"issuers": frozenset({make_cpf("987654321")})}),
    "from a trusted authority": (lambda: NOTE, {"bundle": Bundle([nfe.demo_authority().certificate])}),
    "a correction letter in the file": (
        lambda: NOTE.replace(b"</nfeProc>", nfe.make_event(KEY, kind="110110") + b"</nfeProc>"), {}),
    "a cancellation of another note in the file": (
        lambda: NOTE.replace(b"</nfeProc>", nfe.make_cancellation(make_key(number=9)) + b"</nfeProc>"), {}),
    "a cancellation that was refused, in the file": (
        lambda: NOTE.replace(b"</nfeProc>", nfe.make_cancellation(KEY, status="573") + b"</nfeProc>"), {}),
    "a cancellation without an answer, in the file": (
        lambda: NOTE.replace(b"</nfeProc>", nfe.make_cancellation(KEY, answered=False) + b"</nfeProc>"), {}),
    "a protocol without a digest": (lambda: changed("<digVal>.*?</digVal>", ""), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_with_a_note_is_not_complained_of(name):
    make, said = GOOD[name]
    assert found(make(), **said) == []


def test_every_check_of_a_file_has_its_bad_case():
    told = {code for _make, _said, code in BAD.values()}
    assert told == {
        code for code in nfe_words.TABLE
        if code.startswith(("key", "protocol", "environment", "signature", "certificate"))
        or code in ("unauthorised", "not_accepted", "denied", "cancelled", "incoming", "purpose", "issuer", "future",
                    "recoded")
    } - {"key_used"}  # fmt: skip


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2020-01-01"])
def test_the_ends_of_time_are_compared_without_harm(at):
    note = re.sub("<dhEmi>.*?<", f"<dhEmi>{at}<", NOTE.decode()).encode()
    assert "key_content" in found(note)


# ---- Events ----

EVENTS = {
    "a cancellation": ({}, {}, []),
    "a cancellation by substitution": ({"kind": "110112"}, {}, []),
    "a cancellation after the time allowed": ({"status": "155"}, {}, []),
    "a correction letter": ({"kind": "110110"}, {}, []),
    "what a buyer says": ({"kind": "210200"}, {}, ["event_other"]),
    "refused": ({"status": "573"}, {}, ["event_refused"]),
    "without an answer": ({"answered": False}, {}, ["event_refused"]),
    "of a test note": ({"environment": "2"}, {}, ["environment_test"]),
    "of someone else": ({}, {"issuers": frozenset({OTHER})}, ["issuer"]),
    "signed by someone else": ({"signer": "other"}, {}, ["certificate_other"]),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_judged(name):
    said, rules, expected = EVENTS[name]
    if "signer" in said:
        said = said | {"signer": nfe.demo_signer(OTHER)}
    assert found(nfe.make_event(KEY, **said), **rules) == expected


def test_an_event_about_a_key_that_cannot_be_is_refused():
    assert "key" in found(nfe.make_cancellation("9" * 44))


def test_an_event_whose_answer_is_about_another_note_is_damaged():
    event = nfe.make_cancellation(KEY).decode()
    head, tail = event.split("<retEvento")
    other = tail.replace(KEY, make_key(number=9))
    with pytest.raises(ValueError, match="chNFe"):
        read_nfe(f"{head}<retEvento{other}".encode(), most_bytes=3_000_000)


def test_the_tax_offices_answer_to_a_query_cancels_too():
    answer = (
        '<retConsSitNFe xmlns="http://www.portalfiscal.inf.br/nfe" versao="4.00"><tpAmb>1</tpAmb><cStat>101</cStat>'
        f"<xMotivo>Cancelamento de NF-e homologado</xMotivo><chNFe>{KEY}</chNFe></retConsSitNFe>"
    )
    event = read_nfe(answer.encode(), most_bytes=3_000_000).event
    assert (event.kind, event.key, event.is_registered) == ("cancellation", KEY, True)
    assert found(answer.encode()) == ["signature_missing"]


# ---- The order ----

ORDER = OrderFacts("100123", nfe.BUYER, "BRL", "01310-100", timezone.now() - timedelta(hours=2))


def against(note, **said):
    facts = OrderFacts(**{name: said.get(name, getattr(ORDER, name)) for name in ORDER.__dataclass_fields__})
    return [finding.code for finding in check_order(read_nfe(note, most_bytes=3_000_000).note, facts)]


def test_a_note_that_fits_its_order_has_no_finding():
    assert against(NOTE) == []
    assert against(NOTE, tax_id="123.456.789-09", postcode="", currency="") == []
    assert against(issued(buyer=OTHER), tax_id=OTHER) == []
    assert against(issued(buyer=DEMO_CNPJ_ALPHANUMERIC), tax_id=DEMO_CNPJ_ALPHANUMERIC) == []


@pytest.mark.parametrize(
    ("said", "order", "code"),
    [
        ({"buyer": make_cpf("987654321")}, {}, "buyer"),
        ({"buyer": OTHER}, {}, "buyer"),
        ({"buyer": None}, {}, "buyer_unknown"),
        ({}, {"tax_id": ""}, "buyer_unknown"),
        ({"buyer": ""}, {}, "buyer_unknown"),
        ({}, {"currency": "CHF"}, "currency"),
        ({}, {"placed_at": timezone.now() + timedelta(days=2)}, "older"),
        ({"postcode": "20040002"}, {}, "postcode"),
    ],
)
def test_what_does_not_fit_the_order_is_found(said, order, code):
    assert against(issued(**said), **order) == [code]


# ---- Words and verdicts ----


@pytest.mark.parametrize("code", nfe_words.TABLE)
def test_every_finding_reads_in_words_whatever_is_known_of_it(code):
    severity, _message, _remedy = nfe_words.TABLE[code]
    finding = Finding(code, {})
    assert finding.severity == severity
    assert finding.message
    assert finding.remedy


def test_sums_and_days_are_told_in_the_readers_language():
    total = find("total", found=Decimal("1234.5"), expected=Decimal("99"))
    older = find("older", found="2026-11-05", expected="2026-11-06")
    with translation.override("en"):
        assert "R$ 1,234.50" in total.message
    with translation.override("pt-br"):
        assert "R$ 1.234,50" in total.message
        assert "05/11/2026" in older.message
    (again,) = from_json([total.to_json()])
    assert again == total
    assert from_json([{"code": "gone", "values": {}}, {}]) == []


def test_hostile_texts_are_cut_and_plain():
    finding = find("not_accepted", status="1", text="x\n\x07" + "<script>" * 500)
    assert len(finding.values["text"]) <= 200
    assert "\n" not in finding.message
    assert find("not_nfe", found="%(found)s %s %d").message.count("%(found)s") == 1


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        ([], "good"),
        (["postcode"], "look"),
        (["total"], "differs"),
        (["buyer", "postcode"], "differs"),
        (["not_ready", "total"], "wait"),
        (["no_order", "postcode"], "choose"),
        (["several_orders", "not_ready"], "choose"),
        (["known_key"], "known"),
        (["known_key", "issuer"], "refused"),
        (["total", "issuer", "no_order"], "refused"),
    ],
)
def test_the_worst_finding_decides_the_verdict(codes, verdict):
    assert verdict_of([find(code) for code in codes]) == verdict


def test_what_can_be_overruled_is_an_error_that_depends_on_the_order():
    for code in OVERRIDABLE | CHOICES:
        assert nfe_words.TABLE[code][0] == "error"
    assert not OVERRIDABLE & CHOICES


def test_moments_are_compared_in_one_zone():
    late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    note = issued(issued_at=late.astimezone(timezone.get_fixed_timezone(-180)), key="")
    assert "key_content" not in found(note, now=late)
    assert nfe_checks.check_date(read_nfe(note, most_bytes=3_000_000).note, shop(now=late)) is None
