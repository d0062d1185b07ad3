"""Counting sentences, in the two ways of C4's implementations."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from filters.words import marks, rules, segment

_END = re.compile(r"[.?!]+[\"'”’)\]]*(?=[^\S\n]+\S)")
# The longest of the conventions has 7 characters, and quotes and brackets may open before it.
_LONGEST_ABBREVIATION = 12
_OPENING = "([{\"'“‘"


def by_tokens(lines: Sequence[str], language: str) -> int:
    """Sentences as spaCy's sentencizer counts them, which datatrove uses.

    A sentence ends with a token that is a terminal sign, and the punctuation after it.

    Args:
        lines: the text; each line begins a sentence.
        language: ISO 639-1 code.

    Returns:
        The number, at least that of the lines.
    """
    return sum(_in_line(line, language) for line in lines)


def _in_line(text: str, language: str) -> int:
    count, ended = 1, False
    # datatrove's table gives "zh" no segmenter.
    cut = segment.segmenter(language) if language != "zh" else None
    for token in cut(text) if cut else rules.rules("und" if language == "zh" else language).tokens(text):
        if token in marks.TERMINAL:
            ended = True
        elif ended and not _is_punctuation(token):
            count += 1
            ended = False
    return count


def by_text(lines: Sequence[str], language: str) -> int:
    """Sentences as a reader counts them: a full stop after an abbreviation or an initial ends none.

    Stands for the Punkt model that TFDS uses (Kiss and Strunk 2006), which finds abbreviations by statistics; here
    they come from the conventions of the language.

    Args:
        lines: the text; each line begins a sentence, and a blank one has none.
        language: ISO 639-1 code.

    Returns:
        The number.
    """
    text = "\n".join(lines)
    abbreviations = rules.rules(language).abbreviations
    count = sum(not line.isspace() for line in lines if line)
    for match in _END.finditer(text):
        if match.group() == ".":
            start = match.start()
            first = max(0, start - _LONGEST_ABBREVIATION)
            space = max(text.rfind(" ", first, start), text.rfind("\n", first, start))
            # A longer word is none, and most are.
            if space >= 0 or first == 0:
                word = text[max(first, space + 1) : start].lstrip(_OPENING)
                if (len(word) == 1 and word.isalpha()) or f"{word}." in abbreviations:
                    continue
        count += 1
    return count


@lru_cache(maxsize=65_536)
def _is_punctuation(token: str) -> bool:
    return all(unicodedata.category(character).startswith("P") for character in token)
