"""Editing an order before it leaves: a draft beside it, its price at any time, applied in one transaction, taken back.

    preview(order, wanted)      what it would cost, what lacks, why not: reads only
    apply_edit(...)             lines, prices, discounts, stock and totals become what the draft says
    revert_edit(...)            the last edit is taken back, row by row

Rules are in ``edit_rules``, prices in ``edit_pricing``, the rows in ``edit_writing`` and ``edit_snapshot``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import OrderDraft, OrderFulfillment, StatusChange

from . import drafts, edit_pricing, edit_quote, edit_rules, edit_snapshot, edit_stock, edit_writing, messages, money
from .door import move
from .edit_plan import Plan, lay_over
from .edit_quote import Quote
from .edit_wanted import MOST_MONEY, Wanted
from .ledger import Totals, totals

EDIT = Move("edit", "edit_order", is_record=True)
REVERT = Move("edit", "revert_edit", is_record=True)


@dataclass
class Preview:
    """What an edit would come to. ``bound``: the held sum, None where there is none. ``reasons``: why not so."""

    plan: Plan
    quote: Quote
    bound: Decimal | None = None
    reasons: list[Reason] = field(default_factory=list)

    @property
    def room(self) -> Decimal | None:
        """What is left of the held sum; below zero when it is passed."""
        return None if self.bound is None else self.bound - self.quote.total

    @property
    def room_text(self) -> str:
        return "" if self.room is None else edit_rules.money_text(abs(self.room), self.quote.currency)

    @property
    def can_apply(self) -> bool:
        return not self.reasons and not self.plan.is_empty


def preview(order: Any, wanted: Wanted) -> Preview:
    """What this draft would come to, as the order and the stock are now. Nothing is written.

    :class:`InvalidInput` for what cannot even be reckoned. What the draft changes and the order no longer has is
    left out, see ``plan.lost``.
    """
    wanted.check()
    plan = lay_over(order, wanted, strict=False)
    with edit_pricing.looked_up(plan) as found:
        quoted = edit_quote.quote(found, edit_stock.lacking(plan))
    fulfillment = order.fulfillment
    reasons = []
    if (why := edit_rules.refusal(fulfillment)) is not None:
        reasons.append(why)
    elif not plan.is_empty:
        if quoted.missing:
            reasons.append(edit_stock.short_reason([(line.title, line.missing) for line in quoted.missing]))
        reasons += edit_rules.about_total(fulfillment, quoted.before, quoted.total)
    return Preview(plan, quoted, edit_rules.bound(fulfillment, order.total_incl_tax), reasons)


def apply_edit(
    *,
    order: Any,
    actor: Actor,
    wanted: Wanted,
    reason: str = "",
    notify: bool = True,
    expected_total: Decimal | None = None,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Make the order what the draft says, all of it or nothing.

    ``expected_total`` is the new total that the person has seen: another one is refused. :class:`InvalidInput` for
    wrong lines and quantities, :class:`TransitionNotAllowed` when the order is past editing, the stock lacks
    something, or the total passes the held sum; :class:`StaleVersion` when somebody else was faster.
    """
    wanted.check()
    reason = clean_text("reason", reason)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            _edit(step, wanted, expected_total)
            if not step.reasons and notify:
                messages.mail(step, messages.ORDER_EDITED)

    return _move(order, EDIT, effect, actor, reason, notify, expected_version, key)


def _edit(step: Step, wanted: Wanted, expected_total: Decimal | None) -> None:
    if (why := edit_rules.refusal(step.subject)) is not None:
        step.refuse(why)
        return
    order = fresh_order(step)
    plan = lay_over(order, wanted)
    if plan.is_empty:
        step.refuse(Reason("nothing_changed", _("Nothing was changed.")))
        return
    before = edit_snapshot.take(order.pk)
    with edit_pricing.priced(plan) as found:
        quoted = edit_quote.quote(found, {})
        for why in _about_sum(step, quoted, expected_total):
            step.refuse(why)
        if not step.reasons:
            # Before the order's own figures become the new ones.
            step.data |= edit_quote.summary(plan, quoted)
            if (short := edit_writing.write(found, quoted)) is not None:
                step.refuse(short)
    if step.reasons:
        return
    draft = drafts.take_draft(step.subject, step.actor, wanted, step.subject.version)
    draft.before, draft.after = before, edit_snapshot.take(order.pk)
    draft.total_before, draft.total_after = quoted.before, quoted.total
    draft.save()
    step.data["draft"] = draft.pk
    _told(step, order, quoted.total - quoted.before)


def _about_sum(step: Step, quoted: Quote, expected: Decimal | None) -> list[Reason]:
    if not -MOST_MONEY < quoted.total < MOST_MONEY:
        raise InvalidInput({"__all__": [_("The total is larger than an order can hold.")]})
    found = edit_rules.about_total(step.subject, quoted.before, quoted.total)
    if not found and expected is not None and expected != quoted.total:
        found.append(
            Reason(
                "total_changed",
                _("The new total is %(total)s, not %(seen)s.")
                % {
                    "total": edit_rules.money_text(quoted.total, quoted.currency),
                    "seen": edit_rules.money_text(expected, quoted.currency),
                },
                _("Look at the difference, then apply it"),
            )
        )
    return found


def fresh_order(step: Step) -> Any:
    """The order as it is under the lock: what was read beside a row that had to be waited for may be old."""
    order = get_model("order", "Order")._default_manager.select_related("user", "shipping_address").get(
        pk=step.subject.pk
    )  # fmt: skip
    order.fulfillment = step.subject
    return order


def _told(step: Step, order: Any, difference: Decimal) -> None:
    """Those who hold the step's own order see the new figures, and receivers the difference."""
    for name in edit_snapshot.COLUMNS:
        setattr(step.subject.order, name, getattr(order, name))
    step.context["announce"] = {"difference": difference}


def _move(
    order: Any, record: Move, effect: Any, actor: Actor, reason: str, notify: bool, version: int | None, key: str
) -> StatusChange:
    with transaction.atomic():
        change = move(
            order, record, actor=actor, reason=reason, effect=effect, expected_version=version, key=key, lock=True
        )
        figures = change.fulfillment.order
        for name in edit_snapshot.COLUMNS:
            setattr(order, name, getattr(figures, name))
        _settle_what_is_here(order, change, actor, notify)
    return change


def _settle_what_is_here(order: Any, change: StatusChange, actor: Actor, notify: bool) -> None:
    """A part of the money had come, and now it is all that the order costs."""
    if order.fulfillment.payment_status != "awaiting_payment" or not totals(order.pk).net:
        return
    news = money.News(order, Totals(), key=f"edit:{change.pk}", source="edit", notify=notify)
    if money.advance(news, actor):
        money.compare(news, actor)


def revert_refusal(fulfillment: OrderFulfillment, draft: OrderDraft | None = None) -> Reason | None:
    """Why the last edit cannot be taken back; None when it can, as far as stock and held sum allow."""
    if (why := edit_rules.refusal(fulfillment)) is not None:
        return why
    if (draft or drafts.last_applied(fulfillment.pk)) is None:
        return Reason("no_edit", _("This order was not edited, or all of it was taken back."))
    return None


def revert_edit(
    *,
    order: Any,
    actor: Actor,
    reason: str = "",
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Take the last edit back: every row as it was before. Possible as long as editing is, and the goods are there."""
    reason = clean_text("reason", reason)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            _revert(step)
            if not step.reasons and notify:
                messages.mail(step, messages.ORDER_EDITED)

    return _move(order, REVERT, effect, actor, reason, notify, expected_version, key)


def _revert(step: Step) -> None:
    draft = drafts.last_applied(step.subject.pk)
    why = revert_refusal(step.subject, draft)
    if why is not None or draft is None:
        step.refuse(why or Reason("no_edit", _("This order was not edited.")))
        return
    order = fresh_order(step)
    if not edit_snapshot.same(edit_snapshot.take(order.pk), draft.after):
        step.refuse(
            Reason(
                "changed_otherwise",
                _("The order was changed in another way since."),
                _("Edit it instead"),
            )
        )
        return
    total = order.total_incl_tax
    target = draft.total_before if draft.total_before is not None else total
    for reason in edit_rules.about_total(step.subject, total, target):
        step.refuse(reason)
    if step.reasons:
        return
    if (short := edit_snapshot.put_back(order, draft.before)) is not None:
        step.refuse(short)
        return
    draft.status, draft.updated_at = OrderDraft.REVERTED, step.now
    draft.save(update_fields=["status", "updated_at"])
    done = StatusChange._default_manager.filter(fulfillment=step.subject, sequence=draft.applied_version or 0).first()
    if done is not None:
        step.data |= _the_other_way(done.data)
    step.data["draft"] = draft.pk
    _told(step, order, target - total)


def _the_other_way(data: dict[str, Any]) -> dict[str, Any]:
    """What an edit's history row says, told backwards."""
    return {
        "currency": data.get("currency", ""),
        "changes": [
            {**change, "from": change.get("to"), "to": change.get("from")} for change in data.get("changes", ())
        ],
        "before": data.get("after", {}),
        "after": data.get("before", {}),
    }
