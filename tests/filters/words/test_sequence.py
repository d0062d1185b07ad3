from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filters.words import sequence
from filters.words.sequence import BASE, ChunkWords, Flag, Words
from filters.words.sets import WordSet

TEXTS = st.text(st.sampled_from("ab cé.\n\t \u00a0\u2003\u3000日本\ud800\x1c,"), max_size=60) | st.text(max_size=40)
LETTER = Flag(str.isalpha)


def polynomial(word: str) -> int:
    value = 0
    for char in word:
        value = (value * int(BASE) + ord(char) + 34) % 2**64
    return value


@given(TEXTS)
def test_chunks_are_those_of_split(text: str) -> None:
    words = ChunkWords(text)
    expected = text.split()
    assert [words.string(place) for place in range(len(words))] == expected
    assert words.lengths.tolist() == list(map(len, expected))
    assert words.hashes.tolist() == list(map(polynomial, expected))
    assert words.which(LETTER).tolist() == [any(map(str.isalpha, word)) for word in expected]
    assert words.count_chars(LETTER) == sum(map(str.isalpha, text))
    listed = Words.of(expected)
    assert listed.hashes.tolist() == words.hashes.tolist()
    assert listed.bits.tolist() == words.bits.tolist()


def test_texts_beyond_the_table_give_the_same_hashes() -> None:
    text = "Amanhã à tarde " * 40_000
    assert len(text) > sequence._TABLE_CHARS
    words = ChunkWords(text)
    assert words.hashes[:3].tolist() == [polynomial(word) for word in ("Amanhã", "à", "tarde")]
    assert np.array_equal(words.hashes, np.tile(words.hashes[:3], 40_000))


@given(TEXTS)
def test_ended_chunks_are_letters_and_a_mark(text: str) -> None:
    words = ChunkWords(text)
    ended = words.ended
    chunks = text.split()
    expected = [
        place
        for place, chunk in enumerate(chunks)
        if len(chunk) > 1
        and (chunk[:-1].isascii() and chunk[:-1].isalpha())
        and not (chunk.isascii() and chunk.isalpha())
    ]
    assert ended.places.tolist() == expected
    assert ended.hashes.tolist() == [polynomial(chunks[place][:-1]) for place in expected]
    assert ended.marks.tolist() == [ord(chunks[place][-1]) for place in expected]


@given(
    st.lists(st.sampled_from(["the", "The", "of", "off", "", "é"])), st.sets(st.sampled_from(["the", "of", "é", "x"]))
)
def test_word_sets_find_their_words(words: list[str], wanted: set[str]) -> None:
    found = ChunkWords(" ".join(words))
    present = [word for word in words if word]
    places = WordSet(wanted).places(found.hashes).tolist()
    assert places == [place for place, word in enumerate(present) if word in wanted]
    assert WordSet(wanted).distinct(found) == len(wanted & set(present))
