"""What happens after a change is committed can no longer undo it, and must not hide it either."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import transaction

logger = logging.getLogger("oscar_fulfillment")


def after_commit(function: Callable[..., Any], *args: Any) -> None:
    """Call ``function(*args)`` once the current transaction is committed; what it raises is logged.

    Not ``on_commit(partial(...), robust=True)``: to log what a robust hook raised Django asks it for a name, which a
    ``partial`` does not have, and the caller of a step that was done would get an AttributeError.
    """

    def hook() -> None:
        try:
            function(*args)
        except Exception:
            logger.exception("%s failed after the commit", getattr(function, "__qualname__", function))

    transaction.on_commit(hook, robust=True)
