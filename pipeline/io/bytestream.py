"""A stream of bytes with lines, bounded reads and push-back, over any source of pieces."""

from __future__ import annotations

from collections.abc import Callable

_SKIP_PIECE = 1 << 20


class ByteStream:
    """Buffers pieces and hands out lines and exact lengths.

    Args:
        pull: returns the next piece of at most the given number of bytes; empty at the end.
    """

    def __init__(self, pull: Callable[[int], bytes]) -> None:
        self._pull = pull
        self._buffer = b""
        self._start = 0
        self._taken = 0

    def tell(self) -> int:
        """Bytes handed out so far, less those pushed back.

        Returns:
            The position.
        """
        return self._taken

    def _more(self, size: int = 65536) -> bool:
        piece = self._pull(size)
        if piece:
            self._buffer = self._buffer[self._start :] + piece
            self._start = 0
        return bool(piece)

    def _take(self, size: int) -> bytes:
        piece = self._buffer[self._start : self._start + size]
        self._start += len(piece)
        self._taken += len(piece)
        return piece

    def readline(self, limit: int = 65536) -> bytes:
        """The next line with its end, or its first ``limit`` bytes.

        Args:
            limit: bytes at most.

        Returns:
            The line; empty at the end.
        """
        searched = self._start
        while True:
            end = self._buffer.find(b"\n", searched)
            if end >= 0:
                return self._take(min(end + 1 - self._start, limit))
            if len(self._buffer) - self._start >= limit:
                return self._take(limit)
            kept = len(self._buffer) - self._start
            if not self._more():
                return self._take(kept)
            searched = kept

    def read(self, size: int) -> bytes:
        """The next bytes.

        Args:
            size: how many.

        Returns:
            As many as asked for, fewer only at the end.
        """
        have = len(self._buffer) - self._start
        if have >= size:
            return self._take(size)
        pieces = [self._take(have)]
        missing = size - have
        while missing:
            piece = self._pull(min(missing, _SKIP_PIECE))
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
            self._taken += len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> int:
        """Drop bytes without keeping them.

        Args:
            size: how many.

        Returns:
            How many there were to drop.
        """
        left = size
        while left and (piece := self.read(min(left, _SKIP_PIECE))):
            left -= len(piece)
        return size - left

    def skip_any(self, which: bytes) -> int:
        """Drop bytes as long as they are among some.

        Args:
            which: the bytes to drop.

        Returns:
            How many there were.
        """
        dropped = 0
        while True:
            rest = self._buffer[self._start :].lstrip(which)
            passed = len(self._buffer) - self._start - len(rest)
            self._start += passed
            self._taken += passed
            dropped += passed
            if rest or not self._more():
                return dropped

    def unread(self, data: bytes) -> None:
        """Push bytes back: they are the next to be read.

        Args:
            data: the bytes last handed out.
        """
        self._buffer = data + self._buffer[self._start :]
        self._start = 0
        self._taken -= len(data)
