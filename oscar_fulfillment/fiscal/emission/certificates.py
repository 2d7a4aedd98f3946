"""The A1 certificate (e-CNPJ) that signs notes and opens the door of the tax office: a PKCS#12 file with its password.

The key never appears in a repr, a log or an error. The TLS library takes it from files only, so it is handed over
encrypted with a password made up for the occasion: in memory where the system has that, else in a file of this user
alone that is removed at once.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.utils import timezone

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.fiscal.nfe_signature import C14N, DS, canonical, signer_of
from oscar_fulfillment.fiscal.nfe_xml import NFE, parse

#: So long before its end a certificate is warned of.
WARNING = timedelta(days=30)
#: A PKCS#12 file has some 5 kB.
_MAX_BYTES = 200_000


class CertificateError(ConfigurationError):
    """The certificate cannot be used. ``code``: unreadable, password, no_key, no_owner."""

    def __init__(self, code: str, message: str):
        self.code = code
        super().__init__(message)


class Certificate:
    """A certificate with its key. ``owner`` is the CNPJ it was issued for."""

    __slots__ = ("_certificate", "_chain", "_key", "not_after", "not_before", "owner")

    def __init__(self, key: Any, certificate: Any, chain: Any = ()):
        self._key, self._certificate, self._chain = key, certificate, tuple(chain)
        self.owner: str = signer_of(certificate)
        self.not_before: datetime = certificate.not_valid_before_utc
        self.not_after: datetime = certificate.not_valid_after_utc

    def __repr__(self) -> str:
        return f"<Certificate of {self.owner or 'nobody'} until {self.not_after:%Y-%m-%d}>"

    def __reduce__(self) -> Any:
        raise TypeError("a certificate is not pickled: its key is a secret")

    @property
    def text(self) -> str:
        """The certificate alone, as signatures carry it: base64 on one line."""
        from cryptography.hazmat.primitives.serialization import Encoding

        return base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()

    def is_current(self, at: datetime | None = None) -> bool:
        return self.not_before <= (at or timezone.now()) <= self.not_after

    def days_left(self, at: datetime | None = None) -> int:
        """Whole days until it ends; negative when it has."""
        return (self.not_after - (at or timezone.now())).days

    def belongs_to(self, cnpj: str) -> bool:
        """Whether this firm may use it: the certificate of one branch serves all branches (the first 8 characters)."""
        return len(self.owner) == 14 and self.owner[:8] == cnpj[:8]

    def sign(self, xml: bytes, body: str = "infNFe") -> bytes:
        """The document with its signature behind the element ``body``, which it covers.

        As the tax office demands: enveloped, inclusive C14N 1.0, RSA with SHA-1, one certificate. Nothing else of the
        document is written anew.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        text = xml.decode()
        target = parse(text).find(f"{{{NFE}}}{body}")
        if target is None or not target.get("Id"):
            raise ValueError(f"there is no {body} with an Id to sign")
        digest = base64.b64encode(hashlib.sha1(canonical(target)).digest()).decode()  # noqa: S324 (what they demand)
        info = _signed_info(target.get("Id"), digest)
        value = self._key.sign(canonical(parse(info)), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
        # Inside the signature the namespace is its parent's: canonical form is the same.
        signature = (
            f'<Signature xmlns="{DS}">{info.replace(_NAMESPACE, "", 1)}'
            f"<SignatureValue>{base64.b64encode(value).decode()}</SignatureValue>"
            f"<KeyInfo><X509Data><X509Certificate>{self.text}</X509Certificate></X509Data></KeyInfo></Signature>"
        )
        head, end, tail = text.rpartition("</")
        return f"{head}{signature}{end}{tail}".encode()

    def ssl_context(self, ca_bundle: str = "") -> ssl.SSLContext:
        """For calls with this certificate as the client's. Servers are believed by ``ca_bundle`` (a PEM file), else by
        what the system believes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if ca_bundle:
            try:
                context.load_verify_locations(cafile=ca_bundle)
            except OSError as error:
                raise CertificateError("ca_bundle", f"{ca_bundle}: no file with authorities ({error})") from None
        else:
            context.load_default_certs()
        password = secrets.token_urlsafe(32)
        with _handed_over(self._pem(password.encode())) as path:
            context.load_cert_chain(path, password=password)
        return context

    def _pem(self, password: bytes) -> bytes:
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

        key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
        return key + b"".join(each.public_bytes(Encoding.PEM) for each in (self._certificate, *self._chain))


_NAMESPACE = f' xmlns="{DS}"'


def _signed_info(target: str, digest: str) -> str:
    return (
        f'<SignedInfo{_NAMESPACE}><CanonicalizationMethod Algorithm="{C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{DS}rsa-sha1"></SignatureMethod><Reference URI="#{target}"><Transforms>'
        f'<Transform Algorithm="{DS}enveloped-signature"></Transform><Transform Algorithm="{C14N}"></Transform>'
        f'</Transforms><DigestMethod Algorithm="{DS}sha1"></DigestMethod><DigestValue>{digest}</DigestValue>'
        "</Reference></SignedInfo>"
    )


@contextlib.contextmanager
def _handed_over(content: bytes) -> Iterator[str]:
    """A path from which the content can be read, for as long as this lasts."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    descriptor, path = tempfile.mkstemp()  # made with 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield path
    finally:
        os.unlink(path)


def load_certificate(path: str, password: str) -> Certificate:
    """The certificate in a file. :class:`CertificateError` when it cannot be read, or holds none of a firm."""
    try:
        changed = os.stat(path)
    except OSError as error:
        raise CertificateError("unreadable", f"the certificate {path} cannot be read ({error.strerror})") from None
    return _loaded(path, password, (changed.st_mtime_ns, changed.st_size))


@lru_cache(maxsize=16)
def _loaded(path: str, password: str, _changed: tuple[int, int]) -> Certificate:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError as error:
        raise CertificateError("unreadable", f"the certificate {path} cannot be read ({error.strerror})") from None
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(content, password.encode())
    except ValueError:
        # A wrong password and a damaged file cannot be told apart.
        raise CertificateError("password", f"the certificate {path} does not open with this password") from None
    if not isinstance(key, RSAPrivateKey) or certificate is None:
        raise CertificateError("no_key", f"{path} holds no RSA key with its certificate: it is no A1 certificate")
    found = Certificate(key, certificate, chain or ())
    if not found.owner:
        raise CertificateError("no_owner", f"the certificate {path} names no CNPJ: it is no e-CNPJ of ICP-Brasil")
    return found
