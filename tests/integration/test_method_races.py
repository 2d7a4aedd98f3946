"""Several people at the payment methods at the same moment, on PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import PaymentMethod, PaymentMethodChange
from oscar_fulfillment.selectors.payment_methods import last_change
from oscar_fulfillment.services import payment_methods as services
from oscar_fulfillment.test import factories

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("Z7")]

PEOPLE = 6
REFUSALS = (services.MethodChanged, services.MethodInUse, PaymentMethod.DoesNotExist)


@pytest.fixture
def together():
    """Run one callable per person at once; True for each that was done, False for each that was refused."""
    barrier = threading.Barrier(PEOPLE)

    def one(call, number):
        try:
            barrier.wait(30)
            call(number)
        except REFUSALS:
            return False
        finally:
            connections.close_all()
        return True

    def run(call):
        with ThreadPoolExecutor(PEOPLE) as pool:
            return list(pool.map(lambda number: one(call, number), range(PEOPLE)))

    return run


def actor(number):
    return Actor.system(f"person {number}")


def test_of_all_who_saw_the_same_state_one_saves(together):
    method = factories.manual_method()
    for turn in range(15):
        seen = last_change(method)
        done = together(
            lambda number: services.save_payment_method(
                actor=actor(number), method=method, values={"cancel_days": 10 * turn + number + 1}, seen=seen  # noqa: B023
            )
        )  # fmt: skip
        assert done.count(True) == 1
    assert PaymentMethodChange.objects.count() == 15


def test_methods_are_moved_at_once_without_a_deadlock_and_keep_a_whole_order(together):
    methods = [factories.manual_method(f"m{number}") for number in range(PEOPLE)]
    for _round in range(15):
        done = together(
            lambda number: services.move_payment_method(method=methods[number], up=number % 2 == 0, actor=actor(number))
        )
        assert all(done)
    assert sorted(PaymentMethod.objects.values_list("position", flat=True)) == list(range(PEOPLE))


def test_a_customer_is_enabled_once_and_a_method_deleted_once(together, django_user_model):
    method = factories.manual_method(audience="customers")
    lea = django_user_model.objects.create_user("lea", "lea@example.com", "x")
    together(lambda number: services.allow_customer(method=method, customer=lea, actor=actor(number)))
    assert PaymentMethodChange.objects.filter(action="allow_customer").count() == 1
    done = together(lambda number: services.delete_payment_method(method=method, actor=actor(number)))
    assert done.count(True) == 1
    assert PaymentMethodChange.objects.filter(action="delete").count() == 1
