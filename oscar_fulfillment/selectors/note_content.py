"""What a note of these shipments would say, and what is missing before it can be issued. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents.sellers import seller_keys
from oscar_fulfillment.fiscal import emission as nfe
from oscar_fulfillment.fiscal.emission.facts import NoteFacts, NoteLine, Payment, Place, Recipient
from oscar_fulfillment.fiscal.emission.rules import rule_problems, rules_from_json
from oscar_fulfillment.fiscal.emission.shares import ZERO
from oscar_fulfillment.models import NfeEmission, OrderFulfillment, Shipment
from oscar_fulfillment.models.shipment import CANCELLED, PENDING

from .issuers import Issuing, find_issuing, issuing_aliases
from .note_amounts import Amounts, reckon_amounts
from .note_buyer import buyer_gaps, read_buyer
from .note_payments import read_payments
from .tax_profiles import article_of, profile_of, profiles_by_class, rules_for

#: Where something that is missing is filled in.
PROFILE, BUYER, SETTINGS, ORDER = "profile", "buyer", "settings", "order"


@dataclass(frozen=True)
class Gap:
    """Something that is missing, and ``where`` it is filled in: in the tax profile ``pk``, or in a new one for a
    ``product_class``."""

    message: Any
    where: str
    pk: int | None = None
    product_class: int | None = None

    def __str__(self) -> str:
        return str(self.message)


@dataclass
class NoteContent:
    """What would be issued. ``lines`` and ``buyer`` are as they are stored, see :func:`content_json`."""

    issuing: Issuing | None
    shipments: list[Shipment] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    buyer: dict[str, str] = field(default_factory=dict)
    payments: list[dict[str, str]] = field(default_factory=list)
    volumes: int = 0
    weight: int = 0
    order_number: str = ""
    gaps: list[Gap] = field(default_factory=list)
    #: The order's version that all this was read at.
    version: int = 0

    @property
    def total(self) -> Decimal:
        return sum((line_total(line) for line in self.lines), ZERO)


def issuing_alias(order: Any) -> str:
    """Who would issue this order's note: the alias of NFE, by the same keys as SELLERS; "" for nobody."""
    known = set(issuing_aliases())
    if not known or nfe.missing_packages():
        return ""
    address = order.shipping_address
    country = (address.country_id or "") if address is not None else ""
    keys = seller_keys(country=country, currency=order.currency, flow=order.fulfillment.flow)
    return next((key for key in keys if key in known), "")


def issuable(shipments: Sequence[Shipment]) -> list[Shipment]:
    """Those of an order's shipments that a note can be issued for: here, sold, and without document.

    Goods that are sent again are no sale: their note is another, which is not issued from here.
    """
    return [s for s in shipments if s.status == PENDING and s.invoice_id is None and s.replaces_id is None]


def read_content(
    order: Any, *, shipments: Sequence[int] | None = None, corrections: Mapping[str, str] | None = None,
    emission: NfeEmission | None = None,
) -> NoteContent:  # fmt: skip
    """The note of these shipments (ids; default: all that wait for one), or of the ``emission`` that is to be mended.

    ``corrections``: what a person says otherwise of the buyer, see ``note_buyer.FIELDS``. A constant number of
    statements, and one more per article for its attributes.
    """
    fulfillment = order.fulfillment
    # Not the caller's, who may hold the order for a while: what is read from here on is at least as new as this.
    version = OrderFulfillment._default_manager.values_list("version", flat=True).get(pk=fulfillment.pk)
    found = NoteContent(issuing=None, version=version, order_number=str(order.number))
    alias = emission.alias if emission is not None else issuing_alias(order)
    try:
        found.issuing = find_issuing(alias)
        found.issuing.certificate()
    except ConfigurationError as error:
        found.gaps.append(Gap(str(error), SETTINGS))
    parents = ("product__product_class", "product__parent__product_class")
    read = [f"lines__line__{name}" for name in parents]
    every = list(fulfillment.shipments.prefetch_related(*read, "parcels"))
    found.shipments = _chosen(every, shipments, emission)
    if not found.shipments:
        found.gaps.append(Gap(_("Nothing of this order waits for a note."), ORDER))
        return found
    if order.currency != "BRL":
        found.gaps.append(
            Gap(_("A note is in reais, and this order is in %(currency)s.") % {"currency": order.currency}, ORDER)
        )
    earlier = standing_notes(fulfillment.pk, without=emission)
    amounts = reckon_amounts(order, found.shipments, every, earlier)
    found.lines = _lines(found, amounts)
    found.buyer = read_buyer(order, corrections)
    found.gaps += [Gap(message, BUYER) for message in buyer_gaps(order, found.buyer)]
    if found.issuing is not None:
        found.gaps += _rule_gaps(found)
        found.payments = read_payments(order, found.issuing, total=found.total, credit=amounts.credit)
    boxes = [box for shipment in found.shipments for box in shipment.parcels.all() if box.status != CANCELLED]
    found.volumes = len(boxes) or len(found.shipments)
    found.weight = sum(box.weight or 0 for box in boxes)
    return found


def standing_notes(fulfillment_id: int, *, without: NfeEmission | None = None) -> list[NfeEmission]:
    """The notes of an order that stand, without their files; their shipments are read too."""
    rows = NfeEmission._default_manager.filter(fulfillment=fulfillment_id, status__in=NfeEmission.STANDING)
    if without is not None:
        rows = rows.exclude(pk=without.pk)
    return list(rows.defer("xml", "proc_xml").prefetch_related("coverage"))


def _chosen(every: Sequence[Shipment], wanted: Sequence[int] | None, emission: NfeEmission | None) -> list[Shipment]:
    if emission is not None:
        covered = {row.shipment_id for row in emission.coverage.all() if row.is_standing}
        return [s for s in every if s.pk in covered and s.status == PENDING]
    waiting = issuable(every)
    return waiting if wanted is None else [s for s in waiting if s.pk in set(wanted)]


def _lines(found: NoteContent, amounts: Amounts) -> list[dict[str, Any]]:
    profiles = profiles_by_class()
    rows = []
    for part in amounts.lines:
        product = part.line.product
        profile = profile_of(product, profiles)
        article = article_of(product)
        product_class = product.get_product_class() if product is not None else None
        rows.append(
            {
                "line": part.line.pk,
                "code": part.line.partner_sku or str(part.line.pk),
                "title": part.line.title,
                "quantity": part.quantity,
                "gross": str(part.gross),
                "discount": str(part.discount),
                "freight": str(part.freight),
                "other": str(part.other),
                "gtin": article.get("gtin", ""),
                "profile": profile.pk if profile is not None else None,
                "profile_name": profile.name if profile is not None else "",
                "product_class": product_class.pk if product_class is not None else None,
                "class_name": product_class.name if product_class is not None else "",
                "rules": rules_for(profile, article).to_json(),
            }
        )
    return rows


def _rule_gaps(found: NoteContent) -> list[Gap]:
    """What is missing in the tax profiles, once for all the lines that lack the same."""
    assert found.issuing is not None
    issuer = found.issuing.issuer
    state = found.buyer["state"] if found.buyer["state"] != issuer.place.state and not found.buyer["ie"] else ""
    gaps: dict[tuple[Any, str], Gap] = {}
    for row in found.lines:
        if row["profile"] is None:
            words = _("There is no tax profile for “%(name)s”.") % {"name": row["class_name"] or row["title"]}
            gaps.setdefault((row["product_class"], words), Gap(words, PROFILE, None, row["product_class"]))
            continue
        for name, message in rule_problems(rules_from_json(row["rules"]), issuer.crt, state).items():
            words = _("Tax profile “%(name)s”: %(problem)s") % {"name": row["profile_name"], "problem": message}
            gaps.setdefault((row["profile"], name), Gap(words, PROFILE, row["profile"]))
    return list(gaps.values())


# Stored, and read again


def line_total(row: Mapping[str, Any]) -> Decimal:
    """What the buyer pays for a line."""
    return Decimal(row["gross"]) - Decimal(row["discount"]) + Decimal(row["freight"]) + Decimal(row["other"])


def content_json(content: NoteContent) -> dict[str, Any]:
    """As it is stored with the note: what was reckoned stays, whatever becomes of order and profiles."""
    return {
        "shipments": [shipment.pk for shipment in content.shipments],
        "lines": content.lines,
        "buyer": content.buyer,
        "payments": content.payments,
        "volumes": content.volumes,
        "weight": content.weight,
        "order_number": content.order_number,
    }


def facts_of(content: Mapping[str, Any], issuing: Issuing, **numbered: Any) -> NoteFacts:
    """The facts of a stored content under a number: ``series``, ``number``, ``code``, ``issued_at`` and the rest."""
    buyer = content["buyer"]
    place = {name: buyer[name] for name in Place.__dataclass_fields__}
    return NoteFacts(
        issuer=issuing.issuer,
        recipient=Recipient(
            name=buyer["name"], kind=buyer["kind"], tax_id=buyer["tax_id"], place=Place(**place), ie=buyer["ie"],
            email=buyer["email"],
        ),
        lines=tuple(
            NoteLine(
                reference=str(row["line"]), code=row["code"], title=row["title"], quantity=int(row["quantity"]),
                gross=Decimal(row["gross"]), discount=Decimal(row["discount"]), freight=Decimal(row["freight"]),
                other=Decimal(row["other"]), gtin=row["gtin"], rules=rules_from_json(row["rules"]),
            )
            for row in content["lines"]
        ),
        payments=tuple(Payment(row["code"], Decimal(row["amount"]), row["label"]) for row in content["payments"]),
        environment=issuing.environment,
        order_number=content["order_number"],
        operation=issuing.operation,
        freight_mode=issuing.freight_mode,
        volumes=content["volumes"],
        weight=content["weight"],
        text=issuing.text,
        technical=issuing.technical,
        **numbered,
    )  # fmt: skip
