"""The database itself refuses to change a history row (``actor_id`` alone may become null when a user goes)."""

from django.db import migrations

TABLE = "oscar_fulfillment_statuschange"
COLUMNS = (
    "fulfillment_id, sequence, machine, action, from_status, to_status, actor_kind, actor_label, reason, data, "
    "idempotency_key, created_at, hash"
)

POSTGRESQL = (
    """
    CREATE FUNCTION oscar_fulfillment_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'history rows are never changed'; END $$
    """,
    f"""
    CREATE TRIGGER oscar_fulfillment_append_only BEFORE UPDATE OF {COLUMNS} ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION oscar_fulfillment_append_only()
    """,
)
POSTGRESQL_BACK = (
    f"DROP TRIGGER oscar_fulfillment_append_only ON {TABLE}",
    "DROP FUNCTION oscar_fulfillment_append_only()",
)
SQLITE = (
    f"""
    CREATE TRIGGER oscar_fulfillment_append_only BEFORE UPDATE OF {COLUMNS} ON {TABLE}
    BEGIN SELECT RAISE(ABORT, 'history rows are never changed'); END
    """,
)
SQLITE_BACK = ("DROP TRIGGER oscar_fulfillment_append_only",)


def _run(statements):
    def run(apps, schema_editor):
        for statement in statements.get(schema_editor.connection.vendor, ()):
            schema_editor.execute(statement)

    return run


class Migration(migrations.Migration):
    dependencies = [("oscar_fulfillment", "0001_initial")]

    operations = [
        migrations.RunPython(
            _run({"postgresql": POSTGRESQL, "sqlite": SQLITE}),
            _run({"postgresql": POSTGRESQL_BACK, "sqlite": SQLITE_BACK}),
        ),
    ]
