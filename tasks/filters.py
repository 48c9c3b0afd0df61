"""Data-manager filters and orderings (the ``query`` parameter) as a query set; unknown parts are a 400, never ignored."""

import math
import operator
import re
from collections.abc import Callable
from functools import reduce
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, Q, QuerySet, TextField, Value
from django.db.models.sql.compiler import SQLCompiler
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from rest_framework.exceptions import ValidationError

from projects.access import MAX_ID
from projects.jsontext import NotStorable, dump
from tasks.models import Task

NUMBERS = {"id", "inner_id", "total_annotations", "cancelled_annotations", "total_predictions"}
TIMES = {"created_at", "updated_at"}
COMPARISONS = {
    "equal": "exact",
    "less": "lt",
    "less_or_equal": "lte",
    "greater": "gt",
    "greater_or_equal": "gte",
}
TEXT = {"equal": "exact", "contains": "icontains"}
MAX_ITEMS = 50


class DataText(Func):
    """The value of one data key as text: ``DataText("data", Value(key))``.

    Django's own key lookup takes digits for list positions and, on SQLite, misses keys that JSON may write in two ways.
    """

    template = "(%(expressions)s)"
    arg_joiner = " ->> "
    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:
        template = "(SELECT CAST(value AS TEXT) FROM json_each(%(expressions)s))"
        return self.as_sql(compiler, connection, template=template, arg_joiner=") WHERE key = (", **context)


def invalid(message: str) -> ValidationError:
    """The 400 for a bad ``query`` parameter."""
    return ValidationError({"query": [message]})


def filter_tasks(tasks: QuerySet[Task], filters: Any) -> QuerySet[Task]:
    """``tasks`` that meet ``{"conjunction": "and"|"or", "items": [{filter, operator, value}, …]}``; None filters nothing."""
    if not filters:
        return tasks
    if not isinstance(filters, dict) or not isinstance(filters.get("items") or [], list):
        raise invalid("filters must be an object with conjunction and items")
    try:
        dump(filters)
    except NotStorable as error:
        raise invalid(f"filters: {error}") from None
    items = filters.get("items") or []
    joins: dict[Any, Callable[[Q, Q], Q]] = {"and": operator.and_, "or": operator.or_}
    conjunction = filters.get("conjunction") or "and"
    if not isinstance(conjunction, str) or conjunction not in joins or len(items) > MAX_ITEMS:
        raise invalid(f"filters take the conjunction and or or, and at most {MAX_ITEMS} items")
    conditions: list[Q] = []
    for position, item in enumerate(items):
        column, name, value = _read(item)
        if column.startswith("data."):
            alias = f"data_value_{position}"
            tasks = tasks.alias(**{alias: DataText("data", Value(column.removeprefix("data.")))})
            conditions.append(_text_condition(alias, name, value))
        else:
            conditions.append(_condition(column, name, value))
    return tasks.filter(reduce(joins[conjunction], conditions)) if conditions else tasks


def _read(item: Any) -> tuple[str, str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("filter"), str) or not isinstance(item.get("operator"), str):
        raise invalid("every item of filters needs filter and operator, both strings, and value")
    return item["filter"].removeprefix("filter:").removeprefix("tasks:"), item["operator"], item.get("value")


def _condition(column: str, name: str, value: Any) -> Q:
    if column == "completed_at" and name == "empty" and isinstance(value, bool):  # how old clients ask for unlabeled tasks
        return Q(total_annotations=0, cancelled_annotations=0) if value else ~Q(total_annotations=0, cancelled_annotations=0)
    if column not in NUMBERS | TIMES:
        known = ", ".join(sorted(NUMBERS | TIMES))
        raise invalid(f"the filter {column[:50]!r} is unknown; use one of {known}, data.<key>")
    read = _number if column in NUMBERS else _time
    if name in ("in", "not_in"):
        if not isinstance(value, dict):
            raise invalid(f"{name} takes an object with min and max")
        between = Q(**{f"{column}__gte": read(value.get("min"))}) & Q(**{f"{column}__lte": read(value.get("max"))})
        return between if name == "in" else ~between
    if name == "not_equal":
        return ~Q(**{column: read(value)})
    if name not in COMPARISONS:
        raise invalid(
            f"the operator {name[:50]!r} is unknown for {column}; use one of {', '.join(COMPARISONS)}, not_equal, in, not_in"
        )
    return Q(**{f"{column}__{COMPARISONS[name]}": read(value)})


def _text_condition(alias: str, name: str, value: Any) -> Q:
    lookup = TEXT.get(name.removeprefix("not_"))
    if lookup is None or not isinstance(value, str):
        raise invalid(f"data filters take the operators {', '.join(TEXT)} (or not_…) and a text value")
    condition = Q(**{f"{alias}__{lookup}": value})
    return ~condition if name.startswith("not_") else condition


def _number(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) > MAX_ID:
        raise invalid("a number filter takes a whole number of at most 64 bits")
    return value


def _time(value: Any) -> Any:
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or not is_aware(moment):
        raise invalid("a time filter takes a time with an offset, such as 2026-01-31T12:00:00Z")
    return moment


def order_tasks(tasks: QuerySet[Task], ordering: Any) -> QuerySet[Task]:
    """``tasks`` by columns such as ``["-tasks:created_at"]``, then by id."""
    if not isinstance(ordering, list) or len(ordering) > MAX_ITEMS:
        raise invalid("ordering must be a list of columns")
    columns = []
    for entry in ordering:
        sign = "-" if isinstance(entry, str) and entry.startswith("-") else ""
        column = entry.removeprefix("-").removeprefix("tasks:") if isinstance(entry, str) else ""
        if column not in NUMBERS | TIMES:
            raise invalid(f"cannot order by {str(entry)[:50]!r}; use one of {', '.join(sorted(NUMBERS | TIMES))}")
        columns.append(sign + column)
    return tasks.order_by(*columns, "id")
