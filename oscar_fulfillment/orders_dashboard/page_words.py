"""The order page's sentences: who did what and when, and what a history row holds, in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from oscar_fulfillment.core.actors import CUSTOMER, PROVIDER, USER
from oscar_fulfillment.services import messages as mails

from . import history_facts
from .money_words import money, provider_name
from .page_words_edit import edit_facts

#: action -> sentence with %(actor)s.
DONE = {
    "place": gettext_lazy("%(actor)s placed the order"),
    "backfill": gettext_lazy("%(actor)s took the order over from before"),
    "approve_payment": gettext_lazy("%(actor)s approved the payment"),
    "authorize_payment": gettext_lazy("%(actor)s held the payment"),
    "capture_payment": gettext_lazy("%(actor)s charged the held sum"),
    "refund_payment": gettext_lazy("%(actor)s refunded the payment"),
    "reopen_payment": gettext_lazy("%(actor)s took the payment up again"),
    "cancel_payment": gettext_lazy("%(actor)s cancelled the payment"),
    "begin_payment": gettext_lazy("%(actor)s began a payment"),
    "report": gettext_lazy("%(actor)s told us of the payment"),
    "request_capture": gettext_lazy("%(actor)s asked the provider for the held sum"),
    "request_void": gettext_lazy("%(actor)s asked the provider to give the held sum back"),
    "request_refund": gettext_lazy("%(actor)s asked the provider for a refund"),
    "refuse_operation": gettext_lazy("%(actor)s did not do what was asked"),
    "confirm_payout": gettext_lazy("%(actor)s confirmed the payout"),
    "charge_back": gettext_lazy("%(actor)s told us that the buyer's bank took the money back"),
    "receive_money": gettext_lazy("%(actor)s booked money that came in"),
    "pay_back": gettext_lazy("%(actor)s paid money back"),
    "keep_credit": gettext_lazy("%(actor)s kept money as a credit note"),
    "remind": gettext_lazy("A reminder went to the customer"),
    "extend_reservation": gettext_lazy("%(actor)s extended the reservation"),
    "reservation_ends": gettext_lazy("The last day of the reservation began"),
    "hold_ends": gettext_lazy("The held payment is about to end"),
    "assign_followup": gettext_lazy("%(actor)s assigned a follow-up"),
    "close_followup": gettext_lazy("%(actor)s closed a follow-up"),
    "release": gettext_lazy("%(actor)s released the order"),
    "invoice": gettext_lazy("%(actor)s entered the fiscal document"),
    "cancel_invoice": gettext_lazy("%(actor)s took the invoice back"),
    "file_note": gettext_lazy("%(actor)s filed a fiscal document"),
    "dispatch": gettext_lazy("%(actor)s dispatched the order"),
    "deliver": gettext_lazy("%(actor)s marked the order as delivered"),
    "return": gettext_lazy("%(actor)s marked the order as returned"),
    "hand_over": gettext_lazy("%(actor)s handed the goods over"),
    "ready_for_pickup": gettext_lazy("%(actor)s made the goods ready for pick-up"),
    "wrong_code": gettext_lazy("%(actor)s entered a wrong pick-up code"),
    "pack": gettext_lazy("%(actor)s packed the goods"),
    "cancel": gettext_lazy("%(actor)s cancelled the order"),
    "restore": gettext_lazy("%(actor)s restored the order"),
    "place_hold": gettext_lazy("%(actor)s put the order on hold"),
    "release_hold": gettext_lazy("%(actor)s released a hold"),
    "expire_hold": gettext_lazy("A hold ended by itself"),
    "change_tracking": gettext_lazy("%(actor)s changed the tracking code"),
    "change_parcels": gettext_lazy("%(actor)s changed the parcels"),
    "split_shipment": gettext_lazy("%(actor)s split a shipment"),
    "merge_shipments": gettext_lazy("%(actor)s put shipments together"),
    "cancel_shipment": gettext_lazy("%(actor)s cancelled a shipment"),
    "order_carriage": gettext_lazy("%(actor)s ordered the carriage"),
    "carriage_ordered": gettext_lazy("%(actor)s gave its number"),
    "carriage_refused": gettext_lazy("%(actor)s refused the order"),
    "cancel_carriage": gettext_lazy("%(actor)s cancelled the carriage"),
    "tracked": gettext_lazy("%(actor)s told us of a parcel"),
    "resolve_problem": gettext_lazy("%(actor)s settled the problem"),
    "request_return": gettext_lazy("%(actor)s asked to send goods back"),
    "approve_return": gettext_lazy("%(actor)s approved a return"),
    "refuse_return": gettext_lazy("%(actor)s refused a return"),
    "cancel_return": gettext_lazy("%(actor)s cancelled a return"),
    "receive_return": gettext_lazy("%(actor)s received goods of a return"),
    "settle_return": gettext_lazy("%(actor)s settled a return"),
    "send_replacement": gettext_lazy("%(actor)s prepared goods to be sent again"),
    "edit_order": gettext_lazy("%(actor)s edited the order"),
    "revert_edit": gettext_lazy("%(actor)s took the last edit back"),
}

MESSAGES = {
    mails.ORDER_PLACED: gettext_lazy("Order placed"),
    mails.PAYMENT_APPROVED: gettext_lazy("Payment approved"),
    mails.PAYMENT_AUTHORIZED: gettext_lazy("Payment held"),
    mails.PAYMENT_REFUSED: gettext_lazy("Payment refused, please try again"),
    mails.PAYMENT_REMINDER: gettext_lazy("Payment reminder"),
    mails.PAYMENT_REFUNDED: gettext_lazy("Payment refunded"),
    mails.ORDER_CONFIRMED: gettext_lazy("Order confirmed"),
    mails.ORDER_DISPATCHED: gettext_lazy("Order sent"),
    mails.TRACKING_ASSIGNED: gettext_lazy("Tracking code"),
    mails.PICKUP_READY: gettext_lazy("Goods ready for pick-up"),
    mails.ORDER_DELIVERED: gettext_lazy("Order delivered"),
    mails.ORDER_CANCELLED: gettext_lazy("Order cancelled"),
    mails.ORDER_EDITED: gettext_lazy("Order changed"),
    mails.CUSTOMER_NOTE: gettext_lazy("Note to the customer"),
    mails.RETURN_REQUESTED: gettext_lazy("Return asked for"),
    mails.RETURN_APPROVED: gettext_lazy("Return approved"),
    mails.RETURN_REFUSED: gettext_lazy("Return refused"),
    mails.RETURN_RECEIVED: gettext_lazy("Returned goods received"),
    mails.RETURN_SETTLED: gettext_lazy("Return settled"),
    mails.OPERATOR_NEW_ORDER: gettext_lazy("New order (to the shop)"),
    mails.OPERATOR_RETURN: gettext_lazy("Return asked for (to the shop)"),
}

MESSAGE_STATUS = {
    "pending": (pgettext_lazy("message status", "Waiting"), "secondary"),
    "sending": (pgettext_lazy("message status", "Being sent"), "info"),
    "sent": (pgettext_lazy("message status", "Sent"), "success"),
    "dead": (pgettext_lazy("message status", "Not sent"), "danger"),
    "unknown": (pgettext_lazy("message status", "Not known whether sent"), "warning"),
}

PROBLEMS = {
    "refund_due": gettext_lazy("The order, or a part of it, was cancelled although its payment is in: pay it back."),
    "mail_failed": gettext_lazy("A mail of this order could not be sent. See “Mails and messages”."),
    "late_money": gettext_lazy("Money came after the order was cancelled: decide what becomes of it."),
    "payment_mismatch": gettext_lazy("What the provider says of the payment does not match the order."),
    "refund_failed": gettext_lazy("A refund was granted, and the provider did not execute it."),
    "capture_failed": gettext_lazy("The held sum could not be charged."),
    "charge_back": gettext_lazy("The buyer's bank took the money back."),
    "carriage_refused": gettext_lazy("The carrier refused to carry a shipment. Its words are with the shipment."),
}

SHIPMENT_TONES = {
    "pending": "secondary",
    "dispatched": "primary",
    "delivered": "success",
    "returned": "dark",
    "cancelled": "danger",
}

RETURN_TONES = {
    "requested": "warning",
    "approved": "info",
    "received": "primary",
    "settled": "success",
    "refused": "danger",
    "cancelled": "secondary",
}


def ago(when: datetime, now: datetime | None = None) -> str:
    """How long ago, in the one unit that says most: "20 seconds ago"."""
    seconds = max(int(((now or timezone.now()) - when).total_seconds()), 0)
    if seconds < 60:
        return ngettext("%(count)d second ago", "%(count)d seconds ago", seconds) % {"count": seconds}
    if seconds < 3600:
        minutes = seconds // 60
        return ngettext("%(count)d minute ago", "%(count)d minutes ago", minutes) % {"count": minutes}
    if seconds < 86400:
        hours = seconds // 3600
        return ngettext("%(count)d hour ago", "%(count)d hours ago", hours) % {"count": hours}
    days = seconds // 86400
    return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}


def clock(when: datetime) -> str:
    """The time of day where the shop is; with the date when it was another day."""
    local = timezone.localtime(when)
    if local.date() == timezone.localdate():
        return time_format(local, "TIME_FORMAT")
    return date_format(local, "SHORT_DATETIME_FORMAT")


def who(change: Any) -> str:
    """Who did it: a person's name, the customer, the provider, or the program."""
    if change.actor_kind == CUSTOMER:
        return _("The customer")
    if change.actor_kind == PROVIDER:
        return provider_name(change.actor_label)
    if change.actor_kind == USER:
        return change.actor_label or _("Somebody")
    return change.actor_label or _("The system")


def what(change: Any) -> str:
    """What was done by whom, as a sentence without its full stop."""
    sentence = DONE.get(change.action)
    if sentence is None:
        return _("%(actor)s did “%(step)s”") % {"actor": who(change), "step": change.action_label}
    return sentence % {"actor": who(change)}


def happened(change: Any) -> str:
    """``Ana approved the payment 20 seconds ago (12:03).``"""
    return _("%(what)s %(ago)s (%(time)s).") % {
        "what": what(change),
        "ago": ago(change.created_at),
        "time": clock(change.created_at),
    }


def done(change: Any) -> str:
    """What the person reads after a step; the same for the first result and for its replay."""
    if change.to_status:
        return _("%(step)s: done. The status is now “%(state)s”.") % {
            "step": change.action_label,
            "state": change.to_label,
        }
    return _("%(step)s: done.") % {"step": change.action_label}


def message_label(kind: str) -> str:
    """What a message is about; an unknown kind reads as its name."""
    return str(MESSAGES.get(kind) or capfirst(kind.removeprefix("FULFILLMENT_").replace("_", " ").lower()))


def problem_label(code: str) -> str:
    """A problem in words."""
    return str(PROBLEMS.get(code, code))


def facts(change: Any, titles: Mapping[str, str], numbers: Mapping[int, int]) -> list[tuple[str, str]]:
    """What a history row holds beside the statuses: (name, value), both plain text.

    ``titles`` names order lines by their pk as text, ``numbers`` shipments by their pk.
    """
    data = change.data if isinstance(change.data, dict) else {}
    if change.machine == "edit":
        return edit_facts(data, money)
    found = []
    if data.get("override"):
        found.append((_("Override"), _("The provider was overridden by hand")))
    found += history_facts.facts(change, data)
    if data.get("kind") == "none":
        found.append((_("Fiscal document"), _("None")))
    if isinstance(data.get("lines"), dict):
        goods = ", ".join(f"{quantity} × {titles.get(pk, pk)}" for pk, quantity in data["lines"].items() if quantity)
        found.append((_("Goods"), goods))
    shipped = data.get("shipments") or ([data["shipment"]] if data.get("shipment") else [])
    known = [f"#{numbers[pk]}" for pk in shipped if pk in numbers] if isinstance(shipped, list) else []
    if known and len(numbers) > 1:
        found.append((_("Shipment"), ", ".join(known)))
    if "mailed" in data:
        found.append((_("Mail to the customer"), _("Yes") if data["mailed"] else _("No")))
    if "by_code" in data:
        found.append((_("Pick-up code"), _("Shown") if data["by_code"] else _("Not shown")))
    if "keep" in data:
        found.append((_("Goods that are not sent"), _("Wait to be released again") if data["keep"] else _("Given up")))
    if "restock" in data:
        found.append((_("Back in stock"), _("Yes") if data["restock"] else _("No")))
    if change.machine == "hold" and data.get("code"):
        from oscar_fulfillment.services.holds import HOLD_REASONS

        found.append((_("Reason"), str(HOLD_REASONS.get(data["code"], data["code"]))))
    if change.machine == "message" and isinstance(data.get("kind"), str):
        found.append((_("Mail"), message_label(data["kind"])))
    if data.get("problem"):
        found.append((_("Problem"), problem_label(data["problem"])))
    return found
