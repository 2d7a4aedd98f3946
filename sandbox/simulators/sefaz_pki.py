"""The authority of the simulated tax office, made when it starts: its server's certificate, and the shop's e-CNPJ.

``python -m sandbox.simulators.sefaz_pki FOLDER`` makes what is missing.
"""

from __future__ import annotations

import argparse
import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

#: The CNPJ of the demo shop's e-CNPJ (``sandbox.sellers``), and the password of its file.
CNPJ, PASSWORD = "11222333000181", "simulada"
#: Made anew when less than this is left.
_LEFT = timedelta(days=30)


@dataclass(frozen=True)
class Pki:
    """Files of a folder: who is believed, what the server shows, the shop's A1 file."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server(self) -> Path:
        return self.folder / "server.pem"

    @property
    def a1(self) -> Path:
        return self.folder / "a1.pfx"

    @property
    def is_there(self) -> bool:
        return all(path.exists() for path in (self.authority, self.server, self.a1))


def ensure_pki(folder: Path) -> Pki:
    """The files, made where they are missing or about to run out."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12
    from django.utils import timezone

    from oscar_fulfillment.test.nfe import make_authority, make_certificate

    pki = Pki(folder)
    if pki.is_there:
        found = x509.load_pem_x509_certificate(pki.authority.read_bytes())
        if found.not_valid_after_utc - timezone.now() > _LEFT:
            return pki
    folder.mkdir(parents=True, exist_ok=True)
    authority = make_authority("AC Simulada", days=(-1, 400))
    server = make_server(authority)
    _write(pki.server, server)
    shop = make_certificate(authority, cnpj=CNPJ, days=(-1, 365))
    secret = serialization.BestAvailableEncryption(PASSWORD.encode())
    content = pkcs12.serialize_key_and_certificates(b"a1", shop.key, shop.certificate, [authority.certificate], secret)
    _write(pki.a1, content)
    # Last: it says that all of them are there.
    _write(pki.authority, authority.pem)
    return pki


def make_server(authority) -> bytes:
    """A certificate for this machine with its key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID
    from django.utils import timezone

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority.key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return plain + certificate.public_bytes(pem)


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def main() -> None:
    import django
    from django.conf import settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    if not settings.configured:
        settings.configure(USE_TZ=True, TIME_ZONE="America/Sao_Paulo")
        django.setup()
    ensure_pki(folder)


if __name__ == "__main__":
    main()
