"""The access key of the NF-e: what is read, what is refused, and in which words."""

import re
import unicodedata

import pytest
from django.utils.functional import Promise
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.fiscal import access_key
from oscar_fulfillment.fiscal.access_key import FIELDS, STATES, AccessKeyError, parse, validate_against
from oscar_fulfillment.fiscal.checkdigits import cnpj_check_digits, mod11
from oscar_fulfillment.test.fiscal import DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC, make_cnpj, make_cpf, make_key

pytestmark = pytest.mark.feature("A9")

# Receita's example of an alphanumeric CNPJ in a key; sum 908, check digit 5.
PUBLISHED = "35260712ABC34501DE35550010000001231754505705"
CPF = make_cpf("123456789")


def problems_of(raw):
    try:
        parse(raw)
    except AccessKeyError as error:
        return {problem.code: problem for problem in error.problems}
    return {}


def keys(**fixed):
    """Strategy: (arguments of make_key, the key) for every kind of valid key."""
    cnpj = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=12, max_size=12).map(make_cnpj)
    cpf = st.text("0123456789", min_size=9, max_size=9).map(make_cpf)
    real = cnpj.filter(lambda value: len(set(value)) > 1)
    person = cpf.filter(lambda value: len(set(value)) > 1)
    issuers = st.one_of(
        st.tuples(real, st.integers(0, 889) | st.integers(900, 909)),
        st.tuples(person, st.integers(910, 969)),
        st.tuples(real, st.integers(890, 899)),
    )
    arguments = st.fixed_dictionaries(
        {
            "uf": st.sampled_from(sorted(STATES)),
            "year_month": st.tuples(st.integers(0, 99), st.integers(1, 12)).map(
                lambda pair: f"{pair[0]:02d}{pair[1]:02d}"
            ),
            "who": issuers,
            "model": st.sampled_from(["55", "65"]),
            "number": st.integers(1, 999_999_999),
            "emission_type": st.sampled_from("12345679"),
            "code": st.text("0123456789", min_size=8, max_size=8),
        }
    )

    def build(arguments):
        issuer, series = arguments.pop("who")
        arguments = {**arguments, "issuer": issuer, "series": series, **fixed}
        return arguments, make_key(**arguments)

    return arguments.map(dict).map(build)


# Reading


def test_published_alphanumeric_key_is_taken_apart():
    key = parse(PUBLISHED)
    assert (key.uf, key.state, key.year_month, key.issuer, key.issuer_kind) == (
        "35",
        "SP",
        "2607",
        DEMO_CNPJ_ALPHANUMERIC,
        "cnpj",
    )
    assert (key.model, key.series, key.number, key.emission_type) == ("55", 1, 123, "1")
    assert (key.code, key.check_digit, str(key)) == ("75450570", "5", PUBLISHED)
    assert key.grouped == "3526 0712 ABC3 4501 DE35 5500 1000 0001 2317 5450 5705"


def test_check_digit_of_a_published_key_of_another_model():
    text = "3526050X0J92JY000196570010000006041448679011"
    assert mod11(text[:43]) == 1
    assert list(problems_of(text)) == ["model"]


def test_check_digits_of_the_published_cnpj():
    assert cnpj_check_digits("12ABC34501DE") == "35"


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(PUBLISHED.lower(), id="lower case"),
        pytest.param(f"  {PUBLISHED}\n", id="spaces around"),
        pytest.param("NFe" + PUBLISHED, id="Id of the XML"),
        pytest.param("nfe " + PUBLISHED, id="Id of the XML, lower case"),
        pytest.param(parse(PUBLISHED).grouped, id="groups of the DANFE"),
        pytest.param(parse(PUBLISHED).grouped.replace(" ", "\u00a0"), id="copied from a PDF"),
        pytest.param(".".join(re.findall("....", PUBLISHED)), id="dots"),
        pytest.param("35-2607-12.ABC.345/01DE-35-55-001-000.000.123-175450570-5", id="punctuated fields"),
        pytest.param("\ufeff" + PUBLISHED + "\u200b", id="invisible characters of a copy"),
    ],
)
def test_key_is_read_however_it_is_punctuated(typed):
    assert str(parse(typed)) == PUBLISHED


@pytest.mark.parametrize(
    ("issuer", "series"),
    [
        pytest.param(DEMO_CNPJ, 0, id="series zero"),
        pytest.param(DEMO_CNPJ, 889, id="last of a firm's own"),
        pytest.param(DEMO_CNPJ, 890, id="tax office for a firm"),
        pytest.param(CPF, 899, id="tax office for a person"),
        pytest.param(DEMO_CNPJ, 900, id="site for a firm"),
        pytest.param(DEMO_CNPJ, 909, id="site for a firm, last"),
        pytest.param(CPF, 910, id="site for a person"),
        pytest.param(CPF, 969, id="person with a state registration"),
    ],
)
def test_issuer_is_read_by_the_range_of_the_series(issuer, series):
    assert parse(make_key(issuer=issuer, series=series)).issuer == issuer


@given(keys())
def test_every_part_of_a_made_key_comes_back(made):
    arguments, text = made
    key = parse(text)
    assert {name: getattr(key, name) for name in arguments} == arguments
    assert key.text == text
    assert validate_against(key, series=key.series, number=key.number, issuer_tax_ids=[key.issuer]) == []


# Refusing


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        pytest.param("", ["empty"], id="nothing"),
        pytest.param("  . ", ["empty"], id="only separators"),
        pytest.param(None, ["length"], id="None"),
        pytest.param(35260712345678, ["length"], id="a number"),
        pytest.param("0" * 44, ["zeros"], id="44 zeros"),
        pytest.param("0" * 43, ["length"], id="43 zeros"),
        pytest.param(PUBLISHED[:-1], ["length"], id="one character short"),
        pytest.param(PUBLISHED + "1", ["length"], id="one character long"),
        pytest.param("1" * 10_000_000, ["length"], id="10 MB"),
        pytest.param("٣" * 44, ["characters"], id="Arabic digits"),
        pytest.param("３" * 44, ["characters"], id="full-width digits"),
        pytest.param(PUBLISHED.replace("D", "ſ"), ["characters"], id="a letter whose capital is ASCII"),
        pytest.param(PUBLISHED[:43] + "\x00", ["characters"], id="control character"),
        pytest.param("<b>" * 14 + "12", ["characters"], id="markup"),
        pytest.param("O" + PUBLISHED[1:], ["characters"], id="letter O for zero"),
        pytest.param(make_key(uf="99"), ["uf"], id="state"),
        pytest.param(make_key(uf="00"), ["uf"], id="state zero"),
        pytest.param(make_key(year_month="2600"), ["year_month"], id="month 0"),
        pytest.param(make_key(year_month="2613"), ["year_month"], id="month 13"),
        pytest.param(make_key(issuer="11222333000180"), ["issuer"], id="CNPJ with a wrong digit"),
        pytest.param(make_key(issuer="12ABC34501DE36"), ["issuer"], id="CNPJ with letters and a wrong digit"),
        pytest.param(make_key(issuer="0" * 14), ["issuer"], id="CNPJ of zeros"),
        pytest.param(make_key(issuer=CPF, series=1), ["issuer"], id="CPF in a firm's series"),
        pytest.param(make_key(issuer=CPF, series=905), ["issuer"], id="CPF in the site's series for firms"),
        pytest.param(make_key(issuer=DEMO_CNPJ, series=910), ["issuer_cpf"], id="CNPJ in a person's series"),
        pytest.param(make_key(issuer="12345678900", series=920), ["issuer_cpf"], id="CPF with a wrong digit"),
        pytest.param(make_key(issuer="11111111111", series=920), ["issuer_cpf"], id="CPF of one digit repeated"),
        pytest.param(make_key(series=970), ["series"], id="series above all ranges"),
        pytest.param(make_key(model="57"), ["model"], id="transport document"),
        pytest.param(make_key(number=0), ["number"], id="number zero"),
        pytest.param(make_key(emission_type="0"), ["emission_type"], id="emission type 0"),
        pytest.param(make_key(emission_type="8"), ["emission_type"], id="emission type 8"),
        pytest.param(PUBLISHED[:-1] + "3", ["check_digit"], id="check digit"),
    ],
)
def test_wrong_key_is_refused(raw, codes):
    assert list(problems_of(raw)) == codes


def test_all_problems_are_told_at_once():
    text = make_key(uf="99", year_month="2613", issuer="11222333000180", model="57", number=0, emission_type="8")
    wrong = text[:-1] + str((int(text[-1]) + 1) % 10)
    problems = problems_of(wrong)
    assert set(problems) == {"uf", "year_month", "issuer", "model", "number", "emission_type", "check_digit"}
    assert all(code == problem.field for code, problem in problems.items())


def test_misplaced_character_does_not_hide_the_other_problems():
    text = make_key(year_month="2613")
    assert list(problems_of("A" + text[1:])) == ["characters", "year_month"]


def test_check_digit_message_says_what_is_and_what_should_be():
    message = str(problems_of(PUBLISHED[:-1] + "3")["check_digit"].message)
    assert message == "The check digit is wrong: the key ends in 3, it should end in 5."


def test_misplaced_characters_are_named_with_their_position():
    message = str(problems_of("O" + PUBLISHED[1:20] + "I\x00" + PUBLISHED[22:])["characters"].message)
    assert "O (1), I (21), U+0000 (22)" in message


def test_messages_of_hostile_text_stay_short_and_printable():
    for raw in ("\x1b[31m" * 11, "\u202e" * 44, "<b>" * 14 + "12"):
        for problem in problems_of(raw).values():
            message = str(problem.message)
            assert len(message) < 200
            assert message.isprintable()


def test_error_reads_as_its_messages():
    with pytest.raises(ValueError, match=r"not the code of a Brazilian state.*check digit is wrong"):
        parse("99" + PUBLISHED[2:])


@given(keys(), st.integers(0, 43), st.integers(1, 9))
def test_changing_a_digit_is_refused_or_changes_what_is_read(made, position, step):
    _, text = made
    if not text[position].isdigit():
        return
    changed = text[:position] + str((int(text[position]) + step) % 10) + text[position + 1 :]
    problems = problems_of(changed).values()
    assert all(str(problem.message) and problem.field in {*FIELDS, "text"} for problem in problems)
    if not problems:
        key = parse(changed)
        # Modulo 11 lets a few through (the rests 0 and 1 share the digit 0): never as the same document.
        assert key != parse(text)
        assert str(key) == changed


@given(keys(), st.integers(25, 41))
def test_swapping_two_neighbours_is_noticed(made, position):
    _, text = made
    changed = text[:position] + text[position + 1] + text[position] + text[position + 2 :]
    # All but those whose sums leave the two rests that share the digit 0.
    assert changed == text or problems_of(changed) or text[-1] == "0"


@given(st.text(max_size=60) | st.text("0123456789ABCNFE .", min_size=40, max_size=60) | st.binary().map(repr))
def test_any_text_is_read_or_refused_with_a_message(raw):
    problems = problems_of(raw)
    if problems:
        assert all(str(problem.message) for problem in problems.values())
    else:
        assert parse(str(parse(raw))) == parse(raw)


@given(st.text(max_size=60))
def test_what_is_stored_is_ascii(raw):
    if not problems_of(raw):
        assert parse(raw).text.isascii()


def test_no_unicode_letter_passes_as_an_ascii_one():
    lookalikes = [chr(code) for code in range(128, 0x30000) if unicodedata.category(chr(code)) in ("Ll", "Lu", "Nd")]
    for character in lookalikes:
        assert problems_of(PUBLISHED.replace("A", character)), character


def test_messages_are_translated_when_they_are_shown():
    assert all(isinstance(problem.message, Promise) for problem in problems_of("99" + PUBLISHED[2:-1] + "0").values())


# No fiscal document


@pytest.mark.feature("A11")
@pytest.mark.parametrize("typed", ["0" * 44, " ".join(["0000"] * 11), "NFe" + "0" * 44])
def test_zeros_mean_no_document(typed):
    assert access_key.is_zeros(typed)
    assert access_key.means_no_document(access_key=typed, series="000", number="000.000.000")
    assert access_key.means_no_document(access_key=typed, series="", number=None)
    assert access_key.means_no_document(access_key=typed, series=0, number=0)


@pytest.mark.feature("A11")
@pytest.mark.parametrize("typed", ["", "0", "0" * 43, "0" * 45, PUBLISHED, None, 0, "٠" * 44, "0" * 10_000_000])
def test_nothing_but_44_zeros_means_no_document(typed):
    assert not access_key.is_zeros(typed)
    assert not access_key.means_no_document(access_key=typed)


@pytest.mark.feature("A11")
@pytest.mark.parametrize(("series", "number"), [("1", "0"), ("0", "12"), ("", "x"), ("", "0" * 300 + "5")])
def test_number_beside_zeros_contradicts_no_document(series, number):
    assert not access_key.means_no_document(access_key="0" * 44, series=series, number=number)


@pytest.mark.feature("A11")
def test_zeros_are_a_choice_and_never_a_key():
    # The arithmetic holds for them, which is why they are asked for first.
    assert mod11("0" * 43) == 0
    assert cnpj_check_digits("0" * 12) == "00"
    assert "no fiscal document" in str(problems_of("0" * 44)["zeros"].message)


# Against what was typed beside it


@pytest.mark.parametrize(
    ("given_beside", "codes"),
    [
        pytest.param({}, [], id="nothing typed"),
        pytest.param({"series": "", "number": ""}, [], id="left empty"),
        pytest.param({"series": "1", "number": "123"}, [], id="the same"),
        pytest.param({"series": 1, "number": 123}, [], id="as numbers"),
        pytest.param({"series": "001", "number": "000.000.123"}, [], id="as the DANFE prints them"),
        pytest.param({"series": "2"}, ["series_mismatch"], id="another series"),
        pytest.param({"number": "124"}, ["number_mismatch"], id="another number"),
        pytest.param({"series": "0", "number": "0"}, ["series_mismatch", "number_mismatch"], id="zeros"),
        pytest.param({"number": "-123"}, ["number_mismatch"], id="negative"),
        pytest.param({"number": "12a"}, ["number_mismatch"], id="letters"),
        pytest.param({"number": "١٢٣"}, ["number_mismatch"], id="Arabic digits"),
        pytest.param({"number": "0" * 300 + "123"}, ["number_mismatch"], id="a page of digits"),
        pytest.param({"issuer_tax_ids": []}, [], id="any issuer"),
        pytest.param({"issuer_tax_ids": ["12.abc.345/01de-35"]}, [], id="own issuer, punctuated"),
        pytest.param({"issuer_tax_ids": [DEMO_CNPJ, DEMO_CNPJ_ALPHANUMERIC]}, [], id="one of several"),
        pytest.param({"issuer_tax_ids": [DEMO_CNPJ]}, ["issuer_mismatch"], id="another firm's key"),
    ],
)
def test_key_is_compared_with_what_was_typed_beside_it(given_beside, codes):
    assert [problem.code for problem in validate_against(parse(PUBLISHED), **given_beside)] == codes


def test_disagreement_names_both_values():
    problems = validate_against(parse(PUBLISHED), number="124", issuer_tax_ids=[DEMO_CNPJ])
    assert [problem.field for problem in problems] == ["number", "access_key"]
    assert [str(problem.message) for problem in problems] == [
        "The number is 124, but the access key says 123.",
        "The key was issued by 12.ABC.345/01DE-35, which is not one of this shop's.",
    ]


def test_person_may_issue_for_the_shop():
    key = parse(make_key(issuer=CPF, series=920))
    assert validate_against(key, issuer_tax_ids=[CPF]) == []
    assert validate_against(key, issuer_tax_ids=[make_cpf("987654321")])


# For the browser


def test_widget_carries_every_message_for_the_browser():
    attrs = access_key.widget_attrs(series="#id_series", number="#id_number", none_choice="#id_none")
    assert attrs["data-series"] == "#id_series"
    messages = {name: str(value) for name, value in attrs.items() if name.startswith("data-msg-")}
    assert set(messages) == {f"data-msg-{code.replace('_', '-')}" for code in access_key.MESSAGES}
    assert all(messages.values())
