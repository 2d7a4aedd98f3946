"""The access key (chave de acesso) of a Brazilian NF-e or NFC-e: 44 characters that say who, when and which.

::

    35 2607 12ABC34501DE35 55 001 000000123 1 75450570 5
    |  |    |              |  |   |         | |        check digit, modulo 11 over the 43 before it
    |  |    |              |  |   |         | random code
    |  |    |              |  |   |         emission type
    |  |    |              |  |   number
    |  |    |              |  series
    |  |    |              model: 55 NF-e, 65 NFC-e
    |  |    issuer: CNPJ (letters since July 2026), or 000 and a CPF
    |  year and month of issue
    state (IBGE code)

Pure: no model, no database. The browser's as-typed check is the same algorithm
(static/oscar_fulfillment/access_key.js); a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from . import taxids
from .checkdigits import mod11
from .text import MAX_TYPED, compact, visible

LENGTH = 44
ZEROS = "0" * LENGTH
# IBGE code -> state.
_STATES = (
    "11RO 12AC 13AM 14RR 15PA 16AP 17TO 21MA 22PI 23CE 24RN 25PB 26PE 27AL 28SE 29BA "
    "31MG 32ES 33RJ 35SP 41PR 42SC 43RS 50MS 51MT 52GO 53DF"
)
STATES = {pair[:2]: pair[2:] for pair in _STATES.split()}
MODELS = {"55": "NF-e", "65": "NFC-e"}
# Normal, FS, NFF, EPEC, FS-DA, SVC-AN, SVC-RS, off-line. There is no 8.
EMISSION_TYPES = "12345679"
FIELDS = {
    "uf": slice(0, 2),
    "year_month": slice(2, 6),
    "issuer": slice(6, 20),
    "model": slice(20, 22),
    "series": slice(22, 25),
    "number": slice(25, 34),
    "emission_type": slice(34, 35),
    "code": slice(35, 43),
    "check_digit": slice(43, 44),
}
_SHAPE = re.compile(r"[0-9]{6}[0-9A-Z]{12}[0-9]{26}", re.ASCII)
_LETTERS_ALLOWED = range(6, 18)

# By code. The browser gets the same texts (widget_attrs), so they may use only the placeholders named there.
MESSAGES: dict[str, Any] = {
    "empty": _("Enter the access key."),
    "zeros": _('44 zeros mean "no fiscal document": choose that instead of a key.'),
    "length": _("The access key must have 44 characters; this one has {count}."),
    "characters": _("These characters cannot stand where they are: {found} (position in the key)."),
    "uf": _("The first two digits, {found}, are not the code of a Brazilian state."),
    "year_month": _("Digits 3 to 6 are the year and month of issue: {found} is not a month."),
    "issuer": _("The issuer in the key, {found}, is not a valid CNPJ."),
    "issuer_cpf": _("Series {series} is of issuers with a CPF, and {found} in the key does not hold a valid one."),
    "model": _("The document's model is {found}; an order is invoiced by model 55 (NF-e) or 65 (NFC-e)."),
    "series": _("Series {found} does not exist: it goes from 0 to 969."),
    "number": _("The document's number in the key is zero."),
    "emission_type": _("Emission type {found} (position 35) does not exist."),
    "check_digit": _("The check digit is wrong: the key ends in {found}, it should end in {expected}."),
    "series_mismatch": _("The series is {given}, but the access key says {found}."),
    "number_mismatch": _("The number is {given}, but the access key says {found}."),
    "issuer_mismatch": _("The key was issued by {found}, which is not one of this shop's."),
}


class Problem(NamedTuple):
    """One thing that is wrong: a code for programs, a lazy message for people, and the part of the key (FIELDS)."""

    code: str
    message: Any
    field: str


class AccessKeyError(ValueError):
    """The text is no access key. ``problems`` lists everything that is wrong with it."""

    def __init__(self, problems: list[Problem]):
        self.problems = problems
        super().__init__(problems)

    def __str__(self) -> str:
        return " ".join(str(problem.message) for problem in self.problems)


@dataclass(frozen=True)
class AccessKey:
    """A valid key, taken apart. ``issuer`` is the canonical CNPJ (14) or CPF (11); ``text`` the 44 characters."""

    uf: str
    year_month: str
    issuer: str
    model: str
    series: int
    number: int
    emission_type: str
    code: str
    check_digit: str
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def state(self) -> str:
        """The issuer's state: "SP"."""
        return STATES[self.uf]

    @property
    def issuer_kind(self) -> str:
        """ "cnpj" or "cpf"."""
        return "cpf" if len(self.issuer) == 11 else "cnpj"

    @property
    def grouped(self) -> str:
        """The key in groups of four, as it is printed on the DANFE."""
        return " ".join(self.text[start : start + 4] for start in range(0, LENGTH, 4))


def normalise(raw: str) -> str:
    """``raw`` without spaces, dots, dashes, slashes and the "NFe" of the XML's Id, in capitals. Not validated."""
    return compact(raw).removeprefix("NFE")


def is_zeros(raw: Any) -> bool:
    """Whether the key was typed as 44 zeros: "no fiscal document".

    Ask this before :func:`parse`: zeros pass the check digits of key and CNPJ, so they are a choice, never a key.
    """
    return isinstance(raw, str) and len(raw) <= MAX_TYPED and normalise(raw) == ZEROS


def means_no_document(*, access_key: Any, series: Any = "", number: Any = "") -> bool:
    """Whether the three fields of the form together say "no fiscal document".

    The key must be 44 zeros; series and number zeros or empty. A number beside a key of zeros is a contradiction.
    """
    return is_zeros(access_key) and not _typed_number(series).strip("0") and not _typed_number(number).strip("0")


def parse(raw: Any) -> AccessKey:
    """Take the key apart.

    :raises AccessKeyError: with everything that is wrong, not only the first thing.
    """
    text = normalise(raw) if isinstance(raw, str) and len(raw) <= MAX_TYPED else None
    if text is None:
        # Too long to be read, or not even text. Whatever it is, it has not 44 characters.
        length = len(raw) if isinstance(raw, str) else 0
        raise AccessKeyError([_problem("length", "text", count=length)])
    problems, issuer = _examine(text)
    if problems:
        raise AccessKeyError(problems)
    part = {name: text[where] for name, where in FIELDS.items()}
    return AccessKey(
        uf=part["uf"],
        year_month=part["year_month"],
        issuer=issuer,
        model=part["model"],
        series=int(part["series"]),
        number=int(part["number"]),
        emission_type=part["emission_type"],
        code=part["code"],
        check_digit=part["check_digit"],
        text=text,
    )


def validate_against(
    key: AccessKey, *, series: Any = None, number: Any = None, issuer_tax_ids: Iterable[str] = ()
) -> list[Problem]:
    """What contradicts the key: the series and number typed beside it, and who may issue for this shop.

    ``series`` and ``number`` are compared as numbers; None or "" was not given. No ``issuer_tax_ids``: anybody may.
    The problems' ``field`` is the field of the form: "series", "number" or "access_key".
    """
    problems = []
    for name, given in (("series", series), ("number", number)):
        typed, found = _typed_number(given), getattr(key, name)
        # The length keeps int() from being asked to read a page of digits.
        if typed and not (len(typed) <= MAX_TYPED and typed.isascii() and typed.isdigit() and int(typed) == found):
            problems.append(_problem(f"{name}_mismatch", name, given=typed[:20], found=found))
    # Compared as they stand in the key, so that a CPF need not be told from a CNPJ.
    allowed = {compact(tax_id).rjust(14, "0") for tax_id in issuer_tax_ids}
    if allowed and key.text[FIELDS["issuer"]] not in allowed:
        shown = taxids.format_tax_id(key.issuer_kind, key.issuer)
        problems.append(_problem("issuer_mismatch", "access_key", found=shown))
    return problems


def widget_attrs(*, series: str, number: str, none_choice: str = "") -> dict[str, Any]:
    """HTML attributes that switch the browser's check on for the key's input: selectors and translated messages.

    ``series`` and ``number`` are CSS selectors of those inputs, ``none_choice`` of the radio or checkbox (or
    option) that means "no fiscal document".
    """
    attrs = {"data-access-key": "", "data-series": series, "data-number": number, "data-none-choice": none_choice}
    for code, message in MESSAGES.items():
        attrs[f"data-msg-{code.replace('_', '-')}"] = message
    return attrs


def _typed_number(value: Any) -> str:
    """A series or number as typed, without spaces and the dots the DANFE prints in it; "" for None."""
    return "" if value is None else str(value).replace(" ", "").replace(".", "")


def _problem(code: str, field: str, **values: Any) -> Problem:
    return Problem(code, format_lazy(MESSAGES[code], **values), field)


def _examine(text: str) -> tuple[list[Problem], str]:
    """All problems of a normalised key, and its issuer's canonical tax id (when there are none)."""
    if not text:
        return [_problem("empty", "text")], ""
    if text == ZEROS:
        return [_problem("zeros", "text")], ""
    if len(text) != LENGTH:
        # Without the right length no position means anything, so nothing else is looked at.
        return [_problem("length", "text", count=len(text))], ""
    problems: list[Problem] = []
    if not _SHAPE.fullmatch(text):
        problems.append(_problem("characters", "text", found=_misplaced(text)))
    part = {name: text[where] for name, where in FIELDS.items()}
    # A part with a letter in it was already named above; only parts of digits are judged further.
    digits = {name for name, value in part.items() if value.isascii() and value.isdigit()}
    if "uf" in digits and part["uf"] not in STATES:
        problems.append(_problem("uf", "uf", found=part["uf"]))
    if "year_month" in digits and not 1 <= int(part["year_month"][2:]) <= 12:
        problems.append(_problem("year_month", "year_month", found=part["year_month"]))
    if "model" in digits and part["model"] not in MODELS:
        problems.append(_problem("model", "model", found=part["model"]))
    if "number" in digits and int(part["number"]) == 0:
        problems.append(_problem("number", "number"))
    if "emission_type" in digits and part["emission_type"] not in EMISSION_TYPES:
        problems.append(_problem("emission_type", "emission_type", found=part["emission_type"]))
    issuer = ""
    if "series" in digits and taxids.KINDS["cnpj"].pattern.fullmatch(part["issuer"]):
        issuer, problem = _issuer(part["issuer"], part["series"])
        if problem:
            problems.append(problem)
    if _SHAPE.fullmatch(text) and (expected := mod11(text[:43])) != int(part["check_digit"]):
        problems.append(_problem("check_digit", "check_digit", found=part["check_digit"], expected=expected))
    return problems, issuer


def _issuer(held: str, series: str) -> tuple[str, Problem | None]:
    """Who issued, by the ranges of the series (NT 2018.001).

    0-889 and 900-909 a CNPJ, 890-899 the tax office for a CNPJ or a CPF, 910-969 a CPF; more do not exist.
    """
    value = int(series)
    if value > 969:
        return "", _problem("series", "series", found=value)
    if not 910 <= value <= 969 and taxids.is_valid("cnpj", held):
        return held, None
    if value >= 890 and not 900 <= value <= 909 and held.startswith("000") and taxids.is_valid("cpf", held[3:]):
        return held[3:], None
    if value >= 910:
        return "", _problem("issuer_cpf", "issuer", found=held, series=value)
    return "", _problem("issuer", "issuer", found=taxids.format_tax_id("cnpj", held))


def _misplaced(text: str) -> str:
    """The first characters that stand in the wrong place, with their positions counted from 1."""
    wrong = [
        f"{visible(character)} ({index + 1})"
        for index, character in enumerate(text)
        if not ("0" <= character <= "9" or (index in _LETTERS_ALLOWED and "A" <= character <= "Z"))
    ]
    return ", ".join(wrong[:5]) + (" ..." if len(wrong) > 5 else "")
