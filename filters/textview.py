"""One document's text, cut once and shared by all filters.

Every cut is computed at first use and kept, so ten filters that need the lines pay for one split.
"""

from __future__ import annotations

import re
from functools import cached_property

_PARAGRAPH_BREAK = re.compile(r"\n[ \t]*\n\s*")


class TextView:
    """A text with its lines, paragraphs and words.

    Args:
        text: the document, any Unicode string; lone surrogates are allowed.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def lines(self) -> list[str]:
        """Lines split at line feeds, stripped, blank ones left out."""
        return [line for raw in self.text.split("\n") if (line := raw.strip())]

    @cached_property
    def paragraphs(self) -> list[str]:
        """Runs of text between blank lines, stripped, empty ones left out."""
        return [part for raw in _PARAGRAPH_BREAK.split(self.text) if (part := raw.strip())]

    @cached_property
    def words(self) -> list[str]:
        """Words separated by white space, punctuation left on."""
        return self.text.split()

    @cached_property
    def utf8(self) -> bytes:
        """The text as UTF-8; a lone surrogate becomes ``?`` because UTF-8 cannot hold it."""
        return self.text.encode("utf-8", "replace")
