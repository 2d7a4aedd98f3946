"""Databases of 10,000 or 1,000,000 orders, made by set-based SQL, kept and reused between runs.

``fulfillment_bench_<orders>`` (or ``$BENCH_PREFIX_<orders>``) on the server of the PG* variables. About 90 % of the orders are delivered, 5 % cancelled,
2 % under way, the rest spread over the queues; two years; two lines on the average; N/5 customers. :data:`POOL` more
orders wait for their payment: the steps that are measured are made on them. History rows have no true hashes.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
import sys

import psycopg

from oscar_fulfillment import migrations

#: Orders beside the N that the transition rows move and put back.
POOL = 600
PRODUCTS = 50

_BIG = ("auth_user", "order_order", "order_line", "order_shippingaddress", "order_billingaddress",
        "oscar_fulfillment_orderfulfillment", "oscar_fulfillment_statuschange", "oscar_fulfillment_shipment",
        "oscar_fulfillment_shipmentline", "oscar_fulfillment_parcel", "oscar_fulfillment_invoice")  # fmt: skip

# i: the order; k: 0..999, what has become of it. The pool has k = -1.
_PLAN = """
CREATE TABLE bench_plan AS
SELECT i, i::int AS id, k,
  CASE WHEN i % 2 = 0 THEN 'BRAZIL' ELSE 'STANDARD' END AS flow,
  now() - interval '730 days' * ((:total - i)::float / :total) AS placed_at,
  CASE WHEN k = -1 OR k BETWEEN 970 AND 974 THEN 'awaiting_payment' WHEN k BETWEEN 900 AND 949 THEN 'cancelled'
       ELSE 'paid' END AS payment,
  CASE WHEN k = -1 THEN 'received' WHEN k < 900 THEN 'delivered' WHEN k < 950 THEN 'cancelled'
       WHEN k < 970 THEN 'dispatched' WHEN k < 980 THEN 'received' WHEN k < 985 THEN 'released'
       WHEN k < 990 THEN CASE WHEN i % 2 = 0 THEN 'invoiced' ELSE 'released' END
       WHEN k < 995 THEN 'partially_dispatched' WHEN k < 998 THEN 'received' WHEN k = 998 THEN 'cancelled'
       ELSE 'returned' END AS shipping,
  CASE WHEN k BETWEEN 995 AND 997 THEN 1 ELSE 0 END AS holds,
  1 + i % 3 AS lines,
  1 + i % greatest(:total / 5, 1) AS customer,
  (ARRAY['Ana','José','Maria','João','Beatriz','Carlos','Dora','Émile','Françoise','Grigori','Helena','Ivan','Júlia',
         'Karl','Lúcia','Marc','Nadia','Otto','Paula','Rita'])[1 + (i * 31) % 20] AS first_name,
  (ARRAY['Souza','Silva','Müller','Ivanova','Dupont','Costa','Pereira','Meier','Rossi','Lima'])[1 + (i * 17) % 10]
    || CASE WHEN i % 5 = 0 THEN '' ELSE ((i * 7) % 500)::text END AS last_name
FROM (SELECT i, CASE WHEN i > :orders THEN -1 ELSE ((i::bigint * 7919) % 1000)::int END AS k
      FROM generate_series(1, :total) AS i) AS numbers
"""

_STATEMENTS = [
    "CREATE UNIQUE INDEX ON bench_plan (id)",
    "ANALYZE bench_plan",
    """
    INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
      date_joined)
    SELECT 1000 + c, '!', false, 'c' || c, p.first_name, p.last_name, 'c' || c || '@example.com', false, true, now()
    FROM (SELECT DISTINCT ON (customer) customer AS c, first_name, last_name FROM bench_plan ORDER BY customer, id) AS p
    """,
    *[
        f"""
    INSERT INTO order_{kind}address (id, title, first_name, last_name, line1, line2, line3, line4, state, postcode,
      country_id, search_text{", phone_number, notes" if kind == "shipping" else ""})
    SELECT id, '', first_name, last_name, 'Rua ' || id, '', '', 'São Paulo', 'SP', '01310-100', 'BR',
      first_name || ' ' || last_name || ' São Paulo'{", '', ''" if kind == "shipping" else ""} FROM bench_plan
    """
        for kind in ("shipping", "billing")
    ],
    """
    INSERT INTO order_order (id, number, site_id, user_id, billing_address_id, shipping_address_id, currency,
      total_incl_tax, total_excl_tax, shipping_incl_tax, shipping_excl_tax, shipping_method, shipping_code, status,
      guest_email, date_placed, analytics_tracked)
    SELECT id, (100000 + id)::text, 1, 1000 + customer, id, id, 'BRL', 10 * lines, 10 * lines, 0, 0, 'Free', 'free',
      CASE shipping WHEN 'received' THEN 'Received' WHEN 'cancelled' THEN 'Cancelled' WHEN 'delivered' THEN 'Completed'
        WHEN 'dispatched' THEN 'Sent' WHEN 'returned' THEN 'Sent' ELSE 'In process' END,
      '', placed_at, true FROM bench_plan
    """,
    """
    INSERT INTO order_line (id, order_id, partner_id, partner_name, partner_sku, partner_line_reference,
      partner_line_notes, stockrecord_id, product_id, title, quantity, line_price_incl_tax, line_price_excl_tax,
      line_price_before_discounts_incl_tax, line_price_before_discounts_excl_tax, unit_price_incl_tax,
      unit_price_excl_tax, status, num_allocated, allocation_cancelled)
    SELECT p.id * 4 + n, p.id, s.partner_id, 'Warehouse', s.partner_sku, '', '', s.id, s.product_id, 'Product', 1,
      10, 10, 10, 10, 10, 10, '',
      CASE WHEN shipping IN ('delivered', 'dispatched', 'returned', 'cancelled') THEN 0 ELSE 1 END, false
    FROM bench_plan AS p CROSS JOIN LATERAL generate_series(0, lines - 1) AS n
    JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS place FROM partner_stockrecord) AS s
      ON s.place = (p.id + n) % (SELECT count(*) FROM partner_stockrecord)
    """,
    """
    INSERT INTO oscar_fulfillment_orderfulfillment (order_id, version, history_hash, flow, payment_status,
      shipping_status, payment_method_id, hold_count, has_backorder, problem, language, placed_at, number,
      customer_name, email, tax_id_kind, tax_id, search_name, search_surname, currency)
    SELECT id, 1 + (payment <> 'awaiting_payment')::int
        + CASE shipping WHEN 'delivered' THEN 3 WHEN 'dispatched' THEN 2 WHEN 'returned' THEN 3 WHEN 'received' THEN 0
          ELSE 1 END,
      md5(id::text) || md5(id::text), flow, payment, shipping, (SELECT min(id) FROM oscar_fulfillment_paymentmethod),
      holds, shipping = 'partially_dispatched', CASE WHEN k = 998 THEN 'refund_due' ELSE '' END, 'en', placed_at,
      (100000 + id)::text, first_name || ' ' || last_name, 'c' || customer || '@example.com', 'cpf',
      lpad((id * 97)::text, 11, '0'), lower(first_name || ' ' || last_name), lower(last_name || ' ' || first_name),
      'BRL'
    FROM bench_plan
    """,
    """
    INSERT INTO oscar_fulfillment_statuschange (fulfillment_id, sequence, machine, action, from_status, to_status,
      actor_kind, actor_label, reason, data, idempotency_key, created_at, hash)
    SELECT f.order_id, n, CASE WHEN n = 1 THEN 'order' WHEN n = 2 THEN 'payment' ELSE 'shipping' END,
      (ARRAY['place', 'approve_payment', 'release', 'dispatch', 'deliver'])[n], '', '', 'system', 'bench', '', '{}', '',
      placed_at + n * interval '1 hour', md5(f.order_id || '-' || n) || md5(f.order_id || '-' || n)
    FROM oscar_fulfillment_orderfulfillment AS f CROSS JOIN LATERAL generate_series(1, f.version) AS n
    """,
    """
    INSERT INTO oscar_fulfillment_invoice (id, fulfillment_id, kind, number, series, access_key, issuer_tax_id,
      created_at, cancel_reason)
    SELECT id, id, 'nfe', id::text, '1', '9' || lpad(id::text, 43, '0'), '11222333000181', placed_at, '' FROM bench_plan
    WHERE flow = 'BRAZIL' AND shipping IN ('invoiced', 'partially_dispatched', 'dispatched', 'delivered', 'returned')
    """,
    """
    INSERT INTO oscar_fulfillment_shipment (id, fulfillment_id, number, status, invoice_id, created_at, dispatched_at,
      delivered_at)
    SELECT p.id, p.id, 1,
      CASE shipping WHEN 'released' THEN 'pending' WHEN 'invoiced' THEN 'pending' WHEN 'delivered' THEN 'delivered'
        WHEN 'returned' THEN 'returned' ELSE 'dispatched' END,
      v.id, placed_at, placed_at, NULL
    FROM bench_plan AS p LEFT JOIN oscar_fulfillment_invoice AS v ON v.fulfillment_id = p.id
    WHERE shipping NOT IN ('received', 'cancelled')
    """,
    """
    INSERT INTO oscar_fulfillment_parcel (shipment_id, number, status, carrier, tracking_code, tracking_url,
      packed_by_label, tracking_state, tracking_text, tracking_place, incident, checks, tracking_problem)
    SELECT id, 1, status, 'correios', 'AA' || lpad(id::text, 9, '0') || 'BR', '', '', '', '', '', '', 0, ''
    FROM oscar_fulfillment_shipment WHERE status <> 'pending'
    """,
    """
    INSERT INTO oscar_fulfillment_shipmentline (shipment_id, line_id, quantity)
    SELECT s.id, l.id, 1 FROM oscar_fulfillment_shipment AS s JOIN order_line AS l ON l.order_id = s.fulfillment_id
    """,
    """
    INSERT INTO oscar_fulfillment_hold (fulfillment_id, code, note, placed_at, placed_by_label, released_by_label,
      release_note)
    SELECT id, 'fraud', '', placed_at, 'bench', '', '' FROM bench_plan WHERE holds = 1
    """,
]

#: The floor's own tables: the status row, its history, its outbox, with the indexes that the queues need.
_RAW = """
CREATE TABLE bench_order (id int PRIMARY KEY, status varchar(32) NOT NULL, payment varchar(32) NOT NULL,
  version int NOT NULL, placed_at timestamptz NOT NULL);
INSERT INTO bench_order SELECT id, 'received', 'awaiting_payment', 1, placed_at FROM bench_plan;
CREATE INDEX ON bench_order (placed_at DESC, id DESC);
CREATE INDEX ON bench_order (status, placed_at DESC, id DESC);
CREATE INDEX ON bench_order (payment, status, placed_at DESC, id DESC);
CREATE TABLE bench_history (id bigserial PRIMARY KEY, order_id int NOT NULL REFERENCES bench_order, sequence int NOT NULL,
  machine varchar(32) NOT NULL, action varchar(64) NOT NULL, from_status varchar(32) NOT NULL,
  to_status varchar(32) NOT NULL, actor varchar(150) NOT NULL, created_at timestamptz NOT NULL,
  UNIQUE (order_id, sequence));
CREATE TABLE bench_outbox (id bigserial PRIMARY KEY, order_id int NOT NULL REFERENCES bench_order, kind varchar(64) NOT NULL,
  key varchar(200) NOT NULL UNIQUE, payload jsonb NOT NULL, created_at timestamptz NOT NULL);
"""


def _version() -> str:
    """Changes with our tables and with the SQL above, so that an old database is not taken for a new one."""
    tables = [file.read_text() for file in sorted(pathlib.Path(migrations.__path__[0]).glob("0*.py"))]
    return hashlib.sha256(
        "\n".join([*tables, _PLAN, *_STATEMENTS, _RAW, str(POOL), str(PRODUCTS)]).encode()
    ).hexdigest()


VERSION = _version()


def name_of(orders: int) -> str:
    """BENCH_PREFIX keeps the databases of two working copies apart."""
    return f"{os.environ.get('BENCH_PREFIX', 'fulfillment_bench')}_{orders}"


def connect(database: str, **options: object) -> psycopg.Connection:
    return psycopg.connect(
        host=os.environ.get("PGHOST", "127.0.0.1"), port=os.environ.get("PGPORT", "5432"), dbname=database,
        user=os.environ.get("PGUSER", "postgres"), password=os.environ.get("PGPASSWORD") or None, **options,
    )  # fmt: skip


def ensure(orders: int) -> str:
    """The name of a database with so many orders, made when it is not there (or was left half made)."""
    name = name_of(orders)
    with connect("postgres", autocommit=True) as admin:
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            with connect(name) as there:
                done = there.execute("SELECT to_regclass('bench_done') IS NOT NULL").fetchone()
                if done == (True,) and there.execute("SELECT version FROM bench_done").fetchone() == (VERSION,):
                    return name
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
    print(f"making {name} ...", file=sys.stderr, flush=True)
    env = {**os.environ, "DB": "postgres", "PGDATABASE": name, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "-m", "django", "migrate", "-v0"], check=True, env=env)
    subprocess.run([sys.executable, "-m", "tests.bench.worker", "seed"], check=True, env=env)
    fill(name, orders)
    return name


def fill(name: str, orders: int) -> None:
    total = orders + POOL
    with connect(name, autocommit=True) as db:
        db.execute("SET session_replication_role = replica")
        db.execute("SET maintenance_work_mem = '512MB'; SET work_mem = '128MB'")
        listed = db.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND schemaname = 'public' AND NOT "
            "EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)",
            [list(_BIG)],
        ).fetchall()
        for index, _definition in listed:
            db.execute(f'DROP INDEX "{index}"')
        db.execute(_PLAN.replace(":total", str(total)).replace(":orders", str(orders)))
        for statement in _STATEMENTS:
            db.execute(statement)
        db.execute(_RAW)
        for _index, definition in listed:
            db.execute(definition)
        sequences = db.execute(
            "SELECT c.table_name, c.column_name FROM information_schema.columns AS c "
            "WHERE c.table_schema = 'public' AND c.table_name = ANY(%s) AND c.is_identity = 'YES'",
            [list(_BIG)],
        ).fetchall()
        for table, column in sequences:
            db.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "
                f'(SELECT coalesce(max("{column}"), 0) + 1 FROM "{table}"), false)'
            )
        db.execute("UPDATE partner_stockrecord AS s SET num_allocated = coalesce((SELECT sum(num_allocated) FROM order_line "
                   "WHERE stockrecord_id = s.id), 0)")  # fmt: skip
        db.execute("VACUUM ANALYZE")
        db.execute(f"CREATE TABLE bench_done AS SELECT '{VERSION}'::text AS version")
