"""Who does something: a person, the customer, the system, a provider or a rule. There is no change without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

USER, CUSTOMER, SYSTEM, PROVIDER, RULE = "user", "customer", "system", "provider", "rule"


@dataclass(frozen=True)
class Actor:
    """One who acts. ``label`` is kept in the history, so that it still reads when the user is long gone."""

    kind: str
    label: str
    user: Any = None

    @classmethod
    def from_user(cls, user: Any) -> Actor:
        """A member of staff. Anonymous users do nothing: ValueError."""
        if not getattr(user, "is_authenticated", False):
            raise ValueError("an anonymous user cannot act")
        return cls(USER, (user.get_full_name() or user.get_username() or user.email)[:150], user)

    @classmethod
    def customer(cls, order: Any) -> Actor:
        """The buyer of an order; guests have a name in their address at best, so the label is the mail."""
        return cls(CUSTOMER, (order.email or "guest")[:150], order.user)

    @classmethod
    def system(cls, name: str) -> Actor:
        """One of our own tasks or commands, by name."""
        return cls(SYSTEM, name[:150])

    @classmethod
    def provider(cls, name: str) -> Actor:
        """A payment provider, carrier or ERP that told us something."""
        return cls(PROVIDER, name[:150])

    @classmethod
    def rule(cls, name: str) -> Actor:
        """An automation rule of the merchant."""
        return cls(RULE, name[:150])
