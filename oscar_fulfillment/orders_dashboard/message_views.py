"""Messages that wait for a person: what came in and could not be processed, what could not be sent."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.generic import View

from oscar_fulfillment.core import inbox, outbox
from oscar_fulfillment.models.webhook import LANE
from oscar_fulfillment.selectors import messages as selectors

from .page_reading import demand

PAGE_SIZE = 25
#: The most messages that one click puts back to the beginning.
AT_ONCE = 500
_LONGEST = 200


@method_decorator(never_cache, name="dispatch")
class _MessagesView(View):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request.user, "manage_messages")
        return super().dispatch(request, *args, **kwargs)


class MessagesView(_MessagesView):
    """``?way=in`` (what came) or ``out`` (what goes), ``&lane=`` one source or destination."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        counts = {way: selectors.lanes(way) for way in (selectors.IN, selectors.OUT)}
        way = request.GET.get("way", "")
        if way not in counts:
            way = selectors.OUT if counts[selectors.OUT] and not counts[selectors.IN] else selectors.IN
        lane = request.GET.get("lane", "").replace("\x00", "")[:_LONGEST]
        page = Paginator(selectors.waiting(way, lane), PAGE_SIZE).get_page(request.GET.get("page"))
        rows = list(page.object_list)
        orders = selectors.orders_of(rows) if way == selectors.IN else {row.pk: row.order for row in rows}
        context = {
            "way": way,
            "lane": lane,
            "tabs": [
                (selectors.IN, _("Came in"), sum(count for _lane, count in counts[selectors.IN])),
                (selectors.OUT, _("Going out"), sum(count for _lane, count in counts[selectors.OUT])),
            ],
            "lanes": counts[way],
            "resting": selectors.resting(),
            "page": page,
            "keep": _query(way, lane) + "&",
            "rows": [{"message": row, "order": orders.get(row.pk), "title": str(row)} for row in rows],
        }
        return TemplateResponse(request, "oscar_fulfillment/messages/list.html", context)


class MessageView(_MessagesView):
    """One message with its headers and body, as text."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, way: str, pk: int) -> HttpResponse:
        if way not in (selectors.IN, selectors.OUT):
            raise Http404
        message: Any = selectors.pump(way).model._base_manager.filter(pk=pk).first()
        # What webhooks say is for those who manage webhooks.
        if message is None or (way == selectors.OUT and message.destination.startswith(LANE)):
            raise Http404
        body, is_cut = selectors.shown_body(message)
        coming = way == selectors.IN
        context = {
            "way": way,
            "message": message,
            "headers": selectors.shown_headers(message.headers) if coming else [],
            "body": body,
            "is_cut": is_cut,
            "shown": selectors.SHOWN,
            "order": selectors.orders_of([message]).get(message.pk) if coming else message.order,
            "waits": selectors.waiting(way).filter(pk=pk).exists(),
        }
        return TemplateResponse(request, "oscar_fulfillment/messages/message.html", context)


class AgainView(_MessagesView):
    """Put back to the beginning: one message (``pk``), or all of a source or destination (``lane``)."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        way, lane, pk = (request.POST.get(name, "") for name in ("way", "lane", "pk"))
        if way not in (selectors.IN, selectors.OUT) or not (lane or pk) or "\x00" in lane:
            raise Http404
        found = selectors.waiting(way, lane[:_LONGEST])
        if pk:
            if not (pk.isascii() and pk.isdecimal() and len(pk) < 19):
                raise Http404
            found = found.filter(pk=int(pk))
        elif way == selectors.OUT:
            # Nobody knows whether these were sent: a person looks at each of them first.
            found = found.exclude(status=outbox.UNKNOWN)
        again = inbox.replay if way == selectors.IN else outbox.send_again
        count = sum(again(message) for message in found.order_by("pk")[:AT_ONCE])
        if count:
            text = ngettext("%(count)d message goes again.", "%(count)d messages go again.", count)
            messages.success(request, text % {"count": count})
        else:
            messages.info(request, _("Nothing waits there any more: it was dealt with, or is on its way."))
        return HttpResponseRedirect(f"{reverse('dashboard:message-list')}?{_query(way, request.POST.get('only', ''))}")


def _query(way: str, lane: str) -> str:
    query = QueryDict(mutable=True)
    query["way"] = way
    if lane:
        query["lane"] = lane[:_LONGEST]
    return query.urlencode()
