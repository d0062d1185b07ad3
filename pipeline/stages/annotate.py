"""``annotate``: every signal of every document, row by row beside ``documents/``.

All filters see one :class:`~filters.textview.TextView`. A document on which a filter raises gets nulls and
the error; it is counted as failed when the run is assembled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from filters import registry
from filters.textview import TextView
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

    def process(self, unit: Split, progress: Progress) -> dict[str, Any]:
        """Compute the signals of one split.

        Args:
            unit: the split.
            progress: to be told of each document.

        Returns:
            How many documents there were, and how many could not be annotated.
        """
        filters = registry.select(self.config.filters)
        source = storage.join(self.work, "documents", f"{unit.key}.parquet")
        counts = {"documents": 0, "errors": 0}
        if not storage.exists(source):
            return counts
        target = storage.join(self.work, "signals", f"{unit.key}.parquet")
        documents = open_file(source)
        with row_writers({"signals": target}, {"signals": schema.signals(filters)}) as writers:
            for batch in documents.iter_batches(batch_size=64, columns=["id", "text"]):
                for row in batch.to_pylist():
                    signals = _measure(filters, row["text"])
                    counts["documents"] += 1
                    counts["errors"] += "annotate_error" in signals
                    writers["signals"].write({"id": row["id"], **signals})
                    progress.add(counts["documents"] / documents.metadata.num_rows)
        return counts


def _measure(filters: list[registry.Filter], text: str) -> dict[str, Any]:
    view = TextView(text)
    signals: dict[str, Any] = {}
    for entry in filters:
        try:
            signals.update(entry.measure(view))
        except Exception as error:  # one bad document never stops a job
            return {"annotate_error": f"{entry.name}: {type(error).__name__}: {error}"[:300]}
    return signals
