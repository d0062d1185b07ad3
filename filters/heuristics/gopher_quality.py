"""Gopher's quality rules (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1) as the field computes them.

The paper gives thresholds and no code. The three implementations differ in what a word is (spaCy tokens with
punctuation, Unicode words, white space), in bullets, ellipses and in whether stop words count once.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from filters import profiles
from filters.heuristics.definition import Definition, Limit, Measured, Options, ratio
from filters.textview import TextView
from filters.words import marks
from filters.words.sequence import Flag, Words
from filters.words.sets import WordSet

_LIMITS = (
    Limit("word_count", 50, 100_000),
    Limit("mean_word_length", 3, 10),
    Limit("hash_word_ratio", None, 0.1),
    Limit("ellipsis_word_ratio", None, 0.1),
    Limit("symbol_word_ratio", None, 0.1),
    Limit("bullet_line_frac", None, 0.9),
    Limit("ellipsis_line_frac", None, 0.3),
    Limit("alpha_word_frac", 0.8, None),
    Limit("stop_word_count", 2, None),
)
_FRACTIONS = ("bullet_line_frac", "ellipsis_line_frac", "alpha_word_frac")
_STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
STOP_WORDS = WordSet(_STOP_WORDS)
_STOP_WORDS_ANY_CASE = WordSet(
    "".join(letters) for word in _STOP_WORDS for letters in product(*((char, char.upper()) for char in word))
)
_LETTER = Flag(str.isalpha)
_NO_PUNCTUATION = Flag(lambda char: char not in marks.PUNCTUATION)
_SYMBOL = Flag("#…".__contains__)
_DCLM_ELLIPSES = ("...", ". . .", "…")


def _datatrove(view: TextView, _: Options) -> Measured:
    return _by_tokens(view, view.unsegmented_tokens)


def _fineweb2(view: TextView, _: Options) -> Measured:
    return _by_tokens(view, view.tokens)


def _by_tokens(view: TextView, tokens: Words) -> Measured:
    text = view.text
    proper = tokens.which(_NO_PUNCTUATION)
    words = int(np.count_nonzero(proper))
    chars = int(tokens.lengths[proper].sum())
    lines = text.splitlines()
    stripped = [line.strip() for line in lines]
    stop_words = _stop_words(view.language)
    return Measured(
        {
            "word_count": words,
            "mean_word_length": chars / words if words else None,
            "hash_word_ratio": ratio(text.count("#"), len(tokens)),
            "ellipsis_word_ratio": ratio(text.count("...") + text.count("…"), len(tokens)),
            "bullet_line_frac": ratio(sum(line.startswith(("•", "-")) for line in stripped), len(lines)),
            "ellipsis_line_frac": ratio(sum(line.endswith(("...", "…")) for line in stripped), len(lines)),
            "alpha_word_frac": tokens.share(_LETTER) if len(tokens) else None,
            "stop_word_count": stop_words.distinct(tokens) if stop_words else None,
            "token_count": len(tokens),
        }
    )


@cache
def _stop_words(language: str) -> WordSet | None:
    words = profiles.stop_words(language)
    return WordSet(words) if words else None


def _dclm(view: TextView, _: Options) -> Measured:
    text, words, lines = view.text, view.words, view.lines
    symbols = text.count("#") + sum(text.count(mark) for mark in _DCLM_ELLIPSES)
    return Measured(
        {
            "word_count": len(view.unicode_words),
            # A text without words fails all of these, as in DCLM.
            "mean_word_length": ratio(words.chars, len(words)),
            "symbol_word_ratio": symbols / len(words) if len(words) else 1.0,
            "bullet_line_frac": ratio(sum(line.startswith(("●", "•", "*", "-")) for line in lines), len(lines)),
            "ellipsis_line_frac": ratio(sum(line.endswith(_DCLM_ELLIPSES) for line in lines), len(lines)),
            "alpha_word_frac": words.share(_LETTER),
            "stop_word_count": len(_STOP_WORDS_ANY_CASE.places(words.hashes)),
        }
    )


def _dolma(view: TextView, _: Options) -> Measured:
    text, words = view.text, view.words
    lines = text.split("\n") if text else []
    return Measured(
        {
            "character_count": len(text),
            "word_count": len(words),
            "median_word_length": float(np.median(words.lengths)) if len(words) else 0.0,
            "symbol_word_ratio": words.share(_SYMBOL),
            "bullet_line_frac": ratio(sum(line.startswith(("*", "-")) for line in lines), len(lines)),
            "ellipsis_line_frac": ratio(sum(line.endswith("…") for line in lines), len(lines)),
            "alpha_word_frac": words.share(_LETTER),
            "stop_word_count": len(STOP_WORDS.places(words.hashes)),
        }
    )


def _limits(*signals: str) -> tuple[Limit, ...]:
    return tuple(limit for limit in _LIMITS if limit.signal in signals)


def _types(*signals: str) -> dict[str, str]:
    return {name: "int" if name.endswith("_count") else "float" for name in signals}


_DATATROVE = (
    "word_count",
    "mean_word_length",
    "hash_word_ratio",
    "ellipsis_word_ratio",
    *_FRACTIONS,
    "stop_word_count",
    "token_count",
)
_DCLM = ("word_count", "mean_word_length", "symbol_word_ratio", *_FRACTIONS, "stop_word_count")
_DOLMA = (
    "character_count",
    "word_count",
    "median_word_length",
    "symbol_word_ratio",
    *_FRACTIONS,
    "stop_word_count",
)

DEFINITIONS = (
    Definition(
        family="gopher_quality",
        name="paper",
        source="arXiv:2112.11446, appendix A.1.1; words, lines and stop words as DCLM reads them",
        signals=_types(*_DCLM),
        limits=_limits(*_DCLM),
        measure=_dclm,
    ),
    Definition(
        family="gopher_quality",
        name="gopher_datatrove",
        source="datatrove 0.10.1 gopher_quality_filter.py under two-letter codes, which leave Chinese undivided",
        signals=_types(*_DATATROVE),
        limits=_limits(*_DATATROVE),
        measure=_datatrove,
        by_language=frozenset({"stop_word_count"}),
    ),
    Definition(
        family="gopher_quality",
        name="fineweb2",
        source="FineWeb-2 (commit d0defb2): datatrove 0.10.1 with words and stop words of the document's language",
        signals=_types(*_DATATROVE),
        limits=_limits(*_DATATROVE),
        measure=_fineweb2,
        by_language=frozenset({"stop_word_count"}),
    ),
    Definition(
        family="gopher_quality",
        name="gopher_dclm",
        source="DCLM baselines/mappers/filters/content_filters.py and its gopher.yaml",
        signals=_types(*_DCLM),
        limits=_limits(*_DCLM),
        measure=_dclm,
    ),
    Definition(
        family="gopher_quality",
        name="gopher_dolma",
        source="dolma 1.2.1 taggers/gopher.py; limits of the paper, median in place of mean",
        signals=_types(*_DOLMA),
        limits=(
            Limit("word_count", 50, 100_000),
            Limit("median_word_length", 3, 10),
            *_limits("symbol_word_ratio", *_FRACTIONS, "stop_word_count"),
        ),
        measure=_dolma,
    ),
)
