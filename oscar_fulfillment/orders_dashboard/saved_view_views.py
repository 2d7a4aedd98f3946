"""Saved views: keep the present filters, rename, share, delete."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import SavedView
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.services import views as view_services

from .list_reading import OrderList


class _Page(View):
    template_name = "oscar_fulfillment/orders/saved_views.html"

    def show(self, request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
        may_share = user_may(request.user, "share_view")
        kept = SavedView._default_manager.filter(Q(owner=request.user) | Q(is_shared=True)).select_related("owner")
        views = [
            {"view": view, "is_mine": view.owner_id == request.user.pk, "may_change": _may_change(view, request.user)}
            for view in kept
        ]
        context |= {"views": views, "may_share": may_share}
        return TemplateResponse(request, self.template_name, context, status=status)


def _may_change(view: SavedView, user: Any) -> bool:
    """One's own; a shared one also by who may share, so that it outlives its owner's job."""
    return view.owner_id == user.pk or (view.is_shared and user_may(user, "share_view"))


class SavedViewsView(_Page):
    """All views this person has."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(request)


class SaveViewView(_Page):
    """Keep the filters of the list under a name."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_shared = request.POST.get("is_shared") == "1"
        if is_shared and not user_may(request.user, "share_view"):
            raise PermissionDenied
        query = request.POST.get("query", "")
        order_list = OrderList(request.user, QueryDict(query[:4000]))
        if len(query) > 4000 or not order_list.form.is_valid():
            return self.show(request, status=400, errors=[_("These filters cannot be kept: they are damaged.")])
        name = request.POST.get("name", "")
        try:
            view = view_services.save_view(
                owner=request.user, name=name, query=order_list.form.query(), is_shared=is_shared
            )
        except InvalidInput as error:
            return self.show(
                request, status=400, errors=_flat(error), again={"name": name[:60], "query": order_list.form.query()}
            )
        messages.success(request, _("The view “%(name)s” is kept.") % {"name": view.name})
        return HttpResponseRedirect(f"{reverse('dashboard:order-list')}?{view.query}&view={view.pk}".replace("?&", "?"))


class _One(_Page):
    http_method_names = ["post", "options"]

    def view_or_404(self, request: HttpRequest, pk: int) -> SavedView:
        view = SavedView._default_manager.filter(pk=pk).first()
        if view is None or not (view.is_shared or view.owner_id == request.user.pk):
            raise Http404
        if not _may_change(view, request.user):
            raise PermissionDenied
        return view


class ChangeViewView(_One):
    """Rename, share, or take back."""

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        view = self.view_or_404(request, pk)
        is_shared = request.POST.get("is_shared") == "1"
        if is_shared and not view.is_shared and not user_may(request.user, "share_view"):
            raise PermissionDenied
        try:
            view_services.change_view(view=view, name=request.POST.get("name", ""), is_shared=is_shared)
        except InvalidInput as error:
            return self.show(request, status=400, errors=_flat(error))
        messages.success(request, _("The view “%(name)s” is changed.") % {"name": view.name})
        return redirect("dashboard:order-views")


class DeleteViewView(_One):
    """Forget it."""

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        view = self.view_or_404(request, pk)
        view_services.delete_view(view=view)
        messages.success(request, _("The view “%(name)s” is deleted.") % {"name": view.name})
        return redirect("dashboard:order-views")


def _flat(error: InvalidInput) -> list[str]:
    return [str(message) for found in error.errors.values() for message in found]
