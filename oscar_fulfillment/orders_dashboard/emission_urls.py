"""The URLs of NF-e of our own and of tax profiles. Two words each, so that no order number is in their way."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS


def emission_permissions() -> dict[str, Any]:
    """``permissions_map`` entries of these pages: the navigation shows an entry only to those who may open it."""
    found: dict[str, Any] = {}
    for patterns, action in ((emission_urls(), "issue_nfe"), (profile_urls(), "manage_tax_profiles")):
        needed = ["is_staff", f"oscar_fulfillment.{PERMISSIONS[action]}"]
        found |= {pattern.name: needed for pattern in patterns if pattern.name}
    return found


def emission_urls() -> list[URLPattern]:
    from . import emission_action_views as acts
    from . import emission_issue_views as issue
    from . import emission_views as views

    return [
        path("fiscal/emissions/", views.EmissionsView.as_view(), name="order-emissions"),
        path("fiscal/emissions/void/", acts.VoidView.as_view(), name="order-emissions-void"),
        path("fiscal/emissions/number/", acts.NumberView.as_view(), name="order-emissions-number"),
        path("fiscal/emissions/service/", acts.ServiceView.as_view(), name="order-emissions-service"),
        path("fiscal/emissions/<int:pk>/", views.EmissionView.as_view(), name="order-emission"),
        path("fiscal/emissions/<int:pk>/mend/", issue.MendView.as_view(), name="order-emission-mend"),
        path("fiscal/emissions/<int:pk>/xml/", views.XmlView.as_view(), name="order-emission-xml"),
        path("fiscal/emissions/<int:pk>/danfe/", views.DanfeView.as_view(), name="order-emission-danfe"),
        path("fiscal/emissions/<int:pk>/label/", views.DanfeView.as_view(is_label=True), name="order-emission-label"),
        path(
            "fiscal/emissions/<int:pk>/events/<int:event>/", views.EventXmlView.as_view(), name="order-emission-event"
        ),
        *(
            path(f"fiscal/emissions/<int:pk>/{slug}/", view.as_view(), name=f"order-emission-{slug}")
            for slug, view in (
                ("cancel", acts.CancelView),
                ("correct", acts.CorrectView),
                ("give-up", acts.GiveUpView),
                ("again", acts.AgainView),
            )
        ),
        path("fiscal/issue/<str:number>/", issue.IssueView.as_view(), name="order-nfe"),
    ]


def profile_urls() -> list[URLPattern]:
    from . import profile_views as views

    return [
        path("fiscal/taxes/", views.ProfilesView.as_view(), name="tax-profiles"),
        path("fiscal/taxes/new/", views.ProfileFormView.as_view(), name="tax-profile-new"),
        path("fiscal/taxes/<int:pk>/", views.ProfileFormView.as_view(), name="tax-profile"),
        path("fiscal/taxes/<int:pk>/delete/", views.ProfileDeleteView.as_view(), name="tax-profile-delete"),
    ]
