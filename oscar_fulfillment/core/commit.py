"""Work for after the commit that can neither undo the change nor hide it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction


def after_commit(function: Callable[..., Any], *arguments: Any, using: str | None = None) -> None:
    """Call ``function(*arguments)`` once the transaction is committed; an error is logged, and the next one called.

    A plain function is handed to Django, never a ``partial``: Django logs a failed callback by its ``__qualname__``,
    and would raise for one that has none.
    """

    def call() -> None:
        function(*arguments)

    call.__qualname__ = getattr(function, "__qualname__", repr(function))
    transaction.on_commit(call, using=using, robust=True)
