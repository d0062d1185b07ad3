"""The first half of ``assemble``: signals and thresholds to a decision for each document.

Writes ``decisions/`` row by row beside ``documents/``, and into its receipt the counts, the bytes of kept
text in each row group (from which shards are cut) and the samples that the report shows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

from filters import registry
from pipeline import schema
from pipeline.config import Annotate, Assemble, Dedup, Report, Rule
from pipeline.dedup.verdicts import Verdicts
from pipeline.inputs import Split
from pipeline.io import storage
from pipeline.io.parquet import open_file, row_writers
from pipeline.rules import Judge, columns_needed
from pipeline.stages.base import Progress, Stage
from pipeline.stages.hosts import REASON, HostCaps
from pipeline.stages.rows import judged_rows
from pipeline.tally import Tally

KEPT, REMOVED, FAILED = "kept", "removed", "failed"


@dataclass(kw_only=True)
class DecideStage(Stage):
    """Judges one split's documents."""

    name: ClassVar[str] = "decide"
    annotate: Annotate
    rules: tuple[Rule, ...]
    config: Assemble
    report: Report
    dedup: Dedup
    host_cap: int = 0

    def process(self, unit: Split, progress: Progress) -> dict[str, Any]:
        """Judge one split.

        Args:
            unit: the split.
            progress: to be told of each document.

        Returns:
            Tallies by outcome, counts by rule and language, bytes kept in each row group, samples.
        """
        judge = Judge(self.rules, self.config)
        tallies = {name: Tally() for name in (KEPT, REMOVED, FAILED)}
        languages: dict[str, Counter[str]] = {}
        sizes = {name: [0, 0, 0] for name in (KEPT, REMOVED)}
        groups: list[int] = []
        sampler = Sampler(self.report.samples)
        caps = HostCaps(self.work) if self.host_cap else None
        available = [name for entry in registry.select(self.annotate.filters) for name in entry.columns]
        copies = Verdicts(self.work, self.dedup, unit.key)
        columns = list(dict.fromkeys([*columns_needed(self.rules, available), *copies.columns]))
        number = -1
        target = storage.join(self.work, "decisions", f"{unit.key}.parquet")
        with row_writers({"decisions": target}, {"decisions": schema.DECISIONS}) as writers:
            for group, rows in judged_rows(self.work, unit, columns, ("host",) if caps else ()):
                groups.append(0)
                for row in rows:
                    number += 1
                    outcome, reasons, profile = _decide(judge, row)
                    found = copies.judge(number, row, judge, reasons) if outcome == KEPT else {}
                    if caps and outcome == KEPT and not reasons and row["host"]:
                        judge.add(REASON, caps.over(row["host"], row["id"]), reasons)
                    if outcome == KEPT and reasons:
                        outcome = REMOVED
                    tallies[outcome].add(row["id"])
                    counter = languages.setdefault(str(row.get("language")), Counter())
                    counter["in"] += 1
                    counter[outcome] += 1
                    if outcome in sizes:
                        for index, column in enumerate(("text_bytes", "text_words", "text_chars")):
                            sizes[outcome][index] += row.get(column) or 0
                    if outcome == KEPT:
                        # Without text statistics a guess keeps shards bounded all the same.
                        groups[-1] += row.get("text_bytes") or 4096
                    elif outcome == REMOVED:
                        sampler.offer(reasons[0], row["id"], {"group": group, **_scores(row)})
                    writers["decisions"].write(
                        {
                            "id": row["id"],
                            "outcome": outcome,
                            "reason": reasons[0] if reasons else None,
                            "reasons": reasons,
                            "profile": profile,
                            **found,
                        }
                    )
                    progress.add(0.0)  # a split is judged in no time
        return {
            "tallies": {name: tally.to_dict() for name, tally in tallies.items()},
            "rules": judge.counts,
            "languages": {name: dict(counter) for name, counter in sorted(languages.items())},
            "sizes": sizes,
            "groups": groups,
            "samples": self._with_text(unit, sampler.taken()),
        }

    def _with_text(self, unit: Split, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add URL and the beginning of the text to sampled documents."""
        if not samples:
            return []
        documents = open_file(storage.join(self.work, "documents", f"{unit.key}.parquet"))
        wanted: dict[str, dict[str, Any]] = {}
        for group in sorted({sample["group"] for sample in samples}):
            ids = {sample["id"] for sample in samples if sample["group"] == group}
            for batch in documents.iter_batches(batch_size=64, row_groups=[group], columns=["id", "url", "text"]):
                wanted.update({row["id"]: row for row in batch.to_pylist() if row["id"] in ids})
        limit = self.report.sample_chars
        return [
            {
                **{key: value for key, value in sample.items() if key != "group"},
                "url": wanted[sample["id"]]["url"],
                "text": wanted[sample["id"]]["text"][:limit],
            }
            for sample in samples
        ]


class Sampler:
    """Keeps, for each reason, the documents with the smallest hash of their id: the same whatever the order.

    Args:
        size: how many for each reason.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._best: dict[str, list[tuple[str, dict[str, Any]]]] = {}

    def offer(self, reason: str, identifier: str, values: dict[str, Any]) -> None:
        """Consider a document.

        Args:
            reason: why it was removed.
            identifier: its id.
            values: what to remember of it.
        """
        rank = hashlib.blake2b(identifier.encode(), digest_size=8, person=b"sample").hexdigest()
        best = self._best.setdefault(reason, [])
        best.append((rank, {"id": identifier, "reason": reason, **values}))
        if len(best) > 4 * self._size + 16:
            self._trim(best)

    def _trim(self, best: list[tuple[str, dict[str, Any]]]) -> None:
        best.sort(key=lambda pair: pair[0])
        del best[self._size :]

    def taken(self) -> list[dict[str, Any]]:
        """The chosen documents, by reason and hash.

        Returns:
            What was remembered of each.
        """
        for best in self._best.values():
            self._trim(best)
        return [values for reason in sorted(self._best) for _, values in self._best[reason]]


def _decide(judge: Judge, row: dict[str, Any]) -> tuple[str, list[str], str | None]:
    if row["annotate_error"]:
        return FAILED, [], None
    reasons, profile = judge.judge(row)
    return (REMOVED if reasons else KEPT), reasons, profile


def _scores(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "language": row.get("language"),
        "scores": {
            name: value
            for name, value in sorted(row.items())
            if isinstance(value, int | float) and not isinstance(value, bool)
        },
    }
