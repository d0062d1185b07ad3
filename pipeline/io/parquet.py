"""Parquet files written row by row in bounded memory, whole or not at all.

Row groups hold 1,024 rows, the unit in which trainers deal rows to ranks, or 32 MiB where rows are large.
The same rows give the same bytes. Beam's ``WriteToParquet`` gives none of this (one file a bundle, dealt
round-robin, uncompressed, row groups of any size).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.io import storage

GROUP_ROWS = 1024
GROUP_BYTES = 32 << 20


class RowWriter:
    """Writes rows to one file, which is created with the first row.

    Args:
        path: the final name.
        schema: the columns; a row lacking one gets null.
    """

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self.path = path
        self.rows = 0
        self._schema = schema
        self._buffer: list[Mapping[str, Any]] = []
        self._bytes = 0
        self._context: Any = None
        self._writer: pq.ParquetWriter | None = None

    def write(self, row: Mapping[str, Any], size: int = 256) -> None:
        """Add a row.

        Args:
            row: values by column.
            size: about how many bytes it takes, to bound the memory of a row group.
        """
        self._buffer.append(row)
        self._bytes += size
        self.rows += 1
        if len(self._buffer) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            self.write_group(pa.Table.from_pylist(self._buffer, schema=self._schema))
            self._buffer, self._bytes = [], 0

    def write_group(self, table: pa.Table) -> None:
        """Write a table as one row group.

        Args:
            table: rows with this file's schema.
        """
        if self._writer is None:
            self._context = storage.write_atomically(self.path)
            handle: IO[bytes] = self._context.__enter__()
            self._writer = pq.ParquetWriter(
                handle, self._schema, compression="zstd", compression_level=3, write_page_index=True
            )
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._context.__exit__(None, None, None)

    def abandon(self, error: BaseException) -> None:
        """Leave no trace of the file.

        Args:
            error: why.
        """
        if self._context is not None:
            self._context.__exit__(type(error), error, error.__traceback__)


@contextmanager
def row_writers(paths: Mapping[str, str], schemas: Mapping[str, pa.Schema]) -> Iterator[dict[str, RowWriter]]:
    """Open several files that are finished together, or abandoned together.

    Args:
        paths: path of each file.
        schemas: schema of each file.

    Yields:
        A writer for each.
    """
    writers = {name: RowWriter(path, schemas[name]) for name, path in paths.items()}
    try:
        yield writers
        for writer in writers.values():
            writer.close()
    except BaseException as error:
        for writer in writers.values():
            try:
                writer.abandon(error)
            except BaseException as again:
                if again is not error:
                    raise
        raise


def write_table(path: str, table: pa.Table) -> None:
    """Write a small file at once; none is written for no rows, and an older one goes.

    Args:
        path: the final name.
        table: the rows.
    """
    if not len(table):
        storage.remove(path)
        return
    with storage.write_atomically(path) as file:
        pq.write_table(table, file)


def group_lengths(file: pq.ParquetFile) -> list[int]:
    """Rows in each row group of a file.

    Args:
        file: the open file.

    Returns:
        The numbers, in order.
    """
    return [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]


def open_file(path: str) -> pq.ParquetFile:
    """Open a Parquet file for reading.

    Args:
        path: a local path or URL.

    Returns:
        The file; it holds no row group in memory.
    """
    return pq.ParquetFile(storage.open_read(path) if storage.is_remote(path) else path, pre_buffer=False)
