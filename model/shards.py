"""Parquet shards as a trainer sees them: row groups of documents, and the manifest that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from model.errors import ModelError

# A document in so many is held out, by a hash of its id: the same whatever the shards.
HELD_OUT = 50


@dataclass(frozen=True)
class Document:
    """A document of a shard.

    Attributes:
        id: its id, or its place where there is none.
        text: its text.
        source: where it is from; empty if that is not known.
        language: of the text; empty if that is not known.
    """

    id: str
    text: str
    source: str
    language: str


class Shards:
    """All row groups of a directory of shards, in a fixed order.

    Args:
        place: the directory, one file, or the output of ``joeira curate``.
    """

    def __init__(self, place: str | Path) -> None:
        root = Path(place)
        folder = root / "data" if (root / "data").is_dir() else root
        files = [folder] if folder.is_file() else sorted(folder.glob("*.parquet"))
        if not files:
            raise ModelError(f"{place}: no shards (*.parquet) stand here")
        self.groups: list[tuple[Path, int, int]] = []
        for file in files:
            try:
                metadata = pq.read_metadata(file)
            except (OSError, pa.ArrowInvalid) as error:
                raise ModelError(f"{file}: cannot be read as Parquet: {error}") from error
            names = metadata.schema.to_arrow_schema().names
            if "text" not in names:
                raise ModelError(f"{file}: expected a column 'text', found {', '.join(names)}")
            for number in range(metadata.num_row_groups):
                if metadata.row_group(number).num_rows:
                    self.groups.append((file, number, metadata.row_group(number).num_rows))
        if not self.groups:
            raise ModelError(f"{place}: the shards hold no documents")
        self.manifest = _manifest(root, files)

    @property
    def rows(self) -> int:
        """Documents in all shards.

        Returns:
            Their number.
        """
        return sum(rows for *_, rows in self.groups)

    def read(self, group: int) -> list[Document]:
        """The documents of one row group.

        Args:
            group: its place among all.

        Returns:
            Them, in the order of the file.
        """
        file, number, _ = self.groups[group]
        opened = pq.ParquetFile(file)
        present = [name for name in ("id", "text", "source", "language") if name in opened.schema_arrow.names]
        rows = opened.read_row_group(number, columns=present).to_pylist()
        return [
            Document(
                str(row.get("id") or f"{file.name}:{number}:{place}"),
                row["text"] or "",
                row.get("source") or "",
                row.get("language") or "",
            )
            for place, row in enumerate(rows)
        ]

    def documents(self, *, held_out: bool) -> Iterator[Document]:
        """All documents of one side.

        Args:
            held_out: those for evaluation, or those for training.

        Yields:
            Documents in order.
        """
        for group in range(len(self.groups)):
            yield from (document for document in self.read(group) if is_held_out(document.id) is held_out)


def is_held_out(identifier: str) -> bool:
    """Whether a document is for evaluation.

    Args:
        identifier: its id.

    Returns:
        True for one in :data:`HELD_OUT`.
    """
    digest = hashlib.blake2b(identifier.encode("utf-8", "replace"), digest_size=8, person=b"held-out").digest()
    return int.from_bytes(digest, "big") % HELD_OUT == 0


def _manifest(root: Path, files: list[Path]) -> dict[str, Any]:
    """What travels with a checkpoint: which corpus, and which rows."""
    folder = root if root.is_dir() else root.parent
    path = next((one / "manifest.json" for one in (folder, folder.parent) if (one / "manifest.json").is_file()), None)
    found: dict[str, Any] = {
        "files": [{"file": file.name, "rows": pq.read_metadata(file).num_rows} for file in files],
    }
    if path is not None:
        data = path.read_bytes()
        try:
            values = json.loads(data)
        except ValueError:
            values = {}
        found["corpus"] = {
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
            **{name: values[name] for name in ("run_id", "config_digest") if name in values},
        }
    return found
