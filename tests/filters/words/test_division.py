"""Dividing by arithmetic and memory gives what dividing each chunk by its rules gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.textview import TextView
from filters.words import division, rules, segment, sentences, unicode
from filters.words.sequence import ChunkWords, Words

PIECES = [
    *("word", "Word", "cannot", "dont", "don't", "etc.", "Dr.", "e.g.", "A.", "U.S.", "NASA.", "isn’t", "well-known"),
    *(":)", "xD", "xD:", "(see", "end).", "…", "...", "3.5", "1,000", "R$", "http://a.example/b?c=d", "guarda-chuva"),
    *("l’homme", "z.B.", "3.", "naïve,", "日本語", "עברית.", "\u0301", "a" * 300, "a.b,c!d" * 50),
]
MARKS = st.sampled_from(["", ",", ".", ":", ";", "?", "!", ")", '"', "'", "…", "*"])
CHUNKS = st.builds(
    lambda before, piece, after, more: before + piece + after + more, MARKS, st.sampled_from(PIECES), MARKS, MARKS
)
LANGUAGES = ("en", "pt", "es", "fr", "de", "it", "nl", "und")


def same(found: Words, expected: list[str]) -> bool:
    listed = Words.of(expected)
    return all(
        getattr(found, name).tolist() == getattr(listed, name).tolist() for name in ("lengths", "hashes", "bits")
    )


@given(st.lists(CHUNKS, max_size=20), st.sampled_from(LANGUAGES))
def test_parts_are_those_of_each_chunk(chunks: list[str], language: str) -> None:
    text = " ".join(chunks)
    own = rules.rules(language)
    view = TextView(text, language)
    assert same(view.tokens, [part for chunk in text.split() for part in own.divide(chunk)])
    assert same(view.tokens, own.tokens(text))
    assert view.token_count == len(view.tokens)
    assert same(view.unicode_words, unicode.words(text))


def test_what_is_forgotten_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division, "MOST_CHUNKS", 3)
    texts = ["a1 b2 c3 d4 e5", "f6 (g7) h8", "a1 (b2) c-3"]
    divide = division.Division(list)
    for _ in range(3):
        for text in texts:
            assert same(divide.parts(ChunkWords(text)), [char for char in text if char != " "])


@pytest.mark.parametrize(
    ("language", "text", "tokens"),
    [
        # spaCy's blank pipelines give these (its documentation and its own tests).
        ("en", "We're moving to L.A.!", ["We", "'re", "moving", "to", "L.A.", "!"]),
        ("en", "“Let’s go!”, he said…", ["“", "Let", "’s", "go", "!", "”", ",", "he", "said", "…"]),
        ("en", "U.K. startup for $1 billion", ["U.K.", "startup", "for", "$", "1", "billion"]),
        ("en", "a well-known cat", ["a", "well", "-", "known", "cat"]),
        ("pt", "Custa R$ 10 no guarda-chuva.", ["Custa", "R$", "10", "no", "guarda-chuva", "."]),
        ("fr", "l'homme d’abord", ["l'", "homme", "d’", "abord"]),
        ("de", "Das ist z.B. am 3. Mai", ["Das", "ist", "z.B.", "am", "3.", "Mai"]),
    ],
)
def test_conventions_of_languages(language: str, text: str, tokens: list[str]) -> None:
    assert rules.rules(language).tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # UAX #29, table 3 and its test file: marks join letters to letters and digits to digits.
        ("The quick (“brown”) fox can’t jump 32.3 feet, right?", "The|quick|brown|fox|can’t|jump|32.3|feet|right"),
        ("a.b 3,456.789 c'd e:f", "a.b|3,456.789|c'd|e:f"),
        ("snake_case _x 3a", "snake_case|3a"),
        ("カタカナ 漢字", "カタカナ|漢|字"),
        ("e\u0301te\u0301 noe\u0308l", "e\u0301te\u0301|noe\u0308l"),
    ],
)
def test_words_of_unicode(text: str, words: str) -> None:
    assert unicode.words(text) == words.split("|")


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [
        ("zh", "我们明天去北京大学上课。", "北京大学"),
        ("ja", "私は明日東京へ行きます。", "東京"),
        ("th", "ฉันไปโรงเรียน", "โรงเรียน"),
    ],
)
def test_segmenters_keep_every_character_and_find_words(language: str, text: str, word: str) -> None:
    cut = segment.segmenter(language)
    assert cut is not None
    assert "".join(cut(text)) == text
    assert word in cut(text)
    assert cut(" \n") == []
    cut("a\ud800b" + text * 3000)  # lone surrogates, and more than Sudachi takes at once


def test_languages_with_spaces_have_no_segmenter() -> None:
    assert segment.segmenter("pt") is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("Dr. Smith met J. R. Jones at 3 p.m. on Monday.", 1),
        ("It is 3.5 cm. “Really?” she asked.", 3),
        ("No end\nAnother line.", 2),
        ("   \n\n", 0),
        ("", 0),
    ],
)
def test_sentences_as_a_reader_counts_them(text: str, count: int) -> None:
    assert sentences.by_text(text.split("\n"), "en") == count
