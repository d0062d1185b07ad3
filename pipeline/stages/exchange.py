"""A stage with a shuffle in its middle: every split packs columns, every hash range of keys settles what it gets.

Beam costs some 20 µs an element, so no document is one: a split sends one block of bytes to each range, which is
thousands of times fewer elements, and since a key is a range of hashes and not a value, none is hot. What a range
settles must not depend on the order of its blocks. It may send blocks back to splits, each of which writes what
concerns its documents.

Receipts say how many bytes each unit packed, each range got and sent back, and each split got: an exchange in which
they differ has lost something and fails. It is done when that was checked; one that was cut short runs again.
"""

from __future__ import annotations

import json
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import JoeiraError, RunError
from pipeline.io import storage
from pipeline.stages.base import ERROR_MARK, Slot, prepare_worker

Hashes = NDArray[np.uint64]
Block = tuple[int, bytes]
_CHECKED = "checked"


@dataclass
class Settled:
    """What a range gives.

    Attributes:
        counts: for its receipt.
        back: blocks for splits, by their place among all.
    """

    counts: dict[str, Any]
    back: list[Block] = field(default_factory=list)


@dataclass(kw_only=True)
class Exchange(ABC):
    """An exchange's configuration, small and picklable.

    Attributes:
        work: the directory that holds a folder for each stage.
        ranges: into how many the hashes are cut; sets the memory of a worker, never the outcome.
        splits: keys of the splits that blocks may be sent back to, in order; none for no way back.
        wave: the ranges that are worked on in this pipeline, from and up to: a runner that holds blocks in memory
            takes all in several.
    """

    work: str
    ranges: int
    splits: tuple[str, ...] = ()
    wave: tuple[int, int] = (0, 1 << 31)
    name: ClassVar[str]

    @property
    def wave_label(self) -> str:
        """What tells waves apart in paths.

        Returns:
            Nothing for the first.
        """
        return f"-{self.wave[0]:05d}" if self.wave[0] else ""

    @property
    def numbers(self) -> range:
        """The ranges of this wave.

        Returns:
            Their numbers.
        """
        return range(self.wave[0], min(self.wave[1], self.ranges))

    @property
    def label(self) -> str:
        """What the exchange is called in paths.

        Returns:
            Its name; one that runs several times adds to it.
        """
        return self.name + self.wave_label

    @abstractmethod
    def pack(self, unit: Any) -> Iterator[Block]:
        """What a split has for each range.

        Args:
            unit: the split.

        Yields:
            Numbers of ranges, and blocks for them.
        """

    @abstractmethod
    def settle(self, number: int, blocks: list[bytes]) -> Settled:
        """Work on one range.

        Args:
            number: the range.
            blocks: everything that was packed for it, in any order.

        Returns:
            Counts, and what goes back to splits.
        """

    def deliver(self, key: str, blocks: list[bytes]) -> None:
        """Write what came back for a split.

        Args:
            key: the split's key.
            blocks: everything that was sent to it, in any order.

        Raises:
            NotImplementedError: nothing may be sent back by this exchange.
        """
        raise NotImplementedError(self.name)

    def done(self) -> bool:
        """Whether the exchange ran and was checked.

        Returns:
            True once there is nothing left to do.
        """
        return storage.exists(self.receipt_path(_CHECKED))

    def check(self, units: Sequence[Any]) -> None:
        """Compare what was sent with what arrived, and note that it is the same.

        Args:
            units: everything that was packed.

        Raises:
            RunError: something is missing; the receipts are gone then, so that the exchange runs again.
        """
        directory = storage.join(self.work, "receipts", self.label)
        names = [f"from-{unit.key}.json" for unit in units] + [f"{number:05d}.json" for number in self.numbers]
        names += [f"to-{key}.json" for key in self.splits]
        sizes = dict.fromkeys(("out", "in", "back", "got"), 0)
        missing = [name for name in names if not storage.exists(storage.join(directory, name))]
        for name in set(names) - set(missing):
            for side, size in json.loads(storage.read_bytes(storage.join(directory, name))).items():
                if side in sizes:
                    sizes[side] += size
        lost = sizes["out"] != sizes["in"] or (self.splits and sizes["back"] != sizes["got"])
        if missing or lost:
            for name in storage.list_dir(directory):
                storage.remove(storage.join(directory, name))
            raise RunError(
                f"stage {self.label}: conservation broken: {sizes['out']} bytes packed, {sizes['in']} settled, "
                f"{sizes['back']} sent back, {sizes['got']} delivered, {len(missing)} receipts missing; "
                "run the same command again, it repeats this step"
            )
        storage.write_bytes(self.receipt_path(_CHECKED), b"{}")

    def receipt_path(self, name: str) -> str:
        """Where a receipt stands.

        Args:
            name: of the range, or of the split that got something back.

        Returns:
            A path under work/.
        """
        return storage.join(self.work, "receipts", self.label, f"{name}.json")


def range_of(hashes: Hashes, ranges: int) -> NDArray[np.int64]:
    """Into which range each hash falls.

    Args:
        hashes: the hashes.
        ranges: how many ranges there are, below 2**31.

    Returns:
        As many numbers, 0 to ranges - 1.
    """
    found: NDArray[np.int64] = ((hashes >> np.uint64(32)) * np.uint64(ranges) >> np.uint64(32)).astype(np.int64)
    return found


def blocks_by_range(hashes: Hashes, columns: Hashes, ranges: int) -> Iterator[Block]:
    """Cut rows by the range of their hash.

    Args:
        hashes: one for each row.
        columns: the rows.
        ranges: how many ranges there are.

    Yields:
        Each range that has rows, and its rows as bytes.
    """
    yield from blocks_by_number(range_of(hashes, ranges), columns)


def blocks_by_number(numbers: NDArray[np.int64], columns: Hashes) -> Iterator[Block]:
    """Cut rows by a number.

    Args:
        numbers: one for each row.
        columns: the rows.

    Yields:
        Each number that has rows, and its rows as bytes.
    """
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    for number, start, end in zip(found.tolist(), starts.tolist(), ends.tolist(), strict=False):
        yield number, columns[order[start:end]].tobytes()


def rows_of(blocks: Iterable[bytes], columns: int) -> Hashes:
    """The rows of blocks.

    Args:
        blocks: as they were cut.
        columns: values in a row.

    Returns:
        Rows by columns; in the order of the blocks, which is any.
    """
    return np.frombuffer(b"".join(blocks), dtype=np.uint64).reshape(-1, columns)


def equal_runs(keys: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where equal keys stand together.

    Args:
        keys: rows of keys, sorted; one column or several.

    Returns:
        Where each run begins, and how long it is.
    """
    keys = keys[:, None] if keys.ndim == 1 else keys
    new = np.ones(len(keys), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    return starts, np.diff(starts, append=len(keys))


class _Worker(beam.DoFn):
    """What all ends share.

    Args:
        exchange: what to do.
        beam_args: options for Beam's file systems.
        driver: process id of a driver on this machine, else None.
    """

    def __init__(self, exchange: Exchange, beam_args: Sequence[str], driver: int | None) -> None:
        self._exchange = exchange
        self._beam_args = list(beam_args)
        self._driver = driver

    def setup(self) -> None:
        """Prepare the worker."""
        prepare_worker(self._beam_args, self._driver)

    def _receipt(self, name: str, values: dict[str, Any]) -> None:
        storage.write_bytes(self._exchange.receipt_path(name), json.dumps(values, sort_keys=True).encode())


class Pack(_Worker):
    """Packs units, or those that a slot takes."""

    def process(self, element: Any) -> Iterator[Block]:
        """Pack.

        Args:
            element: a unit or a slot.

        Yields:
            Blocks by range.
        """
        for unit in element.take() if isinstance(element, Slot) else (element,):
            with _said(f"stage {self._exchange.name}, split {unit.key}"):
                size = 0
                for number, block in self._exchange.pack(unit):
                    if number in self._exchange.numbers:
                        size += len(block)
                        yield number, block
                self._receipt(f"from-{unit.key}", {"out": size})


class Settle(_Worker):
    """Settles ranges and writes their receipts."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[Block]:
        """Settle one range.

        Args:
            element: its number and its blocks.

        Yields:
            Blocks for splits.
        """
        number, blocks = element
        with _said(f"stage {self._exchange.name}, range {number}"):
            filled = [block for block in blocks if block]
            settled = self._exchange.settle(number, filled)
            sizes = {"in": sum(map(len, filled)), "back": sum(len(block) for _, block in settled.back)}
            self._receipt(f"{number:05d}", {"counts": settled.counts, **sizes})
        yield from settled.back


class Deliver(_Worker):
    """Hands splits what came back for them."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[int]:
        """Deliver to one split.

        Args:
            element: its place and its blocks.

        Yields:
            Its place.
        """
        place, blocks = element
        key = self._exchange.splits[place]
        with _said(f"stage {self._exchange.name}, split {key}"):
            filled = [block for block in blocks if block]
            self._exchange.deliver(key, filled)
            self._receipt(f"to-{key}", {"got": sum(map(len, filled))})
        yield place


class RunExchange(beam.PTransform):
    """Units in; what comes out has been written.

    Args:
        exchange: what to do.
        beam_args: options for Beam's file systems.
        driver: process id of a driver on this machine, else None.
    """

    def __init__(self, exchange: Exchange, *, beam_args: Sequence[str], driver: int | None) -> None:
        super().__init__()
        self._arguments = (exchange, beam_args, driver)
        self._exchange = exchange

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Wire it.

        Args:
            units: the units.

        Returns:
            What the last step gives.
        """
        packed = units | "spread" >> beam.Reshuffle() | "pack" >> beam.ParDo(Pack(*self._arguments))
        by_range = _gathered(packed, "range", self._exchange.numbers)
        settled = by_range | "settle" >> beam.ParDo(Settle(*self._arguments))
        if not self._exchange.splits:
            return settled
        by_split = _gathered(settled, "split", range(len(self._exchange.splits)))
        return by_split | "deliver" >> beam.ParDo(Deliver(*self._arguments))


def _gathered(blocks: beam.PCollection, what: str, numbers: range) -> beam.PCollection:
    """Blocks by number; one that gets nothing must be worked on too."""
    every = blocks.pipeline | f"every {what}" >> beam.Create([(number, b"") for number in numbers])
    together = (blocks, every) | f"blocks for each {what}" >> beam.Flatten()
    return together | f"by {what}" >> beam.GroupByKey()


@contextmanager
def _said(place: str) -> Iterator[None]:
    """Turn errors into our own sentence, which survives what a runner wraps around it."""
    try:
        yield
    except Exception as error:
        if isinstance(error, JoeiraError):
            said = str(error)
        elif isinstance(error, OSError):
            said = f"{place}: {error.strerror or error}; mend this and run the same command again"
        else:
            said = f"{place}: {type(error).__name__}: {error}\n{traceback.format_exc()}"
        raise RuntimeError(f"{ERROR_MARK}{said}{ERROR_MARK}") from error
