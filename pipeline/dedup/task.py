"""What is deduplicated, and how its work is carried out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from filters.minhash import Parameters
from pipeline.config import Dedup
from pipeline.dedup.standing import Scope
from pipeline.io import storage
from pipeline.stages.base import Stage
from pipeline.stages.exchange import Exchange

# What a range of hashes holds, and what one pipeline holds on a runner that keeps all in memory.
RANGE_BYTES = 16 << 20
WAVE_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is deduplicated, and by what.

    Attributes:
        scope: the documents; which levels are done is filled in as they are.
        config: the configuration.
        parameters: of signatures.
        documents: how many there are.
        run: runs an exchange over all splits and further units.
        work: does the work of a stage on all splits.
    """

    scope: Scope
    config: Dedup
    parameters: Parameters
    documents: int
    run: Callable[[Exchange, Sequence[Any]], None]
    work: Callable[[Stage], None]

    def in_waves(self, exchange: Exchange, units: Sequence[Any] = ()) -> None:
        """Run an exchange, as many ranges at a time as may be in memory.

        Args:
            exchange: what to do.
            units: what is packed beside the splits.
        """
        for wave in in_waves(exchange):
            self.run(wave, units)


def in_waves(exchange: Exchange) -> list[Exchange]:
    """Cut an exchange into as many ranges at a time as may be in memory.

    Args:
        exchange: what to do.

    Returns:
        The same for some ranges each.
    """
    step = WAVE_BYTES // RANGE_BYTES
    return [replace(exchange, wave=(first, first + step)) for first in range(0, exchange.ranges, step)]


def counted(exchange: Exchange, name: str) -> int:
    """What an exchange that is done counted, over all ranges.

    Args:
        exchange: the exchange.
        name: of the count.

    Returns:
        The sum.
    """
    receipts = (wave.receipt_path(f"{number:05d}") for wave in in_waves(exchange) for number in wave.numbers)
    return sum(json.loads(storage.read_bytes(path))["counts"][name] for path in receipts)


def ranges_for(size: int) -> int:
    """How many ranges are needed.

    Args:
        size: bytes in all of them.

    Returns:
        Their number.
    """
    return 1 + size // RANGE_BYTES
