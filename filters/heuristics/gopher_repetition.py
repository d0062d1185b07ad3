"""Gopher's repetition rules (Rae et al. 2021, arXiv:2112.11446, table A1) in the arithmetics of the field.

On a text that says one sentence of 13 words twice, the share of characters in repeated 10-grams is 0.28
(datatrove: second copies, over all characters), 0.51 (dolma: all copies of n-grams, over all n-grams) or 1.00
(DCLM: every word inside any repeated n-gram).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from filters.heuristics.definition import Definition, Limit, Measured, Number, Options, ratio
from filters.textview import TextView
from filters.words.sequence import Words

TOP = {2: 0.20, 3: 0.18, 4: 0.16}
DUP = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_PARAGRAPHS = ("dup_para_frac", "dup_para_char_frac")
_LINES = ("dup_line_frac", "dup_line_char_frac")
NGRAMS = (*(f"top_{n}gram_char_frac" for n in TOP), *(f"dup_{n}gram_char_frac" for n in DUP))

NGRAM_LIMITS = (
    *(Limit(f"top_{n}gram_char_frac", None, most) for n, most in TOP.items()),
    *(Limit(f"dup_{n}gram_char_frac", None, most) for n, most in DUP.items()),
)
_LINE_LIMITS = (Limit("dup_line_frac", None, 0.30), Limit("dup_line_char_frac", None, 0.20))
_PARAGRAPH_LIMITS = (Limit("dup_para_frac", None, 0.30), Limit("dup_para_char_frac", None, 0.20))
_EMPTY = Limit("character_count", 1, None, reason="empty")

_BLANK_LINES = re.compile(r"\n{2,}")
_LINE_BREAKS = re.compile(r"\n+")


def _datatrove(view: TextView, _: Options) -> Measured:
    return _by_tokens(view, view.unsegmented_tokens)


def _fineweb2(view: TextView, _: Options) -> Measured:
    return _by_tokens(view, view.tokens)


def _by_tokens(view: TextView, words: Words) -> Measured:
    text = view.text
    signals: dict[str, Number | None] = {
        "character_count": len(text),
        **dict.fromkeys((*_PARAGRAPHS, *_LINES)),
    }
    if text:
        signals.update(_later_copies(_PARAGRAPHS, _BLANK_LINES.split(text.strip()), len(text)))
        signals.update(_later_copies(_LINES, _LINE_BREAKS.split(text), len(text)))
    grams = view.ngrams(words)
    for n in TOP:
        value = None
        if len(words) >= n:
            position, count = grams.top(n)
            value = (grams.chars(position, n) + n - 1) * count / len(text)
        signals[f"top_{n}gram_char_frac"] = value
    for n in DUP:
        signals[f"dup_{n}gram_char_frac"] = ratio(grams.skipping_chars(n), len(text)) if text else None
    return Measured(signals)


def _dclm(view: TextView, _: Options) -> Measured:
    words = view.unicode_words
    grams = view.ngrams(words)
    signals: dict[str, Number | None] = {
        "character_count": len(view.text.strip()),
        **_all_copies(_LINES, view.lines),
        **_all_copies(_PARAGRAPHS, [part for raw in view.text.split("\n\n") if (part := raw.strip())]),
    }
    for n in TOP:
        value = 0.0
        if len(words) >= n:
            position, count = grams.top(n, longest=True)
            if count > 1:
                value = ratio(grams.chars(position, n) * count, words.chars)
        signals[f"top_{n}gram_char_frac"] = value
    for n in DUP:
        signals[f"dup_{n}gram_char_frac"] = ratio(grams.covered_chars(n), words.chars)
    return Measured(signals)


def _dolma(view: TextView, _: Options) -> Measured:
    words = view.words
    grams = view.ngrams(words)
    lines = Counter(view.text.split("\n")) if view.text else Counter[str]()
    repeated = {line: count for line, count in lines.items() if count > 1}
    signals: dict[str, Number | None] = {
        "dup_line_frac": ratio(sum(repeated.values()), lines.total()),
        "dup_line_char_frac": sum(len(line) * count for line, count in repeated.items()) / max(words.chars, 1),
    }
    for n in TOP:
        value = None
        if len(words) >= n:
            position, count = grams.top(n)
            value = grams.chars(position, n) * count / words.chars
        signals[f"top_{n}gram_char_frac"] = value
    for n in DUP:
        enough = len(words) >= n
        signals[f"dup_{n}gram_char_frac"] = (
            ratio(grams.all_copies_chars(n), int(grams.lengths(n).sum())) if enough else None
        )
    return Measured(signals)


def _later_copies(names: Sequence[str], parts: Sequence[str], chars: int) -> dict[str, float]:
    """Share of parts, and of characters, in second and later copies."""
    seen = set(parts)
    if len(seen) == len(parts):
        return dict.fromkeys(names, 0.0)
    chars_later = sum(map(len, parts)) - sum(map(len, seen))
    return dict(zip(names, ((len(parts) - len(seen)) / len(parts), chars_later / chars), strict=True))


def _all_copies(names: Sequence[str], parts: Sequence[str]) -> dict[str, float]:
    """Share of parts, and of their characters, that have a copy; 0 for a single part."""
    counts = Counter(parts)
    if len(counts) == len(parts):
        return dict.fromkeys(names, 0.0)
    repeated = [(part, count) for part, count in counts.items() if count > 1]
    chars = sum(len(part) * count for part, count in repeated)
    values = (sum(count for _, count in repeated) / len(parts), chars / sum(map(len, parts)))
    return dict(zip(names, values, strict=True))


def _types(*signals: str) -> dict[str, str]:
    return {name: "int" if name.endswith("_count") else "float" for name in signals}


def _definition(name: str, source: str, measure: Callable[[TextView, Options], Measured]) -> Definition:
    return Definition(
        family="gopher_repetition",
        name=name,
        source=source,
        signals=_types("character_count", *_PARAGRAPHS, *_LINES, *NGRAMS),
        limits=(_EMPTY, *_PARAGRAPH_LIMITS, *_LINE_LIMITS, *NGRAM_LIMITS),
        measure=measure,
    )


DEFINITIONS = (
    _definition("paper", "arXiv:2112.11446, table A1; words and shares as DCLM reads them", _dclm),
    _definition(
        "gopher_datatrove",
        "datatrove 0.10.1 gopher_repetition_filter.py under two-letter codes, which leave Chinese undivided",
        _datatrove,
    ),
    _definition(
        "fineweb2",
        "FineWeb-2 (commit d0defb2): datatrove 0.10.1 with words of the document's language",
        _fineweb2,
    ),
    _definition(
        "gopher_dclm",
        "DCLM baselines/mappers/filters/content_filters.py, massive_web_repetition_filters",
        _dclm,
    ),
    Definition(
        family="gopher_repetition",
        name="gopher_dolma",
        source="dolma 1.2.1 taggers/gopher.py (gopher_v1); limits of the paper",
        signals=_types(*_LINES, *NGRAMS),
        limits=(*_LINE_LIMITS, *NGRAM_LIMITS),
        measure=_dolma,
    ),
)
