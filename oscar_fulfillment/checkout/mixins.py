"""Placing the order: once, however often the button is clicked, and without a mail from the web process."""

from __future__ import annotations

from oscar.apps.checkout import mixins as oscar_mixins
from oscar.core.loading import get_model

Basket = get_model("basket", "Basket")


class AlreadySubmitted(Exception):
    """Another request is placing, or has placed, the order of this basket."""


class FulfillmentPlacementMixin:
    """For Oscar's ``OrderPlacementMixin``."""

    def freeze_basket(self, basket):
        """Freeze the basket for this request alone: of two clicks on "place order" one gets it."""
        taken = Basket._default_manager.filter(pk=basket.pk, status__in=Basket.editable_statuses).update(
            status=Basket.FROZEN
        )
        if not taken:
            raise AlreadySubmitted
        super().freeze_basket(basket)

    def send_order_placed_email(self, order):
        """Nothing where the order has its fulfillment row: its mail is in the outbox since the order's transaction."""
        if not hasattr(order, "fulfillment"):
            super().send_order_placed_email(order)


class OrderPlacementMixin(FulfillmentPlacementMixin, oscar_mixins.OrderPlacementMixin):
    pass
