"""Everything the API does, in one table: its URLs, who may call it, what comes in and what goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oscar_fulfillment.services.api_keys import option
from oscar_fulfillment.services.stock_counts import MOST as MOST_STOCK

from .answers import ACKNOWLEDGED, MANY_ACKNOWLEDGED, ORDER, ORDERS, RECEIPT, STOCK, STOCKS
from .shapes import CENTS, DECIMAL, Schema, flag, listed, moment, or_null, record, text, whole


@dataclass(frozen=True)
class Operation:
    """One method of one path. ``handler`` is ``module.function`` of this package: ``(call) -> document``.

    ``refusals``: statuses beside those that every call may get.
    """

    name: str
    method: str
    path: str
    scope: str
    summary: str
    answer: Schema
    handler: str
    description: str = ""
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    refusals: tuple[int, ...] = ()

    @property
    def writes(self) -> bool:
        return self.method != "GET"


_SKU = text(128, least=1, about="As the stock record has it.")
_PARTNER = text(128, about="The code of the partner, where several have this SKU.")
_SUM: dict[str, Any] = {"type": "string", "pattern": DECIMAL, "maxLength": 15}
_EXTERNAL = text(100, about="What the order is called in the caller's system.")
#: Largest XML of a note, in characters.
_XML = 1_900_000

_TRACKING: dict[str, Schema] = {
    "carrier": or_null(text(100, about="An alias or a name of the shop's carriers; else the order's own.")),
    "tracking_code": or_null(text(64)),
    "tracking_url": or_null(text(500, about="Taken, but links are made from the shop's carriers.")),
    "dispatched_at": or_null(moment("Says that the goods have left, also without a code.")),
    "courier": or_null(text(100, about="VTEX: carrier.")),
    "trackingNumber": or_null(text(64, about="VTEX: tracking_code.")),
    "trackingUrl": or_null(text(500, about="VTEX: tracking_url.")),
    "dispatchedDate": or_null(moment("VTEX: dispatched_at.")),
}
_ITEM = record(
    {
        "sku": text(128), "id": text(128, about="VTEX: sku."), "quantity": whole(1, 1_000_000),
        "price": {"type": ["integer", "number", "null"], "description": "Not looked at."},
    },
    "quantity", is_open=True,
)  # fmt: skip
INVOICE = record(
    {
        "type": {"type": "string", "enum": ["Output", "Input"], "description": "Only Output (a sale) is taken."},
        "number": or_null(text(32, about="Zeros mean: no fiscal document.")),
        "series": or_null(text(8)),
        "access_key": or_null(text(120, about="44 characters, spaces and dots allowed. 44 zeros: no document.")),
        "value": or_null({**_SUM, "description": "The document's total, such as 24.99."}),
        "issued_at": or_null(moment()),
        "xml": or_null(text(_XML, about="The authorised note (nfeProc). It goes before number, series and key.")),
        "url": or_null(text(500)),
        "items": or_null(listed(_ITEM, most=1000, about="The units it covers; without: all that is released.")),
        "invoiceNumber": or_null(text(32, about="VTEX: number.")),
        "invoiceKey": or_null(text(120, about="VTEX: access_key.")),
        "invoiceValue": {
            "type": ["string", "integer", "null"], "pattern": CENTS, "maxLength": 14, "minimum": 0,
            "maximum": 10**14 - 1, "description": "VTEX: the total in cents, as text.",
        },
        "issuanceDate": or_null(moment("VTEX: issued_at.")),
        "embeddedInvoice": or_null(text(_XML, about="VTEX: xml.")),
        "invoiceUrl": or_null(text(500, about="VTEX: url.")),
        **_TRACKING,
    },
    is_open=True,
)  # fmt: skip
_EVENT = record(
    {
        "description": text(500, least=1), "date": moment(), "city": or_null(text(100)), "state": or_null(text(100)),
    },
    "description", "date", is_open=True,
)  # fmt: skip
DELIVERY = record(
    {
        "isDelivered": or_null(flag()), "deliveredDate": or_null(moment()),
        "delivered": or_null(flag()), "delivered_at": or_null(moment()),
        "events": or_null(listed(_EVENT, most=200)),
    },
    is_open=True,
)  # fmt: skip
_COUNT = {
    "num_in_stock": whole(0, MOST_STOCK, about="How many are there, reserved ones included."),
    "partner": _PARTNER,
    "even_if_short": flag("Set it also below what orders have reserved."),
}


def operations() -> list[Operation]:
    """The table. Made when asked for: the largest numbers are settings."""
    bulk = option("bulk")
    page: dict[str, Schema] = {
        "status": {"type": "string", "enum": ["released"], "description": "Released, and not acknowledged by you."},
        "cursor": text(40, about="The next_cursor of the page before.", pattern="^(e[0-9]{1,18})?$"),
        "limit": whole(1, option("largest_page")),
    }
    return [
        Operation(
            "listOrders", "GET", "/orders", "orders:read", "Released orders that you have not acknowledged", ORDERS,
            "orders.list_orders", query=page,
            description="The oldest first. Acknowledge what you have, and it is not offered again. Without a "
            "next_cursor you have seen all: begin again without a cursor.",
        ),
        Operation(
            "acknowledgeOrders", "POST", "/orders/acknowledge", "orders:ack", "Say that you have these orders",
            MANY_ACKNOWLEDGED, "orders.acknowledge_orders",
            body=record({"orders": listed(record({"number": text(128, least=1), "external_id": _EXTERNAL}, "number"),
                                          least=1, most=bulk)}, "orders"),
            description="Each order has an outcome of its own.",
        ),
        Operation("getOrder", "GET", "/orders/{number}", "orders:read", "One order", ORDER, "orders.get_order"),
        Operation(
            "acknowledgeOrder", "POST", "/orders/{number}/acknowledge", "orders:ack", "Say that you have this order",
            ACKNOWLEDGED, "orders.acknowledge_order", body=record({"external_id": _EXTERNAL}), refusals=(409,),
        ),
        Operation(
            "postInvoice", "POST", "/orders/{number}/invoice", "invoices:write", "Enter the fiscal document", RECEIPT,
            "invoices.post_invoice", body=INVOICE, refusals=(409,),
            description="Series and number of an NF-e are those of its key, and refused where they differ. The same "
            "document again is answered as the first; with another total it is refused. With tracking in it the "
            "goods are dispatched too (scope tracking:write).",
        ),
        Operation(
            "patchInvoice", "PATCH", "/orders/{number}/invoice/{invoice}", "tracking:write",
            "Dispatch the goods of a document", RECEIPT, "invoices.patch_invoice",
            body=record(_TRACKING, is_open=True), refusals=(409,),
        ),
        Operation(
            "putInvoiceTracking", "PUT", "/orders/{number}/invoice/{invoice}/tracking", "tracking:write",
            "What the carrier says of the goods of a document", RECEIPT, "invoices.put_tracking", body=DELIVERY,
            refusals=(409,),
        ),
        Operation(
            "postTracking", "POST", "/orders/{number}/tracking", "tracking:write",
            "The goods have left, or arrived", RECEIPT, "invoices.post_tracking",
            body=record({**_TRACKING, **DELIVERY["properties"]}, is_open=True), refusals=(409,),
        ),
        Operation(
            "getStock", "GET", "/stock/{sku}", "stock:write", "The stock of an article", STOCK, "stock.get_stock",
            query={"partner": _PARTNER}, refusals=(409,),
        ),
        Operation(
            "putStock", "PUT", "/stock/{sku}", "stock:write", "Set the stock of an article", STOCK, "stock.put_stock",
            body=record(_COUNT, "num_in_stock"), refusals=(409,),
        ),
        Operation(
            "postStock", "POST", "/stock", "stock:write", "Set the stock of many articles: all of them, or none",
            STOCKS, "stock.post_stock",
            body=record({"items": listed(record({"sku": _SKU, **_COUNT}, "sku", "num_in_stock"), least=1, most=bulk)},
                        "items"),
            refusals=(409,),
        ),
    ]  # fmt: skip
