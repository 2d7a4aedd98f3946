"""The signature of a note or an event: is it whole, whose is it, was the certificate valid then.

What the tax office demands: XMLDSig, enveloped, inclusive C14N 1.0, RSA with SHA-1, one certificate, the reference is
``#`` and the element's Id. The certificate in the file proves only that the contents are whole; whom to believe needs
the roots of ICP-Brasil (:func:`read_bundle`). Pure, without network: revocation is not asked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import nfe_xml as xml
from .nfe_facts import Signed

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

DS = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_DIGESTS = {f"{DS}sha1": "sha1", "http://www.w3.org/2001/04/xmlenc#sha256": "sha256"}
_SIGNATURES = {f"{DS}rsa-sha1": "SHA1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": "SHA256"}
_TRANSFORMS = frozenset({f"{DS}enveloped-signature", C14N, f"{C14N}#WithComments"})
#: The subject's CNPJ, and a person's data (birthday and CPF), in certificates of ICP-Brasil.
CNPJ_OID, PERSON_OID = "2.16.76.1.3.3", "2.16.76.1.3.1"
#: Longest chain that is followed from a certificate to its root.
_MAX_CHAIN = 8
#: Characters of a certificate in a file; real ones have some 3,000.
_MAX_CERTIFICATE = 20_000

WHOLE, MISSING, CHANGED, FORGED, UNKNOWN = "whole", "missing", "changed", "forged", "unknown"


@dataclass(frozen=True)
class Signature:
    """What was found. ``is_reformatted``: whole, but for white space that a program has put in or taken out."""

    state: str
    is_reformatted: bool = False
    #: CNPJ (14) or CPF (11) of the certificate; "" where it names none.
    signer: str = ""
    #: None: the certificate could not be read.
    is_current: bool | None = None
    #: None: there is no bundle to ask.
    is_trusted: bool | None = None


def check_signature(signed: Signed, *, at: datetime, bundle: Bundle | None = None) -> Signature:
    """Check the signature of an element, its certificate as of ``at`` (the moment of issue)."""
    envelope = signed.element.find(f"{{{DS}}}Signature")
    if envelope is None:
        return Signature(MISSING)
    text = _text(envelope, "KeyInfo/X509Data/X509Certificate")
    certificate = _certificate(text) if 0 < len(text) <= _MAX_CERTIFICATE else None
    state, is_reformatted = _verify(signed, envelope, certificate)
    if certificate is None:
        return Signature(state, is_reformatted)
    return Signature(
        state,
        is_reformatted,
        signer=signer_of(certificate),
        is_current=certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc,
        is_trusted=bundle.trusts(certificate, at) if bundle is not None else None,
    )


def _verify(signed: Signed, envelope: Any, certificate: Certificate | None) -> tuple[str, bool]:
    info = envelope.find(f"{{{DS}}}SignedInfo")
    if info is None or not _is_usual(info, signed.id):
        return UNKNOWN, False
    digest, algorithm = _text(info, "Reference/DigestValue"), _DIGESTS[_algorithm(info, "Reference/DigestMethod")]
    # Programs that show or send the file indent it. Signed notes have no white space between their elements.
    is_reformatted = _digest_of(signed.element, signed.id, algorithm) != digest
    if is_reformatted and _digest_of(_without_blanks(signed), signed.id, algorithm) != digest:
        return CHANGED, False
    if certificate is None:
        return UNKNOWN, is_reformatted
    value = _text(envelope, "SignatureValue")
    state = _verify_rsa(info, value, certificate)
    if state == FORGED:
        plain = _without_blanks(signed).find(f"{{{DS}}}Signature/{{{DS}}}SignedInfo")
        state, is_reformatted = _verify_rsa(plain, value, certificate), True
    return state, is_reformatted


def _is_usual(info: Any, wanted: str) -> bool:
    """Whether it is signed as the tax office demands. Anything else is not looked into: transforms are programs."""
    references = info.findall(f"{{{DS}}}Reference")
    if len(references) != 1 or not wanted or references[0].get("URI") != f"#{wanted}":
        return False
    transforms = {each.get("Algorithm") for each in references[0].iter(f"{{{DS}}}Transform")}
    return (
        _algorithm(info, "CanonicalizationMethod") == C14N
        and _algorithm(info, "SignatureMethod") in _SIGNATURES
        and _algorithm(info, "Reference/DigestMethod") in _DIGESTS
        and transforms <= _TRANSFORMS
    )


def _without_blanks(signed: Signed) -> Any:
    from lxml import etree

    element = xml.parse(signed.source, without_blanks=True)
    # Where the element had to be written anew, it brought along the namespaces of what was around it.
    etree.cleanup_namespaces(element)
    return element


def _digest_of(element: Any, wanted: str, algorithm: str) -> str:
    # The Id was found by the caller; a second element with the same one is not what was read.
    found = [each for each in element if each.get("Id") == wanted]
    if len(found) != 1:
        return ""
    return base64.b64encode(hashlib.new(algorithm, canonical(found[0])).digest()).decode()


def canonical(element: Any) -> bytes:
    """Inclusive C14N 1.0 without comments.

    lxml writes a bogus ``xmlns=""`` into what is below an element with a namespace when it canonicalises a part of a
    tree (5.4 and 6.1): so the part is made a tree of its own first.
    """
    from lxml import etree

    alone = etree.fromstring(etree.tostring(element, with_tail=False), _plain_parser())
    return bytes(etree.tostring(alone, method="c14n", exclusive=False, with_comments=False))


def _plain_parser() -> Any:
    from lxml import etree

    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _verify_rsa(info: Any, value: str, certificate: Certificate) -> str:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            return UNKNOWN
        hasher = getattr(hashes, _SIGNATURES[_algorithm(info, "SignatureMethod")])()
        key.verify(base64.b64decode(value, validate=True), canonical(info), padding.PKCS1v15(), hasher)
    except (InvalidSignature, binascii.Error):
        return FORGED
    except (UnsupportedAlgorithm, ValueError):
        return UNKNOWN
    return WHOLE


def _text(element: Any, path: str) -> str:
    found = element.find("/".join(f"{{{DS}}}{step}" for step in path.split("/")))
    return "".join((found.text or "").split()) if found is not None else ""


def _algorithm(element: Any, path: str) -> str:
    found = element.find("/".join(f"{{{DS}}}{step}" for step in path.split("/")))
    return (found.get("Algorithm") or "") if found is not None else ""


# ---- Certificates ----


@lru_cache(maxsize=64)
def _certificate(text: str) -> Certificate | None:
    """The certificate in the file; a shop's notes all carry the same few."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except (ValueError, TypeError):
        return None


def signer_of(certificate: Certificate) -> str:
    """The CNPJ, or a person's CPF, that the certificate was issued for; "" where it names none."""
    from cryptography import x509

    held: dict[str, str] = {}
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for other in names.get_values_for_type(x509.OtherName):
            # DER: a tag and a length before the text, which is never longer than one byte can say.
            held[other.type_id.dotted_string] = other.value[2:].decode("ascii", "replace")
    except (x509.ExtensionNotFound, ValueError):
        held = {}
    if CNPJ_OID in held:
        return held[CNPJ_OID].strip()[:14]
    if PERSON_OID in held:
        return held[PERSON_OID][8:19]
    # Older ones only have it in their name: "FIRM:12345678000199".
    try:
        subject = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except ValueError:
        return ""
    tail = str(subject[0].value).rpartition(":")[2] if subject else ""
    return tail if len(tail) in (11, 14) and tail.isascii() and tail.isalnum() else ""


class Bundle:
    """The authorities that a shop trusts: roots and those between, as in a PEM file."""

    def __init__(self, certificates: list[Certificate]):
        self._by_subject: dict[bytes, list[Certificate]] = {}
        for certificate in certificates:
            self._by_subject.setdefault(certificate.subject.public_bytes(), []).append(certificate)

    def trusts(self, certificate: Certificate, at: datetime) -> bool:
        """Whether a chain of authorities, all valid at this moment, leads from the certificate to a root of ours."""
        return self._leads(certificate, at, _MAX_CHAIN)

    def _leads(self, certificate: Certificate, at: datetime, left: int) -> bool:
        if not left or not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return False
        for issuer in self._by_subject.get(certificate.issuer.public_bytes(), ()):
            if not _issued(issuer, certificate):
                continue
            if issuer.subject == issuer.issuer:
                return issuer.not_valid_before_utc <= at <= issuer.not_valid_after_utc
            if self._leads(issuer, at, left - 1):
                return True
        return False


def _issued(issuer: Certificate, certificate: Certificate) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return True


def read_bundle(path: str) -> Bundle | None:
    """The authorities in a PEM file; None for an empty path. OSError or ValueError for a file that holds none."""
    return _bundle(path, os.stat(path).st_mtime_ns) if path else None


@lru_cache(maxsize=4)
def _bundle(path: str, _changed: int) -> Bundle:
    from cryptography import x509

    with open(path, "rb") as file:
        return Bundle(x509.load_pem_x509_certificates(file.read()))
