"""Redirects of robots.txt: a capture that is reached from another site speaks of that site too.

Each hop is an exchange: a redirect asks at the range of its target, and the capture that stands there is told for which
site it is asked; if it is a redirect itself, it asks on (RFC 9309 §2.3.1.2: at least five hops).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.urls import origin
from pipeline.dedup.standing import hexadecimal, ids, rows_in_split, splits_of
from pipeline.inputs import LATEST, Split
from pipeline.io import storage
from pipeline.io.parquet import open_file, write_table
from pipeline.stages.exchange import Block, Exchange, Hashes, Settled, blocks_by_number, blocks_by_range, rows_of
from pipeline.stages.extract import is_redirect
from pipeline.stages.hosts import hash_hosts

HOPS = 5
# A page or capture without a date is read as the latest.
NO_DATE = (1 << 62) - 1
_SCHEMA = pa.schema([("row", pa.int64()), ("key", pa.uint64()), ("date", pa.int64()), ("via", pa.string())])
# Columns: what is asked at, date, two halves of an id; then the place of a capture and whether it is a redirect, or the
# site that asks and a mark.
_COLUMNS, _ASKS = 6, 2


def key_of(names: Sequence[str], *, later: bool) -> Hashes:
    """Sites, or addresses, as keys; those of later captures are told apart.

    Args:
        names: origins or URLs.
        later: whether captures of a later time are meant.

    Returns:
        As many hashes.
    """
    return hash_hosts([f"later {name}" for name in names] if later else names)


def milliseconds(dates: pa.Array) -> NDArray[np.int64]:
    """Dates as numbers.

    Args:
        dates: timestamps, or null.

    Returns:
        Milliseconds since 1970; :data:`NO_DATE` for null.
    """
    numbers = dates.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
    values: NDArray[np.int64] = pc.fill_null(numbers, NO_DATE).to_numpy(zero_copy_only=False)
    return values


def date_of(row: Mapping[str, Any]) -> int:
    """When a capture was made.

    Args:
        row: of ``work/robots/``.

    Returns:
        Milliseconds since 1970; :data:`NO_DATE` where it is not known.
    """
    return round(row["date"].timestamp() * 1000) if row["date"] else NO_DATE


def location_of(row: Mapping[str, Any]) -> str:
    """Where a capture's response points.

    Args:
        row: of ``work/robots/``.

    Returns:
        The value of ``Location``; empty if there is none.
    """
    return next((line[10:] for line in row["headers"] if line.startswith("location: ")), "")


@dataclass(kw_only=True)
class AliasExchange(Exchange):
    """One hop.

    Attributes:
        hop: its number, from 0.
    """

    name: ClassVar[str] = "aliases"
    hop: int

    @property
    def label(self) -> str:
        """What the hop is called in paths.

        Returns:
            For example ``aliases-0``.
        """
        return f"{self.name}-{self.hop}{self.wave_label}"

    def pack(self, unit: Split) -> Iterator[Block]:
        """Captures by their addresses, and what redirects ask at the addresses to which they lead.

        Args:
            unit: the split.

        Yields:
            Blocks by range of address.
        """
        source = storage.join(self.work, "robots", f"{unit.key}.parquet")
        if not storage.exists(source):
            return
        table = open_file(source).read(columns=["id", "url", "host_key", "path", "date", "status", "headers"])
        rows = table.filter(pc.field("path") == "/robots.txt").to_pylist()
        if not rows:
            return
        numbers = np.flatnonzero(pc.equal(table["path"], "/robots.txt").to_numpy())
        later = unit.input.role == LATEST
        places = numbers.astype(np.uint64) + np.uint64(self.splits.index(unit.key) << 32)
        dates = milliseconds(table["date"].combine_chunks())[numbers].view(np.uint64)
        marks = np.array([is_redirect(row["status"]) for row in rows], dtype=np.uint64)
        addresses = key_of([_address(row["url"]) for row in rows], later=later)
        columns = (np.stack((addresses, dates), axis=1), ids(rows), np.stack((places, marks), axis=1))
        found = np.concatenate(columns, axis=1)
        yield from blocks_by_range(addresses, found, self.ranges)
        asks = list(self._asks(unit, rows, numbers, later))
        if asks:
            asked = np.array(asks, dtype=np.uint64)
            yield from blocks_by_range(asked[:, 0], asked, self.ranges)

    def _asks(
        self, unit: Split, rows: list[dict[str, Any]], numbers: NDArray[Any], later: bool
    ) -> Iterator[tuple[int, ...]]:  # fmt: skip
        by_number = dict(zip(numbers.tolist(), rows, strict=True))
        if self.hop:
            asking = list(Aliases(self.work, unit.key, self.hop).rows(self.hop - 1))
        else:
            keys = key_of([row["host_key"] for row in rows], later=later).tolist()
            asking = [
                (number, key, date_of(row), row["id"])
                for (number, row), key in zip(by_number.items(), keys, strict=True)
            ]
        for number, key, date, via in asking:
            row = by_number[number]
            target = _target(row)
            if is_redirect(row["status"]) and target:
                halves = ids([{"id": via}])[0].tolist()
                yield (int(key_of([target], later=later)[0]), date, *halves, key, _ASKS)

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Find the captures at which redirects ask.

        Args:
            number: the range.
            blocks: captures and redirects.

        Returns:
            How many ask, how many are answered, and by how many redirects; and for each split who asked.
        """
        rows = rows_of(blocks, _COLUMNS)
        asks, captures = rows[rows[:, 5] == _ASKS], rows[rows[:, 5] != _ASKS]
        # By address and date; a redirect before what else there is of one date.
        order = np.lexsort((captures[:, 3], captures[:, 2], captures[:, 5] == 0, captures[:, 1], captures[:, 0]))
        captures = captures[order]
        starts = np.searchsorted(captures[:, 0], asks[:, 0], "left")
        ends = np.searchsorted(captures[:, 0], asks[:, 0], "right")
        found = []
        loose = 0
        for ask, start, end in zip(asks.tolist(), starts.tolist(), ends.tolist(), strict=True):
            if start == end:
                continue
            before = int(np.searchsorted(captures[start:end, 1], np.uint64(ask[1]), "right"))
            chosen = captures[start + max(before - 1, 0)]
            loose += int(chosen[5])
            found.append((int(chosen[4]), ask[4], *ask[1:4]))
        back = np.array(sorted(found), dtype=np.uint64).reshape(-1, 5)
        counts = {"asked": len(asks), "found": len(found), "open": loose}
        return Settled(counts, list(blocks_by_number(splits_of(back[:, 0]), back)))

    def deliver(self, key: str, blocks: list[bytes]) -> None:
        """Write for which sites the captures of one split are asked.

        Args:
            key: the split.
            blocks: places, sites, dates and ids.
        """
        rows = rows_of(blocks, 5)
        rows = rows[np.lexsort(rows.T[::-1])]
        columns = [rows_in_split(rows[:, 0]), rows[:, 1], rows[:, 2].view(np.int64), hexadecimal(rows[:, 3:5])]
        path = storage.join(self.work, self.name, str(self.hop), f"{key}.{self.wave[0]:05d}.parquet")
        write_table(path, pa.table(columns, schema=_SCHEMA))


class Aliases:
    """For which sites the captures of one split are asked.

    Args:
        work: the directory that holds a folder for each stage.
        key: the split.
        hops: how many hops were made.
    """

    def __init__(self, work: str, key: str, hops: int) -> None:
        self._hops: list[list[tuple[int, int, int, str]]] = []
        for hop in range(hops):
            directory = storage.join(work, AliasExchange.name, str(hop))
            rows: list[tuple[int, int, int, str]] = []
            for name in sorted(storage.list_dir(directory, f"{key}.*.parquet")):
                with storage.open_read(storage.join(directory, name)) as file:
                    found = pq.read_table(file, schema=_SCHEMA).to_pylist()
                rows += [(row["row"], row["key"], row["date"], row["via"]) for row in found]
            self._hops.append(rows)

    def rows(self, hop: int | None = None) -> Iterator[tuple[int, int, int, str]]:
        """What was written.

        Args:
            hop: of this hop alone.

        Yields:
            The row of a capture, the key of a site, the date of its redirect, and the id of that.
        """
        for rows in self._hops if hop is None else self._hops[hop : hop + 1]:
            yield from rows


def _address(url: str) -> str:
    path = urlsplit(url).path
    return origin(url) + path


def _target(row: dict[str, Any]) -> str:
    """Where a redirect leads, as an address."""
    location = location_of(row)
    try:
        return _address(urljoin(row["url"], location.strip())) if location else ""
    except ValueError:
        return ""
