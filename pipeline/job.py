"""The main job: what a run is made of, where it stands, and the stages in order.

A run is fixed before it starts: its configuration, inputs and versions stand in ``work/run.json``. A later
call with the same goes on where the first stopped; one with another is refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipeline import config as configuration
from pipeline import inputs, manifest, progress, rules
from pipeline.config import Config
from pipeline.errors import RunError, UsageError
from pipeline.inputs import Input, Split
from pipeline.io import storage

# Work files and shards together, by bytes of compressed input: measured 0.2 on the dev crawl, where HTML
# is reduced to text. Text that is text already is written twice.
SPACE_SHARE = {"warc": 0.4, "jsonl": 4.0, "parquet": 2.5, "text": 4.0}


@dataclass(frozen=True, kw_only=True)
class How:
    """How a run is carried out; nothing of it may change the output.

    Attributes:
        runner: name of the Beam runner.
        workers: processes on this machine.
        beam_args: further options for Beam.
        quiet: show no progress.
    """

    runner: str = "local"
    workers: int = 1
    beam_args: tuple[str, ...] = ()
    quiet: bool = False


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
        described = [{key: value for key, value in entry.items() if key != "path"} for entry in inputs.to_dicts(self.inputs)]
        return {
            "format": manifest.FORMAT,
            "config": self.config.to_dict(),
            "inputs": described,
            "versions": manifest.versions(self.config),
        }


def plan(output: str, patterns: Sequence[str], config: Config, *, base: str = "", sample: int | None = None) -> Run:
    """Fix what a run is made of, checking what can be checked before it starts.

    Args:
        output: the output directory.
        patterns: inputs.
        config: the configuration.
        base: prefix of listed paths.
        sample: take only so many files.

    Returns:
        The run; nothing is written yet.

    Raises:
        UsageError: an input is missing, or the configuration cannot work.
    """
    from filters.extraction import engine

    rules.check(config)
    if config.extract.engine not in engine.ENGINES:
        raise UsageError(f"unknown engine {config.extract.engine!r}; known: {', '.join(sorted(engine.ENGINES))}")
    known = _read_json(storage.join(output, "work", "digests.json")) or {}
    found = inputs.resolve(patterns, base=base, sample=sample, known_digests=known)
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
    saved = _read_json(storage.join(output, "work", "run.json"))
    if saved is None:
        raise UsageError(f"{output}: no run stands here (work/run.json is missing); give --input to begin one")
    files = [Input(**entry) for entry in saved["inputs"]]
    return Run(output, configuration.from_dict(saved["identity"]["config"]), files)


def prepare(run: Run) -> None:
    """Take possession of the output directory, or go on in it.

    Args:
        run: the run.

    Raises:
        UsageError: the directory cannot be written, or holds something else.
    """
    storage.check_writable(run.output)
    path = storage.join(run.work, "run.json")
    saved = _read_json(path)
    identity = run.identity()
    if saved is None:
        strangers = [name for name in storage.list_dir(run.output) if not name.startswith(storage.TEMPORARY_PREFIX)]
        if strangers and strangers != ["work"]:
            raise UsageError(f"{run.output} is not empty and no run of joeira stands there (found {strangers[0]}); choose another --output")
        saved = {"identity": identity, "inputs": inputs.to_dicts(run.inputs)}
        storage.write_bytes(path, manifest.encode(saved))
    elif saved["identity"] != identity:
        changes = ", ".join(_differences(saved["identity"], identity)[:4])
        raise UsageError(
            f"{run.output} holds a run made otherwise ({changes}); choose another --output, or remove it to begin anew"
        )
    storage.write_bytes(storage.join(run.work, "digests.json"), manifest.encode(run.digests))


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Keep other processes of this machine out of a run.

    Args:
        run: the run.

    Yields:
        Once.

    Raises:
        UsageError: another process is at it.
    """
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
    return _read_json(storage.join(run.output, "manifest.json"))


def work_on_splits(run: Run, names: Sequence[str], how: How) -> None:
    """Run stages that take input ranges, in one pipeline, over the ranges not done yet.

    Args:
        run: the run.
        names: out of ``extract``, ``annotate``, ``decide``.
        how: how.

    Raises:
        RunError: a stage failed, or one before it is not done.
    """
    from pipeline import runners
    from pipeline.stages.annotate import AnnotateStage
    from pipeline.stages.base import Stage
    from pipeline.stages.decide import DecideStage
    from pipeline.stages.extract import ExtractStage

    config = run.config
    every: dict[str, Stage] = {
        "extract": ExtractStage(work=run.work, read=config.read, config=config.extract),
        "annotate": AnnotateStage(work=run.work, config=config.annotate),
        "decide": DecideStage(work=run.work, annotate=config.annotate, config=config.assemble, report=config.report),
    }
    order = list(every)
    for earlier in order[: order.index(names[0])]:
        missing = every[earlier].pending(run.splits)
        if missing:
            raise RunError(f"stage {names[0]} needs {earlier}, which lacks {len(missing)} of {len(run.splits)} splits; run joeira {earlier} first")
    stages = [every[name] for name in names]
    pending = {unit.key for stage in stages for unit in stage.pending(run.splits)}
    units = [split for split in run.splits if split.key in pending]
    if units and len(units) < len(run.splits) and not how.quiet:
        progress.say(f"going on: {len(run.splits) - len(units)} of {len(run.splits)} splits are done")
    _clean(run, ["receipts/" + name for name in order] + ["documents", "robots", "rejected", "failed", "signals", "decisions"])
    with progress.shown(" + ".join(names), stages, run.splits, how.quiet):
        runners.run(stages, units, runner=how.runner, workers=how.workers, beam_args=how.beam_args)


def write_shards(run: Run, how: How) -> None:
    """Write ``data/``, ``removed/`` and ``failed/``.

    Args:
        run: a run whose splits are decided.
        how: how.
    """
    from pipeline import runners
    from pipeline.stages.shards import Ledger, Shard, ShardStage

    shards, ledgers = _shard_units(run)
    config = run.config
    stage = ShardStage(work=run.work, output=run.output, annotate=config.annotate, config=config.assemble)
    _clean(run, ["receipts/shards"])
    for name in ("data", "removed", "failed"):
        storage.remove_leftovers(storage.join(run.output, name))
    units: list[Shard | Ledger] = [*shards, *ledgers]
    with progress.shown("shards", [stage], units, how.quiet):
        runners.run([stage], stage.pending(units), runner=how.runner, workers=how.workers, beam_args=how.beam_args)


def complete(run: Run, how: How, *, seconds: float | None = None) -> dict[str, Any]:
    """Check conservation, write aggregates, report and dataset card, and last the manifest.

    Args:
        run: a run whose shards are written.
        how: how; goes into the manifest.
        seconds: what the run took, for the manifest.

    Returns:
        The manifest.

    Raises:
        RunError: records were lost, or a rule met no document.
    """
    from pipeline import card, runners
    from pipeline.report import build
    from pipeline.stages.decide import Sampler

    shards, ledgers = _shard_units(run)
    units = [*shards, *ledgers]
    summary = manifest.summarise(
        _receipts(run, "extract", run.splits),
        _receipts(run, "annotate", run.splits),
        _receipts(run, "decide", run.splits),
        _receipts(run, "shards", units),
    )
    idle = rules.never_evaluated(run.config.assemble.rules, summary["rules"], summary["counts"]["documents"])
    if idle:
        raise RunError(f"rule {idle[0]!r} was evaluated on none of {summary['counts']['documents']} documents: its signal is missing on all")
    sampler = Sampler(run.config.report.samples)
    for receipt in _receipts(run, "decide", run.splits):
        for sample in receipt["samples"]:
            sampler.offer(sample["reason"], sample["id"], sample)
    identity = run.identity()
    result = {
        **identity,
        "config_digest": f"sha256:{run.config.fingerprint()}",
        "run_id": manifest.digest_of(identity)[:16],
        **summary,
        "shards": [
            {"file": f"data/part-{shard.number:05d}.parquet", "rows": receipt["rows"]}
            for shard, receipt in zip(shards, _receipts(run, "shards", shards), strict=True)
        ],
        "run": {
            "runner": runners.describe(how.runner, how.workers),
            "seconds": round(seconds, 1) if seconds is not None else None,
        },
    }
    samples = build.masked(sampler.taken())
    storage.write_bytes(storage.join(run.output, "report", "samples.json"), manifest.encode(samples))
    storage.write_bytes(storage.join(run.output, "report", "index.html"), build.render(result, samples))
    storage.write_bytes(storage.join(run.output, "README.md"), card.readme(result).encode())
    storage.write_bytes(storage.join(run.output, "croissant.json"), manifest.encode(card.croissant(result)))
    storage.write_bytes(storage.join(run.output, "manifest.json"), manifest.encode(result))
    return result


def write_report(output: str) -> str:
    """Write the report of a finished run again, from what it kept for that.

    Args:
        output: directory of the run.

    Returns:
        Path of the page.

    Raises:
        UsageError: no finished run stands there.
    """
    from pipeline.report import build

    result = _read_json(storage.join(output, "manifest.json"))
    if result is None:
        raise UsageError(f"{output}: no finished run stands here (manifest.json is missing)")
    samples = json.loads(storage.read_bytes(storage.join(output, "report", "samples.json")))
    path = storage.join(output, "report", "index.html")
    storage.write_bytes(path, build.render(result, samples))
    return path


def curate(run: Run, how: How) -> dict[str, Any]:
    """The whole job; one that is finished is left as it is.

    Args:
        run: a planned run.
        how: how.

    Returns:
        The manifest.
    """
    began = time.monotonic()
    with locked(run):
        prepare(run)
        done = finished(run)
        if done is not None:
            if not how.quiet:
                progress.say(f"{run.output}: this run is finished; nothing to do")
            return done
        work_on_splits(run, ("extract", "annotate", "decide"), how)
        write_shards(run, how)
        return complete(run, how, seconds=time.monotonic() - began)


def space_needed(run: Run) -> int:
    """About how much disk a run takes.

    Args:
        run: the run.

    Returns:
        Bytes.
    """
    return int(sum(item.size * SPACE_SHARE[item.kind] for item in run.inputs)) + (1 << 20)


def _shard_units(run: Run) -> tuple[list[Any], list[Any]]:
    from pipeline.stages import shards

    groups = (
        (split.key, receipt["groups"])
        for split, receipt in zip(run.splits, _receipts(run, "decide", run.splits), strict=True)
    )
    return shards.plan(groups, run.config.assemble.shard_mib << 20), shards.ledgers([split.key for split in run.splits])


def _receipts(run: Run, stage: str, units: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for unit in units:
        path = storage.join(run.work, "receipts", stage, f"{unit.key}.json")
        receipt = _read_json(path)
        if receipt is None:
            raise RunError(f"stage {stage} is not done: {path} is missing; run it first")
        yield receipt


def _clean(run: Run, directories: Sequence[str]) -> None:
    for name in directories:
        storage.remove_leftovers(storage.join(run.work, *name.split("/")))


def _read_json(path: str) -> dict[str, Any] | None:
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
        return [line for key in keys for line in _differences(before.get(key), now.get(key), f"{where}.{key}".lstrip("."))]
    if before == now:
        return []
    short = [text if len(text) < 40 else text[:37] + "..." for text in (json.dumps(before), json.dumps(now))]
    return [f"{where} was {short[0]}, is {short[1]}"]
