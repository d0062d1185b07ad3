"""What deduplication says of each document of a split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from filters.fingerprints import C4
from pipeline.config import Dedup
from pipeline.dedup.levels import KNOWN, LINE, SUBSTRING, duplicates
from pipeline.rules import C4_SENTENCES, Judge

LINES_REASON = "lines_left"
SUBSTRINGS_REASON = "substrings_left"


def reason(level: str) -> str:
    """What a copy is given as its reason.

    Args:
        level: the level that found it.

    Returns:
        For example ``duplicate_near``.
    """
    return f"duplicate_{level}"


class Verdicts:
    """Copies, sizes of clusters, and what is cut, by row of one split.

    Args:
        work: the directory that holds a folder for each stage.
        config: which levels there are.
        key: the split.
    """

    def __init__(self, work: str, config: Dedup, key: str) -> None:
        self._config = config
        self._levels = [level for level in config.levels if level not in (LINE, SUBSTRING)]
        self._copies: dict[int, tuple[str, str]] = {}
        self._sizes: dict[int, int] = {}
        self._lines: dict[int, list[int]] = {}
        self._stretches: dict[int, dict[str, Any]] = {}
        for row in duplicates(work, config.levels, key):
            if row["level"] == LINE:
                self._lines[row["row"]] = row["lines"]
            elif row["level"] == SUBSTRING:
                self._stretches[row["row"]] = row
            elif row["level"] == KNOWN or row["id"] != row["survivor"]:
                self._copies[row["row"]] = (row["level"], row["survivor"])
            else:
                self._sizes[row["row"]] = row["size"]

    @property
    def columns(self) -> tuple[str, ...]:
        """Signals that are asked beside those of the rules.

        Returns:
            Their names.
        """
        return ("line_hashes", "line_sizes", "text_chars") if LINE in self._config.levels else ()

    def judge(self, number: int, row: Mapping[str, Any], judge: Judge, reasons: list[str]) -> dict[str, Any]:
        """Ask every level of a document that no rule removes, until one does.

        Args:
            number: the document's row in its split.
            row: its signals.
            judge: counts.
            reasons: where the reason is added that removes it.

        Returns:
            ``survivor`` of a copy; of others ``cluster_size``, lines to ``cut``, and where stretches that are cut start
            and end (``cut_starts``, ``cut_ends``).
        """
        level, survivor = self._copies.get(number, (None, None))
        for asked in self._levels:
            judge.add(reason(asked), asked == level, reasons)
            if reasons:
                return {"survivor": survivor}
        cut = self._judge_lines(number, row, judge, reasons) if LINE in self._config.levels else None
        stretches = self._stretches.get(number, {})
        if SUBSTRING in self._config.levels and not reasons:
            judge.add(SUBSTRINGS_REASON, stretches.get("left", math.inf) < self._config.least_chars, reasons)
        places = {f"cut_{name}": stretches.get(name) for name in ("starts", "ends")}
        return {"cluster_size": self._sizes.get(number, 1), "cut": cut, **places}

    def _judge_lines(self, number: int, row: Mapping[str, Any], judge: Judge, reasons: list[str]) -> list[int] | None:
        cut = self._lines.get(number)
        if self._config.line_definition == C4:
            # All documents are looked at again: second copies within a page go too.
            cut = cut or []
            judge.add(LINES_REASON, _sizes(row, cut, kept=True) < C4_SENTENCES, reasons)
        else:
            left = row["text_chars"] - (_sizes(row, cut) if cut else 0)
            judge.add(LINES_REASON, bool(cut) and left < self._config.least_chars, reasons)
        return cut


def _sizes(row: Mapping[str, Any], cut: list[int], *, kept: bool = False) -> int:
    """Sizes of lines that are cut, or of the others."""
    hashes = np.frombuffer(row["line_hashes"], dtype="<u8")
    chosen = np.isin(hashes, np.array(cut, dtype=np.uint64), invert=kept)
    return int(np.frombuffer(row["line_sizes"], dtype="<u4")[chosen].sum())
