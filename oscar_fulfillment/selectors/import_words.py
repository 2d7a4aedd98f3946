"""What a row of an imported file would do, or why it does nothing: the verdicts and their words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

DISPATCH, ADD, CHANGE, EVENT, SAME = "dispatch", "add", "change", "event", "same"
UNKNOWN, BLOCKED, WRONG_CODE, OTHER_ORDER, DOUBLED, UNREADABLE, NO_CARRIER, NOT_OURS = (
    "unknown", "blocked", "wrong_code", "other_order", "doubled", "unreadable", "no_carrier", "not_ours",
)  # fmt: skip

#: Verdicts of rows that do something.
APPLICABLE = (DISPATCH, ADD, CHANGE, EVENT)
#: Verdicts of rows that a person has to mend.
REFUSED = (UNKNOWN, BLOCKED, WRONG_CODE, OTHER_ORDER, DOUBLED, UNREADABLE, NO_CARRIER, NOT_OURS)

LABELS: dict[str, Any] = {
    DISPATCH: _("Sends the order"),
    ADD: _("Adds a code"),
    CHANGE: _("Changes the code"),
    EVENT: _("Tells of a parcel"),
    SAME: _("Already so"),
    UNKNOWN: pgettext_lazy("row of a file", "Order unknown"),
    BLOCKED: _("Not possible"),
    WRONG_CODE: _("Wrong code"),
    OTHER_ORDER: _("Code of another order"),
    DOUBLED: _("Twice in the file"),
    UNREADABLE: _("Not readable"),
    NO_CARRIER: _("Carrier unknown"),
    NOT_OURS: _("Sender unknown"),
}
TONES = {DISPATCH: "success", ADD: "success", CHANGE: "warning", EVENT: "success", SAME: "secondary"}


@dataclass(frozen=True)
class Verdict:
    """What a row would do to which order. ``data`` is what the application needs of it."""

    code: str
    message: str = ""
    fulfillment_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
