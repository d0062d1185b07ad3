"""Parquet shards as a trainer sees them: row groups of documents, and the manifest that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model.errors import ModelError
from model.tokenizer import Tokenizer

# A document in so many is held out, by a hash of its id: the same whatever the shards.
HELD_OUT = 50
# The column with tokens, and where a file says of which tokenizer they are.
TOKENS, _DIGEST = "tokens", b"joeira.tokenizer"


@dataclass(frozen=True)
class Document:
    """A document of a shard.

    Attributes:
        id: its id, or its place where there is none.
        text: its text.
        source: where it is from; empty if that is not known.
        language: of the text; empty if that is not known.
        tokens: of the text, where shards hold them.
    """

    id: str
    text: str
    source: str
    language: str
    tokens: NDArray[np.int32] | None = None


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
        digests: set[str | None] = set()
        for file in files:
            try:
                metadata = pq.read_metadata(file)
            except (OSError, pa.ArrowInvalid) as error:
                raise ModelError(f"{file}: cannot be read as Parquet: {error}") from error
            arrow = metadata.schema.to_arrow_schema()
            names = arrow.names
            digests.add((arrow.metadata or {}).get(_DIGEST, b"").decode() or None)
            if "text" not in names:
                raise ModelError(f"{file}: expected a column 'text', found {', '.join(names)}")
            for number in range(metadata.num_row_groups):
                if metadata.row_group(number).num_rows:
                    self.groups.append((file, number, metadata.row_group(number).num_rows))
        if not self.groups:
            raise ModelError(f"{place}: the shards hold no documents")
        self.manifest = _manifest(root, files)
        if len(digests) > 1:
            raise ModelError(f"{place}: some shards hold tokens and others do not, or of another tokenizer")
        self.tokenizer_digest = digests.pop()

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
        # Tokens spare the text, of which nothing but its being there is asked then.
        ready = self.tokenizer_digest is not None
        table = opened.read_row_group(number, columns=[*present, TOKENS] if ready else present)
        tokens = _rows_of(table[TOKENS]) if ready else [None] * len(table)
        return [
            Document(
                str(row.get("id") or f"{file.name}:{number}:{place}"),
                row["text"] or "",
                row.get("source") or "",
                row.get("language") or "",
                tokens[place],
            )
            for place, row in enumerate(table.select(present).to_pylist())
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


def _rows_of(column: pa.ChunkedArray) -> list[NDArray[np.int32] | None]:
    """The lists of a column as views of one array."""
    found: list[NDArray[np.int32] | None] = []
    for chunk in column.chunks:
        values = chunk.values.to_numpy()
        bounds = chunk.offsets.to_numpy().tolist()
        found += [values[start:end] for start, end in pairwise(bounds)]
    return found


def write_tokens(shards: Shards, tokenizer: Tokenizer, output: str | Path) -> int:
    """Write shards that hold tokens beside texts, so that training need not make them.

    Args:
        shards: what is read.
        tokenizer: makes tokens.
        output: directory to write.

    Returns:
        How many tokens were written.
    """
    place = Path(output)
    place.mkdir(parents=True, exist_ok=True)
    total = 0
    for file in dict.fromkeys(file for file, *_ in shards.groups):
        opened = pq.ParquetFile(file)
        columns = [name for name in opened.schema_arrow.names if name != TOKENS]
        fields = [opened.schema_arrow.field(name) for name in columns] + [pa.field(TOKENS, pa.list_(pa.int32()))]
        schema = pa.schema(fields, metadata={_DIGEST: tokenizer.digest.encode()})
        with pq.ParquetWriter(place / file.name, schema, compression="zstd") as writer:
            for number in range(opened.num_row_groups):
                table = opened.read_row_group(number, columns=columns)
                ids = tokenizer.encode_all([text or "" for text in table["text"].to_pylist()])
                total += sum(map(len, ids))
                rows = [*(table[name] for name in columns), pa.array(ids, pa.list_(pa.int32()))]
                writer.write_table(pa.table(rows, schema=schema), row_group_size=max(1, len(table)))
    return total


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
