"""Whether two targets' names can ever be the same text: both are walked side by side as patterns. Pure.

Every placeholder is a run of characters from an alphabet, so the names of a target are a regular language, and the
question is whether two of them meet (product construction; Hopcroft and Ullman, §4.2.1).
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from storages.names import Piece

DIGITS = frozenset("0123456789")
UNIQUE = ("annotation_id", "task_id")  # of all projects of a server, no two annotations (or tasks) share one


class Atom(NamedTuple):
    """One character out of ``alphabet`` (None: any), or several; ``mark``: the unique id that it belongs to."""

    alphabet: frozenset[str] | None
    repeats: bool = False
    mark: str = ""


def pattern(root: str, pieces: Sequence[Piece], project_id: int) -> list[Atom]:
    """All full keys of one target: ``root``, then its template with the project's id filled in."""
    atoms = _literal(root)
    for text, is_field in pieces:
        if not is_field:
            atoms += _literal(text)
        elif text == "project_id":
            atoms += _literal(str(project_id))
        elif text == "date":
            atoms += [Atom(frozenset("-") if place in (4, 7) else DIGITS) for place in range(10)]
        elif text == "storage_filename":
            atoms.append(Atom(None, repeats=True))
        else:
            atoms.append(Atom(DIGITS, repeats=True, mark=text))
    return atoms


def meet(one: Sequence[Atom], other: Sequence[Atom], *, strangers: bool) -> bool:
    """Whether two subjects, one of each target, can have the same key.

    ``strangers``: the targets belong to different projects, so a text that says the same unique id for both is no such case.
    """
    shared = tuple(strangers and all(any(a.mark == mark for a in atoms) for atoms in (one, other)) for mark in UNIQUE)
    waiting = [(0, 0, *shared)]
    seen = set(waiting)
    while waiting:
        i, j, *same = waiting.pop()
        if i == len(one) or j == len(other):
            if i == len(one) and j == len(other) and not any(same):
                return True
            continue
        a, b = one[i], other[j]
        if a.alphabet is not None and b.alphabet is not None and a.alphabet.isdisjoint(b.alphabet):
            continue
        still = (kept and (a.mark == mark) == (b.mark == mark) for kept, mark in zip(same, UNIQUE, strict=True))
        steps = product(_following(a, i), _following(b, j), [tuple(still)])
        for state in {(to, at, *kept) for to, at, kept in steps} - seen:
            seen.add(state)
            waiting.append(state)
    return False


def _literal(text: str) -> list[Atom]:
    return [Atom(frozenset(character)) for character in text]


def _following(atom: Atom, place: int) -> tuple[int, ...]:
    return (place, place + 1) if atom.repeats else (place + 1,)
