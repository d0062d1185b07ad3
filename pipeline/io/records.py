"""What every reader yields: a record, or the place where one could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Record:
    """One record of an input file.

    Attributes:
        offset: where it starts, in bytes of the file as stored (rows, for Parquet). Records inside one
            gzip member share the member's offset and differ by ``inner``.
        inner: bytes into the decompressed member.
        length: stored bytes; None where it shares a gzip member with others.
        kind: WARC type (``response``, ``resource``, ``conversion``, ``request``…), or ``text`` for inputs
            that are text already.
        headers: the record's own headers, names in lower case, the first of each.
        block: its content; cut at the reader's limit.
        full_length: length of the content before any cut, as far as known.
        truncated: why the content is not whole (``limit``, ``file end``, ``wrong length``, ``corrupt …``, or the
            reason that ``WARC-Truncated`` gives), else None.
    """

    offset: int
    inner: int = 0
    length: int | None = None
    kind: str
    headers: dict[str, str] = field(default_factory=dict)
    block: bytes = b""
    full_length: int = 0
    truncated: str | None = None


@dataclass(slots=True, kw_only=True)
class Unreadable:
    """A place in a file that holds no readable record.

    Attributes:
        offset: where it starts, as for a record.
        inner: bytes into the decompressed member.
        error: what is wrong, one of a few fixed words.
        detail: what was found there and what was expected.
    """

    offset: int
    inner: int = 0
    error: str
    detail: str
