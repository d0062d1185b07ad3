"""NeMo Curator's English cascade, the heuristics of Nemotron-CC (Su et al. 2024, arXiv:2412.02595).

NeMo calls a line a sentence; words are what stands between white space.
"""

from __future__ import annotations

import re

import numpy as np
import regex

from filters.heuristics.definition import Definition, Limit, Measured, Number, Options, ratio
from filters.heuristics.gopher_quality import STOP_WORDS
from filters.heuristics.gopher_repetition import DUP, NGRAM_LIMITS, TOP
from filters.textview import TextView
from filters.words.sequence import ChunkWords, Flag
from filters.words.sets import WordSet

_END_MARKS = frozenset(".?!\"'")
_ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
_LAST_OF_ELLIPSES = frozenset(form[-1] for mark in _ELLIPSES for form in (mark, mark.upper()))
_BULLETS = frozenset("•‣⁃⁌⁍∙○●◘◦⦾⦿")
_POLICIES = re.compile(
    "terms of use|privacy policy|cookie policy|uses cookies|privacy overview|use of cookies|use cookies|"
    "privacy & cookies policy|privacy and cookies policy|cookies are absolutely essential for the website|"
    "cookies that may not be particularly necessary for the website|without changing your cookie settings"
)
# One of these stands in each of them.
_POLICY_HINTS = ("cookie", "privacy", "terms of use")
_URL = re.compile(r"https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~]|[!*\(\),]|(?:%[0-9A-Fa-f]{2}))+")
_HASHES = re.compile("#+")
_LETTER = regex.compile(r"\p{Alphabetic}")
_ALPHABETIC = Flag(lambda char: _LETTER.match(char) is not None)
_HASH = Flag("#".__eq__)
_ELLIPSIS_WORDS = WordSet(mark for mark in _ELLIPSES if " " not in mark)
_PLAIN = Flag(frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\n?!,.").__contains__)
_DIGIT = Flag(str.isdecimal)
_SPACE = Flag("\t\n\r\b ".__contains__)
_PAREN = Flag("{}⟨⟩[]()".__contains__)


def _measure(view: TextView, _: Options) -> Measured:
    text, words = view.text, view.words
    chars = len(text)
    signals: dict[str, Number | None] = {
        "non_alnum_char_frac": 1 - words.count_chars(_PLAIN) / chars if chars else 1.0,
        "symbol_word_ratio": ratio(_symbols(words), len(words)),
        "digit_char_frac": words.count_chars(_DIGIT) / chars if chars else 1.0,
        "url_char_frac": ratio(sum(map(len, _URL.findall(text))) if "http" in text else 0, chars),
        "whitespace_char_frac": words.count_chars(_SPACE) / chars if chars else 1.0,
        "paren_char_frac": ratio(words.count_chars(_PAREN), chars),
        **_parts(view),
        "word_count": len(words),
        "alpha_word_frac": words.share(_ALPHABETIC),
        "stop_word_count": min(len(STOP_WORDS.places(words.hashes)), 2),
        "mean_word_length": words.chars / len(words) if len(words) else None,
        "max_word_length": int(words.lengths.max(initial=0)),
    }
    signals.update(_ngrams(view))
    return Measured(signals)


def _symbols(words: ChunkWords) -> int:
    marked = map(words.string, np.flatnonzero(words.which(_HASH)).tolist())
    return len(_ELLIPSIS_WORDS.places(words.hashes)) + sum(
        len(_HASHES.findall(word)) / len(word) > 0.5 for word in marked
    )


def _parts(view: TextView) -> dict[str, Number | None]:
    """Signals of lines and paragraphs."""
    lowered, stripped = view.lowered, view.lines
    lines = [line for line in view.text.split("\n") if line and not line.isspace()]
    paragraphs = view.text.split("\n\n")
    boilerplate = 0
    if "lorem ipsum" in lowered:
        boilerplate = len(paragraphs)
    elif any(hint in lowered for hint in _POLICY_HINTS):
        boilerplate = sum(_POLICIES.search(part) is not None for part in lowered.split("\n\n"))
    line_chars, paragraph_chars = sum(map(len, lines)), sum(map(len, paragraphs))
    endings = [line for line in stripped if line[-1] in _LAST_OF_ELLIPSES]
    return {
        "boilerplate_para_frac": boilerplate / len(paragraphs),
        "unique_line_frac": len(set(lines)) / len(lines) if lines else None,
        "unique_para_frac": len(set(paragraphs)) / len(paragraphs),
        "unique_line_char_frac": sum(map(len, set(lines))) / line_chars if lines else None,
        "unique_para_char_frac": sum(map(len, set(paragraphs))) / paragraph_chars if paragraph_chars else None,
        "no_endmark_sentence_frac": ratio(sum(line[-1] not in _END_MARKS for line in stripped), len(lines)),
        "ellipsis_sentence_frac": ratio(sum(line.lower().endswith(_ELLIPSES) for line in endings), len(lines)),
        "bullet_sentence_frac": ratio(sum(line[0] in _BULLETS for line in stripped), len(lines)),
    }


def _ngrams(view: TextView) -> dict[str, Number | None]:
    """A text too short for an n-gram counts as nothing but repetition, as in NeMo."""
    text, words = view.text, view.words
    grams = view.ngrams(words)
    signals: dict[str, Number | None] = {}
    for n in TOP:
        value = 1.0
        if len(words) >= n:
            position, _count = grams.top(n)
            gram = words.joined(position, position + n)
            # NeMo removes the n-gram from the text: copies inside words count, those over line ends do not.
            value = text.count(gram) * len(gram) / len(text)
        signals[f"top_{n}gram_char_frac"] = value
    for n in DUP:
        enough = len(words) >= n
        signals[f"dup_{n}gram_char_frac"] = grams.later_copies_chars(n) / len(text) if enough else 1.0
    return signals


_LIMITS = (
    Limit("non_alnum_char_frac", None, 0.25),
    Limit("symbol_word_ratio", None, 0.1),
    Limit("digit_char_frac", None, 0.15),
    Limit("url_char_frac", None, 0.2),
    Limit("whitespace_char_frac", None, 0.25),
    Limit("paren_char_frac", None, 0.1),
    Limit("boilerplate_para_frac", None, 0.4),
    Limit("unique_line_frac", 0.7, None),
    Limit("unique_para_frac", 0.7, None),
    Limit("unique_line_char_frac", 0.8, None),
    Limit("unique_para_char_frac", 0.8, None),
    Limit("word_count", 50, 100_000),
    Limit("no_endmark_sentence_frac", None, 0.85),
    Limit("alpha_word_frac", 0.8, None),
    Limit("stop_word_count", 2, None),
    Limit("mean_word_length", 3, 10),
    Limit("max_word_length", None, 1000),
    Limit("ellipsis_sentence_frac", None, 0.3),
    *NGRAM_LIMITS,
    Limit("bullet_sentence_frac", None, 0.9),
)

DEFINITIONS = (
    Definition(
        family="nemotron",
        name="nemo_en",
        source="NeMo Curator 1.4.0 config/text/heuristic_filter_english_pipeline.yaml and its filters",
        signals={
            limit.signal: "int"
            if limit.signal.endswith(("_count", "_length")) and "mean" not in limit.signal
            else "float"
            for limit in _LIMITS
        },
        limits=_LIMITS,
        measure=_measure,
    ),
)
