"""Missing goods: ordered from the supplier, received, counted into the stock, or given up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from oscar.core.loading import get_model

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.locks import lock_name, lock_rows
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.models import GoodsReceipt, OutboundMessage, SupplierOrder, SupplierOrderLine

from . import mails, messages, stock
from .post import is_address

#: The most products in one order, and units of one product.
MOST_LINES = 500
MOST_UNITS = 1_000_000


def order_from_supplier(
    *,
    partner: Any,
    lines: Mapping[int, int],
    actor: Actor,
    note: str = "",
    reference: str = "",
    expected_on: date | None = None,
    send_mail: bool = True,
    email: str = "",
    seen: int | None = None,
    key: str,
) -> SupplierOrder:
    """Note that goods are ordered from a supplier, and mail the order to ``email`` unless not.

    ``lines`` are units per stock record pk; zeros are left out. ``seen`` is the id of the supplier's newest order that
    the person saw (0: none): when there is a newer one, the goods may be on their way already, and the order is
    refused. The same ``key`` again returns the first order. :class:`InvalidInput` for foreign or too many products,
    wrong quantities, an address that is none, and a day that is over.
    """
    if not key or len(key) > 64:
        raise InvalidInput({"key": [_("The form is damaged. Load the list again.")]})
    note = clean_text("note", note)
    reference = clean_text("reference", reference, limit=64)
    email = email.strip()
    if send_mail and (len(email) > 254 or not is_address(email)):
        raise InvalidInput({"email": [_("Give the supplier’s e-mail address, or order without a mail.")]})
    wanted = _check_quantities(lines)
    with transaction.atomic():
        lock_name(f"supply:{partner.pk}")
        if earlier := SupplierOrder._default_manager.filter(key=key).first():
            return _same(earlier, partner)
        if expected_on is not None and expected_on < timezone.localdate():
            raise InvalidInput({"expected_on": [_("This day is over.")]})
        _refuse_unseen(partner, seen)
        records = _records_of(partner, wanted)
        order = SupplierOrder._default_manager.create(
            partner=partner, partner_name=partner.display_name[:128], reference=reference, note=note,
            sent_to=email if send_mail else "", expected_on=expected_on, ordered_at=timezone.now(),
            ordered_by=actor.user if actor.kind == USER else None, ordered_by_label=actor.label, key=key,
        )  # fmt: skip
        SupplierOrderLine._default_manager.bulk_create(
            SupplierOrderLine(
                supplier_order=order, stockrecord=record, sku=record.partner_sku,
                title=record.product.get_title()[:255], quantity=wanted[record.pk],
            )
            for record in records
        )  # fmt: skip
        if send_mail:
            outbox.enqueue([mail_of(order)])
    return order


def mail_of(order: SupplierOrder) -> outbox.OutboxMessage:
    """The mail of a supplier's order: one, whatever is retried."""
    key = f"supply:{order.pk}"
    return outbox.OutboxMessage(messages.MAIL, messages.SUPPLIER_ORDER, key, {"supplier_order_id": order.pk})


def find_mail(order: SupplierOrder) -> OutboundMessage | None:
    """What became of that mail; None where none was asked for."""
    mail = mail_of(order)
    rows = OutboundMessage._default_manager.filter(destination=mail.destination, kind=mail.kind, key=mail.key)
    return rows.first() if order.sent_to else None


def is_mailed(mail: OutboundMessage) -> bool:
    """Whether the mail really went out: one that had become pointless counts as dealt with, too."""
    return mails.is_out(mail)


def _same(order: SupplierOrder, partner: Any) -> SupplierOrder:
    if order.partner_id != partner.pk:
        raise InvalidInput({"key": [_("This form was already used for another step. Load the list again.")]})
    return order


def _check_quantities(lines: Mapping[int, int]) -> dict[int, int]:
    wrong = {f"line_{pk}": [_wrong(0, MOST_UNITS)] for pk, units in lines.items() if not 0 <= units <= MOST_UNITS}
    if wrong:
        raise InvalidInput(wrong)
    wanted = {pk: units for pk, units in lines.items() if units}
    if not wanted:
        raise InvalidInput({"lines": [_("Choose at least one unit of one product.")]})
    if len(wanted) > MOST_LINES:
        message = ngettext("At most %(count)d product at once.", "At most %(count)d products at once.", MOST_LINES)
        raise InvalidInput({"lines": [message % {"count": MOST_LINES}]})
    return wanted


def _wrong(least: int, most: int) -> str:
    return _("Choose between %(least)d and %(most)d.") % {"least": least, "most": most}


def _refuse_unseen(partner: Any, seen: int | None) -> None:
    newest = SupplierOrder._default_manager.filter(partner=partner).first()
    if seen is None or newest is None or newest.pk <= seen:
        return
    message = _(
        "%(who)s has ordered from this supplier meanwhile (%(number)s). The quantities are what is missing still: "
        "look at them again."
    )
    raise InvalidInput({"seen": [message % {"who": newest.ordered_by_label, "number": newest.number}]})


def _records_of(partner: Any, wanted: Mapping[int, int]) -> list[Any]:
    rows = get_model("partner", "StockRecord")._default_manager.filter(pk__in=list(wanted), partner=partner)
    records = list(rows.select_related("product__parent").order_by("partner_sku", "pk"))
    if len(records) < len(wanted):
        raise InvalidInput({"lines": [_("A product is not this supplier’s any more. Load the list again.")]})
    return records


def address_of(partner: Any) -> str:
    """The address that is offered for a supplier's mail: the setting's, else that of its first user; perhaps none."""
    if given := settings.SUPPLIER_EMAILS.get(partner.code):
        return str(given)
    addresses = partner.users.filter(is_active=True).exclude(email="").order_by("pk").values_list("email", flat=True)
    return next((address for address in addresses if is_address(address)), "")


def receive_goods(
    *,
    supplier_order: SupplierOrder,
    quantities: Mapping[int, int],
    add_to_stock: bool,
    actor: Actor,
    key: str,
) -> GoodsReceipt:
    """Note the goods that came (units per line pk), and count them into the stock where asked.

    The order is closed when everything is there. What the shop does not count (the product is gone, or its stock is
    not tracked) is noted as received and counted nowhere. The same ``key`` again returns the first receipt.
    :class:`InvalidInput` for a foreign line, less than nothing, or more than is still to come;
    :class:`TransitionNotAllowed` for a closed order.
    """
    if not key or len(key) > 64:
        raise InvalidInput({"key": [_("The form is damaged. Load the page again.")]})
    with transaction.atomic():
        (order,) = _locked(supplier_order)
        if earlier := GoodsReceipt._default_manager.filter(key=key).first():
            if earlier.supplier_order_id != order.pk:
                raise InvalidInput({"key": [_("This form was already used for another step. Load the page again.")]})
            return earlier
        _refuse_closed(order)
        lines = {line.pk: line for line in order.lines.all()}
        came = _check_came(lines, quantities)
        now = timezone.now()
        if add_to_stock:
            units: dict[int, int] = {}
            for pk, quantity in came.items():
                if record_id := lines[pk].stockrecord_id:
                    units[record_id] = units.get(record_id, 0) + quantity
            stock.count_in(stock.lock_records(units), units)
        for pk, quantity in came.items():
            lines[pk].received += quantity
            lines[pk].received_at = now
        SupplierOrderLine._default_manager.bulk_update([lines[pk] for pk in came], ["received", "received_at"])
        if not any(line.open_quantity for line in lines.values()):
            _close(order, actor, now)
        return GoodsReceipt._default_manager.create(
            supplier_order=order, quantities={str(pk): quantity for pk, quantity in came.items()},
            added_to_stock=add_to_stock, received_at=now, received_by=actor.user if actor.kind == USER else None,
            received_by_label=actor.label, key=key,
        )  # fmt: skip


def _check_came(lines: Mapping[int, SupplierOrderLine], quantities: Mapping[int, int]) -> dict[int, int]:
    if set(quantities) - set(lines):
        raise InvalidInput({"lines": [_("A line does not belong to this order.")]})
    wrong = {
        f"line_{pk}": [_wrong(0, lines[pk].open_quantity)]
        for pk, units in quantities.items()
        if not 0 <= units <= lines[pk].open_quantity
    }
    if wrong:
        raise InvalidInput(wrong)
    came = {pk: units for pk, units in quantities.items() if units}
    if not came:
        raise InvalidInput({"lines": [_("Nothing was counted.")]})
    return came


def cancel_supplier_order(*, supplier_order: SupplierOrder, actor: Actor) -> SupplierOrder:
    """Give up what did not come: it counts as missing again. Once more does nothing.

    :class:`TransitionNotAllowed` for an order whose goods are all here.
    """
    with transaction.atomic():
        (order,) = _locked(supplier_order)
        if not order.is_cancelled:
            _refuse_closed(order)
            order.is_cancelled = True
            _close(order, actor, timezone.now())
    return order


def _locked(order: SupplierOrder) -> list[SupplierOrder]:
    """The order under lock. Before the stock records: nobody locks the two the other way round."""
    return lock_rows(SupplierOrder._default_manager.filter(pk=order.pk))


def _refuse_closed(order: SupplierOrder) -> None:
    if order.is_open:
        return
    said = _("This order was cancelled.") if order.is_cancelled else _("All goods of this order are here already.")
    raise TransitionNotAllowed([Reason("closed", said)])


def _close(order: SupplierOrder, actor: Actor, now: Any) -> None:
    order.closed_at, order.closed_by_label = now, actor.label
    order.save(update_fields=["closed_at", "closed_by_label", "is_cancelled"])
