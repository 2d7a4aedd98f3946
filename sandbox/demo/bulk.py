"""Many plain orders, quickly: for looking at long lists. They are new, unpaid, and carry their first history row."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import CUSTOMER, Actor
from oscar_fulfillment.models import OrderFulfillment, StatusChange
from oscar_fulfillment.services.placing import build_fulfillment, first_row
from sandbox.partner.strategy import net
from sandbox.shop.stores import STORES

from .payment_methods import methods_of
from .people import PEOPLE

CHUNK = 500


def create_plain_orders(count: int, seed: int = 7) -> int:
    """Create ``count`` orders with one line each, over the last year, five statements a chunk. Returns it."""
    Order, Line, Address, StockRecord = (
        get_model("order", "Order"),
        get_model("order", "Line"),
        get_model("order", "ShippingAddress"),
        get_model("partner", "StockRecord"),
    )
    dice, now = random.Random(seed), timezone.now()
    records: dict[str, list[Any]] = {code: [] for code in STORES}
    for record in StockRecord.objects.select_related("product", "partner").order_by("pk"):
        if record.partner.code in records and (record.num_in_stock or 0) > 50:
            records[record.partner.code].append(record)
    methods = {code: methods_of(store) for code, store in STORES.items()}
    first = 900_001 + Order.objects.filter(number__startswith="9", number__regex=r"^9\d{5,}$").count()
    numbers = itertools.count(first)

    for begin in range(0, count, CHUNK):
        size = min(CHUNK, count - begin)
        stores = [dice.choice(list(STORES.values())) for _ in range(size)]
        people = [dice.choice(PEOPLE[store.code]) for store in stores]
        chosen = [dice.choice(records[store.code]) for store in stores]
        quantities = [dice.choice((1, 1, 1, 2)) for _ in range(size)]
        with transaction.atomic():
            addresses = Address.objects.bulk_create(
                Address(
                    first_name=person.first_name,
                    last_name=person.last_name,
                    line1=person.line1,
                    line4=person.city,
                    state=person.state,
                    postcode=person.postcode,
                    country_id=person.country,
                )
                for person in people
            )
            orders, lines, rows = [], [], []
            for store, person, address, record, quantity in zip(
                stores, people, addresses, chosen, quantities, strict=True
            ):
                carriage = store.carriages[0]
                goods, goods_net = record.price * quantity, net(record.price, store.tax_rate) * quantity
                orders.append(
                    Order(
                        number=str(next(numbers)),
                        currency=store.currency,
                        total_incl_tax=goods + carriage.price,
                        total_excl_tax=goods_net + net(carriage.price, store.tax_rate),
                        shipping_incl_tax=carriage.price,
                        shipping_excl_tax=net(carriage.price, store.tax_rate),
                        shipping_method=str(carriage.name),
                        shipping_code=carriage.code,
                        shipping_address=address,
                        status="Received",
                        guest_email=person.email,
                        date_placed=now - timedelta(minutes=dice.randrange(60, 525_600)),
                    )
                )
            Order.objects.bulk_create(orders)
            for order, store, person, record, quantity in zip(orders, stores, people, chosen, quantities, strict=True):
                lines.append(_line(Line, order, store, record, quantity))
                rows.append(
                    build_fulfillment(
                        order,
                        payment_method=dice.choice(methods[store.code]),
                        tax_id=person.tax_id,
                        tax_id_kind=person.tax_id_kind,
                        language=store.language,
                    )
                )
            Line.objects.bulk_create(lines)
            history = []
            for row in rows:
                change = first_row(row, Actor(CUSTOMER, row.email), "place", row.placed_at)
                row.version, row.history_hash = 1, change.hash
                history.append(change)
            OrderFulfillment.objects.bulk_create(rows)
            StatusChange._default_manager.bulk_create(history)
            for pk, units in Counter(
                record.pk for record, quantity in zip(chosen, quantities, strict=True) for _ in range(quantity)
            ).items():
                # Enough goods for all of them, so that these orders can be worked.
                StockRecord.objects.filter(pk=pk).update(
                    num_in_stock=F("num_in_stock") + units,
                    num_allocated=Coalesce(F("num_allocated"), 0) + units,
                )
    return count


def _line(Line: Any, order: Any, store: Any, record: Any, quantity: int) -> Any:
    excluding = net(record.price, store.tax_rate)
    return Line(
        order=order,
        partner=record.partner,
        partner_name=record.partner.name,
        partner_sku=record.partner_sku,
        stockrecord=record,
        product=record.product,
        title=record.product.title,
        upc=record.product.upc,
        quantity=quantity,
        num_allocated=quantity,
        unit_price_incl_tax=record.price,
        unit_price_excl_tax=excluding,
        line_price_incl_tax=record.price * quantity,
        line_price_excl_tax=excluding * quantity,
        line_price_before_discounts_incl_tax=record.price * quantity,
        line_price_before_discounts_excl_tax=excluding * quantity,
    )
