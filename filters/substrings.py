"""Stretches of words that stand more than once in a set of texts.

Exact substring deduplication (Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better") by rolling
hashes instead of a suffix array: every window of so many words is hashed, and each that a text before had, or
the same text earlier, is cut. Words are compared as they are written; marks and white space between them are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from filters import minhash
from filters.words.sequence import Hashes, Integers, Mask, Runs

_TAIL = re.compile(r"\S*\s*")


def repeated(texts: Sequence[Hashes], size: int) -> list[Mask]:
    """The words of each text that stand in a window that was there before.

    Args:
        texts: hashes of the words of each text, in the order in which texts come first.
        size: words in a window.

    Returns:
        For each text as many answers as it has words. Two different windows are taken for the same with a probability
        of 2**-64 a pair.
    """
    grams = [minhash.gram_hashes(hashes, size) for hashes in texts]
    every = np.concatenate(grams) if grams else np.zeros(0, dtype=np.uint64)
    order = np.argsort(every, kind="stable")
    again = np.zeros(len(every), dtype=bool)
    again[order[1:]] = every[order[1:]] == every[order[:-1]]
    ends = np.cumsum([len(gram) for gram in grams])
    return [
        _covered(again[end - len(gram) : end], len(hashes), size)
        for hashes, gram, end in zip(texts, grams, ends.tolist(), strict=True)
    ]


def _covered(windows: Mask, words: int, size: int) -> Mask:
    """The words in windows that are marked."""
    edges = np.zeros(words + 1, dtype=np.int64)
    edges[: len(windows)] += windows
    edges[size : size + len(windows)] -= windows
    found: Mask = np.cumsum(edges[:-1]) > 0
    return found


def stretches(text: str, words: Runs, marked: Mask) -> tuple[Integers, Integers]:
    """Where marked words stand, with the marks and white space after them.

    Args:
        text: the text.
        words: its words.
        marked: which of them.

    Returns:
        Where each stretch begins and ends, in characters.
    """
    padded = np.concatenate(([False], marked, [False]))
    first, after = np.flatnonzero(~padded[:-1] & padded[1:]), np.flatnonzero(padded[:-1] & ~padded[1:])
    bounds = np.append(words.starts, len(text))
    ends = [
        match.end()
        for last, bound in zip(words.ends[after - 1].tolist(), bounds[after].tolist(), strict=True)
        if (match := _TAIL.match(text, last, bound))
    ]
    return words.starts[first], np.array(ends, dtype=np.int64)


def without(text: str, starts: Sequence[int], ends: Sequence[int]) -> str:
    """A text without some stretches.

    Args:
        text: the text.
        starts: where each begins, ascending.
        ends: where each ends.

    Returns:
        What is left, stripped.
    """
    kept = zip([0, *ends], [*starts, len(text)], strict=True)
    return "".join(text[start:end] for start, end in kept).strip()
