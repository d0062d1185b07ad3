"""Repetition of n-grams of words, on hashes in NumPy, in the arithmetics of the field.

The hash of an n-gram is built from that of the (n-1)-gram before it, and an n-gram can only stand twice where its
first n-1 words do; so after the pairs each length costs little. Arithmetic wraps modulo 2**64 on purpose.
Shapes: W words; G = W - n + 1 n-grams; R of them stand in the text more than once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from filters.words.sequence import Hashes, Integers, Mask, Words

# Joins the hashes of words; not the base of these, or "ab c" would be "a bc".
_JOIN = np.uint64(0xD6E8FEB86659FD93)
_LONGER = (3, 4, 5, 6, 7, 8, 9, 10)


@dataclass(frozen=True, slots=True)
class Repeats:
    """The n-grams that stand in a text more than once.

    Attributes:
        positions: where they begin, ascending; R of them.
        codes: a number below R for each that equal ones share.
    """

    positions: Integers
    codes: Integers


class NGrams:
    """The n-grams of one text.

    Args:
        words: its W words.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._joined_hashes: dict[int, Hashes] = {}
        self._repeats: dict[int, Repeats] = {}

    @cached_property
    def _ends(self) -> Integers:
        return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(self._words.lengths)))

    def lengths(self, n: int) -> Integers:
        """Characters of each n-gram, without spaces.

        Args:
            n: words in an n-gram.

        Returns:
            G lengths.
        """
        return self._ends[n:] - self._ends[:-n]

    def _joined(self, n: int) -> Hashes:
        """Hashes of n-grams as text without spaces."""
        words = self._words
        if n == 1:
            return words.hashes
        if n not in self._joined_hashes:
            self._joined_hashes[n] = self._joined(n - 1)[:-1] * words.powers[n - 1 :] + words.hashes[n - 1 :]
        return self._joined_hashes[n]

    def repeats(self, n: int) -> Repeats:
        """The n-grams that stand in the text more than once, compared word by word.

        Args:
            n: words in an n-gram, 2 to 10.

        Returns:
            Them; none where the text is too short.
        """
        if n not in self._repeats:
            if n == 2:
                self._repeats[2] = _repeats(np.arange(len(self._pairs)), self._pairs)
            else:
                self._repeats.update(zip(_LONGER, self._find_longer(), strict=True))
        return self._repeats[n]

    @cached_property
    def _pairs(self) -> Hashes:
        hashes = self._words.hashes
        return hashes[:-1] * _JOIN + hashes[1:]

    def _find_longer(self) -> list[Repeats]:
        """All lengths at once: few pairs stand twice, so each NumPy call costs more than its work."""
        positions = self.repeats(2).positions
        found = [_NONE] * len(_LONGER)
        if not len(positions):
            return found
        # What goes over the end equals nothing: no word has the hash 0.
        padded = np.concatenate((self._words.hashes, np.zeros(_LONGER[-1], dtype=np.uint64)))
        hashes = np.empty((len(_LONGER), len(positions)), dtype=np.uint64)
        before = self._pairs[positions]
        for row, n in enumerate(_LONGER):
            before = np.add(before * _JOIN, padded[positions + (n - 1)], out=hashes[row])
        ordered = np.sort(hashes, axis=1)
        same = ordered[:, 1:] == ordered[:, :-1]
        for row, twice in enumerate(same.any(axis=1).tolist()):
            if not twice:
                break
            found[row] = _of_sorted(positions, hashes[row], ordered[row], same[row])
        return found

    def top(self, n: int, *, longest: bool = False) -> tuple[int, int]:
        """The most frequent n-gram.

        Args:
            n: words in an n-gram, at most W.
            longest: of several that are equally frequent take the one with most characters, else the first.

        Returns:
            Its first position and its count.
        """
        repeats = self.repeats(n)
        if not len(repeats.positions):
            return (int(np.argmax(self.lengths(n))) if longest else 0), 1
        counts = np.bincount(repeats.codes)
        most = int(counts.max())
        candidates = repeats.positions[counts[repeats.codes] == most]
        return int(candidates[self.lengths(n)[candidates].argmax()] if longest else candidates[0]), most

    def chars(self, position: int, n: int) -> int:
        """Characters of one n-gram, without spaces.

        Args:
            position: where it begins.
            n: words in it.

        Returns:
            The characters.
        """
        return int(self._ends[position + n] - self._ends[position])

    def skipping_chars(self, n: int) -> int:
        """Characters of repeated n-grams, scanning left to right and jumping over each that was seen before.

        datatrove's arithmetic: n-grams are compared as joined text. Only positions whose n-gram stands twice can
        matter, so only those are walked.

        Args:
            n: words in an n-gram.

        Returns:
            The characters.
        """
        count = len(self._words) - n + 1
        repeats = _repeats(np.arange(count), self._joined(n)) if count > 1 else _NONE
        if not len(repeats.positions):
            return 0
        lengths = self.lengths(n)[repeats.positions]
        seen: set[int] = set()
        chars, resume = 0, 0
        rows = zip(repeats.positions.tolist(), repeats.codes.tolist(), lengths.tolist(), strict=True)
        for position, code, length in rows:
            if position < resume:
                continue
            if code in seen:
                chars += length
                resume = position + n
            else:
                seen.add(code)
        return chars

    def covered_chars(self, n: int) -> int:
        """Characters of words that stand inside any n-gram that occurs more than once.

        DCLM's and RedPajama's arithmetic.

        Args:
            n: words in an n-gram.

        Returns:
            The characters, each counted once.
        """
        positions = self.repeats(n).positions
        if not len(positions):
            return 0
        # Each covers up to where the next begins, at most n words.
        ends = np.minimum(positions + n, np.append(positions[1:], len(self._words)))
        return int((self._ends[ends] - self._ends[positions]).sum())

    def all_copies_chars(self, n: int) -> int:
        """Characters of every copy of every repeated n-gram (dolma's arithmetic).

        Args:
            n: words in an n-gram.

        Returns:
            The characters; overlaps count again.
        """
        return int(self.lengths(n)[self.repeats(n).positions].sum())

    def later_copies_chars(self, n: int) -> int:
        """Characters of second and later copies with the spaces between their words (NeMo's arithmetic).

        Args:
            n: words in an n-gram.

        Returns:
            The characters; where copies overlap, each word is counted once.
        """
        repeats = self.repeats(n)
        if not len(repeats.positions):
            return 0
        # Written from the end, the first of each group is what stays.
        first = np.zeros(len(repeats.positions), dtype=np.int64)
        first[repeats.codes[::-1]] = repeats.positions[::-1]
        positions = repeats.positions[first[repeats.codes] != repeats.positions]
        overlap = np.zeros(len(positions), dtype=np.int64)
        overlap[1:] = np.maximum(n - positions[1:] + positions[:-1], 0)
        chars = self._ends[positions + n] - self._ends[positions + overlap]
        return int(chars.sum() + np.minimum(n - overlap, n - 1).sum())


_EMPTY = np.zeros(0, dtype=np.int64)
_NONE = Repeats(_EMPTY, _EMPTY)


def _repeats(positions: Integers, hashes: Hashes) -> Repeats:
    # Sorting values is many times faster than sorting positions, and most texts repeat little.
    ordered = np.sort(hashes)
    return _of_sorted(positions, hashes, ordered, ordered[1:] == ordered[:-1])


def _of_sorted(positions: Integers, hashes: Hashes, ordered: Hashes, same: Mask) -> Repeats:
    later = ordered[1:][same]
    if not len(later):
        return _NONE
    # The first place of each repeated hash among those that come again is its code.
    codes = later.searchsorted(hashes)
    np.minimum(codes, len(later) - 1, out=codes)
    kept = later[codes] == hashes
    return Repeats(positions[kept], codes[kept])
