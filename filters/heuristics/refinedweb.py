"""RefinedWeb's line corrections (Penedo et al. 2023, arXiv:2306.01116, section G.2), as DCLM rebuilt them.

Lines that are interface and not text go; a document that loses more than 5 % of its words goes as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from filters.heuristics.definition import Definition, Limit, Measured, Options
from filters.textview import TextView
from filters.words import unicode

_DATA = Path(__file__).parents[1] / "data" / "line_corrections.yaml"
_BREAKS = re.compile(r"\n{3,}")
_PHRASES = ("anywhere", "suffixes", "prefixes")
# Phrases are cut only from short lines; in long ones they are part of a sentence.
_PHRASE_LINE_WORDS = 10
_UPPERCASE = 0.5
_CAPITALS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Most lines have no address, and this is quick to see.
_HINT = re.compile(r"\.(?:[a-z]{2}|\d{1,3}\.\d)")
_ADDRESS = re.compile(
    r"""(?<![\w@])(?:
        [a-z][a-z0-9+.\-]{1,20}://[^\s<>"]+
      | (?:[a-z0-9][a-z0-9\-]{0,62}\.){1,10}(?P<tld>[a-z]{2,24})(?![\w@\-]|\.\w)(?::\d{1,5})?(?:[/?\#][^\s<>"]*)?
      | \d{1,3}(?:\.\d{1,3}){3}(?![\w.])(?::\d{1,5})?(?:/[^\s<>"]*)?
    )[ \t]?""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Patterns:
    """Compiled patterns of one language; None where it has none."""

    counter: re.Pattern[str] | None
    texts: tuple[str, ...]
    phrases: tuple[re.Pattern[str], ...]


def _measure(view: TextView, _: Options, *, urls: bool, language: str | None) -> Measured:
    text, before = view.text, len(view.unicode_words)
    if urls:
        text, fewer = _without_addresses(text)
        before -= fewer
    if "\n\n\n" in text:
        text = _BREAKS.sub("\n\n", text)
    patterns = _patterns(view.language if language is None else language)
    kept: list[str] = []
    cut = 0
    lowered = view.lowered
    # Few pages have any of them; the others need not be searched line by line.
    phrases = patterns.phrases if any(phrase in lowered for phrase in patterns.texts) else ()
    for raw in text.split("\n"):
        line = _line(raw, patterns, phrases)
        if line != raw:
            cut += len(unicode.words(raw)) - len(unicode.words(line or ""))
        if line is not None:
            kept.append(line)
    cleaned = "\n".join(kept).strip()
    # A page without words, such as a lone full stop, has lost everything once its line goes.
    removed = cut / before if before else float(bool(text) and not cleaned)
    return Measured({"removed_word_frac": removed}, text=cleaned)


def _line(line: str, patterns: _Patterns, phrases: tuple[re.Pattern[str], ...]) -> str | None:
    """The corrected line, or None where it goes."""
    if not line:
        return line
    if line.isdigit() or _mostly_upper(line):
        return None
    if patterns.counter and patterns.counter.match(line):
        return None
    if len(line.split(None, 1)) < 2 and not line.isspace():
        return None
    if phrases and len(line.split(None, _PHRASE_LINE_WORDS)) <= _PHRASE_LINE_WORDS:
        for pattern in phrases:
            shorter = pattern.sub("", line)
            if shorter != line and not shorter.strip():
                return None
            line = shorter
    return line


def _mostly_upper(line: str) -> bool:
    # Counting bytes is fast, and enough unless the letters that are not ASCII could tip the balance.
    octets = line.encode("ascii", "ignore")
    plain = len(octets) - len(octets.translate(None, _CAPITALS))
    if plain + len(line) - len(octets) <= len(line) * _UPPERCASE:
        return False
    return sum(map(str.isupper, line)) / len(line) > _UPPERCASE


def _without_addresses(text: str) -> tuple[str, int]:
    """The text without addresses, and how many words they had."""
    if "://" not in text and not _HINT.search(text):
        return text, 0
    names = _top_level_domains()

    def cut(match: re.Match[str]) -> str:
        name = match.group("tld")
        return match.group() if name is not None and name not in names else ""

    lines = text.split("\n")
    fewer = 0
    for place, line in enumerate(lines):
        if "://" in line or _HINT.search(line):
            lines[place] = shorter = _ADDRESS.sub(cut, line)
            if shorter != line:
                fewer += len(unicode.words(line)) - len(unicode.words(shorter))
    return "\n".join(lines), fewer


@cache
def _top_level_domains() -> frozenset[str]:
    listed = resources.files("tld").joinpath("res/effective_tld_names_public_only.dat.txt").read_text("utf-8")
    return frozenset(line for line in listed.splitlines() if line.isascii() and line.isalpha())


@cache
def _patterns(language: str) -> _Patterns:
    data: dict[str, Any] = yaml.safe_load(_DATA.read_text("utf-8")).get(language, {})

    def phrases(kind: str, form: str) -> list[re.Pattern[str]]:
        listed = "|".join(map(re.escape, data.get(kind, ())))
        return [re.compile(form.format(f"(?:{listed})"), re.IGNORECASE)] if listed else []

    counters = "|".join(data.get("counters", ()))
    return _Patterns(
        re.compile(rf"^\W*\d(?:,|\.|\d)*(?:K|M|B)?\s+(?:{counters})\W*$", re.IGNORECASE) if counters else None,
        tuple(phrase for kind in _PHRASES for phrase in data.get(kind, ())),
        (*phrases("anywhere", r"\s?{}"), *phrases("suffixes", r"\s?{}\s*$"), *phrases("prefixes", r"^\s*{}(?!\w)\s?")),
    )


def _definition(name: str, source: str, measure: Callable[[TextView, Options], Measured]) -> Definition:
    return Definition(
        family="refinedweb",
        name=name,
        source=source,
        signals={"removed_word_frac": "float"},
        limits=(Limit("removed_word_frac", None, 0.05),),
        measure=measure,
        cleans=True,
    )


DEFINITIONS = (
    _definition(
        "refinedweb_dclm_full",
        "DCLM refinedweb.yaml with the removal of URLs as intended (its code looks at the first letters of the page)",
        partial(_measure, urls=True, language="en"),
    ),
    _definition(
        "refinedweb_dclm_lines",
        "DCLM refinedweb.yaml, line corrections alone",
        partial(_measure, urls=False, language="en"),
    ),
    _definition(
        "refinedweb_by_language",
        "the same with the interface words of the document's language (filters/data/line_corrections.yaml)",
        partial(_measure, urls=False, language=None),
    ),
)
