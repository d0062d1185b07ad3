"""A cluster of copies for people: its members, and how two of them differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from pipeline.dedup.levels import duplicates
from pipeline.errors import UsageError
from pipeline.io import storage
from pipeline.io.parquet import open_file

_LEVELS = ("url", "exact", "near")


def cluster(output: str, identifier: str, other: str | None = None) -> dict[str, Any]:
    """Look up the cluster that a document is in.

    Args:
        output: directory of the run.
        identifier: the id of one of its members.
        other: the member that is compared with it; None takes the survivor, or for the survivor its first copy.

    Returns:
        ``level``, ``cluster``, ``survivor``, ``size``, ``members`` (id, similarity, URL), the two that were
        ``compared``, and the ``diff`` of their texts, line by line.

    Raises:
        UsageError: no level found a copy of the document, or the other is not in its cluster.
    """
    work = storage.join(output, "work")
    found = list(_rows(work))
    own = [row for row in found if row["id"] == identifier]
    if not own:
        raise UsageError(f"{output}: no level of deduplication found a copy of document {identifier}")
    # The last level that it reached: a survivor of one may be a copy at the next.
    level, name = own[-1]["level"], own[-1]["cluster"]
    members = [row for row in found if (row["level"], row["cluster"]) == (level, name)]
    survivor = own[-1]["survivor"]
    if other is None:
        other = survivor if survivor != identifier else next(row["id"] for row in members if row["id"] != survivor)
    if other not in {row["id"] for row in members}:
        raise UsageError(f"document {other} is not in the cluster of {identifier}")
    documents = {row["id"]: _document(work, row) for row in members}
    texts = [documents[chosen]["text"].splitlines() for chosen in (other, identifier)]
    return {
        "level": level,
        "cluster": name,
        "survivor": survivor,
        "size": own[-1]["size"],
        "members": [
            {
                "id": row["id"],
                "similarity": None if row["similarity"] != row["similarity"] else row["similarity"],
                "url": documents[row["id"]]["url"],
            }
            for row in sorted(members, key=lambda row: (row["id"] != survivor, row["id"]))
        ],
        "compared": [other, identifier],
        "diff": list(difflib.unified_diff(texts[0], texts[1], other, identifier, lineterm="", n=1)),
    }


def _rows(work: str) -> Iterator[dict[str, Any]]:
    for level in _LEVELS:
        names = storage.list_dir(storage.join(work, "duplicates", level), "*.parquet")
        for key in sorted({name.rsplit(".", 2)[0] for name in names}):
            for row in duplicates(work, (level,), key):
                yield row | {"split": key}


def _document(work: str, row: dict[str, Any]) -> dict[str, Any]:
    file = open_file(storage.join(work, "documents", f"{row['split']}.parquet"))
    for batch in file.iter_batches(batch_size=1024, columns=["id", "url", "text"]):
        found = batch.filter(pc.field("id") == row["id"]).to_pylist()
        if found:
            document: dict[str, Any] = found[0]
            return document
    raise UsageError(f"{work}: document {row['id']} is missing from documents/")
