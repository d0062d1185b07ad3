"""How every stage runs: one Beam pipeline over units of work that are done whole or not at all.

A unit (an input range, or an output shard) writes its files under temporary names, renames them, and last
writes a receipt with its counts. A unit with a receipt is done: a run that was killed goes on with the
others. Only keys cross Beam's shuffle, so every runner does the same work and memory stays flat.
"""

from __future__ import annotations

import json
import os
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import memory
from pipeline.errors import JoeiraError, RunError
from pipeline.io import storage

# Marks our own sentence inside whatever a runner wraps around a worker's error.
ERROR_MARK = "joeira-error:"
PROGRESS_SECONDS = 1.0


@dataclass(kw_only=True)
class Stage(ABC):
    """A stage's configuration, small and picklable; the work is in :meth:`process`.

    Attributes:
        work: the directory that holds a folder for each stage.
    """

    work: str
    name: ClassVar[str]

    @abstractmethod
    def process(self, unit: Any, progress: Progress) -> dict[str, Any]:
        """Do one unit of work.

        Args:
            unit: what to do; it has a ``key``.
            progress: to be told of each document.

        Returns:
            The unit's counts, for its receipt.
        """

    def setup(self) -> None:  # noqa: B027  # most stages need nothing
        """Prepare a worker; called once before its first unit."""

    def teardown(self) -> None:  # noqa: B027
        """Release what :meth:`setup` took."""

    def receipt_path(self, key: str) -> str:
        """Where the receipt of a unit stands.

        Args:
            key: the unit's key.

        Returns:
            A path under work/.
        """
        return storage.join(self.work, "receipts", self.name, f"{key}.json")

    def pending(self, units: Sequence[Any]) -> list[Any]:
        """The units that have no receipt yet.

        Args:
            units: all units.

        Returns:
            Those still to be done.
        """
        directory = storage.join(self.work, "receipts", self.name)
        done = set(storage.list_dir(directory, "*.json"))
        return [unit for unit in units if f"{unit.key}.json" not in done]


@dataclass
class Progress:
    """Counts documents and, now and then, leaves the number where the driver can see it."""

    path: str | None = None
    documents: int = 0
    fraction: float = 0.0
    _written: float = field(default_factory=time.monotonic)

    def add(self, fraction: float) -> None:
        """One more document.

        Args:
            fraction: share of the unit that is done, 0 to 1.
        """
        self.documents += 1
        self.fraction = fraction
        now = time.monotonic()
        if self.path and now - self._written >= PROGRESS_SECONDS:
            self._written = now
            try:
                with open(self.path, "w") as handle:
                    handle.write(f"{self.documents} {self.fraction}")
            except OSError:
                pass  # only a display; the work itself will meet a full disk and say so


def run_unit(stage: Stage, unit: Any) -> str:
    """Do one unit and write its receipt, unless it is done already.

    Args:
        stage: the stage.
        unit: the unit.

    Returns:
        The unit's key.

    Raises:
        RunError: it could not be done; says on which file and what to do.
    """
    receipt = stage.receipt_path(unit.key)
    if storage.exists(receipt):
        return str(unit.key)
    local = not storage.is_remote(stage.work)
    progress = Progress(os.path.join(stage.work, "progress", f"{stage.name}-{unit.key}") if local else None)
    try:
        counts = stage.process(unit, progress)
        storage.write_bytes(receipt, json.dumps(counts, sort_keys=True).encode())
    except JoeiraError:
        raise
    except OSError as error:
        raise RunError(
            f"stage {stage.name}, {_describe(unit)}: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}; mend this and run the same command again, it goes on"
        ) from error
    except Exception as error:
        raise RunError(
            f"stage {stage.name}, {_describe(unit)}: {type(error).__name__}: {error}\n{traceback.format_exc()}"
        ) from error
    finally:
        if progress.path:
            storage.remove(progress.path)
    return str(unit.key)


def _describe(unit: Any) -> str:
    place = getattr(unit, "input", None)
    return f"{place.path} bytes {unit.start}-{unit.stop}" if place else f"part {unit.key}"


@dataclass(frozen=True)
class Slot:
    """A process's place in a run on one machine: it takes the next unit whenever it is free.

    Attributes:
        number: tells slots apart.
        units: all units of the run, in order.
        claims: directory in which a unit is claimed by creating a file, which one process alone can do.
    """

    number: int
    units: tuple[Any, ...]
    claims: str

    def take(self) -> Iterator[Any]:
        """Claim units, one after the other.

        Yields:
            Those that no other process has claimed.
        """
        for unit in self.units:
            try:
                os.close(os.open(os.path.join(self.claims, unit.key), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            yield unit


class RunStages(beam.DoFn):
    """Does the units of one or several stages, one after the other for each unit.

    Args:
        stages: the stages, in order; each takes the same units.
        beam_args: Beam options, which the local runner does not hand to its processes; file systems
            need them (``--s3_endpoint_url`` and the like).
        driver: process id of the driver where it is on this machine: a worker whose driver was killed
            must not go on writing beside the run that follows.
    """

    def __init__(self, stages: Sequence[Stage], beam_args: Sequence[str], driver: int | None) -> None:
        self._stages = list(stages)
        self._beam_args = list(beam_args)
        self._driver = driver

    def setup(self) -> None:
        """Start each stage's tools, and the watch over the driver."""
        prepare_worker(self._beam_args, self._driver)
        for stage in self._stages:
            stage.setup()

    def process(self, element: Any) -> Iterator[str]:
        """Do one unit, or those that a slot takes.

        Args:
            element: a unit or a slot.

        Yields:
            Keys of what was done.
        """
        for unit in element.take() if isinstance(element, Slot) else (element,):
            try:
                for stage in self._stages:
                    run_unit(stage, unit)
            except JoeiraError as error:
                raise RuntimeError(f"{ERROR_MARK}{error}{ERROR_MARK}") from error
            yield unit.key

    def teardown(self) -> None:
        """Release each stage's tools."""
        for stage in self._stages:
            stage.teardown()


def prepare_worker(beam_args: Sequence[str], driver: int | None) -> None:
    """What every worker needs: small memory, file systems, and an eye on its driver.

    Args:
        beam_args: options for Beam's file systems.
        driver: process id of a driver on this machine, else None.
    """
    memory.keep_small()
    FileSystems.set_options(PipelineOptions(list(beam_args)))
    if driver is not None and driver != os.getpid():
        threading.Thread(target=_exit_with, args=(driver,), daemon=True).start()


def _exit_with(driver: int) -> None:
    while True:
        try:
            os.kill(driver, 0)
        except ProcessLookupError:
            os._exit(1)
        time.sleep(0.5)


class SpreadAndRun(beam.PTransform):
    """Units in, keys of finished units out; units are dealt to all workers.

    Args:
        stages: what to do with each unit.
        beam_args: options for Beam's file systems.
        driver: process id of a driver on this machine, else None.
    """

    def __init__(self, stages: Sequence[Stage], *, beam_args: Sequence[str], driver: int | None) -> None:
        super().__init__()
        self._stages = list(stages)
        self._beam_args = beam_args
        self._driver = driver

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Wire it.

        Args:
            units: the units.

        Returns:
            Their keys.
        """
        label = " then ".join(stage.name for stage in self._stages)
        work = RunStages(self._stages, self._beam_args, self._driver)
        return units | "spread" >> beam.Reshuffle() | label >> beam.ParDo(work)
