"""The order list: queues, filters, search, and the form that acts on many orders."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.clocks import read_clocks
from oscar_fulfillment.selectors.queues import ALL, counts_to_read, queue_start
from oscar_fulfillment.selectors.scans import capped_counts, count_part, read_page
from oscar_fulfillment.selectors.search import MAX_QUERY
from oscar_fulfillment.services import bulk, oscar_bridge

from .bulk_papers import document_parts
from .export_views import export_response
from .list_forms import PLACE_KEYS
from .list_reading import OrderList
from .list_rows import count_text, present_rows

#: The name of the present list among the counts.
_HERE = "here"
_LARGEST_ID = 2**63 - 1


class FulfillmentOrderListMixin:
    """For ``OrderListView``. Reads as many statements for one row as for fifty."""

    template_name = "oscar_fulfillment/orders/list.html"
    request: HttpRequest
    order_list: OrderList

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.order_list = OrderList.of(request, jump=request.method in ("GET", "HEAD"))
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]

    # The page

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        wants_csv = request.GET.get("response_format") == "csv"
        if not wants_csv and self.order_list.offer.hits.exact:
            return redirect("dashboard:order-detail", number=self.order_list.offer.hits.exact[0])
        if not self.order_list.form.is_valid():
            return self.render_list(status=400)
        if wants_csv:
            return export_response(request, self.order_list)
        return self.render_list()

    def render_list(self, *, status: int = 200, errors: Any = ()) -> HttpResponse:
        """The page; with errors of the query string it shows them and no rows."""
        return TemplateResponse(self.request, self.template_name, self.list_context(errors), status=status)

    def list_context(self, errors: Any = ()) -> dict[str, Any]:
        found, request = self.order_list, self.request
        form, is_valid = found.form, found.form.is_valid()
        queue = found.queues[form.queue_name if is_valid else "all"]
        narrowed = is_valid and any(key not in ("queue", "sort") for key, _value in form.pairs())
        data = form.cleaned_data
        shown_errors = [*errors, *found.errors]
        actions = [action for action in bulk.OFFERED.values() if user_may(request.user, action.name)]
        offered = [(alias, carriers.get(alias).name) for alias in carriers]
        may_export = user_may(request.user, "export")
        url = reverse("dashboard:order-list")
        context: dict[str, Any] = {
            "form": form,
            "search_text": request.GET.get("q", "")[:MAX_QUERY],
            "filters": SimpleLazyObject(self._filter_values),
            "errors": shown_errors,
            "has_errors": bool(shown_errors),
            "queue": queue,
            "is_narrowed": narrowed,
            "saved_views": found.offer.views,
            "current_view": request.GET.get("view", ""),
            "may_share": user_may(request.user, "share_view"),
            "may_export": may_export,
            "query": form.query() if is_valid else "",
            "chips": form.chips(self._describe) if is_valid else [],
            "bulk_actions": actions,
            "carriers": offered,
            "list_url": url,
            # What the long pieces of the page depend on: they are kept.
            "filters_key": self._filters_key(),
            "bulk_key": (*(action.name for action in actions), may_export, *offered),
            "key": new_key(),
            "rows": [],
        }
        cap = settings.CAPPED_COUNT
        methods, size = found.offer.manual_methods, settings.PAGE_SIZE
        asked, settle = counts_to_read(methods, found.base, cap)
        if not is_valid:
            counts = settle(capped_counts(asked))
        else:
            start = None
            if narrowed:
                asked.append(count_part(_HERE, found.queries, cap))
            else:
                start = queue_start(methods, queue.name, found.base, size + 1, newest_first=form.newest_first)
            page = read_page(
                found.queries, size, after=data["after"], before=data["before"], last=bool(data["last"]),
                newest_first=form.newest_first, distinct=form.overlaps, start=start, counts=asked,
            )  # fmt: skip
            counts = settle(page.counts)
        context["tabs"] = [
            {"name": name, "label": each.label, "count": count_text(counts[name]), "hint": each.hint,
             "is_current": is_valid and name == queue.name, "url": url if name == ALL else f"{url}?queue={name}"}
            for name, each in found.queues.items()
        ]  # fmt: skip
        if not is_valid:
            return context
        count = counts[_HERE if narrowed else queue.name]
        context |= {
            "rows": present_rows(
                page.rows, {method.pk: method.name for method in found.offer.methods}, read_clocks(page.rows)
            ),
            "count": count_text(count),
            "count_phrase": self._count_phrase(count),
            "several_pages": page.has_previous or page.has_next,
            "first_url": f"?{form.query()}" if page.has_previous else "",
            "previous_url": f"?{form.query(before=page.cursor(0))}" if page.has_previous and page.rows else "",
            "next_url": f"?{form.query(after=page.cursor(-1))}" if page.has_next and page.rows else "",
            "last_url": f"?{form.query(last=1)}" if page.has_next else "",
            "sort_url": f"?{form.query(sort='oldest' if form.newest_first else None)}",
        }
        return context

    def _count_phrase(self, count: int) -> str:
        cap = settings.CAPPED_COUNT
        if count > cap:
            return _("More than %(count)s orders") % {"count": count_text(count).removesuffix("+")}
        return ngettext("%(count)s order", "%(count)s orders", count) % {"count": count_text(count)}

    def _filters_key(self) -> tuple[Any, ...]:
        """Everything that the filter form shows, but for the words of the shop's flows."""
        found = self.order_list
        shown = found.form.fields.keys() - PLACE_KEYS - {"q", "queue", "sort"}
        typed = ((name, tuple(texts)) for name, texts in self.request.GET.lists() if name in shown)
        return (*typed, *((method.code, method.name) for method in found.offer.methods))

    def _filter_values(self) -> dict[str, Any]:
        """What the fields of the filter form show: (value, label, chosen) for lists, the text for the others."""
        form, given = self.order_list.form, self.request.GET
        values: dict[str, Any] = {}
        for name, field in form.fields.items():
            if hasattr(field, "choices"):
                chosen = set(given.getlist(name))
                values[name] = [(value, label, value in chosen) for value, label in field.choices if value]
            else:
                values[name] = given.get(name, "")[:200]
        return values

    def _describe(self, key: str) -> str:
        """A filter that Oscar's list has too, in Oscar's words."""
        data = self.order_list.form.cleaned_data
        keys = ("date_from", "date_to") if key.startswith("date_") else (key,)
        self.form = SimpleNamespace(cleaned_data={name: data[name] for name in keys})
        found = self.get_search_filter_descriptions()  # type: ignore[attr-defined]
        return str(found[0]) if found else key

    # Acting on many

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        action = request.POST.get("action", "")
        if not self.order_list.form.is_valid():
            return self.render_list(status=400)
        if action == "change_order_statuses":
            return self._change_order_statuses(request)
        if action == "download_selected_orders":
            return self._download(request)
        if action not in bulk.OFFERED:
            return self.render_list(status=400, errors=[_("Choose one of the actions.")])
        return self._act(request, action)

    def _act(self, request: HttpRequest, action: str) -> HttpResponse:
        if not user_may(request.user, action):
            raise PermissionDenied
        try:
            orders = self._chosen(request)
            across = request.POST.get("select_across") == "1"
            if across and orders and request.POST.get("confirmed") != "1":
                return self._confirm(request, action, len(orders))
            params = {"carrier": request.POST.get("carrier", "")[:64]} if action == "dispatch" else {}
            job = bulk.submit(
                action=action, orders=orders, user=request.user, key=request.POST.get("key", ""), params=params
            )
        except _Foreign:
            errors = [_("Some of these orders do not exist, or are not yours to see. Nothing was changed.")]
            return self.render_list(status=404, errors=errors)
        except InvalidInput as error:
            errors = [str(message) for messages in error.errors.values() for message in messages]
            return self.render_list(status=400, errors=errors)
        if len(document_parts(job)) == 1 and not job.refused_count:
            return redirect("dashboard:order-bulk-document", pk=job.pk)
        return redirect("dashboard:order-bulk-job", pk=job.pk)

    def _chosen(self, request: HttpRequest) -> list[tuple[int, str]]:
        """(id, number) of the ticked orders, or of all that the filters find."""
        if request.POST.get("select_across") == "1":
            limit = settings.BULK_LIMIT
            columns = ("order_id", "placed_at", "number")
            page = read_page(
                self.order_list.queries, limit + 1, newest_first=False,
                distinct=self.order_list.form.overlaps, columns=columns,
            )  # fmt: skip
            return [(row["order_id"], row["number"]) for row in page.rows]
        typed = request.POST.getlist("selected_order")
        if not all(text.isascii() and text.isdigit() and int(text) <= _LARGEST_ID for text in typed if len(text) < 32):
            raise _Foreign
        ids = {int(text) for text in typed if len(text) < 32}
        found = bulk.selected(self.order_list.base, ids)
        if len(found) < len(ids) or any(len(text) >= 32 for text in typed):
            raise _Foreign
        return found

    def _confirm(self, request: HttpRequest, action: str, size: int) -> HttpResponse:
        """Before something is done to more orders than the person sees."""
        question = ngettext(
            "“%(action)s” for %(count)s order?", "“%(action)s” for %(count)s orders?", size
        ) % {"action": bulk.OFFERED[action].label, "count": count_text(size, cap=None)}  # fmt: skip
        context = {
            "question": question,
            "action": bulk.OFFERED[action],
            "chips": self.order_list.form.chips(self._describe),
            "queue": self.order_list.queues[self.order_list.form.queue_name],
            "kept": {name: request.POST.get(name, "")[:64] for name in ("key", "carrier")},
            "query": self.order_list.form.query(),
        }
        return TemplateResponse(request, "oscar_fulfillment/orders/bulk_confirm.html", context)

    def _download(self, request: HttpRequest) -> HttpResponseBase:
        try:
            ids = None if request.POST.get("select_across") == "1" else [pk for pk, _number in self._chosen(request)]
        except _Foreign:
            errors = [_("Some of these orders do not exist, or are not yours to see. Nothing was changed.")]
            return self.render_list(status=404, errors=errors)
        if ids is not None and not ids:
            return self.render_list(status=400, errors=[_("Choose at least one order.")])
        return export_response(request, self.order_list, ids)

    def _change_order_statuses(self, request: HttpRequest) -> HttpResponse:
        """Oscar's own bulk form: a status that one of our steps leads to goes through that step."""
        key = oscar_bridge.projected_key(request.POST.get("new_status", "").strip())
        step = {"in_process": "release", "sent": "dispatch", "completed": "deliver"}.get(key)
        if step is not None:
            request.POST = request.POST.copy()  # type: ignore[assignment]
            request.POST.setdefault("key", new_key())  # type: ignore[attr-defined]
            return self._act(request, step)
        if not (
            user_may(request.user, "cancel") if key == "cancelled" else request.user.has_perm("order.change_order")
        ):
            raise PermissionDenied
        try:
            ids = [pk for pk, _number in self._chosen(request)]
        except _Foreign:
            return self.render_list(status=404, errors=[_("Some of these orders do not exist.")])
        if not ids:
            return self.render_list(status=400, errors=[_("Choose at least one order.")])
        if len(ids) > settings.BULK_INLINE_LIMIT:
            return self.render_list(status=400, errors=[_("Choose fewer orders for this step.")])
        return self.change_order_statuses(request, self.base_queryset.filter(pk__in=ids))  # type: ignore[attr-defined]

    def change_order_status(self, request: HttpRequest, order: Any) -> None:
        try:
            super().change_order_status(request, order)  # type: ignore[misc]
        except FulfillmentError as error:
            messages.error(request, _("Order %(number)s: %(reason)s") % {"number": order.number, "reason": error})


class _Foreign(Exception):
    """An order that is not there for this person."""
