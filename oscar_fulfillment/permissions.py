"""Who may do what: one permission per step, asked by the callers of services from this one table."""

from __future__ import annotations

from typing import Any

#: action -> codename of a permission of the app ``oscar_fulfillment``.
PERMISSIONS = {
    "approve_payment": "approve_payment",
    "override_payment": "override_payment",
    "capture_payment": "capture_payment",
    "void_payment": "capture_payment",
    "refund_payment": "refund_payment",
    "receive_money": "approve_payment",
    "keep_credit": "refund_payment",
    "confirm_payout": "import_statements",
    "check_payment": "view_orderfulfillment",
    "edit_order": "edit_order",
    "revert_edit": "edit_order",
    "extend_reservation": "extend_reservation",
    "restore": "restore_order",
    "manage_payment_methods": "manage_payment_methods",
    "manage_followups": "manage_followups",
    "import_statements": "import_statements",
    "release": "release_order",
    "order_missing": "order_missing_goods",
    "invoice": "invoice_order",
    "cancel_invoice": "invoice_order",
    "issue_nfe": "issue_nfe",
    "manage_tax_profiles": "manage_tax_profiles",
    "dispatch": "dispatch_order",
    "change_tracking": "dispatch_order",
    "import_codes": "dispatch_order",
    "import_events": "dispatch_order",
    "deliver": "deliver_order",
    "return": "deliver_order",
    "change_parcels": "dispatch_order",
    "split_shipment": "dispatch_order",
    "merge_shipments": "dispatch_order",
    "cancel_shipment": "release_order",
    "order_carriage": "dispatch_order",
    "cancel_carriage": "dispatch_order",
    "print_carriage": "dispatch_order",
    "check_tracking": "view_orderfulfillment",
    "pack": "dispatch_order",
    "ready_for_pickup": "dispatch_order",
    "hand_over": "deliver_order",
    "work_returns": "work_returns",
    "receive_return": "work_returns",
    "send_replacement": "work_returns",
    "manage_carriers": "manage_carriers",
    "import_tracking": "dispatch_order",
    "cancel": "cancel_order",
    "place_hold": "hold_order",
    "release_hold": "hold_order",
    "resolve_problem": "hold_order",
    "add_note": "annotate_order",
    "tell_customer": "annotate_order",
    "print": "view_orderfulfillment",
    "print_picking": "view_orderfulfillment",
    "print_danfe": "view_orderfulfillment",
    "print_danfe_labels": "view_orderfulfillment",
    "print_labels": "view_orderfulfillment",
    "export": "export_orders",
    "export_accounts": "export_accounts",
    "share_view": "share_view",
    "manage_messages": "manage_messages",
    "manage_webhooks": "manage_webhooks",
    "manage_connectors": "manage_connectors",
}


def user_may(user: Any, action: str) -> bool:
    """Whether this user may do this, on any order they can see. A shop's own step names its permission itself.

    Unknown actions are refused.
    """
    if not getattr(user, "is_active", False):
        return False
    codename = PERMISSIONS.get(action) or _declared_permission(action)
    return bool(codename) and user.has_perm(codename if "." in codename else f"oscar_fulfillment.{codename}")


def _declared_permission(action: str) -> str:
    from .flows import flows

    for flow in flows().values():
        for machine in flow.machines.values():
            if action in machine.transitions:
                return machine.transitions[action].permission
    return ""
