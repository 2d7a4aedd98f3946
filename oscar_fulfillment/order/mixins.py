"""What our fork of Oscar's ``order`` app adds, for stores that have their own fork and mix it in."""

from __future__ import annotations

from typing import Any

from oscar.apps.order import exceptions

from oscar_fulfillment.conf import settings


class FulfillmentOrderMixin:
    """For the ``Order`` model: a change of status goes through the fulfillment services."""

    @classmethod
    def all_statuses(cls) -> list[str]:
        """The shop's own pipeline where it has one, else the projected statuses."""
        return super().all_statuses() or list(settings.ORDER_STATUS.values())  # type: ignore[misc]

    def available_statuses(self) -> list[str] | tuple[str, ...]:
        """What one step leads to; Oscar's own pipeline for orders without a fulfillment row."""
        from oscar_fulfillment.services import oscar_bridge

        fulfillment = oscar_bridge.fulfillment_of(self)
        if fulfillment is None:
            return super().available_statuses()  # type: ignore[misc]
        return oscar_bridge.reachable_statuses(self, fulfillment)

    def set_status(self, new_status: str) -> None:
        """As Oscar's, but through our door. Raises ``InvalidOrderStatus`` with the reasons."""
        from oscar_fulfillment.services import oscar_bridge

        if new_status == self.status:  # type: ignore[attr-defined]
            return
        if oscar_bridge.fulfillment_of(self) is None or not oscar_bridge.set_status(
            self, new_status, oscar_bridge.actor_for(None)
        ):
            super().set_status(new_status)  # type: ignore[misc]

    set_status.alters_data = True  # type: ignore[attr-defined]


class FulfillmentOrderCreatorMixin:
    """For ``OrderCreator``: the two statuses are born in the order's own transaction.

    ``place_order(fulfillment={...})`` hands on payment_method, tax_id, tax_id_kind, language and flow.
    """

    def create_order_model(self, *args: Any, **kwargs: Any) -> Any:
        from oscar_fulfillment.services.placing import record_placement

        given = kwargs.pop("fulfillment", None) or {}
        # Oscar passes (user, basket, shipping_address, shipping_method, shipping_charge, billing_address, total,
        # order_number, status, request) by position.
        arguments = list(args)
        if len(arguments) > 8 and not arguments[8]:
            arguments[8] = settings.ORDER_STATUS["received"]
        elif len(arguments) <= 8 and not kwargs.get("status"):
            kwargs["status"] = settings.ORDER_STATUS["received"]
        request = arguments[9] if len(arguments) > 9 else kwargs.get("request")
        order = super().create_order_model(*arguments, **kwargs)  # type: ignore[misc]
        record_placement(order=order, request=request, **given)
        return order


class FulfillmentEventHandlerMixin:
    """For ``EventHandler``: events that mean one of our steps become that step."""

    user: Any

    def handle_order_status_change(self, order: Any, new_status: str, note_msg: str | None = None) -> None:
        from oscar_fulfillment.services import oscar_bridge

        if oscar_bridge.fulfillment_of(order) is None or new_status == order.status:
            super().handle_order_status_change(order, new_status, note_msg)  # type: ignore[misc]
            return
        if not oscar_bridge.set_status(order, new_status, oscar_bridge.actor_for(self.user)):
            order.set_status(new_status)
        if note_msg:
            self.create_note(order, note_msg)  # type: ignore[attr-defined]

    def handle_shipping_event(
        self, order: Any, event_type: Any, lines: Any, line_quantities: Any, **kwargs: Any
    ) -> Any:
        from oscar_fulfillment.core.exceptions import FulfillmentError
        from oscar_fulfillment.services import oscar_bridge

        if oscar_bridge.fulfillment_of(order) is not None:
            quantities = {line.pk: quantity for line, quantity in zip(lines, line_quantities, strict=True)}
            try:
                if oscar_bridge.handle_shipping_event(
                    order, event_type.name, quantities, oscar_bridge.actor_for(self.user), kwargs.get("reference") or ""
                ):
                    return order.shipping_events.order_by("-pk").first()
            except FulfillmentError as error:
                raise exceptions.InvalidShippingEvent(str(error)) from error
        return super().handle_shipping_event(order, event_type, lines, line_quantities, **kwargs)  # type: ignore[misc]

    def handle_payment_event(
        self, order: Any, event_type: Any, amount: Any, lines: Any = None, line_quantities: Any = None, **kwargs: Any
    ) -> Any:
        from oscar_fulfillment.core.exceptions import FulfillmentError
        from oscar_fulfillment.services import oscar_bridge

        try:
            if oscar_bridge.handle_payment_event(
                order, event_type.name, amount, oscar_bridge.actor_for(self.user), kwargs.get("reference") or ""
            ):
                return order.payment_events.order_by("-pk").first()
        except FulfillmentError as error:
            raise exceptions.InvalidPaymentEvent(str(error)) from error
        return super().handle_payment_event(order, event_type, amount, lines, line_quantities, **kwargs)  # type: ignore[misc]
