"""What the pages of the scan desk share: who may use them, and the answer to a scan, with a script or without."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import View

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import Shipment
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.scan_desk import Found, nothing_waits, shipment_refusal

from .scan_urls import MODES

TITLES: dict[str, Any] = {
    "pack": pgettext_lazy("mode of the scan desk", "Pack"),
    "dispatch": pgettext_lazy("mode of the scan desk", "Dispatch"),
    "returns": pgettext_lazy("mode of the scan desk", "Returns"),
    "pickup": pgettext_lazy("mode of the scan desk", "Pick-up"),
}
UNKNOWN = gettext_lazy("“%(code)s” is no slip, order number or tracking code of this shop.")


@dataclass
class Answer:
    """What the desk says to a scan. ``go`` is the page to be shown next; ``then`` an address that is posted to at once,
    by the script; ``leave``: the page is not of the desk."""

    ok: bool
    say: str
    go: str = ""
    then: str = ""
    leave: bool = False
    data: dict[str, Any] = field(default_factory=dict)


class NotNow(Exception):
    """Ends a request with this answer."""

    def __init__(self, answer: Answer):
        self.answer = answer
        super().__init__(answer.say)


@method_decorator(never_cache, name="dispatch")
class ScanView(View):
    """A page of the desk for staff who may do what its mode does; others get 403, whatever the URL's own rule says."""

    mode = "pack"
    needs = "pack"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        user: Any = request.user
        if not (user.is_staff and user_may(user, self.needs)):
            raise PermissionDenied(_("You do not have the permission for this step."))
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer = self.take(**kwargs)
        except NotNow as stop:
            answer = stop.answer
        except FulfillmentError as error:
            answer = Answer(False, words(error), self.on_refusal(error, **kwargs))
        return self.reply(answer)

    def take(self, *args: Any, **kwargs: Any) -> Answer:
        """Do what was asked. What is refused is raised."""
        raise NotImplementedError

    def on_refusal(self, error: FulfillmentError, **kwargs: Any) -> str:
        """The page to show after a refusal; "" for the one that is open."""
        return ""

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    @property
    def text(self) -> str:
        return self.request.POST.get("text", "")[:500]

    @property
    def by_script(self) -> bool:
        return self.request.headers.get("X-Requested-With") == "fetch"

    def reply(self, answer: Answer) -> HttpResponse:
        if self.by_script:
            return JsonResponse(
                {
                    "ok": answer.ok, "say": answer.say, "go": answer.go, "then": answer.then, "leave": answer.leave,
                    **answer.data,
                }
            )  # fmt: skip
        (messages.success if answer.ok else messages.error)(self.request, answer.say)
        return HttpResponseRedirect(answer.go or self.request.get_full_path())

    def show(self, template: str, **context: Any) -> HttpResponse:
        user: Any = self.request.user
        tabs = [(mode, TITLES[mode], reverse(f"dashboard:{name}")) for mode, (name, need) in MODES.items()
                if user_may(user, need)]  # fmt: skip
        context = {"mode": self.mode, "mode_title": TITLES[self.mode], "tabs": tabs, "key": new_key(), **context}
        return TemplateResponse(self.request, f"oscar_fulfillment/scan/{template}", context)


def words(error: FulfillmentError) -> str:
    """A refusal as it is said aloud."""
    if isinstance(error, InvalidInput):
        return " ".join(str(message) for found in error.errors.values() for message in found)
    if isinstance(error, TransitionNotAllowed):
        return " ".join(str(reason.message) for reason in error.reasons)
    return str(error)


def refused(found: Found, text: str) -> Answer:
    """Why a text leads to no goods that wait."""
    if found.meant is not None and not found.shipments:
        return Answer(False, str(shipment_refusal(found.meant.status).message))
    if found.order is not None:
        return Answer(False, str(nothing_waits(found.order).message))
    return Answer(False, UNKNOWN % {"code": shown(text)})


def shown(text: str) -> str:
    """What was scanned, as far as it can be shown."""
    return "".join(c for c in text.strip() if c.isprintable())[:40]


def choices(order_id: int, number: str) -> list[tuple[Shipment, str]]:
    """The shipments of an order that wait, each with the code of its slip: one must be chosen."""
    rows = Shipment._default_manager.filter(fulfillment=order_id, status="pending").order_by("number")
    return [(row, scan_codes.shipment_code(row.pk)) for row in rows.prefetch_related("lines__line")]


def number_of(text: str, most: int = 9) -> int | None:
    """A whole number that was typed, None for anything else."""
    typed = text.strip()
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= most else None
