"""Fixed sets of words that are looked for in texts, by their hashes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from filters.words.sequence import Hashes, Integers, Words


class HashSet:
    """A fixed set of hashes that is looked for among many.

    Args:
        hashes: the hashes.
    """

    # By the upper bits of a hash, whether any of the set has them: enough to rule nearly all out.
    _BITS = np.uint64(14)

    def __init__(self, hashes: Hashes) -> None:
        self.hashes: Hashes = np.unique(hashes)
        self._hint = np.zeros(1 << int(self._BITS), dtype=bool)
        self._hint[self._upper(self.hashes)] = True

    def _upper(self, hashes: Hashes) -> Hashes:
        return hashes >> (np.uint64(64) - self._BITS)

    def places(self, hashes: Hashes) -> Integers:
        """Where hashes of the set stand.

        Args:
            hashes: W hashes.

        Returns:
            Positions, ascending.
        """
        if not len(self.hashes):
            return np.zeros(0, dtype=np.int64)
        places: Integers = self._hint[self._upper(hashes)].nonzero()[0]
        if not len(places):
            return places
        found = hashes[places]
        nearest = np.minimum(self.hashes.searchsorted(found), len(self.hashes) - 1)
        kept: Integers = places[self.hashes[nearest] == found]
        return kept


class WordSet(HashSet):
    """A fixed set of words that is looked for in texts.

    Args:
        words: the words.
    """

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__(Words.of([word for word in words if word]).hashes)

    def distinct(self, words: Words) -> int:
        """How many words of the set stand there.

        Args:
            words: W words.

        Returns:
            Each counted once.
        """
        return len(set(words.hashes[self.places(words.hashes)].tolist()))
