"""A query whose SQL is built once: where one is asked many times a second, building it costs more than running it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections, models, router
from django.db.models import QuerySet


class Prepared:
    """A queryset of ``model`` that depends on some arguments, kept as SQL for each database.

    ``build`` is called with the ``marks`` in place of the arguments; they must reach the SQL as parameters, and be
    values that nothing else in the query has. Rows come as tuples, as the database gives them.
    """

    def __init__(self, model: type[models.Model], build: Callable[..., QuerySet[Any, Any]], *marks: Any):
        self.model, self.build, self.marks = model, build, marks
        self._known: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def fetch(self, *values: Any) -> list[tuple[Any, ...]]:
        """All rows for these arguments. A query that locks is fetched inside a transaction."""
        alias = router.db_for_write(self.model)
        if alias not in self._known:
            self._known[alias] = self.build(*self.marks).query.get_compiler(alias).as_sql()
        sql, parameters = self._known[alias]
        given = dict(zip(self.marks, values, strict=True))
        with connections[alias].cursor() as cursor:
            cursor.execute(sql, [given.get(value, value) for value in parameters])
            return list(cursor.fetchall())
