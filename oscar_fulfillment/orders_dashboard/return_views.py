"""Returns in the dashboard: the page of one with the forms of its steps, a new one for an order, the slip."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import View

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import (
    ConfigurationError,
    FulfillmentError,
    InvalidInput,
    StaleVersion,
    TransitionNotAllowed,
)
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.models import Return
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors import returns as reads
from oscar_fulfillment.selectors.order_page import OrderPage, find_order
from oscar_fulfillment.selectors.return_money import credit_note_of
from oscar_fulfillment.selectors.return_units import worth_of
from oscar_fulfillment.services import return_slips

from . import page_words
from .document_views import pdf_response
from .page_reading import order_or_404, page_or_404
from .return_forms import NewReturnForm, ReturnForm
from .return_forms_outcome import LABELS, STEPS

logger = logging.getLogger("oscar_fulfillment.documents")

_LARGEST_ID = 2**63 - 1


@method_decorator(never_cache, name="dispatch")
class ReturnsOnly(View):
    """Only for those who work returns; partner users see those of their orders."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        demand_returns(request.user)
        return super().dispatch(request, *args, **kwargs)


def demand_returns(user: Any) -> None:
    """403 for who does not work returns."""
    if not user_may(user, "work_returns"):
        raise PermissionDenied(_("You do not have the permission for this step."))


def return_or_404(user: Any, pk: int) -> Return:
    """The return, or 404 for one that is not there for this person."""
    found = reads.returns_for_user(user).filter(pk=pk).first() if pk <= _LARGEST_ID else None
    if found is None:
        raise Http404
    return found


class ReturnView(ReturnsOnly):
    """One return: its lines, what can be done with it, its money, what happened."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.show(*self.read(request, pk))

    def read(self, request: HttpRequest, pk: int) -> tuple[Return, OrderPage]:
        ret = return_or_404(request.user, pk)
        page = OrderPage(order_or_404(request.user, ret.fulfillment.number, find_order), lazy=True)
        ret.fulfillment = page.fulfillment
        return ret, page

    def show(
        self, ret: Return, page: OrderPage, *, bound: ReturnForm | None = None, step: str = "", status: int = 200,
        **why: Any,
    ) -> HttpResponse:  # fmt: skip
        """The page with the forms of the steps that are possible now; ``bound`` in the place of its own."""
        steps = []
        for name, (form_class, statuses) in STEPS.items():
            if ret.status not in statuses:
                continue
            form = bound if name == step and bound is not None else make_form(form_class, page, ret, name)
            steps.append({"name": name, "label": LABELS[name], "form": form, "refused": form.refusals(),
                          "url": reverse(f"dashboard:order-return-{name}", kwargs={"pk": ret.pk}),
                          "is_open": name == step if step else self._is_first(ret, name)})  # fmt: skip
        context = {
            "ret": ret,
            "tone": page_words.RETURN_TONES[ret.status],
            "page": page,
            "order": page.order,
            "fulfillment": page.fulfillment,
            "lines": worth_of(ret),
            "steps": steps,
            "lost": bound if bound is not None and step not in [each["name"] for each in steps] else None,
            "history": reads.history_of(ret),
            "operation": reads.refund_operation(ret),
            "credit_note": credit_note_of(ret) if ret.outcome == "refund" else "",
            "replacements": reads.replacements_of(ret),
            "has_slip": ret.status == "approved" and return_slips.has_slip(page.order),
            **why,
        }
        return TemplateResponse(self.request, "oscar_fulfillment/returns/return.html", context, status=status)

    @staticmethod
    def _is_first(ret: Return, name: str) -> bool:
        """Which form is open: the next step, of the outcomes the wanted one."""
        if ret.status == "received":
            return name == ret.wants
        return name == ("approve" if ret.status == "requested" else "receive")


def make_form(form_class: type[ReturnForm], page: OrderPage, ret: Return | None, step: str, **given: Any) -> ReturnForm:
    """A form of a return; fields of several forms on one page have names of their own for labels."""
    return form_class(page, ret, action=f"return-{step}", label=LABELS.get(step, ""), auto_id=f"{step}_%s", **given)


# A provider is asked after the step is committed: no transaction of the request may be around both.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ReturnStepView(ReturnView):
    """Take a step of a return: one form, one service, a message, back to its page."""

    http_method_names = ["post", "options"]
    step = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        ret, page = self.read(request, pk)
        form = make_form(STEPS[self.step][0], page, ret, self.step, data=request.POST)
        if not form.is_valid():
            return self.again(request, pk, form, status=422, broken=form.is_broken)
        try:
            result: Any = form.run(Actor.from_user(request.user))
        except InvalidInput as error:
            return self.again(request, pk, form, error, status=422)
        except FulfillmentError as error:
            return self.again(request, pk, form, status=409, **refused(error))
        for level, text in form.follow_through(result) or [(messages.SUCCESS, form.told(result))]:
            messages.add_message(request, level, text)
        return HttpResponseRedirect(reverse("dashboard:order-return", kwargs={"pk": pk}))

    def again(
        self, request: HttpRequest, pk: int, form: ReturnForm, error: InvalidInput | None = None, **why: Any
    ) -> HttpResponse:
        """The page as it is now, with what was typed and what is wrong with it."""
        ret, page = self.read(request, pk)
        fresh = make_form(type(form), page, ret, self.step, data=request.POST, fresh=True)
        fresh.is_valid()
        if error is not None:
            fresh.take_errors(error)
        return self.show(ret, page, bound=fresh, step=self.step, **why)


def refused(error: FulfillmentError) -> Mapping[str, Any]:
    """Why a step was not possible, for the page."""
    if isinstance(error, StaleVersion):
        return {"stale": True, "happened": [page_words.happened(error.change)] if error.change else []}
    if isinstance(error, TransitionNotAllowed):
        return {"reasons": error.reasons}
    return {"error": str(error)}


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class NewReturnView(ReturnsOnly):
    """A return that staff write down for an order."""

    http_method_names = ["get", "post", "head", "options"]

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        page = page_or_404(request, number)
        return self.show(page, make_form(NewReturnForm, page, None, "new"))

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        page = page_or_404(request, number)
        form = make_form(NewReturnForm, page, None, "new", data=request.POST)
        if not form.is_valid():
            return self.again(request, number, status=422, broken=form.is_broken)
        try:
            ret: Any = form.run(Actor.from_user(request.user))
        except InvalidInput as error:
            return self.again(request, number, error, status=422)
        except FulfillmentError as error:
            return self.again(request, number, status=409, **refused(error))
        messages.success(request, form.told(ret))
        return HttpResponseRedirect(reverse("dashboard:order-return", kwargs={"pk": ret.pk}))

    def again(self, request: HttpRequest, number: str, error: InvalidInput | None = None, **why: Any) -> HttpResponse:
        page = page_or_404(request, number)
        form = make_form(NewReturnForm, page, None, "new", data=request.POST, fresh=True)
        form.is_valid()
        if error is not None:
            form.take_errors(error)
        return self.show(page, form, **why)

    def show(self, page: OrderPage, form: ReturnForm, *, status: int = 200, **why: Any) -> HttpResponse:
        context = {"page": page, "order": page.order, "fulfillment": page.fulfillment, "form": form,
                   "refused": form.refusals(), **why}  # fmt: skip
        return TemplateResponse(self.request, "oscar_fulfillment/returns/new.html", context, status=status)


@require_safe
@never_cache
def return_slip(request: Any, pk: int) -> HttpResponse:
    """The return slip as PDF; back to the return, which says why, where it cannot be made."""
    demand_returns(request.user)
    ret = return_or_404(request.user, pk)
    try:
        return pdf_response(return_slips.pdf(ret), return_slips.filename(ret))
    except (ConfigurationError, DocumentError) as error:
        logger.warning("the slip of return %s cannot be made: %s", ret.pk, error)
        messages.error(request, _("The return slip cannot be made: %(why)s") % {"why": error})
        return HttpResponseRedirect(reverse("dashboard:order-return", kwargs={"pk": pk}))
