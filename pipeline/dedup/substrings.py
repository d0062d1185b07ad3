"""``dedup-substring``: stretches of words that stood before are cut, within a split.

A window of 50 words is a key of its own, so that an exchange over a whole corpus would carry several times its text:
splits (up to 256 MiB of WARC) are the partitions instead, and parts of them where a split holds more words than fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from filters import minhash, substrings
from filters.fingerprints import without_lines
from pipeline.dedup.levels import SUBSTRING, table
from pipeline.dedup.standing import Scope
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import write_table
from pipeline.stages.base import Progress, Stage
from pipeline.stages.exchange import Hashes

# Words in one partition: some 50 MB of text, 300 MB while windows are sorted.
PARTITION_WORDS = 1 << 23


@dataclass(frozen=True)
class _Document:
    row: int
    id: str
    text: str
    hashes: Hashes


@dataclass(kw_only=True)
class SubstringStage(Stage):
    """Finds what is cut from the documents of one split.

    Attributes:
        scope: which documents take part.
        words: in the shortest stretch.
        definition: of the lines that are cut before.
    """

    name: ClassVar[str] = "dedup-substring"
    scope: Scope
    words: int
    definition: str

    def process(self, unit: Split, progress: Progress) -> dict[str, Any]:
        """Compare the texts of one split.

        Args:
            unit: the split.
            progress: to be told of each document.

        Returns:
            How many texts were compared, and what is cut from how many.
        """
        counts = {"texts": 0, "cut_texts": 0, "cut_chars": 0}
        found: list[dict[str, Any]] = []
        for documents in self._partitions(unit, progress):
            # The same order whatever the inputs are called: the smallest id keeps what is repeated.
            documents.sort(key=lambda document: document.id)
            marks = substrings.repeated([document.hashes for document in documents], self.words)
            for document, marked in zip(documents, marks, strict=True):
                counts["texts"] += 1
                if marked.any():
                    found.append(self._cut(document, marked))
                    counts["cut_chars"] += len(document.text) - found[-1]["left"]
        counts["cut_texts"] = len(found)
        path = storage.join(self.work, "duplicates", SUBSTRING, f"{unit.key}.00000.parquet")
        if found:
            found.sort(key=lambda row: row["row"])
            write_table(path, table({name: [row[name] for row in found] for name in found[0]}))
        else:
            storage.remove(path)
        return {"counts": counts}

    def _cut(self, document: _Document, marked: np.ndarray) -> dict[str, Any]:
        starts, ends = substrings.stretches(document.text, minhash.words(document.text), marked)
        left = substrings.without(document.text, starts.tolist(), ends.tolist())
        return {
            "row": document.row,
            "id": document.id,
            "level": SUBSTRING,
            "starts": starts.tolist(),
            "ends": ends.tolist(),
            "left": len(left),
        }

    def _partitions(self, unit: Split, progress: Progress) -> Iterator[list[_Document]]:
        documents: list[_Document] = []
        words = 0
        base = self.scope.splits.index(unit.key) << 32
        for rows in self.scope.standing(unit, documents=("text",)):
            for row in rows:
                text = row["text"]
                if row["cut"] is not None:
                    text = without_lines(text, row.get("language") or "", frozenset(row["cut"]), self.definition)
                hashes = minhash.words(text).hashes
                if documents and words + len(hashes) > PARTITION_WORDS:
                    yield documents
                    documents, words = [], 0
                documents.append(_Document(row["place"] - base, row["id"], text, hashes))
                words += len(hashes)
                progress.add(0.0)
        if documents:
            yield documents
