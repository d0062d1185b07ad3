"""Repeated stretches against a dictionary of windows."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from filters import minhash, substrings

SIZE = 4


def by_dictionary(texts: list[list[str]]) -> list[list[bool]]:
    seen: set[tuple[str, ...]] = set()
    marks = []
    for words in texts:
        marked = [False] * len(words)
        for start in range(len(words) - SIZE + 1):
            window = tuple(words[start : start + SIZE])
            if window in seen:
                marked[start : start + SIZE] = [True] * SIZE
            seen.add(window)
        marks.append(marked)
    return marks


@given(st.lists(st.lists(st.sampled_from(["um", "dois", "três", "Um"]), max_size=25), max_size=6))
def test_the_same_words_as_a_dictionary_of_windows(texts: list[list[str]]) -> None:
    hashes = [minhash.words(" ".join(words)).hashes for words in texts]
    assert [marks.tolist() for marks in substrings.repeated(hashes, SIZE)] == by_dictionary(texts)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "é", "字", "b1"]), st.sampled_from([" ", ". ", "\n\n", "” “"])), min_size=1
    )
)
def test_what_is_left_are_the_other_words(pieces: list[tuple[str, str]]) -> None:
    text = "".join(word + mark for word, mark in pieces)
    words = minhash.words(text)
    (marked,) = substrings.repeated([words.hashes], SIZE)
    left = substrings.without(text, *(bounds.tolist() for bounds in substrings.stretches(text, words, marked)))
    every = [text[start:end] for start, end in zip(words.starts, words.ends, strict=True)]
    assert re.findall(r"\w", left) == [
        char for word, cut in zip(every, marked, strict=True) if not cut for char in re.findall(r"\w", word)
    ]


def test_a_stretch_ends_with_its_marks() -> None:
    first = "Todos os direitos reservados pela editora."
    second = f"“Novo texto”, disse. {first} “E mais” texto."
    words = [minhash.words(text) for text in (first, second)]
    _, marked = substrings.repeated([found.hashes for found in words], SIZE)
    starts, ends = substrings.stretches(second, words[1], marked)
    assert substrings.without(second, starts.tolist(), ends.tolist()) == "“Novo texto”, disse. “E mais” texto."


def test_texts_shorter_than_a_window() -> None:
    hashes = [minhash.words(text).hashes for text in ("", "um dois", "um dois")]
    assert [marks.tolist() for marks in substrings.repeated(hashes, SIZE)] == [[], [False] * 2, [False] * 2]
    assert substrings.repeated([], SIZE) == []
