"""Files of tracking codes and of occurrences, and orders they are about."""

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.models import Parcel, TrackingImportRow
from oscar_fulfillment.services import tracking_imports
from oscar_fulfillment.test import factories
from tests.unit.test_imports import file3, record3

#: Valid postal codes.
CODES = ("AA123456785BR", "BR123456785BR", "PB123456785BR", "QQ123456785BR", "RR123456785BR")
CNPJ = "11444777000161"


def csv_of(*rows, heading="Pedido;Rastreio"):
    return "\n".join([heading, *(";".join(map(str, row)) for row in rows), ""]).encode()


def take(content, **options):
    """Take a file in, as a member of staff."""
    given = {"carrier": "correios", "file_name": "codes.csv", "actor": factories.TEAM, **options}
    return tracking_imports.start_import(content=content, **given)


def take_ocoren(*records, **options):
    return take(file3(*records).encode("latin-1"), file_name="OCO.txt", **{"carrier": "", **options})


def verdicts(source):
    """[(line, verdict)] of each row."""
    return list(source.rows.values_list("line", "verdict"))


def said(source):
    """The verdict and message of the only row."""
    row = source.rows.get()
    return row.verdict, row.message


def apply(source, user=None, key=None):
    """Apply it; the job."""
    return tracking_imports.apply_import(source=source, user=user or factories.staff_user("*"), key=key or new_key())


def codes(order):
    rows = Parcel.objects.filter(shipment__fulfillment=order.pk).exclude(status="cancelled").order_by("pk")
    return list(rows.values_list("tracking_code", flat=True))


def outcomes(source):
    return list(source.rows.values_list("outcome", "problem"))


def status(order):
    order.fulfillment.refresh_from_db()
    return order.fulfillment.shipping_status


__all__ = [
    "CNPJ",
    "CODES",
    "Actor",
    "TrackingImportRow",
    "apply",
    "codes",
    "csv_of",
    "file3",
    "outcomes",
    "record3",
    "said",
    "status",
    "take",
    "take_ocoren",
    "verdicts",
]
