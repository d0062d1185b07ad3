"""Inputs that are text already: JSON Lines, Parquet and plain files, as records of kind ``text``.

A record's ``block`` is the text in UTF-8; its ``headers`` hold what the row says of URL, date and id.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import zstandard

from pipeline.config import Read
from pipeline.io.bytestream import ByteStream
from pipeline.io.records import Record, Unreadable

Found = Record | Unreadable
# What the codecs raise on bytes that are not theirs; other errors are the disk's or the network's.
_CODEC_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError)
_FIELDS = (("url_field", "url"), ("date_field", "date"), ("id_field", "id"))


def read_jsonl(file: BinaryIO, path: str, start: int, stop: int, read: Read) -> Iterator[Found]:
    """The rows of JSON Lines that start in a byte range.

    Args:
        file: the open file, plain, gzip or Zstandard.
        path: its name, which tells the compression.
        start: first byte of the range; a line that began before it belongs to the range before.
        stop: byte after the range.
        read: names of the fields, and the bound on one line.

    Yields:
        A record for each line; a line that is no JSON object with a text is unreadable.
    """
    limit = read.record_mib << 20
    if path.endswith((".gz", ".zst")):
        start, stop = 0, 1 << 62
        stream = ByteStream(_decompressed(file, path).read)
    else:
        file.seek(max(0, start - 1))
        stream = ByteStream(file.read)
        if start:
            # The byte before the range tells whether a line begins with the range.
            while (piece := stream.readline(limit)) and not piece.endswith(b"\n"):
                pass
    base = max(0, start - 1)
    while base + stream.tell() < stop:
        offset = base + stream.tell()
        try:
            line = stream.readline(limit)
        except _CODEC_ERRORS as error:
            yield Unreadable(offset=offset, error="corrupt", detail=f"{error}; nothing after it can be read")
            return
        if not line:
            return
        if len(line) == limit and not line.endswith(b"\n"):
            dropped = len(line)
            while (piece := stream.readline(limit)) and not piece.endswith(b"\n"):
                dropped += len(piece)
            yield Unreadable(offset=offset, error="too large", detail=f"a line of more than {dropped} bytes")
        elif line.strip():
            yield _from_line(line, offset, read)


def _decompressed(file: BinaryIO, path: str) -> Any:
    if path.endswith(".gz"):
        return gzip.GzipFile(fileobj=file)
    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)


def _from_line(line: bytes, offset: int, read: Read) -> Found:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unreadable(offset=offset, error="bad json", detail=f"{error}; the line begins {line[:40]!r}"[:300])
    if not isinstance(row, dict):
        return Unreadable(offset=offset, error="bad json", detail=f"expected an object, found {type(row).__name__}")
    return _from_row(row, offset, len(line), read)


def _from_row(row: dict[str, Any], offset: int, length: int | None, read: Read) -> Found:
    text = row.get(read.text_field)
    if not isinstance(text, str):
        found = f"it is {type(text).__name__}" if read.text_field in row else f"the row has {sorted(row)[:10]}"
        return Unreadable(offset=offset, error="no text", detail=f"expected a string in {read.text_field!r}; {found}")
    headers = {
        target: str(row[getattr(read, source)])
        for source, target in _FIELDS
        if row.get(getattr(read, source)) is not None
    }
    block = text.encode("utf-8", "surrogatepass")
    return Record(offset=offset, length=length, kind="text", headers=headers, block=block, full_length=len(block))


def read_parquet(file: BinaryIO, start: int, stop: int, read: Read) -> Iterator[Found]:
    """The rows of the row groups that start in a byte range; ``offset`` is the row's number.

    Args:
        file: the open file.
        start: first byte of the range.
        stop: byte after the range.
        read: names of the columns.

    Yields:
        A record for each row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if start == 0:
            yield Unreadable(offset=0, error="bad parquet", detail=" ".join(str(error).split())[:300])
        return
    wanted = {read.text_field, *(getattr(read, source) for source, _ in _FIELDS)}
    columns = [name for name in table.schema_arrow.names if name in wanted]
    first = 0
    for group in range(table.num_row_groups):
        meta = table.metadata.row_group(group)
        at = min(meta.column(index).data_page_offset for index in range(meta.num_columns)) if meta.num_columns else 0
        if start <= at < stop:
            yield from _row_group(table, group, first, meta.num_rows, columns, read)
        first += meta.num_rows


def _row_group(table: Any, group: int, first: int, rows: int, columns: list[str], read: Read) -> Iterator[Found]:
    import pyarrow as pa

    row = first
    try:
        for batch in table.iter_batches(batch_size=256, row_groups=[group], columns=columns):
            for values in batch.to_pylist():
                yield _from_row(values, row, None, read)
                row += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        detail = f"row group {group}: {' '.join(str(error).split())[:250]}"
        yield from (Unreadable(offset=number, error="corrupt", detail=detail) for number in range(row, first + rows))


def read_text(file: BinaryIO, path: str, read: Read) -> Iterator[Found]:
    """A plain file as one document.

    Args:
        file: the open file, plain, gzip or Zstandard.
        path: its name, which tells the compression.
        read: the bound on one record.

    Yields:
        One record, cut at the bound and then marked so.
    """
    limit = read.record_mib << 20
    source = _decompressed(file, path) if path.endswith((".gz", ".zst")) else file
    try:
        block = ByteStream(source.read).read(limit + 1)
    except _CODEC_ERRORS as error:
        yield Unreadable(offset=0, error="corrupt", detail=str(error))
        return
    truncated = "limit" if len(block) > limit else None
    yield Record(offset=0, kind="text", block=block[:limit], full_length=len(block), truncated=truncated)
