"""The simulator of Bitrix24, asked by Bitrix24's own Python SDK over TLS: what ours is tested at speaks the protocol."""

from __future__ import annotations

import datetime
import ssl
import threading

import pytest
from b24pysdk import BitrixWebhook, Client
from b24pysdk.errors import BitrixAPIQueryLimitExceeded
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server

from sandbox.simulators.bitrix24 import Bitrix24
from sandbox.simulators.bitrix24_rules import CODE, USER, Bucket

pytestmark = pytest.mark.feature("E9")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The path of a certificate for localhost with its key, which is its own authority."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return str(path)


@pytest.fixture
def portal():
    return Bitrix24(deliver=lambda letter: 200)


@pytest.fixture
def sdk(portal, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = make_server("localhost", 0, portal, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    yield Client(BitrixWebhook(domain=f"localhost:{server.server_port}", webhook_token=f"{USER}/{CODE}"))
    server.shutdown()
    thread.join(5)


def test_the_sdk_makes_moves_and_lists_deals(sdk, portal):
    made = sdk.crm.deal.add(fields={"CATEGORY_ID": 5, "ORIGINATOR_ID": "shop", "ORIGIN_ID": "1"}).response.result
    assert sdk.crm.deal.get(bitrix_id=made).response.result["STAGE_ID"] == "C5:NEW"
    assert sdk.crm.deal.update(bitrix_id=made, fields={"STAGE_ID": "C5:WON"}).response.result is True
    assert portal.deal(made)["STAGE_ID"] == "C5:WON"
    for _n in range(60):
        portal.one("crm.deal.add", {"fields": {"ORIGINATOR_ID": "other"}})
    listed = sdk.crm.deal.list(select=["ID"], filter={"=ORIGINATOR_ID": "other"}).as_list().result
    assert len(list(listed)) == 60


def test_the_sdk_sends_a_batch_whose_commands_use_each_other(sdk):
    commands = {
        "made": sdk.crm.deal.add(fields={"TITLE": "Б & В"}),
        "found": sdk.crm.deal.list(filter={"ID": "$result[made]"}),
    }
    results = sdk.call_batch(commands, halt=True).response.result.result
    assert [deal["TITLE"] for deal in results["found"]] == ["Б & В"]
    assert results["found"][0]["ID"] == str(results["made"])


def test_the_sdk_understands_the_refusals(sdk, portal):
    with pytest.raises(Exception, match="Not found") as error:
        _ = sdk.crm.deal.get(bitrix_id=999).response
    assert type(error.value).__name__ == "BitrixAPIBadRequest"
    portal.bucket = Bucket(depth=0)
    with pytest.raises(BitrixAPIQueryLimitExceeded):
        _ = sdk.crm.deal.get(bitrix_id=1).response
