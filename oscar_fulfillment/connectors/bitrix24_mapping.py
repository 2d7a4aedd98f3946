"""Orders and deals in each other's words: codes, and pure functions record -> fields, deal -> change.

A stage is named by its STAGE_ID. In the pipeline (direction, CATEGORY_ID) 0 that is a bare code ("EXECUTING"), in all
others the code behind its pipeline ("C5:EXECUTING"). Times say their zone, and no fraction of a second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from django.utils.translation import gettext, gettext_lazy

from oscar_fulfillment.core.exceptions import AdapterRejected

from .records import Change, Contact, Notice, OrderRecord, OutsideState, Rule

#: Not theirs: how a deal stands that was deleted.
DELETED = "DELETED"
EVENTS = frozenset({"ONCRMDEALADD", "ONCRMDEALUPDATE", "ONCRMDEALDELETE", "ONCRMDEALMOVETOCATEGORY"})
#: What is read of a deal.
SELECT = (
    "ID", "STAGE_ID", "CATEGORY_ID", "DATE_CREATE", "DATE_MODIFY", "MOVED_TIME", "ORIGINATOR_ID", "ORIGIN_ID",
)  # fmt: skip
#: The stages that every portal begins with; a merchant replaces them in the rules.
RULES = (
    Rule("in", "EXECUTING", step="release"),
    Rule("in", "FINAL_INVOICE", step="dispatch"),
    Rule("in", "WON", step="deliver"),
    Rule("in", "LOSE", step="cancel"),
    Rule("in", "APOLOGY", step="cancel"),
    Rule("out", "NEW", shipping="received"),
    Rule("out", "PREPARATION", payment="paid", shipping="received"),
    Rule("out", "EXECUTING", shipping="released"),
    Rule("out", "EXECUTING", shipping="partially_invoiced"),
    Rule("out", "EXECUTING", shipping="invoiced"),
    Rule("out", "EXECUTING", shipping="partially_dispatched"),
    Rule("out", "FINAL_INVOICE", shipping="dispatched"),
    Rule("out", "WON", shipping="delivered"),
    Rule("out", "LOSE", shipping="cancelled"),
    Rule("out", "APOLOGY", shipping="returned"),
)
#: Seconds before the newest change that are asked for again: a change is seen a little after its time.
OVERLAP = 30
#: Pieces, in the classifier of units that Bitrix24 uses.
PIECE = "796"
_ID = re.compile(r"[1-9]\d{0,18}", re.ASCII)
_STAGE = re.compile(r"[0-9A-Za-z_:\-]{1,50}", re.ASCII)
_PIPELINE = re.compile(r"C(\d+):", re.ASCII)
_ORDER_TEXT = gettext_lazy("Order {number}")


# Stages


def in_pipeline(stage: str, pipeline: int) -> str:
    """A stage's STAGE_ID in a pipeline; one that names its pipeline already stays."""
    return f"C{pipeline}:{stage}" if stage and pipeline and not _PIPELINE.match(stage) else stage


def plain(stage: str) -> str:
    """A stage without its pipeline."""
    return _PIPELINE.sub("", stage, count=1)


def pipeline_of(deal: Mapping[str, Any]) -> int:
    """Where a deal is."""
    value = str(deal.get("CATEGORY_ID") or "0")
    return int(value) if value.isascii() and value.isdigit() else 0


# Outward


def text(value: object, limit: int = 255) -> str:
    """What somebody typed, for a command: on one line, and no reference to another command's result."""
    words = "".join(c if c.isprintable() else " " for c in str(value)[: limit * 4])
    return " ".join(words.split()).replace("$result", "$ result")[:limit]


def deal_fields(order: OrderRecord, extra: Mapping[str, str], title: str) -> dict[str, Any]:
    """What a deal shows of an order, however often it is sent: all but where it stands and whose it is."""
    words = _words(order)
    return {
        "TITLE": text((title or str(_ORDER_TEXT)).format_map(words)),
        "CURRENCY_ID": order.currency,
        "OPPORTUNITY": str(order.total_incl_tax),
        # The rows are rounded by the piece; the order says what it costs.
        "IS_MANUAL_OPPORTUNITY": "Y",
        "COMMENTS": _comments(order),
        **{code: text(value.format_map(words), 2000) for code, value in extra.items()},
    }


def _words(order: OrderRecord) -> dict[str, str]:
    receiver = order.receiver or order.buyer
    return {
        "number": order.number, "link": order.link, "name": order.buyer.name, "email": order.buyer.email,
        "phone": order.buyer.phone, "tax_id": order.buyer.tax_id, "city": receiver.city,
        "address": _address(receiver), "shipping": order.shipping_name, "payment": order.payment_name,
        "shipping_code": order.shipping_code, "payment_code": order.payment_code, "currency": order.currency,
        "total": str(order.total_incl_tax), "flow": order.flow, "language": order.language,
    }  # fmt: skip


def _address(contact: Contact) -> str:
    parts = (
        contact.line1, contact.line2, contact.line3, contact.postcode, contact.city, contact.state, contact.country,
    )  # fmt: skip
    return ", ".join(part for part in parts if part)


def _comments(order: OrderRecord) -> str:
    receiver = order.receiver or order.buyer
    lines = [receiver.name, _address(receiver), order.shipping_name, order.payment_name, order.link]
    # Bitrix24 shows it as BBCode, or as HTML in older portals.
    marks = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")"})
    return "\n".join(text(line, 500).translate(marks) for line in lines if line)


def product_rows(order: OrderRecord) -> list[dict[str, str]]:
    """What was sold, the carriage and the surcharges, with tax; prices are per piece after discounts."""
    rows = []
    for line in order.lines:
        row = _row(line.title, line.unit_incl_tax, line.quantity)
        if line.tax_rate is not None:
            row["TAX_RATE"] = str(line.tax_rate)
        rows.append(row)
    if order.shipping_incl_tax > 0:
        rows.append(_row(order.shipping_name or gettext("Shipping"), order.shipping_incl_tax, 1))
    if order.extra_incl_tax > 0:
        rows.append(_row(gettext("Surcharges"), order.extra_incl_tax, 1))
    return rows


def _row(name: str, price: Decimal, quantity: int) -> dict[str, str]:
    return {
        "PRODUCT_NAME": text(name), "PRICE": str(price), "QUANTITY": str(quantity), "TAX_INCLUDED": "Y",
        "MEASURE_CODE": PIECE,
    }  # fmt: skip


def contact_fields(buyer: Contact, originator: str) -> dict[str, Any]:
    """A contact made for a buyer whom nobody knows by phone or mailbox."""
    first, _space, last = text(buyer.name, 100).partition(" ")
    found: dict[str, Any] = {
        "NAME": first, "LAST_NAME": last, "OPENED": "Y", "TYPE_ID": "CLIENT", "ORIGINATOR_ID": originator,
        "ADDRESS": text(", ".join(part for part in (buyer.line1, buyer.line2, buyer.line3) if part)),
        "ADDRESS_CITY": text(buyer.city), "ADDRESS_PROVINCE": text(buyer.state),
        "ADDRESS_POSTAL_CODE": text(buyer.postcode, 32), "ADDRESS_COUNTRY_CODE": text(buyer.country, 2),
    }  # fmt: skip
    if buyer.phone:
        found["PHONE"] = [{"VALUE": text(buyer.phone, 50), "VALUE_TYPE": "WORK"}]
    if buyer.email:
        found["EMAIL"] = [{"VALUE": text(buyer.email), "VALUE_TYPE": "WORK"}]
    return found


def contact_found(*answers: Any) -> str:
    """The id of the oldest contact that one of the searches found, the first search before the second; "" for none."""
    for answer in answers:
        ids = answer.get("CONTACT") if isinstance(answer, dict) else None
        numbers = [int(str(one)) for one in ids if _ID.fullmatch(str(one))] if isinstance(ids, list) else []
        if numbers:
            return str(min(numbers))
    return ""


# Inward


def deal_id(value: Any) -> str:
    """An id of a deal, "" for what is none."""
    return str(value) if isinstance(value, (str, int)) and _ID.fullmatch(str(value)) else ""


def stage_of(deal: Mapping[str, Any]) -> str:
    """Where a deal stands, "" for what is no STAGE_ID."""
    value = deal.get("STAGE_ID")
    return value if isinstance(value, str) and _STAGE.fullmatch(value) else ""


def moment(value: Any) -> datetime | None:
    """One of their times, in UTC; None for what is none."""
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def moved_at(deal: Mapping[str, Any]) -> datetime | None:
    """When a deal came to where it stands: a change of its title later is no move."""
    return moment(deal.get("MOVED_TIME")) or moment(deal.get("DATE_MODIFY"))


def was_moved(deal: Mapping[str, Any]) -> bool:
    """Whether a deal has left the stage that it was made in, or come back to it."""
    born, moved = moment(deal.get("DATE_CREATE")), moment(deal.get("MOVED_TIME"))
    return born is not None and moved is not None and (moved - born).total_seconds() > 1


def change_of(deal: Any, originator: str, labels: Mapping[str, str]) -> Change | None:
    """How a deal stands, None for one that is not the shop's or cannot be read."""
    if not isinstance(deal, dict) or deal.get("ORIGINATOR_ID") != originator:
        return None
    number, stage, changed = deal_id(deal.get("ID")), stage_of(deal), moment(deal.get("DATE_MODIFY"))
    if not number or not stage or changed is None:
        return None
    return Change(
        key=f"{number}:{changed:%Y%m%dT%H%M%S}:{stage}",
        at=moved_at(deal),
        external_id=number,
        reference=str(deal.get("ORIGIN_ID") or "")[:128],
        state=stage,
        label=labels.get(stage, ""),
    )


def following(deals: Sequence[Mapping[str, Any]], since: str, after: str, *, full: bool) -> tuple[str, bool]:
    """The cursor behind a page of deals that changed, and whether there are more. ``since`` and ``after``: its own."""
    begun = moment(since)
    last = moment(deals[-1].get("DATE_MODIFY")) if deals else None
    number = deal_id(deals[-1].get("ID")) if deals else ""
    if after:
        if full and number and number != after:
            return f"{since}|{number}", True
        # That second is through; what changed in it meanwhile is asked for with the next.
        return (begun + timedelta(seconds=1)).isoformat() if begun else "", True
    if last is None:
        return since, False
    if full:
        return (last.isoformat(), True) if begun is None or last > begun else (f"{since}|{number}", True)
    again = last - timedelta(seconds=OVERLAP)
    return (again if begun is None or again > begun else begun).isoformat(), False


def deleted(number: str) -> Change:
    """A deal that is gone; whether it was the shop's cannot be seen any more."""
    return Change(f"{number}:deleted", external_id=number, state=DELETED, label=gettext("Deleted"), foreign=True)


def form(body: bytes) -> dict[str, str]:
    """The fields of an event. :class:`AdapterRejected` for what is no form."""
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=200, keep_blank_values=True, errors="strict"))
    except ValueError as error:
        raise AdapterRejected("this is no event of Bitrix24") from error


def notice_of(body: bytes) -> Notice:
    """What an event says: the id of a deal that is to be read again, and nothing for events about others.

    Repetitions have the same ``ts``. Hooks that were made long ago have no ``event_handler_id``.
    """
    fields = form(body)
    event = fields.get("event", "").upper()
    if event not in EVENTS:
        return Notice(f"other:{event[:40]}:{fields.get('ts', '')[:20]}")
    number = deal_id(fields.get("data[FIELDS][ID]") or fields.get("data[FIELDS_AFTER][ID]"))
    if not number:
        raise AdapterRejected("the event names no deal")
    moment_, handler = fields.get("ts", "")[:20], fields.get("event_handler_id", "")[:20]
    return Notice(f"{event}:{number}:{moment_}:{handler}", read_again=(number,))


def stages_from(pipeline: Mapping[str, Any], listed: Any, *, only_one: bool) -> list[OutsideState]:
    """The stages of a pipeline in their order, as rules name them."""
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    rows.sort(key=lambda row: int(str(row.get("SORT") or 0)) if str(row.get("SORT") or 0).isdigit() else 0)
    before = "" if only_one else f"{text(pipeline.get('name') or pipeline.get('id'), 50)}: "
    found = []
    for row in rows:
        code = row.get("STATUS_ID")
        if isinstance(code, str) and _STAGE.fullmatch(code):
            found.append(OutsideState(code, f"{before}{text(row.get('NAME') or code, 80)}"))
    return found
