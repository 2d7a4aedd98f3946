"""What the tax office's status codes (cStat) mean for us, and what helps. Its own words are always shown beside.

Sources: the taxpayers' manual of the NF-e (MOC 7.0, annex I: rules and messages) as its table of codes stands in
``docs/cStat.md`` of nfephp-org/sped-nfe; NT 2019.001 (305, 306, 624, 930), NT 2018.005 (972) and NT 2025.002 (1020 and
on). Codes whose meaning is not found there have no hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

#: The note is authorised; 150: after the time allowed.
AUTHORISED = frozenset({"100", "150"})
CANCELLED = frozenset({"101", "151", "155"})
#: The lot is taken (103), or still worked on (105).
PROCESSING = frozenset({"103", "105"})
#: The lot was worked off: what became of the note is in its protocol.
PROCESSED = "104"
#: Forbidden for good: the number is used up.
DENIED = frozenset({"110", "205", "301", "302", "303"})
#: Out of service, for a moment or until further notice.
DOWN = frozenset({"108", "109"})
#: The contingency is being switched off, or off: the state's own service is back.
CONTINGENCY_OFF = frozenset({"113", "114"})
#: This note is there already: under this very key (204), or under another one of the same number (539).
DUPLICATE, NUMBER_USED = "204", "539"
UNKNOWN_KEY = "217"
#: Asked too often, or an error on their side that nobody has named: later again. (678, the same for freight and
#: manifests, is something else for an NF-e.)
LATER = frozenset({"656", "999"})
#: An event that was taken; linked, not linked, after the time allowed.
EVENT_TAKEN = frozenset({"135", "136", "155"})
EVENT_LOT_TAKEN = "128"
EVENT_KNOWN = "573"
#: The note is cancelled already.
CANCELLED_ALREADY = frozenset({"218", "420"})
#: Too late to be cancelled (220: before cancellations were events).
TOO_LATE = frozenset({"220", "501"})
VOIDED = frozenset({"102"})
#: The numbers are void already.
VOIDED_ALREADY = frozenset({"206", "256", "563"})
WORKING = "107"

#: Where something can be mended.
PROFILE, ADDRESS, SETTINGS, WAIT, PERSON, MEND = "profile", "address", "settings", "wait", "person", "mend"


@dataclass(frozen=True)
class Hint:
    """What helps, and where."""

    text: Any
    where: str


_FORBIDDEN_BUYER = Hint(
    _(
        "The tax office forbids this sale to this buyer. The number is used up; without another buyer no note can be "
        "issued."
    ),
    PERSON,
)
_FORBIDDEN_FIRM = Hint(
    _("The tax office forbids this firm to issue. The number is used up: ask your accountant."), PERSON
)
_FORBIDDEN = Hint(_("The tax office forbids this note. Its number is used up: ask your accountant."), PERSON)
_CERTIFICATE = Hint(_("The certificate is not accepted: see that it is valid, and of this firm."), SETTINGS)
_ISSUER = Hint(_("The tax office does not let this firm issue: ask your accountant."), PERSON)
_ISSUER_NUMBERS = Hint(
    _(
        "The firm's CNPJ or state registration (IE) is not as the tax office knows it: see both in the settings (NFE), "
        "or ask your accountant."
    ),
    SETTINGS,
)
_ISSUER_PLACE = Hint(
    _("The firm's municipality does not fit its state: see its address in the settings (NFE)."), SETTINGS
)
_BUYER_IE = Hint(
    _("The buyer's state registration (IE) does not fit: leave it empty for somebody who is no taxpayer, or ask them."),
    MEND,
)
_BUYER = Hint(_("The buyer's tax number is wrong: correct it in the order."), ADDRESS)
_ADDRESS = Hint(_("The buyer's address does not fit: correct it, then send the note again."), MEND)
_FIELD = Hint(
    _(
        "A field of the note has a form that the tax office does not take: look for it in the words above, mend it, "
        "and send the note again."
    ),
    MEND,
)
_RULES = Hint(_("Correct the tax profile of these articles, then send the note again."), PROFILE)
_SUMS = Hint(_("The tax profile gives sums that the tax office reckons otherwise: ask your accountant."), PROFILE)
_DOWN = Hint(_("The tax office is out of service. The note is sent by itself when it is back."), WAIT)
_WORKING_ON_IT = Hint(_("The tax office works on it. It is asked by itself."), WAIT)
#: code -> what helps. From the layout manual's rules; a code that is not here is shown with the office's words alone.
_BY_HINT = (
    (_DOWN, "108 109"),
    (_WORKING_ON_IT, "103 105"),
    (_FORBIDDEN, "110 205"),
    (_FORBIDDEN_BUYER, "302 303"),
    (_FORBIDDEN_FIRM, "301"),
    (_CERTIFICATE, "213 244 280 281 282 283 284 285 286 290 291 292 293 294 295 296"),
    (_ISSUER, "203 240"),
    (_ISSUER_NUMBERS, "207 209 229 230 231 245"),
    (_ISSUER_PLACE, "270 271 272 273"),
    (_BUYER_IE, "210 232 233 234 306 624 728 805"),
    (_BUYER, "208 237 246 623"),
    (_ADDRESS, "274 275"),
    (_FIELD, "215 225"),
    (
        _RULES,
        "328 374 382 383 384 386 387 388 518 520 521 523 525 529 590 591 600 663 693 694 697 698 732 733 777 778 793 "
        "806 930 1020 1023 1024 1026 1037 1115",
    ),
    (_SUMS, "528 531 532 533 534 535 536 537 538 564 602 603 604 610 629 630"),
    (Hint(_("The note is too old to be taken: mend it, so that it is issued now."), MEND), "228"),
    (Hint(_("Another note has this number at the tax office already. See what became of it there."), PERSON), "539"),
    (Hint(_("The clock of this server is ahead: set it, then send the note again."), SETTINGS), "212 703"),
    (Hint(_("This state asks for a technical contact: name one in the settings (NFE)."), SETTINGS), "972"),
    (Hint(_("The tax office was asked too often. It is asked again later, by itself."), WAIT), "656"),
    (Hint(_("The time to cancel is over. Ask your accountant: a note of return may help."), PERSON), "220 501"),
)
HINTS: dict[str, Hint] = {code: found for found, codes in _BY_HINT for code in codes.split()}


def hint(status: str) -> Hint | None:
    """What helps against a refusal, where we know."""
    return HINTS.get(status)
