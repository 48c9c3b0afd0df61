"""Tokens are kept per secret, renewed early, asked for once, and never asked for again where that cannot help."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from storages import budget
from storages.errors import BadCredentials, TimedOut
from storages.providers import tokens


class Issuer:
    """A token endpoint: numbered tokens that live ``lives`` seconds; ``asked`` counts."""

    def __init__(self, lives: float = 3600, takes: float = 0) -> None:
        self.lives, self.takes, self.asked = lives, takes, 0

    def __call__(self) -> tuple[str, float]:
        self.asked += 1
        number = self.asked
        time.sleep(self.takes)
        return f"token {number}", self.lives


@pytest.fixture
def identity() -> tuple[str, ...]:
    return ("test", "client", uuid.uuid4().hex)


def test_a_token_is_asked_for_once_and_kept(identity):
    issuer = Issuer()
    assert [tokens.token(identity, issuer) for _ in range(3)] == ["token 1"] * 3
    assert issuer.asked == 1


def test_another_secret_gets_a_token_of_its_own(identity):
    issuer = Issuer()
    tokens.token(identity, issuer)
    assert tokens.token((*identity[:-1], "another secret"), issuer) == "token 2"


def test_parts_of_an_identity_are_not_run_together(identity):
    issuer = Issuer()
    tokens.token(("a", "bc", identity[-1]), issuer)
    assert tokens.token(("ab", "c", identity[-1]), issuer) == "token 2"


def test_sixteen_threads_ask_once(identity):
    issuer = Issuer(takes=0.1)
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda _: tokens.token(identity, issuer), range(16))) == {"token 1"}
    assert issuer.asked == 1


@pytest.mark.parametrize(("lives", "again"), [(tokens.EARLY - 60, True), (0.1, True), (2 * tokens.EARLY, False)])
def test_a_token_is_renewed_before_it_expires(identity, lives, again):
    issuer = Issuer(lives)
    tokens.token(identity, issuer)
    time.sleep(0.06)  # more than half of the short life, less than all of it
    assert tokens.token(identity, issuer) == ("token 2" if again else "token 1")


def test_a_rejected_token_that_is_fresh_is_not_asked_for_again(identity):
    issuer = Issuer()
    tokens.token(identity, issuer)
    assert tokens.forget(identity) is False
    assert (tokens.token(identity, issuer), issuer.asked) == ("token 1", 1)


def test_a_rejected_token_that_is_old_is_dropped(identity, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    issuer = Issuer()
    tokens.token(identity, issuer)
    assert tokens.forget(identity) is True
    assert tokens.token(identity, issuer) == "token 2"


def test_threads_whose_old_token_is_rejected_together_share_the_new_one(identity, monkeypatch):
    issuer, together = Issuer(takes=0.05), threading.Barrier(16)
    monkeypatch.setattr(tokens, "FRESH", 0.3)

    def work(_: int) -> tuple[bool, str]:
        tokens.token(identity, issuer)
        together.wait()
        time.sleep(0.35)  # the token is old by now
        return tokens.forget(identity), tokens.token(identity, issuer)

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(work, range(16))) == {(True, "token 2")}
    assert issuer.asked == 2


def test_a_refused_sign_in_is_neither_kept_nor_repeated(identity):
    asked = []

    def refuse() -> tuple[str, float]:
        asked.append(1)
        raise BadCredentials("no")

    for _ in range(2):
        with pytest.raises(BadCredentials):
            tokens.token(identity, refuse)
        assert tokens.forget(identity) is False, "no token was shown that another one could replace"
    assert len(asked) == 2
    assert tokens.token(identity, Issuer()) == "token 1"


def test_a_check_does_not_wait_for_another_thread_beyond_its_time(identity):
    asking, release = threading.Event(), threading.Event()

    def hang() -> tuple[str, float]:
        asking.set()
        release.wait(5)
        return "late", 3600

    with ThreadPoolExecutor(1) as threads:
        late = threads.submit(tokens.token, identity, hang)
        asking.wait(5)
        with budget.limited(0.2), pytest.raises(TimedOut):
            tokens.token(identity, Issuer())
        release.set()
        assert late.result() == "late"


def test_the_memory_holds_no_secret_and_a_bounded_number_of_tokens(identity, monkeypatch):
    tokens.token(identity, lambda: ("the token itself", 3600.0))
    assert identity[-1] not in repr(tokens._slots) and "the token itself" not in repr(tokens._slots)
    monkeypatch.setattr(tokens, "MOST", 3)
    for number in range(5):
        tokens.token((*identity, str(number)), Issuer())
    assert len(tokens._slots) == 3


@pytest.mark.parametrize(
    ("told", "seconds"),
    [(3600, 3600), ("3599", 3599), (0, 0), (None, 300), ("soon", 300), (-1, 300), (float("nan"), 300), (10**400, 300), ([], 300)],
)
def test_the_life_of_a_token_is_a_number_of_seconds_whatever_the_endpoint_says(told, seconds):
    assert tokens.lifetime(told) == seconds
