"""The order page and its forms. Each view: find the order, one form, one service, a message, back to the page."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.generic import View
from oscar.apps.dashboard.orders.views import OrderDetailView as OscarOrderDetailView

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.flows import RECORDS
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.order_page import OrderPage, changes_since, find_order, fulfillment_of
from oscar_fulfillment.services import notes, oscar_bridge

from . import page_words
from .page_forms import StepForm, form_class
from .page_steps import PageSteps, hold_refusal, page_steps

PAGE = "oscar_fulfillment/orders/page.html"


def order_or_404(user: Any, number: str) -> Any:
    """The order, or 404 for one that does not exist or that this user may not see."""
    if len(number) > 128 or "\x00" in number:
        raise Http404
    try:
        return find_order(user, number)
    except ObjectDoesNotExist:
        raise Http404 from None


def page_or_404(request: Any, number: str) -> OrderPage:
    """The page of an order that has its fulfillment row."""
    order = order_or_404(request.user, number)
    if fulfillment_of(order) is None:
        raise Http404
    return OrderPage(order, all_history=request.GET.get("history") == "all")


def page_context(request: Any, page: OrderPage, **extra: Any) -> dict[str, Any]:
    """What ``orders/page.html`` needs."""
    user = request.user
    steps = page_steps(page, user)
    return {
        "page": page,
        "order": page.order,
        "fulfillment": page.fulfillment,
        "steps": steps,
        "hold_refusal": hold_refusal(page, user),
        "may_hold": user_may(user, "place_hold"),
        "may_note": user_may(user, "add_note"),
        "may_print": user_may(user, "print"),
        "may_send_again": user_may(user, "manage_messages"),
        "may_change_tracking": user_may(user, "change_tracking"),
        "note_form_inline": form_class("note")(
            page, action="note", label=RECORDS["note", "add_note"], auto_id="note_%s"
        ),
        "print_key": new_key(),
        "poll_seconds": 5,
        **extra,
    }


class FulfillmentOrderDetailMixin:
    """For Oscar's ``OrderDetailView``: our page for orders with a fulfillment row, Oscar's for those before it.

    Forms of Oscar's page (and of plugins) still post here; what means one of our steps needs that step's permission.
    """

    template_name = PAGE
    #: Shown with Oscar's own tabs: an order without fulfillment row, a note being edited, "all of Oscar's records".
    plain_template_name = "oscar_fulfillment/orders/page_plain.html"
    plain = False

    def get_object(self, queryset: Any = None) -> Any:
        return order_or_404(self.request.user, self.kwargs["number"])  # type: ignore[attr-defined]

    @property
    def is_plain(self) -> bool:
        return self.plain or "note_id" in self.kwargs or fulfillment_of(self.object) is None  # type: ignore[attr-defined]

    def get_template_names(self) -> list[str]:
        return [self.plain_template_name if self.is_plain or self.request.method == "POST" else self.template_name]  # type: ignore[attr-defined]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if "note_id" in self.kwargs:  # type: ignore[attr-defined]
            kwargs.setdefault("active_tab", "notes")
        context = super().get_context_data(**kwargs)  # type: ignore[misc]
        context["fulfillment"] = fulfillment_of(self.object)  # type: ignore[attr-defined]
        if not self.is_plain and self.request.method != "POST":  # type: ignore[attr-defined]
            everything = self.request.GET.get("history") == "all"  # type: ignore[attr-defined]
            context |= page_context(self.request, OrderPage(self.object, all_history=everything))  # type: ignore[attr-defined]
        return context

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.object = self.get_object()
        if fulfillment_of(order) is not None:
            self._check_permission(request)
        try:
            return super().post(request, *args, **kwargs)  # type: ignore[misc]
        except FulfillmentError as error:
            return self.reload_page(error=str(error))  # type: ignore[attr-defined]

    def _check_permission(self, request: Any) -> None:
        """Oscar asks for the sight of an order only; our steps ask for more."""
        done = request.POST.get("order_action") or request.POST.get("line_action") or ""
        wanted = ""
        if done == "change_order_status":
            key = oscar_bridge.projected_key((request.POST.get("new_status") or "").strip())
            steps = {"in_process": "release", "sent": "dispatch", "completed": "deliver", "cancelled": "cancel"}
            wanted = steps.get(key, "")
        elif done == "create_shipping_event":
            name = (request.POST.get("shipping_event_type") or "").casefold()
            wanted = oscar_bridge.SHIPPING_EVENTS.get(name, "")
        elif done in ("create_payment_event", "create_order_payment_event"):
            wanted = "approve_payment"
        elif done in ("save_note", "delete_note") and not request.user.has_perm("order.change_order"):
            wanted = "add_note"
        if wanted and not user_may(request.user, wanted):
            raise PermissionDenied(_("You do not have the permission for this step."))


class OrderDetailView(FulfillmentOrderDetailMixin, OscarOrderDetailView):
    """Oscar's order page, with the two statuses and their steps."""


class _OrderView(View):
    """Common to the views of one order."""

    def message(self, text: str) -> HttpResponseRedirect:
        messages.success(self.request, text)
        return self.back()

    def back(self, fragment: str = "") -> HttpResponseRedirect:
        return HttpResponseRedirect(order_url(self.kwargs["number"], fragment))


def order_url(number: str, fragment: str = "") -> str:
    url = reverse("dashboard:order-detail", kwargs={"number": number})
    return f"{url}#{fragment}" if fragment else url


@method_decorator([csrf_exempt, never_cache], name="dispatch")
class StepView(_OrderView):
    """The form of a step. GET shows it in the page (or alone with ``?panel=1``), POST takes the step.

    ``action`` is in the URL for the flow's steps; records beside the flow (holds, notes ...) set it in ``as_view``.
    """

    action = ""
    #: Form of an action that is no transition, with the key of its words in ``flows.RECORDS``.
    RECORD_FORMS = {
        "place_hold": ("place_hold", ("hold", "place_hold")),
        "release_hold": ("release_hold", ("hold", "release_hold")),
        "resolve_problem": ("resolve_problem", ("problem", "resolve_problem")),
        "change_tracking": ("change_tracking", ("shipment", "change_tracking")),
        "add_note": ("note", ("note", "add_note")),
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
        known = changes_since(page.fulfillment, int(seen)) if seen.isdecimal() and len(seen) < 10 else []
        return self._show(page, form, steps, happened=[page_words.happened(change) for change in known[:3]])

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        page, steps = self._read()
        form = self._form(page, steps, data=request.POST)
        if not form.is_valid():
            return self._show(page, self._form(page, steps, data=request.POST, fresh=True), steps, status=422,
                              broken=form.is_broken)  # fmt: skip
        self._demand(*form.permissions())
        try:
            change = form.run(Actor.from_user(request.user))
        except InvalidInput as error:
            again = self._form(page, steps, data=request.POST, fresh=True)
            again.is_valid()
            again.take_errors(error)
            return self._show(page, again, steps, status=422)
        except StaleVersion as error:
            return self._refused(happened=[page_words.happened(error.change)] if error.change else [], stale=True)
        except TransitionNotAllowed as error:
            return self._refused(reasons=error.reasons)
        except FulfillmentError as error:
            return self._refused(error=str(error))
        return self.message(page_words.done(change))

    def _read(self) -> tuple[OrderPage, PageSteps]:
        page = page_or_404(self.request, self.kwargs["number"])
        return page, page_steps(page, self.request.user)

    @property
    def name(self) -> str:
        return self.action or self.kwargs["action"]

    def _demand(self, *actions: str) -> None:
        for action in actions:
            if not user_may(self.request.user, action):
                raise PermissionDenied(_("You do not have the permission for this step."))

    def _form(self, page: OrderPage, steps: PageSteps, **given: Any) -> StepForm:
        """The form of this step; 404 for a step the order's flow does not have, 403 without the permission."""
        options = {
            k: str(v) for k, v in {**self.request.GET.dict(), **self.kwargs}.items() if k in ("shipment", "hold")
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
            (form, words), machine, override = self.RECORD_FORMS[self.action], "", False
            label = RECORDS[words]
        else:
            raise Http404
        self._demand(self.name)
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
        step = None if self.action else steps.by_name.get(self.name)
        refused = list(step.reasons) if step is not None and not step.allowed and not step.override else []
        if self.action == "place_hold" and (refusal := hold_refusal(page, self.request.user)):
            refused = [refusal]
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


@method_decorator(never_cache, name="dispatch")
class HistoryView(_OrderView):
    """The history panel alone. ``?after=<version>``: 204 while nothing is new, else what happened and the panel."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: Any, number: str) -> HttpResponse:
        order = order_or_404(request.user, number)
        fulfillment = fulfillment_of(order)
        if fulfillment is None:
            raise Http404
        after = request.GET.get("after", "")
        after = int(after) if after.isdecimal() and len(after) < 10 else None
        if after is not None and after >= fulfillment.version:
            return HttpResponse(status=204)
        news = changes_since(fulfillment, after) if after is not None else []
        page = OrderPage(order, all_history=request.GET.get("history") == "all")
        context = {"page": page, "order": order, "fulfillment": fulfillment,
                   "news": " ".join(page_words.happened(change) for change in news[:3])}  # fmt: skip
        return render(request, "oscar_fulfillment/orders/includes/history.html", context)


class PrintView(_OrderView):
    """The order on paper. GET shows it; POST notes in the history that it was printed, and shows it."""

    http_method_names = ["get", "post", "head", "options"]

    def get(self, request: Any, number: str) -> HttpResponse:
        if not user_may(request.user, "print"):
            raise PermissionDenied(_("You do not have the permission for this step."))
        page = page_or_404(request, number)
        return render(request, "oscar_fulfillment/orders/print.html", {"page": page, "order": page.order,
                      "fulfillment": page.fulfillment})  # fmt: skip

    def post(self, request: Any, number: str) -> HttpResponse:
        if not user_may(request.user, "print"):
            raise PermissionDenied(_("You do not have the permission for this step."))
        page = page_or_404(request, number)
        key = request.POST.get("key", "")
        notes.record_print(
            order=page.order, actor=Actor.from_user(request.user), document=_("Packing slip"),
            key=key if 8 <= len(key) <= 100 and key.isalnum() else new_key(),
        )  # fmt: skip
        return HttpResponseRedirect(reverse("dashboard:order-print", kwargs={"number": number}))


class MessageAgainView(_OrderView):
    """Send an outgoing message of this order again."""

    http_method_names = ["post", "options"]

    def post(self, request: Any, number: str, message: int) -> HttpResponse:
        order = order_or_404(request.user, number)
        if not user_may(request.user, "manage_messages"):
            raise PermissionDenied(_("You do not have the permission for this step."))
        row = order.outbound_messages.filter(pk=message).first()
        if row is None:
            raise Http404
        if outbox.send_again(row):
            messages.success(request, _("The message will be sent again."))
        else:
            messages.info(request, _("This message does not wait for anybody: it is sent, or about to be."))
        return self.back("messages")
