"""Lines that stand in many documents: menus, footers, notices.

Long lines are counted over the whole corpus. Short ones say too little for that ("Conclusion" is a heading
everywhere), so they are counted within their host, where what stands on many pages at an edge is the site's and not
the page's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from filters.fingerprints import C4, LONG
from pipeline.dedup import standing
from pipeline.dedup.levels import LINE, table
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
from pipeline.stages.hosts import hash_hosts

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(kw_only=True)
class LineExchange(Exchange):
    """Counts in how many documents each line stands, and tells each document which of its lines are cut.

    Attributes:
        scope: which documents take part.
        definition: which lines are compared; by C4's a line stays in the document whose address has the smallest MD5.
        documents: in how many a line must stand to be cut.
        keep_one: leave it in the one with the smallest id.
    """

    name: ClassVar[str] = "dedup-line"
    scope: Scope
    definition: str
    documents: int
    keep_one: bool

    def pack(self, unit: Split) -> Iterator[Block]:
        """Lines of documents.

        Args:
            unit: the split.

        Yields:
            Blocks by range of line.
        """
        for rows in self.scope.standing(unit, ("line_hashes",), ("host", "url")):
            hashes = np.frombuffer(b"".join(row["line_hashes"] for row in rows), dtype="<u8").astype(np.uint64)
            counts = [len(row["line_hashes"]) // 8 for row in rows]
            places = np.array([row["place"] for row in rows], dtype=np.uint64)
            columns = np.stack((places, self._order(rows)), axis=1)
            hosts = np.repeat(hash_hosts([row["host"] or "" for row in rows]), counts)
            is_long = (hashes & LONG) != 0
            keys = np.where(is_long, hashes, (hashes ^ hosts) * _SPREAD)
            named = is_long | (hosts != hash_hosts([""])[0])
            found = np.concatenate((np.stack((keys, hashes), axis=1), np.repeat(columns, counts, axis=0)), axis=1)
            yield from blocks_by_range(keys[named], found[named], self.ranges)

    def _order(self, rows: list[dict[str, Any]]) -> Hashes:
        """What documents are ordered by; half of it is enough: by chance two agree in 64 bits once in 2**64."""
        if self.definition == C4:
            data = b"".join(
                hashlib.md5((row["url"] or "").encode(), usedforsecurity=False).digest()[:8] for row in rows
            )
            return np.frombuffer(data, dtype=">u8").astype(np.uint64)
        return standing.ids(rows)[:, 0]

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Find the lines of one range that are cut.

        Args:
            number: the range.
            blocks: lines of documents.

        Returns:
            How many lines there are, how many are cut, and from which documents.
        """
        cut, counts = repeated_lines(rows_of(blocks, 4), self.documents, self.keep_one)
        return Settled(counts, list(blocks_by_number(standing.splits_of(cut[:, 0]), cut)))

    def deliver(self, key: str, blocks: list[bytes]) -> None:
        """Write which lines are cut from the documents of one split.

        Args:
            key: the split.
            blocks: documents and lines.
        """
        cut = rows_of(blocks, 2)
        path = storage.join(self.work, "duplicates", LINE, f"{key}.{self.wave[0]:05d}.parquet")
        if not len(cut):
            storage.remove(path)
            return
        cut = cut[np.lexsort((cut[:, 1], cut[:, 0]))]
        places, starts = np.unique(cut[:, 0], return_index=True)
        rows = standing.rows_in_split(places)
        ids = open_file(storage.join(self.work, "signals", f"{key}.parquet")).read(columns=["id"])["id"]
        offsets = pa.array(np.append(starts, len(cut)).astype(np.int32))
        columns = {
            "row": rows,
            "id": ids.take(rows).combine_chunks(),
            "level": [LINE] * len(rows),
            "lines": pa.ListArray.from_arrays(offsets, pa.array(cut[:, 1])),
        }
        write_table(path, table(columns))


def repeated_lines(rows: Hashes, documents: int, keep_one: bool) -> tuple[Hashes, dict[str, int]]:
    """The lines that stand in enough documents.

    Args:
        rows: what a line is counted by, its hash, place and order of a document that has it.
        documents: how many are enough.
        keep_one: leave out the document that comes first.

    Returns:
        Place of a document and line to cut from it, and counts.
    """
    ordered = rows[np.lexsort((rows[:, 2], rows[:, 3], rows[:, 0]))]
    starts, sizes = equal_runs(ordered[:, 0])
    cut = np.repeat(sizes >= documents, sizes)
    counts = {"lines": len(starts), "repeated": int(np.count_nonzero(sizes >= documents))}
    if keep_one:
        cut[starts] = False
    return ordered[cut][:, [2, 1]], counts | {"cuts": int(np.count_nonzero(cut))}
