"""``hosts``: at most so many documents of one host, chosen by hash among those that are still standing.

Only the hosts that have more come out of it, each with the last rank that is kept; ``decide`` asks that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dedup.standing import Scope
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import write_table
from pipeline.stages.exchange import Exchange, Hashes, Settled, blocks_by_range, rows_of

REASON = "host_cap"
_SCHEMA = pa.schema([("host", pa.uint64()), ("last_rank", pa.uint64())])


@dataclass(kw_only=True)
class HostExchange(Exchange):
    """Finds the hosts that have more documents than the cap.

    Attributes:
        cap: the most documents of one host.
        scope: which documents count.
    """

    name: ClassVar[str] = "hosts"
    cap: int
    scope: Scope

    def pack(self, unit: Split) -> Iterator[tuple[int, bytes]]:
        """Hosts and ranks of the documents that no rule removes.

        Args:
            unit: the split.

        Yields:
            Blocks by range of host.
        """
        for rows in self.scope.standing(unit, documents=("host",)):
            passing = [row for row in rows if row["host"]]
            if passing:
                hosts = hash_hosts([row["host"] for row in passing])
                found = np.stack((hosts, ranks([row["id"] for row in passing])), axis=1)
                yield from blocks_by_range(hosts, found, self.ranges)

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Find the last rank that is kept of each host that has too many.

        Args:
            number: the range.
            blocks: hosts and ranks.

        Returns:
            How many hosts there are, and how many have too many.
        """
        found = rows_of(blocks, 2)
        hosts, counts, last = last_ranks(found, self.cap)
        path = storage.join(self.work, self.name, f"{number:05d}.parquet")
        write_table(path, pa.table([hosts, last], schema=_SCHEMA))
        return Settled({"hosts": counts, "over": len(hosts)})


def last_ranks(found: Hashes, cap: int) -> tuple[Hashes, int, Hashes]:
    """Hosts with more documents than the cap.

    Args:
        found: host and rank of each document, in any order.
        cap: the most documents of one host.

    Returns:
        Those hosts ascending, how many hosts there are in all, and for each of the former the last rank kept.
    """
    ordered = found[np.lexsort((found[:, 1], found[:, 0]))]
    hosts, starts, counts = np.unique(ordered[:, 0], return_index=True, return_counts=True)
    over = counts > cap
    return hosts[over], len(hosts), ordered[starts[over] + cap - 1, 1]


class HostCaps:
    """What the exchange found, to be asked for each document.

    Args:
        work: the directory that holds its output.
    """

    def __init__(self, work: str) -> None:
        directory = storage.join(work, HostExchange.name)
        tables = []
        for name in sorted(storage.list_dir(directory, "*.parquet")):
            with storage.open_read(storage.join(directory, name)) as file:
                tables.append(pq.read_table(file, schema=_SCHEMA))
        table = pa.concat_tables(tables) if tables else _SCHEMA.empty_table()
        # Ranges are ranges of hashes: in their order, all are sorted.
        self._hosts: Hashes = table["host"].to_numpy()
        self._last: Hashes = table["last_rank"].to_numpy()

    def over(self, host: str, identifier: str) -> bool:
        """Whether a document is beyond its host's cap.

        Args:
            host: its host.
            identifier: its id.

        Returns:
            True if enough others come before it.
        """
        wanted = hash_hosts([host])
        place = int(np.searchsorted(self._hosts, wanted[0]))
        if place == len(self._hosts) or self._hosts[place] != wanted[0]:
            return False
        return bool(ranks([identifier])[0] > self._last[place])


def hash_hosts(hosts: Sequence[str]) -> Hashes:
    """Hashes of hosts.

    Args:
        hosts: their names.

    Returns:
        As many hashes.
    """
    return _hashes(hosts, b"host")


def ranks(identifiers: Sequence[str]) -> Hashes:
    """The places of documents among those of their host.

    Args:
        identifiers: their ids.

    Returns:
        As many hashes; the smallest are kept.
    """
    return _hashes(identifiers, b"rank")


def _hashes(values: Sequence[str], purpose: bytes) -> Hashes:
    digests = (hashlib.blake2b(value.encode(), digest_size=8, person=purpose).digest() for value in values)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
