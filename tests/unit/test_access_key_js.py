"""The browser's as-typed check of the access key says what the server says."""

import json
import random
import subprocess
from pathlib import Path

import pytest

import oscar_fulfillment
from oscar_fulfillment.fiscal.access_key import AccessKeyError, normalise, parse, widget_attrs
from oscar_fulfillment.test.fiscal import DEMO_CNPJ, make_cnpj, make_cpf, make_key

pytestmark = [pytest.mark.node, pytest.mark.feature("A9")]

SCRIPT = Path(oscar_fulfillment.__file__).parent / "static" / "oscar_fulfillment" / "access_key.js"
HARNESS = Path(__file__).with_name("access_key_harness.js")
PUBLISHED = "35260712ABC34501DE35550010000001231754505705"


def run_in_node(**given):
    done = subprocess.run(
        ["node", str(HARNESS)],
        input=json.dumps({"script": str(SCRIPT), **given}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def python_says(raw):
    try:
        parse(raw)
    except AccessKeyError as error:
        return [(problem.code, problem.field) for problem in error.problems]
    return []


def random_keys(count):
    """Good keys and bad: wrong parts, changed characters, punctuation, hostile characters. The same at each run."""
    chance = random.Random(2026)
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for index in range(count):
        person = chance.random() < 0.2
        base = "".join(chance.choices(alphabet if index % 2 else alphabet[:10], k=12))
        key = make_key(
            uf=chance.choice(["35", "SP", "33", "53", "99", "00"]) if index % 5 == 0 else "SP",
            year_month=f"26{chance.randrange(0, 15) if index % 7 == 0 else 11:02d}",
            issuer=make_cpf(base[:9]) if person and base.isdigit() else make_cnpj(base),
            series=chance.choice([0, 1, 889, 890, 895, 899, 900, 909, 910, 920, 969, 970, 999]),
            number=0 if index % 31 == 0 else chance.randrange(1, 10**9),
            model=chance.choice(["55", "65", "57"]) if index % 6 == 0 else "55",
            emission_type=str(chance.randrange(10)) if index % 6 == 1 else "1",
            code="".join(chance.choices("0123456789", k=8)),
        )
        if index % 3 == 0:
            position = chance.randrange(len(key))
            key = key[:position] + chance.choice(alphabet + "azéſı٣３\x00<€😀") + key[position + 1 :]
        if index % 11 == 0:
            key = chance.choice(["NFe" + key, key.lower(), " ".join(key), key[:-1], key + "0", "\ufeff" + key])
        yield key


SPECIAL = [
    *["", " ", ".", "0" * 43, "0" * 44, "0" * 45, "0000 " * 11, "NFe" + "0" * 44, "NFeNFe" + PUBLISHED],
    *["1" * 200, "1" * 201, " " * 157 + PUBLISHED, " " * 156 + PUBLISHED, "😀" * 44, "😀" * 100, "ß" * 22],
    *["\x1c" + PUBLISHED, "\x85" + PUBLISHED, "\u2028" + PUBLISHED, "\u200b" + PUBLISHED, PUBLISHED.lower()],
    *[make_key(issuer="0" * 14), make_key(issuer="1" * 11, series=920), make_key(issuer="A" * 12 + "00")],
    *[make_key(issuer=DEMO_CNPJ, series=890), make_key(issuer=make_cpf("123456789"), series=890)],
]


def test_browser_and_server_agree():
    keys = [*random_keys(400), *SPECIAL]
    browser = [[(problem["code"], problem["field"]) for problem in problems] for problems in run_in_node(keys=keys)]
    server = [python_says(key) for key in keys]
    assert [row for row in zip(keys, server, browser, strict=True) if row[1] != row[2]] == []
    # The sample is worth something: many of each, and every problem at least once.
    assert sum(not problems for problems in server) > 100
    assert sum(bool(problems) for problems in server) > 100
    seen = {code for problems in server for code, _ in problems}
    assert seen == {
        *("empty", "zeros", "length", "characters", "uf", "year_month", "issuer", "issuer_cpf", "model", "series"),
        *("number", "emission_type", "check_digit"),
    }


def test_browser_and_server_use_the_same_words():
    keys = [key for key in random_keys(200) if python_says(key)]
    typed = run_in_node(dataset=dataset(), steps=[["key", key] for key in keys])
    for key, shown in zip(keys, typed, strict=True):
        with pytest.raises(AccessKeyError) as refused:
            parse(key)
        expected = [str(problem.message) for problem in refused.value.problems]
        if normalise(key).isprintable():
            assert shown["messages"] == expected


def dataset():
    """The attributes as the browser's ``dataset`` has them."""
    attrs = widget_attrs(series="series", number="number", none_choice="none")
    found = {}
    for name, value in attrs.items():
        first, *rest = name.removeprefix("data-").split("-")
        found[first + "".join(word.capitalize() for word in rest)] = str(value)
    return found


def test_valid_key_fills_series_and_number():
    typed, retyped = run_in_node(
        dataset=dataset(),
        steps=[["key", PUBLISHED], ["key", make_key(series=7, number=45)]],
    )
    assert (typed["series"], typed["number"], typed["messages"], typed["invalid"]) == ("1", "123", [], "false")
    assert (retyped["series"], retyped["number"]) == ("7", "45")
    assert (typed["describedby"], typed["live"]) == ("id_key_problems", "polite")


def test_what_a_person_typed_stays_and_is_told_to_disagree():
    steps = run_in_node(
        dataset=dataset(),
        steps=[["number", "124"], ["key", PUBLISHED], ["number", ""], ["number", "000.000.123"], ["number", "x"]],
    )
    assert steps[1]["messages"] == ["The number is 124, but the access key says 123."]
    assert (steps[1]["number"], steps[1]["series"], steps[1]["invalid"]) == ("124", "1", "true")
    assert (steps[2]["number"], steps[2]["messages"]) == ("", [])
    assert steps[3]["messages"] == []
    assert steps[4]["messages"] == ["The number is x, but the access key says 123."]


@pytest.mark.feature("A11")
def test_zeros_choose_no_fiscal_document():
    before, after, more = run_in_node(
        dataset=dataset(), steps=[["key", "0" * 43], ["key", "0" * 44], ["key", "0" * 44 + " "]]
    )
    assert (before["none"], before["messages"]) == (False, ["The access key must have 44 characters; this one has 43."])
    assert (after["none"], after["messages"], after["events"], after["invalid"]) == (True, [], 1, "false")
    assert more["events"] == 1


def test_problems_are_shown_as_typed_and_go_when_the_field_is_emptied():
    wrong, empty = run_in_node(dataset=dataset(), steps=[["key", PUBLISHED[:-1] + "3"], ["key", ""]])
    assert wrong["messages"] == ["The check digit is wrong: the key ends in 3, it should end in 5."]
    assert (wrong["classes"], wrong["series"]) == (["is-invalid"], "")
    assert (empty["messages"], empty["classes"]) == ([], [])


def test_script_may_run_under_a_strict_content_security_policy():
    source = SCRIPT.read_text()
    assert len(source.splitlines()) < 150
    for forbidden in ("innerHTML", "eval(", "Function(", ".style", "document.write", "insertAdjacentHTML"):
        assert forbidden not in source
