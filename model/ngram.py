"""The n-gram language model of the lecture: interpolated Kneser-Ney (Chen and Goodman 1999), on tokens.

The baseline that a decoder must beat. Counts of all orders are sorted arrays of hashed n-grams, so that a whole text is
scored with a few look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]

_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


class _Table:
    """Counts by hash.

    Args:
        keys: hashes, in any order.
        counts: of each; None counts every key once.
    """

    def __init__(self, keys: Hashes, counts: Floats | None = None) -> None:
        self._keys, places = np.unique(keys, return_inverse=True)
        self._counts = np.bincount(places, weights=counts, minlength=len(self._keys))

    def of(self, keys: Hashes) -> Floats:
        """Counts of keys, 0 for those that are missing."""
        if not len(self._keys):
            return np.zeros(len(keys))
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[places] == keys, self._counts[places], 0.0)


class KneserNey:
    """Interpolated Kneser-Ney with one discount an order.

    Args:
        documents: tokens of each document for training.
        vocab_size: tokens there are; each has some probability.
        order: tokens in the longest n-gram.
    """

    def __init__(self, documents: Iterable[Sequence[int]], vocab_size: int, order: int = 3) -> None:
        self.vocab_size = vocab_size
        self.order = order
        texts = [np.asarray(document, dtype=np.int64) for document in documents]
        self._levels = [self._level(texts, size) for size in range(1, order + 1)]

    def _level(self, texts: list[Tokens], size: int) -> tuple[float, _Table, _Table, _Table]:
        """Discount of one order, counts of its n-grams and histories, and how many different tokens follow each."""
        grams, histories, longer = [], [], []
        for text in texts:
            hashed = _grams(text, size)
            grams.append(hashed)
            histories.append(
                _grams(text, size - 1)[: len(hashed)] if size > 1 else np.zeros(len(hashed), dtype=np.uint64)
            )
            if size < self.order:
                longer.append(_grams(text, size + 1))
        keys, owners = np.concatenate(grams), np.concatenate(histories)
        if size < self.order:
            # How many different tokens stand before an n-gram; at the beginning of a text there is none.
            before = np.concatenate(longer)
            _, first = np.unique(before, return_index=True)
            starts = np.cumsum([0, *(len(one) for one in grams)])
            inner = np.concatenate([np.arange(start + 1, end) for start, end in pairwise(starts.tolist())])
            keys, owners = keys[inner][first], owners[inner][first]
        kinds, places, counts = np.unique(keys, return_index=True, return_counts=True)
        ones, twos = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
        discount = ones / (ones + 2 * twos) if ones and twos else 0.5
        return (
            float(discount),
            _Table(kinds, counts.astype(np.float64)),
            _Table(owners),
            _Table(owners[places]),
        )

    def log_probabilities(self, document: Sequence[int]) -> Floats:
        """How likely each token of a document is after those before it.

        Args:
            document: its tokens.

        Returns:
            Natural logarithms, as many as tokens.
        """
        text = np.asarray(document, dtype=np.int64)
        found = np.full(len(text), 1.0 / self.vocab_size)
        for size, (discount, grams, histories, followers) in enumerate(self._levels, 1):
            keys = _grams(text, size)
            if not len(keys):
                break
            owners = _histories(text, size, len(keys))
            totals = histories.of(owners)
            lower = found[size - 1 :]
            share = np.divide(discount * followers.of(owners), totals, out=np.ones(len(keys)), where=totals > 0)
            own = np.divide(np.maximum(grams.of(keys) - discount, 0), totals, out=np.zeros(len(keys)), where=totals > 0)
            found[size - 1 :] = own + share * lower
        logarithms: Floats = np.log(found)
        return logarithms


def _histories(text: Tokens, size: int, count: int) -> Hashes:
    """Of each n-gram what stands before its last token."""
    return _grams(text, size - 1)[:count] if size > 1 else np.zeros(count, dtype=np.uint64)


def _grams(text: Tokens, size: int) -> Hashes:
    """Hashes of all n-grams of a text, in order."""
    count = len(text) - size + 1
    if count < 1 or size < 1:
        return np.zeros(0, dtype=np.uint64)
    found = np.full(count, size, dtype=np.uint64)
    for place in range(size):
        found = (found * _BASE) ^ (text[place : place + count].astype(np.uint64) + np.uint64(1))
        found = (found ^ (found >> np.uint64(29))) * _MIX
    return found
