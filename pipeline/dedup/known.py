"""Documents that another corpus has already: an earlier crawl, a curated set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from filters.minhash import Parameters
from pipeline.dedup import standing
from pipeline.dedup.index import BAND, KEY_COLUMNS, IndexPart, keys_of, read_documents, read_keys
from pipeline.dedup.levels import DUPLICATES, KNOWN
from pipeline.dedup.standing import Scope
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import open_file, write_table
from pipeline.stages.exchange import (
    Block,
    Exchange,
    Hashes,
    Settled,
    blocks_by_number,
    blocks_by_range,
    equal_runs,
    rows_of,
)

# Documents of indexes are called by numbers with the highest bit, and eight bits for the index.
_OTHERS = 1 << 63
_INDEX_BITS = 48


@dataclass(kw_only=True)
class KnownExchange(Exchange):
    """Brings documents together with those of indexes that share a key.

    Attributes:
        scope: which documents take part.
        parameters: of signatures.
        indexes: directories of the indexes.
        threshold: smallest share of equal values in two signatures, where only a band is shared.
    """

    name: ClassVar[str] = "dedup-known"
    scope: Scope
    parameters: Parameters
    indexes: tuple[str, ...]
    threshold: float

    def pack(self, unit: Split | IndexPart) -> Iterator[Block]:
        """Keys of a split's documents, or of an index.

        Args:
            unit: either.

        Yields:
            Blocks by range of key.
        """
        if isinstance(unit, IndexPart):
            for keys in read_keys(unit):
                yield from blocks_by_range(keys[:, 0], keys, self.ranges)
            return
        for rows in self.scope.standing(unit, ("text_digest", "minhash"), ("url",)):
            places = np.array([row["place"] for row in rows], dtype=np.uint64)
            keys = keys_of(rows, places, self.parameters)
            yield from blocks_by_range(keys[:, 0], keys, self.ranges)

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Find what documents share with indexes.

        Args:
            number: the range.
            blocks: keys.

        Returns:
            How many shared keys there are, and each with its document for the document's split.
        """
        found = shared_keys(rows_of(blocks, KEY_COLUMNS))
        return Settled({"shared": len(found)}, list(blocks_by_number(standing.splits_of(found[:, 0]), found)))

    def deliver(self, key: str, blocks: list[bytes]) -> None:
        """Write which documents of one split are known.

        Args:
            key: the split.
            blocks: what they share with indexes.
        """
        found = rows_of(blocks, 3)
        path = storage.join(self.work, "duplicates", KNOWN, f"{key}.{self.wave[0]:05d}.parquet")
        known = list(self._known(key, found)) if len(found) else []
        write_table(path, pa.Table.from_pylist(known, schema=DUPLICATES))

    def _known(self, key: str, found: Hashes) -> Iterator[dict[str, Any]]:
        others = self._others(found[:, 2])
        own = open_file(storage.join(self.work, "signals", f"{key}.parquet")).read(columns=["id", "minhash"])
        by_row: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for row, kind, other in zip(
            standing.rows_in_split(found[:, 0]).tolist(), *found[:, 1:].T.tolist(), strict=True
        ):
            by_row[row].append((kind, other))
        for row, shared in sorted(by_row.items()):
            signature = own["minhash"][row].as_py()
            best = max(
                (_agreement(signature, others[other][1]) if kind == BAND else 1.0, kind != BAND, others[other][0])
                for kind, other in shared
            )
            if best[1] or best[0] >= self.threshold:
                same = dict.fromkeys(("cluster", "survivor"), best[2])
                yield {"row": row, "id": own["id"][row].as_py(), "level": KNOWN, "similarity": best[0], **same}

    def _others(self, numbers: Hashes) -> dict[int, tuple[str, bytes]]:
        by_index: dict[int, list[int]] = defaultdict(list)
        for number in np.unique(numbers).tolist():
            by_index[(number - _OTHERS) >> _INDEX_BITS].append(number)
        found = {}
        for place, wanted in by_index.items():
            first = first_number(place)
            read = read_documents(self.indexes[place], [number - first for number in wanted])
            found.update({first + number: document for number, document in read.items()})
        return found


def first_number(place: int) -> int:
    """What documents of an index are counted from.

    Args:
        place: the index's place among all.

    Returns:
        The number of its first.
    """
    return _OTHERS + (place << _INDEX_BITS)


def shared_keys(rows: Hashes) -> Hashes:
    """Keys that a document shares with one of an index.

    Args:
        rows: high and low half of each key, its kind, and the document, in any order.

    Returns:
        Document, kind, and the first document of an index that has the key.
    """
    ordered = rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))]
    starts, sizes = equal_runs(ordered[:, :3])
    if not len(starts):
        return np.empty((0, 3), dtype=np.uint64)
    group = np.repeat(np.arange(len(starts)), sizes)
    other = ordered[:, 3] >= np.uint64(_OTHERS)
    first = np.full(len(starts), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(first, group[other], ordered[other, 3])
    met = ~other & (first[group] != np.iinfo(np.uint64).max)
    return np.column_stack((ordered[met, 3], ordered[met, 2], first[group[met]]))


def _agreement(first: bytes, second: bytes) -> float:
    return float(np.mean(np.frombuffer(first, dtype="<u8") == np.frombuffer(second, dtype="<u8")))
