"""The certificate that signs and opens the door; the signature proved by a library that knows nothing of ours."""

import logging
import os
import pickle
import shutil
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, pkcs12
from django.core.management import call_command
from django.utils import timezone
from lxml import etree
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier
from signxml.exceptions import InvalidDigest

from oscar_fulfillment import checks
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.fiscal.access_key import parse
from oscar_fulfillment.fiscal.emission import certificates, requests
from oscar_fulfillment.fiscal.emission.build import build_note
from oscar_fulfillment.fiscal.emission.certificates import CertificateError, load_certificate
from oscar_fulfillment.fiscal.emission.schema import load_schema, schema_problems
from oscar_fulfillment.fiscal.nfe_signature import WHOLE, check_signature
from oscar_fulfillment.selectors.issuers import find_issuing, read_issuing
from oscar_fulfillment.test.fiscal import DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC, make_cnpj, make_key
from oscar_fulfillment.test.nfe import demo_authority, make_certificate, sign
from sandbox.simulators import sefaz_rules
from tests.nfe_settings import SELLER, issuer, pki

from .test_emission_build import NOON, facts

pytestmark = pytest.mark.feature("A9", "Z5")

PASSWORD = "the-secret-of-the-a1"


class Verifier(XMLVerifier):
    # What lxml writes into a part of a tree, and the canonical form does not have.
    excise_empty_xmlns_declarations = True


SHA1 = SignatureConfiguration(
    signature_methods={SignatureMethod.RSA_SHA1}, digest_algorithms={DigestAlgorithm.SHA1}, location="./"
)


def a1(folder, *, holder=None, name="a1.pfx", password=PASSWORD, key=None, **said):
    """A file as shops have them."""
    holder = holder or make_certificate(demo_authority(), **said)
    secret = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    content = pkcs12.serialize_key_and_certificates(b"a1", key or holder.key, holder.certificate, None, secret)
    path = folder / name
    path.write_bytes(content)
    return str(path), holder


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    path, holder = a1(tmp_path_factory.mktemp("a1"))
    return load_certificate(path, PASSWORD), holder


@pytest.mark.parametrize("cnpj", [DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC])
def test_a_signed_note_is_valid_and_verified_by_another_library(signer, cnpj):
    certificate, holder = signer
    note = build_note(facts(cnpj=cnpj, order_number="100123 & <ção>"))
    signed = certificate.sign(note.xml)
    assert schema_problems(signed, is_signed=True) == []
    assert signed.startswith(note.xml.removesuffix(b"</NFe>")), "what was built is not written anew"
    found = Verifier().verify(signed, x509_cert=holder.certificate, expect_config=SHA1, id_attribute="Id")
    assert found.signed_xml.get("Id") == f"NFe{note.key.text}"
    assert sefaz_rules.signature_refusal(signed, "infNFe", DEMO_CNPJ) is None
    # The same bytes as the tests' own signer makes.
    assert signed == sign(note.xml.decode(), holder).encode()
    with pytest.raises(InvalidDigest):
        Verifier().verify(
            signed.replace(b"Caneca", b"Caneta"), x509_cert=holder.certificate, expect_config=SHA1, id_attribute="Id"
        )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_openssl_verifies_the_signature_too(signer, tmp_path):
    certificate, holder = signer
    root = etree.fromstring(certificate.sign(build_note(facts()).xml))
    ds = "{http://www.w3.org/2000/09/xmldsig#}"
    import base64

    info = etree.tostring(etree.fromstring(etree.tostring(root.find(f".//{ds}SignedInfo"))), method="c14n")
    (tmp_path / "info").write_bytes(info)
    (tmp_path / "value").write_bytes(base64.b64decode(root.findtext(f".//{ds}SignatureValue")))
    public = holder.certificate.public_key().public_bytes(Encoding.PEM, _public_format())
    (tmp_path / "key.pem").write_bytes(public)
    told = subprocess.run(
        ["openssl", "dgst", "-sha1", "-verify", "key.pem", "-signature", "value", "info"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout.strip() == "Verified OK", told


def _public_format():
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return PublicFormat.SubjectPublicKeyInfo


def test_a_signed_note_survives_its_envelope_and_its_protocol(signer):
    certificate, _holder = signer
    signed = certificate.sign(build_note(facts()).xml)
    protocol = '<protNFe versao="4.00"><infProt><tpAmb>2</tpAmb></infProt></protNFe>'
    proc = requests.join_proc(signed, protocol)
    assert proc.count(signed) == 1
    assert proc.endswith(protocol.encode() + b"</nfeProc>")
    lot = etree.fromstring(requests.lot(signed, 7))
    inside = lot.find("{http://www.portalfiscal.inf.br/nfe}NFe")
    assert sefaz_rules.signature_refusal(sefaz_rules.alone(inside), "infNFe", DEMO_CNPJ) is None


@pytest.mark.parametrize("issuer_", [DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC])
def test_events_and_voidings_are_signed_and_valid_as_far_as_the_schemas_know_letters(signer, issuer_):
    certificate, _holder = signer
    key = parse(make_key(issuer=issuer_))
    common = {"key": key, "environment": "homologation", "at": NOON}
    cancelled = requests.cancellation(**common, protocol="135260000000001", reason="Cliente desistiu da compra")
    corrected = requests.correction(**common, text="O bairro é <Jardins> & não Centro", number=20)
    voided = requests.voiding(
        state="SP", environment="homologation", cnpj=issuer_, series=1, first=3, last=9, year=2026, reason="Numeros nao usados",
    )  # fmt: skip
    for xml, body, schema in (
        (cancelled, "infEvento", "nfe_evento_cancel/schemas/v1_0/eventoCancNFe_v1.00.xsd"),
        (corrected, "infEvento", "nfe_evento_cce/schemas/v1_0/CCe_v1.00.xsd"),
        (voided, "infInut", "nfe/schemas/v4_0/inutNFe_v4.00.xsd"),
    ):
        signed = certificate.sign(xml.encode(), body=body)
        assert sefaz_rules.signature_refusal(signed, body, DEMO_CNPJ) is None
        found = load_schema(schema)
        is_valid = found.validate(etree.fromstring(signed))
        # The schemas of events have not heard of letters in a CNPJ yet: they refuse nothing but those.
        assert is_valid or (issuer_ == DEMO_CNPJ_ALPHANUMERIC and all(issuer_ in e.message for e in found.error_log)), (
            found.error_log
        )


@pytest.mark.parametrize("reason", ["", "curto", "x" * 256, "日" * 3])
def test_a_reason_out_of_bounds_makes_no_event(reason):
    key = parse(make_key())
    with pytest.raises(ValueError, match="letters"):
        requests.cancellation(key=key, environment="homologation", at=NOON, protocol="1" * 15, reason=reason)
    with pytest.raises(ValueError, match="protocol"):
        requests.cancellation(key=key, environment="homologation", at=NOON, protocol="x", reason="a" * 20)
    with pytest.raises(ValueError, match="20 corrections"):
        requests.correction(key=key, environment="homologation", at=NOON, text="a" * 20, number=21)


# The certificate


def test_a_certificate_tells_whose_it_is_and_nothing_secret(signer, caplog):
    certificate, _holder = signer
    assert certificate.owner == DEMO_CNPJ
    assert certificate.belongs_to(DEMO_CNPJ[:8] + "0002" + "00")
    assert not certificate.belongs_to(make_cnpj("998887770001"))
    assert certificate.is_current()
    assert 295 <= certificate.days_left() <= 300
    for text in (repr(certificate), str(certificate)):
        assert "PRIVATE" not in text
        assert PASSWORD not in text
    with pytest.raises(TypeError):
        pickle.dumps(certificate)
    with caplog.at_level(logging.DEBUG):
        certificate.ssl_context()
        certificate.sign(build_note(facts()).xml)
    assert "PRIVATE" not in caplog.text


@pytest.mark.parametrize("problem", ["wrong password", "no file", "garbage", "empty", "no RSA key", "no owner", "huge"])
def test_a_certificate_that_cannot_be_used_says_why(tmp_path, problem):
    path, _holder = a1(tmp_path, says=problem != "no owner")
    password = "other" if problem == "wrong password" else PASSWORD
    if problem == "no file":
        path = str(tmp_path / "none.pfx")
    elif problem in ("garbage", "empty", "huge"):
        (tmp_path / "a1.pfx").write_bytes(
            {"garbage": b"\x30\x82garbage", "empty": b"", "huge": b"\x30" * 500_000}[problem]
        )
    elif problem == "no RSA key":
        key = ec.generate_private_key(ec.SECP256R1())
        content = pkcs12.serialize_key_and_certificates(
            b"x", key, None, None, BestAvailableEncryption(PASSWORD.encode())
        )
        (tmp_path / "a1.pfx").write_bytes(content)
    with pytest.raises(CertificateError) as refused:
        load_certificate(path, password)
    assert refused.value.code in ("password", "unreadable", "no_key", "no_owner")
    assert password not in str(refused.value)


def test_a_certificate_that_was_renewed_is_read_again(tmp_path):
    path, _holder = a1(tmp_path, days=(-300, 10))
    assert load_certificate(path, PASSWORD).days_left() < 11
    a1(tmp_path, days=(-1, 364))
    assert load_certificate(path, PASSWORD).days_left() > 300


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_key_reaches_the_tls_library_without_staying_anywhere(signer, in_memory, monkeypatch, tmp_path):
    certificate, _holder = signer
    seen = []
    load = ssl.SSLContext.load_cert_chain

    def spy(self, certfile, keyfile=None, password=None):
        content = Path(certfile).read_bytes()
        mode = os.stat(certfile).st_mode & 0o077
        seen.append((certfile, content, mode))
        return load(self, certfile, keyfile, password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    monkeypatch.setattr(certificates.tempfile, "tempdir", str(tmp_path))
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    certificate.ssl_context()
    ((path, content, others),) = seen
    assert b"ENCRYPTED PRIVATE KEY" in content
    assert os.listdir(tmp_path) == []
    if not in_memory:
        assert others == 0
        assert not os.path.exists(path)
    with pytest.raises(CertificateError):
        certificate.ssl_context("/nowhere/ca.pem")


# The settings


@pytest.fixture
def shop(settings):
    def configure(**said):
        settings.OSCAR_FULFILLMENT = {
            **settings.OSCAR_FULFILLMENT, "SELLERS": {"BRL": SELLER, "NONE": {"name": "x"}},
            "NFE": {"BRL": issuer("https://localhost:1", **said)},
        }  # fmt: skip
        return find_issuing("BRL")

    return configure


def test_an_issuer_is_made_of_its_entry_and_its_seller(shop):
    found = shop()
    assert (found.issuer.cnpj, found.issuer.place.municipality, found.environment) == (
        DEMO_CNPJ,
        "3550308",
        "homologation",
    )
    assert found.is_test
    assert found.series == 1
    assert "simulada" not in repr(found)
    assert "simulada" not in repr(found.client())
    assert found.certificate().owner == DEMO_CNPJ


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"uf": "XX"}, "uf"), ({"crt": 5}, "crt"), ({"crt": "1"}, "crt"), ({"ie": "12.3"}, "ie has"), ({"ie": ""}, "ie missing"),
        ({"certificate": ""}, "certificate missing"), ({"environment": "prod"}, "environment"), ({"series": 890}, "series"),
        ({"series": "1"}, "series"), ({"district": ""}, "district"), ({"seller": "EUR"}, "SELLERS has no 'EUR'"),
        ({"seller": "NONE"}, "no municipality"), ({"municipality": "3304557"}, "no municipality of SP"), ({"colour": 1}, "unknown colour"),
        ({"freight_mode": 7}, "freight_mode"), ({"payments": {"pix": "x"}}, "payments"), ({"addresses": "x"}, "addresses"),
        ({"timeout": 0}, "timeout"), ({"technical": {"cnpj": "1"}}, "technical"), ({"uf": "RJ"}, "no municipality of RJ"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_refused_and_its_secret_is_not_told(shop, said, words):
    with pytest.raises(ConfigurationError, match=words) as refused:
        shop(**said)
    assert "simulada" not in str(refused.value)


def test_an_entry_that_is_no_dict_and_an_issuer_that_is_not_there(shop):
    shop()
    with pytest.raises(ConfigurationError, match="not a dict"):
        read_issuing("BRL", "a1.pfx")
    with pytest.raises(ConfigurationError, match="no issuer"):
        find_issuing("USD")


def test_the_clock_is_that_of_the_issuers_state(shop, settings):
    assert str(shop().zone) == "America/Sao_Paulo"
    seller = {**SELLER, "city": "Manaus"}
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": {"BRL": seller}}
    settings.OSCAR_FULFILLMENT["NFE"]["BRL"]["uf"] = "AM"
    assert str(find_issuing("BRL").zone) == "America/Manaus"


def test_the_system_checks_find_what_would_stop_notes(shop, tmp_path):
    def found():
        return [(message.id, message.msg) for message in checks.check_nfe()]

    shop()
    assert found() == []
    shop(timeout=60)
    assert found()[0][0] == "oscar_fulfillment.W064"
    with pytest.raises(ConfigurationError):
        shop(crt=7)
    assert found()[0][0] == "oscar_fulfillment.E060"
    shop(password="other")
    assert "does not open" in found()[0][1]
    path, _holder = a1(tmp_path, days=(-400, -3))
    shop(certificate=path, password=PASSWORD)
    assert found()[0][0] == "oscar_fulfillment.W062"
    with pytest.raises(ConfigurationError, match="valid from"):
        find_issuing("BRL").certificate()
    path, _holder = a1(tmp_path, name="other.pfx", cnpj=make_cnpj("998887770001"))
    shop(certificate=path, password=PASSWORD)
    assert "is of 99.888.777/0001" in found()[0][1]
    path, _holder = a1(tmp_path, name="soon.pfx", days=(-300, 12))
    shop(certificate=path, password=PASSWORD)
    assert found()[0][0] == "oscar_fulfillment.W063"
    shop(ca_bundle="/nowhere.pem")
    assert "no file with authorities" in found()[0][1]


def test_a_shop_that_issues_nothing_needs_none_of_it(settings):
    assert checks.check_nfe() == []
    call_command("check", verbosity=0)


def test_what_our_own_reader_says_of_a_note_of_ours(signer):
    from oscar_fulfillment.fiscal.nfe_facts import read_nfe

    certificate, _holder = signer
    signed = certificate.sign(build_note(facts()).xml)
    digest = signed.split(b"<DigestValue>")[1].split(b"<")[0].decode()
    key = build_note(facts()).key.text
    protocol = f'<protNFe versao="4.00"><infProt><tpAmb>2</tpAmb><chNFe>{key}</chNFe><nProt>135260000000001</nProt><digVal>{digest}</digVal><cStat>100</cStat><xMotivo>ok</xMotivo></infProt></protNFe>'
    read = read_nfe(requests.join_proc(signed, protocol), most_bytes=1_000_000)
    assert check_signature(read.signed, at=timezone.now()).state == WHOLE
    assert (read.note.number, str(read.note.total), read.note.order_numbers[0]) == ("7", "20.00", "100123")
    assert pki().is_there
    assert timedelta(0) < certificate.not_after - timezone.now()
