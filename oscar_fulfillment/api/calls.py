"""One call, read and checked: whose it is, what it is about, what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oscar_fulfillment.models import ApiKey, OrderFulfillment
from oscar_fulfillment.services.api_systems import Reach

from .problems import Problem, not_found


@dataclass(frozen=True)
class Call:
    """What a handler gets. ``path``: the parts of the URL; ``query`` and ``body`` hold to the operation's shapes."""

    key: ApiKey
    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reach(self) -> Reach:
        return Reach.of(self.key)

    def order(self) -> OrderFulfillment:
        """The order of the path, with Oscar's. 404 also for one beyond the key's reach."""
        number = self.path["number"]
        if len(number) > 128 or "\x00" in number:
            raise not_found()
        rows = self.reach.orders().select_related("order", "payment_method").filter(number=number)
        found: OrderFulfillment | None = rows.first()
        if found is None:
            raise not_found()
        found.order._state.fields_cache["fulfillment"] = found
        return found

    def demand(self, scope: str) -> None:
        """403 where the key may not do this."""
        if scope not in self.key.scopes:
            raise Problem(403, "forbidden", f"This key lacks the scope {scope}.")
