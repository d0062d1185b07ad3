"""The second half of ``assemble``: the files that a run is for.

Shards are cut from row groups of ``documents/`` in order, so text is read where it lies and never crosses
a shuffle. Inside a shard rows are sorted by id, which is a hash: they are shuffled, the same way each time.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import registry, substrings
from filters.fingerprints import BOILERPLATE, without_lines
from pipeline import schema
from pipeline.config import Annotate, Assemble, Rule
from pipeline.dedup.rehydration import weights
from pipeline.io import storage
from pipeline.io.parquet import GROUP_ROWS, RowWriter, group_lengths, open_file, row_writers
from pipeline.rules import CONSENT, columns_needed
from pipeline.stages.base import Progress, Stage
from pipeline.stages.decide import FAILED, KEPT, REMOVED
from pipeline.stages.rows import Cleaned
from pipeline.tally import Tally

# Splits whose removed and failed rows share one file.
SPLITS_A_LEDGER = 256
# Columns of ``consent/`` and what they are called in shards and ledgers.
_CONSENT = {"decision": "consent", "licence": "licence", "why": "consent_why"}


@dataclass(frozen=True)
class Shard:
    """One file of ``data/``: its number and the row groups it is made of, as split key and group numbers."""

    number: int
    pieces: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def key(self) -> str:
        """The unit's key.

        Returns:
            A name for its receipt.
        """
        return f"data-{self.number:05d}"


@dataclass(frozen=True)
class Ledger:
    """One pair of files in ``removed/`` and ``failed/``: its number and the splits it is made of."""

    number: int
    splits: tuple[str, ...]

    @property
    def key(self) -> str:
        """The unit's key.

        Returns:
            A name for its receipt.
        """
        return f"ledger-{self.number:05d}"


def plan(groups: Iterable[tuple[str, Sequence[int]]], shard_bytes: int) -> list[Shard]:
    """Cut shards from the bytes of kept text in each row group.

    Args:
        groups: for each split in order, its key and the bytes kept in each of its row groups.
        shard_bytes: text at which a shard is full.

    Returns:
        The shards; row groups in which nothing is kept belong to none.
    """
    shards: list[Shard] = []
    pieces: dict[str, list[int]] = {}
    size = 0

    def finish() -> None:
        nonlocal pieces, size
        if pieces:
            frozen = tuple((key, tuple(numbers)) for key, numbers in pieces.items())
            shards.append(Shard(len(shards), frozen))
        pieces, size = {}, 0

    for key, kept in groups:
        for number, count in enumerate(kept):
            if count and size and size + count > shard_bytes:
                finish()
            if count:
                pieces.setdefault(key, []).append(number)
                size += count
    finish()
    return shards


def ledgers(keys: Sequence[str]) -> list[Ledger]:
    """Group splits for the files of removed and failed records.

    Args:
        keys: keys of all splits, in order.

    Returns:
        The units.
    """
    starts = range(0, len(keys), SPLITS_A_LEDGER)
    return [Ledger(number, tuple(keys[at : at + SPLITS_A_LEDGER])) for number, at in enumerate(starts)]


@dataclass(kw_only=True)
class ShardStage(Stage):
    """Writes shards and ledgers."""

    name: ClassVar[str] = "shards"
    output: str
    annotate: Annotate
    rules: tuple[Rule, ...]
    config: Assemble
    weighted: bool = False
    line_definition: str = BOILERPLATE

    @property
    def _schema(self) -> pa.Schema:
        return schema.data(weighted=self.weighted)

    def process(self, unit: Shard | Ledger, progress: Progress) -> dict[str, Any]:
        """Write one shard, or one pair of ledger files.

        Args:
            unit: which.
            progress: to be told of each document.

        Returns:
            Tallies of the ids that were written.
        """
        if isinstance(unit, Shard):
            return self._shard(unit, progress)
        return self._ledger(unit, progress)

    def _shard(self, unit: Shard, progress: Progress) -> dict[str, Any]:
        """Sort a shard in two passes through files, so that memory holds a sixteenth part of it and not all."""
        target = storage.join(self.output, "data", f"part-{unit.number:05d}.parquet")
        ids = np.sort(np.array(list(self._kept_ids(unit)), dtype=np.str_))
        bounds = ids[:: _bucket_rows(len(ids), self.config.shard_mib)]
        tally = Tally()
        with (
            tempfile.TemporaryDirectory(prefix="joeira-shard-") as place,
            row_writers({"data": target}, {"data": self._schema}) as writers,
        ):
            paths = [os.path.join(place, str(number)) for number in range(len(bounds))]
            self._spill(unit, bounds, paths, progress)
            for path in paths:
                for rows in _sorted_row_groups(path):
                    writers["data"].write_group(rows)
                    # Counted where they are written: ids taken from the decisions would agree with themselves.
                    for identifier in rows["id"].to_pylist():
                        tally.add(identifier)
        return {"tallies": {KEPT: tally.to_dict()}, "rows": tally.count}

    def _kept_ids(self, unit: Shard) -> Iterator[str]:
        """Ids of a shard's documents, from the decisions alone."""
        for key, numbers in unit.pieces:
            lengths = group_lengths(open_file(storage.join(self.work, "documents", f"{key}.parquet")))
            decisions = open_file(storage.join(self.work, "decisions", f"{key}.parquet"))
            table = decisions.read(columns=["id", "outcome"])
            for number in numbers:
                piece = table.slice(sum(lengths[:number]), lengths[number])
                yield from piece.filter(pc.field("outcome") == KEPT)["id"].to_pylist()

    def _spill(self, unit: Shard, bounds: np.ndarray, paths: list[str], progress: Progress) -> None:
        """Deal a shard's rows to files by ranges of ids."""
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context(pa.ipc.new_stream(stack.enter_context(pa.OSFile(path, "wb")), self._schema))
                for path in paths
            ]
            for place, (key, numbers) in enumerate(unit.pieces):
                for group in self._row_groups(key, numbers):
                    rows = _training_columns(group.filter(pc.field("outcome") == KEPT), self._schema)
                    bucket = np.searchsorted(bounds, np.array(rows["id"].to_pylist(), dtype=np.str_), side="right") - 1
                    for number in np.unique(bucket).tolist():
                        files[number].write_table(rows.filter(pa.array(bucket == number)))
                progress.add(place / len(unit.pieces))

    def _row_groups(self, key: str, numbers: Sequence[int], *, text: bool = True) -> Iterator[pa.Table]:
        """Documents with their signals and decisions, a row group at a time."""
        paths = {
            name: storage.join(self.work, name, f"{key}.parquet") for name in ("documents", "signals", "decisions")
        }
        documents, signals, decisions = (open_file(path) for path in paths.values())
        available = [name for entry in registry.select(self.annotate.filters) for name in entry.columns]
        columns = columns_needed(self.rules, available)
        lengths = group_lengths(documents)
        scores = signals.read(columns=[*columns, "annotate_error"])
        verdicts = decisions.read(columns=[name for name in schema.DECISIONS.names if name not in ("id", "profile")])
        consent = open_file(storage.join(self.work, "consent", f"{key}.parquet")).read(columns=list(_CONSENT))
        consent = consent.rename_columns(_CONSENT)
        names = [name for name in schema.DOCUMENTS.names if text or name != "text"]
        cleaned = Cleaned(self.work, key) if text else None
        for number in numbers:
            start = sum(lengths[:number])
            table = documents.read_row_group(number, columns=names)
            if cleaned is not None:
                table = cleaned.put(table, start)
            for extra in (scores, verdicts, consent):
                piece = extra.slice(start, lengths[number])
                for name in piece.column_names:
                    table = table.append_column(name, piece[name])
            yield self._without_cuts(table) if text else table

    def _without_cuts(self, table: pa.Table) -> pa.Table:
        """Texts without the lines and stretches that deduplication cuts."""
        if table["cut"].null_count == table["cut_starts"].null_count == len(table):
            return table
        languages = table["language"].to_pylist() if "language" in table.column_names else [""] * len(table)
        cuts = (table[name].to_pylist() for name in ("cut", "cut_starts", "cut_ends"))
        texts = table["text"].to_pylist()
        for place, (language, lines, starts, ends) in enumerate(zip(languages, *cuts, strict=True)):
            if lines is not None:
                texts[place] = without_lines(texts[place], language, frozenset(lines), self.line_definition)
            if starts is not None:
                texts[place] = substrings.without(texts[place], starts, ends)
        return table.set_column(table.column_names.index("text"), "text", pa.array(texts, pa.string()))

    def _ledger(self, unit: Ledger, progress: Progress) -> dict[str, Any]:
        names = {"removed": schema.REMOVED, "failed": schema.FAILED}
        paths = {name: storage.join(self.output, name, f"part-{unit.number:05d}.parquet") for name in names}
        tallies = {REMOVED: Tally(), FAILED: Tally()}
        with row_writers(paths, names) as writers:
            for place, key in enumerate(unit.splits):
                self._copy(storage.join(self.work, "rejected", f"{key}.parquet"), writers["removed"], tallies[REMOVED])
                self._copy(storage.join(self.work, "failed", f"{key}.parquet"), writers["failed"], tallies[FAILED])
                for row in self._judged(key):
                    name = REMOVED if row["outcome"] == REMOVED else FAILED
                    tallies[name].add(row["id"])
                    writers[name].write(row, 512 + len(row.get("text") or "") * 2)
                progress.add(place / len(unit.splits))
        return {"tallies": {name: tally.to_dict() for name, tally in tallies.items()}}

    def _copy(self, source: str, writer: RowWriter, tally: Tally) -> None:
        if not storage.exists(source):
            return
        for batch in open_file(source).iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                tally.add(row["id"])
                writer.write(row)

    def _judged(self, key: str) -> Iterator[dict[str, Any]]:
        """Documents of one split that were not kept, as rows of ``removed`` or ``failed``."""
        source = storage.join(self.work, "documents", f"{key}.parquet")
        if not storage.exists(source):
            return
        numbers = range(open_file(source).num_row_groups)
        for group in self._row_groups(key, numbers, text=self.config.removed_text):
            for row in group.filter(pc.field("outcome") != KEPT).to_pylist():
                yield _ledger_row(row)


def _bucket_rows(rows: int, shard_mib: int) -> int:
    """Rows sorted in memory at once: whole row groups, some 8 MiB of a full shard."""
    buckets = max(1, shard_mib // 8)
    return max(1, -(-rows // (buckets * GROUP_ROWS))) * GROUP_ROWS


def _sorted_row_groups(path: str) -> Iterator[pa.Table]:
    """The rows of a spilled file in the order of their ids, as row groups of a shard."""
    with pa.OSFile(path, "rb") as file:
        table = pa.ipc.open_stream(file).read_all()
    order = pc.sort_indices(table, sort_keys=[("id", "ascending")])
    for start in range(0, len(order), GROUP_ROWS):
        yield table.take(order[start : start + GROUP_ROWS]).combine_chunks()


def _ledger_row(row: dict[str, Any]) -> dict[str, Any]:
    if row["outcome"] == FAILED:
        return {**row, "stage": "annotate", "error": "exception", "detail": row["annotate_error"]}
    scores = {name: value for name, value in row.items() if name not in schema.DOCUMENTS.names}
    numbers = {name: float(value) for name, value in scores.items() if isinstance(value, int | float)}
    detail = f"copy of {row['survivor']}" if row["survivor"] else None
    if row["reason"] == CONSENT:
        detail = row["consent_why"]
    return {**row, "stage": "assemble", "detail": detail, "scores": sorted(numbers.items())}


def _training_columns(table: pa.Table, columns_wanted: pa.Schema) -> pa.Table:
    """The columns of a training shard, in order; what no stage has judged yet is null."""
    rows = len(table)
    columns = []
    for entry in columns_wanted:
        if entry.name in table.column_names:
            columns.append(table[entry.name].cast(entry.type))
        elif entry.name == "weight":
            columns.append(weights(table["cluster_size"]))
        else:
            columns.append(pa.nulls(rows, entry.type))
    return pa.table(columns, schema=columns_wanted)
