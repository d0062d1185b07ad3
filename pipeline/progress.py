"""Documents a second and time left, on one line of a terminal or one plain line now and then."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from pipeline.io import storage

_TERMINAL_SECONDS, _PLAIN_SECONDS = 0.5, 5.0


@contextmanager
def shown(label: str, stages: Sequence[Any], units: Sequence[Any], quiet: bool) -> Iterator[None]:
    """Show how far stages are while they run.

    Args:
        label: what to call them.
        stages: the stages of the running pipeline.
        units: all their units, done ones too.
        quiet: show nothing.

    Yields:
        Once, around the run.
    """
    local = bool(stages) and not storage.is_remote(stages[0].work)
    if quiet or not local:
        yield
        return
    place = os.path.join(stages[0].work, "progress")
    os.makedirs(place, exist_ok=True)
    for name in storage.list_dir(place):
        storage.remove(os.path.join(place, name))  # what a killed run left
    stop = threading.Event()
    # The stream as it is now: runners keep others from writing to it while they run.
    thread = threading.Thread(target=_show, args=(label, stages, units, stop, sys.stderr), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def stated(label: str, quiet: bool) -> Iterator[None]:
    """Say what a step that shows no progress took.

    Args:
        label: what to call it.
        quiet: say nothing.

    Yields:
        Once, around the step.
    """
    began = time.monotonic()
    yield
    if not quiet:
        say(f"{label}: {_span(time.monotonic() - began)}")


def say(message: str) -> None:
    """One plain line for people, on standard error.

    Args:
        message: the line.
    """
    print(message, file=sys.stderr, flush=True)


def _show(label: str, stages: Sequence[Any], units: Sequence[Any], stop: threading.Event, stream: TextIO) -> None:
    terminal = stream.isatty()
    weights = {unit.key: max(1, getattr(unit, "stop", 1) - getattr(unit, "start", 0)) for unit in units}
    total = sum(weights.values()) * len(stages)
    began = time.monotonic()
    first = _state(stages, weights)
    while not stop.wait(_TERMINAL_SECONDS if terminal else _PLAIN_SECONDS):
        documents, done = _state(stages, weights)
        seconds = time.monotonic() - began
        rate = (documents - first[0]) / seconds
        moved = done - first[1]
        left = f"{_span((total - done) * seconds / moved)} left" if moved > 0 else "time left unknown"
        line = f"{label}: {done / max(1, total):4.0%}  {documents} documents  {rate:.0f}/s  {left}"
        print(f"\r{line:<79}" if terminal else line, end="" if terminal else "\n", file=stream, flush=True)
    if terminal:
        print(f"\r{'':<79}\r", end="", file=stream, flush=True)


def _state(stages: Sequence[Any], weights: dict[str, int]) -> tuple[int, float]:
    """Documents of units under way or done in this process's sight, and the weight of what is done."""
    documents, done = 0, 0.0
    work = stages[0].work
    for stage in stages:
        for name in storage.list_dir(os.path.join(work, "receipts", stage.name), "*.json"):
            done += weights.get(name.removesuffix(".json"), 0)
    for name in storage.list_dir(os.path.join(work, "progress")):
        stage_name, _, key = name.partition("-")
        try:
            count, fraction = storage.read_bytes(os.path.join(work, "progress", name)).split()
        except (OSError, ValueError):
            continue
        if any(stage.name == stage_name for stage in stages):
            documents += int(count)
            done += float(fraction) * weights.get(key, 0)
    return documents + _SEEN.finished(stages, weights), done


class _Finished:
    """Documents of finished units, read from their receipts once each."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def finished(self, stages: Sequence[Any], weights: dict[str, int]) -> int:
        import json

        total = 0
        for key in weights:
            path = stages[0].receipt_path(key)
            if path not in self._known:
                if not os.path.exists(path):
                    continue
                tallies = json.loads(storage.read_bytes(path)).get("tallies", {})
                self._known[path] = sum(entry["count"] for name, entry in tallies.items() if name != "in")
            total += self._known[path]
        return total


_SEEN = _Finished()


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
