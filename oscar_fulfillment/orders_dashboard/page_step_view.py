"""The form of a step: find the order, one form, one service, a message, back to the page."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.flows import RECORDS
from oscar_fulfillment.selectors.order_page import OrderPage
from oscar_fulfillment.services.editing import revert_refusal

from . import page_words
from .money_actions import MONEY_ACTIONS
from .page_forms import StepForm, form_class
from .page_reading import PAGE, OrderView, demand, happened_since, order_url, page_context, page_or_404
from .page_steps import PageSteps, hold_refusal, page_steps


# A provider is asked after the step is committed: no transaction of the request may be around both.
@method_decorator([csrf_exempt, never_cache, transaction.non_atomic_requests], name="dispatch")
class StepView(OrderView):
    """The form of a step. GET shows it in the page (or alone with ``?panel=1``), POST takes the step.

    ``action`` is in the URL for the flow's steps; records beside the flow (holds, notes ...) set it in ``as_view``.
    """

    action = ""
    #: Form of an action that is no transition, with what it is called.
    RECORD_FORMS = {
        "place_hold": ("place_hold", RECORDS["hold", "place_hold"]),
        "release_hold": ("release_hold", RECORDS["hold", "release_hold"]),
        "resolve_problem": ("resolve_problem", RECORDS["problem", "resolve_problem"]),
        "revert_edit": ("revert_edit", RECORDS["edit", "revert_edit"]),
        "change_tracking": ("change_tracking", RECORDS["shipment", "change_tracking"]),
        "change_parcels": ("change_parcels", RECORDS["shipment", "change_parcels"]),
        "split_shipment": ("split_shipment", _("Split the shipment")),
        "merge_shipments": ("merge_shipments", _("Merge shipments")),
        "order_carriage": ("order_carriage", _("Order at the carrier")),
        "cancel_carriage": ("cancel_carriage", _("Cancel at the carrier")),
        "ready_for_pickup": ("ready_for_pickup", RECORDS["shipment", "ready_for_pickup"]),
        "add_note": ("note", RECORDS["note", "add_note"]),
        **{action: (action, label) for action, label in MONEY_ACTIONS.items() if action != "refund_payment"},
        "refund_payment": ("refund", MONEY_ACTIONS["refund_payment"]),
    }

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # Asked before anything reads the body, so that a field of megabytes gets an answer a person understands.
        # That is why the CSRF check, which reads it, is made here and not by the middleware.
        limit = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        length = request.META.get("CONTENT_LENGTH") or "0"
        if limit is not None and length.isdecimal() and int(length) > limit:
            context = {"back": order_url(kwargs["number"])}
            return render(request, "oscar_fulfillment/orders/too_large.html", context, status=413)
        return csrf_protect(super().dispatch)(request, *args, **kwargs)

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        page, steps = self._read()
        form = self._form(page, steps)
        seen = request.GET.get("seen", "")
        known = happened_since(page.fulfillment, int(seen)) if seen.isdecimal() and len(seen) < 10 else []
        return self._show(page, form, steps, happened=[page_words.happened(change) for change in known[:3]])

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        page, steps = self._read(lazy=True)
        form = self._form(page, steps, data=request.POST)
        if form.asks_for_more():
            again = self._form(page, steps, data=request.POST, fresh=True)
            again.forgive()
            return self._show(page, again, self._all_steps(page))
        if not form.is_valid():
            again = self._form(page, steps, data=request.POST, fresh=True)
            return self._show(page, again, self._all_steps(page), status=422, broken=form.is_broken)
        demand(self.request.user, *form.permissions())
        try:
            change = form.run(Actor.from_user(request.user))
        except InvalidInput as error:
            again = self._form(page, steps, data=request.POST, fresh=True)
            again.is_valid()
            again.take_errors(error)
            return self._show(page, again, self._all_steps(page), status=422)
        except StaleVersion as error:
            return self._refused(happened=[page_words.happened(error.change)] if error.change else [], stale=True)
        except TransitionNotAllowed as error:
            return self._refused(reasons=error.reasons)
        except FulfillmentError as error:
            return self._refused(error=str(error))
        for level, text in form.follow_through(change) or [(messages.SUCCESS, page_words.done(change))]:
            messages.add_message(request, level, text)
        return self.back()

    def _read(self, *, lazy: bool = False) -> tuple[OrderPage, PageSteps]:
        """The page and its steps; ``lazy``: the one step that is to be taken, and no more of the page than it needs."""
        page = page_or_404(self.request, self.kwargs["number"], lazy=lazy)
        if lazy:
            return page, page_steps(page, self.request.user, only=self.name)
        return page, self._all_steps(page)

    def _all_steps(self, page: OrderPage) -> PageSteps:
        return page_steps(page, self.request.user)

    @property
    def name(self) -> str:
        return self.action or self.kwargs["action"]

    def _form(self, page: OrderPage, steps: PageSteps, **given: Any) -> StepForm:
        """The form of this step; 404 for a step the order's flow does not have, 403 without the permission."""
        options = {
            k: str(v)
            for k, v in {**self.request.GET.dict(), **self.kwargs}.items()
            if k in ("shipment", "hold", "payment", "parcel", "carriage")
        }
        step = steps.by_name.get(self.name)
        if not self.action and step is not None:
            form, label, machine = step.action.form, step.label, step.action.machine
            override = step.override or (
                page.fulfillment.payment_method is not None
                and page.fulfillment.payment_method.is_run_by_provider
                and "override_provider" in self.request.POST
            )
        elif self.action in self.RECORD_FORMS:
            (form, label), machine, override = self.RECORD_FORMS[self.action], "", False
        else:
            raise Http404
        demand(self.request.user, self.name)
        return form_class(form)(
            page, action=self.name, machine=machine, label=label, override=override, options=options, **given
        )

    def _refused(self, **why: Any) -> HttpResponse:
        """409: what the order looks like now, why not, and what was typed."""
        page, steps = self._read()  # as it is now, not as it was before the service looked
        form = self._form(page, steps, data=self.request.POST, fresh=True)
        return self._show(page, form, steps, status=409, **why)

    def _show(
        self, page: OrderPage, form: StepForm, steps: PageSteps, *, status: int = 200, reasons: Any = (), **why: Any
    ) -> HttpResponse:
        page.load()
        step = None if self.action else steps.by_name.get(self.name)
        refused = list(step.reasons) if step is not None and not step.allowed and not step.override else []
        if self.action == "place_hold" and (refusal := hold_refusal(page, self.request.user)):
            refused = [refusal]
        if self.action == "revert_edit" and (refusal := revert_refusal(page.fulfillment)):
            refused = [refusal]
        refused = refused or form.refusals()
        shown = {reason.code for reason in refused}
        panel = {
            "form": form,
            "label": form.label,
            "possible": not refused,
            "refused": refused,
            "reasons": [reason for reason in reasons if reason.code not in shown],
            "action_url": self.request.get_full_path().replace("panel=1", "").rstrip("?&"),
            **why,
        }
        if self.request.method == "GET" and "panel" in self.request.GET:
            context = {"panel": panel, "page": page, "order": page.order, "fulfillment": page.fulfillment}
            return render(self.request, "oscar_fulfillment/orders/includes/panel.html", context, status=status)
        return render(self.request, PAGE, page_context(self.request, page, panel=panel), status=status)
