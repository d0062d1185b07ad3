"""Candidates whose shingles are looked at: the Jaccard similarity of each pair, not an estimate.

Only documents of some candidate send their shingles, and each sends them once, to where all candidates of its
provisional cluster are. Very long texts send the smallest hashes of theirs: a sample of 8,192 shingles keeps the
standard error of a similarity of 0.7 at 0.005.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from filters import minhash
from filters.minhash import Parameters
from pipeline.dedup.clusters import LABELLED, Part, read_clusters, read_labelled, write_pairs
from pipeline.dedup.stars import spread
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import group_lengths, open_file
from pipeline.stages.exchange import Block, Exchange, Hashes, Settled, blocks_by_range, range_of
from pipeline.stages.rows import Cleaned

MOST_SHINGLES = 8192
# What a block holds.
_PAIRS, _SHINGLES = b"pairs...", b"shingles"


@dataclass(kw_only=True)
class VerifyExchange(Exchange):
    """Brings the shingles of candidates together.

    Attributes:
        parameters: how shingles are made.
        threshold: smallest similarity of a pair that stays.
        places: the place of each split, by key.
    """

    name: ClassVar[str] = "dedup-verify"
    parameters: Parameters
    threshold: float
    places: dict[str, int]

    def pack(self, unit: Split | Part) -> Iterator[Block]:
        """Shingles of the documents that are in a provisional cluster of this wave, and its candidates.

        Args:
            unit: a split, or a part with candidates.

        Yields:
            Blocks by range of cluster.
        """
        if isinstance(unit, Part):
            rows = read_labelled(self.work, unit)
            for number, block in blocks_by_range(spread(rows[:, 2]), rows[:, :2], self.ranges):
                yield number, _PAIRS + block
        else:
            yield from self._shingles(unit)

    def _shingles(self, unit: Split) -> Iterator[Block]:
        """Of each document its place, the number of its shingles, and these."""
        members = read_clusters(self.work, LABELLED, unit.key)
        if not members:
            return
        clusters = np.array([cluster for cluster, _ in members.values()], dtype=np.uint64)
        ranges = dict(zip(members, range_of(spread(clusters), self.ranges).tolist(), strict=True))
        wanted = {row: number for row, number in ranges.items() if number in self.numbers}
        base = self.places[unit.key] << 32
        for texts in _texts(self.work, unit.key, wanted):
            blocks: dict[int, list[Hashes]] = {}
            for row, text in texts:
                shingles = minhash.shingle_hashes(text, self.parameters)[:MOST_SHINGLES]
                head = np.array([base + row, len(shingles)], dtype=np.uint64)
                blocks.setdefault(wanted[row], []).extend((head, shingles))
            for number, parts in blocks.items():
                yield number, _SHINGLES + np.concatenate(parts).tobytes()

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Measure the candidates of one range.

        Args:
            number: the range.
            blocks: candidates, and shingles of their documents.

        Returns:
            How many candidates there were, and how many stay.
        """
        shingles: dict[int, Hashes] = {}
        found = [np.empty(0, dtype=np.uint64)]
        for block in blocks:
            values = np.frombuffer(block, dtype=np.uint64, offset=len(_PAIRS))
            if block.startswith(_PAIRS):
                found.append(values)
                continue
            at = 0
            while at < len(values):
                end = at + 2 + int(values[at + 1])
                shingles[int(values[at])] = values[at + 2 : end]
                at = end
        pairs = np.unique(np.concatenate(found).reshape(-1, 2), axis=0)
        similarity = np.array(
            [similarity_of(shingles[first], shingles[second]) for first, second in pairs.tolist()], dtype=np.float64
        )
        kept = similarity >= self.threshold
        write_pairs(self.work, Part("verified", number), pairs[kept], similarity[kept])
        return Settled({"candidates": len(pairs), "verified": int(np.count_nonzero(kept))})


def similarity_of(first: Hashes, second: Hashes) -> float:
    """Jaccard similarity of two sets of shingles, of which the smallest hashes are known.

    Args:
        first: distinct hashes, ascending; all of them if fewer than the most that is sent.
        second: likewise.

    Returns:
        The similarity, exact for whole sets; for others that of the smallest hashes of both together.
    """
    if len(first) == MOST_SHINGLES or len(second) == MOST_SHINGLES:
        # Beyond the last hash of a cut set nothing is known of it.
        last = min(int(cut[-1]) for cut in (first, second) if len(cut) == MOST_SHINGLES)
        first, second = first[first <= last], second[second <= last]
    return minhash.jaccard(first, second)


def _texts(work: str, key: str, wanted: dict[int, int]) -> Iterator[list[tuple[int, str]]]:
    """Rows and final texts of some documents of a split, by the row groups that have any."""
    documents = open_file(storage.join(work, "documents", f"{key}.parquet"))
    cleaned = Cleaned(work, key)
    start = 0
    for group, length in enumerate(group_lengths(documents)):
        rows = [row for row in range(start, start + length) if row in wanted]
        if rows:
            texts = cleaned.put(documents.read_row_group(group, columns=["text"]), start)["text"]
            yield [(row, texts[row - start].as_py()) for row in rows]
        start += length
