"""Words by the default rules of Unicode (UAX #29, section 4), as far as they begin with a letter or digit.

DCLM counts words so. Scripts without spaces are cut character by character: the standard leaves finding their
words to dictionaries (see :mod:`filters.words.segment`).
"""

from __future__ import annotations

import regex

from filters.words.division import Division

_ANY = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*"
_LETTERS = rf"(?:[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}]{_ANY})+"
_DIGITS = rf"(?:\p{{WB=Numeric}}{_ANY})+"
_KATAKANA = rf"(?:\p{{WB=Katakana}}{_ANY})+"
_JOINER = rf"(?:\p{{WB=ExtendNumLet}}{_ANY})"
# WB6, WB7: a mark between letters; WB11, WB12: a mark between digits.
_BETWEEN_LETTERS = rf"[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}]{_ANY}"
_BETWEEN_DIGITS = rf"[\p{{WB=MidNum}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}]{_ANY}"
_RUN = rf"(?:(?:{_LETTERS}(?:{_BETWEEN_LETTERS}{_LETTERS})*|{_DIGITS}(?:{_BETWEEN_DIGITS}{_DIGITS})*)+|{_KATAKANA})"
_WORD = regex.compile(rf"{_JOINER}*{_RUN}(?:{_JOINER}+{_RUN})*{_JOINER}*|[\p{{L}}\p{{N}}]{_ANY}")

# Marks that join nothing at the ends of a word; of these the ones of ASCII that stand after it.
_MARKS = '.,;:!?()[]"“”'
_ENDS = ',;:!?)]"'


def words(text: str) -> list[str]:
    """Divide a text.

    Args:
        text: any string.

    Returns:
        Its words without punctuation, in order.
    """
    # White space ends a word whatever stands beside it.
    return [word for chunk in text.split() for word in divide(chunk)]


def divide(chunk: str) -> list[str]:
    """Divide what stands between white space.

    Args:
        chunk: without white space.

    Returns:
        Its words.
    """
    stem = chunk.strip(_MARKS)
    if stem.isascii() and stem.isalnum():
        return [stem]
    return [word for word in _WORD.findall(chunk) if word[0].isalnum()]


DIVISION = Division(divide, marks=_ENDS, marks_are_parts=False)
