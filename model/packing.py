"""Rows of equal length from documents of any.

``concatenate`` writes one document after the other and cuts where a row is full. ``best_fit`` fills each row with whole
documents, the longest that fits or the two that fill more first (after Ding et al. 2024, "Fewer Truncations Improve
Language Modeling"); only documents longer than a row are cut, and what is left of a row is padded and not trained on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int32]
# Pieces that wait to be packed: more fit better, and are more to keep in a checkpoint.
_WAITING = 512


@dataclass(frozen=True)
class Row:
    """A row: one token more than positions, since each is the target of the one before.

    Attributes:
        tokens: length + 1.
        documents: of each token the number of its document in the row; -1 for padding.
    """

    tokens: Tokens
    documents: Tokens


class Piece(NamedTuple):
    """Tokens that wait to be packed.

    Attributes:
        order: when they came, where that counts.
        tokens: of a document, or a part of one.
    """

    order: int
    tokens: Tokens


class Packer(Protocol):
    """Takes documents and gives rows."""

    def add(self, documents: Sequence[Tokens]) -> None:
        """Take documents.

        Args:
            documents: tokens of each.
        """

    def take(self) -> Row | None:
        """Give a row.

        Returns:
            It, or None until more documents are added.
        """

    def waiting(self) -> list[Piece]:
        """What waits; cheap, since tokens are not copied.

        Returns:
            Pieces in order.
        """

    def load(self, pieces: Sequence[Piece]) -> None:
        """Go on with what waited.

        Args:
            pieces: of :meth:`waiting`.
        """


class Concatenate:
    """One document after the other. The last token of a row is the first of the next, so each is a target once.

    Args:
        length: positions of a row.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._waiting: list[Tokens] = []
        self._tokens = 0

    def add(self, documents: Sequence[Tokens]) -> None:
        """Take documents.

        Args:
            documents: tokens of each.
        """
        self._waiting += documents
        self._tokens += sum(map(len, documents))

    def take(self) -> Row | None:
        """Give a row.

        Returns:
            It, or None until more documents are added.
        """
        if self._tokens <= self._length:
            return None
        pieces, size = [], 0
        while size <= self._length:
            pieces.append(self._waiting.pop(0))
            size += len(pieces[-1])
        over = size - self._length - 1
        last = pieces[-1]
        pieces[-1] = last[: len(last) - over]
        self._waiting.insert(0, last[len(last) - over - 1 :])
        self._tokens -= self._length
        return _row(pieces)

    def waiting(self) -> list[Piece]:
        """What waits.

        Returns:
            Documents in order.
        """
        return [Piece(0, document) for document in self._waiting]

    def load(self, pieces: Sequence[Piece]) -> None:
        """Go on with what waited.

        Args:
            pieces: of :meth:`waiting`.
        """
        self._waiting = [piece.tokens for piece in pieces]
        self._tokens = sum(map(len, self._waiting))


class BestFit:
    """Whole documents, the longest that fits first.

    Args:
        length: positions of a row.
    """

    def __init__(self, length: int) -> None:
        self._room = length + 1
        # By length, and among equals in the order in which they came.
        self._waiting: list[tuple[int, int, Tokens]] = []
        self._count = 0

    def add(self, documents: Sequence[Tokens]) -> None:
        """Take documents; one longer than a row is cut into rows.

        Args:
            documents: tokens of each.
        """
        for document in documents:
            for start in range(0, max(1, len(document) - 1), self._room - 1):
                piece = document[start : start + self._room]
                self._count += 1
                # Of equal lengths the one that came first is taken first, since it sorts last.
                self._waiting.append((len(piece), -self._count, piece))
        self._waiting.sort(key=lambda one: one[:2])

    def take(self) -> Row | None:
        """Give a row.

        Returns:
            It, or None until there is choice enough.
        """
        if len(self._waiting) < _WAITING:
            return None
        pieces: list[Tokens] = []
        room = self._room
        while chosen := self._best(room):
            for place in chosen:
                pieces.append(self._waiting.pop(place)[2])
                room -= len(pieces[-1])
        return _row(pieces, room)

    def _best(self, room: int) -> list[int]:
        """The places of the longest piece that fits, or of two that fill more; the later place first."""
        fits = bisect_right(self._waiting, (room, 0), key=lambda one: one[:2])
        if not fits:
            return []
        lengths = np.array([one[0] for one in self._waiting[:fits]])
        if lengths[-1] == room:
            return [fits - 1]
        partners = np.searchsorted(lengths, room - lengths, side="right") - 1
        partners = np.minimum(partners, np.arange(fits) - 1)
        sums = np.where(partners >= 0, lengths + lengths[partners], 0)
        longer = int(np.argmax(sums))
        return [longer, int(partners[longer])] if sums[longer] > lengths[-1] else [fits - 1]

    def waiting(self) -> list[Piece]:
        """What waits.

        Returns:
            Pieces by length.
        """
        return [Piece(order, tokens) for _, order, tokens in self._waiting]

    def load(self, pieces: Sequence[Piece]) -> None:
        """Go on with what waited.

        Args:
            pieces: of :meth:`waiting`.
        """
        self._waiting = [(len(piece.tokens), piece.order, piece.tokens) for piece in pieces]
        self._count = max((-piece.order for piece in pieces), default=0)


PACKERS: dict[str, type[Concatenate] | type[BestFit]] = {"concatenate": Concatenate, "best_fit": BestFit}


def _row(pieces: Sequence[Tokens], padding: int = 0) -> Row:
    numbers = [np.full(len(piece), number, dtype=np.int32) for number, piece in enumerate(pieces)]
    empty = np.full(padding, -1, dtype=np.int32)
    return Row(np.concatenate([*pieces, np.zeros(padding, dtype=np.int32)]), np.concatenate([*numbers, empty]))
