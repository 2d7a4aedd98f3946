"""The pages of the API's keys: the list, the form, one key. A new one is in the answer to its making alone."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.flows import flows
from oscar_fulfillment.models import ApiKey
from oscar_fulfillment.services import api_keys
from oscar_fulfillment.services.api_keys import KeyChanged, option

from .api_key_forms import ApiKeyForm
from .page_reading import demand

#: What one click does to a key.
STEPS = ("on", "off", "rotate")
_MOST = 2**63


@method_decorator(never_cache, name="dispatch")
class ApiKeyBase(View):
    """Common to all: the permission, the key, who acts."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request.user, "manage_connectors")
        return super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    def key_or_404(self, pk: int) -> ApiKey:
        rows = ApiKey._default_manager.select_related("partner")
        found = rows.filter(pk=pk).first() if pk < _MOST else None
        if found is None:
            raise Http404
        return found

    def show(self, key: ApiKey, token: str = "") -> HttpResponse:
        """The page of a key; with the key itself, for whoever has just made it."""
        now = timezone.now()
        context = {
            **words(key),
            "token": token,
            "key_hours": option("key_hours"),
            "old_until": key.old_until if key.old_until and key.old_until > now else None,
        }
        return TemplateResponse(self.request, "oscar_fulfillment/api_keys/key.html", context)


def words(key: ApiKey) -> dict[str, Any]:
    """A key as the pages show it."""
    known = flows()
    state = (_("works"), "success")
    if not key.is_active:
        state = (_("off"), "secondary")
    elif not key.works_at(timezone.now()):
        state = (_("over"), "warning")
    return {
        "key": key,
        "state": state,
        "scopes": [(name, api_keys.SCOPES[name]) for name in key.scopes if name in api_keys.SCOPES],
        "flows": [known[name].label if name in known else name for name in key.flows],
    }


class ApiKeysView(ApiKeyBase):
    """All keys."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = [words(key) for key in ApiKey._default_manager.select_related("partner")]
        return TemplateResponse(request, "oscar_fulfillment/api_keys/list.html", {"rows": rows})


class ApiKeyFormView(ApiKeyBase):
    """Make a key, or change what one may do (``pk``)."""

    http_method_names = ["get", "head", "post", "options"]

    def subject(self) -> ApiKey | None:
        return self.key_or_404(self.kwargs["pk"]) if "pk" in self.kwargs else None

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.form_page(ApiKeyForm(key=self.subject()))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        key = self.subject()
        form = ApiKeyForm(request.POST, key=key)
        if not form.is_valid():
            return self.form_page(form, status=422)
        try:
            saved, token = form.save(self.actor)
        except InvalidInput as error:
            form.take_errors(error)
            return self.form_page(form, status=422)
        except KeyChanged:
            again = request.POST.copy()
            again["seen"] = str(self.key_or_404(kwargs["pk"]).version)
            form = ApiKeyForm(again, key=self.key_or_404(kwargs["pk"]))
            form.is_valid()
            return self.form_page(form, status=409, is_changed=True)
        if token:
            # No redirect: the key would have to be kept somewhere until the next page.
            return self.show(saved, token)
        messages.success(request, _("“%(name)s” is saved.") % {"name": saved})
        return redirect("dashboard:api-key", pk=saved.pk)

    def form_page(self, form: ApiKeyForm, *, status: int = 200, **context: Any) -> HttpResponse:
        context |= {"form": form, "key": form.key}
        return TemplateResponse(self.request, "oscar_fulfillment/api_keys/form.html", context, status=status)


class ApiKeyView(ApiKeyBase):
    """One key."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.show(self.key_or_404(pk))


class ApiKeyStepView(ApiKeyBase):
    """One click on a key: on, off, a new one in its place."""

    http_method_names = ["post", "options"]
    step = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = self.key_or_404(pk)
        seen = request.POST.get("seen", "")
        given: dict[str, Any] = {"key": key, "actor": self.actor}
        # A page that is loaded again sends its form again: it must not make another key.
        given["seen"] = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else -1
        try:
            if self.step == "rotate":
                row, token = api_keys.rotate(**given, at_once="at_once" in request.POST)
                return self.show(row, token)
            api_keys.set_active(**given, active=self.step == "on")
        except KeyChanged as error:
            messages.warning(request, _("%(what)s Look at it once more.") % {"what": error})
            return redirect("dashboard:api-key", pk=pk)
        done = _("“%(name)s” is switched on.") if self.step == "on" else _("“%(name)s” is switched off.")
        messages.success(request, done % {"name": key})
        return redirect("dashboard:api-key", pk=pk)
