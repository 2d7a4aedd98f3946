"""What the API answers, as schemas: the order is ``connectors.order_document``."""

from __future__ import annotations

from typing import Any

from .shapes import Schema, flag, listed, or_null, record, text

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_SUM: dict[str, Any] = {"type": "string", "description": "A sum, such as 24.99."}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}


def _all(**properties: Schema) -> dict[str, Any]:
    """An object that always has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _many(items: Schema) -> dict[str, Any]:
    return {"type": "array", "items": items}


_ADDRESS = _all(
    name=_TEXT, line1=_TEXT, line2=_TEXT, line3=_TEXT, line4={**_TEXT, "description": "The town."}, state=_TEXT,
    postcode=_TEXT, country={**_TEXT, "description": "ISO 3166 alpha-2."}, phone=_TEXT,
)  # fmt: skip
_LINE = _all(
    id=_NUMBER, sku=_TEXT, upc=or_null(_TEXT), title=_TEXT, quantity=_NUMBER, price_incl_tax=_SUM, price_excl_tax=_SUM,
    unit_price_incl_tax=_SUM, unit_price_excl_tax=_SUM, tax_rate=or_null({**_TEXT, "description": "In per cent."}),
)  # fmt: skip
_PARCEL = _all(
    id=_NUMBER, number=_NUMBER, status=_TEXT, carrier=or_null(_TEXT), tracking_code=or_null(_TEXT),
    tracking_url=or_null(_TEXT), tracking_state=or_null(_TEXT),
)  # fmt: skip
_SHIPMENT = _all(
    id=_NUMBER, number=_NUMBER, status=_TEXT, dispatched_at=or_null(_TIME), delivered_at=or_null(_TIME),
    invoice=or_null({**_NUMBER, "description": "The id of its document."}),
    lines=_many(_all(line=_NUMBER, quantity=_NUMBER)), parcels=_many(_PARCEL),
)  # fmt: skip
_INVOICE = _all(
    id=_NUMBER, kind={**_TEXT, "description": "nfe, other or none."}, number=or_null(_TEXT), series=or_null(_TEXT),
    access_key=or_null(_TEXT), is_cancelled=flag(),
)  # fmt: skip
_CUSTOMER = _all(
    name=_TEXT, email=_TEXT, language=_TEXT, tax_id_kind=or_null(_TEXT), tax_id=or_null(_TEXT),
    shipping_address=or_null(_ADDRESS), billing_address=or_null(_ADDRESS),
)  # fmt: skip
ORDER = _all(
    id=_NUMBER, number=_TEXT, version={**_NUMBER, "description": "Only grows."}, placed_at=_TIME, flow=_TEXT,
    payment_status=_TEXT, shipping_status=_TEXT, is_on_hold=flag(), has_backorder=flag(),
    payment_method=or_null(_TEXT), payment_method_name=or_null(_TEXT), shipping_method=or_null(_TEXT),
    shipping_method_name=or_null(_TEXT), currency=_TEXT, total_incl_tax=_SUM, total_excl_tax=_SUM,
    shipping_incl_tax=_SUM, shipping_excl_tax=_SUM,
    extra_incl_tax={**_SUM, "description": "Surcharges and roundings that are in no line."}, extra_excl_tax=_SUM,
    received={**_SUM, "description": "The money that is in."}, lines=_many(_LINE), shipments=_many(_SHIPMENT),
    invoices=_many(_INVOICE), customer=_CUSTOMER, link=or_null(_TEXT),
)  # fmt: skip
ORDERS = _all(orders=_many(ORDER), next_cursor=or_null(_TEXT))
ACKNOWLEDGED = _all(number=_TEXT, status={**_TEXT, "description": "acknowledged."})
MANY_ACKNOWLEDGED = _all(
    orders=_many(_all(number=_TEXT, status={**_TEXT, "description": "acknowledged or refused."}, detail=or_null(_TEXT)))
)
RECEIPT = _all(
    orderId=_TEXT,
    receipt={**_TEXT, "description": "The same whenever the same is told again."},
    date=_TIME,
    result={"type": "string", "enum": ["applied", "known"], "description": "known: the order had it already."},
    payment_status=_TEXT,
    shipping_status=_TEXT,
)
STOCK = _all(
    sku=_TEXT, partner=_TEXT, num_in_stock=or_null(_NUMBER), num_allocated=_NUMBER,
    available={**_NUMBER, "description": "What may still be sold."},
    short_by={**_NUMBER, "description": "By how much less is there than orders have reserved."},
)  # fmt: skip
STOCKS = _all(items=_many(STOCK))
PROBLEM = {
    "type": "object",
    "properties": {
        "type": _TEXT, "title": _TEXT, "status": _NUMBER, "detail": _TEXT,
        "errors": listed(record({"pointer": text(500), "field": text(200), "code": text(100), "detail": text(4000)}),
                         most=1000),
    },
    "required": ["type", "title", "status"],
}  # fmt: skip
