"""Clusters of more pairs than one machine holds: rounds of large star and small star as exchanges.

Each step sees all pairs of a range of documents (``components``). Once every document is either a centre, of which all
neighbours are greater, or has one neighbour alone, each pair ties a document to its cluster's smallest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pipeline.dedup.clusters import Part, read_pairs, write_clusters, write_pairs
from pipeline.dedup.components import both_ways, downwards, loose_nodes, tie
from pipeline.dedup.standing import splits_of
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

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def spread(values: Hashes) -> Hashes:
    """Numbers as hashes, so that ranges of them are filled alike.

    Args:
        values: places of documents, or clusters.

    Returns:
        As many hashes.
    """
    mixed = values * _SPREAD
    return (mixed ^ (mixed >> np.uint64(29))) * _SPREAD


@dataclass(kw_only=True)
class StarExchange(Exchange):
    """One step: pairs in, pairs of the same clusters out.

    Attributes:
        large: whether it is a large star.
        target: the step that it writes.
    """

    name: ClassVar[str] = "dedup-stars"
    large: bool
    target: str

    @property
    def label(self) -> str:
        """What the step is called in paths.

        Returns:
            For example ``dedup-stars-candidates-large-00``.
        """
        return f"{self.name}-{self.target}{self.wave_label}"

    def pack(self, unit: Any) -> Iterator[Block]:
        """Pairs by their documents: both, or for a small star the greater.

        Args:
            unit: a part with pairs; splits have none.

        Yields:
            Blocks by range of document.
        """
        if isinstance(unit, Part):
            pairs = read_pairs(self.work, [unit])[0]
            rows = both_ways(pairs) if self.large else downwards(pairs)
            yield from blocks_by_range(spread(rows[:, 0]), rows, self.ranges)

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Tie the neighbours of each document of one range to the smallest.

        Args:
            number: the range.
            blocks: documents and their neighbours.

        Returns:
            How many documents are neither centre nor tied to one alone.
        """
        rows = rows_of(blocks, 2)
        write_pairs(self.work, Part(self.target, number), tie(rows, large=self.large))
        return Settled({"loose": loose_nodes(rows)} if self.large else {})


@dataclass(kw_only=True)
class LabelExchange(Exchange):
    """Brings stars and pairs together: every document gets its cluster, and every pair that of its documents.

    Attributes:
        stars: the step whose parts are stars.
        target: the step that is written, ``labelled`` or ``clustered``.
    """

    name: ClassVar[str] = "dedup-labels"
    stars: str
    target: str

    @property
    def label(self) -> str:
        """What the exchange is called in paths.

        Returns:
            For example ``dedup-labels-labelled``.
        """
        return f"{self.name}-{self.target}{self.wave_label}"

    def pack(self, unit: Any) -> Iterator[Block]:
        """Stars and pairs by document.

        Args:
            unit: a part; splits have none.

        Yields:
            Blocks by range of document, of each row the document, another, the bits of a similarity, and whether the
            other is the document's cluster.
        """
        if not isinstance(unit, Part):
            return
        pairs, similarity = read_pairs(self.work, [unit])
        star = unit.step == self.stars
        high, low = downwards(pairs).T
        rest = (similarity.view(np.uint64), np.full(len(pairs), star, dtype=np.uint64))
        # A centre belongs to itself.
        sides = ((high, low), (low, low if star else high))
        rows = np.concatenate([np.stack((*side, *rest), axis=1) for side in sides])
        yield from blocks_by_range(spread(rows[:, 0]), rows, self.ranges)

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Label the documents of one range.

        Args:
            number: the range.
            blocks: what was packed for it.

        Returns:
            How many documents and pairs there are, and the clusters of documents for their splits.
        """
        rows = rows_of(blocks, 4)
        stars, pairs = rows[rows[:, 3] == 1], rows[rows[:, 3] == 0]
        stars = stars[np.lexsort((stars[:, 1], stars[:, 0]))]
        starts, _ = equal_runs(stars[:, 0])
        places, labels = stars[starts, 0], stars[starts, 1]
        nearest = np.full(len(places), -1.0)
        similarity = np.ascontiguousarray(pairs[:, 2]).view(np.float64)
        np.fmax.at(nearest, np.searchsorted(places, pairs[:, 0]), similarity)
        bits = np.where(nearest < 0, np.nan, nearest).view(np.uint64)
        own = pairs[pairs[:, 0] < pairs[:, 1]]
        found = np.unique(own[:, :2], axis=0)
        write_pairs(self.work, Part(self.target, number), found, clusters=labels[np.searchsorted(places, found[:, 0])])
        back = blocks_by_number(splits_of(places), np.stack((places, labels, bits), axis=1))
        return Settled({"documents": len(places), "pairs": len(found)}, list(back))

    def deliver(self, key: str, blocks: list[bytes]) -> None:
        """Write the clusters of the documents of one split.

        Args:
            key: the split.
            blocks: documents, clusters and similarities.
        """
        rows = rows_of(blocks, 3)
        rows = rows[np.argsort(rows[:, 0])]
        write_clusters(
            self.work,
            self.target,
            f"{key}.{self.wave[0]:05d}",
            rows[:, 0],
            rows[:, 1],
            np.ascontiguousarray(rows[:, 2]).view(np.float64),
        )
