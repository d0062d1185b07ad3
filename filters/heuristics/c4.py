"""C4's cleaning (Raffel et al. 2020, arXiv:1910.10683, section 2.2) as its implementations do it.

The constants contradict each other: TensorFlow Datasets, which made C4, wants 5 words a line and 3 sentences a page,
datatrove 3 words and 5 sentences. The order matters, since the page rules see only lines that passed the tests
before them; so it is kept, and a page that is dropped is not looked at further.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from filters.heuristics.definition import Definition, Limit, Measured, Number, Options, ratio
from filters.textview import TextView
from filters.words import sentences

_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_POLICIES = re.compile("terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies")
_HINTS = ("lorem ipsum", "javascript", "{", "terms of use", "privacy policy", "cookie")
_LONGEST_WORD = 1000

_TFDS_COUNTERS = {
    "too_long_word": "lines-with-too-long-word",
    "no_endmark": "lines-no-endmark",
    "too_short": "lines-too-short",
    "javascript": "lines-javascript",
    "policy": "lines-policy",
    "valid": "lines-valid",
    "lorem_ipsum": "filtered-page-loremipsum",
    "curly_bracket": "filtered-page-squigglybracket",
    "too_few_sentences": "filtered-page-toofewsentences",
    "badword": "filtered-page-badword",
    "passed": "emitted-clean-pages",
}
_DATATROVE_COUNTERS = {
    "total": "line-total",
    "too_long_word": "line-filter-too_long_word",
    "no_endmark": "line-filter-no_terminal_punc",
    "too_short": "line-filter-too_few_words",
    "javascript": "line-filter-javascript",
    "policy": "line-filter-policy",
    "valid": "line-kept",
}
_CLEANING_SIGNALS = {
    "badword": "int",
    "lorem_ipsum": "int",
    "curly_bracket": "int",
    "sentence_count": "int",
    "kept_line_frac": "float",
}


@dataclass(frozen=True, kw_only=True)
class _Cleaning:
    """What the implementations differ in.

    Attributes:
        words: fewest words in a line.
        words_before_citations: count them before citations are cut.
        end_marks: what a line must end with; empty for no such rule.
        page_sentences: fewest sentences.
        sentences: how they are counted.
        counters: names of what is counted.
    """

    words: int
    words_before_citations: bool
    end_marks: tuple[str, ...]
    page_sentences: int
    sentences: Callable[[Sequence[str], str], int]
    counters: Mapping[str, str]


def _clean(view: TextView, options: Options, cleaning: _Cleaning) -> Measured:
    counts: Counter[str] = Counter()
    kept: list[str] = []
    signals: dict[str, Number | None] = {**dict.fromkeys(_CLEANING_SIGNALS), "badword": _badword(view, options)}
    lines = view.text.splitlines()
    # Most pages have none of them; their lines need not be searched.
    marked = any(hint in view.lowered for hint in _HINTS)
    for raw in lines:
        fate, line = _line(raw.strip(), cleaning, marked)
        counts["total"] += 1
        counts[fate] += 1
        if fate in ("lorem_ipsum", "curly_bracket"):
            signals[fate] = 1
            break
        if fate == "valid":
            kept.append(line)
    else:
        found = cleaning.sentences(kept, view.language)
        signals.update(
            lorem_ipsum=0, curly_bracket=0, sentence_count=found, kept_line_frac=ratio(len(kept), len(lines))
        )
        passed = found >= cleaning.page_sentences
        counts["passed" if passed and not signals["badword"] else "too_few_sentences" if not passed else "badword"] += 1
    whole = signals["sentence_count"] is not None
    return Measured(
        signals,
        text="\n".join(kept).strip() if whole else view.text,
        counters={cleaning.counters[name]: count for name, count in counts.items() if name in cleaning.counters},
    )


def _line(line: str, cleaning: _Cleaning, marked: bool) -> tuple[str, str]:
    """What becomes of a line, and the line without citations; unmarked ones are not searched."""
    if len(line) > _LONGEST_WORD and max(map(len, line.split())) > _LONGEST_WORD:
        return "too_long_word", line
    counted = line
    if "[" in line:
        line = _CITATION.sub("", line)
        counted = counted if cleaning.words_before_citations else line
    if cleaning.end_marks and (not line.endswith(cleaning.end_marks) or line.endswith("...")):
        return "no_endmark", line
    if len(counted.split(None, cleaning.words)) < cleaning.words:
        return "too_short", line
    if not marked:
        return "valid", line
    lowered = line.lower()
    if "lorem ipsum" in lowered:
        return "lorem_ipsum", line
    if "javascript" in lowered:
        return "javascript", line
    if "{" in line:
        return "curly_bracket", line
    return ("policy" if _POLICIES.search(lowered) else "valid"), line


def _badword(view: TextView, options: Options) -> int:
    words = options.badwords.get(view.language, ())
    return int(bool(words and _pattern(tuple(words), view.language).search(view.lowered)))


@cache
def _pattern(words: tuple[str, ...], language: str) -> re.Pattern[str]:
    either = "|".join(re.escape(word.lower()) for word in words)
    # Languages without spaces have no edges of words to ask for.
    return re.compile(either if language in ("ja", "th", "zh") else rf"(?<![^\W_])(?:{either})(?![^\W_])")


def _dolma(view: TextView, options: Options) -> Measured:
    badwords = options.badwords.get(view.language, ())
    single = {word for word in badwords if " " not in word}
    phrases = [word for word in badwords if " " in word]
    lines = [line.strip() for line in view.text.lower().split("\n")]
    words = [line.split() for line in lines]
    every = {word for line in words for word in line}
    return Measured(
        {
            "badword": int(bool(single & every) or any(phrase in line for line in lines for phrase in phrases)),
            "lorem_ipsum": int(any("lorem ipsum" in line for line in lines)),
            "curly_bracket": int("{" in view.text),
            "javascript": int("javascript" in every),
            "no_endmark_line_frac": sum(not line.endswith((".", "?", "!", '"')) for line in lines) / len(lines),
            "short_line_frac": sum(len(line) < 3 for line in words) / len(lines),
        }
    )


def _paragraphs(view: TextView, _: Options) -> Measured:
    lengths = sorted(map(len, view.text.split("\n")), reverse=True)
    return Measured({"line_count": len(lengths), "third_longest_line": lengths[2] if len(lengths) > 2 else None})


def _flags(*names: str) -> tuple[Limit, ...]:
    return tuple(Limit(name, None, 0) for name in names)


def _cleaning(name: str, source: str, cleaning: _Cleaning) -> Definition:
    return Definition(
        family="c4",
        name=name,
        source=source,
        signals=_CLEANING_SIGNALS,
        limits=(
            *_flags("badword", "lorem_ipsum", "curly_bracket"),
            Limit("sentence_count", cleaning.page_sentences, None, reason="too_few_sentences"),
        ),
        measure=partial(_clean, cleaning=cleaning),
        cleans=True,
    )


_TFDS = _Cleaning(
    words=5,
    words_before_citations=False,
    end_marks=(".", "?", "!", '"'),
    page_sentences=3,
    sentences=sentences.by_text,
    counters=_TFDS_COUNTERS,
)
_DATATROVE = _Cleaning(
    words=3,
    words_before_citations=True,
    end_marks=(".", "?", "!", '"', "'"),
    page_sentences=5,
    sentences=sentences.by_tokens,
    counters=_DATATROVE_COUNTERS,
)
_FINEWEB = _Cleaning(
    words=3,
    words_before_citations=True,
    end_marks=(),
    page_sentences=5,
    sentences=sentences.by_tokens,
    counters=_DATATROVE_COUNTERS,
)

DEFINITIONS = (
    _cleaning("c4_tfds", "TensorFlow Datasets text/c4_utils.py, which made C4", _TFDS),
    _cleaning("c4_datatrove", "datatrove 0.10.1 c4_filters.py", _DATATROVE),
    _cleaning("c4_fineweb", "datatrove 0.10.1 c4_filters.py with filter_no_terminal_punct=False, as FineWeb", _FINEWEB),
    Definition(
        family="c4",
        name="c4_dolma",
        source="dolma 1.2.1 taggers/c4.py (c4_v1): flags of the page, no cleaning",
        signals={
            **dict.fromkeys(("badword", "lorem_ipsum", "curly_bracket", "javascript"), "int"),
            "no_endmark_line_frac": "float",
            "short_line_frac": "float",
        },
        limits=_flags("badword", "lorem_ipsum", "curly_bracket", "javascript"),
        measure=_dolma,
    ),
    Definition(
        family="c4",
        name="mc4_tfds",
        source="TensorFlow Datasets text/c4_utils.py, paragraph filter of mC4 (arXiv:2010.11934)",
        signals={"line_count": "int", "third_longest_line": "int"},
        limits=(Limit("line_count", 3, None), Limit("third_longest_line", 200, None)),
        measure=_paragraphs,
    ),
)
