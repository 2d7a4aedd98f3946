"""Notes of our own, over real TLS to a simulated tax office: issued, and what comes of them."""

import pytest

from oscar_fulfillment.models import NfeEmission, OrderFulfillment
from oscar_fulfillment.services import emission_issue
from tests import tax_office as shop

pytestmark = [pytest.mark.feature("A9", "Z5"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def office(settings):
    with shop.tax_office(settings) as office:
        yield office


def issue(order, **options):
    return emission_issue.issue_note(order=order, actor=shop.CLERK, **options)


def shipping(order):
    return OrderFulfillment.objects.get(pk=order.pk).shipping_status


def test_a_note_is_issued_and_becomes_the_orders_invoice(office):
    shop.profile()
    order = shop.released()
    note = issue(order)
    assert (note.number, note.series, note.status) == (1, 1, NfeEmission.DRAFT)
    shop.work()
    note.refresh_from_db()
    print(note.problem, note.answer_code, note.answer_text)
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked == ["NFeAutorizacao"]
    assert shipping(order) == "invoiced"
    assert note.invoice.access_key == note.access_key
