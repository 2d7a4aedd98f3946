"""The to-do list of the dashboard: what a person has to look after, assigned and closed with an outcome."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import View

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.models import FollowUp
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors import followups as reads
from oscar_fulfillment.selectors.scans import Cursor, CursorError
from oscar_fulfillment.services import followups

from .followup_words import present
from .list_rows import count_text

_LARGEST_ID = 2**63 - 1

TABS: dict[str, tuple[Any, Any]] = {
    reads.OPEN: (
        pgettext_lazy("follow-ups", "Open"),
        gettext_lazy("Nothing to do. Calls, late money and holds that end appear here by themselves."),
    ),
    reads.MINE: (
        pgettext_lazy("follow-ups", "Mine"),
        gettext_lazy("Nothing is assigned to you. Take something from “Open”."),
    ),
    reads.DUE: (pgettext_lazy("follow-ups", "Due"), gettext_lazy("Nothing is due. What comes next is in “Open”.")),
    reads.CLOSED: (
        pgettext_lazy("follow-ups", "Closed"),
        gettext_lazy("Nothing was closed yet. Closed follow-ups stay here with their outcome."),
    ),
}


def read_cursor(text: str) -> Cursor | None:
    """A place in a list as its address says it."""
    try:
        return Cursor.parse(text) if text else None
    except CursorError:
        raise forms.ValidationError(_("This link to a page of the list is damaged. Start at the first page.")) from None


class FollowUpFilter(forms.Form):
    """What the list's address may say; anything else is an error, not another list."""

    tab = forms.ChoiceField(required=False, choices=[(name, label) for name, (label, _empty) in TABS.items()])
    kind = forms.ChoiceField(required=False, label=gettext_lazy("What"))
    q = forms.CharField(required=False, max_length=128, label=gettext_lazy("Order number"))
    after = forms.CharField(required=False, max_length=64)
    before = forms.CharField(required=False, max_length=64)

    def __init__(self, data: Any):
        super().__init__(data)
        self.fields["kind"].choices = list(followups.KINDS.items())

    def clean_tab(self) -> str:
        return self.cleaned_data["tab"] or reads.OPEN

    def clean_q(self) -> str:
        return self.cleaned_data["q"].lstrip("#")

    def clean_after(self) -> Cursor | None:
        return read_cursor(self.cleaned_data["after"])

    def clean_before(self) -> Cursor | None:
        return read_cursor(self.cleaned_data["before"])

    def query(self, **place: Any) -> str:
        """The query string of this list, with another place in it."""
        kept = {name: self.cleaned_data.get(name) for name in ("tab", "kind", "q")}
        kept["tab"] = "" if kept["tab"] == reads.OPEN else kept["tab"]
        return urlencode({name: str(value) for name, value in {**kept, **place}.items() if value})


@method_decorator(never_cache, name="dispatch")
class _FollowUps(View):
    """Only for those who work the follow-ups; partner users see those of their orders."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not user_may(request.user, "manage_followups"):
            raise PermissionDenied(_("You do not have the permission for this step."))
        return super().dispatch(request, *args, **kwargs)


class FollowUpsView(_FollowUps):
    """The list: tabs, a filter by kind, a search by order number, pages."""

    http_method_names = ["get", "head", "options"]
    template_name = "oscar_fulfillment/orders/followups.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        form, url = FollowUpFilter(request.GET), reverse("dashboard:order-followups")
        is_valid = form.is_valid()
        tab = form.cleaned_data["tab"] if is_valid else reads.OPEN
        counts = reads.count_tabs(request.user, settings.CAPPED_COUNT)
        context: dict[str, Any] = {
            "url": url,
            "tab": tab,
            "label": TABS[tab][0],
            "empty": TABS[tab][1],
            "tabs": [
                {"name": name, "label": label, "count": count_text(counts[name]),
                 "is_current": is_valid and name == tab, "url": url if name == reads.OPEN else f"{url}?tab={name}"}
                for name, (label, _empty) in TABS.items()
            ],
            "kinds": followups.KINDS,
            "kind": request.GET.get("kind", "")[:32],
            "q": request.GET.get("q", "")[:128],
            "errors": [str(error) for found in form.errors.values() for error in found],
            "may_take": request.user.is_staff,
            "here": request.get_full_path(),
        }  # fmt: skip
        if not is_valid:
            return TemplateResponse(request, self.template_name, context, status=400)
        given = form.cleaned_data
        rows = reads.narrowed(reads.of_tab(request.user, tab), kind=given["kind"], number=given["q"])
        page = reads.read_followups(rows, tab, after=given["after"], before=given["before"])
        context |= {
            "rows": [present(row, request.user) for row in page.rows],
            "is_narrowed": bool(given["kind"] or given["q"]),
            "count_phrase": _count_phrase(counts[tab]),
            "several_pages": page.has_previous or page.has_next,
            "first_url": f"?{form.query()}" if page.has_previous else "",
            "previous_url": f"?{form.query(before=page.cursor(0))}" if page.has_previous and page.rows else "",
            "next_url": f"?{form.query(after=page.cursor(-1))}" if page.has_next and page.rows else "",
        }
        return TemplateResponse(request, self.template_name, context)


def _count_phrase(count: int) -> str:
    return ngettext("%(count)s follow-up", "%(count)s follow-ups", count) % {"count": count_text(count)}


class FollowUpView(_FollowUps):
    """One follow-up: everything it holds, to whom it is given, what came of it."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.show(request, self.find(request, pk))

    def find(self, request: HttpRequest, pk: int) -> FollowUp:
        """The follow-up, or 404 for one that is not there for this person."""
        rows = reads.followups_for_user(request.user).select_related("fulfillment__order__shipping_address")
        found = rows.filter(pk=pk).first() if pk <= _LARGEST_ID else None
        if found is None:
            raise Http404
        return found

    def show(self, request: HttpRequest, found: FollowUp, *, status: int = 200, **context: Any) -> HttpResponse:
        context |= {
            "item": present(found, request.user),
            "outcomes": followups.OUTCOMES,
            "colleagues": reads.colleagues() if request.user.is_staff and not found.closed_at else {},
            "may_followups": True,
            "may_take": request.user.is_staff,
        }
        return TemplateResponse(request, "oscar_fulfillment/orders/followup.html", context, status=status)

    def refused(self, request: HttpRequest, pk: int, error: FulfillmentError, **typed: Any) -> HttpResponse:
        """The page again with what is wrong and what was typed."""
        if isinstance(error, InvalidInput):
            said, status = [str(message) for found in error.errors.values() for message in found], 422
        else:
            said, status = [str(error)], 409
        return self.show(request, self.find(request, pk), status=status, errors=said, typed=typed)

    def back(self, request: HttpRequest, found: FollowUp) -> HttpResponse:
        """Where the person came from: the order, or the list (only ever a list of ours)."""
        if request.POST.get("next") == "order" and found.fulfillment is not None:
            return HttpResponseRedirect(reverse("dashboard:order-detail", kwargs={"number": found.fulfillment.number}))
        url, here = reverse("dashboard:order-followups"), request.POST.get("next", "")
        return HttpResponseRedirect(here if here.startswith(f"{url}?") and here.isprintable() else url)


class AssignFollowUpView(FollowUpView):
    """Give a follow-up to oneself ("me"), to somebody else (an id), or back to all (nothing)."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        found = self.find(request, pk)
        if not request.user.is_staff:
            raise PermissionDenied(_("You do not have the permission for this step."))
        try:
            person = self._person(request)
            followups.assign_followup(followup=found, actor=Actor.from_user(request.user), assignee=person)
        except FulfillmentError as error:
            return self.refused(request, pk, error)
        if person is None:
            messages.success(request, _("The follow-up is nobody's again."))
        else:
            name = person.get_full_name() or person.get_username()
            messages.success(request, _("The follow-up is %(name)s's now.") % {"name": name})
        return self.back(request, found)

    def _person(self, request: HttpRequest) -> Any:
        chosen = request.POST.get("assignee", "")
        if chosen in ("", "me"):
            return request.user if chosen else None
        digits = chosen if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else "0"
        person = get_user_model()._default_manager.filter(pk=int(digits)).first()
        if person is None:
            raise InvalidInput({"assignee": [_("Choose a member of staff.")]})
        return person


class CloseFollowUpView(FollowUpView):
    """Say what came of it."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        found = self.find(request, pk)
        outcome, note = request.POST.get("outcome", ""), request.POST.get("note", "")
        try:
            followups.close_followup(followup=found, actor=Actor.from_user(request.user), outcome=outcome, note=note)
        except FulfillmentError as error:
            return self.refused(request, pk, error, outcome=outcome, note=note)
        messages.success(request, _("The follow-up is closed."))
        return self.back(request, found)
