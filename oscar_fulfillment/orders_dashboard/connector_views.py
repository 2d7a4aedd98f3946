"""The pages of other systems (ERP, accounts, CRM): how each does, the export ledger, what they said, their rules."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.generic import View

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import Capability
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import ConnectorState, Export, OutsideChange
from oscar_fulfillment.selectors import connectors as reads
from oscar_fulfillment.services import (
    connector_changes,
    connector_ledger,
    connector_oauth,
    connector_watch,
)

from . import connector_words as words
from .connector_forms import ChangesForm, ExportsForm, NarrowForm
from .page_reading import demand

#: The most exports that one click sends again.
AT_ONCE = 500
_MOST = 2**63


@method_decorator(never_cache, name="dispatch")
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ConnectorBase(View):
    """Common to all: the permission, who acts, where to go back to."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request.user, "manage_connectors")
        return super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    def back(self, name: str) -> HttpResponse:
        """To the page whose button was clicked, if it is one of ours."""
        url = self.request.POST.get("next", "")
        if url_has_allowed_host_and_scheme(url, allowed_hosts={self.request.get_host()}):
            return redirect(url)
        return redirect(name)


class ConnectorsView(ConnectorBase):
    """All systems with their health."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        aliases = list(connectors)
        health = reads.health(aliases)
        rows = []
        for alias in aliases:
            connector, able = connectors.get(alias), connectors.get(alias).capabilities
            rows.append({
                "alias": alias, "connector": connector, "health": health[alias], "state": words.state(health[alias]),
                "kind": words.SYSTEM_KINDS.get(connector.kind, connector.kind), "when": words.when(alias),
                "can_ask": Capability.PULL in able, "has_rules": has_rules(alias), **self.connection(alias),
                "failed": health[alias].counts.get(Export.FAILED, 0),
                "waiting": sum(health[alias].counts.get(s, 0) for s in (Export.WAITING, Export.SENDING, Export.SENT)),
            })  # fmt: skip
        return TemplateResponse(request, "oscar_fulfillment/connectors/list.html", {"rows": rows})

    def connection(self, alias: str) -> dict[str, Any]:
        """How a connection stands that a person makes, and the addresses to enter over there; nothing for others."""
        found = connector_oauth.connection_of(alias)
        if found is None:
            return {}
        back = reverse("dashboard:connection-callback", kwargs={"alias": alias})
        hook = reverse("fulfillment:webhook", kwargs={"family": "connectors", "name": alias})
        address = self.request.build_absolute_uri
        return {"connection": found, "callback": address(back), "webhook": address(hook)}


def has_rules(alias: str) -> bool:
    """Whether statuses pass between the shop and this system."""
    connector = connectors.get(alias)
    passing = {Capability.STATES, Capability.PULL, Capability.NOTIFIES}
    return bool(passing & connector.capabilities or connector.rules)


class AskView(ConnectorBase):
    """Ask a system now what changed."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, alias: str) -> HttpResponse:
        if alias not in connectors or Capability.PULL not in connectors.get(alias).capabilities:
            raise Http404
        found = connector_watch.ask(connectors.get(alias), force=True)
        state = ConnectorState._default_manager.filter(pk=alias).first()
        if state is not None and state.error:
            messages.error(request, _("%(name)s does not answer: %(error)s") % {
                "name": words.name_of(alias), "error": state.error,
            })  # fmt: skip
        elif count := sum(found.values()):
            text = ngettext("%(count)d change was heard.", "%(count)d changes were heard.", count)
            messages.success(request, text % {"count": count})
        else:
            messages.info(request, _("Nothing has changed there."))
        return redirect("dashboard:connector-list")


class LogView(ConnectorBase):
    """A log, narrowed and by pages."""

    http_method_names = ["get", "head", "options"]
    form_class: type[NarrowForm]
    template = ""

    def read(self, **lookup: Any) -> reads.Slice:
        raise NotImplementedError

    def present(self, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def get(self, request: HttpRequest) -> HttpResponse:
        form = self.form_class(request.GET)
        chosen = form.chosen()
        before = request.GET.get("before", "")
        start = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
        page = self.read(
            connector=chosen.get("system", ""), status=chosen.get("status", ""), number=chosen.get("number", ""),
            before=start,
        )  # fmt: skip
        context = {
            "form": self.form_class(initial=chosen),
            "chosen": chosen,
            "rows": [self.present(row) for row in page.rows],
            "older": urlencode({**chosen, "before": page.older}) if page.older else "",
            "is_first": start is None,
            "newest": urlencode(chosen),
            "here": request.get_full_path(),
            "has_systems": bool(reads.systems()),
        }
        return TemplateResponse(request, self.template, context)


class ExportsView(LogView):
    """The export ledger."""

    form_class = ExportsForm
    template = "oscar_fulfillment/connectors/exports.html"

    def read(self, **lookup: Any) -> reads.Slice:
        return reads.exports(**lookup)

    def present(self, row: Any) -> dict[str, Any]:
        return words.export_row(row)


class ChangesView(LogView):
    """What other systems said."""

    form_class = ChangesForm
    template = "oscar_fulfillment/connectors/changes.html"

    def read(self, **lookup: Any) -> reads.Slice:
        return reads.changes(**lookup)

    def present(self, row: Any) -> dict[str, Any]:
        return words.change_row(row)


class ExportStepView(ConnectorBase):
    """Send one thing again, or say that it need not go."""

    http_method_names = ["post", "options"]
    step = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        export = Export._default_manager.filter(pk=pk).first() if pk < _MOST else None
        if export is None:
            raise Http404
        try:
            if self.step == "again":
                connector_ledger.send_again(export=export, actor=self.actor)
                messages.success(request, _("It goes again."))
            else:
                connector_ledger.dismiss(export=export, actor=self.actor)
                messages.success(request, _("It does not go there."))
        except connector_ledger.ExportBusy as error:
            messages.warning(request, str(error))
        return self.back("dashboard:export-list")


class ExportsAgainView(ConnectorBase):
    """Send everything again that a system did not take."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        count = 0
        for export in reads.failed(request.POST.get("system", "").replace("\x00", "")[:32], AT_ONCE):
            try:
                connector_ledger.send_again(export=export, actor=self.actor)
            except connector_ledger.ExportBusy:
                continue  # somebody else has sent it in this moment
            count += 1
        if count:
            text = ngettext("%(count)d goes again.", "%(count)d go again.", count)
            messages.success(request, text % {"count": count})
        else:
            messages.info(request, _("Nothing waits to be sent again."))
        return self.back("dashboard:export-list")


class ChangeStepView(ConnectorBase):
    """Do what was not possible once more, or say that it is settled."""

    http_method_names = ["post", "options"]
    step = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        change = OutsideChange._default_manager.filter(pk=pk).first() if pk < _MOST else None
        if change is None:
            raise Http404
        if change.status not in OutsideChange.TROUBLE:
            messages.info(request, _("This has been settled already."))
        elif self.step == "settled":
            connector_changes.mark_settled(change=change, actor=self.actor)
            messages.success(request, _("It is settled."))
        else:
            self.try_again(request, change)
        return self.back("dashboard:outside-list")

    def try_again(self, request: HttpRequest, change: OutsideChange) -> None:
        found = connector_changes.look_again(change=change)
        if found.status in OutsideChange.TROUBLE:
            messages.error(request, _("Still not possible: %(why)s") % {"why": found.problem})
        else:
            messages.success(request, _("Done."))
