"""The boxes of a shipment: named when they leave, corrected afterwards, each with its tracking code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Parcel, Shipment, StatusChange
from oscar_fulfillment.models.shipment import CANCELLED, DELIVERED, DISPATCHED, PENDING, RETURNED

from . import messages
from .door import move

CHANGE_PARCELS = Move("shipment", "change_parcels", is_record=True)
CHANGE_TRACKING = Move("shipment", "change_tracking", is_record=True)
#: The most boxes one form may name.
MAX_PARCELS = 99
TYPED = ("carrier", "tracking_code", "tracking_url")


def read_parcel(*, carrier: str = "", tracking_code: str = "", order: Any = None) -> dict[str, str]:
    """Carrier and code as typed, checked by the carrier: ``carrier, tracking_code, tracking_url``.

    The code may be empty (own van, or it comes later). :class:`InvalidInput` for an unknown carrier, a code it cannot
    be, or one that is on another order's parcel that has not arrived yet.
    """
    if not carrier and not tracking_code:
        return {"carrier": "", "tracking_code": "", "tracking_url": ""}
    if carrier not in carriers:
        raise InvalidInput({"carrier": [_("Choose one of the shop's carriers.")]})
    adapter = carriers.get(carrier)
    if not tracking_code.strip():
        return {"carrier": carrier, "tracking_code": "", "tracking_url": ""}
    try:
        code = adapter.normalise_tracking_code(tracking_code)
    except ValueError as error:
        raise InvalidInput({"tracking_code": [str(error)]}) from error
    if order is not None and (other := order_with_code(carrier, code, without=order.pk)):
        raise InvalidInput({"tracking_code": [_("This code is on order %(number)s.") % {"number": other}]})
    url = adapter.tracking_url(code, _language(order))[:500]
    return {"carrier": carrier, "tracking_code": code, "tracking_url": url}


def read_parcels(typed: Iterable[Mapping[str, str]], *, order: Any = None) -> list[dict[str, str]]:
    """Several, without the empty ones. :class:`InvalidInput` also for a code typed twice; what is about the second
    parcel is named ``tracking_code_2``, and so on."""
    found = []
    for place, each in enumerate(typed, 1):
        given = {name: each.get(name, "") for name in ("carrier", "tracking_code")}
        try:
            parcel = read_parcel(**given, order=order)
        except InvalidInput as error:
            suffix = f"_{place}" if place > 1 else ""
            raise InvalidInput({f"{name}{suffix}": found for name, found in error.errors.items()}) from error
        if any(parcel.values()):
            found.append(parcel)
    if len(found) > MAX_PARCELS:
        raise InvalidInput({"tracking_code": [_("At most %(most)d parcels at once.") % {"most": MAX_PARCELS}]})
    codes = [parcel["tracking_code"] for parcel in found if parcel["tracking_code"]]
    if doubled := next((code for code in codes if codes.count(code) > 1), None):
        raise InvalidInput({"tracking_code": [_("The code %(code)s was typed twice.") % {"code": doubled}]})
    return found


def order_with_code(carrier: str, code: str, *, without: int) -> str:
    """The number of another order with a parcel of this code that has not arrived; carriers use codes again later."""
    rows = Parcel._default_manager.filter(carrier=carrier, tracking_code=code, status__in=[PENDING, DISPATCHED])
    rows = rows.exclude(shipment__fulfillment=without)
    return rows.values_list("shipment__fulfillment__number", flat=True).first() or ""


def _language(order: Any) -> str:
    fulfillment = getattr(order, "fulfillment", None)
    return fulfillment.language if fulfillment is not None else ""


def first_check(parcel: Parcel, now: datetime) -> datetime | None:
    """When the carrier is first asked for a parcel: None where it cannot be, or the dashboard says not to."""
    adapter = parcel.adapter
    if adapter is None or not parcel.tracking_code or Capability.TRACK not in adapter.capabilities:
        return None
    return now + timedelta(minutes=adapter.track_every[0]) if adapter.is_polled else None


def send_parcels(going: Sequence[Shipment], typed: Sequence[Mapping[str, str]], now: datetime) -> list[Parcel]:
    """The boxes of shipments that leave now, at most four statements for any number of them.

    Boxes that are there already (packed, or ordered from a carrier) leave as they are; what was typed names those that
    have no code yet, in their order, and makes new ones for the rest.
    """
    there: dict[int, list[Parcel]] = defaultdict(list)
    for parcel in Parcel._default_manager.filter(shipment__in=going, status=PENDING).order_by("number"):
        there[parcel.shipment_id].append(parcel)
    new = []
    for shipment in going:
        boxes = there[shipment.pk]
        known = {parcel.tracking_code for parcel in boxes if parcel.tracking_code}
        rest = [each for each in typed if not each["tracking_code"] or each["tracking_code"] not in known]
        for parcel in boxes:
            if rest and not parcel.tracking_code:
                _name(parcel, rest.pop(0))
        # Without a code a new box would say nothing beside one that is there.
        rest = [each for each in rest if each["tracking_code"] or not boxes]
        number = max((parcel.number for parcel in boxes), default=0)
        for each in rest:
            number += 1
            new.append(Parcel(shipment=shipment, number=number, **{name: each[name] for name in TYPED}))
    leaving = [*(parcel for shipment in going for parcel in there[shipment.pk]), *new]
    for parcel in leaving:
        parcel.status, parcel.dispatched_at = DISPATCHED, now
        parcel.next_check_at = parcel.next_check_at or first_check(parcel, now)
    old = leaving[: len(leaving) - len(new)]
    if old:
        Parcel._default_manager.bulk_update(old, ["status", "dispatched_at", "next_check_at", *TYPED])
    if new:
        Parcel._default_manager.bulk_create(new)
    return leaving


def _name(parcel: Parcel, typed: Mapping[str, str]) -> None:
    for name in TYPED:
        setattr(parcel, name, typed[name] or getattr(parcel, name))


def arrive_with(shipments: Sequence[Shipment], status: str, now: datetime) -> None:
    """The boxes of shipments that arrived, or came back: nobody asks for them any more."""
    rows = Parcel._default_manager.filter(shipment__in=shipments, status=DISPATCHED)
    rows.update(status=status, next_check_at=None, **({"delivered_at": now} if status == DELIVERED else {}))


def come_back_with(shipments: Sequence[Shipment]) -> None:
    """The boxes of shipments all of whose goods are back."""
    rows = Parcel._default_manager.filter(shipment__in=shipments, status__in=[DISPATCHED, DELIVERED])
    rows.update(status=RETURNED, next_check_at=None)


def change_tracking(
    *,
    order: Any,
    actor: Actor,
    carrier: str,
    tracking_code: str,
    shipment: int | None = None,
    parcel: int | None = None,
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Correct the carrier and code of a ``parcel`` (its id), or of the only one of a ``shipment`` that has left.

    What the old code's carrier told is forgotten with it. The customer gets the right link unless not.
    """
    typed = read_parcel(carrier=carrier, tracking_code=tracking_code, order=order)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            row = _to_change(step, shipment, parcel)
            if row is None:
                continue
            before = row.tracking_code
            for name in TYPED:
                setattr(row, name, typed[name])
            if row.tracking_code != before:
                if row.pk:
                    row.events.all().delete()
                row.tracking_state = row.tracking_text = row.tracking_place = row.incident = row.tracking_problem = ""
                row.tracking_at, row.checks = None, 0
            row.next_check_at = first_check(row, step.now)
            row.save()
            step.data |= {
                "shipment": row.shipment_id, "parcel": row.pk, "before": before, "after": typed["tracking_code"],
            }  # fmt: skip
            if step.context["notify"] and row.status == DISPATCHED:
                messages.mail(step, messages.ORDER_DISPATCHED, shipments=[row.shipment_id])

    return move(
        order,
        CHANGE_TRACKING,
        actor=actor,
        context={"notify": notify},
        effect=effect,
        expected_version=expected_version,
        key=key,
        lock=True,
    )


def _to_change(step: Step, shipment: int | None, parcel: int | None) -> Parcel | None:
    rows = Parcel._default_manager.filter(shipment__fulfillment=step.subject).exclude(
        status__in=[CANCELLED, DELIVERED, RETURNED]
    )
    if parcel is not None:
        found = rows.filter(pk=parcel).first()
    else:
        several = list(rows.filter(shipment=shipment)[:2])
        if len(several) > 1:
            step.refuse(Reason("which_parcel", _("This shipment has several parcels: choose one.")))
            return None
        found = several[0] if several else _first_box(step, shipment)
    if found is None:
        step.refuse(Reason("not_under_way", _("This shipment is not under way.")))
    return found


def _first_box(step: Step, shipment: int | None) -> Parcel | None:
    """A box for a shipment that left without any."""
    gone = Shipment._default_manager.filter(pk=shipment or 0, fulfillment=step.subject, status=DISPATCHED).first()
    if gone is None:
        return None
    return Parcel(shipment=gone, number=1, status=DISPATCHED, dispatched_at=gone.dispatched_at)


def change_parcels(
    *,
    order: Any,
    actor: Actor,
    shipment: int,
    parcels: Sequence[Mapping[str, str]],
    notify: bool = False,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say anew which boxes a shipment has that is still here or under way; those of before that are not named go.

    A box that its carrier already told something of stays. :class:`InvalidInput` as :func:`read_parcels`.
    """
    typed = read_parcels(parcels, order=order)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            row = Shipment._default_manager.filter(
                pk=shipment, fulfillment=step.subject, status__in=[PENDING, DISPATCHED]
            ).first()
            if row is None:
                step.refuse(Reason("not_under_way", _("This shipment is not under way.")))
                continue
            boxes = list(row.parcels.exclude(status=CANCELLED).order_by("number"))
            wanted = {each["tracking_code"] for each in typed if each["tracking_code"]}
            step.data["before"] = ", ".join(parcel.tracking_code for parcel in boxes if parcel.tracking_code)
            kept = [p for p in boxes if p.tracking_code in wanted or p.tracking_state or p.packed_at]
            Parcel._default_manager.filter(pk__in=[p.pk for p in boxes if p not in kept]).delete()
            known = {parcel.tracking_code for parcel in kept}
            blank = [parcel for parcel in kept if not parcel.tracking_code]
            number = max((parcel.number for parcel in boxes), default=0)
            for each in typed:
                if each["tracking_code"] and each["tracking_code"] in known:
                    continue
                if blank:
                    box = blank.pop(0)
                else:
                    number += 1
                    box = Parcel(shipment=row, number=number, status=row.status, dispatched_at=row.dispatched_at)
                _name(box, each)
                box.next_check_at = first_check(box, step.now) if row.status == DISPATCHED else None
                box.save()
            step.data |= {"shipment": row.pk, "after": ", ".join(sorted(wanted))}
            if step.context["notify"] and row.status == DISPATCHED:
                messages.mail(step, messages.ORDER_DISPATCHED, shipments=[row.pk])

    return move(
        order, CHANGE_PARCELS, actor=actor, context={"notify": notify}, effect=effect,
        expected_version=expected_version, key=key, lock=True,
    )  # fmt: skip
