"""``annotate``: every signal of every document, row by row beside ``documents/``.

All filters see one :class:`~filters.textview.TextView`. A document on which a filter raises gets nulls and
the error; it is counted as failed when the run is assembled. Where filters clean, their text stands in ``cleaned/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from filters import registry
from pipeline import schema
from pipeline.config import Annotate
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import open_file, row_writers
from pipeline.stages.base import Progress, Stage


@dataclass(kw_only=True)
class AnnotateStage(Stage):
    """Reads one split's documents and writes their signals."""

    name: ClassVar[str] = "annotate"
    config: Annotate
    settings: registry.Settings

    def process(self, unit: Split, progress: Progress) -> dict[str, Any]:
        """Compute the signals of one split.

        Args:
            unit: the split.
            progress: to be told of each document.

        Returns:
            How many documents there were, how many could not be annotated, and how many were cleaned.
        """
        filters = registry.select(self.config.filters)
        source = storage.join(self.work, "documents", f"{unit.key}.parquet")
        counts = {"documents": 0, "errors": 0, "cleaned": 0}
        if not storage.exists(source):
            return counts
        schemas = {"signals": schema.signals(filters)}
        if any(entry.cleans for entry in filters):
            schemas["cleaned"] = schema.CLEANED
        paths = {name: storage.join(self.work, name, f"{unit.key}.parquet") for name in schemas}
        documents = open_file(source)
        with row_writers(paths, schemas) as writers:
            for batch in documents.iter_batches(batch_size=64, columns=["id", "text"]):
                for row in batch.to_pylist():
                    text = None
                    try:
                        found = registry.run(filters, row["text"], self.settings)
                        signals, text = dict(found.signals), found.text
                    except registry.FilterError as error:  # one bad document never stops a job
                        signals = {"annotate_error": str(error)[:300]}
                    counts["documents"] += 1
                    counts["errors"] += "annotate_error" in signals
                    counts["cleaned"] += text is not None
                    writers["signals"].write({"id": row["id"], **signals})
                    if "cleaned" in writers:
                        writers["cleaned"].write({"id": row["id"], "text": text}, 128 + 2 * len(text or ""))
                    progress.add(counts["documents"] / documents.metadata.num_rows)
        return counts
