"""Whoever asked and hung up is noticed, and what was being waited for on its behalf is broken off; nothing stays behind."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from storages import watchdog

Pair = tuple[socket.socket, socket.socket]


def connected() -> Pair:
    """A TCP connection to ourselves: (this side, the other side)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        return near, listener.accept()[0]


@pytest.fixture
def browser() -> Iterator[Pair]:
    yield from kept(connected())


@pytest.fixture
def store() -> Iterator[Pair]:
    yield from kept(connected())


def kept(pair: Pair) -> Iterator[Pair]:
    yield pair
    for side in pair:
        side.close()


def reset(side: socket.socket) -> None:
    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    side.close()


WAYS = {
    "closed": socket.socket.close,
    "reset": reset,
    "sends no more": lambda side: side.shutdown(socket.SHUT_WR),
    "closed with a request unread": lambda side: (side.sendall(b"GET"), side.close()),
}


@pytest.mark.parametrize("leave", WAYS.values(), ids=WAYS)
def test_a_browser_that_left_is_told_from_those_that_are_there(browser, leave):
    staying, there = connected()
    there.sendall(b"GET /next")  # a request that waits is no reason
    assert watchdog.hung_up([browser[0], staying]) == set()
    leave(browser[1])
    time.sleep(0.01)
    assert watchdog.hung_up([browser[0], staying]) == {browser[0]}
    staying.close()
    assert watchdog.hung_up([staying]) == {staying}
    there.close()


def wait_for(store: Pair, browser: Pair | None) -> bool:
    """Whether a read from the store, which stands still, was broken off within a second; it is made on behalf of the browser."""
    store[0].settimeout(1)
    with suppress(TimeoutError), watchdog.asked_by(browser[0] if browser else None), watchdog.within(store[0], 30):
        return store[0].recv(1) == b""
    return False


def test_what_stands_still_is_broken_off_within_a_second_after_the_browser_left(store, browser):
    threading.Timer(0.1, browser[1].close).start()
    assert wait_for(store, browser)
    assert store[1].recv(1) == b""


def test_it_goes_on_for_a_browser_that_stays_or_where_nobody_asked(store, browser):
    other = connected()
    other[1].close()
    with watchdog.asked_by(other[0]):
        pass  # not this block's
    assert not wait_for(store, browser)
    other[0].close()


def test_a_block_inside_another_counts_for_its_own_browser_only(store, browser):
    gone = connected()
    gone[1].close()
    with watchdog.asked_by(gone[0]):
        assert not wait_for(store, None)
        assert watchdog._asked_by.socket is gone[0]
    assert watchdog._asked_by.socket is None
    gone[0].close()


def test_a_crowd_of_waits_costs_little_and_leaves_nothing_behind():
    pairs = [(connected(), connected()) for _ in range(64)]
    threads = [threading.Thread(target=wait_for, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    while len(watchdog._waiting) < 64:
        time.sleep(0.01)
    began = time.thread_time()
    watchdog._look()
    assert time.thread_time() - began < 0.01
    for _, browser in pairs:
        browser[1].close()
    for thread in threads:
        thread.join(1.5)
        assert not thread.is_alive()
    assert not watchdog._waiting
    for side in (side for pair in pairs for half in pair for side in half):
        side.close()
