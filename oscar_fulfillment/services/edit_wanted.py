"""What somebody wants of an order: differences from what it is, checked for what no order may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings as django_settings
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import InvalidInput

#: The most units of one line, where Oscar sets no limit of its own.
MOST_UNITS = 10_000
#: The column of a sum holds ten digits before the point.
MOST_MONEY = Decimal(10) ** 10


@dataclass(frozen=True)
class Shipping:
    """How it is sent: as agreed (both empty), by another method of the shop, or at a charge (with tax) set by hand."""

    method: str = ""
    charge: Decimal | None = None

    @property
    def as_agreed(self) -> bool:
        return not self.method and self.charge is None


@dataclass(frozen=True)
class Wanted:
    """``quantities``: units per order line pk (0 takes the line away), only where they differ from the order.
    ``added``: units per stock record pk."""

    quantities: Mapping[int, int] = field(default_factory=dict)
    added: Mapping[int, int] = field(default_factory=dict)
    shipping: Shipping = Shipping()

    @property
    def is_empty(self) -> bool:
        return not self.quantities and not self.added and self.shipping.as_agreed

    def to_json(self) -> dict[str, Any]:
        shipping: dict[str, str] = {}
        if self.shipping.method:
            shipping["method"] = self.shipping.method
        elif self.shipping.charge is not None:
            shipping["charge"] = str(self.shipping.charge)
        return {
            "quantities": {str(pk): quantity for pk, quantity in self.quantities.items()},
            "added": {str(pk): quantity for pk, quantity in self.added.items()},
            "shipping": shipping,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Wanted:
        """The inverse of :meth:`to_json`. :class:`InvalidInput` for anything else."""
        try:
            shipping = dict(data.get("shipping") or {})
            charge = shipping.get("charge")
            found = cls(
                {int(pk): int(quantity) for pk, quantity in dict(data.get("quantities") or {}).items()},
                {int(pk): int(quantity) for pk, quantity in dict(data.get("added") or {}).items()},
                Shipping(str(shipping.get("method") or ""), None if charge is None else Decimal(str(charge))),
            )
        except (TypeError, ValueError, AttributeError, InvalidOperation) as error:
            raise InvalidInput({"__all__": [_("This draft cannot be read.")]}) from error
        found.check()
        return found

    def check(self) -> None:
        """:class:`InvalidInput` for quantities and charges that no order may have."""
        errors: dict[str, list[Any]] = {}
        most = most_units()
        for prefix, quantities in (("line", self.quantities), ("new", self.added)):
            for pk, quantity in quantities.items():
                if not 0 <= quantity <= most:
                    errors[f"{prefix}-{pk}"] = [_("Enter a number between 0 and %(most)d.") % {"most": most}]
        charge = self.shipping.charge
        if charge is not None and (not charge.is_finite() or not 0 <= charge < MOST_MONEY):
            errors["charge"] = [_("Enter a sum of zero or more.")]
        if errors:
            raise InvalidInput(errors)


def most_units() -> int:
    """The most units of one order, by Oscar's own setting against baskets that exhaust its offers."""
    return getattr(django_settings, "OSCAR_MAX_BASKET_QUANTITY_THRESHOLD", None) or MOST_UNITS
