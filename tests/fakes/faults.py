"""Trouble on demand for a fake: failing answers, delays, bodies that break off, no answers at all."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from tests.fakes.wire import Request, Response


class Failure(NamedTuple):
    """How to fail: HTTP status, error code, further headers."""

    status: int
    code: str
    headers: dict[str, str]


@dataclass
class Rule:
    """Applies to requests whose raw path matches, ``left`` more times (None: until healed)."""

    pattern: re.Pattern[str]
    left: int | None
    failure: Failure | None = None
    seconds: float = 0
    cut_after: int | None = None


@dataclass(eq=False, repr=False)
class Faults:
    """The orders given to one fake. ``match`` is a regular expression searched in the percent-encoded path."""

    refusing: bool = False
    rules: list[Rule] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail_next(
        self, n: int = 1, status: int = 503, code: str = "SlowDown", match: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """The next ``n`` matching requests are answered with an error document instead of being carried out."""
        self.rules.append(Rule(re.compile(match), n, failure=Failure(status, code, headers or {})))

    def delay(self, seconds: float, match: str = "", n: int | None = None) -> None:
        """Matching requests (the next ``n`` if given) wait before they are carried out."""
        self.rules.append(Rule(re.compile(match), n, seconds=seconds))

    def cut_body_after(self, count: int, match: str = "", n: int | None = None) -> None:
        """The connection breaks off after ``count`` bytes of the body of matching answers (the next ``n`` if given)."""
        self.rules.append(Rule(re.compile(match), n, cut_after=count))

    def refuse_all(self, refuse: bool = True) -> None:
        """Every connection is closed without an answer, as if the host were down."""
        self.refusing = refuse

    def heal(self) -> None:
        """Forgets all orders."""
        self.refusing, self.rules = False, []

    def close(self) -> None:
        """Stops the fake's servers."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def take(self, path: str) -> Rule:
        """The orders for one request to ``path`` as one rule; counts them as used."""
        taken = Rule(re.compile(""), 1)
        with self.lock:
            for rule in [rule for rule in self.rules if rule.left != 0 and rule.pattern.search(path)]:
                if rule.failure and taken.failure:
                    continue  # one answer fails once; the second order waits for the next request
                rule.left = None if rule.left is None else rule.left - 1
                taken.failure = taken.failure or rule.failure
                taken.seconds += rule.seconds
                taken.cut_after = rule.cut_after if taken.cut_after is None else taken.cut_after
        return taken

    def around(self, request: Request, answer: Callable[[Request], Response], failed: Callable[[Failure], Response]) -> Response:
        """The answer to ``request``, or what the orders make of it; ``failed`` renders an error document."""
        if self.refusing:
            return Response(0, drop=True)
        rule = self.take(request.path)
        time.sleep(rule.seconds)
        response = failed(rule.failure) if rule.failure else answer(request)
        if rule.cut_after is not None and rule.cut_after < len(response.body):
            response.cut_after = rule.cut_after
        return response
