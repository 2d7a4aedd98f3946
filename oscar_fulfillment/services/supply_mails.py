"""The mail of an order from a supplier: about no order of a customer, in the shop's language, with the list as CSV."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.sites.models import Site
from django.utils import translation
from oscar.core.loading import get_class

from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.models import SupplierOrder

from . import mails, supply_files
from .languages import nearest_language
from .post import Post, is_address

logger = logging.getLogger("oscar_fulfillment.mails")


def send_supplier_order(message: Any) -> None:
    """The outbox's handler of this kind. Errors as those of :func:`mails.send_mail`."""
    if mails.is_out(message):
        return
    rows = SupplierOrder._default_manager.select_related("ordered_by").prefetch_related("lines")
    order = rows.filter(pk=message.payload.get("supplier_order_id")).first()
    if order is None:
        raise AdapterRejected("the supplier's order is gone")
    if order.is_cancelled:
        # Cancelled while the mail waited: nobody must deliver it.
        logger.info("%s: the order was cancelled before it was sent", message)
        return
    if not is_address(order.sent_to):
        raise AdapterRejected("there is no valid address")
    site = Site.objects.get_current()
    with translation.override(nearest_language("")):
        rendered = mails.render_event(message.kind, {"supply": order, "lines": order.lines.all(), "site": site})
        if not rendered["subject"] or not (rendered["body"] or rendered["html"]):
            logger.info("%s: the shop has emptied its template", message)
            return
        files = [(f"{order.number}.csv", supply_files.order_csv(order).encode(), "text/csv")]
        post = Post(mails.message_id(message, site), [order.sent_to], answer_to(order), files)
        dispatcher = get_class("communication.utils", "Dispatcher")(logger=mails.SILENT, mail_connection=post)
        dispatcher.send_email_messages(order.sent_to, rendered)
    mails.note_out(message)


def answer_to(order: SupplierOrder) -> list[str]:
    """Who gets the supplier's answer: the person who ordered, else the shop's operators."""
    person = order.ordered_by
    if person is not None and is_address(person.email):
        return [person.email]
    return [address for address in mails.operators() if is_address(address)]
