"""What depends on all documents: copies, and hosts that have too many."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from pipeline import progress, rules, runners
from pipeline.consent.aliases import HOPS, AliasExchange
from pipeline.consent.captures import CaptureExchange, directories
from pipeline.dedup.run import deduplicate, forget
from pipeline.dedup.standing import Scope
from pipeline.dedup.task import Task, counted, in_waves, ranges_for
from pipeline.inputs import LATEST
from pipeline.io import storage
from pipeline.job import How, clean, receipts, work_on_splits
from pipeline.runs import Run
from pipeline.stages.base import Stage
from pipeline.stages.exchange import Exchange
from pipeline.stages.hosts import HostExchange
from pipeline.tally import add_counts

# 16 bytes each: a range of hosts is settled in some 16 MiB.
_DOCUMENTS_A_RANGE = 1 << 20
# A capture of robots.txt on average, and what of a page is asked.
_CAPTURE_BYTES, _PAGE_BYTES = 3000, 24


def scope(run: Run) -> Scope:
    """All documents of a run.

    Args:
        run: the run.

    Returns:
        What exchanges read.
    """
    return Scope(
        work=run.work,
        splits=tuple(split.key for split in run.splits),
        annotate=run.config.annotate,
        rules=rules.resolve(run.config),
        assemble=run.config.assemble,
    )


def _documents(run: Run) -> int:
    return sum(receipt["documents"] for receipt in receipts(run, "annotate", run.splits))


def _carry_out(run: Run, how: How, exchange: Exchange, units: Sequence[Any] = ()) -> None:
    clean(run, [f"receipts/{exchange.label}"])
    with progress.stated(exchange.label, how.quiet):
        runners.run_exchange(
            exchange, [*run.splits, *units], runner=how.runner, workers=how.workers, beam_args=how.beam_args
        )


def _work(run: Run, how: How, stage: Stage) -> None:
    clean(run, [f"receipts/{stage.name}"])
    pending = stage.pending(run.splits)
    with progress.shown(stage.name, [stage], run.splits, how.quiet):
        runners.run([stage], pending, runner=how.runner, workers=how.workers, beam_args=how.beam_args)


def ask_consent(run: Run, how: How) -> None:
    """Ask of every page what it and its site say about training.

    Args:
        run: a run whose splits are extracted.
        how: how.
    """
    match_captures(run, how)
    work_on_splits(run, ("consent",), how)


def match_captures(run: Run, how: How) -> None:
    """Bring captures of robots.txt and its kin to the splits whose pages they speak of.

    Args:
        run: a run whose splits are extracted.
        how: how.
    """
    found = list(receipts(run, "extract", run.splits))
    captures = sum(receipt["tallies"]["captures"]["count"] for receipt in found)
    pages = sum(receipt["tallies"]["documents"]["count"] for receipt in found)
    if not captures:
        return
    keys = tuple(split.key for split in run.splits)
    hops, loose = 0, sum(receipt["redirects"] for receipt in found)
    while loose and hops < HOPS:
        hop = AliasExchange(work=run.work, ranges=1 + captures // _DOCUMENTS_A_RANGE, splits=keys, hop=hops)
        clean(run, [f"{hop.name}/{hops}"])
        _carry_out(run, how, hop)
        loose = counted(hop, "open")
        hops += 1
    exchange = CaptureExchange(
        work=run.work,
        ranges=ranges_for(captures * _CAPTURE_BYTES + pages * _PAGE_BYTES),
        splits=keys,
        hops=hops,
        later=any(item.role == LATEST for item in run.inputs),
    )
    clean(run, directories())
    for wave in in_waves(exchange):
        _carry_out(run, how, wave)


def find_copies(run: Run, how: How) -> None:
    """Deduplicate, by the levels that the configuration names.

    Args:
        run: a run whose splits are annotated.
        how: how.
    """
    if not run.config.dedup.levels:
        return

    forget(run.work)
    deduplicate(
        Task(
            scope=scope(run),
            config=run.config.dedup,
            parameters=rules.parameters(run.config.dedup),
            documents=_documents(run),
            run=partial(_carry_out, run, how),
            work=partial(_work, run, how),
        )
    )


def cap_hosts(run: Run, how: How) -> None:
    """Find the hosts that have more documents than the configuration allows, if it sets a cap.

    Args:
        run: a run whose splits are annotated.
        how: how.
    """
    if not run.config.urls.host_cap:
        return
    exchange = HostExchange(
        work=run.work,
        ranges=1 + _documents(run) // _DOCUMENTS_A_RANGE,
        cap=run.config.urls.host_cap,
        scope=dataclasses.replace(scope(run), dedup=run.config.dedup),
    )
    clean(run, [exchange.name])
    _carry_out(run, how, exchange)


def counts(run: Run) -> dict[str, dict[str, int]]:
    """What deduplication counted, over all ranges and waves.

    Args:
        run: the run.

    Returns:
        Counts by step.
    """
    found: dict[str, dict[str, int]] = {}
    directory = storage.join(run.work, "receipts")
    for label in sorted(storage.list_dir(directory, "dedup-*")):
        step = label.split("-")[1]
        for name in storage.list_dir(storage.join(directory, label), "[0-9]*.json"):
            add_counts(
                found.setdefault(step, {}),
                json.loads(storage.read_bytes(storage.join(directory, label, name)))["counts"],
            )
    return found
