"""From shards to batches, with a state that resumes exactly, under another number of processes too.

The row groups are dealt to a fixed number of streams. Each stream shuffles its groups and the documents in them by seed
and epoch, makes tokens of them and packs rows; a step takes rows from the streams in turn. A process works on whole
streams, so the rows of a step are the same whoever makes them. The state of a stream is its place and the tokens it has
not used yet.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import ModelError
from model.loss import IGNORED
from model.mixture import Mixture, parse
from model.packing import PACKERS, Piece, Row
from model.shards import Document, Shards, is_held_out
from model.tokenizer import Tokenizer

STREAMS = 8
# Documents whose tokens are made at once.
_DOCUMENTS = 256


@dataclass(frozen=True)
class Batch:
    """Rows of a step.

    Attributes:
        ids: (B, T) tokens.
        targets: (B, T) the tokens after them; ignored where a document ends.
        documents: (B, T) which document of its row each token is of.
    """

    ids: Tensor
    targets: Tensor
    documents: Tensor


@dataclass(frozen=True)
class Place:
    """Where a stream stands.

    Attributes:
        epoch: times that all was read.
        group: row groups read in this epoch.
        document: documents read of the group.
        waiting: what is not packed yet.
    """

    epoch: int
    group: int
    document: int
    waiting: list[Piece]


def plain(places: Mapping[int, Place]) -> dict[str, Any]:
    """Places of streams as a checkpoint holds them.

    Args:
        places: by number of stream.

    Returns:
        Plain values.
    """
    return {
        str(number): {
            "epoch": place.epoch,
            "group": place.group,
            "document": place.document,
            "pending": [[piece.order, *piece.tokens.tolist()] for piece in place.waiting],
        }
        for number, place in places.items()
    }


class Stream:
    """One sequence of packed rows.

    Args:
        shards: what is read.
        tokenizer: makes tokens.
        groups: row groups of this stream.
        length: positions of a row.
        packing: ``concatenate`` or ``best_fit``.
        seed: of the order.
        mixture: how often documents are read.
    """

    def __init__(
        self,
        shards: Shards,
        tokenizer: Tokenizer,
        groups: Sequence[int],
        length: int,
        packing: str,
        seed: int,
        mixture: Mixture,
    ) -> None:
        self._shards = shards
        self._tokenizer = tokenizer
        self._groups = list(groups)
        self._seed = seed
        self._mixture = mixture
        self._packer = PACKERS[packing](length)
        self._epoch, self._group, self._document = 0, 0, 0
        self._loaded: tuple[int, int, list[Document]] | None = None

    def place(self) -> Place:
        """Where it stands; cheap enough for every step.

        Returns:
            The place.
        """
        return Place(self._epoch, self._group, self._document, self._packer.waiting())

    def load(self, state: dict[str, Any]) -> None:
        """Go on where a stream stood.

        Args:
            state: of :func:`plain`.
        """
        self._epoch, self._group, self._document = state["epoch"], state["group"], state["document"]
        self._packer.load([Piece(order, np.array(tokens, dtype=np.int32)) for order, *tokens in state["pending"]])

    def next(self) -> Row:
        """The next row.

        Returns:
            It.
        """
        empty = 0
        while (row := self._packer.take()) is None:
            epoch = self._epoch
            documents = self._more()
            empty = 0 if documents else empty + (self._epoch > epoch)
            if empty > 1:
                raise ModelError("a stream of row groups holds no document for training: use fewer rows a step")
            self._packer.add(documents)
        return row

    def _more(self) -> list[NDArray[np.int32]]:
        """Tokens of the next documents; a boundary begins each."""
        documents = self._documents()
        chosen = documents[self._document : self._document + _DOCUMENTS]
        self._document += len(chosen)
        if self._document >= len(documents):
            self._document, self._group = 0, self._group + 1
            if self._group == len(self._groups):
                self._group, self._epoch = 0, self._epoch + 1
        boundary = np.array([self._tokenizer.boundary], dtype=np.int32)
        ready = [one.tokens for one in chosen if one.tokens is not None]
        if len(ready) < len(chosen):
            ready = [np.array(ids, dtype=np.int32) for ids in self._tokenizer.encode_all([one.text for one in chosen])]
        return [np.concatenate((boundary, ids)) for ids in ready]

    def _documents(self) -> list[Document]:
        """The documents of the row group at which it stands, in this epoch's order."""
        if self._loaded is None or self._loaded[:2] != (self._epoch, self._group):
            order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._groups))
            number = self._groups[int(order[self._group])]
            documents = [
                one
                for one in self._shards.read(number)
                if one.text and not is_held_out(one.id)
                for _ in range(self._mixture.times(one, self._epoch))
            ]
            places = np.random.default_rng([self._seed, self._epoch, number]).permutation(len(documents))
            self._loaded = (self._epoch, self._group, [documents[place] for place in places.tolist()])
        return self._loaded[2]


class Loader:
    """Batches of one process.

    Args:
        shards: what is read.
        tokenizer: makes tokens.
        rows: of a step, over all processes.
        length: positions of a row.
        packing: ``concatenate`` or ``best_fit``.
        seed: of the order.
        streams: into how many row groups are dealt; fixed for a run.
        mixture: weights of sources (``mixture.parse``).
        rank: of this process.
        world: processes.
    """

    def __init__(
        self,
        shards: Shards,
        tokenizer: Tokenizer,
        *,
        rows: int,
        length: int,
        packing: str,
        seed: int,
        streams: int,
        mixture: str = "",
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if streams % world or rows % streams:
            raise ModelError(
                f"{streams} streams (of {len(shards.groups)} row groups) cannot be dealt to {world} processes and "
                f"{rows} rows a step: expected rows a multiple of streams, and streams of processes"
            )
        if shards.tokenizer_digest not in (None, tokenizer.digest):
            raise ModelError("the shards hold tokens of another tokenizer than the one that was given")
        if not any(_trainable(shards, group) for group in range(len(shards.groups))):
            raise ModelError("the shards hold no document with text for training")
        self._rows = rows
        self._own = [number for number in range(streams) if number % world == rank]
        mixed = Mixture(shards, parse(mixture))
        self._streams = {
            number: Stream(shards, tokenizer, range(number, len(shards.groups), streams), length, packing, seed, mixed)
            for number in self._own
        }
        self._count = streams

    def places(self) -> dict[int, Place]:
        """Where the streams of this process stand.

        Returns:
            By number of stream.
        """
        return {number: stream.place() for number, stream in self._streams.items()}

    def state(self) -> dict[str, Any]:
        """The same as a checkpoint holds it.

        Returns:
            Plain values; those of all processes together are the whole.
        """
        return plain(self.places())

    def load(self, state: dict[str, Any]) -> None:
        """Go on where a run stood.

        Args:
            state: of all streams.

        Raises:
            ModelError: it is of a run with another number of streams.
        """
        if len(state) != self._count:
            raise ModelError(f"checkpoint: expected the state of {self._count} streams, found {len(state)}")
        for number, stream in self._streams.items():
            stream.load(state[str(number)])

    def step(self) -> Batch:
        """The rows of this process for one step.

        Returns:
            A batch.
        """
        turns = self._rows // self._count
        rows = [self._streams[number].next() for _ in range(turns) for number in self._own]
        return batch_of(rows)


def batch_of(rows: Sequence[Row]) -> Batch:
    """Rows as a model takes them.

    Args:
        rows: of equal length.

    Returns:
        Tokens, and after each the one that follows it in its document.
    """
    tokens = torch.from_numpy(np.stack([row.tokens for row in rows]).astype(np.int64))
    documents = torch.from_numpy(np.stack([row.documents for row in rows]).astype(np.int64))
    targets = tokens[:, 1:].clone()
    # The first token of a document says nothing of the one before.
    targets[documents[:, 1:] != documents[:, :-1]] = IGNORED
    targets[documents[:, 1:] < 0] = IGNORED
    return Batch(tokens[:, :-1].contiguous(), targets, documents[:, :-1].contiguous())


def _trainable(shards: Shards, group: int) -> bool:
    return any(one.text and not is_held_out(one.id) for one in shards.read(group))


def streams_for(shards: Shards, rows: int, world: int) -> int:
    """Into how many streams a run is dealt.

    Args:
        shards: what is read.
        rows: of a step.
        world: processes.

    Returns:
        The most, up to :data:`STREAMS`, that have a row group each and divide the rows of a step.

    Raises:
        ModelError: there are fewer row groups than processes.
    """
    if len(shards.groups) < world:
        raise ModelError(
            f"{len(shards.groups)} row groups are fewer than {world} processes: write smaller row groups, or use fewer"
        )
    fitting = [
        number
        for number in range(1, min(STREAMS, len(shards.groups)) + 1)
        if rows % number == 0 and number % world == 0
    ]
    if not fitting:
        raise ModelError(f"{rows} rows a step cannot be dealt to {world} processes: expected a multiple")
    return fitting[-1]


class Prefetched:
    """Makes batches in a thread while the model works.

    The library that makes tokens releases Python's lock, so a thread is enough. The state that is asked for is the one
    after the last batch handed out, not that of what waits.

    Args:
        loader: whose batches.
        ahead: how many wait.
    """

    def __init__(self, loader: Loader, ahead: int = 4) -> None:
        self._loader = loader
        self._queue: queue.Queue[tuple[Batch, dict[int, Place]] | BaseException] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._places = loader.places()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            while not self._stopped.is_set():
                self._put((self._loader.step(), self._loader.places()))
        except BaseException as error:  # handed to who waits
            self._put(error)

    def _put(self, item: Any) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def next(self) -> Batch:
        """The next batch.

        Returns:
            It.
        """
        found = self._queue.get()
        if isinstance(found, BaseException):
            raise found
        self._places = found[1]
        return found[0]

    def state(self) -> dict[str, Any]:
        """Where the loader stood after the last batch that was handed out.

        Returns:
            Plain values.
        """
        return plain(self._places)

    def close(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()
