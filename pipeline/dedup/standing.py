"""The documents that are still standing at some point: no rule removes them, and no earlier level found them a copy.

A document is called by its place, one number: that of its split in the upper half, that of its row in the lower. Places
are a matter of one run; what is written and compared across runs are ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from filters import registry
from pipeline.config import Annotate, Assemble, Dedup, Rule
from pipeline.dedup.verdicts import Verdicts
from pipeline.inputs import Split
from pipeline.rules import PREFERENCES, Judge, columns_needed
from pipeline.stages.exchange import Hashes
from pipeline.stages.rows import judged_rows

_ROW_BITS = np.uint64(32)
_ROWS = np.uint64((1 << 32) - 1)
_WORST = (1 << 64) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONSENT = ("deny", "unknown", "allow")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which documents take part, and how they are preferred.

    Attributes:
        work: the directory that holds a folder for each stage.
        splits: keys of all splits, in order.
        annotate: which signals there are.
        rules: what removes documents before.
        assemble: profiles of the rules.
        dedup: the levels that have already decided.
        prefer: which of several copies stays.
    """

    work: str
    splits: tuple[str, ...]
    annotate: Annotate
    rules: tuple[Rule, ...]
    assemble: Assemble
    dedup: Dedup = field(default_factory=Dedup)
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
            Rows, some at a time, with ``place``, ``weight`` (how many documents each stands for) and what levels cut
            from their texts.
        """
        judge = Judge(self.rules, self.assemble)
        available = [name for entry in registry.select(self.annotate.filters) for name in entry.columns]
        verdicts = Verdicts(self.work, self.dedup, unit.key)
        wanted = [*signals, *verdicts.columns, *(name for name in self.prefer if name not in PREFERENCES)]
        columns = list(dict.fromkeys([*columns_needed(self.rules, available), *wanted]))
        dates = ("date",) if "newest" in self.prefer else ()
        base = self.splits.index(unit.key) << 32
        number = 0
        for _, rows in judged_rows(self.work, unit, columns, (*documents, *dates)):
            found = []
            for row in rows:
                if not row["annotate_error"] and not (reasons := judge.judge(row)[0]):
                    verdict = verdicts.judge(number, row, judge, reasons)
                    if not reasons:
                        found.append(row | {"place": base + number, "weight": verdict["cluster_size"]} | verdict)
                number += 1
            if found:
                yield found


def preferences(rows: Sequence[Mapping[str, Any]], prefer: Sequence[str]) -> Hashes:
    """What rows are preferred by, as numbers of which the smallest is best.

    Args:
        rows: rows with the columns that are named.
        prefer: ``consent`` (given before unknown), ``licence`` (any before none), ``newest`` (of ``date``) or signals
            of which more is better.

    Returns:
        Rows by preferences; what is missing is worst.
    """
    found = np.full((len(rows), len(prefer)), _WORST, dtype=np.uint64)
    for column, name in enumerate(prefer):
        for place, row in enumerate(rows):
            value = row["date" if name == "newest" else name]
            if value is not None:
                found[place, column] = _descending(_number(name, value))
    return found


def _number(name: str, value: Any) -> float:
    if name == "newest":
        return float((value - _EPOCH).total_seconds())
    if name == "consent":
        return float(_CONSENT.index(value))
    return float(bool(value)) if name == "licence" else float(value)


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
