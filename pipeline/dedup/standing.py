"""The documents that are still standing at some point: no rule removes them, and no earlier level found them a copy.

A document is called by its place, one number: that of its split in the upper half, that of its row in the lower. Places
are a matter of one run; what is written and compared across runs are ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters import registry
from pipeline.config import Annotate, Assemble, Rule
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.rules import Judge, columns_needed
from pipeline.stages.exchange import Hashes
from pipeline.stages.rows import judged_rows

# The level of documents that another corpus has: there is no survivor among ours.
KNOWN = "known"
_ROW_BITS = np.uint64(32)
_ROWS = np.uint64((1 << 32) - 1)
_WORST = (1 << 64) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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
    ]
)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which documents take part, and how they are preferred.

    Attributes:
        work: the directory that holds a folder for each stage.
        splits: keys of all splits, in order.
        annotate: which signals there are.
        rules: what removes documents before.
        assemble: profiles of the rules.
        levels: the levels that have already decided, in order.
        prefer: which of several copies stays.
    """

    work: str
    splits: tuple[str, ...]
    annotate: Annotate
    rules: tuple[Rule, ...]
    assemble: Assemble
    levels: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()

    def standing(
        self, unit: Split, signals: Sequence[str] = (), documents: Sequence[str] = ()
    ) -> Iterator[list[dict[str, Any]]]:
        """Read documents that are still standing.

        Args:
            unit: the split.
            signals: columns of ``signals/`` that are wanted.
            documents: columns of ``documents/`` that are wanted.

        Yields:
            Rows, some at a time, with ``place`` and ``weight`` (how many documents each stands for).
        """
        judge = Judge(self.rules, self.assemble)
        available = [name for entry in registry.select(self.annotate.filters) for name in entry.columns]
        wanted = [*signals, *(name for name in self.prefer if name != "newest")]
        columns = list(dict.fromkeys([*columns_needed(self.rules, available), *wanted]))
        dates = ("date",) if "newest" in self.prefer else ()
        copies, weights = self._found(unit)
        base = self.splits.index(unit.key) << 32
        number = 0
        for _, rows in judged_rows(self.work, unit, columns, (*documents, *dates)):
            found = []
            for row in rows:
                if number not in copies and not row["annotate_error"] and not judge.judge(row)[0]:
                    row["place"] = base + number
                    row["weight"] = weights.get(number, 1)
                    found.append(row)
                number += 1
            if found:
                yield found

    def _found(self, unit: Split) -> tuple[set[int], dict[int, int]]:
        copies: set[int] = set()
        weights: dict[int, int] = {}
        for row in duplicates(self.work, self.levels, unit.key):
            if row["level"] == KNOWN or row["id"] != row["survivor"]:
                copies.add(row["row"])
            else:
                weights[row["row"]] = row["size"]
        return copies, weights


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


def preferences(rows: Sequence[Mapping[str, Any]], prefer: Sequence[str]) -> Hashes:
    """What rows are preferred by, as numbers of which the smallest is best.

    Args:
        rows: rows with the columns that are named.
        prefer: ``newest`` (of ``date``) or signals of which more is better.

    Returns:
        Rows by preferences; what is missing is worst.
    """
    found = np.full((len(rows), len(prefer)), _WORST, dtype=np.uint64)
    for column, name in enumerate(prefer):
        for place, row in enumerate(rows):
            value = row["date" if name == "newest" else name]
            if value is not None:
                number = (value - _EPOCH).total_seconds() if name == "newest" else float(value)
                found[place, column] = _descending(number)
    return found


def _descending(value: float) -> int:
    """The bits of a number so that greater numbers come first."""
    bits = int(np.float64(value + 0.0).view(np.uint64))
    return bits if bits >> 63 else ~bits & (_WORST >> 1)


def ids(rows: Sequence[Mapping[str, Any]]) -> Hashes:
    """Ids as numbers.

    Args:
        rows: rows with ``id`` of 32 hexadecimal digits.

    Returns:
        Rows by two halves, in the order of the ids.
    """
    data = bytes.fromhex("".join(row["id"] for row in rows))
    return np.frombuffer(data, dtype=">u8").astype(np.uint64).reshape(-1, 2)


def hexadecimal(halves: Hashes) -> list[str]:
    """Ids as they are written.

    Args:
        halves: rows by two halves.

    Returns:
        As many ids.
    """
    digits = halves.astype(">u8").tobytes().hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def splits_of(places: Hashes) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The splits of documents.

    Args:
        places: their places.

    Returns:
        Places of their splits among all.
    """
    return (places >> _ROW_BITS).astype(np.int64)


def rows_in_split(places: Hashes) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The rows of documents in their splits.

    Args:
        places: their places.

    Returns:
        Numbers of rows.
    """
    return (places & _ROWS).astype(np.int64)
