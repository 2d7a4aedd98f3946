"""The URLs of fiscal notes. Two words each, so that no order number is in their way."""

from __future__ import annotations

from django.urls import URLPattern, path

#: Who may open them, in Oscar's words; each view asks again.
ALLOWED = ["is_staff", "oscar_fulfillment.invoice_order"]


def nfe_permissions() -> dict[str, list[str]]:
    """``permissions_map`` entries of these pages."""
    return {pattern.name: ALLOWED for pattern in nfe_urls() if pattern.name}


def nfe_urls() -> list[URLPattern]:
    from . import nfe_file_views as files
    from . import nfe_views as notes

    return [
        path("fiscal/notes/", notes.NotesView.as_view(), name="order-notes"),
        path("fiscal/notes/upload/", notes.NotesUploadView.as_view(), name="order-notes-upload"),
        path("fiscal/notes/apply/", notes.NotesApplyView.as_view(), name="order-notes-apply"),
        path("fiscal/notes/check/", notes.NotesCheckView.as_view(), name="order-notes-check"),
        path("fiscal/notes/batch/<slug:batch>/", notes.NoteBatchView.as_view(), name="order-note-batch"),
        path("fiscal/notes/batch/<slug:batch>/progress/", notes.NoteProgressView.as_view(), name="order-note-progress"),
        path("fiscal/notes/<int:pk>/", files.NoteView.as_view(), name="order-note-file"),
        path("fiscal/notes/<int:pk>/order/", files.NoteOrderView.as_view(), name="order-note-order"),
        path("fiscal/notes/<int:pk>/apply/", files.NoteApplyView.as_view(), name="order-note-apply"),
        path("fiscal/notes/<int:pk>/discard/", files.NoteDiscardView.as_view(), name="order-note-discard"),
        path("fiscal/notes/<int:pk>/xml/", files.NoteDownloadView.as_view(), name="order-note-xml"),
    ]
