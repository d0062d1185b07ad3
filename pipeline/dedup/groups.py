"""Documents that share a key: the same address, the same text, or the same cluster of near-duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pipeline.dedup import standing
from pipeline.dedup.clusters import CLUSTERED, read_clusters
from pipeline.dedup.keys import canonical_key, digest, text_key, url_key
from pipeline.dedup.levels import table
from pipeline.dedup.standing import Scope
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import write_table
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

# Columns before and after the preferences: key (2), place, weight, similarity; id (2).
_HEAD, _TAIL = 5, 2
_BACK = 9
_ONE = int(np.float64(1).view(np.uint64))


@dataclass(kw_only=True)
class GroupExchange(Exchange):
    """Groups documents by a key of one level, and chooses of each group the one that stays.

    Attributes:
        level: ``url``, ``exact`` or ``near``.
        scope: which documents take part.
        canonical: take the address that a page gives as its own, if it is on the same host.
    """

    name: ClassVar[str] = "groups"
    level: str
    scope: Scope
    canonical: bool = False

    @property
    def label(self) -> str:
        """What the exchange is called in paths.

        Returns:
            For example ``dedup-url``.
        """
        return f"dedup-{self.level}{self.wave_label}"

    def pack(self, unit: Split) -> Iterator[Block]:
        """Keys, preferences and ids of the documents that have a key.

        Args:
            unit: the split.

        Yields:
            Blocks by range of key.
        """
        place = self.scope.splits.index(unit.key)
        members = read_clusters(self.work, CLUSTERED, unit.key, place) if self.level == "near" else {}
        signals = ("text_digest",) if self.level == "exact" else ()
        address = ("url", "page_signals") if self.canonical else ("url",)
        documents = {"url": address, "exact": ("payload_digest",)}.get(self.level, ())
        for rows in self.scope.standing(unit, signals, documents):
            keyed = [(key, row) for row in rows if (key := self._key(row, members)) is not None]
            if not keyed:
                continue
            keys = np.frombuffer(b"".join(key for key, _ in keyed), dtype=">u8").astype(np.uint64).reshape(-1, 2)
            chosen = [row for _, row in keyed]
            head = [
                (row["place"], row["weight"], members[row["place"]][1] if members else _ONE) for row in chosen
            ]  # fmt: skip
            columns = (
                keys,
                np.array(head, dtype=np.uint64),
                standing.preferences(chosen, self.scope.prefer),
                standing.ids(chosen),
            )
            yield from blocks_by_range(keys[:, 0], np.concatenate(columns, axis=1), self.ranges)

    def _key(self, row: Mapping[str, Any], members: Mapping[int, tuple[int, int]]) -> bytes | None:
        if self.level == "url":
            return (canonical_key(row) if self.canonical else None) or url_key(row)
        if self.level == "exact":
            # Pages in which no text is found are the same if their bytes are.
            payload = row["payload_digest"]
            return text_key(row) or (digest(payload.encode()) if payload else None)
        cluster = members.get(row["place"])
        return None if cluster is None else digest(cluster[0].to_bytes(8, "big"))

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Find the groups of one range.

        Args:
            number: the range.
            blocks: what was packed for it.

        Returns:
            How many groups and copies there are, and every member of them for its split.
        """
        found = choose(rows_of(blocks, _HEAD + len(self.scope.prefer) + _TAIL))
        copies = int(np.count_nonzero((found[:, 1:3] != found[:, 5:7]).any(axis=1)))
        groups = len(found) - copies
        back = list(blocks_by_number(standing.splits_of(found[:, 0]), found))
        return Settled({"groups": groups, "copies": copies}, back)

    def deliver(self, key: str, blocks: list[bytes]) -> None:
        """Write the members of one split.

        Args:
            key: the split.
            blocks: its members.
        """
        found = rows_of(blocks, _BACK)
        write_duplicates(self.work, self.level, f"{key}.{self.wave[0]:05d}", found)


def choose(rows: Hashes) -> Hashes:
    """Of rows with the same key, the one that stays.

    Args:
        rows: key (2), place, weight, similarity, preferences, id (2) of each document, in any order.

    Returns:
        For each member of a group of several: place, id (2), cluster (2: its smallest id), survivor (2), the
        weight of all, and similarity.
    """
    best = rows[np.lexsort([rows[:, column] for column in (*range(rows.shape[1] - 1, _HEAD - 1, -1), 1, 0)])]
    starts, counts = equal_runs(best[:, :2])
    if not len(starts):
        return np.empty((0, _BACK), dtype=np.uint64)
    sizes = np.add.reduceat(best[:, 3], starts)
    by_id = rows[np.lexsort((rows[:, -1], rows[:, -2], rows[:, 1], rows[:, 0]))]
    clusters, survivors = by_id[starts, -_TAIL:], best[starts, -_TAIL:]
    several = np.repeat(counts > 1, counts)
    group = np.repeat(np.arange(len(starts)), counts)[several]
    best = best[several]
    columns = (best[:, 2:3], best[:, -_TAIL:], clusters[group], survivors[group], sizes[group, None], best[:, 4:5])
    return np.concatenate(columns, axis=1)


def write_duplicates(work: str, level: str, name: str, found: Hashes) -> None:
    """Write what a level found of one split.

    Args:
        work: the directory that holds a folder for each stage.
        level: the level.
        name: of the file.
        found: rows as :func:`choose` gives them; no file is written for none.
    """
    path = storage.join(work, "duplicates", level, f"{name}.parquet")
    found = found[np.argsort(found[:, 0])]
    columns = {
        "row": standing.rows_in_split(found[:, 0]),
        "id": standing.hexadecimal(found[:, 1:3]),
        "level": [level] * len(found),
        "cluster": standing.hexadecimal(found[:, 3:5]),
        "survivor": standing.hexadecimal(found[:, 5:7]),
        "size": found[:, 7].astype(np.int64),
        "similarity": np.ascontiguousarray(found[:, 8]).view(np.float64),
    }
    write_table(path, table(columns))
