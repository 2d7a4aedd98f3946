"""What the carriers' page shows: each carrier with its abilities, its parcels and its health, in a few statements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.models import CarrierOrder, CarrierSetup, LaneHealth, Parcel, UnmappedCode

#: The words for what carriers can do, with the icon of each.
ABILITIES: dict[str, tuple[Any, str]] = {
    Capability.TRACKING_URL: (_("Tracking link"), "fa-link"),
    Capability.MAILS_TRACKING_LINK: (_("Mails the link by itself"), "fa-envelope"),
    Capability.TRACK: (_("Is asked for parcels"), "fa-search-location"),
    Capability.WEBHOOK: (_("Tells by itself"), "fa-bell"),
    Capability.CREATE_ORDER: (_("Takes orders"), "fa-truck"),
    Capability.LABEL: (_("Prints labels"), "fa-tag"),
    Capability.DISTANCE: (_("Knows distances"), "fa-ruler"),
    Capability.PICKUP: (_("The customer collects"), "fa-store"),
}
CODES_SHOWN = 50


@dataclass
class CarrierRow:
    """One carrier as the page shows it. ``problem`` says why it cannot be used, ``rests_until`` that it is down."""

    alias: str
    name: str
    adapter: Any = None
    setup: CarrierSetup | None = None
    problem: str = ""
    under_way: int = 0
    unanswered: int = 0
    asked_at: datetime | None = None
    waiting_orders: int = 0
    unknown_codes: int = 0
    rests_until: datetime | None = None
    error: str = ""

    @property
    def is_own(self) -> bool:
        return self.setup is not None and self.setup.is_own

    @property
    def is_active(self) -> bool:
        return self.setup is None or self.setup.is_active

    @property
    def abilities(self) -> list[tuple[Any, str]]:
        if self.adapter is None:
            return []
        return [words for name, words in ABILITIES.items() if name in self.adapter.capabilities]

    def can(self, capability: str) -> bool:
        return self.adapter is not None and capability in self.adapter.capabilities


def carrier_rows() -> list[CarrierRow]:
    """Every carrier of the shop: those of the settings first, then its own. Six statements for any number."""
    setups = {setup.alias: setup for setup in CarrierSetup._default_manager.all()}
    own = [alias for alias, setup in setups.items() if setup.is_own and alias not in carriers.declared()]
    found = [_row(alias, setups.get(alias)) for alias in (*carriers.declared(), *own)]
    parcels: dict[str, dict[str, Any]] = {
        each["carrier"]: dict(each)
        for each in Parcel._default_manager.order_by()
        .filter(status="dispatched")
        .values("carrier")
        .annotate(n=Count("pk"), asked=Max("checked_at"), lost=Count("pk", filter=~Q(tracking_problem="")))
    }
    orders = dict(
        CarrierOrder._default_manager.order_by()
        .filter(status__in=["requested", "accepted"])
        .values_list("carrier")
        .annotate(n=Count("pk"))
    )
    codes = dict(UnmappedCode._default_manager.order_by().values_list("carrier").annotate(n=Count("pk")))
    health = {row.name: row for row in LaneHealth._default_manager.all()}
    for row in found:
        counted = parcels.get(row.alias, {})
        row.under_way, row.asked_at = counted.get("n", 0), counted.get("asked")
        row.unanswered = counted.get("lost", 0)
        row.waiting_orders, row.unknown_codes = orders.get(row.alias, 0), codes.get(row.alias, 0)
        for name in (f"tracking:{row.alias}", outbox.PUMP.health_name(f"carriers:{row.alias}")):
            if name in health:
                row.rests_until, row.error = health[name].paused_until, health[name].error
    return found


def carrier_row(alias: str) -> CarrierRow | None:
    """One of them; None for an alias that the shop does not have."""
    return next((row for row in carrier_rows() if row.alias == alias), None)


def _row(alias: str, setup: CarrierSetup | None) -> CarrierRow:
    try:
        adapter = carriers.get(alias)
    except (ConfigurationError, KeyError) as error:
        return CarrierRow(alias, setup.name if setup else alias, setup=setup, problem=str(error))
    return CarrierRow(alias, str(adapter.name), adapter, setup)


def unknown_codes(limit: int | None = CODES_SHOWN) -> list[UnmappedCode]:
    """Codes that our tables do not know, the newest first."""
    rows = UnmappedCode._default_manager.order_by("-last_seen_at", "pk")
    return list(rows if limit is None else rows[:limit])
