"""The words of a text as arrays: length, hash and properties of each.

All is computed from the characters in NumPy, without a Python object for each word; strings are made only of the
few that somebody asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Bits = NDArray[np.uint16]
Mask = NDArray[np.bool_]
Codes = NDArray[np.uint32]

BASE = np.uint64(0x9E3779B97F4A7C15)
# So that no character counts as nothing.
_OFFSET = np.uint64(34)
_INVERSE = np.uint64(pow(int(BASE), -1, 1 << 64))


class Flag:
    """A question about characters; a word has it if any of its characters has it.

    Args:
        answer: one character to yes or no.
    """

    _all: list[Flag] = []  # noqa: RUF012 - the one list of all questions
    # What is known of each character: a bit for each yes, and the highest once it was asked.
    _table: Bits = np.zeros(0x110000, dtype=np.uint16)
    _ASKED = 1 << 15

    def __init__(self, answer: Callable[[str], bool]) -> None:
        self.bit = np.uint16(1 << len(Flag._all))
        self._answer = answer
        Flag._all.append(self)
        Flag._table[:] = 0

    @classmethod
    def number(cls) -> int:
        """How many questions there are.

        Returns:
            Their number.
        """
        return len(cls._all)

    @classmethod
    def of(cls, codes: Codes) -> Bits:
        """All answers for characters.

        Args:
            codes: their code points.

        Returns:
            For each a bit for each yes, and one that is always set.
        """
        bits = cls._table[codes]
        if not bits.all():
            for code in np.unique(codes[bits == 0]).tolist():
                yes = sum(int(flag.bit) for flag in cls._all if flag._answer(chr(code)))
                cls._table[code] = yes | cls._ASKED
            bits = cls._table[codes]
        return bits


_SPACE = Flag(str.isspace)
# Most words are letters of ASCII alone.
NOT_PLAIN = Flag(lambda char: not (char.isascii() and char.isalpha()))


class Words:
    """The words of one text; every array has length W.

    Args:
        lengths: characters of each word.
        hashes: polynomial hash of each word's characters, modulo 2**64.
        bits: the answers to every :class:`Flag`.
    """

    def __init__(self, lengths: Integers, hashes: Hashes, bits: Bits) -> None:
        self.lengths = lengths
        self.hashes = hashes
        self.bits = bits

    @classmethod
    def of(cls, strings: Sequence[str]) -> Words:
        """The arrays of given words.

        Args:
            strings: W words, none empty.

        Returns:
            Them.
        """
        lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
        codes = _codes("".join(strings))
        starts = np.cumsum(lengths) - lengths
        bits = np.bitwise_or.reduceat(Flag.of(codes), starts) if strings else np.zeros(0, dtype=np.uint16)
        return cls(lengths, _polynomials(codes, lengths), bits)

    @classmethod
    def of_chars(cls, codes: Codes) -> Words:
        """The arrays of words of one character each.

        Args:
            codes: W code points.

        Returns:
            Them.
        """
        return cls(np.ones(len(codes), dtype=np.int64), codes + _OFFSET, Flag.of(codes))

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def powers(self) -> Hashes:
        """What the hash of a text is multiplied by when the word is appended to it."""
        return powers(self.lengths)

    @cached_property
    def chars(self) -> int:
        """Characters of all words."""
        return int(self.lengths.sum())

    def which(self, flag: Flag) -> Mask:
        """The answers to one question.

        Args:
            flag: the question.

        Returns:
            W answers.
        """
        found: Mask = (self.bits & flag.bit) != 0
        return found

    def share(self, flag: Flag) -> float:
        """What part of the words has it.

        Args:
            flag: the question.

        Returns:
            Between 0 and 1; 0 where there are no words.
        """
        return int(np.count_nonzero(self.bits & flag.bit)) / len(self) if len(self) else 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """Chunks of letters with one mark after them.

    Attributes:
        places: which chunks, ascending; E of them.
        marks: code points of the marks.
        letters: those of the letters before them.
        hashes: those of the chunks without the mark.
    """

    places: Integers
    marks: Codes
    letters: Codes
    hashes: Hashes


class ChunkWords(Words):
    """What stands between the white space of a text, by the reckoning of ``str.split``.

    Args:
        text: any string; lone surrogates are allowed.
    """

    def __init__(self, text: str) -> None:
        codes = _codes(text)
        bits = Flag.of(codes)
        inside = np.zeros(len(codes) + 2, dtype=bool)
        np.equal(bits & _SPACE.bit, 0, out=inside[1:-1])
        edges = (inside[1:] != inside[:-1]).nonzero()[0]
        starts, ends = edges[::2], edges[1::2]
        self._text = text
        self._codes = codes
        self._char_bits = bits
        self.starts: Integers = starts
        # A stretch runs to the next word, and the white space in it answers nothing.
        answers = bits * inside[1:-1]
        found = np.bitwise_or.reduceat(answers, starts) if len(starts) else np.zeros(0, dtype=np.uint16)
        super().__init__(ends - starts, _hashes_between(codes, starts, ends), found)

    @cached_property
    def ended(self) -> Ended:
        """The chunks that are ASCII letters and one other character at the end."""
        last = self.starts + self.lengths - 1
        odd = (self._char_bits & (NOT_PLAIN.bit | _SPACE.bit) == NOT_PLAIN.bit).nonzero()[0]
        words = self.starts.searchsorted(odd, side="right") - 1
        alone = np.bincount(words, minlength=len(self))[words] == 1
        places = words[alone & (odd == last[words]) & (self.lengths[words] > 1)]
        marks = self._codes[last[places]]
        stems = (self.hashes[places] - (marks + _OFFSET)) * _INVERSE
        return Ended(places, marks, self._codes[last[places] - 1], stems)

    def count_chars(self, flag: Flag) -> int:
        """Characters of the text, white space among them, that have it.

        Args:
            flag: the question.

        Returns:
            Their number.
        """
        return int(np.count_nonzero(self._char_bits & flag.bit))

    def string(self, place: int) -> str:
        """One word.

        Args:
            place: which.

        Returns:
            Its characters.
        """
        start = int(self.starts[place])
        return self._text[start : start + int(self.lengths[place])]

    def joined(self, start: int, stop: int) -> str:
        """Some of the words, with a space between them.

        Args:
            start: the first.
            stop: the one after the last.

        Returns:
            The text.
        """
        return " ".join(map(self.string, range(start, stop)))


@dataclass(frozen=True, slots=True)
class Runs:
    """Stretches of a text.

    Attributes:
        starts: where each begins.
        ends: where each ends.
        hashes: of their characters.
    """

    starts: Integers
    ends: Integers
    hashes: Hashes


def runs(text: str, inside: Flag, alone: Flag) -> Runs:
    """The longest runs of some characters in a text.

    Args:
        text: any string.
        inside: the characters that runs are made of.
        alone: those of them of which each is a run of its own.

    Returns:
        Them, in order.
    """
    codes = _codes(text)
    bits = Flag.of(codes)
    within = np.zeros(len(codes) + 2, dtype=bool)
    single = np.zeros(len(codes) + 2, dtype=bool)
    np.not_equal(bits & inside.bit, 0, out=within[1:-1])
    np.not_equal(bits & alone.bit, 0, out=single[1:-1])
    # A run begins where one character is inside and the one before it is not, or either stands alone.
    edge = (single[1:] | single[:-1]) | (within[1:] != within[:-1])
    starts = np.flatnonzero(edge & within[1:])
    ends = np.flatnonzero(edge & within[:-1])
    return Runs(starts, ends, _hashes_between(codes, starts, ends))


_powers: Hashes = BASE ** np.arange(64, dtype=np.uint64)
# Tables of powers by position are kept for texts up to here; few are longer.
_TABLE_CHARS = 1 << 18


def powers(exponents: Integers) -> Hashes:
    """Powers of the base modulo 2**64.

    Args:
        exponents: at least 0.

    Returns:
        As many powers.
    """
    global _powers
    most = int(exponents.max(initial=0))
    if most >= len(_powers):
        _powers = BASE ** np.arange(1 << most.bit_length(), dtype=np.uint64)
    found: Hashes = _powers[exponents]
    return found


def _codes(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@cache
def _inverse_powers() -> Hashes:
    found: Hashes = _INVERSE ** np.arange(_TABLE_CHARS, dtype=np.uint64)
    return found


def _hashes_between(codes: Codes, starts: Integers, ends: Integers) -> Hashes:
    """Hashes of stretches of a text."""
    if len(codes) <= _TABLE_CHARS:
        return _stretches(codes, starts, ends)
    lengths = ends - starts
    places = np.arange(int(lengths.sum())) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    return _polynomials(codes[places], lengths)


def _stretches(codes: Codes, starts: Integers, ends: Integers) -> Hashes:
    """The same as :func:`_polynomials`, for stretches of a text: prefix sums of c[i] / base ** i give each."""
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum((codes + _OFFSET) * _inverse_powers()[: len(codes)], out=sums[1:])
    found: Hashes = (sums[ends] - sums[starts]) * powers(ends - 1)
    return found


def _polynomials(codes: Codes, lengths: Integers) -> Hashes:
    """Each word's characters c as the sum of c[i] * base ** (length - 1 - i)."""
    ends = np.cumsum(lengths)
    exponents = np.repeat(ends, lengths)
    exponents -= np.arange(1, len(codes) + 1)
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum((codes.astype(np.uint64) + _OFFSET) * powers(exponents), out=sums[1:])
    found: Hashes = sums[ends] - sums[ends - lengths]
    return found
