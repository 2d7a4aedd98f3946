"""A statement of 10,000 movements: bounded memory, and time that a person waits for."""

import time
import tracemalloc

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_fulfillment.models import BankEntry
from oscar_fulfillment.selectors import bank_matching
from oscar_fulfillment.services import bank
from oscar_fulfillment.statements.camt import read_camt
from tests.many import copies

from .bank import ACCOUNT, RITA, unpaid

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D6")]

ENTRIES = 10_000


def large_camt(count=ENTRIES):
    head = (
        '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        f"<BkToCstmrStmt><Stmt><Id>1</Id><Acct><Id><IBAN>{ACCOUNT}</IBAN></Id><Ccy>CHF</Ccy></Acct>"
    )
    body = "".join(
        f'<Ntry><Amt Ccy="CHF">100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-05'
        f"</Dt></BookgDt><AcctSvcrRef>REF{n}</AcctSvcrRef><NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>Payer {n}</Nm>"
        f"</Pty></Dbtr></RltdPties><RmtInf><Ustrd>Order L{n:05d} thank you very much</Ustrd></RmtInf></TxDtls>"
        f"</NtryDtls></Ntry>"
        for n in range(count)
    )
    return f"{head}{body}</Stmt></BkToCstmrStmt></Document>".encode()


def test_the_memory_of_reading_grows_with_the_movements_not_with_the_file():
    content = large_camt()
    tracemalloc.start()
    (statement,) = read_camt(content, most=ENTRIES)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(statement.entries) == ENTRIES
    print(f"reading {len(content) / 1e6:.1f} MB: peak {peak / 1e6:.1f} MB")
    assert peak < 3_000 * ENTRIES


def test_ten_thousand_movements_are_imported_and_proposed(settings):
    copies(unpaid("L", "100.00"), 2_000, prefix="L")
    content = large_camt()
    began = time.perf_counter()
    (statement,) = bank.import_statement(content=content, file_name="large.xml", actor=RITA)
    imported = time.perf_counter() - began
    assert statement.new_count == ENTRIES
    entries = list(BankEntry.objects.order_by("pk")[:200])
    began = time.perf_counter()
    with CaptureQueriesContext(connection) as captured:
        found = bank_matching.find_matches(entries)
    proposed = time.perf_counter() - began
    assert len(captured) <= 6
    assert all(found[entry.pk].exact for entry in entries)
    print(f"{connection.vendor}: imported in {imported:.2f} s; 200 proposals in {proposed:.2f} s")
    assert imported < 60
    assert proposed < 10
