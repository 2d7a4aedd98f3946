"""Saved views of the order list."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.models import SavedView

#: A person who needs more has lost the overview already.
MAX_VIEWS = 50


def save_view(*, owner: Any, name: str, query: str, is_shared: bool = False) -> SavedView:
    """Keep these filters under a name. The caller has read ``query`` and checked the permission to share.

    Raises :class:`InvalidInput` for a name that is empty, too long or taken, and for more than MAX_VIEWS views.
    """
    name = _read_name(name)
    if len(query) > SavedView._meta.get_field("query").max_length:  # type: ignore[operator]
        raise InvalidInput({"name": [_("These are too many filters for one view.")]})
    if SavedView._default_manager.filter(owner=owner).count() >= MAX_VIEWS:
        message = ngettext("At most %(limit)d view.", "At most %(limit)d views.", MAX_VIEWS) % {"limit": MAX_VIEWS}
        raise InvalidInput({"name": [message]})
    view = SavedView(owner=owner, name=name, query=query, is_shared=is_shared)
    _save(view, force_insert=True)
    return view


def change_view(*, view: SavedView, name: str, is_shared: bool) -> SavedView:
    """Rename a view, share it or take it back."""
    view.name, view.is_shared = _read_name(name), is_shared
    _save(view, update_fields=["name", "is_shared"])
    return view


def delete_view(*, view: SavedView) -> None:
    """Forget a view. Orders are not touched."""
    view.delete()


def _read_name(name: str) -> str:
    name = clean_text("name", name, limit=60)
    if not name:
        raise InvalidInput({"name": [_("Give the view a name.")]})
    return " ".join(name.split())


def _save(view: SavedView, **options: Any) -> None:
    try:
        with transaction.atomic():
            view.save(**options)
    except IntegrityError:
        raise InvalidInput({"name": [_("You have a view of this name already.")]}) from None
