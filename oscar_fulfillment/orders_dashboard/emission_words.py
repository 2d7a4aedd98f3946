"""Notes of our own in words: what the tax office says, what that means, and what can be done now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from oscar.templatetags.currency_filters import currency as in_currency

from oscar_fulfillment.documents.danfe import has_danfe
from oscar_fulfillment.fiscal.access_key import AccessKeyError, parse
from oscar_fulfillment.fiscal.emission import codes
from oscar_fulfillment.models import NfeEmission
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.note_content import Gap, issuable
from oscar_fulfillment.services.emission_events import cancel_refusal, cancel_until
from oscar_fulfillment.services.emission_issue import is_configured, may_issue

TABS: dict[str, Any] = {
    "attention": gettext_lazy("To be looked at"),
    "under_way": gettext_lazy("Under way"),
    "authorised": pgettext_lazy("several NF-e", "Authorised"),
    "over": gettext_lazy("Cancelled and voided"),
}
#: What a state means, where the tax office's words do not say it.
MEANINGS: dict[str, Any] = {
    NfeEmission.DRAFT: gettext_lazy("It has its number and is being built and signed."),
    NfeEmission.SIGNED: gettext_lazy("It is signed and stored, and will be sent by itself."),
    NfeEmission.SENT: gettext_lazy(
        "It was sent, and its answer is not here yet. It is asked for before anything is sent again."
    ),
    NfeEmission.PROCESSING: gettext_lazy("The tax office works on it. It is asked by itself."),
    NfeEmission.CONTINGENCY: gettext_lazy(
        "It is signed for the service that stands in, and will be sent there by itself."
    ),
}


@dataclass
class Told:
    """A note as its pages show it. ``words`` are the tax office's, ``meaning`` and ``hint`` ours."""

    emission: NfeEmission
    title: str
    total: str
    words: str
    meaning: Any
    hint: Any
    url: str
    key: str
    links: list[dict[str, Any]] = field(default_factory=list)


def tell(emission: NfeEmission) -> Told:
    """A note in words; reads nothing."""
    found = codes.hint(emission.answer_code) if emission.status in (NfeEmission.REJECTED, NfeEmission.DENIED) else None
    words = f"{emission.answer_code} {emission.answer_text}".strip()
    title = _("NF-e %(number)d, series %(series)d") % {"number": emission.number, "series": emission.series}
    hint = found.text if found else ""
    if emission.status == NfeEmission.REJECTED and not found:
        hint = _("Mend what it says, then send the note again. It keeps its number.")
    return Told(
        emission=emission,
        title=title,
        total=in_currency(emission.total, "BRL"),
        words=words,
        meaning=MEANINGS.get(emission.status, ""),
        hint=hint,
        url=reverse("dashboard:order-emission", kwargs={"pk": emission.pk}),
        key=_grouped(emission.access_key),
        links=files_of(emission),
    )


def _grouped(key: str) -> str:
    try:
        return parse(key).grouped if key else ""
    except AccessKeyError:
        return key


def files_of(emission: NfeEmission) -> list[dict[str, Any]]:
    """What can be had of a note: its XML, its DANFE, the label for the parcel."""
    if emission.status not in (NfeEmission.AUTHORISED, NfeEmission.CANCELLED):
        return []
    kinds = [("xml", _("XML"))]
    if has_danfe():
        kinds += [("danfe", _("DANFE")), ("label", _("DANFE label"))]
    return [
        {"label": label, "url": reverse(f"dashboard:order-emission-{kind}", kwargs={"pk": emission.pk})}
        for kind, label in kinds
    ]


@dataclass
class Actions:
    """What can be done with a note now, by this person. ``cancel_refusal`` says why it cannot be cancelled."""

    may: bool
    mend: bool = False
    give_up: bool = False
    again: bool = False
    correct: bool = False
    cancel: bool = False
    cancel_refusal: Any = None
    cancel_until: Any = None


def actions_of(emission: NfeEmission, user: Any) -> Actions:
    """For the page of one note; a few statements for an authorised one."""
    found = Actions(may=user_may(user, "issue_nfe"))
    if not found.may:
        return found
    found.mend = found.give_up = emission.status == NfeEmission.REJECTED
    found.again = emission.is_open or (emission.status == NfeEmission.AUTHORISED and emission.invoice_id is None)
    if emission.status == NfeEmission.AUTHORISED:
        found.correct = True
        found.cancel_refusal, found.cancel_until = cancel_refusal(emission), cancel_until(emission)
        found.cancel = found.cancel_refusal is None
    return found


def emission_card(page: Any, user: Any) -> dict[str, Any] | None:
    """The order page's card; None where the order has no notes, and none can be issued now by this person."""
    notes, offered = page.emissions, is_configured() and may_issue(page.order)
    if not notes and not offered:
        return None
    standing = any(note.status in NfeEmission.STANDING and note.invoice_id is None for note in notes)
    waiting = issuable([row.shipment for row in page.shipments])
    can_issue = offered and user_may(user, "issue_nfe") and bool(waiting) and not standing
    if not notes and not can_issue:
        return None
    return {
        "notes": [tell(note) for note in notes],
        "issue_url": reverse("dashboard:order-nfe", kwargs={"number": page.order.number}) if can_issue else "",
        "may": user_may(user, "issue_nfe"),
        "needs_danfe": bool(notes) and not has_danfe(),
    }


def gap_row(gap: Gap, order: Any, user: Any) -> dict[str, Any]:
    """Something that is missing, with the way to where it is filled in."""
    url, link = "", ""
    if gap.where == "profile" and user_may(user, "manage_tax_profiles"):
        link = _("Fill in the tax profile")
        if gap.pk is not None:
            url = reverse("dashboard:tax-profile", kwargs={"pk": gap.pk})
        else:
            url = reverse("dashboard:tax-profile-new") + (f"?class={gap.product_class}" if gap.product_class else "")
    elif gap.where == "buyer":
        url, link = "#buyer", _("Fill it in below")
    return {"message": gap.message, "url": url, "link": link}
