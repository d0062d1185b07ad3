"""Rows of ``signals/`` with what ``documents/`` knows of them, one row group of documents at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import group_lengths, open_file


def judged_rows(
    work: str, unit: Split, columns: Sequence[str], of_documents: Sequence[str] = ()
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Read what rules are judged by.

    Args:
        work: the directory that holds a folder for each stage.
        unit: the split.
        columns: signals, besides the id and why none could be computed.
        of_documents: columns of ``documents/``.

    Yields:
        The number of each row group of documents, and its rows.
    """
    source = storage.join(work, "signals", f"{unit.key}.parquet")
    if not storage.exists(source):
        return
    signals = open_file(source)
    documents = open_file(storage.join(work, "documents", f"{unit.key}.parquet"))
    lengths = group_lengths(documents)
    rows: list[dict[str, Any]] = []
    group = 0
    for batch in signals.iter_batches(batch_size=1024, columns=["id", "annotate_error", *columns]):
        rows.extend(batch.to_pylist())
        while group < len(lengths) and len(rows) >= lengths[group]:
            found, rows = rows[: lengths[group]], rows[lengths[group] :]
            if of_documents:
                others = documents.read_row_group(group, columns=list(of_documents)).to_pylist()
                found = [row | other for row, other in zip(found, others, strict=True)]
            yield group, found
            group += 1
    assert not rows and group == len(lengths), f"signals of split {unit.key} do not match its documents"
