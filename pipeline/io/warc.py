"""WARC and ARC records from a byte range of a file, whatever state the file is in.

warcio parses the headers of each record. Around it this module finds records: at gzip members, so that a
file can be read in byte ranges by many workers; inside one member that holds a whole file; and after
garbage, a wrong length or a torn member, where it resynchronises at the next record instead of stopping.
A place that holds no record is yielded as :class:`~pipeline.io.records.Unreadable`, never skipped in silence.

A range owns the gzip members that start inside it. Plain, LZ4 and Zstandard files are one range.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import zstandard
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecordLoader
from warcio.statusandheaders import StatusAndHeadersParserException

from pipeline.io.bytestream import ByteStream
from pipeline.io.gzipmembers import MAGIC, Inflater, find_member
from pipeline.io.records import Record, Unreadable

Found = Record | Unreadable

_WARC_START = re.compile(rb"WARC/\d\.\d{1,2}[ \t\r]*\n?$")
_ARC_URL = re.compile(rb"filedesc://|[A-Za-z][A-Za-z0-9+.\-]{1,20}:\S")
_ARC_ADDRESS = re.compile(rb"[\w.:\-]{1,64}$")
_WARC_INSIDE = re.compile(rb"(?<=\n)WARC/\d\.\d{1,2}\r?\n(?=[A-Za-z\-]+:)")

MAX_HEADER_BYTES = 1 << 20
_LONGEST_FIRST_LINE = 10_000
_HEAD_BYTES = 66_000
_DAMAGED_HEAD_BYTES = 8 << 20
LZ4_MAGIC = b"\x04\x22\x4d\x18"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one record may cost.

    Attributes:
        record_bytes: content kept of one record; the rest is dropped and the record marked ``limit``.
        skip_bytes: content inflated beyond that to reach the record's end; a record that is longer still
            (a gzip bomb) ends the member, and reading goes on at the next.
    """

    record_bytes: int = 32 << 20
    skip_bytes: int = 256 << 20


def opens_record(head: bytes) -> bool:
    """Whether bytes begin as a WARC or ARC record does.

    Args:
        head: some hundred bytes.

    Returns:
        True for a record's first line, also after blank lines.
    """
    return _starts_record(head.lstrip(b"\r\n").split(b"\n", 1)[0] + b"\n")


def read_range(file: BinaryIO, start: int, stop: int, limits: Limits) -> Iterator[Found]:
    """All records of one byte range.

    Args:
        file: an open WARC or ARC file, plain or compressed, which must seek.
        start: first byte of the range.
        stop: byte after the range. A record that starts before it is read whole.
        limits: bounds on one record.

    Yields:
        Records in the order of the file, and the places where there is none.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if _is_gzip(file, head):
        yield from _gzip_range(file, start, stop, limits)
    elif start == 0:
        yield from _plain(_plain_source(file, head[:4]), limits)


def _is_gzip(file: BinaryIO, head: bytes) -> bool:
    """Whether a file is a chain of gzip members, even when its first bytes are damaged."""
    if head.startswith(MAGIC[:2]):
        return True
    if head.startswith((LZ4_MAGIC, ZSTD_MAGIC)) or opens_record(head):
        return False
    return find_member(file, 0, _DAMAGED_HEAD_BYTES, opens_record) is not None


def _plain_source(file: BinaryIO, magic: bytes) -> Callable[[int], bytes]:
    file.seek(0)
    if magic == LZ4_MAGIC:
        import lz4.frame

        return lz4.frame.LZ4FrameFile(file).read  # type: ignore[no-any-return]
    if magic == ZSTD_MAGIC:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read
    return file.read


def _plain(pull: Callable[[int], bytes], limits: Limits) -> Iterator[Found]:
    error: str | None = None

    def guarded(size: int) -> bytes:
        nonlocal error
        try:
            return pull(size)
        except (RuntimeError, EOFError, ValueError, zstandard.ZstdError) as problem:  # lz4 has no error of its own
            error = f"corrupt ({problem})"
            return b""

    stream = ByteStream(guarded)
    for found in records_in(stream, limits, lambda: error):
        # Without compression inside, the position in the stream is the position in the file.
        found.offset, found.inner = found.inner, 0
        if isinstance(found, Record):
            found.length = stream.tell() - found.offset
        yield found
    if error:
        yield Unreadable(offset=stream.tell(), error="corrupt", detail=f"{error}; nothing after it can be read")


def _gzip_range(file: BinaryIO, start: int, stop: int, limits: Limits) -> Iterator[Found]:
    position: int | None = start
    if start or _next_member(file, 0) is None:
        position = find_member(file, start, stop, opens_record)
    if start == 0 and position != 0:
        yield from _gap(file, 0, stop, position)
    while position is not None and position < stop:
        inflater = Inflater(file, position)
        yield from _member(inflater, position, limits)
        if inflater.complete:
            position = _next_member(file, inflater.end)
            if position is not None:
                continue
            position = inflater.end
            following = find_member(file, position, stop, opens_record)
            yield from _gap(file, position, stop, following)
            position = following
        else:
            position = find_member(file, position + 1, stop, opens_record)


def _next_member(file: BinaryIO, end: int) -> int | None:
    file.seek(end)
    return end if file.read(len(MAGIC)) == MAGIC else None


def _gap(file: BinaryIO, start: int, stop: int, following: int | None) -> Iterator[Unreadable]:
    """Say what stands between members, unless it is padding or the end of the file."""
    file.seek(start)
    size = (following if following is not None else stop) - start
    between = file.read(min(max(size, 0), 4096))
    if between.strip(b"\0\r\n "):
        yield Unreadable(
            offset=start,
            error="garbage",
            detail=f"expected a gzip member, found {between[:16]!r}"
            + (f"; reading went on at {following}" if following is not None else "; no member follows in this range"),
        )


def _member(inflater: Inflater, offset: int, limits: Limits) -> Iterator[Found]:
    stream = ByteStream(inflater.read_some)
    held: Record | None = None
    count = 0
    for found in records_in(stream, limits, lambda: inflater.error):
        found.offset = offset
        count += 1
        if held is not None:
            yield held
            held = None
        if isinstance(found, Record):
            held = found
        else:
            yield found
    if held is not None:
        if count == 1 and inflater.complete:
            held.length = inflater.end - offset
        if inflater.complete and held.truncated == "file end":
            held.truncated = "wrong length"
        yield held
    elif count == 0 and inflater.error:
        yield Unreadable(
            offset=offset,
            error="truncated" if inflater.error == "file end" else "corrupt",
            detail=f"gzip member: {inflater.error}, before any record could be read",
        )


def records_in(stream: ByteStream, limits: Limits, problem: Callable[[], str | None]) -> Iterator[Found]:
    """The records of one decompressed stream, resynchronising at each that is broken.

    Args:
        stream: WARC or ARC content.
        limits: bounds on one record.
        problem: why the stream ended early, if it did.

    Yields:
        Records and unreadable places with ``inner`` set and ``offset`` 0.
    """
    loader = ArcWarcRecordLoader(verify_http=False, arc2warc=True)
    while line := _next_line(stream):
        inner = stream.tell() - len(line)
        if not _starts_record(line):
            dropped = len(line) + _skip_to_record(stream, limits.skip_bytes)
            yield Unreadable(
                inner=inner,
                offset=0,
                error="garbage",
                detail=f"expected the first line of a record, found {line[:60]!r}; {dropped} bytes passed over",
            )
            continue
        header = _header(stream, line)
        if header is None:
            yield Unreadable(
                inner=inner, offset=0, error="bad header", detail=f"no end within {MAX_HEADER_BYTES} bytes"
            )
            continue
        try:
            parsed = loader.parse_record_stream(io.BytesIO(header), no_record_parse=True)
        except (ArchiveLoadFailed, StatusAndHeadersParserException, EOFError, ValueError) as error:
            yield Unreadable(inner=inner, offset=0, error="bad header", detail=f"{type(error).__name__}: {error}"[:300])
            continue
        record = _record(stream, parsed, inner, limits, problem)
        yield record
        if record.truncated == "limit" and record.full_length - len(record.block) > limits.skip_bytes:
            return


def _starts_record(line: bytes) -> bool:
    if len(line) > _LONGEST_FIRST_LINE:
        return False
    return bool(_WARC_START.match(line)) or _starts_arc_record(line)


def _starts_arc_record(line: bytes) -> bool:
    """URL, address, 14 digits, type and length, as warcio cuts them; the URL may hold spaces."""
    fields = line.rstrip(b"\r\n").rsplit(b" ", 4)
    if len(fields) != 5 or not (fields[2].isdigit() and 14 <= len(fields[2]) <= 18 and 0 < len(fields[4]) <= 12):
        return False
    return bool(_ARC_URL.match(fields[0]) and _ARC_ADDRESS.match(fields[1]))


def _next_line(stream: ByteStream) -> bytes:
    stream.skip_any(b"\r\n\0")
    return stream.readline()


def _skip_to_record(stream: ByteStream, limit: int) -> int:
    dropped = 0
    while dropped < limit and (line := stream.readline()):
        if _starts_record(line):
            stream.unread(line)
            break
        dropped += len(line)
    return dropped


def _header(stream: ByteStream, first: bytes) -> bytes | None:
    """The header block that a first line opens; an ARC record's header is that line alone."""
    if not first.startswith(b"WARC/"):
        # The file's own record has two more lines, which warcio counts into the record's length.
        return first if not first.startswith(b"filedesc://") else first + stream.readline() + stream.readline()
    lines, size = [first], len(first)
    while size < MAX_HEADER_BYTES and (line := stream.readline()):
        lines.append(line)
        size += len(line)
        if not line.strip(b"\r\n"):
            break
    return b"".join(lines) if size < MAX_HEADER_BYTES else None


def _record(stream: ByteStream, parsed: Any, inner: int, limits: Limits, problem: Callable[[], str | None]) -> Record:
    headers: dict[str, str] = {}
    for name, value in parsed.rec_headers.headers:
        headers.setdefault(name.lower(), value)
    record = Record(offset=0, inner=inner, kind=str(parsed.rec_type), headers=headers)
    record.truncated = headers.get("warc-truncated")
    if headers.get("content-length") is None:
        record.block = _until_record(stream, limits.record_bytes)
        record.full_length = len(record.block)
        return record
    length = max(0, int(parsed.length or 0))
    record.block = stream.read(min(length, limits.record_bytes))
    record.full_length = length
    if len(record.block) < length:
        if len(record.block) == limits.record_bytes:
            record.truncated = "limit"
            stream.skip(min(length - len(record.block), limits.skip_bytes))
            return record
        record.truncated = problem() or "file end"
    _repair_length(stream, record, limits)
    return record


def _repair_length(stream: ByteStream, record: Record, limits: Limits) -> None:
    """Where no record follows, the stated length was wrong: end this record where the next one opens."""
    blanks = stream.skip_any(b"\r\n")
    line = stream.readline()
    if not line and record.truncated is None:
        return
    if _starts_record(line):
        stream.unread(line)
        return
    stream.unread(line)
    inside = _WARC_INSIDE.search(record.block)
    if inside is not None:
        stream.unread(record.block[inside.start() :])
        record.block = record.block[: inside.start()].rstrip(b"\r\n")
        record.truncated = None
    elif line:
        record.block += b"\n" * min(blanks, 2) + _until_record(stream, limits.record_bytes)
    record.full_length = len(record.block)


def _until_record(stream: ByteStream, limit: int) -> bytes:
    lines: list[bytes] = []
    size = 0
    while size < limit and (line := stream.readline()):
        if _starts_record(line):
            stream.unread(line)
            break
        lines.append(line)
        size += len(line)
    return b"".join(lines).rstrip(b"\r\n")
