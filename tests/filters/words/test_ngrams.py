"""Every arithmetic of repetition against a brute force that says what it means."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.words.ngrams import NGrams
from filters.words.sequence import ChunkWords

WORDS = st.lists(st.sampled_from(["a", "bb", "ccc", "ab", "b"]), max_size=60) | st.lists(
    st.sampled_from(["to", "be"]), min_size=20, max_size=120
)
SIZES = st.integers(2, 10)


def grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def chars(gram: tuple[str, ...]) -> int:
    return sum(map(len, gram))


def made(words: list[str]) -> NGrams:
    return NGrams(ChunkWords(" ".join(words)))


@given(WORDS, SIZES)
def test_repeats_are_the_ngrams_with_a_copy(words: list[str], n: int) -> None:
    counts = Counter(grams(words, n))
    found = made(words).repeats(n)
    assert found.positions.tolist() == [place for place, gram in enumerate(grams(words, n)) if counts[gram] > 1]
    assert np.bincount(found.codes, minlength=1)[found.codes].tolist() == [
        counts[gram] for gram in grams(words, n) if counts[gram] > 1
    ]


@given(WORDS, st.integers(2, 4))
def test_the_most_frequent(words: list[str], n: int) -> None:
    every = grams(words, n)
    if not every:
        return
    most = max(Counter(every).values())
    tied = [gram for gram in every if every.count(gram) == most]
    position, count = made(words).top(n)
    assert (every[position], count) == (tied[0], most)
    position, count = made(words).top(n, longest=True)
    assert (chars(every[position]), count) == (max(map(chars, tied)), most)
    assert made(words).chars(position, n) == chars(every[position])


@given(WORDS, SIZES)
def test_all_copies_as_in_dolma(words: list[str], n: int) -> None:
    counts = Counter(grams(words, n))
    assert made(words).all_copies_chars(n) == sum(chars(gram) * count for gram, count in counts.items() if count > 1)


@given(WORDS, SIZES)
def test_covered_words_as_in_dclm(words: list[str], n: int) -> None:
    counts = Counter(grams(words, n))
    inside = {
        place + step for place, gram in enumerate(grams(words, n)) if counts[gram] > 1 for step in range(n)
    }  # fmt: skip
    assert made(words).covered_chars(n) == sum(len(words[place]) for place in inside)


@given(WORDS, SIZES)
def test_skipping_as_in_datatrove(words: list[str], n: int) -> None:
    # datatrove 0.10.1, find_all_duplicate: compares text joined without spaces.
    seen: set[str] = set()
    total = place = 0
    while place <= len(words) - n:
        joined = "".join(words[place : place + n])
        if joined in seen:
            total += len(joined)
            place += n
        else:
            seen.add(joined)
            place += 1
    assert made(words).skipping_chars(n) == total


@given(WORDS, SIZES)
def test_later_copies_as_in_nemo(words: list[str], n: int) -> None:
    # NeMo Curator, RepeatedDuplicateNGramFilter: words of second and later copies, each once, with spaces.
    seen: set[tuple[str, ...]] = set()
    total, covered = 0, 0
    for place, gram in enumerate(grams(words, n)):
        if gram not in seen:
            seen.add(gram)
            continue
        overlap = max(covered - place, 0)
        new = gram[overlap:]
        total += chars(new) + min(len(new), n - 1)
        covered = place + n
    assert made(words).later_copies_chars(n) == total


@pytest.mark.parametrize("n", [2, 5, 10])
def test_texts_shorter_than_an_ngram_have_none(n: int) -> None:
    for words in ([], ["a"], ["a"] * (n - 1)):
        found = made(words)
        assert len(found.repeats(n).positions) == 0
        assert found.covered_chars(n) == found.skipping_chars(n) == found.all_copies_chars(n) == 0
