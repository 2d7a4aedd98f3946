"""Tax profiles: which articles have which, what is missing, every change of them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import ConfigurationError, InvalidInput
from oscar_fulfillment.fiscal.emission.rules import rule_problems, rules_from_json
from oscar_fulfillment.models import TaxProfile, TaxProfileChange
from oscar_fulfillment.selectors.issuers import find_issuing, issuing_aliases
from oscar_fulfillment.services import tax_profiles as services

from .money_pages import MoneyView
from .profile_forms import LABELS, ProfileForm

ACTIONS: dict[str, Any] = {
    services.CREATE: gettext_lazy("Made"),
    services.CHANGE: gettext_lazy("Changed"),
    services.DELETE: gettext_lazy("Deleted"),
}
CHANGES_SHOWN = 50


class ProfilePage(MoneyView):
    """For those who may change profiles: the accountant."""

    action = "manage_tax_profiles"


class ProfilesView(ProfilePage):
    """Every profile, and the classes of products that have none."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        profiles = list(TaxProfile._default_manager.select_related("product_class").order_by("-is_default", "name"))
        used = {profile.product_class_id for profile in profiles}
        has_default = any(profile.is_default for profile in profiles)
        classes = get_model("catalogue", "ProductClass")._default_manager.exclude(pk__in=[pk for pk in used if pk])
        context = {
            "rows": [{"profile": profile, "problems": problems_of(profile)} for profile in profiles],
            "without": [] if has_default else list(classes.order_by("name")[:50]),
            "has_default": has_default,
            "deleted": TaxProfileChange._default_manager.filter(profile=None, action=services.DELETE)[:10],
        }
        return TemplateResponse(request, "oscar_fulfillment/fiscal/profiles.html", context)


def problems_of(profile: TaxProfile) -> list[Any]:
    """What is missing, for the issuers of this shop."""
    regimes = set()
    for alias in issuing_aliases():
        try:
            regimes.add(find_issuing(alias).issuer.crt)
        except ConfigurationError:
            continue
    rules = rules_from_json(profile.rules)
    found = [message for crt in sorted(regimes) for message in rule_problems(rules, crt).values()]
    return list(dict.fromkeys(str(message) for message in found))


class ProfileFormView(ProfilePage):
    """Make a profile, or change one; below it, its history."""

    def subject(self) -> TaxProfile | None:
        pk = self.kwargs.get("pk")
        return get_object_or_404(TaxProfile, pk=pk) if pk else None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        profile = self.subject()
        wanted = request.GET.get("class", "")
        product_class = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 10 else None
        return self.show(ProfileForm(profile=profile, product_class=product_class), profile)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        profile = self.subject()
        form = ProfileForm(request.POST, profile=profile)
        if not form.is_valid():
            return self.show(form, profile, status=422)
        try:
            saved = form.save(self.actor)
        except InvalidInput as error:
            for name, found in error.errors.items():
                for message in found:
                    form.add_error(name if name in form.fields else None, message)
            return self.show(form, profile, status=422)
        except services.ProfileChanged as error:
            again = request.POST.copy()
            again["seen"] = str(services.last_change(profile)) if profile is not None else "0"
            form = ProfileForm(again, profile=profile)
            form.is_valid()
            return self.show(form, profile, status=409, errors=[str(error)])
        if missing := problems_of(saved):
            messages.warning(request, _("Saved. Still missing: %(problems)s") % {"problems": " ".join(missing)})
        else:
            messages.success(request, _("“%(name)s” is saved.") % {"name": saved.name})
        return redirect("dashboard:tax-profiles")

    def show(
        self, form: ProfileForm, profile: TaxProfile | None, *, status: int = 200, errors: Any = ()
    ) -> HttpResponse:
        context = {
            "form": form,
            "profile": profile,
            "problems": problems_of(profile) if profile is not None else [],
            "changes": [_told(change) for change in profile.changes.all()[:CHANGES_SHOWN]] if profile else [],
            "errors": list(errors),
        }
        return TemplateResponse(self.request, "oscar_fulfillment/fiscal/profile.html", context, status=status)


class ProfileDeleteView(ProfilePage):
    """Delete a profile, with a reason."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        profile = get_object_or_404(TaxProfile, pk=pk)
        try:
            services.delete_tax_profile(actor=self.actor, profile=profile, reason=request.POST.get("reason", ""))
        except InvalidInput as error:
            messages.error(request, str(error))
            return redirect("dashboard:tax-profile", pk=pk)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": profile.name})
        return redirect("dashboard:tax-profiles")


def _told(change: TaxProfileChange) -> dict[str, Any]:
    """One change in words."""
    columns = []
    if change.action == services.CHANGE:
        columns = [
            {"label": LABELS.get(name, name), "before": _word(before), "after": _word(after)}
            for name, (before, after) in change.data.items()
        ]
    return {
        "action": ACTIONS.get(change.action, change.action),
        "who": change.actor_label,
        "at": change.created_at,
        "reason": change.reason,
        "columns": columns,
    }


def _word(value: Any) -> str:
    if value is True or value is False:
        return _("yes") if value else _("no")
    if value in (None, "", {}, []):
        return _("nothing")
    if isinstance(value, dict):
        return ", ".join(f"{name} {' + '.join(rates)}" for name, rates in sorted(value.items()))
    return str(value)[:80]
