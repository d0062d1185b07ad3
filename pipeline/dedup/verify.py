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
from pipeline.dedup.clusters import read_clusters, read_pairs, write_pairs
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import group_lengths, open_file
from pipeline.stages.exchange import Block, Exchange, Hashes, Settled, range_of

MOST_SHINGLES = 8192
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


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

    def pack(self, unit: Split) -> Iterator[Block]:
        """Shingles of the documents that are in a provisional cluster of this wave.

        Args:
            unit: the split.

        Yields:
            Blocks by range of cluster: of each document its place, the number of its shingles, and these.
        """
        members = read_clusters(self.work, unit.key)
        if not members:
            return
        clusters = np.array([cluster for cluster, _ in members.values()], dtype=np.uint64)
        ranges = dict(zip(members, cluster_ranges(clusters, self.ranges).tolist(), strict=True))
        wanted = {row: number for row, number in ranges.items() if number in self.numbers}
        base = self.places[unit.key] << 32
        for texts in _texts(self.work, unit.key, wanted):
            blocks: dict[int, list[Hashes]] = {}
            for row, text in texts:
                shingles = minhash.shingle_hashes(text, self.parameters)[:MOST_SHINGLES]
                head = np.array([base + row, len(shingles)], dtype=np.uint64)
                blocks.setdefault(wanted[row], []).extend((head, shingles))
            for number, parts in blocks.items():
                yield number, np.concatenate(parts).tobytes()

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Measure the candidates of one range.

        Args:
            number: the range.
            blocks: shingles of its documents.

        Returns:
            How many candidates there were, and how many stay.
        """
        shingles: dict[int, Hashes] = {}
        for block in blocks:
            values = np.frombuffer(block, dtype=np.uint64)
            at = 0
            while at < len(values):
                end = at + 2 + int(values[at + 1])
                shingles[int(values[at])] = values[at + 2 : end]
                at = end
        pairs, _ = read_pairs(self.work, "provisional", [number])
        similarity = np.array(
            [similarity_of(shingles[first], shingles[second]) for first, second in pairs.tolist()], dtype=np.float64
        )
        kept = similarity >= self.threshold
        write_pairs(self.work, "verified", number, pairs[kept], similarity[kept])
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


def cluster_ranges(clusters: Hashes, ranges: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """In which range each cluster is looked at.

    Args:
        clusters: labels.
        ranges: how many ranges there are.

    Returns:
        As many numbers.
    """
    spread = clusters * _SPREAD
    return range_of((spread ^ (spread >> np.uint64(29))) * _SPREAD, ranges)


def _texts(work: str, key: str, wanted: dict[int, int]) -> Iterator[list[tuple[int, str]]]:
    """Rows and final texts of some documents of a split, by the row groups that have any."""
    documents = open_file(storage.join(work, "documents", f"{key}.parquet"))
    path = storage.join(work, "cleaned", f"{key}.parquet")
    cleaned = open_file(path).read(columns=["text"])["text"] if storage.exists(path) else None
    start = 0
    for group, length in enumerate(group_lengths(documents)):
        rows = [row for row in range(start, start + length) if row in wanted]
        if rows:
            texts = documents.read_row_group(group, columns=["text"])["text"]
            found = []
            for row in rows:
                clean = cleaned[row].as_py() if cleaned is not None else None
                found.append((row, texts[row - start].as_py() if clean is None else clean))
            yield found
        start += length
