"""Changing the ways to pay. Each change is checked as a whole and leaves a row that says who, when, before and after.

An order keeps the policy it was placed with (see ``placing`` and ``terms``): a change is for the orders to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.models import PaymentMethod, PaymentMethodChange
from oscar_fulfillment.selectors.payment_methods import is_used, last_change

from . import method_rules
from .followups import actor_fields

CREATE, CHANGE, DELETE, MOVE = "create", "change", "delete", "move"
OFFER, WITHDRAW, ALLOW, DISALLOW = "offer", "withdraw", "allow_customer", "disallow_customer"

#: Columns that :func:`save_payment_method` writes; ``groups`` beside them.
FIELDS = (
    "name", "kind", "provider", "provider_method", "instructions", "translations", "is_active",
    "capture", "capture_at", "hold_end", "hold_days", "hold_warning_hours", "retry_hours",
    "reservation_days", "reminder_days", "cancel_days", "due_days",
    "ships_before_payment", "paid_on_delivery", "completes_when_paid", "awaits_payout", "sends_invoice",
    "audience", "countries", "currencies", "flows",
)  # fmt: skip


class MethodInUse(FulfillmentError):
    """Orders name this method: it can be withdrawn, not deleted."""


class MethodChanged(FulfillmentError):
    """Somebody else has changed the method since the caller looked at it. ``change`` is the newest change."""

    def __init__(self, change: PaymentMethodChange | None):
        self.change = change
        super().__init__(_("Somebody has changed this method in the meantime."))


def save_payment_method(
    *, actor: Actor, values: Mapping[str, Any], method: PaymentMethod | None = None, seen: int | None = None
) -> PaymentMethod:
    """Make a method (``method`` None) or change one. ``values`` are columns of :data:`FIELDS`, ``groups`` (their
    numbers) and, for a new one, ``code``; what is not named stays.

    ``seen`` is ``selectors.payment_methods.last_change`` as the caller saw it: :class:`MethodChanged` when there is a
    newer one. :class:`InvalidInput` by field for what contradicts itself, see ``method_rules``.
    """
    with transaction.atomic():
        found = _locked(method) if method is not None else PaymentMethod(code="", name="")
        if seen is not None and method is not None and last_change(found) != seen:
            raise MethodChanged(PaymentMethodChange._default_manager.filter(method=found).first())
        before = snapshot(found) if found.pk else {}
        for name in FIELDS:
            if name in values:
                setattr(found, name, values[name])
        if not found.pk:
            found.code = str(values.get("code") or "").strip() or _free_code(found.name)
            found.position = (PaymentMethod._default_manager.aggregate(last=Max("position"))["last"] or 0) + 1
        groups = _groups(values["groups"]) if "groups" in values else list(found.groups.all()) if found.pk else []
        method_rules.leave_out(found)
        if wrong := method_rules.problems(found, len(groups)):
            raise InvalidInput({field: list(messages) for field, messages in wrong.items()})
        after = snapshot(found, groups)
        changed = {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
        if found.pk and not changed:
            return found
        action = CHANGE if found.pk else CREATE
        _write(found)
        found.groups.set(groups)
        _record(found, action, actor, changed)
    return found


def snapshot(method: PaymentMethod, groups: Iterable[Group] | None = None) -> dict[str, Any]:
    """A method as its history keeps it."""
    named = groups if groups is not None else (method.groups.all() if method.pk else ())
    return {name: getattr(method, name) for name in FIELDS} | {"groups": sorted(group.name for group in named)}


def set_offered(*, method: PaymentMethod, offered: bool, actor: Actor) -> PaymentMethod:
    """Offer a method in the shop, or withdraw it: then no new order has it, and its present ones go on as they are.

    :class:`InvalidInput` when it cannot be offered as it is (its provider is not configured, its texts have gaps).
    """
    with transaction.atomic():
        found = _locked(method)
        if found.is_active == offered:
            return found
        found.is_active = offered
        if offered and (wrong := method_rules.problems(found, found.groups.count())):
            raise InvalidInput({field: list(messages) for field, messages in wrong.items()})
        found.save(update_fields=["is_active"])
        _record(found, OFFER if offered else WITHDRAW, actor, {"is_active": [not offered, offered]})
    return found


def move_payment_method(*, method: PaymentMethod, up: bool, actor: Actor) -> bool:
    """Let the checkout show a method earlier (or later) by one place. False where there is no such place."""
    with transaction.atomic():
        # All of them, since all are numbered anew: positions may be equal or have holes.
        methods = sorted(lock_rows(PaymentMethod._default_manager.all()), key=lambda row: (row.position, row.pk))
        place = next((index for index, row in enumerate(methods) if row.pk == method.pk), None)
        if place is None:
            raise PaymentMethod.DoesNotExist
        other = place - 1 if up else place + 1
        if not 0 <= other < len(methods):
            return False
        methods[place], methods[other] = methods[other], methods[place]
        moved = methods[other]
        for position, row in enumerate(methods):
            row.position = position
        PaymentMethod._default_manager.bulk_update(methods, ["position"])
        _record(moved, MOVE, actor, {"place": [place + 1, other + 1]})
    return True


def delete_payment_method(*, method: PaymentMethod, actor: Actor) -> None:
    """Delete a method that no order has; :class:`MethodInUse` otherwise. Its history stays under its code."""
    refusal = MethodInUse(_("Orders were placed with this method. Withdraw it instead: then no new order has it."))
    with transaction.atomic():
        found = _locked(method)
        if is_used(found):
            raise refusal
        _record(found, DELETE, actor, {name: [value, None] for name, value in snapshot(found).items()})
        try:
            found.delete()
        except ProtectedError:
            raise refusal from None


def allow_customer(*, method: PaymentMethod, customer: Any, actor: Actor) -> bool:
    """Let one customer use a method that is enabled customer by customer. False if they may already."""
    if not customer.is_active:
        raise InvalidInput({"customer": [_("This account is switched off.")]})
    with transaction.atomic():
        found = _locked(method)
        if found.customers.filter(pk=customer.pk).exists():
            return False
        found.customers.add(customer)
        _record(found, ALLOW, actor, {"customers": [None, _name(customer)], "customer": [None, customer.pk]})
    return True


def disallow_customer(*, method: PaymentMethod, customer: Any, actor: Actor) -> bool:
    """Take a method away from a customer. Orders they have placed go on as they are."""
    with transaction.atomic():
        found = _locked(method)
        if not found.customers.filter(pk=customer.pk).exists():
            return False
        found.customers.remove(customer)
        _record(found, DISALLOW, actor, {"customers": [_name(customer), None], "customer": [customer.pk, None]})
    return True


def _name(customer: Any) -> str:
    return str(customer.email or customer.get_username())[:150]


def _locked(method: PaymentMethod) -> PaymentMethod:
    found = lock_rows(PaymentMethod._default_manager.filter(pk=method.pk))
    if not found:
        raise PaymentMethod.DoesNotExist
    return found[0]


def _groups(numbers: Iterable[Any]) -> list[Group]:
    return list(Group._default_manager.filter(pk__in=[int(getattr(number, "pk", number)) for number in numbers]))


def _free_code(name: str) -> str:
    """A code made from the name that no other method has."""
    base = slugify(name)[:56] or "method"
    taken = set(PaymentMethod._default_manager.filter(code__startswith=base).values_list("code", flat=True))
    return base if base not in taken else next(f"{base}-{n}" for n in range(2, 1000) if f"{base}-{n}" not in taken)


def _write(method: PaymentMethod) -> None:
    try:
        with transaction.atomic():
            method.save()
    except IntegrityError:
        raise InvalidInput({"code": [_("Another method has this code already.")]}) from None


def _record(method: PaymentMethod, action: str, actor: Actor, data: Mapping[str, Any]) -> None:
    PaymentMethodChange._default_manager.create(
        method=method,
        code=method.code,
        action=action,
        data=dict(data),
        created_at=timezone.now(),
        **actor_fields(actor),
    )
