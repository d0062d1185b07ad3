"""The main job: the stages in order, and what closes a run.

The stages over input ranges run in one pipeline, one after the other for each range, so a range is finished
before the next begins; shards follow when all are decided.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import manifest, progress, rules
from pipeline.errors import RunError, UsageError
from pipeline.io import storage
from pipeline.runs import Run, claimed, finished, read_json

if TYPE_CHECKING:  # heavy: only runs need them
    from pipeline.stages.base import Stage


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


def stages_of(run: Run) -> dict[str, Stage]:
    """The stages that take input ranges.

    Args:
        run: the run.

    Returns:
        Them by name, in order.
    """
    from pipeline.consent.stage import ConsentStage
    from pipeline.stages.annotate import AnnotateStage
    from pipeline.stages.decide import DecideStage
    from pipeline.stages.extract import ExtractStage

    config = run.config
    return {
        "extract": ExtractStage(work=run.work, read=config.read, urls=config.urls, config=config.extract),
        "annotate": AnnotateStage(work=run.work, config=config.annotate, settings=rules.settings(config)),
        "consent": ConsentStage(work=run.work, config=config.consent),
        "decide": DecideStage(
            work=run.work,
            annotate=config.annotate,
            rules=rules.resolve(config),
            config=config.assemble,
            report=config.report,
            dedup=config.dedup,
            host_cap=config.urls.host_cap,
        ),
    }


def shard_stage(run: Run) -> Stage:
    """The stage that writes ``data/``, ``removed/`` and ``failed/``.

    Args:
        run: the run.

    Returns:
        The stage.
    """
    from pipeline.stages.shards import ShardStage

    config = run.config
    return ShardStage(
        work=run.work,
        output=run.output,
        annotate=config.annotate,
        rules=rules.resolve(config),
        config=config.assemble,
        weighted=config.dedup.rehydrate,
        line_definition=config.dedup.line_definition,
    )


def work_on_splits(run: Run, names: Sequence[str], how: How) -> None:
    """Run stages that take input ranges, in one pipeline, over the ranges not done yet.

    Args:
        run: the run.
        names: out of ``extract``, ``annotate``, ``consent``, ``decide``.
        how: how.

    Raises:
        RunError: a stage failed, or one before it is not done.
    """
    from pipeline import runners

    every = stages_of(run)
    order = list(every)
    for earlier in order[: order.index(names[0])]:
        missing = every[earlier].pending(run.splits)
        if missing:
            raise RunError(
                f"stage {names[0]} needs {earlier}, which lacks {len(missing)} of {len(run.splits)} splits; "
                f"run joeira {earlier} first"
            )
    stages = [every[name] for name in names]
    pending = {unit.key for stage in stages for unit in stage.pending(run.splits)}
    units = [split for split in run.splits if split.key in pending]
    if units and len(units) < len(run.splits) and not how.quiet:
        progress.say(f"going on: {len(run.splits) - len(units)} of {len(run.splits)} splits are done")
    clean(
        run,
        ["receipts/" + name for name in order]
        + ["documents", "robots", "rejected", "failed", "signals", "cleaned", "consent", "decisions"],
    )
    with progress.shown(" + ".join(names), stages, run.splits, how.quiet):
        runners.run(stages, units, runner=how.runner, workers=how.workers, beam_args=how.beam_args)


def decide(run: Run, how: How) -> None:
    """Settle what depends on all documents, then decide on each.

    Args:
        run: a run whose splits are annotated.
        how: how.
    """
    from pipeline import exchanges

    if not run.config.dedup.levels and not run.config.urls.host_cap:
        exchanges.match_captures(run, how)
        work_on_splits(run, ("consent", "decide"), how)
        return
    exchanges.ask_consent(run, how)
    exchanges.find_copies(run, how)
    exchanges.cap_hosts(run, how)
    work_on_splits(run, ("decide",), how)


def write_shards(run: Run, how: How) -> None:
    """Write ``data/``, ``removed/`` and ``failed/``.

    Args:
        run: a run whose splits are decided.
        how: how.
    """
    from pipeline import runners, takedown

    takedown.guard(run.output)
    shards, ledgers = shard_units(run)
    stage = shard_stage(run)
    clean(run, ["receipts/shards"])
    for name in ("data", "removed", "failed"):
        storage.remove_leftovers(storage.join(run.output, name))
    units = [*shards, *ledgers]
    # A single shard is written sooner than a second process starts; ledgers are small beside shards.
    workers = max(1, min(how.workers, len(shards)))
    with progress.shown("shards", [stage], units, how.quiet):
        runners.run([stage], stage.pending(units), runner=how.runner, workers=workers, beam_args=how.beam_args)


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
    from pipeline import card, exchanges, runners
    from pipeline.report import build
    from pipeline.stages.decide import Sampler
    from pipeline.stages.hosts import REASON

    shards, ledgers = shard_units(run)
    units = [*shards, *ledgers]
    summary = manifest.summarise(
        receipts(run, "extract", run.splits),
        receipts(run, "annotate", run.splits),
        receipts(run, "consent", run.splits),
        receipts(run, "decide", run.splits),
        receipts(run, "shards", units),
    )
    resolved = rules.resolve(run.config)
    idle = rules.never_evaluated(resolved, summary["rules"], summary["counts"]["documents"])
    if run.config.urls.host_cap and summary["conservation"]["kept"] and REASON not in summary["rules"]:
        idle.append(REASON)
    if idle:
        raise RunError(
            f"rule {idle[0]!r} was evaluated on none of {summary['counts']['documents']} documents: "
            "its signal is missing on all"
        )
    sampler = Sampler(run.config.report.samples)
    for receipt in receipts(run, "decide", run.splits):
        for sample in receipt["samples"]:
            sampler.offer(sample["reason"], sample["id"], sample)
    identity = run.identity()
    result = {
        **identity,
        "config_digest": f"sha256:{run.config.fingerprint()}",
        "run_id": manifest.digest_of(identity)[:16],
        **summary,
        "dedup": exchanges.counts(run),
        "limits": [dataclasses.asdict(rule) for rule in (*resolved, *rules.across_documents(run.config))],
        "shards": [
            {"file": f"data/part-{shard.number:05d}.parquet", "rows": receipt["rows"]}
            for shard, receipt in zip(shards, receipts(run, "shards", shards), strict=True)
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

    result = read_json(storage.join(output, "manifest.json"))
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
    with claimed(run):
        done = finished(run)
        if done is not None:
            if not how.quiet:
                progress.say(f"{run.output}: this run is finished; nothing to do")
            return done
        if run.config.urls.host_cap or run.config.dedup.levels or any(item.kind == "warc" for item in run.inputs):
            work_on_splits(run, ("extract", "annotate"), how)
            decide(run, how)
        else:
            # No captures of robots.txt can be among texts: nothing depends on other documents.
            work_on_splits(run, ("extract", "annotate", "consent", "decide"), how)
        write_shards(run, how)
        return complete(run, how, seconds=time.monotonic() - began)


def shard_units(run: Run) -> tuple[list[Any], list[Any]]:
    """What the shards stage has to write.

    Args:
        run: a run whose splits are decided.

    Returns:
        The shards of ``data/``, and the ledgers of ``removed/`` and ``failed/``.
    """
    from pipeline.stages import shards

    groups = (
        (split.key, receipt["groups"])
        for split, receipt in zip(run.splits, receipts(run, "decide", run.splits), strict=True)
    )
    return shards.plan(groups, run.config.assemble.shard_mib << 20), shards.ledgers([split.key for split in run.splits])


def receipts(run: Run, stage: str, units: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """What a stage counted.

    Args:
        run: the run.
        stage: the stage.
        units: its units.

    Yields:
        Their receipts, in order.

    Raises:
        RunError: one is missing.
    """
    for unit in units:
        path = storage.join(run.work, "receipts", stage, f"{unit.key}.json")
        receipt = read_json(path)
        if receipt is None:
            raise RunError(f"stage {stage} is not done: {path} is missing; run it first")
        yield receipt


def clean(run: Run, directories: Sequence[str]) -> None:
    """Remove what a killed run left under temporary names.

    Args:
        run: the run.
        directories: below ``work/``.
    """
    for name in directories:
        storage.remove_leftovers(storage.join(run.work, *name.split("/")))
