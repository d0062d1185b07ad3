"""A stage with a shuffle in its middle: every split packs columns, every hash range of keys settles what it gets.

Beam costs some 20 µs an element, so no document is one: a split sends one block of bytes to each range, which is
thousands of times fewer elements, and since a key is a range of hashes and not a value, none is hot. What a range
settles must not depend on the order of its blocks. An exchange is done when every range has its receipt; one that
was cut short runs again.
"""

from __future__ import annotations

import json
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import JoeiraError
from pipeline.io import storage
from pipeline.stages.base import ERROR_MARK, Slot, prepare_worker

Hashes = NDArray[np.uint64]


@dataclass(kw_only=True)
class Exchange(ABC):
    """An exchange's configuration, small and picklable.

    Attributes:
        work: the directory that holds a folder for each stage.
        ranges: into how many the hashes are cut; sets the memory of a worker, never the outcome.
    """

    work: str
    ranges: int
    name: ClassVar[str]

    @abstractmethod
    def pack(self, unit: Any) -> Iterator[tuple[int, bytes]]:
        """What a split has for each range.

        Args:
            unit: the split.

        Yields:
            Numbers of ranges, and blocks for them.
        """

    @abstractmethod
    def settle(self, number: int, blocks: list[bytes]) -> dict[str, Any]:
        """Work on one range and write what comes of it.

        Args:
            number: the range.
            blocks: everything that was packed for it, in any order.

        Returns:
            Counts, for its receipt.
        """

    def done(self) -> bool:
        """Whether every range is settled.

        Returns:
            True once there is nothing left to do.
        """
        found = set(storage.list_dir(storage.join(self.work, "receipts", self.name), "*.json"))
        return all(f"{number:05d}.json" in found for number in range(self.ranges))

    def receipt_path(self, number: int) -> str:
        """Where the receipt of a range stands.

        Args:
            number: the range.

        Returns:
            A path under work/.
        """
        return storage.join(self.work, "receipts", self.name, f"{number:05d}.json")


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


def blocks_by_range(hashes: Hashes, columns: Hashes, ranges: int) -> Iterator[tuple[int, bytes]]:
    """Cut rows by the range of their hash.

    Args:
        hashes: one for each row.
        columns: the rows.
        ranges: how many ranges there are.

    Yields:
        Each range that has rows, and its rows as bytes.
    """
    places = range_of(hashes, ranges)
    order = np.argsort(places, kind="stable")
    numbers, starts = np.unique(places[order], return_index=True)
    for number, rows in zip(numbers.tolist(), np.split(columns[order], starts[1:]), strict=True):
        yield number, rows.tobytes()


class _Worker(beam.DoFn):
    """What both ends share.

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


class Pack(_Worker):
    """Packs units, or those that a slot takes."""

    def process(self, element: Any) -> Iterator[tuple[int, bytes]]:
        """Pack.

        Args:
            element: a unit or a slot.

        Yields:
            Blocks by range.
        """
        for unit in element.take() if isinstance(element, Slot) else (element,):
            with _said(f"stage {self._exchange.name}, split {unit.key}"):
                yield from self._exchange.pack(unit)


class Settle(_Worker):
    """Settles ranges and writes their receipts."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[int]:
        """Settle one range.

        Args:
            element: its number and its blocks.

        Yields:
            The number.
        """
        number, blocks = element
        with _said(f"stage {self._exchange.name}, range {number}"):
            counts = self._exchange.settle(number, [block for block in blocks if block])
            receipt = json.dumps(counts, sort_keys=True).encode()
            storage.write_bytes(self._exchange.receipt_path(number), receipt)
        yield number


class RunExchange(beam.PTransform):
    """Units in, numbers of settled ranges out.

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
            The numbers of ranges.
        """
        packed = units | "spread" >> beam.Reshuffle() | "pack" >> beam.ParDo(Pack(*self._arguments))
        # A range that gets nothing must be settled too.
        every = units.pipeline | "every range" >> beam.Create(
            [(number, b"") for number in range(self._exchange.ranges)]
        )
        gathered = (packed, every) | "all blocks" >> beam.Flatten() | "by range" >> beam.GroupByKey()
        return gathered | "settle" >> beam.ParDo(Settle(*self._arguments))


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
