"""A person lets the shop into another system: there, back, and the end of it. See ``connector_views`` for the page."""

from __future__ import annotations

import secrets
import time
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View

from oscar_fulfillment.connectors.base import Connector
from oscar_fulfillment.core.exceptions import AdapterError, InvalidInput
from oscar_fulfillment.services import connector_oauth as service

from .page_reading import demand

#: Where a session keeps who was sent where with which state, and when.
_SENT = "oscar_fulfillment.connection"


@method_decorator(never_cache, name="dispatch")
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ConnectionBase(View):
    """Common to all: the permission, and no transaction around a call to the other system."""

    http_method_names = ["get", "head", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request.user, "manage_connectors")
        return super().dispatch(request, *args, **kwargs)

    def connector_or_404(self, alias: str) -> Connector:
        if (found := service.connectable(alias)) is None:
            raise Http404
        return found

    def callback(self, alias: str) -> str:
        """Where the other system leads people back to."""
        return self.request.build_absolute_uri(reverse("dashboard:connection-callback", kwargs={"alias": alias}))


class ConnectView(ConnectionBase):
    """Off to the other system."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, alias: str) -> HttpResponse:
        connector = self.connector_or_404(alias)
        try:
            service.check_installed()
        except InvalidInput as error:
            messages.error(request, str(error))
            return redirect("dashboard:connector-list")
        state = secrets.token_urlsafe(32)
        request.session[_SENT] = {"alias": alias, "state": state, "began": time.time()}
        back = self.callback(alias)
        return HttpResponseRedirect(connector.authorize_url(state=state, redirect_uri=back))


class CallbackView(ConnectionBase):
    """Back from there, with a code or without. The state proves that this very person was sent from here."""

    def get(self, request: HttpRequest, alias: str) -> HttpResponse:
        connector = self.connector_or_404(alias)
        words = {"name": connector.name}
        sent = request.session.pop(_SENT, None)
        if not self.is_ours(sent, alias):
            messages.error(request, _("This did not begin here, or too long ago. Connect %(name)s once more.") % words)
        elif not request.GET.get("code"):
            messages.warning(request, _("%(name)s did not let the shop in.") % words)
        else:
            back = self.callback(alias)
            try:
                service.connect(connector=connector, code=request.GET["code"], redirect_uri=back)
            except (AdapterError, InvalidInput) as error:
                messages.error(request, _("%(name)s gave no tokens: %(why)s") % {**words, "why": error})
            else:
                messages.success(request, _("%(name)s is connected.") % words)
        return redirect("dashboard:connector-list")

    def is_ours(self, sent: Any, alias: str) -> bool:
        return (
            isinstance(sent, dict)
            and sent.get("alias") == alias
            and constant_time_compare(sent.get("state", ""), self.request.GET.get("state", ""))
            and bool(sent.get("state"))
            and service.is_in_time(sent.get("began", 0))
        )


class DisconnectView(ConnectionBase):
    """Forget the tokens."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, alias: str) -> HttpResponse:
        connector = self.connector_or_404(alias)
        service.disconnect(connector=connector)
        words = {"name": connector.name}
        messages.success(request, _("The shop has forgotten its tokens for %(name)s.") % words)
        return redirect("dashboard:connector-list")
