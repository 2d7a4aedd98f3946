"""Carriers: codes read as typed, hostile ones refused, links that lead nowhere else."""

from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.utils.functional import Promise
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment import conf
from oscar_fulfillment.carriers import carriers, suggest
from oscar_fulfillment.carriers.base import MAX_CODE, Carrier, TrackingCodeError, check_url_template
from oscar_fulfillment.carriers.correios import Correios
from oscar_fulfillment.carriers.known import KNOWN, Known
from oscar_fulfillment.carriers.manual import Manual
from oscar_fulfillment.core.exceptions import ConfigurationError

pytestmark = pytest.mark.feature("A12")

ALL = [Correios(alias="correios"), Manual(alias="other"), *(Known(alias=name) for name in KNOWN)]
HOSTILE = [
    pytest.param("", "empty", id="nothing"),
    pytest.param("   ", "empty", id="spaces"),
    pytest.param(None, "empty", id="None"),
    pytest.param(123456, "empty", id="a number"),
    pytest.param("A" * (MAX_CODE + 1), "length", id="65 characters"),
    pytest.param("A" * 10_000_000, "length", id="10 MB"),
    pytest.param("A" + " " * 10_000_000 + "B", "length", id="10 MB of spaces"),
    pytest.param("https://evil.example/AA123456785BR", "link", id="link"),
    pytest.param("//evil.example", "link", id="link without scheme"),
    pytest.param("WWW.evil.example", "link", id="link without slashes"),
    pytest.param("javascript:alert(1)", "characters", id="script address"),
    pytest.param("<script>alert(1)</script>", "characters", id="markup"),
    pytest.param('AA1"onmouseover=', "characters", id="attribute"),
    pytest.param("AA123\r\nBcc: all@evil.example", "characters", id="mail header"),
    pytest.param("AA123\nBB", "characters", id="newline"),
    pytest.param("AA123\tBB", "characters", id="tab"),
    pytest.param("AA1\x0023", "characters", id="null"),
    pytest.param("AA1\x1b[31m", "characters", id="escape"),
    pytest.param("AA1\u202e23", "characters", id="direction override"),
    pytest.param("AA1\u200b23", "characters", id="zero width"),
    pytest.param("AA1\u00a023", "characters", id="no-break space"),
    pytest.param("AA١٢٣", "characters", id="Arabic digits"),
    pytest.param("ſX123", "characters", id="a letter whose capital is ASCII"),
    pytest.param("../../etc/passwd", "characters", id="path"),
    pytest.param("..", "characters", id="dots"),
    pytest.param("AA123?x=1&y=2#z", "characters", id="query"),
    pytest.param("{code.__class__}", "characters", id="placeholder"),
    pytest.param("%0d%0aX", "characters", id="quoted newline"),
    pytest.param("=HYPERLINK(1)", "characters", id="formula"),
    pytest.param("-1+1", "characters", id="formula, minus"),
]


@pytest.mark.parametrize(("raw", "code"), HOSTILE)
@pytest.mark.parametrize("carrier", ALL, ids=lambda carrier: carrier.alias)
def test_hostile_code_is_refused_by_every_carrier(carrier, raw, code):
    with pytest.raises(TrackingCodeError) as refused:
        carrier.normalise_tracking_code(raw)
    assert refused.value.code == code
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value.message, Promise)
    message = str(refused.value)
    assert message
    assert len(message) < 200
    assert "<" not in message


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("yo0iz8bx", "YO0IZ8BX"),
        (" 1105 256 689 \n", "1105256689"),
        ("99.00.123456.12345678", "99.00.123456.12345678"),
        ("ab-12/34_5", "AB-12/34_5"),
        ("7", "7"),
        ("A" * MAX_CODE, "A" * MAX_CODE),
        ("a " * MAX_CODE, "A" * MAX_CODE),
    ],
)
def test_code_is_stored_without_spaces_and_in_capitals(raw, code):
    carrier = Manual(alias="other")
    assert carrier.normalise_tracking_code(raw) == code
    assert carrier.normalise_tracking_code(code) == code


@given(st.text(max_size=80) | st.text("AZaz09 ._/-\n:<", max_size=80))
def test_any_text_is_a_plain_code_or_refused_with_a_message(raw):
    carrier = Manual(alias="other", url_template="https://example.org/follow/{code}?l={language}")
    code, refusal = None, ""
    try:
        code = carrier.normalise_tracking_code(raw)
    except TrackingCodeError as error:
        refusal = str(error)
    assert code or refusal
    if not code:
        return
    assert code.isascii()
    assert code.isprintable()
    assert len(code) <= MAX_CODE
    assert carrier.normalise_tracking_code(code) == code
    address = urlsplit(carrier.tracking_url(code, "pt-br"))
    assert (address.scheme, address.netloc, address.query) == ("https", "example.org", "l=pt")
    assert address.path.count("/") == 2


# Links


@pytest.mark.parametrize(
    ("carrier", "code", "url"),
    [
        (
            Correios(alias="correios"),
            "AA123456785BR",
            "https://rastreamento.correios.com.br/app/index.php?objetos=AA123456785BR",
        ),
        (Known(alias="cdek"), "1105256689", "https://www.cdek.ru/ru/tracking/?order_id=1105256689"),
        (
            Known(alias="swiss_post"),
            "99.00.123456.12345678",
            "https://service.post.ch/ekp-web/ui/entry/search/99.00.123456.12345678",
        ),
        (Known(alias="gls"), "YO0IZ8BX", "https://gls-group.eu/track/YO0IZ8BX"),
        (
            Known(alias="tipsa"),
            "0990010990010000000001",
            "https://aplicaciones.tip-sa.com/cliente/datos_env.php?id=0990010990010000000001",
        ),
        (Manual(alias="other"), "ABC", ""),
        (Correios(alias="correios"), "", ""),
    ],
    ids=lambda value: value.alias if isinstance(value, Carrier) else "",
)
def test_link_of_a_code(carrier, code, url):
    assert carrier.tracking_url(code, "pt") == url


@pytest.mark.parametrize(("language", "short"), [("pt-br", "pt"), ("fr", "fr"), ("", "en"), ("x&y=1", "x%26y%3D1")])
def test_link_in_the_language_of_the_reader(language, short):
    carrier = Manual(alias="x", url_template="https://example.org/{language}/{code}")
    assert carrier.tracking_url("A/1", language) == f"https://example.org/{short}/A%2F1"


def test_stored_code_of_other_times_cannot_leave_the_page():
    carrier = Manual(alias="x", url_template="https://example.org/t/{code}")
    assert (
        carrier.tracking_url("../../x?y=1#<b>{language}")
        == "https://example.org/t/..%2F..%2Fx%3Fy%3D1%23%3Cb%3E%7Blanguage%7D"
    )


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("https://example.org/follow", id="no code"),
        pytest.param("https://example.org/{language}", id="only the language"),
        pytest.param("javascript:alert('{code}')", id="script"),
        pytest.param("data:text/html,{code}", id="data"),
        pytest.param("ftp://example.org/{code}", id="ftp"),
        pytest.param("//example.org/{code}", id="no scheme"),
        pytest.param("example.org/{code}", id="no scheme, no slashes"),
        pytest.param("https:///{code}", id="no host"),
        pytest.param("https://{code}.example.org/", id="code in the host"),
        pytest.param("https://example.org{code}", id="code joined to the host"),
        pytest.param("https://{language}.example.org/{code}", id="language in the host"),
        pytest.param("https://shop@example.org/{code}", id="user in the host"),
        pytest.param("{code}://example.org/", id="code in the scheme"),
        pytest.param("https://example.org/{code.__class__}", id="attribute"),
        pytest.param("https://example.org/{code[0]}", id="index"),
        pytest.param("https://example.org/{code!r}", id="conversion"),
        pytest.param("https://example.org/{code:>999999}", id="padding"),
        pytest.param("https://example.org/{}", id="nameless"),
        pytest.param("https://example.org/{0}", id="numbered"),
        pytest.param("https://example.org/{order}/{code}", id="unknown name"),
        pytest.param("https://example.org/{code", id="open brace"),
        pytest.param("https://[::1/{code}", id="broken address"),
        pytest.param("https://example.org/ {code}", id="space"),
        pytest.param("https://example.org/\n{code}", id="newline"),
        pytest.param("https:\\\\example.org/{code}", id="backslashes"),
    ],
)
def test_template_that_could_lead_elsewhere_is_refused_at_construction(template):
    with pytest.raises(ConfigurationError, match="carrier 'x'"):
        Manual(alias="x", url_template=template)


def test_template_may_be_missing_or_plain_http():
    check_url_template("x", "")
    check_url_template("x", "http://localhost:8000/{code}")


# Correios


@pytest.mark.feature("A13")
@pytest.mark.parametrize("raw", ["AA123456785BR", "aa 12345678 5 br", "AA-12345678-5-BR", "PG747937788BR"])
def test_correios_reads_s10_codes(raw):
    code = Correios(alias="correios").normalise_tracking_code(raw)
    assert code in ("AA123456785BR", "PG747937788BR")


@pytest.mark.feature("A13")
@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        ("AA123456784BR", "check_digit", "end in 4, they should end in 5"),
        ("AA12345678BR", "shape", "2 letters, 9 digits, 2 letters"),
        ("123456785", "shape", "2 letters, 9 digits, 2 letters"),
        ("LB498113226SE", "country", "end in BR; LB498113226SE is of another country's post"),
    ],
)
def test_correios_says_what_is_wrong_with_a_code(raw, code, words):
    with pytest.raises(TrackingCodeError, match=words) as refused:
        Correios(alias="correios").normalise_tracking_code(raw)
    assert refused.value.code == code


@pytest.mark.feature("A13")
@pytest.mark.parametrize(
    ("shipping_code", "shipping_name", "service"),
    [
        ("pac", "", "PAC"),
        ("correios-pac", "Entrega econômica", "PAC"),
        ("sedex_41106", "", "SEDEX"),
        ("fixed", "SEDEX 10", "SEDEX"),
        ("sedex10", "", "SEDEX"),
        ("fixed", "Correios (Sedex Hoje)", "SEDEX"),
        ("fixed", "PAC - até 8 dias úteis", "PAC"),
        ("pacote", "Pacote pequeno", ""),
        ("fixed", "Impacto", ""),
        ("", "", ""),
        (None, None, ""),
    ],
)
def test_correios_knows_its_services_by_the_shipping_method(shipping_code, shipping_name, service):
    carrier = Correios(alias="correios")
    assert carrier.service(shipping_code, shipping_name) == service
    assert carrier.matches(shipping_code, shipping_name) == bool(service)


@pytest.mark.feature("A13")
def test_correios_by_name_matches_without_a_service():
    assert Correios(alias="correios").matches("fixed", "Correios Mini Envios")
    assert Correios(alias="correios", services=["Mini Envios"]).service("", "Correios Mini Envios") == "Mini Envios"


@pytest.mark.feature("A13")
def test_correios_mails_its_link_by_itself_and_the_others_do_not():
    assert Correios(alias="correios").automatic_tracking_mail
    assert Correios(alias="correios").capabilities == {"tracking_url", "mails_tracking_link"}
    assert not Correios(alias="correios", automatic_tracking_mail=False).automatic_tracking_mail
    assert Manual(alias="other").capabilities == frozenset()
    assert Known(alias="cdek").capabilities == {"tracking_url"}
    assert Known(alias="cdek", automatic_tracking_mail=True).capabilities == {"tracking_url", "mails_tracking_link"}


# Carriers from settings


def test_carrier_from_settings_has_name_pattern_and_example():
    carrier = Manual(
        alias="van",
        name="Our van",
        pattern=r"VAN-\d{4}",
        example="VAN-0001",
        url_template="https://example.org/van/{code}",
        shipping_methods=["own van", "Лично"],
    )
    assert carrier.normalise_tracking_code("van-0042") == "VAN-0042"
    with pytest.raises(TrackingCodeError, match="no tracking code of Our van: it should look like VAN-0001") as refused:
        carrier.normalise_tracking_code("VAN-42")
    assert refused.value.code == "pattern"
    with pytest.raises(TrackingCodeError):
        carrier.normalise_tracking_code("XVAN-0042")
    assert carrier.matches("own van", "")
    assert carrier.matches("", "ЛИЧНО в руки")
    assert not carrier.matches("pac", "PAC")


def test_pattern_without_example_is_explained_too():
    with pytest.raises(TrackingCodeError, match=r"This is no tracking code of Van\."):
        Manual(alias="van", name="Van", pattern="V").normalise_tracking_code("W")


@pytest.mark.parametrize(
    "options",
    [{"pattern": "("}, {"pattern": 5}, {"shipping_methods": "pac"}, {"url_template": "x"}],
    ids=["pattern", "pattern type", "one string for a list", "template"],
)
def test_wrong_option_is_a_configuration_error(options):
    with pytest.raises(ConfigurationError, match="'van'"):
        Manual(alias="van", **options)


@pytest.mark.parametrize("name", KNOWN)
def test_known_carrier_is_named_by_its_alias(name):
    carrier = Known(alias=name)
    assert carrier.name == KNOWN[name]["name"]
    assert carrier.tracking_url("1", "ru").startswith("https://")
    assert carrier.matches("", KNOWN[name]["name"])
    if carrier.example:
        assert carrier.normalise_tracking_code(carrier.example) == carrier.example


def test_known_carrier_under_another_alias_with_another_address():
    carrier = Known(alias="courier", like="cdek", url_template="https://example.org/{code}", name="СДЭК")
    assert (carrier.alias, carrier.name) == ("courier", "СДЭК")
    assert carrier.tracking_url("1") == "https://example.org/1"


def test_unknown_carrier_names_the_known_ones():
    with pytest.raises(ConfigurationError, match="known carriers are cdek, gls"):
        Known(alias="pigeon")


# The registry


@pytest.fixture
def shop_carriers(settings):
    settings.OSCAR_FULFILLMENT = {
        **getattr(settings, "OSCAR_FULFILLMENT", {}),
        "CARRIERS": {
            **conf.DEFAULTS["CARRIERS"],
            "cdek": {"BACKEND": "oscar_fulfillment.carriers.known.Known"},
            "van": {"BACKEND": "oscar_fulfillment.carriers.manual.Manual", "OPTIONS": {"shipping_methods": ["van"]}},
        },
    }


def order(code, name):
    return SimpleNamespace(shipping_code=code, shipping_method=name)


def test_default_carriers_can_be_built():
    assert {alias: type(carriers.get(alias)) for alias in conf.DEFAULTS["CARRIERS"]} == {
        "correios": Correios,
        "other": Manual,
    }


@pytest.mark.parametrize(
    ("code", "name", "alias"),
    [
        ("fixed", "SEDEX", "correios"),
        ("cdek-pickup", "До пункта выдачи", "cdek"),
        ("fixed", "СДЭК, курьер", "cdek"),
        ("van", "Van", "van"),
        ("free-shipping", "Free shipping", ""),
        ("", "", ""),
        (None, None, ""),
    ],
)
def test_carrier_is_suggested_by_the_order_s_shipping_method(shop_carriers, code, name, alias):
    assert suggest(order(code, name)) == alias


def test_registry_knows_its_aliases(shop_carriers):
    assert "cdek" in carriers
    assert "pigeon" not in carriers
    assert [carrier.alias for carrier in carriers.all()] == ["correios", "other", "cdek", "van"]
    with pytest.raises(KeyError):
        carriers.get("pigeon")


@pytest.mark.parametrize(
    "declared",
    [
        {"BACKEND": "oscar_fulfillment.carriers.manual.Nobody"},
        {"BACKEND": "oscar_fulfillment.carriers.manual.Manual", "OPTIONS": {"url": "https://example.org/{code}"}},
        {
            "BACKEND": "oscar_fulfillment.carriers.manual.Manual",
            "OPTIONS": {"url_template": "ftp://example.org/{code}"},
        },
        {"OPTIONS": {}},
    ],
    ids=["backend", "option", "template", "no backend"],
)
def test_wrong_declaration_is_a_configuration_error(settings, declared):
    settings.OSCAR_FULFILLMENT = {"CARRIERS": {"van": declared}}
    with pytest.raises(ConfigurationError, match="van"):
        carriers.get("van")


def test_carrier_does_not_show_its_options():
    assert repr(Manual(alias="van", url_template="https://example.org/{code}?token=secret")) == "<Manual 'van'>"
