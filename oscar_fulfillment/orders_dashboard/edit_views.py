"""The page "Edit the order": a draft beside the order, what it comes to, and the button that applies it.

Without a script every button sends the form and comes back to the page; with one the figures follow what is typed.
Whatever is sent is kept as the person's draft first, so that nothing is lost whatever is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from oscar.templatetags.currency_filters import currency

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.selectors.order_page import fulfillment_of
from oscar_fulfillment.services import drafts, edit_rules, editing
from oscar_fulfillment.services.edit_wanted import Wanted

from . import page_words
from .edit_input import Typed, read_typed, with_added, without
from .edit_reading import EditPage, sums
from .page_reading import OrderView, demand, happened_since, order_or_404

PAGE = "oscar_fulfillment/orders/edit.html"
SUMMARY = "oscar_fulfillment/orders/includes/edit_summary.html"


class _EditBase(OrderView):
    def order_and_actor(self) -> tuple[Any, Actor]:
        """The order, for somebody who may edit it: 404 and 403 as on the order page."""
        from django.http import Http404

        order = order_or_404(self.request.user, self.kwargs["number"])
        if fulfillment_of(order) is None:
            raise Http404
        order.fulfillment._state.fields_cache["order"] = order
        demand(self.request.user, "edit_order")
        return order, Actor.from_user(self.request.user)

    def saved(self, order: Any, actor: Actor, page: EditPage, typed: Typed) -> None:
        """Keep what could be read as the draft; what is wrong stays in the form only."""
        try:
            drafts.save_draft(order=order, actor=actor, wanted=page.wanted, base_version=typed.version)
        except InvalidInput as error:
            page.errors = {**error.errors, **page.errors}


@method_decorator(never_cache, name="dispatch")
class EditView(_EditBase):
    """GET shows the draft, POST does what its button says: recalculate, search, add, drop, discard, apply."""

    http_method_names = ["get", "post", "head", "options"]

    def get(self, request: Any, number: str) -> HttpResponse:
        order, _actor = self.order_and_actor()
        draft = drafts.open_draft(order, request.user)
        wanted, news, errors = Wanted(), [], {}
        if draft is not None:
            news = happened_since(order.fulfillment, draft.base_version)
            try:
                wanted = Wanted.from_json(draft.wanted)
            except InvalidInput as error:
                errors = error.errors
        page = EditPage.read(order, wanted, query=request.GET.get("q", ""))
        page.errors = {**errors, **page.errors}
        return self.show(page, happened=[page_words.happened(change) for change in news[:3]], draft=draft)

    def post(self, request: Any, number: str) -> HttpResponse:
        order, actor = self.order_and_actor()
        if request.POST.get("do") == "discard":
            drafts.discard_draft(order=order, actor=actor)
            messages.success(request, _("The draft is thrown away. The order is as it was."))
            return self.back()
        typed = read_typed(request.POST)
        if request.POST.get("do") == "apply" and not typed.errors:
            return self.apply(order, actor, typed)
        return self.recalculate(order, actor, typed)

    def recalculate(self, order: Any, actor: Actor, typed: Typed) -> HttpResponse:
        wanted, query = typed.wanted, typed.values.get("q", "").strip()[:100]
        if (record := typed.values.get("add", "")).isdecimal() and len(record) <= 12:
            wanted = with_added(wanted, int(record))
        if key := typed.values.get("drop", ""):
            wanted = without(wanted, key)
            typed.errors.pop(key, None)
        page = EditPage.read(order, wanted, typed, query)
        self.saved(order, actor, page, typed)
        if page.errors:
            return self.show(page, status=422)
        url = reverse("dashboard:order-edit", kwargs={"number": order.number})
        searched = typed.values.get("do") == "search" and query
        asked, fragment = (f"?{urlencode({'q': query})}", "#add") if searched else ("", "#sums")
        return HttpResponseRedirect(f"{url}{asked}{fragment}")

    def apply(self, order: Any, actor: Actor, typed: Typed) -> HttpResponse:
        try:
            change = editing.apply_edit(
                order=order, actor=actor, wanted=typed.wanted, reason=typed.reason, notify=typed.notifies,
                expected_total=typed.seen_total, expected_version=typed.version, key=typed.key,
            )  # fmt: skip
        except InvalidInput as error:
            return self.refused(order, actor, typed, status=422, errors=error.errors)
        except StaleVersion as error:
            happened = [page_words.happened(error.change)] if error.change else []
            return self.refused(order, actor, typed, happened=happened, stale=True)
        except TransitionNotAllowed as error:
            return self.refused(order, actor, typed, reasons=error.reasons)
        except FulfillmentError as error:
            return self.refused(order, actor, typed, error=str(error))
        messages.success(self.request, page_words.done(change))
        return self.back()

    def refused(
        self, order: Any, actor: Actor, typed: Typed, *, status: int = 409, errors: Mapping[str, Any] | None = None,
        **why: Any,
    ) -> HttpResponse:  # fmt: skip
        """The page as it is now, with the draft kept."""
        order, _actor = self.order_and_actor()  # as it is now, not as it was before the service looked
        page = EditPage.read(order, typed.wanted, typed)
        page.errors = {**(errors or {}), **page.errors}
        self.saved(order, actor, page, typed)
        return self.show(page, status=status, **why)

    def show(self, page: EditPage, *, status: int = 200, **extra: Any) -> HttpResponse:
        order, typed = page.order, page.typed
        refusal = edit_rules.refusal(order.fulfillment)
        context = {
            "page": page,
            "order": order,
            "fulfillment": order.fulfillment,
            "refusal": refusal,
            "others": drafts.others_drafts(order, self.request.user),
            "key": new_key(),
            "reason_text": typed.reason if typed else "",
            "notifies": typed.notifies if typed else True,
            **extra,
        }
        return render(self.request, PAGE, context, status=status)


@method_decorator(never_cache, name="dispatch")
class EditPriceView(_EditBase):
    """What a draft comes to, as JSON: sums as text for programs, and the summary as the page shows it.

    POST takes the fields of the page, keeps them as the draft, and answers 200 also for what cannot be applied.
    """

    http_method_names = ["post", "options"]

    def post(self, request: Any, number: str) -> HttpResponse:
        order, actor = self.order_and_actor()
        typed = read_typed(request.POST)
        page = EditPage.read(order, typed.wanted, typed)
        if not typed.errors:
            self.saved(order, actor, page, typed)
        news = happened_since(order.fulfillment, typed.version)
        happened = [page_words.happened(change) for change in news[:3]]
        context = {"page": page, "order": order, "fulfillment": order.fulfillment, "moved": happened}
        return JsonResponse(
            {
                **sums(page),
                "currency": order.currency,
                "can_apply": page.can_apply,
                "errors": {name: [str(message) for message in found] for name, found in page.errors.items()},
                "reasons": [r.code for r in page.looked.reasons] if page.looked else [],
                "lines": {row.key: self.line(row, order.currency) for row in page.rows},
                "happened": happened,
                "summary": render_to_string(SUMMARY, context, request),
            }
        )

    @staticmethod
    def line(row: Any, code: str) -> dict[str, Any]:
        return {
            "sum": "" if row.total is None else str(currency(row.total, code)),
            "full": str(currency(row.full, code)) if row.full is not None and row.full != row.total else "",
            "missing": row.missing,
            "missing_text": row.missing_text,
            "gone": row.is_gone,
            "changed": row.is_changed,
        }
