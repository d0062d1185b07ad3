"""Walking the gzip members of a file from any offset.

A ``.warc.gz`` is a chain of gzip members, one a record. :func:`find_member` finds the next member at or
after an offset, which makes the file splittable and lets a reader go on after garbage.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import BinaryIO

MAGIC = b"\x1f\x8b\x08"
_BLOCK = 256 << 10
_PROBE_BYTES = 2048


class Inflater:
    """Inflates one gzip member, a bounded piece at a time.

    Args:
        file: the file, which must seek.
        offset: where the member starts.

    Attributes:
        end: offset of the first byte after the member, once :attr:`complete`.
        complete: the member's end was reached and its checksum is right.
        error: why inflating stopped early, else None.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self._file = file
        self._next = offset
        self._zlib = zlib.decompressobj(wbits=31)
        self._pending = b""
        self.end = offset
        self.complete = False
        self.error: str | None = None

    def read_some(self, limit: int = _BLOCK) -> bytes:
        """The next piece, of at most ``limit`` bytes.

        Args:
            limit: bytes.

        Returns:
            At least one byte, or nothing at the end (see :attr:`complete` and :attr:`error`).
        """
        while not self.complete and self.error is None:
            if not self._pending:
                self._file.seek(self._next)
                self._pending = self._file.read(_BLOCK)
                self._next += len(self._pending)
                if not self._pending:
                    self.error = "file end"
                    break
            try:
                piece = self._zlib.decompress(self._pending, limit)
            except zlib.error as error:
                self.error = f"corrupt ({error})"
                break
            self._pending = self._zlib.unconsumed_tail
            if self._zlib.eof:
                self.complete = True
                self.end = self._next - len(self._zlib.unused_data)
            if piece:
                return piece
        return b""


def find_member(file: BinaryIO, start: int, stop: int, opens: Callable[[bytes], bool]) -> int | None:
    """The first gzip member at or after an offset whose content opens as a record does.

    Args:
        file: the file, which must seek.
        start: first offset to consider.
        stop: offset before which the member must start.
        opens: tells whether the first bytes of a member's content are those of a record.

    Returns:
        Its offset, or None.
    """
    position = start
    while position < stop:
        file.seek(position)
        block = file.read(_BLOCK + len(MAGIC) - 1)
        found = block.find(MAGIC)
        while found >= 0:
            offset = position + found
            if offset >= stop:
                return None
            if opens(_probe(file, offset)):
                return offset
            found = block.find(MAGIC, found + 1)
        if len(block) < _BLOCK:
            return None
        position += _BLOCK
    return None


def _probe(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    try:
        return zlib.decompressobj(wbits=31).decompress(file.read(_PROBE_BYTES), _PROBE_BYTES)
    except zlib.error:
        return b""
