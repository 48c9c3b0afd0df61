"""gzip (RFC 1952) unpacked a chunk at a time, one member after the other; a bomb costs a chunk and then an error."""

import zlib
from collections.abc import Callable

from storages.errors import Malformed
from storages.sync.row import Limits, mib

MAGIC = b"\x1f\x8b"  # RFC 1952 §2.3.1
GZIP = 16 + zlib.MAX_WBITS  # zlib.decompressobj: expect a gzip header and check the trailer


class Inflate:
    """The unpacked bytes of what ``pull()`` gives chunk by chunk; at most ``limits.unpacked_size`` of them."""

    def __init__(self, pull: Callable[[], bytes], limits: Limits) -> None:
        self.pull, self.limits, self.total = pull, limits, 0
        self.member, self.packed = zlib.decompressobj(GZIP), b""

    def read(self, size: int) -> bytes:
        """1 to ``size`` bytes, b"" at the end. Raises Malformed for what is no gzip, breaks off or grows too large."""
        while True:
            if self.member.eof and not self._next_member():
                return b""
            packed = self.packed or self.pull()
            try:
                data = self.member.decompress(packed, size)
            except zlib.error as error:
                raise Malformed(f"the gzip data is damaged here ({error}); upload the file again") from None
            self.packed = self.member.unconsumed_tail
            if data:
                return self._counted(data)
            if not packed and not self.member.eof:
                raise Malformed("the gzip data breaks off here; upload the file again")

    def _next_member(self) -> bool:
        """Whether another member follows; the zeros that fill up a tape block do not count (gzip(1))."""
        self.packed = self.member.unused_data.lstrip(b"\0")
        while not self.packed and (data := self.pull()):
            self.packed = data.lstrip(b"\0")
        if self.packed:
            self.member = zlib.decompressobj(GZIP)
        return bool(self.packed)

    def _counted(self, data: bytes) -> bytes:
        self.total += len(data)
        if 0 < self.limits.unpacked_size < self.total:
            size = mib(self.limits.unpacked_size)
            raise Malformed(f"unpacks to more than {size}; SYNC_MAX_UNPACKED_MB sets this limit")
        return data
