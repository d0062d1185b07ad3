"""A run: what it is made of, the directory it owns, and where it stands.

A run is fixed before it starts: its configuration, inputs and versions stand in ``work/run.json``. A later
call with the same goes on where the first stopped; one with another is refused.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipeline import config as configuration
from pipeline import inputs, manifest, rules
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.inputs import Input, Split
from pipeline.io import storage

# Work files and shards together, by bytes of compressed input: measured 0.2 on the dev crawl, where HTML
# is reduced to text. Text that is text already is written twice.
SPACE_SHARE = {"warc": 0.4, "jsonl": 4.0, "parquet": 2.5, "text": 4.0}


@dataclass
class Run:
    """A run in its output directory.

    Attributes:
        output: the directory.
        config: its configuration.
        inputs: its input files.
        digests: digests of files by path and version, so that a later call need not read them again.
        splits: the ranges they are read in.
    """

    output: str
    config: Config
    inputs: list[Input]
    digests: dict[str, Any] = field(default_factory=dict)
    splits: list[Split] = field(init=False)

    def __post_init__(self) -> None:
        self.splits = inputs.splits(self.inputs, self.config.read.split_mib)

    @property
    def work(self) -> str:
        """The directory of stage outputs.

        Returns:
            Its path.
        """
        return storage.join(self.output, "work")

    def identity(self) -> dict[str, Any]:
        """What the output is made of.

        Returns:
            Plain values; two runs with equal ones write the same ``data/``.
        """
        described = [
            {key: value for key, value in entry.items() if key != "path"} for entry in inputs.to_dicts(self.inputs)
        ]
        return {
            "format": manifest.FORMAT,
            "config": self.config.to_dict(),
            "inputs": described,
            "versions": manifest.versions(self.config),
        }

    def saved(self) -> dict[str, Any]:
        """What ``work/run.json`` holds.

        Returns:
            The identity, and where the inputs lie.
        """
        return {"identity": self.identity(), "inputs": inputs.to_dicts(self.inputs)}


def plan(
    output: str,
    patterns: Sequence[str],
    config: Config,
    *,
    base: str = "",
    sample: int | None = None,
    robots: Sequence[str] = (),
    latest: Sequence[str] = (),
) -> Run:
    """Fix what a run is made of, checking what can be checked before it starts.

    Args:
        output: the output directory.
        patterns: inputs.
        config: the configuration.
        base: prefix of listed paths.
        sample: take only so many files.
        robots: inputs of which only captures of robots.txt and its kin are read.
        latest: the same, of a later time.

    Returns:
        The run; nothing is written yet.

    Raises:
        UsageError: an input is missing, or the configuration cannot work.
    """
    from filters import blocklist
    from filters.extraction import engine

    rules.check(config)
    try:
        engine.check_options(config.extract.engine, config.extract.options)
        blocklist.load(config.urls.blocklists)
    except ValueError as error:
        raise UsageError(str(error)) from error
    known = read_json(storage.join(output, "work", "digests.json")) or {}
    found = inputs.resolve(patterns, base=base, sample=sample, known_digests=known, robots=robots, latest=latest)
    return Run(output, config, found, known)


def reopen(output: str) -> Run:
    """The run that stands in a directory.

    Args:
        output: the directory.

    Returns:
        The run as it was planned.

    Raises:
        UsageError: there is none.
    """
    saved = read_json(storage.join(output, "work", "run.json"))
    if saved is None:
        raise UsageError(f"{output}: no run stands here (work/run.json is missing); give --input to begin one")
    files = [Input(**entry) for entry in saved["inputs"]]
    return Run(output, configuration.from_dict(saved["identity"]["config"]), files)


@contextmanager
def claimed(run: Run) -> Iterator[None]:
    """Take possession of the output directory, or go on in it; no other process of this machine may meanwhile.

    Args:
        run: the run.

    Yields:
        Once.

    Raises:
        UsageError: the directory cannot be written, holds something else, or another process is at it.
    """
    saved = _own(run)
    storage.check_writable(run.output)
    with _locked(run):
        if saved is None:
            storage.write_bytes(storage.join(run.work, "run.json"), manifest.encode(run.saved()))
        storage.write_bytes(storage.join(run.work, "digests.json"), manifest.encode(run.digests))
        yield


def _own(run: Run) -> dict[str, Any] | None:
    """What an earlier call with the same run saved; refuses whatever else the directory holds."""
    saved = read_json(storage.join(run.work, "run.json"))
    if saved is None:
        strangers = [name for name in storage.list_dir(run.output) if name != "work"]
        if strangers:
            raise UsageError(
                f"{run.output} is not empty and no run of joeira stands there (found {strangers[0]}); "
                "choose another --output"
            )
    elif saved["identity"] != run.identity():
        changes = ", ".join(_differences(saved["identity"], run.identity())[:4])
        raise UsageError(
            f"{run.output} holds a run made otherwise ({changes}); choose another --output, or remove it to begin anew"
        )
    return saved


@contextmanager
def _locked(run: Run) -> Iterator[None]:
    if storage.is_remote(run.output):
        yield
        return
    os.makedirs(run.work, exist_ok=True)
    with open(os.path.join(run.work, "lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another process is working in {run.output}") from error
        yield


def finished(run: Run) -> dict[str, Any] | None:
    """The manifest, where the run is finished.

    Args:
        run: the run.

    Returns:
        Its content, or None.
    """
    return read_json(storage.join(run.output, "manifest.json"))


def space_needed(run: Run) -> int:
    """About how much disk a run takes.

    Args:
        run: the run.

    Returns:
        Bytes.
    """
    return int(sum(item.size * SPACE_SHARE[item.kind] for item in run.inputs)) + (1 << 20)


def read_json(path: str) -> dict[str, Any] | None:
    """A JSON object from a file.

    Args:
        path: the file.

    Returns:
        The object, or None where there is no such file or it holds something else.

    Raises:
        UsageError: the file is no JSON.
    """
    try:
        if not storage.exists(path):
            return None
        values = json.loads(storage.read_bytes(path))
    except ValueError as error:
        raise UsageError(f"{path} is damaged ({error}); remove the output and begin anew") from error
    return values if isinstance(values, dict) else None


def _differences(before: Any, now: Any, where: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted({*before, *now})
        return [
            line for key in keys for line in _differences(before.get(key), now.get(key), f"{where}.{key}".lstrip("."))
        ]
    if before == now:
        return []
    short = [text if len(text) < 40 else text[:37] + "..." for text in (json.dumps(before), json.dumps(now))]
    return [f"{where} was {short[0]}, is {short[1]}"]
