"""Orders as a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import get_language
from django.views.generic import View

from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.services.export import filename, stream_orders

from .list_reading import OrderList


def export_response(
    request: HttpRequest, order_list: OrderList, order_ids: Sequence[int] | None = None
) -> StreamingHttpResponse:
    """A streamed answer with the orders of this list, or with those of ``order_ids`` that this person may see."""
    if not user_may(request.user, "export"):
        raise PermissionDenied
    if order_ids is None:
        queries, distinct = order_list.queries, order_list.form.overlaps
    else:
        queries, distinct = [order_list.base.filter(pk__in=order_ids)], False
    lines = stream_orders(
        queries, language=get_language() or "en", newest_first=order_list.form.newest_first, distinct=distinct
    )
    headers = {"Content-Disposition": f'attachment; filename="{filename()}"', "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


class ExportView(View):
    """``?<filters of the list>``: all of them, not only the page."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        order_list = OrderList.of(request)
        if not order_list.form.is_valid():
            return HttpResponseBadRequest("\n".join(order_list.errors), content_type="text/plain; charset=utf-8")
        return export_response(request, order_list)
