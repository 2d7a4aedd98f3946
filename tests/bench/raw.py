"""The floor: psycopg alone. A guarded UPDATE of a status row, INSERT of history, INSERT of outbox, COMMIT.

Twice: on three lean tables with the indexes a queue needs at least, and (:class:`RawOnOurTables`) on the tables of the
app, whose indexes and foreign keys serve every list and search. Between the two lies what the indexes cost, between the
second and the services what the code costs.
"""

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


class RawOnOurTables(Raw):
    """The same three statements on the app's own tables."""

    def reset(self) -> None:
        self.db.execute(
            "UPDATE oscar_fulfillment_orderfulfillment SET payment_status = 'awaiting_payment' WHERE order_id = ANY(%s)",
            [self.pool],
        )
        self.versions = dict(
            self.db.execute(
                "SELECT order_id, version FROM oscar_fulfillment_orderfulfillment WHERE order_id = ANY(%s)", [self.pool]
            ).fetchall()
        )
        self.db.commit()

    def transition(self, start: int, count: int) -> float:
        began = time.perf_counter()
        for pk in self.pool[start : start + count]:
            now, version = datetime.now(UTC), self.versions[pk]
            assert self.db.execute(_OUR_UPDATE, [_HASH, pk, version]).rowcount == 1
            self.db.execute(_OUR_HISTORY, [pk, version + 1, now, _HASH])
            self.db.execute(_OUR_OUTBOX, [f"{pk}:{version + 1}", Jsonb({"order_id": pk}), pk, now, now])
            self.db.commit()
        return (time.perf_counter() - began) / count

    def bulk(self, count: int) -> float:
        ids, now = self.pool[:count], datetime.now(UTC)
        began = time.perf_counter()
        found = self.db.execute(
            "UPDATE oscar_fulfillment_orderfulfillment SET payment_status = 'paid', version = version + 1, "
            "history_hash = %s WHERE order_id = ANY(%s) AND payment_status = 'awaiting_payment' "
            "RETURNING order_id, version",
            [_HASH, ids],
        ).fetchall()
        assert len(found) == count
        pks, versions = [pk for pk, _version in found], [version for _pk, version in found]
        self.db.execute(
            f"INSERT INTO oscar_fulfillment_statuschange ({_HISTORY_COLUMNS}) SELECT o, n, 'payment', 'approve_payment', "
            "'awaiting_payment', 'paid', 'system', 'Bench', '', '{}', '', %s::timestamptz, %s "
            "FROM unnest(%s::int[], %s::int[]) AS x(o, n)",
            [now, _HASH, pks, versions],
        )
        self.db.execute(
            f"INSERT INTO oscar_fulfillment_outboundmessage ({_OUTBOX_COLUMNS}) SELECT 'mail', 'RAW', k, p, o, 'pending', 0, "
            "%s::timestamptz, '', '', %s::timestamptz FROM unnest(%s::text[], %s::jsonb[], %s::int[]) AS x(k, p, o)",
            [now, now, [f"{pk}:{v}" for pk, v in found], [Jsonb({"order_id": pk}) for pk in pks], pks],
        )
        self.db.commit()
        return (time.perf_counter() - began) / count


_HASH = "0" * 64
_HISTORY_COLUMNS = (
    "fulfillment_id, sequence, machine, action, from_status, to_status, actor_kind, actor_label, reason, data, "
    "idempotency_key, created_at, hash"
)
_OUTBOX_COLUMNS = (
    "destination, kind, key, payload, order_id, status, attempts, next_attempt_at, lease, error, created_at"
)
_OUR_UPDATE = (
    "UPDATE oscar_fulfillment_orderfulfillment SET payment_status = 'paid', version = version + 1, history_hash = %s "
    "WHERE order_id = %s AND payment_status = 'awaiting_payment' AND version = %s"
)
_OUR_HISTORY = (
    f"INSERT INTO oscar_fulfillment_statuschange ({_HISTORY_COLUMNS}) VALUES (%s, %s, 'payment', 'approve_payment', "
    "'awaiting_payment', 'paid', 'system', 'Bench', '', '{}', '', %s, %s)"
)
_OUR_OUTBOX = (
    f"INSERT INTO oscar_fulfillment_outboundmessage ({_OUTBOX_COLUMNS}) VALUES ('mail', 'RAW', %s, %s, %s, 'pending', 0, "
    "%s, '', '', %s)"
)
