"""Candidates: pairs of documents that share a band of their MinHash signatures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from filters.minhash import Parameters, band_hashes
from pipeline.dedup.clusters import Part, write_pairs
from pipeline.dedup.standing import Scope
from pipeline.inputs import Split
from pipeline.stages.exchange import Block, Exchange, Hashes, Settled, blocks_by_range, equal_runs, rows_of


@dataclass(kw_only=True)
class BandExchange(Exchange):
    """Brings together the documents that share a band.

    Attributes:
        scope: which documents take part.
        parameters: how signatures are cut.
        bucket_pairs: documents that share a band, up to which all their pairs are candidates.
    """

    name: ClassVar[str] = "dedup-bands"
    scope: Scope
    parameters: Parameters
    bucket_pairs: int

    def pack(self, unit: Split) -> Iterator[Block]:
        """Hashes of bands, with the documents that have them.

        Args:
            unit: the split.

        Yields:
            Blocks by range of hash.

        Raises:
            ValueError: a signature was made with other parameters.
        """
        size = self.parameters.permutations * 8
        for rows in self.scope.standing(unit, ("minhash",)):
            signed = [row for row in rows if row["minhash"]]
            if not signed:
                continue
            other = next((row for row in signed if len(row["minhash"]) != size), None)
            if other is not None:
                raise ValueError(
                    f"document {other['id']}: expected a signature of {self.parameters.permutations} values, found "
                    f"{len(other['minhash']) // 8}: it was made with other parameters; annotate again"
                )
            signatures = np.frombuffer(b"".join(row["minhash"] for row in signed), dtype="<u8").astype(np.uint64)
            hashes = band_hashes(signatures, self.parameters)
            places = np.array([row["place"] for row in signed], dtype=np.uint64)
            found = np.stack((hashes.ravel(), np.repeat(places, self.parameters.bands)), axis=1)
            yield from blocks_by_range(found[:, 0], found, self.ranges)

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Find the pairs of one range.

        Args:
            number: the range.
            blocks: hashes and documents.

        Returns:
            How many bands are shared, how many pairs there are, and how many bands too many documents share.
        """
        pairs, counts = candidate_pairs(rows_of(blocks, 2), self.bucket_pairs)
        write_pairs(self.work, Part("candidates", number), pairs)
        return Settled(counts)


def candidate_pairs(rows: Hashes, bucket_pairs: int) -> tuple[Hashes, dict[str, int]]:
    """All pairs of documents that share a hash.

    Args:
        rows: hash and place of each document, in any order.
        bucket_pairs: of more documents than this, each is paired with the first alone.

    Returns:
        Distinct pairs of places, ascending, and counts.
    """
    ordered = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    starts, sizes = equal_runs(ordered[:, 0])
    places = ordered[:, 1]
    found = [np.empty((0, 2), dtype=np.uint64)]
    for size in np.unique(sizes[(sizes > 1) & (sizes <= bucket_pairs)]).tolist():
        members = places[starts[sizes == size][:, None] + np.arange(size)]
        first, second = np.triu_indices(size, 1)
        found.append(np.stack((members[:, first].ravel(), members[:, second].ravel()), axis=1))
    large = sizes > bucket_pairs
    for start, size in zip(starts[large].tolist(), sizes[large].tolist(), strict=True):
        others = places[start + 1 : start + size]
        found.append(np.stack((np.full(len(others), places[start]), others), axis=1))
    pairs = np.unique(np.concatenate(found), axis=0)
    counts = {"shared": int(np.count_nonzero(sizes > 1)), "capped": int(np.count_nonzero(large)), "pairs": len(pairs)}
    return pairs, counts
