"""What a client has cost so far: requests and bytes received. Knows neither protocols nor prices."""

import threading


class Meter:
    """``requests`` (every attempt counts) and ``bytes`` of listings and objects received; threads may share one."""

    def __init__(self) -> None:
        self.requests = self.bytes = 0
        self._lock = threading.Lock()

    def count(self, *, requests: int = 0, size: int = 0) -> None:
        """Adds ``requests`` and ``size`` bytes."""
        with self._lock:
            self.requests += requests
            self.bytes += size
