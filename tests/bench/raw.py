"""The floor: psycopg alone. A guarded UPDATE of a status row, INSERT of history, INSERT of outbox, COMMIT."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb

_UPDATE = (
    "UPDATE bench_order SET payment = 'paid', version = version + 1 "
    "WHERE id = %s AND payment = 'awaiting_payment' AND version = %s"
)
_HISTORY = (
    "INSERT INTO bench_history (order_id, sequence, machine, action, from_status, to_status, actor, created_at) "
    "VALUES (%s, %s, 'payment', 'approve_payment', 'awaiting_payment', 'paid', 'Bench', %s)"
)
_OUTBOX = (
    "INSERT INTO bench_outbox (order_id, kind, key, payload, created_at) VALUES (%s, 'PAYMENT_APPROVED', %s, %s, %s)"
)


class Raw:
    def __init__(self, connection: psycopg.Connection):
        self.db = connection
        self.db.autocommit = False
        self.pool = [pk for (pk,) in self.db.execute("SELECT id FROM bench_plan WHERE k = -1 ORDER BY id").fetchall()]
        self.db.commit()

    def reset(self) -> None:
        self.db.execute("UPDATE bench_order SET payment = 'awaiting_payment' WHERE id = ANY(%s)", [self.pool])
        self.versions = dict(
            self.db.execute("SELECT id, version FROM bench_order WHERE id = ANY(%s)", [self.pool]).fetchall()
        )
        self.db.commit()

    def transition(self, start: int, count: int) -> float:
        began = time.perf_counter()
        for pk in self.pool[start : start + count]:
            now, version = datetime.now(UTC), self.versions[pk]
            assert self.db.execute(_UPDATE, [pk, version]).rowcount == 1
            self.db.execute(_HISTORY, [pk, version + 1, now])
            self.db.execute(_OUTBOX, [pk, f"{pk}:{version + 1}", Jsonb({"order_id": pk}), now])
            self.db.commit()
        return (time.perf_counter() - began) / count

    def bulk(self, count: int) -> float:
        ids, now = self.pool[:count], datetime.now(UTC)
        began = time.perf_counter()
        found = self.db.execute(
            "UPDATE bench_order SET payment = 'paid', version = version + 1 WHERE id = ANY(%s) "
            "AND payment = 'awaiting_payment' RETURNING id, version",
            [ids],
        ).fetchall()
        assert len(found) == count
        pks, versions = [pk for pk, _version in found], [version for _pk, version in found]
        self.db.execute(
            "INSERT INTO bench_history (order_id, sequence, machine, action, from_status, to_status, actor, created_at) "
            "SELECT *, 'payment', 'approve_payment', 'awaiting_payment', 'paid', 'Bench', %s::timestamptz "
            "FROM unnest(%s::int[], %s::int[])",
            [now, pks, versions],
        )
        self.db.execute(
            "INSERT INTO bench_outbox (order_id, kind, key, payload, created_at) "
            "SELECT o, 'PAYMENT_APPROVED', k, p, %s::timestamptz FROM unnest(%s::int[], %s::text[], %s::jsonb[]) AS x(o, k, p)",
            [now, pks, [f"{pk}:{v}" for pk, v in found], [Jsonb({"order_id": pk}) for pk in pks]],
        )
        self.db.commit()
        return (time.perf_counter() - began) / count
