"""The desk's first mode: scan the slip, scan each article, scan the tracking code, next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.carriers import offered
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, TransitionNotAllowed
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import OrderFulfillment, Packing
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors import desk_page as desk
from oscar_fulfillment.selectors.scan_desk import find_goods
from oscar_fulfillment.services import packed, packing, pickup
from oscar_fulfillment.services.document_hooks import bin_of
from oscar_fulfillment.services.packing import Counted

from .scan_pages import Answer, NotNow, ScanView, choices, number_of, refused
from .scan_urls import MODES

#: "12*4006381333931": many equal units by one scan.
_MANY = re.compile(r"\s*([0-9]{1,6})\s*\*\s*(\S.*)", re.ASCII | re.DOTALL)


def desk_url() -> str:
    return reverse("dashboard:scan-desk")


def pack_url(shipment: int) -> str:
    return reverse("dashboard:scan-pack", kwargs={"shipment": shipment})


def act_url(shipment: int, act: str) -> str:
    return reverse("dashboard:scan-act", kwargs={"shipment": shipment, "act": act})


class DeskView(ScanView):
    """Waits for a slip. Whoever may not pack is led to the first mode that they may use."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        user: Any = request.user
        if request.method in ("GET", "HEAD") and user.is_staff and not user_may(user, self.needs):
            for name, need in MODES.values():
                if user_may(user, need):
                    return HttpResponseRedirect(reverse(f"dashboard:{name}"))
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        number = request.GET.get("order", "")[:128]
        order = OrderFulfillment._default_manager.filter(number=number).first() if number.isprintable() else None
        return self.show(
            "pack_start.html",
            mine=desk.packed_by(request.user),
            order=order,
            choices=choices(order.pk, order.number) if order is not None else [],
        )

    def take(self, *args: Any, **kwargs: Any) -> Answer:
        code = scan_codes.parse(self.text)
        if code is not None and code.kind == scan_codes.SHIPMENT:
            return self._open(code.pk)  # which says itself why not
        found = find_goods(self.text)
        if not found.shipments:
            return refused(found, self.text)
        if len(found.shipments) > 1:
            number = found.shipments[0].fulfillment.number
            say = _("Order %(number)s has several shipments: choose one.") % {"number": number}
            return Answer(True, say, f"{desk_url()}?order={number}")
        return self._open(found.shipments[0].pk)

    def _open(self, shipment: int) -> Answer:
        try:
            row = packing.open_packing(shipment=shipment, actor=self.actor).shipment
        except TransitionNotAllowed as error:
            if error.reasons[0].code == "packed_already":
                return Answer(True, str(error.reasons[0].message), pack_url(shipment))
            if error.reasons[0].code == "in_other_hands":
                return Answer(False, str(error.reasons[0].message), pack_url(shipment))
            raise
        told = {"number": row.fulfillment.number}
        return Answer(True, _("Order %(number)s: scan the articles.") % told, pack_url(shipment))


class PackView(ScanView):
    """A shipment on the table. POST: an article was scanned."""

    def get(self, request: HttpRequest, shipment: int) -> HttpResponse:
        page = desk.desk_page(shipment, request.user)
        if page is None:
            raise Http404
        order = page.order
        for row in page.lines:
            row.bin = bin_of(row.stockrecord)
        return self.show(
            "pack.html",
            page=page,
            order=order,
            is_collected=page.shipment.fulfillment.is_collected,
            may_print=user_may(request.user, "print"),
            may_hand_over=user_may(request.user, "hand_over"),
            needs_code=page.stage == desk.PACKED and packed.needs_code(page.shipment, page.boxes),
            carriers=offered(),
            carrier=(page.blank.carrier if page.blank is not None else "") or packed.usual_carrier(order),
        )

    def take(self, shipment: int) -> Answer:
        try:
            counted = self._count(shipment, self.text)
        except TransitionNotAllowed as error:
            if error.reasons[0].code == "wrong_article":
                self._no_article(shipment)
            raise
        return answer(self, counted, shipment)

    def _count(self, shipment: int, text: str) -> Counted:
        scan: dict[str, Any] = {
            "shipment": shipment, "actor": self.actor, "key": self.request.POST.get("scan", "")[:200],
            "take_out": self.request.POST.get("take_out") == "1",
        }  # fmt: skip
        try:
            return packing.scan_article(text=text, **scan)
        except TransitionNotAllowed as error:
            many = _MANY.fullmatch(text)
            if many is None or error.reasons[0].code != "wrong_article":
                raise
            return packing.scan_article(text=many[2], quantity=int(many[1]), **scan)

    def _no_article(self, shipment: int) -> None:
        """Say it better where the text is a slip."""
        code = scan_codes.parse(self.text)
        if code == scan_codes.ScanCode(scan_codes.SHIPMENT, shipment):
            raise NotNow(Answer(False, _("This is the slip of this shipment: scan the articles.")))
        if code is not None or find_goods(self.text).order is not None:
            message = _("This is the slip of another shipment. Finish this one first, or put it aside.")
            raise NotNow(Answer(False, message))

    def on_refusal(self, error: FulfillmentError, **kwargs: Any) -> str:
        return page_after(error, kwargs["shipment"])


def page_after(error: FulfillmentError, shipment: int) -> str:
    """After some refusals the page is not what it was: another packs, or the goods have left."""
    moved = {"in_other_hands", "not_packing", "on_hold", "cancelled", "sent_already", "delivered_already"}
    codes = {reason.code for reason in error.reasons} if isinstance(error, TransitionNotAllowed) else set()
    return pack_url(shipment) if codes & moved else ""


def answer(view: ScanView, counted: Counted, shipment: int) -> Answer:
    """What is said to a scan that counts, and what the script writes into the page."""
    line, state = counted.line, counted.state
    told = {"article": line.title, "counted": line.counted, "quantity": line.quantity}
    if counted.is_repeated:
        say = _("Counted already: %(article)s, %(counted)d of %(quantity)d.") % told
    elif counted.units < 0:
        say = _("Taken out: %(article)s, %(counted)d of %(quantity)d.") % told
    else:
        say = _("%(article)s: %(counted)d of %(quantity)d.") % told
    data = {
        "line": {"pk": line.pk, "counted": line.counted, "quantity": line.quantity, "is_complete": line.is_complete},
        "total": {"counted": state.counted, "quantity": state.quantity},
        "scan": view.request.POST.get("scan", "")[:200] if counted.units else "",
    }
    if not state.is_complete:
        return Answer(True, say, data=data)
    if view.by_script:
        # A request of its own: each stays short.
        return Answer(True, say, then=act_url(shipment, "close"), data=data)
    packed.close_packing(shipment=shipment, actor=view.actor)
    return Answer(True, f"{say} {_all_in()}", pack_url(shipment))


def _all_in() -> str:
    return _("Everything is in: packed.")


class ActView(ScanView):
    """What else is done with a shipment on the table, by a button."""

    http_method_names = ["post", "options"]

    def take(self, shipment: int, act: str) -> Answer:
        call: Callable[[int], Answer] | None = self.acts().get(act)
        if call is None:
            raise Http404
        return call(shipment)

    def on_refusal(self, error: FulfillmentError, **kwargs: Any) -> str:
        return page_after(error, kwargs["shipment"])

    def reply(self, answer: Answer) -> HttpResponse:
        answer.go = answer.go or ("" if self.by_script else pack_url(self.kwargs["shipment"]))
        return super().reply(answer)

    def acts(self) -> dict[str, Callable[[int], Answer]]:
        return {
            "begin": self.begin, "take-over": self.begin, "put-aside": self.put_aside, "undo": self.undo,
            "count": self.count, "next-box": self.next_box, "close": self.close, "in-part": self.close,
            "reopen": self.reopen, "code": self.code, "without-code": self.without_code, "ready": self.ready,
        }  # fmt: skip

    def begin(self, shipment: int) -> Answer:
        packing.open_packing(shipment=shipment, actor=self.actor, take_over=self.kwargs["act"] == "take-over")
        return Answer(True, _("Scan the articles."), pack_url(shipment))

    def put_aside(self, shipment: int) -> Answer:
        packing.put_aside(shipment=shipment, actor=self.actor)
        return Answer(True, _("Put aside. What is counted stays counted."), desk_url())

    def undo(self, shipment: int) -> Answer:
        counted = packing.undo_scan(shipment=shipment, actor=self.actor, scan=self.request.POST.get("scan", "")[:200])
        told = {"article": counted.line.title, "counted": counted.line.counted, "quantity": counted.line.quantity}
        return Answer(True, _("Taken back: %(article)s, %(counted)d of %(quantity)d.") % told, pack_url(shipment))

    def count(self, shipment: int) -> Answer:
        line, quantity = (number_of(self.request.POST.get(name, "")) for name in ("line", "quantity"))
        if line is None or not quantity:
            raise InvalidInput({"quantity": [_("Type how many, at least one.")]})
        units = -quantity if self.request.POST.get("take_out") == "1" else quantity
        counted = packing.count_line(
            shipment=shipment, actor=self.actor, line=line, quantity=units,
            key=self.request.POST.get("scan", "")[:200],
        )  # fmt: skip
        found = answer(self, counted, shipment)
        found.go = found.go or ("" if found.then else pack_url(shipment))
        return found

    def next_box(self, shipment: int) -> Answer:
        box = number_of(self.request.POST.get("box", "")) or 0
        row: Packing = packing.next_box(shipment=shipment, actor=self.actor, box=box, weight=self.weight)
        return Answer(True, _("Box %(number)d is open.") % {"number": row.box.number}, pack_url(shipment))

    def close(self, shipment: int) -> Answer:
        in_part = self.kwargs["act"] == "in-part"
        change = packed.close_packing(shipment=shipment, actor=self.actor, weight=self.weight, in_part=in_part)
        if missing := change.data.get("missing"):
            say = ngettext(
                "Packed in part: %(count)d unit stays behind in a shipment of its own.",
                "Packed in part: %(count)d units stay behind in a shipment of their own.",
                missing,
            )
            return Answer(True, say % {"count": missing}, pack_url(shipment))
        return Answer(True, _all_in(), pack_url(shipment))

    def reopen(self, shipment: int) -> Answer:
        packing.reopen_packing(shipment=shipment, actor=self.actor)
        return Answer(True, _("The box is open again."), pack_url(shipment))

    def code(self, shipment: int) -> Answer:
        demand_dispatch(self)
        posted = self.request.POST
        leaving = packed.dispatch_by_code(
            shipment=shipment, actor=self.actor, text=self.text, carrier=posted.get("carrier", "")[:64],
            box=number_of(posted.get("box", "")), weight=self.weight,
        )  # fmt: skip
        return left(leaving, pack_url(shipment), desk_url())

    def without_code(self, shipment: int) -> Answer:
        demand_dispatch(self)
        carrier = self.request.POST.get("carrier", "")[:64]
        leaving = packed.dispatch_as_it_is(shipment=shipment, actor=self.actor, carrier=carrier)
        return left(leaving, pack_url(shipment), desk_url())

    def ready(self, shipment: int) -> Answer:
        page = desk.desk_page(shipment, self.request.user)
        if page is None:
            raise Http404
        pickup.ready_for_pickup(order=page.order, actor=self.actor, shipment=shipment)
        number = page.shipment.fulfillment.number
        return Answer(True, _("Order %(number)s is ready: the customer gets the code by mail.") % {"number": number},
                      desk_url())  # fmt: skip

    @property
    def weight(self) -> int | None:
        typed = self.request.POST.get("weight", "").strip()
        if not typed:
            return None
        found = number_of(typed)
        if found is None:
            raise InvalidInput({"weight": [_("Type the weight in grams, in digits.")]})
        return found


def demand_dispatch(view: ScanView) -> None:
    """Packing and dispatching need the same permission now; a shop may part them."""
    if not user_may(view.request.user, "dispatch"):
        raise InvalidInput({"text": [_("You do not have the permission for this step.")]})


def left(leaving: packed.Leaving, here: str, there: str) -> Answer:
    """What is said once a code is taken: the next box, or that the goods are on their way."""
    number = leaving.shipment.fulfillment.number
    if leaving.blank is not None:
        say = _("Scan the tracking code of box %(box)d.") % {"box": leaving.blank.number}
        return Answer(True, say, here)
    codes = leaving.change.data.get("tracking_code", "") if leaving.change is not None else ""
    if codes:
        return Answer(True, _("Order %(number)s is sent: %(codes)s.") % {"number": number, "codes": codes}, there)
    return Answer(True, _("Order %(number)s is sent.") % {"number": number}, there)
