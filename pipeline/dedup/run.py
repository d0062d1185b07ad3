"""The levels of deduplication in order, each an exchange or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from filters.fingerprints import C4
from filters.minhash import Parameters
from pipeline.config import Dedup
from pipeline.dedup.bands import BandExchange
from pipeline.dedup.clusters import read_pairs, write_clusters, write_pairs
from pipeline.dedup.components import components
from pipeline.dedup.groups import GroupExchange
from pipeline.dedup.index import KEY_COLUMNS, IndexPart, describe
from pipeline.dedup.known import KnownExchange, first_number
from pipeline.dedup.lines import LineExchange
from pipeline.dedup.standing import KNOWN, Scope
from pipeline.dedup.verify import VerifyExchange, cluster_ranges
from pipeline.io import storage
from pipeline.stages.exchange import Exchange, Hashes

# What a range of hashes holds, and what one pipeline holds on a runner that keeps all in memory.
RANGE_BYTES = 16 << 20
WAVE_BYTES = 256 << 20
# About what a document sends, by what is sent.
_GROUP_BYTES, _LINE_BYTES, _SHINGLE_BYTES = 88, 32 * 40, 8 * 1000

Run = Callable[[Exchange, Sequence[Any]], None]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is deduplicated, and by what.

    Attributes:
        scope: the documents; its levels are filled in as they are done.
        config: the configuration.
        parameters: of signatures.
        documents: how many there are.
        run: runs an exchange over all splits and further units.
    """

    scope: Scope
    config: Dedup
    parameters: Parameters
    documents: int
    run: Run


def deduplicate(task: Task) -> None:
    """Find the copies of every level.

    Args:
        task: what is deduplicated.
    """
    for number, level in enumerate(task.config.levels):
        scope = replace(task.scope, levels=task.config.levels[:number], prefer=task.config.prefer)
        if level == "near":
            _clusters(task, scope)
        if level == KNOWN:
            _known(task, scope)
        elif level == "line":
            line = LineExchange(
                work=scope.work,
                ranges=_ranges(task.documents * _LINE_BYTES),
                splits=scope.splits,
                scope=replace(scope, prefer=()),
                definition=task.config.line_definition,
                documents=2 if task.config.line_definition == C4 else task.config.line_documents,
                keep_one=task.config.line_definition == C4 or task.config.line_keep_one,
            )
            _in_waves(task, line)
        else:
            ranges = _ranges(task.documents * _GROUP_BYTES)
            _in_waves(
                task, GroupExchange(work=scope.work, ranges=ranges, splits=scope.splits, level=level, scope=scope)
            )


def _known(task: Task, scope: Scope) -> None:
    """Documents that indexes have; their keys are units of work beside the splits."""
    parts, keys = [], 0
    for place, path in enumerate(task.config.against):
        keys += describe(path, task.parameters)["keys"]
        names = sorted(storage.list_dir(path, "keys-*.parquet"))
        parts += [
            IndexPart(f"index-{place}-{name}", storage.join(path, name), first_number(place)) for name in names
        ]  # fmt: skip
    own = task.documents * (task.parameters.bands + 2)
    known = KnownExchange(
        work=scope.work,
        ranges=_ranges((own + keys) * 8 * KEY_COLUMNS),
        splits=scope.splits,
        scope=replace(scope, prefer=()),
        parameters=task.parameters,
        indexes=task.config.against,
        threshold=task.config.verify,
    )
    _in_waves(task, known, parts)


def _clusters(task: Task, scope: Scope) -> None:
    """Clusters of near-duplicates: candidates, provisional clusters, verified pairs, clusters."""
    work, config = scope.work, task.config
    bands = BandExchange(
        work=work,
        ranges=_ranges(task.documents * 16 * config.bands),
        scope=replace(scope, prefer=()),
        parameters=task.parameters,
        bucket_pairs=config.bucket_pairs,
    )
    _in_waves(task, bands)
    pairs, similarity = read_pairs(work, "candidates", range(bands.ranges))
    pairs = np.unique(pairs, axis=0)
    if config.verify:
        pairs, similarity = _verified(task, scope, pairs)
    else:
        similarity = np.full(len(pairs), np.nan)
    _write_clusters(scope, pairs, similarity)


def _verified(task: Task, scope: Scope, pairs: Hashes) -> tuple[Hashes, Any]:
    places, labels = _write_clusters(scope, pairs, np.full(len(pairs), np.nan))
    ranges = _ranges(len(places) * _SHINGLE_BYTES)
    numbers = cluster_ranges(labels[np.searchsorted(places, pairs[:, 0])], ranges)
    for number in range(ranges):
        chosen = pairs[numbers == number]
        write_pairs(scope.work, "provisional", number, chosen, np.zeros(len(chosen)))
    verify = VerifyExchange(
        work=scope.work,
        ranges=ranges,
        parameters=task.parameters,
        threshold=task.config.verify,
        places={key: place for place, key in enumerate(scope.splits)},
    )
    _in_waves(task, verify)
    return read_pairs(scope.work, "verified", range(ranges))


def _write_clusters(scope: Scope, pairs: Hashes, similarity: Any) -> tuple[Hashes, Hashes]:
    places, labels = components(pairs)
    nearest = np.full(len(places), -1.0)
    for side in (0, 1):
        np.fmax.at(nearest, np.searchsorted(places, pairs[:, side]), similarity)
    write_clusters(scope.work, scope.splits, places, labels, np.where(nearest < 0, np.nan, nearest))
    return places, labels


def _ranges(size: int) -> int:
    return 1 + size // RANGE_BYTES


def _in_waves(task: Task, exchange: Exchange, units: Sequence[Any] = ()) -> None:
    for wave in _waves(exchange.ranges):
        task.run(replace(exchange, wave=wave), units)


def _waves(ranges: int) -> Iterator[tuple[int, int]]:
    step = WAVE_BYTES // RANGE_BYTES
    for first in range(0, ranges, step):
        yield first, first + step


def forget(work: str) -> None:
    """Remove what a killed run left under temporary names.

    Args:
        work: the directory that holds a folder for each stage.
    """
    for name in ("candidates", "provisional", "verified", "clusters"):
        storage.remove_leftovers(storage.join(work, "near", name))
    for name in (KNOWN, "url", "exact", "near", "line"):
        storage.remove_leftovers(storage.join(work, "duplicates", name))
