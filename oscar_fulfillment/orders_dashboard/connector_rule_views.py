"""The page of a system's status rules, both ways."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.models import StatusRule
from oscar_fulfillment.services import connector_rules

from . import connector_words as words
from .connector_forms import RuleSets
from .connector_views import ConnectorBase, has_rules
from .page_reading import demand

#: Seconds for which the statuses of a system are not asked for again.
_STATES_KEPT = 600


class RulesView(ConnectorBase):
    """The status rules of a system, both ways."""

    http_method_names = ["get", "head", "post", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request.user, "manage_connectors")
        if kwargs["alias"] not in connectors or not has_rules(kwargs["alias"]):
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, alias: str) -> HttpResponse:
        return self.show(alias, RuleSets(connector_rules.rules_of(alias)))

    def post(self, request: HttpRequest, alias: str) -> HttpResponse:
        if "reset" in request.POST:
            connector_rules.save_rules(connector=alias, rules=[])
            messages.success(request, _("The rules that come with it count again."))
            return redirect("dashboard:connector-rules", alias=alias)
        sets = RuleSets(connector_rules.rules_of(alias), request.POST)
        if not sets.is_valid():
            return self.show(alias, sets, [_("Look at the marked rules.")], status=422)
        kept = sets.kept()
        try:
            connector_rules.save_rules(connector=alias, rules=[values for _form, values in kept])
        except InvalidInput as error:
            general = []
            for place, problems in error.errors.items():
                if place.isdecimal():
                    for problem in problems:
                        kept[int(place)][0].add_error(None, problem)
                else:
                    general += problems
            return self.show(alias, sets, general or [_("Look at the marked rules.")], status=422)
        messages.success(request, _("The rules are saved."))
        return redirect("dashboard:connector-rules", alias=alias)

    def show(self, alias: str, sets: RuleSets, errors: list[Any] | None = None, status: int = 200) -> HttpResponse:
        states, problem = known_states(alias)
        context = {
            "alias": alias, "name": words.name_of(alias), "sets": sets, "errors": errors or [], "states": states,
            "problem": problem, "is_own": StatusRule._default_manager.filter(connector=alias).exists(),
        }  # fmt: skip
        return TemplateResponse(self.request, "oscar_fulfillment/connectors/rules.html", context, status=status)


def known_states(alias: str) -> tuple[list[Any], str]:
    """Their statuses for the choice, and why there are none where the system cannot be asked."""
    key = f"oscar_fulfillment.states.{alias}"
    if (kept := cache.get(key)) is not None:
        return kept, ""
    try:
        states = list(connectors.get(alias).states())
    except FulfillmentError as error:
        return [], str(error)
    cache.set(key, states, _STATES_KEPT)
    return states, ""
