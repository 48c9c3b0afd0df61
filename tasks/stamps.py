"""Times as text, printed by the database: for Python to read each and print it again takes a quarter of an export.

Knows no model.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Func, TextField
from django.db.models.expressions import Combinable


class Stamp(Func):
    """A time as ``tasks.shapes.stamp`` prints it; NULL stays NULL."""

    arity = 1
    output_field = TextField()
    # PostgreSQL manual, 9.8 "Data Type Formatting Functions"
    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """There a time is text in UTC, without a fraction where that is zero (str() of a datetime)."""
        fraction = "substr(substr(%(expressions)s, 20) || '.000000', 1, 7)"
        template = f"replace(substr(%(expressions)s, 1, 19), ' ', 'T') || {fraction} || 'Z'"
        sql, params = self.as_sql(compiler, connection, template=template, **context)
        return sql, (*params, *params)


def stamped(columns: Iterable[str]) -> list[str | Combinable]:
    """``columns`` for ``values_list``, those of times as stamps."""
    return [Stamp(name) if name.endswith("_at") else name for name in columns]
