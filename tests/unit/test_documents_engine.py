"""The document engine: data never become markup, nothing but the wheel is needed, a shop overrides what it wants."""

import subprocess
import sys
import threading
from datetime import date

import pytest

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents import render, renderers
from oscar_fulfillment.documents.renderer import printable
from oscar_fulfillment.documents.typst_engine import TypstEngine
from tests import pdf

PROBE = """#import "parts.typ": *
#set text(font: data.font)
#for words in data.words [ #breaking(words) \\ ]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "probe.typ").write_text(PROBE)
    return tmp_path


@pytest.fixture
def engine(folder):
    return TypstEngine(templates=[folder])


def shown(engine, *words):
    return pdf.words(engine.render("probe", {"words": list(words)}))


@pytest.mark.parametrize(
    "hostile",
    [
        "#panic()",
        "#eval(read(sys.inputs.x))",
        "#set page(width: 1pt)",
        "$ x^2 $",
        "@label <label>",
        "\\ ] } ) [ { (",
        "*bold* _it_ `raw` = head",
        "// comment",
        '"quote" \\u{41} ${x}',
        "= Title",
        "https://example.com/#x",
        "</script><svg/onload=1>",
        "'; DROP TABLE orders; --",
    ],
)
def test_texts_are_shown_as_they_are(engine, hostile):
    assert shown(engine, hostile) == " ".join(hostile.split())


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Ёлка № 5, Київ, Ўзбек", "Ёлка № 5, Київ, Ўзбек"),
        ("São João, Zürich, Łódź, Çeşme, Şișești", "São João, Zürich, Łódź, Çeşme, Şișești"),
        ("1 234,50 ₽, 5 €, R$ 3", "1 234,50 ₽, 5 €, R$ 3"),
        ("tab\tnew\x00\x1b\x7fline", "tab newline"),
        ("a\u202eb\u2066c", "abc"),
    ],
)
def test_letters_and_control_characters(engine, text, seen):
    assert shown(engine, text) == seen


@pytest.mark.parametrize("text", ["😀 emoji", "שלום עולם", "مرحبا", "北京", "a\ud800b", "\ufffe", "e\u0301" * 500, ""])
def test_any_text_gives_a_page(engine, text):
    assert engine.render("probe", {"words": [text]}).startswith(b"%PDF")


@pytest.mark.parametrize("text", ["x" * 10_000, "слово " * 1_700, "#" * 10_000, "\n" * 300])
def test_ten_thousand_letters_stay_on_the_pages(engine, text):
    content = engine.render("probe", {"words": [text]})
    assert pdf.words(content).replace(" ", "") == "".join(text.split())


def test_printable_reaches_into_lists_and_dicts_and_leaves_numbers():
    given = {"a": ["x\x00", {"b": "\ud800"}], "n": 1, "none": None, "flag": True, "c": "a\r\nb\rc\td"}
    assert printable(given) == {
        "a": ["x", {"b": "\ufffd"}], "n": 1, "none": None, "flag": True, "c": "a\nb\nc d",
    }  # fmt: skip


def test_the_same_data_give_the_same_bytes(folder):
    data = {"words": ["Привет"]}
    first = TypstEngine(templates=[folder]).render("probe", data, created=date(2026, 11, 26))
    assert TypstEngine(templates=[folder]).render("probe", data, created=date(2026, 11, 26)) == first
    assert b"D:20261126" in first


def test_the_machines_fonts_are_not_used(engine):
    content = engine.render("probe", {"words": ["Привет Zürich"]})
    assert pdf.fonts(content) == {"LiberationSans"}


def test_a_shops_template_stands_before_ours_and_uses_its_parts(tmp_path):
    (tmp_path / "invoice.typ").write_text('#import "parts.typ": *\n#picture("logo.svg", width: 1cm)\nOurs: #data.name')
    (tmp_path / "logo.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'
    )
    content = TypstEngine(templates=[tmp_path]).render("invoice", {"name": "#x"})
    assert pdf.words(content) == "Ours: #x"


def test_a_picture_that_is_not_there_is_left_out(tmp_path):
    (tmp_path / "probe.typ").write_text('#import "parts.typ": *\n#picture(data.logo)\nstill')
    engine = TypstEngine(templates=[tmp_path])
    for logo in ("", "none.png", "../parts.typ", "/etc/passwd"):
        assert pdf.words(engine.render("probe", {"logo": logo})) == "still"


@pytest.mark.parametrize(
    "source",
    ["#nosuch()", "#panic(1)", '#read("/etc/passwd")', '#read("../renderer.py")', '#import "@preview/x:1.0.0"'],
)
def test_a_broken_template_is_a_mistake_in_the_settings(tmp_path, source):
    (tmp_path / "probe.typ").write_text(source)
    with pytest.raises(ConfigurationError, match="template probe"):
        TypstEngine(templates=[tmp_path]).render("probe", {})


@pytest.mark.parametrize("name", ["nosuch", "../invoice", "parts.typ", "", "/etc/passwd", "Invoice"])
def test_an_unknown_template_is_refused(engine, name):
    with pytest.raises(ConfigurationError, match="no template"):
        engine.render(name, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"templates": ["/no/such/folder"]}, "no folder"),
        ({"fonts": ["/no/such/folder"]}, "no folder"),
        ({"font": ["No Such Sans"]}, "no font No Such Sans"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_options_are_named(settings, options, message):
    settings.OSCAR_FULFILLMENT = {
        **settings.OSCAR_FULFILLMENT,
        "DOCUMENTS": {
            "default": {"BACKEND": "oscar_fulfillment.documents.typst_engine.TypstEngine", "OPTIONS": options}
        },
    }
    with pytest.raises(ConfigurationError, match=message):
        renderers.get("default")


def test_a_large_file_in_the_folder_is_refused(tmp_path):
    (tmp_path / "logo.png").write_bytes(b"x" * 5_000_001)
    with pytest.raises(ConfigurationError, match="more than"):
        TypstEngine(templates=[tmp_path])


def test_another_engine_is_a_dotted_path_away(settings):
    settings.OSCAR_FULFILLMENT = {
        **settings.OSCAR_FULFILLMENT, "DOCUMENTS": {"default": {"BACKEND": f"{__name__}.Echo", "OPTIONS": {"mark": "x"}}},
    }  # fmt: skip
    assert render("invoice", {"a": 1}, created=date(2026, 1, 2)) == b"x invoice {'a': 1} 2026-01-02"


class Echo:
    def __init__(self, alias, mark):
        self.mark = mark

    def render(self, template, data, *, created=None):
        return f"{self.mark} {template} {data} {created}".encode()


def test_without_the_extra_the_shop_starts_and_says_what_is_missing():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['typst', 'segno', 'qrbill', 'stdnum']))\n"
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "import django; django.setup()\n"
        "from oscar_fulfillment import documents\n"
        "from oscar_fulfillment.documents import invoice, sellers\n"
        "from oscar_fulfillment.services import mails\n"
        "try: documents.render('invoice', {})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "try: sellers.read_seller('x', {'name': 'x', 'payment': {'kind': 'swiss_qr', 'iban': 'CH'}})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    first, second = run.stdout.strip().splitlines()
    for line in (first, second):
        assert line.startswith("ConfigurationError")
        assert "django-oscar-fulfillment[documents]" in line


def test_many_threads_share_the_engine(engine):
    found = {}

    def work(number):
        found[number] = shown(engine, f"page of {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"page of {number}" for number in range(12)}


def test_large_documents_leave_no_memory_behind():
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "import django; django.setup()\n"
        "from tests.invoices import invoice\n"
        "from oscar_fulfillment.documents.invoice import render_invoices\n"
        "rss = lambda: int(open('/proc/self/statm').read().split()[1]) * 4 // 1024\n"
        "taken = []\n"
        "for batch in range(6):\n"
        "    render_invoices([invoice('EUR', number=f'{batch}{n:03}') for n in range(100)])\n"
        "    taken.append(rss())\n"
        "print(taken[5] - taken[1])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 60  # MB; 260 when nothing is let go
