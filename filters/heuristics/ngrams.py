"""Repetition of n-grams of words, on hashes in NumPy, in the three arithmetics of the field.

A word is a 64-bit hash and a length. An n-gram's hash is built from that of the (n-1)-gram before it, so
all lengths from 2 to 10 cost nine passes over arrays. Hashes are polynomial in the characters: the n-grams
``can not`` and ``cannot`` differ as tuples of words and agree as joined text, and each definition gets the
one it asks for.

Arithmetic in NumPy wraps modulo 2**64 on purpose. Shapes: W words; W - n + 1 n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Lengths = NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15 | 1
_MODULUS = 1 << 64
_KNOWN: dict[str, tuple[int, int, int]] = {}
# Words kept hashed from document to document; a crawl's tail of names would fill memory otherwise.
_MOST_KNOWN = 400_000


class Words:
    """The words of one text as arrays.

    Args:
        words: the words, in order.

    Attributes:
        lengths: characters of each word.
        tuple_hashes: hash of each word, for n-grams compared word by word.
        text_hashes: polynomial hash of each word's characters, for n-grams compared as joined text.
        powers: what a hash is multiplied by when this word is appended to it.
    """

    def __init__(self, words: Sequence[str]) -> None:
        known = _KNOWN
        entries = [known.get(word) or _hash_word(word) for word in words]
        self.words = words
        table = np.array(entries, dtype=np.uint64).reshape(-1, 3)
        self.text_hashes: Hashes = table[:, 0]
        self.powers: Hashes = table[:, 1]
        self.lengths: Lengths = table[:, 2].astype(np.int64)
        # A second mixing, so that joining words is not joining their characters.
        mixed = (self.text_hashes ^ (self.text_hashes >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        self.tuple_hashes: Hashes = mixed ^ (mixed >> np.uint64(32))

    def __len__(self) -> int:
        return len(self.lengths)


def _hash_word(word: str) -> tuple[int, int, int]:
    value, power = 0, 1
    for character in word:
        value = (value * _BASE + ord(character) + 1) % _MODULUS
        power = power * _BASE % _MODULUS
    if len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.clear()
    entry = _KNOWN[word] = (value, power, len(word))
    return entry


def tuple_grams(words: Words, sizes: Sequence[int]) -> dict[int, Hashes]:
    """Hashes of n-grams compared word by word.

    Args:
        words: W words.
        sizes: which n, ascending.

    Returns:
        For each n that the text is long enough for, W - n + 1 hashes.
    """
    grams: dict[int, Hashes] = {}
    current = words.tuple_hashes
    factor = np.uint64(0x100000001B3 * 0x10001 + 2)
    for n in range(2, max(sizes, default=0) + 1):
        if len(words) < n:
            break
        current = current[:-1] * factor + words.tuple_hashes[n - 1 :]
        if n in sizes:
            grams[n] = current ^ (current >> np.uint64(31))
    return grams


def text_grams(words: Words, sizes: Sequence[int]) -> dict[int, Hashes]:
    """Hashes of n-grams compared as text joined without spaces.

    Args:
        words: W words.
        sizes: which n, ascending.

    Returns:
        For each n that the text is long enough for, W - n + 1 hashes.
    """
    grams: dict[int, Hashes] = {}
    current = words.text_hashes
    for n in range(2, max(sizes, default=0) + 1):
        if len(words) < n:
            break
        current = current[:-1] * words.powers[n - 1 :] + words.text_hashes[n - 1 :]
        if n in sizes:
            grams[n] = current
    return grams


def gram_lengths(words: Words, n: int) -> Lengths:
    """Characters of each n-gram, without spaces.

    Args:
        words: W words.
        n: words in an n-gram.

    Returns:
        W - n + 1 lengths.
    """
    total = np.concatenate(([0], np.cumsum(words.lengths)))
    return total[n:] - total[:-n]


def groups(grams: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Equal n-grams.

    Args:
        grams: G hashes.

    Returns:
        For each distinct hash its first position and its count, and for each of the G n-grams the index of
        its hash among the distinct ones.
    """
    _, first, inverse, counts = np.unique(grams, return_index=True, return_inverse=True, return_counts=True)
    return first, counts, inverse


def skipping_duplicate_chars(grams: Hashes, lengths: Lengths, n: int) -> int:
    """Characters of repeated n-grams, scanning left to right and jumping over each that was seen before.

    datatrove's arithmetic. Only positions whose n-gram occurs more than once can matter, so only those are
    walked in Python.

    Args:
        grams: G hashes of joined text.
        lengths: G lengths.
        n: words jumped over.

    Returns:
        The characters.
    """
    _, counts, inverse = groups(grams)
    repeated = np.flatnonzero(counts[inverse] > 1)
    seen: set[int] = set()
    characters, resume = 0, 0
    codes = inverse[repeated].tolist()
    for position, code in zip(repeated.tolist(), codes, strict=True):
        if position < resume:
            continue
        if code in seen:
            characters += int(lengths[position])
            resume = position + n
        else:
            seen.add(code)
    return characters


def covered_words(grams: Hashes, n: int, words: int) -> NDArray[np.bool_]:
    """Which words stand inside any n-gram that occurs more than once (DCLM's and RedPajama's arithmetic).

    Args:
        grams: G hashes.
        n: words in an n-gram.
        words: W.

    Returns:
        W flags.
    """
    _, counts, inverse = groups(grams)
    repeated = np.flatnonzero(counts[inverse] > 1)
    edges = np.zeros(words + 1, dtype=np.int64)
    np.add.at(edges, repeated, 1)
    np.add.at(edges, repeated + n, -1)
    return np.cumsum(edges[:-1]) > 0
