"""What comes of goods that are back: money, other goods, or neither. Decided once, and never without its trail.

The decision and what it causes (a refund asked of a provider, money paid back by hand, a credit note, a replacement)
are one transaction: where the money or the stock says no, nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.guards import money_is_safe
from oscar_fulfillment.models import Return, Shipment
from oscar_fulfillment.models.returns import EXCHANGE, NOTHING, RECEIVED, REFUND, SETTLED
from oscar_fulfillment.models.shipment import CANCELLED
from oscar_fulfillment.selectors.return_money import CREDIT, HAND, most_to_grant, shipping_left

from . import late_money, messages, operations, receipts, shipping, stock
from .door import move
from .return_rows import find_return, move_return, name_return
from .shipments import create_shipments

SETTLE = Move("return", "settle_return", is_record=True)
SEND = Move("shipping", "send_replacement")
ZERO = Decimal(0)


def settle_return(
    *,
    ret: Return,
    outcome: str,
    actor: Actor,
    amount: Decimal | None = None,
    shipping_amount: Decimal = ZERO,
    way: str = "",
    reason: str = "",
    reference: str = "",
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> Return:
    """Decide what comes of a return whose goods are here.

    ``refund``: ``amount`` for the goods and ``shipping_amount`` of the shipping costs go back by ``way``: the id of a
    provider's payment (granted now, executed by the provider), ``hand`` (a person has paid it back), or ``credit`` (a
    credit note for the next order). ``exchange``: the same units are reserved and prepared to be sent. ``nothing``: a
    reason is required, and told to the customer.

    :class:`InvalidInput` for sums that are wrong or more than there is; refused where the goods for an exchange are not
    there, or nothing is left of the order's money.
    """
    reason = clean_text("reason", reason, required=outcome == NOTHING)
    total = (amount or ZERO) + shipping_amount
    if outcome not in (REFUND, EXCHANGE, NOTHING):
        raise InvalidInput({"outcome": [_("Choose what comes of it.")]})
    if outcome == REFUND:
        _check_sums(amount, shipping_amount, way)
    decided: list[Return] = []

    def write(step: Step, row: Return) -> None:
        if outcome == REFUND and not _can_grant(step, row, total, shipping_amount):
            return
        row.status, row.outcome, row.closed_at = SETTLED, outcome, step.now
        step.data["outcome"] = outcome
        if outcome == REFUND:
            row.refund_amount = total
            step.data |= {"amount": str(total), "currency": step.subject.order.currency, "way": way}
            if shipping_amount:
                step.data["shipping"] = str(shipping_amount)
        elif outcome == NOTHING:
            row.answer = reason
            _owes_nothing(step, row)
        if notify:
            messages.mail(step, messages.RETURN_SETTLED, **{"return": row.pk})
        decided.append(row)

    with transaction.atomic():
        found = move_return(
            ret, SETTLE, actor=actor, sources=(RECEIVED,), write=write, reason=reason,
            expected_version=expected_version, key=key,
        )  # fmt: skip
        if decided and outcome == REFUND:
            _give_back(found, total, way, actor, reason, reference)
        elif decided and outcome == EXCHANGE:
            _send_replacement(found, actor)
    return found


def _check_sums(amount: Decimal | None, shipping_amount: Decimal, way: str) -> None:
    errors: dict[str, list[Any]] = {}
    if amount is None or amount < 0 or amount + shipping_amount <= 0:
        errors["amount"] = [_("Enter a sum above zero.")]
    if shipping_amount < 0:
        errors["shipping_amount"] = [_("Enter a sum above zero, or leave it empty.")]
    if way not in (HAND, CREDIT) and not (way.isascii() and way.isdecimal() and len(way) < 19):
        errors["way"] = [_("Choose how it goes back.")]
    if errors:
        raise InvalidInput(errors)


def _can_grant(step: Step, row: Return, total: Decimal, shipping_amount: Decimal) -> bool:
    """Whether so much can go back, whatever the way: what the shop has of the order's money and promised to nobody."""
    order = step.subject.order
    order.fulfillment = step.subject
    most = most_to_grant(order)
    if most <= 0:
        words = _("Nothing came in for this order that could go back.")
        if step.state("payment") in ("partially_refunded", "refunded"):
            words = _("All money of this order has gone back already, or is about to.")
        step.refuse(Reason("nothing_in", words))
        return False
    if total > most:
        message = _("At most %(sum)s can go back.") % {"sum": f"{most} {order.currency}"}
        raise InvalidInput({"amount": [message]})
    left = shipping_left(order, without=row)
    if shipping_amount > left:
        message = _("At most %(sum)s of the shipping costs can go back.") % {"sum": f"{left} {order.currency}"}
        raise InvalidInput({"shipping_amount": [message]})
    return True


def _owes_nothing(step: Step, row: Return) -> None:
    """Everything is back and nothing was paid: nothing is asked for any more, unless an exchange is still to decide."""
    if step.state("shipping") != "returned" or not step.subject.is_payable():
        return
    others = Return._default_manager.filter(fulfillment=step.subject, status=RECEIVED).exclude(pk=row.pk)
    if not others.exists():
        shipping.nothing_to_pay([step])


def _give_back(ret: Return, total: Decimal, way: str, actor: Actor, reason: str, reference: str) -> None:
    order, named = ret.fulfillment.order, _("Return %(number)s") % {"number": ret.number}
    words = f"{named}: {reason}" if reason else named
    given: dict[str, Any] = {
        "order": order, "actor": actor, "amount": total, "reason": words,
        "data": {"return": ret.pk, "return_number": ret.number},
    }  # fmt: skip
    if way == HAND:
        # The customer reads of it in the mail about the return.
        receipts.note_refund(reference=reference, notify=False, **given)
    elif way == CREDIT:
        late_money.keep_as_credit(most=total, **given)
    else:
        operations.request_refund(payment=int(way), **given)


def _send_replacement(ret: Return, actor: Actor) -> None:
    """Reserve the units that came back and prepare them as a shipment of their own; short goods refuse it all."""

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            if reason := money_is_safe(step):
                step.refuse(reason)
                continue
            row = find_return(step, ret.pk, (SETTLED,))
            if row is None:
                continue
            units = {line.line_id: line.received for line in row.lines.all() if line.received}
            locked = stock.lock_stock([step.subject.pk])
            if missing := stock.missing(locked, units):
                step.refuse(_short(missing))
                continue
            stock.allocate(locked, units)
            (shipment,) = create_shipments([(step, units)], step.now)
            shipment.replaces = row
            shipment.save(update_fields=["replaces"])
            name_return(step, row)
            step.data |= {"lines": {str(pk): quantity for pk, quantity in units.items()}, "shipment": shipment.pk}

    move(ret.fulfillment.order, SEND, actor=actor, effect=effect)


def exchange_refusals(ret: Return) -> list[Reason]:
    """Why the goods of a return could not be sent again now. Reads only; the exchange asks again under lock."""
    step = Step(ret.fulfillment, [SEND], Actor.system("page"), timezone.now(), {})
    if reason := money_is_safe(step):
        return [reason]
    lines = ret.lines.select_related(
        "line__stockrecord__product__product_class", "line__stockrecord__product__parent__product_class"
    )
    found = [(each.line, each.received) for each in lines if each.received]
    records = {line.stockrecord.pk: line.stockrecord for line, _units in found if line.stockrecord}
    seen = stock.LockedStock({line.pk: line for line, _units in found}, records)
    missing = stock.missing(seen, {line.pk: units for line, units in found})
    return [_short(missing)] if missing else []


def _short(missing: Iterable[tuple[Any, int]]) -> Reason:
    titles = ", ".join(
        _("%(title)s (%(missing)d missing)") % {"title": line.title, "missing": units} for line, units in missing
    )
    message = _("Not enough in stock: %(lines)s.") % {"lines": titles}
    return Reason("short", message, _("Count the stock, or pay the money back"))


def reopen_returns(shipments: Iterable[Shipment]) -> list[Return]:
    """Replacements that will not go out after all: what comes of their returns is to be decided again.

    Called in the transaction that cancels these shipments, under the lock of their order.
    """
    replaced = {shipment.replaces_id for shipment in shipments if shipment.replaces_id}
    going = Shipment._default_manager.filter(replaces__in=replaced).exclude(status=CANCELLED)
    rows = list(
        Return._default_manager.filter(pk__in=replaced - set(going.values_list("replaces_id", flat=True)))
        .filter(status=SETTLED, outcome=EXCHANGE)
    )  # fmt: skip
    for row in rows:
        row.status, row.outcome, row.closed_at = RECEIVED, "", None
    Return._default_manager.bulk_update(rows, ["status", "outcome", "closed_at"])
    return rows
