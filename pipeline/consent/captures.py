"""Which captures of robots.txt, tdmrep.json and ai.txt speak of which pages.

A join on scheme, host and port, as an exchange: of a page only its origin, date and place are sent, and each split gets
every capture that it needs once. Of several the nearest before the page's date counts, else the first after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.urls import origin
from pipeline.consent import aliases
from pipeline.consent.aliases import NO_DATE, Aliases, key_of, milliseconds
from pipeline.dedup.standing import rows_in_split, splits_of
from pipeline.inputs import LATEST, Split
from pipeline.io import storage
from pipeline.io.parquet import open_file, write_table
from pipeline.stages.exchange import Block, Exchange, Settled, blocks_by_number, range_of, rows_of
from pipeline.stages.extract import is_redirect

# What captures are of; a later robots.txt is a kind of its own.
KINDS = ("/robots.txt", "/.well-known/tdmrep.json", "/ai.txt", LATEST)
_PAGES, _FILES = b"pages...", b"files..."

# ``ref`` tells captures apart in what one range sends; ``via`` is the redirect that led to one.
FILES = pa.schema(
    [
        ("ref", pa.uint64()),
        ("key", pa.uint64()),
        ("kind", pa.uint8()),
        ("date", pa.int64()),
        ("redirect", pa.bool_()),
        ("status", pa.int16()),
        ("id", pa.string()),
        ("via", pa.string()),
        ("url", pa.string()),
        ("location", pa.string()),
        ("body", pa.binary()),
    ]
)
MATCHES = pa.schema([("row", pa.int64()), ("kind", pa.uint8()), ("ref", pa.uint64())])


@dataclass(kw_only=True)
class CaptureExchange(Exchange):
    """Brings captures to the splits whose pages they speak of.

    Attributes:
        hops: how many rounds of redirects were followed.
        later: whether there are captures of a later time.
    """

    name: ClassVar[str] = "captures"
    hops: int
    later: bool

    def pack(self, unit: Split) -> Iterator[Block]:
        """Origins of pages, and captures.

        Args:
            unit: the split.

        Yields:
            Blocks by range of origin.
        """
        place = self.splits.index(unit.key)
        yield from self._pages(unit, place)
        table = self._captures(unit)
        if len(table):
            numbers = range_of(table["key"].to_numpy(), self.ranges)
            for number in np.unique(numbers).tolist():
                yield number, _FILES + _to_bytes(table.filter(pa.array(numbers == number)))

    def _pages(self, unit: Split, place: int) -> Iterator[Block]:
        source = storage.join(self.work, "documents", f"{unit.key}.parquet")
        if not storage.exists(source):
            return
        start = 0
        for batch in open_file(source).iter_batches(batch_size=1 << 14, columns=["url", "date"]):
            origins = [origin(url or "") for url in batch["url"].to_pylist()]
            dates = milliseconds(batch["date"]).view(np.uint64)
            places = np.arange(start, start + len(batch), dtype=np.uint64) + np.uint64(place << 32)
            start += len(batch)
            known = np.array([bool(name) for name in origins])
            for later in (False, True)[: 1 + self.later]:
                rows = np.stack((key_of(origins, later=later), dates, places), axis=1)[known]
                for number, block in blocks_by_number(range_of(rows[:, 0], self.ranges), rows):
                    yield number, _PAGES + block

    def _captures(self, unit: Split) -> pa.Table:
        """The captures of a split, under the names of their own sites and of those that redirect to them."""
        source = storage.join(self.work, "robots", f"{unit.key}.parquet")
        if not storage.exists(source):
            return FILES.empty_table()
        later = unit.input.role == LATEST
        rows = open_file(source).read().to_pylist()
        found = []
        for row in rows:
            kind = KINDS.index(LATEST) if later and row["path"] == KINDS[0] else KINDS.index(row["path"])
            if later and kind != KINDS.index(LATEST):
                continue  # only robots.txt is asked twice
            found.append(
                {
                    "key": int(key_of([row["host_key"]], later=later)[0]),
                    "kind": kind,
                    "date": aliases.date_of(row),
                    "redirect": is_redirect(row["status"]),
                    "status": row["status"],
                    "id": row["id"],
                    "via": "",
                    "url": row["url"],
                    "location": aliases.location_of(row),
                    "body": row["body"],
                }
            )
        asked = Aliases(self.work, unit.key, self.hops)
        extra = [
            found[row] | {"key": key, "date": date, "via": via}
            for row, key, date, via in asked.rows()
            if not found[row]["redirect"]
        ]
        return pa.Table.from_pylist(found + extra, schema=FILES)

    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Match the pages and captures of one range of origins.

        Args:
            number: the range.
            blocks: pages and captures.

        Returns:
            How many pages and captures there are and how many match, and for each split matches and captures.
        """
        head = len(_PAGES)
        pages = rows_of((block[head:] for block in blocks if block.startswith(_PAGES)), 3)
        tables = [_of_bytes(block[head:]) for block in blocks if block.startswith(_FILES)]
        files = pa.concat_tables(tables) if tables else FILES.empty_table()
        # A redirect stands before what it leads to, so that of one date the last counts.
        keys = ("key", "kind", "date")
        order = [(name, "ascending") for name in keys] + [("redirect", "descending"), ("id", "ascending")]
        files = files.take(pc.sort_indices(files, sort_keys=order)).combine_chunks()
        refs = np.arange(len(files), dtype=np.uint64) + np.uint64(number << 32)
        files = files.set_column(0, "ref", pa.array(refs))
        matches = match(pages, *(files[name].to_numpy() for name in keys))
        counts = {"pages": len(pages), "captures": len(files), "matches": len(matches)}
        back: list[Block] = []
        owners = splits_of(matches[:, 0])
        for split in np.unique(owners).tolist():
            own = matches[owners == split]
            needed = np.unique(own[:, 2]).astype(np.int64)
            back.append((split, _FILES + _to_bytes(files.take(pa.array(needed)))))
            own[:, 2] = refs[own[:, 2]]
            back.append((split, _PAGES + own.tobytes()))
        return Settled(counts, back)

    def deliver(self, key: str, blocks: list[bytes]) -> None:
        """Write the captures that one split needs, and which speaks of which page.

        Args:
            key: the split.
            blocks: matches and captures.
        """
        name = f"{key}.{self.wave[0]:05d}.parquet"
        tables, matches = [], []
        head = len(_PAGES)
        for block in blocks:
            if block.startswith(_FILES):
                tables.append(_of_bytes(block[head:]))
            else:
                matches.append(np.frombuffer(block[head:], dtype=np.uint64).reshape(-1, 3))
        found = np.concatenate([*matches, np.empty((0, 3), dtype=np.uint64)])
        files = pa.concat_tables(tables) if tables else FILES.empty_table()
        columns = [rows_in_split(found[:, 0]), found[:, 1].astype(np.uint8), found[:, 2]]
        write_table(_path(self.work, "matches", name), pa.table(columns, schema=MATCHES))
        write_table(_path(self.work, "files", name), files)


def match(
    pages: NDArray[np.uint64], keys: NDArray[Any], kinds: NDArray[Any], dates: NDArray[Any]
) -> NDArray[np.uint64]:  # fmt: skip
    """The capture of each kind that speaks of each page.

    Args:
        pages: N x 3: key, the bits of a date, place.
        keys: of captures, sorted by key, kind and date.
        kinds: of captures.
        dates: of captures.

    Returns:
        Place, kind and number of the capture, for each page and kind that has one.
    """
    pages = pages[np.argsort(pages[:, 0], kind="stable")]
    asked = np.ascontiguousarray(pages[:, 1]).view(np.int64)
    found = [np.empty((0, 3), dtype=np.uint64)]
    changes = np.flatnonzero((keys[1:] != keys[:-1]) | (kinds[1:] != kinds[:-1])) + 1
    bounds = [0, *changes.tolist(), len(keys)] if len(keys) else []
    for start, end in pairwise(bounds):
        first, last = (np.searchsorted(pages[:, 0], keys[start], side) for side in ("left", "right"))
        own = slice(int(first), int(last))
        if KINDS[kinds[start]] == LATEST:
            chosen = np.full(own.stop - own.start, end - 1)
        else:
            chosen = start + np.maximum(np.searchsorted(dates[start:end], asked[own], "right") - 1, 0)
            # Before all captures: the first of them, and of one date the last.
            early = dates[chosen] > asked[own]
            chosen[early] = start + np.searchsorted(dates[start:end], dates[start], "right") - 1
        columns = (pages[own, 2], np.full(len(chosen), kinds[start]), chosen)
        found.append(np.stack([column.astype(np.uint64) for column in columns], axis=1))
    return np.concatenate(found)


def read(work: str, key: str) -> tuple[dict[int, dict[int, int]], dict[int, dict[str, Any]]]:
    """What one split's pages are spoken of by.

    Args:
        work: the directory that holds a folder for each stage.
        key: the split.

    Returns:
        By row of the split the captures of each kind, and the captures.
    """
    matches: dict[int, dict[int, int]] = {}
    files: dict[int, dict[str, Any]] = {}
    for name in storage.list_dir(storage.join(work, CaptureExchange.name, "matches"), f"{key}.*.parquet"):
        tables = []
        for folder, schema in (("matches", MATCHES), ("files", FILES)):
            path = _path(work, folder, name)
            if storage.exists(path):
                with storage.open_read(path) as file:
                    tables.append(pq.read_table(file, schema=schema))
        for row in tables[0].to_pylist():
            matches.setdefault(row["row"], {})[row["kind"]] = row["ref"]
        files |= {row["ref"]: row for table in tables[1:] for row in table.to_pylist()}
    return matches, files


def date_of(file: dict[str, Any]) -> datetime | None:
    """When a capture was made.

    Args:
        file: a row of :data:`FILES`.

    Returns:
        The time, if it is known.
    """
    return None if file["date"] == NO_DATE else datetime.fromtimestamp(file["date"] / 1000, UTC)


def _path(work: str, folder: str, name: str) -> str:
    return storage.join(work, CaptureExchange.name, folder, name)


def _to_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _of_bytes(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()


def directories() -> Sequence[str]:
    """Where the exchange writes.

    Returns:
        Paths below ``work/``.
    """
    return [f"{CaptureExchange.name}/{folder}" for folder in ("matches", "files")]
