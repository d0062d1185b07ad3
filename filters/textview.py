"""One document's text, cut once and shared by all filters.

Every cut is computed at first use and kept, so ten filters that need the lines pay for one split.
"""

from __future__ import annotations

import re
from functools import cached_property

from filters.words import rules, segment, unicode
from filters.words.ngrams import NGrams
from filters.words.sequence import ChunkWords, Words

_PARAGRAPH_BREAK = re.compile(r"\n[ \t]*\n\s*")


class TextView:
    """A text with its lines, paragraphs and words.

    Args:
        text: the document, any Unicode string; lone surrogates are allowed.
        language: ISO 639-1 code where one is known, ``und`` where not; decides how words are found.
    """

    def __init__(self, text: str, language: str = "en") -> None:
        self.text = text
        self.language = language
        self._ngrams: dict[int, NGrams] = {}

    @cached_property
    def lines(self) -> list[str]:
        """Lines split at line feeds, stripped, blank ones left out."""
        return [line for raw in self.text.split("\n") if (line := raw.strip())]

    @cached_property
    def paragraphs(self) -> list[str]:
        """Runs of text between blank lines, stripped, empty ones left out."""
        return [part for raw in _PARAGRAPH_BREAK.split(self.text) if (part := raw.strip())]

    @cached_property
    def lowered(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def words(self) -> ChunkWords:
        """Words separated by white space, punctuation left on."""
        return ChunkWords(self.text)

    @cached_property
    def tokens(self) -> Words:
        """Words and punctuation marks by the conventions of the language."""
        cut = segment.segmenter(self.language)
        return Words.of(cut(self.text)) if cut else rules.rules(self.language).division.parts(self.words)

    @cached_property
    def token_count(self) -> int:
        """How many tokens there are; cheaper than the tokens."""
        return len(self.tokens) if segment.segmenter(self.language) else self._count(self.language)

    @cached_property
    def unsegmented_tokens(self) -> Words:
        """Tokens as datatrove finds them under a two-letter code, whose table gives ``zh`` no segmenter."""
        return rules.rules("und").division.parts(self.words) if self.language == "zh" else self.tokens

    @cached_property
    def unsegmented_token_count(self) -> int:
        """How many unsegmented tokens there are."""
        return self._count("und") if self.language == "zh" else self.token_count

    @cached_property
    def unicode_words(self) -> Words:
        """Words by Unicode's rules, those that begin with a letter or digit."""
        return unicode.DIVISION.parts(self.words)

    def _count(self, language: str) -> int:
        return rules.rules(language).division.count(self.words)

    def ngrams(self, words: Words) -> NGrams:
        """The n-grams of one of these sequences of words.

        Args:
            words: one of the properties above.

        Returns:
            Its n-grams, made once.
        """
        if id(words) not in self._ngrams:
            self._ngrams[id(words)] = NGrams(words)
        return self._ngrams[id(words)]

    @cached_property
    def utf8(self) -> bytes:
        """The text as UTF-8; a lone surrogate becomes ``?`` because UTF-8 cannot hold it."""
        return self.text.encode("utf-8", "replace")
