"""Who is named on a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Party:
    """A person or firm. ``country`` is an ISO code of two letters, ``lines`` the address as the country writes it
    (default: made of the parts), ``tax_ids`` pairs of label and number, ``contact`` lines such as mail and phone."""

    name: str
    street: str = ""
    house_number: str = ""
    postcode: str = ""
    city: str = ""
    country: str = ""
    lines: tuple[str, ...] = ()
    tax_ids: tuple[tuple[str, str], ...] = ()
    contact: tuple[str, ...] = ()

    @property
    def address(self) -> tuple[str, ...]:
        """The lines below the name."""
        made = (f"{self.street} {self.house_number}".strip(), f"{self.postcode} {self.city}".strip())
        return self.lines or tuple(line for line in made if line)

    def texts(self) -> dict[str, Any]:
        """What a template shows of it."""
        return {
            "name": self.name,
            "address": list(self.address),
            "tax_ids": [list(pair) for pair in self.tax_ids],
            "contact": list(self.contact),
        }
