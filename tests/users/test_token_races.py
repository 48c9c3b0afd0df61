"""Requests that arrive at the same instant; PostgreSQL shows what SQLite's single writer hides."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from tests.conftest import client_of
from users import personal_tokens
from users.models import PersonalToken, User

BASE = "/api/token/"


def at_once(count: int, act: Callable[[], int]) -> list[int]:
    """The statuses of ``count`` calls of ``act`` that start together, each on a database connection of its own."""
    start, statuses = threading.Barrier(count), []

    def run() -> None:
        start.wait(timeout=20)
        try:
            statuses.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return sorted(statuses)


@pytest.mark.django_db(transaction=True)
def test_of_rotations_at_the_same_time_exactly_one_wins(alice, refresh):
    def rotate() -> int:
        return client_of(User.objects.get(pk=alice.pk)).post(f"{BASE}rotate/", {"refresh": refresh}).status_code

    assert at_once(4, rotate) == [200, 400, 400, 400]
    assert personal_tokens.live_tokens(alice).count() == 1
    assert PersonalToken.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_creations_at_the_same_time_exactly_one_wins(alice):
    def create() -> int:
        return client_of(User.objects.get(pk=alice.pk)).post(BASE).status_code

    assert at_once(4, create) == [201, 409, 409, 409]
    assert PersonalToken.objects.count() == 1
