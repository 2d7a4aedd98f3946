"""The URLs of bank statements and payouts. Two words each, so that no order number is in their way."""

from __future__ import annotations

from django.urls import URLPattern, path

#: Who may open them, in Oscar's words; each view asks again.
ALLOWED = ["is_staff", "oscar_fulfillment.import_statements"]


def money_permissions() -> dict[str, list[str]]:
    """``permissions_map`` entries of these pages."""
    return {pattern.name: ALLOWED for pattern in money_urls() if pattern.name}


def money_urls() -> list[URLPattern]:
    from . import bank_entry_views as entries
    from . import bank_views as bank
    from . import payout_views as payouts

    return [
        path("money/statements/", bank.StatementsView.as_view(), name="order-statements"),
        path("money/statements/upload/", bank.StatementUploadView.as_view(), name="order-statement-upload"),
        path("money/statements/files/<int:pk>/", bank.StatementLayoutView.as_view(), name="order-statement-layout"),
        path("money/statements/<int:pk>/", entries.StatementView.as_view(), name="order-statement"),
        path("money/statements/<int:pk>/exact/", entries.ExactView.as_view(), name="order-statement-exact"),
        path("money/entries/", entries.OpenEntriesView.as_view(), name="order-entries"),
        path("money/entries/exact/", entries.ExactView.as_view(), name="order-entries-exact"),
        path("money/entries/confirm/", entries.ConfirmManyView.as_view(), name="order-entries-confirm"),
        path("money/entries/<int:pk>/", entries.EntryView.as_view(), name="order-entry"),
        path("money/entries/<int:pk>/confirm/", entries.ConfirmEntryView.as_view(), name="order-entry-confirm"),
        path("money/entries/<int:pk>/ignore/", entries.IgnoreEntryView.as_view(), name="order-entry-ignore"),
        path("money/entries/<int:pk>/reopen/", entries.ReopenEntryView.as_view(), name="order-entry-reopen"),
        path("money/payouts/", payouts.PayoutsView.as_view(), name="order-payouts"),
        path("money/payouts/upload/", payouts.PayoutUploadView.as_view(), name="order-payout-upload"),
        path("money/payouts/files/<int:pk>/", payouts.PayoutLayoutView.as_view(), name="order-payout-layout"),
        path("money/payouts/<int:pk>/", payouts.PayoutView.as_view(), name="order-payout"),
    ]
