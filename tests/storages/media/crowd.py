"""Many browsers at once on one server, and how quickly its API answers meanwhile; knows no storage."""

import selectors
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.storages.media.server import Server


@contextmanager
def crowd(server: Server, count: int, pause: float) -> Iterator[list[bytes]]:
    """``count`` browsers that read large.bin over and over, a buffer each ``pause`` seconds; the heads of their answers."""
    browsers = [server.begin("large.bin", receive_buffer=64 * 1024) for _ in range(count)]
    stop = threading.Event()
    reader = threading.Thread(target=_read, args=(server, [browser for browser, _ in browsers], pause, stop), daemon=True)
    reader.start()
    try:
        yield [head for _, head in browsers]
    finally:
        stop.set()
        reader.join(10)


def _read(server: Server, browsers: list, pause: float, stop: threading.Event) -> None:
    with selectors.DefaultSelector() as ready:
        for browser in browsers:
            ready.register(browser, selectors.EVENT_READ)
        while not stop.wait(pause):
            for key, _ in ready.select(0.1):
                if key.fileobj.recv(1024**2):  # type: ignore[union-attr]
                    continue
                ready.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
                ready.register(server.raw("large.bin"), selectors.EVENT_READ)
        for key in list(ready.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]


def latencies(server: Server, path: str, count: int) -> list[float]:
    """Milliseconds that ``count`` requests took, each over a connection of its own, the quickest first; all must answer 200."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        answer, _ = server.get(path)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200
    return sorted(took)
