"""Signatures and certificates: whole, changed, reformatted, forged; whose, when, and whom to trust."""

import base64
import os
import re
from datetime import timedelta

import pytest
import signxml
from cryptography import x509
from django.utils import timezone
from lxml import etree

from oscar_fulfillment.fiscal import nfe_signature
from oscar_fulfillment.fiscal.nfe_facts import read_nfe
from oscar_fulfillment.fiscal.nfe_signature import Bundle, check_signature, signer_of
from oscar_fulfillment.test import nfe
from oscar_fulfillment.test.fiscal import DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC, make_cpf

pytestmark = pytest.mark.feature("A10", "Z5")

NOTE = nfe.make_note(number=1, order_number="100123", text="São Paulo, ação & cia")
PLAIN = NOTE.split(b"?>", 1)[1]
EVENT = nfe.make_cancellation(nfe.key_of(NOTE))


def check(content, *, bundle=None, at=None):
    return check_signature(read_nfe(content, most_bytes=3_000_000).signed, at=at or timezone.now(), bundle=bundle)


def pretty(content):
    return etree.tostring(etree.fromstring(content), pretty_print=True, xml_declaration=True, encoding="UTF-8")


def soap(content):
    return (
        b'<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:xsi="http://www.w3.org/2001/'
        b'XMLSchema-instance" xmlns="urn:other"><soap:Body><nfeResultMsg>' + content + b"</nfeResultMsg></soap:Body></soap:Envelope>"
    )  # fmt: skip


@pytest.mark.parametrize("content", [NOTE, EVENT], ids=["note", "event"])
def test_what_was_signed_is_whole(content):
    found = check(content)
    assert (found.state, found.is_reformatted, found.signer) == ("whole", False, DEMO_CNPJ)
    assert (found.is_current, found.is_trusted) == (True, None)


@pytest.mark.parametrize("content", [NOTE, EVENT], ids=["note", "event"])
def test_an_independent_library_verifies_our_notes(content):
    """signxml, told to accept what the tax office still demands: SHA-1."""
    name = b"NFe" if b"<NFe" in content else b"evento"
    element = etree.fromstring(re.search(b"<%s .*</%s>" % (name, name), content, re.S)[0])
    text = element.findtext(".//{*}X509Certificate")
    verifier = signxml.XMLVerifier()
    verifier.excise_empty_xmlns_declarations = True
    config = signxml.SignatureConfiguration(
        signature_methods=frozenset([signxml.SignatureMethod.RSA_SHA1]),
        digest_algorithms=frozenset([signxml.DigestAlgorithm.SHA1]),
        location="./",
    )
    certificate = x509.load_der_x509_certificate(base64.b64decode(text))
    found = verifier.verify(element, x509_cert=certificate, expect_config=config, id_attribute="Id")
    assert found.signed_xml.get("Id") == element[0].get("Id")


SAME = {
    "inside a SOAP envelope": soap(PLAIN),
    "inside a SOAP envelope, indented": pretty(soap(PLAIN)),
    "in a root that declares more": PLAIN.replace(b"<nfeProc ", b'<nfeProc xmlns:xsi="urn:x" xmlns:ds="urn:y" '),
    "indented": pretty(NOTE),
    "indented by Windows": pretty(NOTE).replace(b"\n", b"\r\n"),
    "with a comment": PLAIN.replace(b"<emit>", b"<!-- ERP --><emit>"),
    "with a comment, in SOAP": soap(PLAIN.replace(b"<emit>", b"<!-- ERP --><emit>")),
    "with an instruction": PLAIN.replace(b"<NFe ", b"<?erp x?><NFe "),
    "in another encoding": NOTE.decode().encode("utf-16"),
    "with empty elements written short": PLAIN.replace(b"></Transform>", b"/>"),
    "with other quotes": PLAIN.replace(b'versao="4.00"', b"versao='4.00'"),
    "with letters as numbers": PLAIN.replace("ã".encode(), b"&#227;"),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_contents_in_another_dress_are_whole(name):
    assert check(SAME[name]).state == "whole", name


def test_only_what_was_reformatted_is_called_so():
    assert check(pretty(NOTE)).is_reformatted
    assert not check(soap(PLAIN)).is_reformatted
    lines = re.sub(rb"(<SignedInfo>)(.*?)(</SignedInfo>)", lambda m: re.sub(rb"><(?=[A-Z])", b">\n<", m[0]), NOTE)
    found = check(lines)
    assert (found.state, found.is_reformatted) == ("whole", True)


CHANGED = {
    "a sum": (NOTE.replace(b"<vNF>10.00", b"<vNF>99.00"), "changed"),
    "a letter": (NOTE.replace(b"Caneca", b"caneca"), "changed"),
    "a space": (NOTE.replace(b"Ana Souza", b"Ana  Souza"), "changed"),
    "an element more": (NOTE.replace(b"</infNFe>", b"<x/></infNFe>"), "changed"),
    "the digest": (re.sub(b"<DigestValue>.*?<", b"<DigestValue>AAAA<", NOTE), "changed"),
    "the signature": (re.sub(b"<SignatureValue>.{8}", b"<SignatureValue>AAAAAAAA", NOTE), "forged"),
    "the signature, no base64": (re.sub(b"<SignatureValue>.{8}", b"<SignatureValue>!!!!!!!!", NOTE), "forged"),
    "no signature": (re.sub(b"<Signature .*?</Signature>", b"", NOTE), "missing"),
    "no reference": (re.sub(b"<Reference.*?</Reference>", b"", NOTE), "unknown"),
    "a reference to something else": (NOTE.replace(b'URI="#NFe', b'URI="#X'), "unknown"),
    "a reference to everything": (re.sub(b'URI="[^"]*"', b'URI=""', NOTE), "unknown"),
    "two references": (re.sub(b"(<Reference.*</Reference>)", rb"\1\1", NOTE), "unknown"),
    "MD5": (NOTE.replace(b"xmldsig#rsa-sha1", b"xmldsig-more#rsa-md5"), "unknown"),
    "a transform that is a program": (
        NOTE.replace(b"http://www.w3.org/2000/09/xmldsig#enveloped-signature",
                     b"http://www.w3.org/TR/1999/REC-xslt-19991116"), "unknown"),
    "another canonical form": (NOTE.replace(
        b'<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"',
        b'<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"'), "unknown"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_of_any_kind_is_seen(name):
    content, state = CHANGED[name]
    assert content != NOTE
    assert check(content).state == state


def test_a_second_element_with_the_same_id_does_not_stand_for_the_note():
    """Signature wrapping: the signed note beside another one of the same Id that is read."""
    body = re.search(b"<infNFe.*</infNFe>", NOTE, re.S)[0]
    other = body.replace(b"<vNF>10.00", b"<vNF>99.00").replace(b"infNFe", b"infOther")
    assert check(NOTE.replace(body, body + other)).state == "changed"


# ---- Certificates ----


def signed_by(holder, **said):
    return nfe.make_note(signer=holder, number=5, **said)


@pytest.mark.parametrize(
    ("said", "signer"),
    [
        ({"cnpj": DEMO_CNPJ}, DEMO_CNPJ),
        ({"cnpj": DEMO_CNPJ_ALPHANUMERIC}, DEMO_CNPJ_ALPHANUMERIC),
        ({"cpf": make_cpf("987654321")}, make_cpf("987654321")),
        ({"says": False}, ""),
    ],
)
def test_the_certificate_says_whose_it_is(said, signer):
    assert check(signed_by(nfe.make_certificate(nfe.demo_authority(), **said))).signer == signer


def test_an_older_certificate_has_it_in_its_name():
    holder = nfe.make_certificate(nfe.demo_authority(), cnpj=DEMO_CNPJ)
    builder = nfe._begin(nfe._name(f"LOJA:{DEMO_CNPJ}"), holder.certificate.issuer, holder.key, (-1, 1))
    plain = builder.sign(holder.key, nfe.hashes.SHA256())
    assert signer_of(plain) == DEMO_CNPJ


def test_the_certificate_must_have_been_valid_when_the_note_was_issued():
    holder = nfe.make_certificate(nfe.demo_authority(), days=(-400, -30))
    note, now = signed_by(holder), timezone.now()
    assert check(note, at=now).is_current is False
    assert check(note, at=now - timedelta(days=60)).is_current is True
    assert check(note, at=now - timedelta(days=500)).is_current is False


@pytest.mark.parametrize("text", [b"", b"AAAA", b"nonsense!", base64.b64encode(b"x" * 9000), b"A" * 60_000])
def test_a_certificate_that_cannot_be_read_is_told_apart(text):
    found = check(re.sub(b"<X509Certificate>.*?<", b"<X509Certificate>" + text + b"<", NOTE))
    assert (found.state, found.is_current, found.signer) == ("unknown", None, "")


def test_a_key_that_is_no_rsa_is_not_guessed_at():
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    builder = nfe._begin(nfe._name("EC"), nfe._name("EC"), key, (-1, 1))
    text = base64.b64encode(builder.sign(key, nfe.hashes.SHA256()).public_bytes(nfe.serialization.Encoding.DER))
    assert check(re.sub(b"<X509Certificate>.*?<", b"<X509Certificate>" + text + b"<", NOTE)).state == "unknown"


# ---- Trust ----


def test_trust_follows_the_chain_to_a_root_of_the_bundle():
    root = nfe.make_authority("Raiz")
    middle = nfe.make_authority("AC", parent=root)
    leaf = nfe.make_certificate(middle)
    note = signed_by(leaf)
    certificates = [root.certificate, middle.certificate]
    assert check(note, bundle=Bundle(certificates)).is_trusted is True
    assert check(note, bundle=Bundle(certificates[:1])).is_trusted is False
    assert check(note, bundle=Bundle(certificates[1:])).is_trusted is False
    assert check(note, bundle=Bundle([])).is_trusted is False
    assert check(note, bundle=Bundle([nfe.demo_authority().certificate])).is_trusted is False


def test_an_authority_of_the_same_name_is_not_trusted():
    assert check(signed_by(nfe.make_certificate(nfe.make_authority("Raiz"))),
                 bundle=Bundle([nfe.make_authority("Raiz").certificate])).is_trusted is False  # fmt: skip


def test_a_shops_own_certificate_is_no_authority():
    leaf = nfe.make_certificate(nfe.demo_authority())
    below = nfe.make_certificate(leaf)
    assert (
        check(signed_by(below), bundle=Bundle([nfe.demo_authority().certificate, leaf.certificate])).is_trusted is False
    )


def test_trust_ends_with_the_authority():
    root = nfe.make_authority("Raiz", days=(-400, -30))
    note = signed_by(nfe.make_certificate(root, days=(-400, 400)))
    bundle, now = Bundle([root.certificate]), timezone.now()
    assert check(note, bundle=bundle, at=now).is_trusted is False
    assert check(note, bundle=bundle, at=now - timedelta(days=60)).is_trusted is True


def test_a_bundle_is_read_from_its_file_and_again_when_it_changes(tmp_path):
    path = tmp_path / "icp.pem"
    path.write_bytes(nfe.demo_authority().pem)
    assert check(NOTE, bundle=nfe_signature.read_bundle(str(path))).is_trusted is True
    path.write_bytes(nfe.make_authority().pem)
    os.utime(path, (1, 1))
    assert check(NOTE, bundle=nfe_signature.read_bundle(str(path))).is_trusted is False
    path.write_bytes(b"no certificate")
    os.utime(path, (2, 2))
    with pytest.raises(ValueError, match="PEM"):
        nfe_signature.read_bundle(str(path))
    with pytest.raises(OSError, match="none.pem"):
        nfe_signature.read_bundle(str(tmp_path / "none.pem"))
    assert nfe_signature.read_bundle("") is None
