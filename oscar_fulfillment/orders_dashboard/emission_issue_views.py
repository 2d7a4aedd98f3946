"""What a note would say, with what is missing; issuing it, and mending one that was rejected."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from oscar.templatetags.currency_filters import currency as in_currency

from oscar_fulfillment.core.exceptions import ConfigurationError, FulfillmentError, InvalidInput, StaleVersion
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.models import NfeEmission
from oscar_fulfillment.selectors.note_buyer import read_buyer
from oscar_fulfillment.selectors.note_content import NoteContent, line_total, read_content
from oscar_fulfillment.selectors.order_page import fulfillment_of
from oscar_fulfillment.services import emission_issue

from . import emission_words as words
from .emission_forms import BuyerForm
from .emission_views import EmissionPage
from .money_pages import flat
from .page_reading import order_or_404, order_url


@method_decorator(never_cache, name="dispatch")
class IssueView(EmissionPage):
    """The note of everything of an order that waits for one: a look at it, the buyer to be corrected, the button."""

    def get(self, request: HttpRequest, number: str, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.order_or_404(number)
        content = read_content(order)
        return self.show(order, content, BuyerForm(buyer=content.buyer or read_buyer(order)))

    def post(self, request: HttpRequest, number: str, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.order_or_404(number)
        form = BuyerForm(request.POST, buyer=read_buyer(order))
        if not form.is_valid():
            return self.show(order, read_content(order), form, status=422)
        said = form.corrections()
        if "check" in request.POST:
            return self.show(order, read_content(order, corrections=said), form)
        try:
            emission = emission_issue.issue_note(
                order=order, actor=self.actor, corrections=said, key=_key(request), expected_version=_version(request)
            )
        except StaleVersion:
            errors = [_("Somebody has changed this order in the meantime. Look at it again, then issue the note.")]
            return self.show(order, read_content(order, corrections=said), form, status=409, errors=errors)
        except InvalidInput:
            # What is missing is listed with its remedies.
            return self.show(order, read_content(order, corrections=said), form, status=422)
        except FulfillmentError as error:
            return self.show(order, read_content(order, corrections=said), form, status=409, errors=[str(error)])
        messages.success(request, _("The note has its number and is on its way to the tax office."))
        return redirect("dashboard:order-emission", pk=emission.pk)

    def order_or_404(self, number: str) -> Any:
        order = order_or_404(self.request.user, number)
        if fulfillment_of(order) is None or not emission_issue.may_issue(order):
            raise Http404
        return order

    def show(
        self, order: Any, content: NoteContent, form: BuyerForm, *, status: int = 200, errors: Any = (),
        emission: NfeEmission | None = None,
    ) -> HttpResponse:  # fmt: skip
        trouble = [] if content.gaps or content.issuing is None else emission_issue.trial_problems(content)
        context = {
            "order": order,
            "fulfillment": order.fulfillment,
            "emission": emission,
            "told": words.tell(emission) if emission is not None else None,
            "content": content,
            "issuing": content.issuing,
            "rows": [{**row, "total": in_currency(line_total(row), "BRL")} for row in content.lines],
            "total": in_currency(content.total, "BRL"),
            "gaps": [words.gap_row(gap, order, self.request.user) for gap in content.gaps],
            "trouble": trouble,
            "is_ready": not content.gaps and not trouble,
            "form": form,
            "errors": list(errors),
            "key": new_key(),
            "version": content.version,
        }
        return TemplateResponse(self.request, "oscar_fulfillment/fiscal/issue.html", context, status=status)


class MendView(IssueView):
    """The same for a rejected note: reckoned anew from the order and the profiles as they are now."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        emission = self.rejected_or_404(pk)
        order = emission.fulfillment.order
        said = emission.content.get("corrections", {})
        content = read_content(order, corrections=said, emission=emission)
        return self.show(order, content, BuyerForm(buyer=content.buyer or read_buyer(order, said)), emission=emission)

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        emission = self.rejected_or_404(pk)
        order = emission.fulfillment.order
        form = BuyerForm(request.POST, buyer=read_buyer(order))
        said = form.corrections() if form.is_valid() else {}
        content = read_content(order, corrections=said, emission=emission)
        if not form.is_valid() or "check" in request.POST:
            return self.show(order, content, form, emission=emission, status=200 if form.is_valid() else 422)
        try:
            emission_issue.mend_note(
                emission=emission, actor=self.actor, corrections=said, key=_key(request),
                expected_version=_version(request),
            )  # fmt: skip
        except StaleVersion:
            errors = [_("Somebody has changed this order in the meantime. Look at it again, then issue the note.")]
            return self.show(order, content, form, status=409, errors=errors, emission=emission)
        except InvalidInput as error:
            errors = [] if content.gaps else flat(error)
            return self.show(order, content, form, status=422, errors=errors, emission=emission)
        except (FulfillmentError, ConfigurationError) as error:
            return self.show(order, content, form, status=409, errors=[str(error)], emission=emission)
        messages.success(request, _("The note is on its way to the tax office again, under its number."))
        return redirect("dashboard:order-emission", pk=emission.pk)

    def rejected_or_404(self, pk: int) -> NfeEmission:
        emission = self.note_or_404(pk)
        if emission.status != NfeEmission.REJECTED:
            raise Http404
        return emission


def _key(request: HttpRequest) -> str:
    key = request.POST.get("key", "")
    return key if 8 <= len(key) <= 100 and key.isalnum() else new_key()


def _version(request: HttpRequest) -> int | None:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def back_to_order(number: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(order_url(number, "emissions"))
