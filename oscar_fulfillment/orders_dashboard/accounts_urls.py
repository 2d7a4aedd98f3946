"""The URLs of the export to the accounts. Two words each, so that no order number is in their way."""

from __future__ import annotations

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS

#: Who may open them, in Oscar's words; each view asks again.
ALLOWED = ["is_staff", f"oscar_fulfillment.{PERMISSIONS['export_accounts']}"]


def accounts_permissions() -> dict[str, list[str]]:
    """``permissions_map`` entries of these pages."""
    return {pattern.name: ALLOWED for pattern in accounts_urls() if pattern.name}


def accounts_urls() -> list[URLPattern]:
    from . import accounts_views as views

    return [
        path("money/accounts/", views.AccountsView.as_view(), name="order-accounts"),
        path("money/accounts/csv/", views.CsvView.as_view(), name="order-accounts-csv"),
        path("money/accounts/xlsx/", views.XlsxView.as_view(), name="order-accounts-xlsx"),
    ]
