"""What the visitor chose so far, kept in the session."""

from __future__ import annotations

from oscar.apps.checkout import utils as oscar_utils

from .identity import TaxIdentity


class FulfillmentSessionMixin:
    """For Oscar's ``CheckoutSessionData``: the buyer's tax number. (The payment method is Oscar's ``pay_by``.)"""

    def use_tax_identity(self, identity: TaxIdentity | None) -> None:
        if identity is None:
            self._unset("payment", "tax_identity")
        else:
            self._set("payment", "tax_identity", [identity.kind, identity.number])

    def tax_identity(self) -> TaxIdentity | None:
        stored = self._get("payment", "tax_identity")
        return TaxIdentity(*stored) if stored else None


class CheckoutSessionData(FulfillmentSessionMixin, oscar_utils.CheckoutSessionData):
    pass
