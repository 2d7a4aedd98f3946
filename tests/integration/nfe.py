"""What the tests of fiscal notes share: released orders with a buyer, files taken in and applied."""

import io
from contextlib import contextmanager

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import NfeFile, OrderFulfillment
from oscar_fulfillment.services import nfe_applying, nfe_imports, nfe_work
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.nfe import BUYER

ERP = Actor.system("erp")


def released(*, tax_id=BUYER, **options):
    """An order that waits for its note."""
    kind = {11: "cpf", 14: "cnpj"}.get(len(tax_id), "")
    return factories.released_order(fulfillment={"tax_id": tax_id, "tax_id_kind": kind}, **options)


def take(*contents, name="note.xml", actor=ERP):
    """Take these files in and check them; the files, in their order."""
    files = [(f"{place}-{name}" if len(contents) > 1 else name, io.BytesIO(c)) for place, c in enumerate(contents)]
    taken = nfe_imports.take_files(files=files, actor=actor)
    nfe_work.begin(taken.batch)
    return list(NfeFile.objects.filter(batch=taken.batch).order_by("pk"))


def apply(*files, actor=ERP, reason=""):
    """Apply these files; whether any could be, and they are read again."""
    rows = NfeFile.objects.filter(pk__in=[file.pk for file in files])
    batch = nfe_applying.apply_files(files=rows, actor=actor, reason=reason)
    if batch:
        nfe_work.begin(batch)
    for file in files:
        file.refresh_from_db()
    return bool(batch)


def codes(file):
    return [finding["code"] for finding in file.findings]


def shipping(order):
    return OrderFulfillment.objects.get(pk=order.pk).shipping_status


@contextmanager
def heard(signal, receiver):
    """A plugin listens to this signal."""
    signal.connect(receiver)
    try:
        yield
    finally:
        signal.disconnect(receiver)
