"""Rows of ``signals/`` with what ``documents/`` knows of them, one row group of documents at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import RunError
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import group_lengths, open_file


class Cleaned:
    """The texts of one split that filters changed.

    Args:
        work: the directory that holds a folder for each stage.
        key: the split.
    """

    def __init__(self, work: str, key: str) -> None:
        path = storage.join(work, "cleaned", f"{key}.parquet")
        self._texts = open_file(path).read(columns=["text"])["text"] if storage.exists(path) else None

    def put(self, table: pa.Table, start: int) -> pa.Table:
        """Rows of documents with their texts as filters left them.

        Args:
            table: rows with ``text`` as it was extracted.
            start: the number of the first in its split.

        Returns:
            The same rows.
        """
        if self._texts is None:
            return table
        final = pc.coalesce(self._texts.slice(start, len(table)), table["text"])
        return table.set_column(table.column_names.index("text"), "text", final)


def judged_rows(
    work: str, unit: Split, columns: Sequence[str], of_documents: Sequence[str] = ()
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Read what rules are judged by: signals, and ``consent`` and ``licence`` (empty for none).

    Args:
        work: the directory that holds a folder for each stage.
        unit: the split.
        columns: signals, besides the id and why none could be computed.
        of_documents: columns of ``documents/``; ``text`` as filters left it.

    Yields:
        The number of each row group of documents, and its rows.
    """
    source = storage.join(work, "signals", f"{unit.key}.parquet")
    if not storage.exists(source):
        return
    signals = open_file(source)
    documents = open_file(storage.join(work, "documents", f"{unit.key}.parquet"))
    lengths = group_lengths(documents)
    cleaned = Cleaned(work, unit.key) if "text" in of_documents else None
    consent = _consent(work, unit.key)
    rows: list[dict[str, Any]] = []
    group = 0
    for batch in signals.iter_batches(batch_size=1024, columns=["id", "annotate_error", *columns]):
        rows.extend(row | next(consent) for row in batch.to_pylist())
        while group < len(lengths) and len(rows) >= lengths[group]:
            found, rows = rows[: lengths[group]], rows[lengths[group] :]
            if of_documents:
                others = documents.read_row_group(group, columns=list(of_documents))
                if cleaned is not None:
                    others = cleaned.put(others, sum(lengths[:group]))
                found = [row | other for row, other in zip(found, others.to_pylist(), strict=True)]
            yield group, found
            group += 1
    assert not rows and group == len(lengths), f"signals of split {unit.key} do not match its documents"


def _consent(work: str, key: str) -> Iterator[dict[str, str]]:
    path = storage.join(work, "consent", f"{key}.parquet")
    if not storage.exists(path):
        raise RunError(f"{path} is missing; run joeira consent first")
    for batch in open_file(path).iter_batches(batch_size=1024, columns=["decision", "licence"]):
        for row in batch.to_pylist():
            yield {"consent": row["decision"], "licence": row["licence"] or ""}
