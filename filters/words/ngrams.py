"""Repetition of n-grams of words, on hashes in NumPy, in the arithmetics of the field.

The hash of an n-gram is built from that of the (n-1)-gram before it, and an n-gram can only stand twice where its
first n-1 words do; so after the pairs each length costs little. Arithmetic wraps modulo 2**64 on purpose.
Shapes: W words; G = W - n + 1 n-grams; R of them stand in the text more than once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from filters.words.sequence import Hashes, Integers, Words

# Joins the hashes of words; not the base of these, or "ab c" would be "a bc".
_JOIN = np.uint64(0xD6E8FEB86659FD93)
_BATCH = (5, 6, 7, 8, 9, 10)


@dataclass(frozen=True, slots=True)
class Repeats:
    """The n-grams that stand in a text more than once.

    Attributes:
        positions: where they begin, ascending; R of them.
        codes: a number for each that equal ones share.
        counts: by that number, how often it stands there.
        hashes: their hashes.
    """

    positions: Integers
    codes: Integers
    counts: Integers
    hashes: Hashes


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
            if n > _BATCH[0]:
                self._repeats.update(zip(_BATCH[1:], self._find_longer(), strict=True))
            else:
                self._repeats[n] = self._find(n)
        return self._repeats[n]

    def _find(self, n: int) -> Repeats:
        count = len(self._words) - n + 1
        if n == 2:
            positions = np.arange(max(count, 0))
            before = self._words.hashes[:-1]
        else:
            shorter = self.repeats(n - 1)
            if shorter is _NONE:
                return _NONE
            fits = shorter.positions < count
            positions, before = shorter.positions[fits], shorter.hashes[fits]
        if len(positions) < 2:
            return _NONE
        last = positions + n - 1
        return _repeats(positions, before * _JOIN + self._words.hashes[last])

    def _find_longer(self) -> list[Repeats]:
        """Those of all lengths above 5 at once: few 5-grams stand twice, so a NumPy call costs more than its work."""
        shorter = self.repeats(_BATCH[0])
        if shorter is _NONE:
            return [_NONE] * (len(_BATCH) - 1)
        hashes = np.empty((len(_BATCH) - 1, len(shorter.positions)), dtype=np.uint64)
        before = shorter.hashes
        beyond = len(self._words)
        for row, n in enumerate(_BATCH[1:]):
            last = shorter.positions + n - 1
            inside = np.minimum(last, beyond - 1)
            before = before * _JOIN + self._words.hashes[inside]
            # Past the end stands what equals nothing else.
            hashes[row] = before
            if last[-1] >= beyond:
                hashes[row][last >= beyond] = shorter.positions[last >= beyond].astype(np.uint64)
        ordered = np.sort(hashes, axis=1)
        any_twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1).tolist()
        return [_repeats(shorter.positions, hashes[row]) if twice else _NONE for row, twice in enumerate(any_twice)]

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
        most = int(repeats.counts.max())
        candidates = repeats.positions[repeats.counts[repeats.codes] == most]
        return int(candidates[np.argmax(self.lengths(n)[candidates])] if longest else candidates[0]), most

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
        first = np.zeros(len(repeats.counts), dtype=np.int64)
        first[repeats.codes[::-1]] = repeats.positions[::-1]
        positions = repeats.positions[first[repeats.codes] != repeats.positions]
        overlap = np.zeros(len(positions), dtype=np.int64)
        overlap[1:] = np.maximum(n - positions[1:] + positions[:-1], 0)
        chars = self._ends[positions + n] - self._ends[positions + overlap]
        return int(chars.sum() + np.minimum(n - overlap, n - 1).sum())


_EMPTY = np.zeros(0, dtype=np.int64)
_TRUE = np.ones(1, dtype=bool)
_NONE = Repeats(_EMPTY, _EMPTY, _EMPTY, _EMPTY.astype(np.uint64))


def _repeats(positions: Integers, hashes: Hashes) -> Repeats:
    # Sorting values is many times faster than sorting positions, and most texts repeat little.
    ordered = np.sort(hashes)
    later = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(later):
        return _NONE
    starts = np.flatnonzero(np.concatenate((_TRUE, later[1:] != later[:-1])))
    repeated = later[starts]
    counts = np.diff(starts, append=len(later)) + 1
    codes = np.minimum(np.searchsorted(repeated, hashes), len(repeated) - 1)
    kept = np.flatnonzero(repeated[codes] == hashes)
    return Repeats(positions[kept], codes[kept], counts, hashes[kept])
