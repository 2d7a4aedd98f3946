"""Demo orders in every state, made through the services as people would make them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from django.contrib.auth import get_user_model
from django.utils import timezone, translation
from oscar.core.loading import get_class, get_model

from oscar_fulfillment.carriers.s10 import check_digit
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.services import cancelling, holds, invoicing, notes, payments, release, shipping
from oscar_fulfillment.test.fiscal import make_key
from sandbox.partner.strategy import StoreStrategy
from sandbox.shipping.methods import StoreMethod
from sandbox.shop.stores import STORES, Store

from . import shipping as shipping_situations
from .catalogue import ITEMS
from .payment_methods import methods_of
from .people import PEOPLE, Person

# How far each order goes, and how many of them there are in each store.
SITUATIONS: dict[str, int] = {
    "new": 3,
    "paid": 2,
    "on_hold": 1,
    "released": 1,
    "invoiced": 1,
    "sent_in_part": 1,
    "sent": 2,
    "delivered": 2,
    "returned": 1,
    "cancelled": 1,
}
SCARCE = "OR-403"


class Clock:
    """The time the demo orders were worked at: in the past, and never later than now."""

    def __init__(self) -> None:
        self.now = self.limit = timezone.now()

    def set(self, moment: datetime) -> None:
        self.now = min(moment, self.limit)

    def later(self, **delta: float) -> None:
        self.set(self.now + timedelta(**delta))

    @contextmanager
    def running(self) -> Iterator[None]:
        # The services write the time of each step into an append-only history: it cannot be moved afterwards.
        with mock.patch("django.utils.timezone.now", side_effect=lambda: self.now):
            yield


class Crew:
    """Who works the orders."""

    def __init__(self) -> None:
        self._found: dict[str, Actor] = {}

    def __getattr__(self, role: str) -> Actor:
        if role.startswith("_"):
            raise AttributeError(role)
        if role not in self._found:
            self._found[role] = Actor.from_user(get_user_model().objects.get(email=f"{role}@example.com"))
        return self._found[role]


class Maker:
    """Places one order and works it as far as its situation says."""

    def __init__(self, clock: Clock, crew: Crew, dice: random.Random):
        self.clock, self.crew, self.dice = clock, crew, dice
        self.methods = {code: methods_of(store) for code, store in STORES.items()}
        products = get_model("catalogue", "Product").objects.prefetch_related("stockrecords")
        self.products = {product.upc: product for product in products.filter(upc__in=[item.sku for item in ITEMS])}
        self.serial = itertools.count(1)

    def basket(self, store: Store, skus: list[tuple[str, int]], user: Any) -> Any:
        basket = get_model("basket", "Basket").objects.create(owner=user)
        basket.strategy = StoreStrategy(store=store)
        for sku, quantity in skus:
            basket.add_product(self.products[sku], quantity)
        return basket

    def address(self, person: Person) -> Any:
        return get_model("order", "ShippingAddress").objects.create(
            first_name=person.first_name,
            last_name=person.last_name,
            line1=person.line1,
            line3=person.district,
            line4=person.city,
            state=person.state,
            postcode=person.postcode,
            country_id=person.country,
        )

    def place(
        self, store: Store, person: Person, skus: list[tuple[str, int]], user: Any = None, *, collected: bool = False
    ) -> Any:
        basket = self.basket(store, skus, user)
        carriage = store.carriages[-1] if collected else self.dice.choice(store.carriages[:2])
        method = StoreMethod(store, carriage)
        charge = method.calculate(basket)
        total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, charge)
        with translation.override(store.language):
            order = get_class("order.utils", "OrderCreator")().place_order(
                basket=basket,
                total=total,
                shipping_method=method,
                shipping_charge=charge,
                shipping_address=self.address(person),
                order_number=str(100000 + basket.pk),
                user=user,
                guest_email="" if user else person.email,
                date_placed=self.clock.now,
                fulfillment={
                    "payment_method": self.dice.choice(self.methods[store.code]),
                    "tax_id": person.tax_id,
                    "tax_id_kind": person.tax_id_kind,
                    "language": store.language,
                },
            )
        basket.submit()
        return order

    def skus(self, store: Store, situation: str) -> list[tuple[str, int]]:
        available = [item.sku for item in ITEMS if item.sku != SCARCE and self._is_free(store, item.sku)]
        count = 2 if situation == "sent_in_part" else self.dice.choice((1, 1, 2, 3))
        return [(sku, self.dice.choice((1, 1, 2))) for sku in self.dice.sample(available, count)]

    def _is_free(self, store: Store, sku: str) -> bool:
        return any(
            record.price_currency == store.currency and (record.num_in_stock or 0) > 50
            for record in self.products[sku].stockrecords.all()
        )

    # Steps

    def pay(self, order: Any) -> None:
        method = order.fulfillment.payment_method
        self.clock.later(hours=self.dice.choice((0.1, 3, 20)))
        actor = Actor.provider(method.provider) if method.is_run_by_provider else self.crew.finance
        payments.approve_payment(order=order, actor=actor, reference=f"TX{next(self.serial):06d}")

    def release(self, order: Any, **options: Any) -> None:
        self.clock.later(hours=2)
        release.release_order(order=order, actor=self.crew.clerk, **options)

    def invoice(self, order: Any) -> None:
        if not order.fulfillment.flow_definition.invoices:
            return
        self.clock.later(hours=1)
        key = make_key(year_month=f"{self.clock.now:%y%m}", number=4000 + next(self.serial))
        invoicing.invoice_order(order=order, actor=self.crew.finance, access_key=key)

    def dispatch(self, order: Any, **options: Any) -> None:
        self.clock.later(hours=6)
        carrier, code = self.tracking(order)
        shipping.dispatch_order(order=order, actor=self.crew.warehouse, carrier=carrier, tracking_code=code, **options)

    def tracking(self, order: Any) -> tuple[str, str]:
        serial = f"{self.dice.randrange(10**8):08d}"
        if order.currency == "BRL":
            return "correios", f"AA{serial}{check_digit(serial)}BR"
        if order.currency == "CHF":
            return "swiss_post", f"99.00.123456.{serial}"
        return ("cdek", f"10{serial}") if order.currency == "RUB" else ("tipsa", f"09900109900100{serial}")

    def work(self, order: Any, situation: str) -> None:
        """Take the order as far as its situation says."""
        if situation == "new":
            return
        if situation == "cancelled":
            self.clock.later(days=1)
            override = order.fulfillment.payment_method.is_run_by_provider
            cancelling.cancel_order(
                order=order, actor=self.crew.manager, reason="The customer changed her mind", override=override
            )
            return
        # Bought on invoice: the goods go first, the money comes once they have arrived.
        on_invoice = order.fulfillment.ships_before_payment and situation != "paid"
        if not on_invoice:
            self.pay(order)
        if situation == "on_hold":
            self.clock.later(hours=1)
            holds.place_hold(
                order=order, actor=self.crew.clerk, code=next(iter(holds.HOLD_REASONS)), note="Call the customer first"
            )
        if situation in ("paid", "on_hold"):
            return
        self.release(order)
        if situation == "released":
            return
        self.invoice(order)
        if situation == "invoiced":
            return
        if situation == "sent_in_part":
            line = order.lines.first()
            self.dispatch(order, quantities={line.pk: line.quantity})
            return
        self.dispatch(order)
        if situation in ("delivered", "returned"):
            self.clock.later(days=2)
            shipping.deliver_order(order=order, actor=self.crew.warehouse)
            if on_invoice:
                self.pay(order)
        if situation == "returned":
            self.clock.later(days=3)
            shipping.return_order(order=order, actor=self.crew.warehouse, reason="Did not match the sofa")


def exist() -> bool:
    return get_model("order", "Order")._default_manager.exists()


def create_orders(seed: int = 4) -> int:
    """Create the demo orders; the same seed gives the same ones. Returns how many."""
    clock, dice = Clock(), random.Random(seed)
    maker = Maker(clock, Crew(), dice)
    customer = get_user_model().objects.get(email="customer@example.com")
    plan = [
        (store, situation) for situation, count in SITUATIONS.items() for store in STORES.values() for _ in range(count)
    ]
    # New orders are young, delivered ones old; within that, mixed. The new ones come last, in the last two days: what
    # waits for its money for longer would be reminded and cancelled as soon as the worker starts.
    age = {situation: days for days, situation in enumerate(reversed(SITUATIONS))} | {"new": 2 * len(SITUATIONS)}
    plan.sort(key=lambda entry: age[entry[1]] + dice.random() * 3)
    first_new = next(number for number, (_store, situation) in enumerate(plan) if situation == "new")
    start, made = clock.limit - timedelta(days=34), 0
    with clock.running():
        for number, (store, situation) in enumerate(plan):
            if number >= first_new:
                clock.set(clock.limit - timedelta(hours=44 - 43 * (number - first_new) / (len(plan) - first_new)))
            else:
                clock.set(start + timedelta(days=30 * number / first_new, hours=dice.random() * 5))
            person = dice.choice(PEOPLE[store.code])
            user = customer if store.code == "br" and number % 5 == 0 else None
            order = maker.place(store, person, maker.skus(store, situation), user)
            maker.work(order, situation)
            made += 1
        made += _shortages(maker, clock)
        made += shipping_situations.create(maker, clock)
    shipping_situations.let_carriers_work()
    return made


def _shortages(maker: Maker, clock: Clock) -> int:
    """Two paid orders for more tents than there are: the second one's release answers "missing"."""
    store = STORES["br"]
    record = maker.products[SCARCE].stockrecords.get(price_currency=store.currency)
    for person in PEOPLE["br"][:2]:
        clock.set(clock.limit - timedelta(hours=8))
        order = maker.place(store, person, [(SCARCE, 1), ("CT-102", 2)])
        maker.pay(order)
        maker.clock.later(minutes=20)
        notes.add_note(order=order, actor=maker.crew.clerk, text="One tent came back with a torn seam: count again.")
    # The count found fewer tents than were sold: what allocate() could not know.
    type(record)._default_manager.filter(pk=record.pk).update(num_in_stock=1)
    return 2
