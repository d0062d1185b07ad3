"""What the levels of deduplication find, and where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.io import storage

# The level of documents that another corpus has: there is no survivor among ours.
KNOWN = "known"
# Levels that cut from texts.
LINE, SUBSTRING = "line", "substring"

DUPLICATES = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("level", pa.string()),
        ("cluster", pa.string()),
        ("survivor", pa.string()),
        ("size", pa.int64()),
        ("similarity", pa.float64()),
        ("lines", pa.list_(pa.uint64())),
        # Where stretches begin and end, in characters, and how many characters are left without them.
        ("starts", pa.list_(pa.int64())),
        ("ends", pa.list_(pa.int64())),
        ("left", pa.int64()),
    ]
)


def duplicates(work: str, levels: Iterable[str], key: str) -> Iterator[dict[str, Any]]:
    """What levels found of one split.

    Args:
        work: the directory that holds a folder for each stage.
        levels: the levels, in order.
        key: the split.

    Yields:
        Rows of ``duplicates/``.
    """
    for level in levels:
        directory = storage.join(work, "duplicates", level)
        for name in sorted(storage.list_dir(directory, f"{key}.*.parquet")):
            with storage.open_read(storage.join(directory, name)) as file:
                yield from pq.read_table(file, schema=DUPLICATES).to_pylist()


def table(columns: dict[str, Any]) -> pa.Table:
    """Rows of ``duplicates/`` from the columns that a level knows.

    Args:
        columns: by name; all of one length.

    Returns:
        A table in which the other columns are null.
    """
    rows = len(next(iter(columns.values())))
    every = [columns[field.name] if field.name in columns else pa.nulls(rows, field.type) for field in DUPLICATES]
    return pa.table(every, schema=DUPLICATES)
