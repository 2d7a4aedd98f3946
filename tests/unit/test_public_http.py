"""A POST to strangers: it goes to the judged address alone, and nothing they answer holds or floods us."""

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from oscar_fulfillment.core import public_address, public_http
from oscar_fulfillment.core.public_address import Rules
from oscar_fulfillment.core.public_http import EXCERPT, LONGEST_WAIT, Reply, post, retry_after

pytestmark = pytest.mark.feature("Z15")

HERE = Rules(allow_hosts=frozenset({"127.0.0.1"}))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read_request(connection):
    """A whole request: who closes before it has read everything resets the connection."""
    found = b""
    while b"\r\n\r\n" not in found and (piece := connection.recv(65536)):
        found += piece
    head, _blank, body = found.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < min(length, 100_000) and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


@contextmanager
def server(answer):
    """A socket that hands each connection to ``answer(connection)``; yields (port, what arrived)."""
    listener = socket.create_server(("127.0.0.1", 0))
    arrived = []

    def serve():
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=[connection], daemon=True).start()

    def one(connection):
        with connection:
            arrived.append(read_request(connection))
            with suppress(OSError):
                answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], arrived
    finally:
        listener.close()


def ask(port, timeout=5.0, path="/hook", body=b'{"a":1}', **headers):
    return post(f"http://127.0.0.1:{port}{path}", body, headers, rules=HERE, timeout=timeout)


def says(*pieces, pause=0.0):
    def answer(connection):
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return answer


def test_a_post_goes_out_whole_and_the_answer_is_kept():
    with server(says(OK)) as (port, arrived):
        reply = ask(port, **{"webhook-id": "msg_1"})
    assert reply.is_ok
    assert (reply.status, reply.excerpt, reply.error) == (200, "ok", "")
    assert 0 < reply.seconds < 5
    head, body = arrived[0].split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}" in lines
    assert "webhook-id: msg_1" in lines
    assert "Content-Length: 7" in lines
    assert body == b'{"a":1}'


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status):
    with server(says(OK)) as (other, elsewhere):
        where = f"Location: http://127.0.0.1:{other}/\r\n".encode()
        with server(says(b"HTTP/1.1 %d Moved\r\n%sContent-Length: 0\r\n\r\n" % (status, where))) as (port, arrived):
            reply = ask(port)
    assert (reply.status, reply.is_ok) == (status, False)
    assert len(arrived) == 1
    assert elsewhere == []


def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with server(says(OK)) as (port, _arrived):
        assert ask(port).is_ok


def test_a_huge_answer_is_cut():
    pieces = [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 100_000] * 200]
    with server(says(*pieces)) as (port, _arrived):
        reply = ask(port)
    assert reply.is_ok
    assert reply.excerpt == "x" * EXCERPT


def test_a_body_that_drips_does_not_hold_us(monkeypatch):
    monkeypatch.setattr(public_http, "BODY", 0.3)
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"."] * 100]
    with server(says(*pieces, pause=0.05)) as (port, _arrived):
        began = time.monotonic()
        reply = ask(port)
    assert reply.is_ok, "the status was said"
    assert reply.excerpt.startswith("..")
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\n", *[b"X-A: 1\r\n"] * 100],
        [b"H", b"T", b"T", b"P"] * 30,
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 100,
        [b""] * 100,
    ],
    ids=["headers", "status", "continue", "nothing"],
)
def test_whoever_answers_too_slowly_is_cut_off(pieces):
    with server(says(*pieces, pause=0.05)) as (port, _arrived):
        began = time.monotonic()
        reply = ask(port, timeout=0.5)
    assert (reply.status, reply.error) == (None, "too_slow")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "answer",
    [b"", b"hello\r\n\r\n", b"HTTP/1.1 banana\r\n\r\n", b"HTTP/1.1 99999 OK\r\n\r\n", b"\x00\xff" * 100,
     b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 1000 + b"\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"],
    ids=["nothing", "words", "no status", "large status", "bytes", "many headers", "long header"],
)  # fmt: skip
def test_nonsense_is_no_answer(answer):
    with server(says(answer)) as (port, _arrived):
        reply = ask(port)
    assert (reply.status, reply.error) == (None, "broken")
    assert reply.detail.isprintable()


@pytest.mark.parametrize(
    "body",
    [b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"Content-Length: 50\r\n\r\nshort", b"Content-Length: -5\r\n\r\n",
     b"Content-Encoding: gzip\r\n\r\nnot gzip", b"\r\n"],
)  # fmt: skip
def test_a_broken_body_does_not_unsay_the_status(body):
    with server(says(b"HTTP/1.1 204 OK\r\n" + body)) as (port, _arrived):
        assert ask(port).status == 204
    with server(says(b"HTTP/1.1 200 OK\r\n" + body)) as (port, _arrived):
        assert ask(port).is_ok


def test_a_strangers_text_holds_no_control_characters():
    body = "é\x00\x1b[31m<b>\u202eok\r\n\ttab".encode() + b"\xff"
    with server(says(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as (port, _arrived):
        reply = ask(port)
    assert reply.excerpt == "é[31m<b>ok\n\ttab\ufffd"


def test_an_answer_before_the_question_is_an_answer():
    def answer(connection):
        connection.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")

    with server(answer) as (port, _arrived):
        assert ask(port, body=b"x" * 3_000_000).status in (410, None)


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reply = ask(port)
    assert (reply.status, reply.error) == (None, "unreachable")
    assert "refused" in reply.detail


def test_what_is_not_called_is_not_called(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *args: pytest.fail("called"))
    assert post("https://127.0.0.1/", b"", {}, rules=Rules(), timeout=1).error == "inside"
    assert post("http://erp.example/", b"", {}, rules=Rules(), timeout=1).error == "scheme"


class Rebinding:
    """A name server in an attacker's hands: public when it is judged, inside when it is called."""

    def __init__(self, monkeypatch, *answers):
        self.answers, self.asked, self.called = list(answers), 0, []
        monkeypatch.setattr(public_address, "look_up", self.look_up)
        monkeypatch.setattr(socket, "getaddrinfo", self.getaddrinfo)
        monkeypatch.setattr(socket, "create_connection", self.create_connection)

    def look_up(self, host, port):
        self.asked += 1
        return self.answers.pop(0)

    def getaddrinfo(self, host, *args, **kwargs):
        raise AssertionError(f"{host} was looked up a second time")

    def create_connection(self, address, timeout):
        self.called.append(address)
        raise ConnectionRefusedError("refused")


def test_a_name_that_changes_after_it_was_judged_changes_nothing(monkeypatch):
    attacker = Rebinding(monkeypatch, ["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "10.0.0.1"])
    post("https://evil.example/", b"", {}, rules=Rules(), timeout=1)
    assert attacker.called == [("93.184.216.34", 443)]
    assert post("https://evil.example/", b"", {}, rules=Rules(), timeout=1).error == "inside"
    post("https://evil.example/", b"", {}, rules=Rules(), timeout=1)
    assert attacker.called == [("93.184.216.34", 443)] * 2
    assert attacker.asked == 3


def test_the_next_address_is_tried_where_one_does_not_answer(monkeypatch):
    attacker = Rebinding(monkeypatch, [f"93.184.216.{n}" for n in range(9)])
    reply = post("https://erp.example/", b"", {}, rules=Rules(), timeout=1)
    assert reply.error == "unreachable"
    assert [address for address, _port in attacker.called] == [f"93.184.216.{n}" for n in range(4)]


@pytest.fixture
def certificate(tmp_path):
    """A certificate for shop.example, and a context that trusts it alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    chain, secret = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    return context, ssl.create_default_context(cafile=str(chain))


@pytest.mark.parametrize(
    ("host", "trusted", "error"),
    [("shop.example", True, ""), ("other.example", True, "insecure"), ("shop.example", False, "insecure")],
)
def test_tls_is_for_the_name_though_the_number_is_called(monkeypatch, certificate, host, trusted, error):
    serving, trusting = certificate
    seen = []
    serving.sni_callback = lambda connection, name, context: seen.append(name)

    def answer(listener):
        connection, _address = listener.accept()
        try:
            with serving.wrap_socket(connection, server_side=True) as secured:
                seen.append(read_request(secured))
                secured.sendall(OK)
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=answer, args=[listener], daemon=True).start()
        monkeypatch.setattr(public_address, "look_up", lambda host, port: ["127.0.0.1"])
        if trusted:
            monkeypatch.setattr(public_http, "tls", lambda: trusting)
        rules = Rules(allow_hosts=frozenset({host}))
        reply = post(f"https://{host}:{port}/in", b"hello", {}, rules=rules, timeout=5)
    assert reply.error == error
    assert seen[0] == host
    if not error:
        assert reply.status == 200
        assert f"Host: shop.example:{port}".encode() in seen[1]
    else:
        assert "certificate" in reply.detail.lower()
        assert b"hello" not in b"".join(piece for piece in seen[1:])


def test_a_handshake_that_does_not_end_is_cut_off(monkeypatch):
    def hold(connection):
        time.sleep(3)

    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        reply = post(f"https://127.0.0.1:{listener.getsockname()[1]}/", b"", {}, rules=HERE, timeout=0.4)
    assert reply.error == "too_slow"
    assert reply.seconds < 2


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0), ("", 0), ("120", 120), (" 5 ", 5), ("0", 0), ("-5", 0), ("1.5", 0), ("1e9", 0), ("NaN", 0),
        ("Infinity", 0), ("99999999999999999999", LONGEST_WAIT), ("٣", 0), ("soon", 0), ("5, 7", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Thu, 01 Jan 2026 00:01:00 GMT", 60),
        ("Thu, 01 Jan 2026 00:01:00", 60), ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Wed, 99 Oct 20155 99:99:99 GMT", 0), ("9" * 100_000, LONGEST_WAIT), ("\x00", 0),
    ],
)  # fmt: skip
def test_the_wait_that_is_asked_for(value, seconds):
    assert retry_after(value, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def test_the_wait_is_read_from_the_answer():
    with server(says(b"HTTP/1.1 429 Slow\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n")) as (port, _arrived):
        assert ask(port).retry_after == 77


def test_only_success_is_success():
    assert [status for status in range(100, 600) if Reply(status=status).is_ok] == list(range(200, 300))
