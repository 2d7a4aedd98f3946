"""Which addresses are called: a table of what leads inside, and of what does not."""

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.core import public_address
from oscar_fulfillment.core.public_address import AddressRefused, Rules, is_public, read_url, resolve

pytestmark = pytest.mark.feature("Z15")

PLAIN = Rules()


def refusal(url, rules=PLAIN):
    """The code of the refusal of an address, "" where it is taken."""
    try:
        target = read_url(url, rules)
        resolve(target)
    except AddressRefused as error:
        return error.code
    return ""


@pytest.fixture(autouse=True)
def resolver(monkeypatch):
    """Names lead to 93.184.216.34, unless a test says otherwise; numbers are read as getaddrinfo reads them."""
    names = {"inside.example": ["10.0.0.1"], "nowhere.example": [], "both.example": ["10.0.0.1", "93.184.216.34"]}
    monkeypatch.setattr(public_address, "look_up", lambda host, port: names.get(host, ["93.184.216.34"]))
    return names


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://erp.example/hook", ("https", "erp.example", 443, "/hook")),
        ("https://ERP.Example./hook?a=1&b=%20", ("https", "erp.example", 443, "/hook?a=1&b=%20")),
        ("https://erp.example", ("https", "erp.example", 443, "/")),
        ("https://erp.example:443/", ("https", "erp.example", 443, "/")),
        ("https://bücher.example/", ("https", "xn--bcher-kva.example", 443, "/")),
        ("https://my_host.example/", ("https", "my_host.example", 443, "/")),
        ("https://93.184.216.34/", ("https", "93.184.216.34", 443, "/")),
        ("https://[2606:4700::1111]/", ("https", "2606:4700::1111", 443, "/")),
    ],
)
def test_public_addresses_are_taken_apart(url, expected):
    target = read_url(url, PLAIN)
    assert (target.scheme, target.host, target.port, target.path) == expected
    assert resolve(target)


@pytest.mark.parametrize(
    "url",
    [
        # Ourselves and our neighbours.
        "https://127.0.0.1/", "https://127.8.8.8/", "https://0.0.0.0/", "https://10.1.2.3/", "https://172.16.0.1/",
        "https://192.168.0.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/",
        "https://100.100.100.200/", "https://192.0.0.192/", "https://168.63.129.16/", "https://198.18.0.1/",
        "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/", "https://192.0.2.1/",
        # The same in IPv6, and IPv4 in IPv6's clothes.
        "https://[::1]/", "https://[::]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fd00:ec2::254]/",
        "https://[fec0::1]/", "https://[ff02::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:8.8.8.8]/",
        "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a00:1]/",
        "https://[64:ff9b:1::1]/", "https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[2001:db8::1]/",
        "https://[100::1]/",
        # Names of ourselves.
        "https://localhost/", "https://LOCALHOST./", "https://shop.localhost/", "https://printer.local/",
        "https://metadata.google.internal/", "https://intranet/", "https://inside.example/",
        # Circled and full-width letters become plain ones.
        "https://ⓛocalhost/", "https://１２７.０.０.１/", "https://①②⑦.⓪.⓪.①/",
    ],
)  # fmt: skip
def test_what_leads_inside_is_refused(url):
    assert refusal(url) == "inside"


@pytest.mark.parametrize(
    "host",
    ["2130706433", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "017700000001", "1", "0", "0x", "08.1",
     "8.8.8.8.8", "256.1.1.1", "1e3.4", "-a.example", "a..example", "a" * 64 + ".example", ".", "", "exa mple.com"],
)  # fmt: skip
def test_numbers_written_otherwise_and_broken_names_are_refused(host):
    assert refusal(f"https://{host}/") in ("host", "unreadable")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "unreadable"),
        ("erp.example", "scheme"),
        ("//erp.example/", "scheme"),
        ("http://erp.example/", "scheme"),
        ("ftp://erp.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://erp.example:70/_x", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("https:///path", "host"),
        ("https://user@erp.example/", "user"),
        ("https://user:pass@erp.example/", "user"),
        ("https://erp.example@10.0.0.1/", "user"),
        ("https://erp.example#@10.0.0.1/", "fragment"),
        ("https://erp.example/#top", "fragment"),
        ("https://erp.example\\@10.0.0.1/", "unreadable"),
        ("https://erp.example/\t", "unreadable"),
        ("https://erp.example/\r\nHost: inside", "unreadable"),
        (" https://erp.example/", "unreadable"),
        ("https://erp.example/é", "unreadable"),
        ("https://[::1", "unreadable"),
        ("https://erp.example:99999/", "unreadable"),
        ("https://erp.example:x/", "unreadable"),
        ("https://erp.example:0/", "port"),
        ("https://erp.example:22/", "port"),
        ("https://erp.example:8443/", "port"),
        ("https://erp.example／@inside/", "unreadable"),
        ("https://nowhere.example/", "unknown_host"),
        ("https://erp.example/" + "a" * 500, "unreadable"),
    ],
)
def test_each_refusal_has_its_reason(url, code):
    assert refusal(url) == code
    with pytest.raises(AddressRefused, match=r"\w+ \w+"):
        resolve(read_url(url, PLAIN))


def test_of_several_addresses_only_the_public_ones_are_called():
    assert resolve(read_url("https://both.example/", PLAIN)) == ["93.184.216.34"]


def test_the_rules_name_hosts_ports_and_http():
    rules = Rules.of({"allow_hosts": ["Intranet", "10.0.0.5:8080", "::1"], "allow_http": False, "ports": [443, 8443]})
    assert refusal("http://intranet:9/", rules) == ""
    assert refusal("http://10.0.0.5:8080/", rules) == ""
    assert refusal("https://10.0.0.5/", rules) == "inside"
    assert refusal("http://[::1]:5/", rules) == ""
    assert refusal("https://erp.example:8443/", rules) == ""
    assert refusal("http://erp.example/", rules) == "scheme"
    assert resolve(read_url("http://10.0.0.5:8080/", rules)) == ["10.0.0.5"]
    open_ = Rules.of({"allow_hosts": [], "allow_http": True, "ports": [443]})
    assert refusal("http://erp.example/", open_) == ""
    assert refusal("http://127.0.0.1/", open_) == "inside"
    assert refusal("http://erp.example:8080/", open_) == "port"


def test_an_exempt_host_may_be_inside(resolver):
    rules = Rules.of({"allow_hosts": ["inside.example"], "allow_http": False, "ports": [443]})
    assert resolve(read_url("http://inside.example:81/", rules)) == ["10.0.0.1"]
    assert read_url("http://inside.example:81/", rules).authority == "inside.example:81"


def test_the_header_names_the_port_where_it_is_another():
    assert read_url("https://erp.example/", PLAIN).authority == "erp.example"
    assert read_url("https://[2606:4700::1111]/", PLAIN).authority == "[2606:4700::1111]"
    other = Rules(ports=frozenset({8443}))
    assert read_url("https://[2606:4700::1111]:8443/", other).authority == "[2606:4700::1111]:8443"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "193.0.6.139"])
def test_these_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", ["", "erp.example", "127.0.0.1", "fe80::1%eth0", "::ffff:8.8.8.8"])
def test_these_are_not(address):
    assert not is_public(address)


def test_a_resolver_that_does_not_come_back_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(public_address, "PATIENCE", 0.05)
    monkeypatch.setattr(public_address, "look_up", lambda host, port: time.sleep(1) or ["93.184.216.34"])
    began = time.monotonic()
    assert refusal("https://slow.example/") == "unknown_host"
    assert time.monotonic() - began < 0.8


def test_a_resolver_that_fails_is_a_name_that_leads_nowhere(monkeypatch):
    def fail(host, port):
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr(public_address, "look_up", fail)
    assert refusal("https://erp.example/") == "unknown_host"


@given(st.text(max_size=60) | st.text(alphabet=string.printable, max_size=60).map(lambda text: f"https://{text}"))
def test_any_text_is_taken_or_refused_and_nothing_else(url):
    try:
        target = read_url(url, PLAIN)
    except AddressRefused:
        return
    assert target.scheme == "https"
    assert target.host.isascii()
    assert target.port == 443
