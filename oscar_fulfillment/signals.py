"""Signals for other people's code.

All but the ``validate_*`` ones are sent after the commit with ``send_robust``: a receiver that raises is logged and
never undoes or hides a change. ``sender`` is the model class. Each carries ``order``, ``fulfillment``, ``change``
(the history row) and ``actor``.
"""

from django.dispatch import Signal

validate_transition = Signal()
"""Before a step is written, inside its transaction. Receives ``step`` (:class:`core.transitions.Step`), ``order`` and
``actions`` (tuple of (machine, action)). Raise ``django.core.exceptions.ValidationError`` to veto: the step is
refused with your message and nothing is written. Do no slow work here."""

status_changed = Signal()
"""After any step that moved a status. Receives also ``changes`` (all history rows of the step)."""

order_recorded = Signal()
"""After an order was placed and has its fulfillment row."""

payment_approved = Signal()
"""After the money was found to be in: by a person, a provider or a bank statement."""

payment_authorized = Signal()
"""After a provider holds the money."""

payment_refunded = Signal()
"""After a refund was executed by the provider, or noted as executed. Receives also ``amount``."""

payment_cancelled = Signal()
"""After it became clear that no money comes: refused, expired, or the order was cancelled."""

late_payment = Signal()
"""After money arrived for an order that was cancelled before. A follow-up is open. Receives also ``amount``."""

order_edited = Signal()
"""After lines or shipping of an order were changed before it left, or such a change was taken back. Receives also
``difference`` (money)."""

order_restored = Signal()
"""After a cancelled order was taken up again and its stock allocated anew."""

order_released = Signal()
"""After an order (or the rest of one) was released for invoicing, or its processing was started."""

order_invoiced = Signal()
"""After a fiscal document, or the decision for none, was entered."""

order_dispatched = Signal()
"""After a shipment left. Receives also ``shipments``, the ids of the shipments that left."""

order_delivered = Signal()
"""After goods were marked as delivered."""

order_returned = Signal()
"""After the goods came back."""

order_cancelled = Signal()
"""After an order was cancelled and its stock freed."""

parcel_tracked = Signal()
"""After what a carrier says of a parcel changed. Receives only ``parcel`` (:class:`models.Parcel`), whose
``tracking_*`` and ``incident`` say what is new."""

carriage_ordered = Signal()
"""After a carrier gave the number of an order that we placed with it. Receives also ``carrier_order``."""

return_requested = Signal()
"""After a return was asked for, by the customer or by staff. Receives also ``return_id``."""

return_received = Signal()
"""After returned goods were received and inspected. Receives also ``return_id``."""

return_settled = Signal()
"""After a return came to its end: refunded, exchanged, or nothing. Receives also ``return_id``."""

pickup_ready = Signal()
"""After goods were made ready for the customer to collect. Receives also ``shipments``."""

hold_placed = Signal()
"""After an order was put on hold."""

hold_released = Signal()
"""After a hold was released or ended by itself."""

message_died = Signal()
"""After an outgoing message was given up. Receives ``message`` (:class:`models.OutboundMessage`)."""

#: Which signal announces which action.
BY_ACTION = {
    "place": order_recorded,
    "approve_payment": payment_approved,
    "capture_payment": payment_approved,
    "authorize_payment": payment_authorized,
    "refund_payment": payment_refunded,
    "cancel_payment": payment_cancelled,
    "edit_order": order_edited,
    "revert_edit": order_edited,
    "restore": order_restored,
    "release": order_released,
    "invoice": order_invoiced,
    "dispatch": order_dispatched,
    "deliver": order_delivered,
    "return": order_returned,
    "cancel": order_cancelled,
    "hand_over": order_delivered,
    "ready_for_pickup": pickup_ready,
    "carriage_ordered": carriage_ordered,
    "request_return": return_requested,
    "receive_return": return_received,
    "settle_return": return_settled,
    "place_hold": hold_placed,
    "release_hold": hold_released,
    "expire_hold": hold_released,
}
