"""Sockets that ask nothing of the system when there is nothing to change; know no protocol and no host.

Around every system call other threads get their turn, and the way back costs more than the call where many threads read.
"""

import socket
import ssl


class Steady:
    """Mixin: setting the timeout that is set already is no system call."""

    def settimeout(self, value: float | None) -> None:
        if value != self.gettimeout():  # type: ignore[attr-defined]
            super().settimeout(value)  # type: ignore[misc]


class SteadySocket(Steady, socket.socket):
    pass


class SteadyTLSSocket(Steady, ssl.SSLSocket):
    pass
