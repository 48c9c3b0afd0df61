"""Queries whose SQL is made once: the ORM takes ten times as long to build one as the database to run it. Knows no table."""

from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet

MARKS: dict[type, Callable[[int], Any]] = {int: lambda n: 11 - n - 2**53, str: lambda n: f"\0argument {n}"}  # no row holds them


class Made(NamedTuple):
    """SQL, its parameters, and the places among them that the arguments take; how the columns of a row are converted."""

    sql: str
    parameters: list[Any]
    places: list[tuple[int, int]]
    compiler: Any
    converters: dict


class Prepared:
    """``build`` makes a ``values_list`` query set of arguments of these types, which it only compares columns with."""

    def __init__(self, build: Callable[..., QuerySet], *types: type) -> None:
        self.build, self.marks = build, [MARKS[kind](number) for number, kind in enumerate(types)]
        self._made: dict[str, Made] = {}
        self._lock = Lock()

    def one(self, *arguments: Any) -> tuple | None:
        """The first row, as the ORM would give it, None without one."""
        made = self._made.get(connection.vendor) or self._make()
        parameters = made.parameters.copy()
        for place, number in made.places:
            parameters[place] = arguments[number]
        with connection.cursor() as cursor:
            cursor.execute(made.sql, parameters)
            row = cursor.fetchone()
        return row and tuple(next(iter(made.compiler.apply_converters([list(row)], made.converters))))

    def _make(self) -> Made:
        with self._lock:
            compiler = self.build(*self.marks)[:1].query.get_compiler(connection=connection)
            sql, parameters = compiler.as_sql()
            places = [(place, self.marks.index(value)) for place, value in enumerate(parameters) if value in self.marks]
            converters = compiler.get_converters([column for column, _, _ in compiler.select])
            made = self._made[connection.vendor] = Made(sql, list(parameters), places, compiler, converters)
        return made
