"""Dividing what stands between white space into smaller words, each chunk once a process.

Most chunks are letters, or letters with one mark after them; these divide by arithmetic on their hashes. The others
are divided as strings, and what each gives is remembered as a stretch of long arrays, since a crawl has few distinct
chunks beside its running ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np

from filters.words.sequence import NOT_PLAIN, Bits, ChunkWords, Codes, Flag, Hashes, Integers, Mask, Words
from filters.words.sets import WordSet

# What is remembered is bounded by chunks and by their parts, since one chunk may be a megabyte. When there is more,
# all is forgotten: what is common comes back with the next texts.
MOST_CHUNKS = 300_000
MOST_PARTS = 2_000_000
_FIRST_ROWS = 1 << 14
_FULL_STOP, _FIRST_SMALL = ord("."), ord("a")
# All letters of ASCII answer alike.
_LETTER = np.array([_FIRST_SMALL], dtype=np.uint32)


class Division:
    """A way to divide chunks. Chunks of ASCII letters alone stay whole.

    Args:
        divide: one chunk to its parts.
        exceptions: chunks of letters, or of letters and a mark, that are divided in a way of their own.
        marks: what is always cut from the end of letters; a full stop is where the last letter is small.
        marks_are_parts: whether the mark is a part, or nothing.
    """

    def __init__(
        self,
        divide: Callable[[str], Sequence[str]],
        exceptions: Iterable[str] = (),
        *,
        marks: str = ",;:!?",
        marks_are_parts: bool = True,
    ) -> None:
        self._divide = divide
        self._exceptions = WordSet(exceptions)
        self._marks = np.zeros(128, dtype=bool)
        self._marks[list(map(ord, marks))] = True
        self._mark_parts = int(marks_are_parts)
        self._memory = _Memory()

    def count(self, words: ChunkWords) -> int:
        """Into how many parts a text divides; cheaper than the parts.

        Args:
            words: its chunks.

        Returns:
            The number.
        """
        simple, others = self._sort(words)
        rows = self._look_up(words, others)
        sizes = self._memory.counts[rows]
        return len(words) - len(others) + self._mark_parts * int(np.count_nonzero(simple)) + int(sizes.sum())

    def parts(self, words: ChunkWords) -> Words:
        """The parts into which a text divides.

        Args:
            words: its chunks.

        Returns:
            Them, in order.
        """
        simple, others = self._sort(words)
        rows = self._look_up(words, others)
        memory, ended = self._memory, words.ended
        marked = ended.places[simple]
        sizes = memory.counts[rows]
        counts = np.ones(len(words), dtype=np.int64)
        counts[marked] += self._mark_parts
        counts[others] = sizes
        ends = np.cumsum(counts)
        starts = ends - counts
        found = _empty(int(ends[-1]) if len(ends) else 0)
        kept = np.ones(len(words), dtype=bool)
        kept[others] = False
        found.put(starts[kept], words.lengths[kept], words.hashes[kept], words.bits[kept])
        # Over the whole chunk, put just now, goes what is left of it without its mark.
        found.put(starts[marked], words.lengths[marked] - 1, ended.hashes[simple], Flag.of(_LETTER))
        if self._mark_parts:
            marks = Words.of_chars(ended.marks[simple])
            found.put(starts[marked] + 1, marks.lengths, marks.hashes, marks.bits)
        within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        origin = np.repeat(memory.starts[rows], sizes) + within
        places = np.repeat(starts[others], sizes) + within
        found.put(places, memory.parts.lengths[origin], memory.parts.hashes[origin], memory.parts.bits[origin])
        return Words(found.lengths, found.hashes, found.bits)

    def _sort(self, words: ChunkWords) -> tuple[Mask, Integers]:
        """Which of the ended chunks divide by arithmetic, and where the chunks are that have to be looked up."""
        ended = words.ended
        simple = self._cuts(ended.marks, ended.letters)
        special = self._exceptions.places(words.hashes)
        odd = words.which(NOT_PLAIN)
        simple[self._exceptions.places(ended.hashes)] = False
        if len(special):
            own_way = np.zeros(len(words), dtype=bool)
            own_way[special] = True
            simple &= ~own_way[ended.places]
            odd |= own_way
        odd[ended.places[simple]] = False
        return simple, odd.nonzero()[0]

    def _cuts(self, marks: Codes, letters: Codes) -> Mask:
        listed: Mask = self._marks[np.minimum(marks, 127)]
        found: Mask = listed | ((marks == _FULL_STOP) & (letters >= _FIRST_SMALL))
        return found

    def _look_up(self, words: ChunkWords, places: Integers) -> Integers:
        """Rows of memory for chunks; those that are new get one."""
        if self._memory.stale:
            self._memory = _Memory()
        known = self._memory.rows
        keys = words.hashes[places].tolist()
        rows = np.fromiter(map(known.get, keys, repeat(-1)), dtype=np.int64, count=len(keys))
        missing = (rows < 0).nonzero()[0].tolist()
        if missing:
            new = {keys[index]: int(places[index]) for index in missing}
            self._memory.learn(list(new), [self._divide(words.string(place)) for place in new.values()])
            rows[missing] = [known[keys[index]] for index in missing]
        return rows


@dataclass(slots=True)
class _Columns:
    """Words under construction."""

    lengths: Integers
    hashes: Hashes
    bits: Bits

    def put(self, places: Any, lengths: Integers, hashes: Hashes, bits: Any) -> None:
        self.lengths[places] = lengths
        self.hashes[places] = hashes
        self.bits[places] = bits


def _empty(size: int) -> _Columns:
    return _Columns(np.empty(size, dtype=np.int64), np.empty(size, dtype=np.uint64), np.empty(size, dtype=np.uint16))


class _Memory:
    """What chunks divide into: for each hash a row, for each row a stretch of parts."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.counts: Integers = np.empty(_FIRST_ROWS, dtype=np.int64)
        self.starts: Integers = np.empty(_FIRST_ROWS, dtype=np.int64)
        self.parts = _empty(_FIRST_ROWS)
        self._used = 0
        self._flags = Flag.number()

    @property
    def stale(self) -> bool:
        """Whether it holds too much, or lacks the answers to a newer question."""
        return len(self.rows) > MOST_CHUNKS or self._used > MOST_PARTS or self._flags != Flag.number()

    def learn(self, keys: list[int], parts: list[Sequence[str]]) -> None:
        found = Words.of(list(chain(*parts)))
        first, last = len(self.rows), len(self.rows) + len(keys)
        begin, end = self._used, self._used + len(found)
        self.counts, self.starts = _with_room(self.counts, last), _with_room(self.starts, last)
        columns = self.parts
        self.parts = _Columns(*(_with_room(column, end) for column in (columns.lengths, columns.hashes, columns.bits)))
        counts = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
        self.counts[first:last] = counts
        self.starts[first:last] = begin + np.cumsum(counts) - counts
        self.parts.put(slice(begin, end), found.lengths, found.hashes, found.bits)
        self._used = end
        self.rows.update(zip(keys, range(first, last), strict=True))


def _with_room(column: Any, size: int) -> Any:
    while len(column) < size:
        column = np.concatenate((column, np.empty_like(column)))
    return column
