"""What the dashboard says about carriers: switches for those of the settings, and carriers of its own by a link."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.events import FINAL
from oscar_fulfillment.carriers.manual import Manual
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import ConfigurationError, InvalidInput
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.models import CarrierSetup, Parcel
from oscar_fulfillment.models.shipment import DISPATCHED

logger = logging.getLogger("oscar_fulfillment.carriers")

#: What may be switched, and the capability without which it means nothing.
SWITCHES: dict[str, str] = {
    "automatic_tracking_mail": Capability.TRACKING_URL,
    "creates_orders": Capability.CREATE_ORDER,
    "dispatches_on_pickup": Capability.TRACK,
    "is_polled": Capability.TRACK,
}
_TEXTS = {"name": 80, "url_template": 300, "pattern": 200, "example": 64}


def source() -> list[Mapping[str, Any]]:
    """The dashboard's part of the carriers' registry; nothing while the table is not there yet."""
    try:
        # In a savepoint: a failed read must not spoil the caller's transaction.
        with transaction.atomic():
            return [_row(setup) for setup in CarrierSetup._default_manager.all()]
    except DatabaseError:
        return []


def _row(setup: CarrierSetup) -> dict[str, Any]:
    return {
        "alias": setup.alias,
        "is_own": setup.is_own,
        "is_active": setup.is_active,
        "is_polled": setup.is_polled,
        "automatic_tracking_mail": setup.automatic_tracking_mail,
        "creates_orders": setup.creates_orders,
        "dispatches_on_pickup": setup.dispatches_on_pickup,
        "options": options_of(setup),
    }


def options_of(setup: CarrierSetup) -> dict[str, Any]:
    """What :class:`Manual` is built from."""
    return {
        "name": setup.name,
        "url_template": setup.url_template,
        "pattern": setup.pattern,
        "example": setup.example,
        "shipping_methods": [line.strip() for line in setup.shipping_methods.splitlines() if line.strip()],
    }


def save_switches(*, alias: str, is_active: bool, actor: Actor, **switches: bool | None) -> CarrierSetup:
    """Switch a carrier of the settings. What a carrier cannot do cannot be switched on: :class:`InvalidInput`."""
    if alias not in carriers.declared():
        raise InvalidInput({"alias": [_("Choose one of the shop's carriers.")]})
    able = carriers.get(alias).capabilities
    for name, value in switches.items():
        if name not in SWITCHES:
            raise InvalidInput({name: [_("There is no such switch.")]})
        if value and SWITCHES[name] not in able and not (name == "is_polled"):
            raise InvalidInput({name: [_("This carrier cannot do that.")]})
    given = {name: value for name, value in switches.items() if name != "is_polled"}
    given["is_polled"] = switches.get("is_polled") is not False
    setup, _made = CarrierSetup._default_manager.update_or_create(
        alias=alias,
        defaults={**given, "is_own": False, "is_active": is_active, "changed_by_label": actor.label},
    )
    _ask_or_not(alias, given["is_polled"])
    _done()
    return setup


def _ask_or_not(alias: str, is_polled: bool) -> None:
    """Parcels that are on their way are not asked for any more, or from now on again."""
    rows = Parcel._default_manager.filter(carrier=alias)
    if not is_polled:
        rows.filter(next_check_at__isnull=False).update(next_check_at=None)
    elif Capability.TRACK in carriers.get(alias).capabilities:
        waiting = rows.filter(status=DISPATCHED, next_check_at=None).exclude(tracking_code="")
        waiting.exclude(tracking_state__in=[str(state) for state in FINAL]).update(next_check_at=timezone.now())


def save_own(
    *, actor: Actor, alias: str, name: str, url_template: str = "", pattern: str = "", example: str = "",
    shipping_methods: str = "", automatic_tracking_mail: bool = False, is_active: bool = True, pk: int | None = None,
) -> CarrierSetup:  # fmt: skip
    """Make or change a carrier that is described by its link alone. Everything is checked as in the settings.

    Its short name stays once it is made: parcels hold it. :class:`InvalidInput` for what cannot be.
    """
    given = {"name": name, "url_template": url_template, "pattern": pattern, "example": example}
    values: dict[str, Any] = {
        field: clean_text(field, text, limit=_TEXTS[field], required=field == "name") for field, text in given.items()
    }
    values["shipping_methods"] = clean_text("shipping_methods", shipping_methods, limit=2000)
    setup = CarrierSetup._default_manager.filter(pk=pk, is_own=True).first() if pk else CarrierSetup(is_own=True)
    if setup is None:
        raise InvalidInput({"alias": [_("Choose one of the shop's carriers.")]})
    if not pk:
        setup.alias = _new_alias(alias)
    for field, value in values.items():
        setattr(setup, field, value)
    setup.automatic_tracking_mail, setup.is_active = automatic_tracking_mail, is_active
    setup.changed_by_label = actor.label
    check_own(setup)
    try:
        with transaction.atomic():
            setup.save()
    except IntegrityError as error:
        raise InvalidInput({"alias": [_("There is a carrier with this short name.")]}) from error
    _done()
    return setup


def _new_alias(alias: str) -> str:
    alias = alias.strip().lower()
    if not alias.replace("-", "").replace("_", "").isalnum() or not alias.isascii() or len(alias) > 32:
        raise InvalidInput({"alias": [_("A short name has letters without accents, digits, - and _, at most 32.")]})
    if alias in carriers:
        raise InvalidInput({"alias": [_("There is a carrier with this short name.")]})
    return alias


def check_own(setup: CarrierSetup) -> Manual:
    """The adapter that this row makes. :class:`InvalidInput` names the field that is wrong."""
    options = options_of(setup)
    for field, wrong in (
        ("url_template", _("Enter an http or https address with {code} where the code goes, and nothing else in it.")),
        ("pattern", _("This is no regular expression.")),
    ):
        try:
            Manual(alias=setup.alias, name=setup.name, **{field: options[field]})
        except ConfigurationError as error:
            logger.info("carrier %s: %s", setup.alias, error)
            raise InvalidInput({field: [wrong]}) from error
    if not is_quick(setup.pattern):
        message = _(
            "Too complicated. Use letters, digits, [ ], {n} and |, no brackets ( ), and at most three of * + ?."
        )
        raise InvalidInput({"pattern": [message]})
    adapter = Manual(alias=setup.alias, **options)
    if setup.example and adapter.pattern is not None:
        try:
            adapter.normalise_tracking_code(setup.example)
        except ValueError as error:
            raise InvalidInput({"example": [_("The example does not look as its codes should.")]}) from error
    return adapter


def is_quick(pattern: str) -> bool:
    """Whether any code is compared with it at once: an expression of nested or many repetitions can take for ever.

    Without groups nothing is nested, and three repetitions of 64 characters are some ten thousand steps.
    """
    plain = re.sub(r"\\.", "", re.sub(r"\{\d+\}", "", pattern))
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "", plain)
    return "(" not in plain and len(re.findall(r"[*+?]|\{", plain)) <= 3


def delete_own(*, pk: int) -> None:
    """Forget a carrier of the dashboard that no parcel was ever sent with; others are put out of use instead."""
    setup = CarrierSetup._default_manager.filter(pk=pk, is_own=True).first()
    if setup is None:
        return
    if Parcel._default_manager.filter(carrier=setup.alias).exists():
        raise InvalidInput({"alias": [_("Parcels were sent with this carrier: put it out of use instead.")]})
    setup.delete()
    _done()


def _done() -> None:
    """This process knows at once; the others within seconds (``carriers.registry.FRESH``)."""
    carriers.forget()
