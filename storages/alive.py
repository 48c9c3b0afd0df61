"""A thread that gives signs of life while a job works, so that a dead worker is told from a slow one."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

from storages.status import HEARTBEAT, LeaseLost

log = logging.getLogger(__name__)


@contextmanager
def kept_alive(renew: Callable[[], object]) -> Iterator[threading.Event]:
    """Calls ``renew`` every HEARTBEAT seconds until the block is left, or until it raises LeaseLost: then the event is set."""
    stop, lost = threading.Event(), threading.Event()
    heart = threading.Thread(target=_beat, args=(renew, stop, lost), daemon=True, name="heartbeat")
    heart.start()
    try:
        yield lost
    finally:
        stop.set()
        heart.join()


def _beat(renew: Callable[[], object], stop: threading.Event, lost: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        try:
            renew()
        except LeaseLost:
            lost.set()
            break
        except DatabaseError as error:
            log.warning("a heartbeat was missed: %s", type(error).__name__)
            connection.close_if_unusable_or_obsolete()
    connection.close()
