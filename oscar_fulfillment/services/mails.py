"""Mails from outbox rows: rendered when they are sent, in the order's language, as Oscar communication events.

The handler of the destination "mail". A shop edits the texts in Oscar's dashboard or by templates of its own
(``oscar/communication/emails/commtype_<code>_subject.txt``, ``_body.txt``, ``_body.html``); an empty one switches the
mail off. Logs name messages and error types, never people.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings as django_settings
from django.contrib.sites.models import Site
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_class, get_model

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import OutboundMessage, PaymentTerms, StatusChange
from oscar_fulfillment.selectors.customer import CUSTOMER_NOTE_TYPE, coming_parcels, order_journey
from oscar_fulfillment.selectors.paying import paying
from oscar_fulfillment.selectors.payment_links import absolute_url, order_path, payment_path

from . import cash, documents, ledger, messages, return_mails
from .door import move
from .languages import nearest_language
from .mail_attachments import WITH_INVOICE, attachments, pickups_of
from .post import Post, is_address

logger = logging.getLogger("oscar_fulfillment.mails")
# Oscar's dispatcher logs addresses; ours does not.
SILENT = logging.Logger("oscar_fulfillment.mails.silent")
SILENT.disabled = True

#: The communication event types, with the names that Oscar's dashboard shows.
EVENT_TYPES: dict[str, Any] = {
    messages.ORDER_PLACED: _("Order: received, awaiting processing"),
    messages.PAYMENT_APPROVED: _("Order: payment received"),
    messages.ORDER_CONFIRMED: _("Order: confirmed, awaiting dispatch"),
    messages.ORDER_DISPATCHED: _("Order: sent"),
    messages.TRACKING_ASSIGNED: _("Order: tracking number"),
    messages.PICKUP_READY: _("Order: ready for pick-up"),
    messages.ORDER_DELIVERED: _("Order: delivered"),
    messages.ORDER_CANCELLED: _("Order: cancelled"),
    messages.ORDER_EDITED: _("Order: changed before it leaves"),
    messages.PAYMENT_AUTHORIZED: _("Order: payment reserved"),
    messages.PAYMENT_REMINDER: _("Order: payment reminder"),
    messages.PAYMENT_REFUSED: _("Order: payment refused, to be tried again"),
    messages.PAYMENT_REFUNDED: _("Order: money refunded"),
    messages.CUSTOMER_NOTE: _("Order: message from the shop"),
    messages.RETURN_REQUESTED: _("Return: asked for"),
    messages.RETURN_APPROVED: _("Return: approved, with the return slip"),
    messages.RETURN_REFUSED: _("Return: refused"),
    messages.RETURN_RECEIVED: _("Return: goods received"),
    messages.RETURN_SETTLED: _("Return: refund, exchange, or neither"),
    messages.OPERATOR_NEW_ORDER: _("Order: everything about a new one, to the shop"),
    messages.OPERATOR_RETURN: _("Return: a customer asks for one, to the shop"),
    messages.SUPPLIER_ORDER: _("Missing goods: order to the supplier"),
}

#: What sends the kinds of mail that are not about one order; see ``receivers``.
SENDERS: dict[str, Callable[[Any], None]] = {}

#: The problem of an order one of whose mails could not be sent.
MAIL_FAILED = "mail_failed"
FAILED = Move("message", "mail_failed", is_record=True)
SENT_AFTER_ALL = Move("message", "mail_sent", is_record=True)
#: In a message's payload: the mail is out, whatever became of the worker since.
_OUT = "out"


def send_mail(message: Any) -> None:
    """The outbox's handler. Raises ``AdapterUnavailable`` to be tried again, ``AdapterRejected`` for good."""
    if message.kind in SENDERS:
        SENDERS[message.kind](message)
        return
    order = _order(message)
    if not is_out(message):
        _send(message, order)
    if order.fulfillment.problem == MAIL_FAILED:
        _settle(message, order)


def is_out(message: Any) -> bool:
    """Whether the mail went out already, in an earlier try whose end was not noted."""
    return bool(message.payload.get(_OUT))


def _order(message: Any) -> Any:
    orders = get_model("order", "Order")._default_manager.select_related(
        "fulfillment__payment_method", "user", "site", "shipping_address__country", "billing_address__country"
    )
    order = orders.filter(pk=message.payload.get("order_id"), fulfillment__isnull=False).first()
    if order is None:
        raise AdapterRejected("the order is gone")
    return order


def _send(message: Any, order: Any) -> None:
    is_ours = message.kind in messages.TO_THE_SHOP
    to = operators() if is_ours else [order.email]
    if is_ours and not to:
        logger.warning("%s: nobody is named in OPERATOR_EMAILS or MANAGERS", message)
        return
    if message.kind == messages.PICKUP_READY and not pickups_of(order, message.payload):
        logger.info("%s: too late, nothing waits any more", message)
        return
    to = [address for address in to if is_address(address)]
    if not to:
        raise AdapterRejected("there is no valid address")
    site = order.site or Site.objects.get_current()
    with translation.override(nearest_language("" if is_ours else order.fulfillment.language)):
        rendered = render(message.kind, order, message.payload, site)
        if not rendered["subject"] or not (rendered["body"] or rendered["html"]):
            logger.info("%s: the shop has emptied its template", message)
            return
        reply_to = [order.email] if is_ours and is_address(order.email) else []
        post = Post(message_id(message, site), to, reply_to, attachments(message.kind, order, message.payload))
        dispatcher = get_class("communication.utils", "Dispatcher")(logger=SILENT, mail_connection=post)
        if is_ours or order.user is None:
            dispatcher.send_email_messages(to[0], rendered)
        else:
            dispatcher.send_user_email_messages(order.user, rendered)
    note_out(message, None if is_ours else order)


def operators() -> list[str]:
    """Who gets the mail with everything at each order."""
    if settings.OPERATOR_EMAILS:
        return list(settings.OPERATOR_EMAILS)
    # Django 6 takes plain addresses, Django 5 pairs of name and address.
    return [manager if isinstance(manager, str) else manager[1] for manager in django_settings.MANAGERS]


def render(kind: str, order: Any, payload: dict[str, Any], site: Any) -> dict[str, str]:
    """Subject, body (text) and html of a mail about an order in the active language."""
    return render_event(kind, _context(order, site) | _about(kind, order, payload))


def render_event(kind: str, context: dict[str, Any]) -> dict[str, str]:
    """Subject, body (text) and html of a mail of this kind in the active language."""
    rendered = get_model("communication", "CommunicationEventType").objects.get_and_render(kind, context)
    # One line, whatever a title, a name or a template brings: also without the breaks that only mail readers know.
    rendered["subject"] = " ".join(rendered["subject"].split())
    # Blocks that stay empty leave blank lines behind.
    body = re.sub(r"\n[ \t]*(\n[ \t]*)+\n", "\n\n", rendered["body"].strip())
    return {**rendered, "body": f"{body}\n" if body else "", "sms": ""}


def _context(order: Any, site: Any) -> dict[str, Any]:
    """What Oscar's checkout gives its confirmation, and our two statuses."""
    context = {
        "user": order.user,
        "order": order,
        "lines": order.lines.all(),
        "site": site,
        "fulfillment": order.fulfillment,
        "journey": order_journey(order),
    }
    if path := order_path(order):
        context |= {"status_path": path, "status_url": absolute_url(site, path)}
    if paying(order).can_pay and (path := payment_path(order)):
        context["pay_url"] = absolute_url(site, path)
    return context


def _about(kind: str, order: Any, payload: dict[str, Any]) -> dict[str, Any]:
    """What this kind of mail adds to the context."""
    if kind in (messages.ORDER_DISPATCHED, messages.TRACKING_ASSIGNED):
        wanted = set(payload.get("shipments") or ())
        known = order_journey(order).parcels if kind == messages.ORDER_DISPATCHED else coming_parcels(order)
        return {"parcels": [p for p in known if not wanted or p.shipment in wanted]}
    if kind == messages.PICKUP_READY:
        return {"pickups": pickups_of(order, payload), "cash_due": cash.due_in_cash(order.fulfillment)}
    if kind in WITH_INVOICE:
        return {"has_invoice": documents.mails_invoice(order)}
    if kind == messages.CUSTOMER_NOTE:
        notes = order.notes.filter(pk=payload.get("note_id"), note_type=CUSTOMER_NOTE_TYPE)
        note = notes.values_list("message", flat=True).first()
        if not note:
            raise AdapterRejected("the note is gone")
        return {"note": note}
    if kind == messages.ORDER_CANCELLED:
        told = [h.text for h in order_journey(order).happenings if h.code == "cancel"]
        paid = order.fulfillment.payment_status in ("paid", "partially_refunded") or (
            order.fulfillment.has_money and ledger.totals(order.pk).net > 0
        )
        return {"reason": told[-1] if told else "", "is_paid": paid}
    if kind == messages.PAYMENT_REFUNDED:
        return {"amount": payload.get("amount", "")}
    if kind in messages.ABOUT_RETURNS:
        return return_mails.about(kind, order, payload)
    if kind in (messages.PAYMENT_REMINDER, messages.PAYMENT_REFUSED):
        return {"terms": PaymentTerms._default_manager.filter(pk=order.pk).first()}
    if kind == messages.OPERATOR_NEW_ORDER:
        return _dashboard(order, "order-detail", number=order.number)
    if kind == messages.OPERATOR_RETURN:
        found = return_mails.about(kind, order, payload)
        return found | _dashboard(order, "order-return", pk=found["ret"].pk)
    return {}


def _dashboard(order: Any, name: str, **given: Any) -> dict[str, str]:
    """Where a page of the dashboard is; nothing where the shop leaves it out."""
    try:
        path = reverse(f"dashboard:{name}", kwargs=given)
    except NoReverseMatch:
        return {}
    return {"dashboard_path": path, "dashboard_url": absolute_url(order.site or Site.objects.get_current(), path)}


def message_id(message: Any, site: Any) -> str:
    """The same for every try of a message, so that mail systems can drop the second copy after a crash."""
    words = f"{message.kind}/{message.key}/{message.created_at.timestamp():.6f}"
    return f"<{hashlib.sha256(words.encode()).hexdigest()[:40]}@{site.domain.partition(':')[0]}>"


def note_out(message: Any, order: Any = None) -> None:
    """Note that the mail is out, with Oscar's record of it at the customer's order: both or none, and once."""
    with transaction.atomic():
        if order is not None:
            get_model("order", "CommunicationEvent")._default_manager.create(
                order=order, event_type=event_type(message.kind)
            )
        message.payload = {**message.payload, _OUT: True}
        OutboundMessage._default_manager.filter(pk=message.pk).update(payload=message.payload)


def event_type(code: str) -> Any:
    """The communication event type of this code, made where it is missing; any number of processes may ask."""
    EventType = get_model("communication", "CommunicationEventType")
    found = EventType._default_manager.filter(code=code).first()
    if found is None:
        with translation.override(django_settings.LANGUAGE_CODE):
            name = str(EVENT_TYPES.get(code, code))
        given = {"name": name, "category": EventType.ORDER_RELATED}
        found, _made = EventType._default_manager.get_or_create(code=code, defaults=given)
    return found


def ensure_event_types() -> list[Any]:
    """Have a row for each of our mails, so that Oscar's dashboard lists them; what a shop wrote there stays."""
    return [event_type(code) for code in EVENT_TYPES]


def mail_died(message: Any) -> None:
    """A mail was given up: the order shows a problem, and its history says which mail."""
    if message.destination != messages.MAIL:
        return
    order = get_model("order", "Order")._default_manager.filter(pk=message.payload.get("order_id")).first()
    if order is None:
        return

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            # A worse problem stays: the dead mail is listed among the messages anyhow.
            step.fields["problem"] = step.subject.problem or MAIL_FAILED

    _record(order, FAILED, message, effect)


def _settle(message: Any, order: Any) -> None:
    """A mail went out after all: the problem is over when every mail that had failed is out."""
    rows = StatusChange._default_manager.filter(fulfillment=order.pk, action=FAILED.action)
    failed = {change.data.get("message") for change in rows}
    still = OutboundMessage._default_manager.filter(pk__in=failed - {message.pk}).exclude(status=OutboundMessage.SENT)
    if message.pk not in failed or still.exists():
        return

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            if step.subject.problem == MAIL_FAILED:
                step.fields["problem"] = ""

    _record(order, SENT_AFTER_ALL, message, effect)


def _record(order: Any, record: Move, message: Any, effect: Any) -> None:
    """A history row, once: the key counts how often the problem was over before, so that a later death is told."""
    settled = StatusChange._default_manager.filter(
        fulfillment=order.pk, action__in=["resolve_problem", SENT_AFTER_ALL.action]
    ).count()
    move(
        order,
        record,
        actor=Actor.system("mail"),
        data={"kind": message.kind, "message": message.pk},
        key=f"{record.action}:{message.pk}:{settled}",
        effect=effect,
        lock=True,
    )
