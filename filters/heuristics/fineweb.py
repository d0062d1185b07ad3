"""FineWeb's own quality rules (Penedo et al. 2024, arXiv:2406.17557, section 3.6).

The code and the paper differ ten-fold in the share of characters in repeated lines: both are here by name.
"""

from __future__ import annotations

from collections.abc import Callable

from filters.heuristics.definition import Definition, Limit, Measured, Options, ratio
from filters.textview import TextView
from filters.words import marks

# FineWeb-2 sets this rule to 999 and so off; characters, not words.
SHORT_LINE = 30

_SIGNALS = {
    "line_count": "int",
    "line_punct_frac": "float",
    "short_line_frac": "float",
    "line_dup_char_frac": "float",
    "newline_word_ratio": "float",
}


def _datatrove(view: TextView, _: Options) -> Measured:
    return _measure(view, view.unsegmented_token_count)


def _fineweb2(view: TextView, _: Options) -> Measured:
    return _measure(view, view.token_count)


def _measure(view: TextView, tokens: int) -> Measured:
    text = view.text
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    if not lines:
        return Measured({**dict.fromkeys(_SIGNALS), "line_count": 0})
    breaks = text.count("\n")
    repeated = sum(map(len, lines)) - sum(map(len, set(lines)))
    return Measured(
        {
            "line_count": len(lines),
            "line_punct_frac": sum(line[-1] in marks.TERMINAL for line in lines) / len(lines),
            "short_line_frac": sum(len(line) <= SHORT_LINE for line in lines) / len(lines),
            "line_dup_char_frac": repeated / (len(text) - breaks),
            "newline_word_ratio": ratio(breaks, tokens),
        }
    )


def _definition(
    name: str, source: str, duplicates: float, measure: Callable[[TextView, Options], Measured] = _datatrove
) -> Definition:
    return Definition(
        family="fineweb",
        name=name,
        source=source,
        signals=_SIGNALS,
        limits=(
            Limit("line_count", 1, None, reason="empty"),
            Limit("line_punct_frac", 0.12, None),
            Limit("short_line_frac", None, 0.67),
            Limit("line_dup_char_frac", None, duplicates),
            Limit("newline_word_ratio", None, 0.3),
        ),
        measure=measure,
    )


DEFINITIONS = (
    _definition("fineweb_code", "datatrove 0.10.1 fineweb_quality_filter.py, which made FineWeb", 0.01),
    _definition("fineweb_paper", "arXiv:2406.17557, section 3.6, on datatrove's tokens", 0.1),
    _definition("fineweb2", "FineWeb-2 (commit d0defb2), on words of the document's language", 0.1, _fineweb2),
)
