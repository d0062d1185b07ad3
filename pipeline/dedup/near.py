"""The level ``near``: candidates, provisional clusters, verified pairs, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.dedup.bands import BandExchange
from pipeline.dedup.clusters import (
    CLUSTERED,
    LABELLED,
    Part,
    count_pairs,
    parts,
    read_pairs,
    write_clusters,
    write_pairs,
)
from pipeline.dedup.components import components
from pipeline.dedup.standing import Scope, splits_of
from pipeline.dedup.stars import LabelExchange, StarExchange
from pipeline.dedup.task import Task, counted, ranges_for
from pipeline.dedup.verify import VerifyExchange

# Pairs that are joined in memory: some 16 GB. More go through rounds of exchanges.
MOST_PAIRS = 100_000_000
# Of what is written for the next step, pairs in a file.
_PART_PAIRS = 1 << 22
# What a document or a pair sends.
_SHINGLE_BYTES, _PAIR_BYTES, _LABEL_BYTES = 8 * 1000, 2 * 16, 3 * 32


def find_clusters(task: Task, scope: Scope) -> None:
    """Find clusters of near-duplicates, and write the cluster of each document.

    Args:
        task: what is deduplicated.
        scope: the documents that still stand.
    """
    bands = BandExchange(
        work=scope.work,
        ranges=ranges_for(task.documents * 16 * task.config.bands),
        scope=replace(scope, prefer=()),
        parameters=task.parameters,
        bucket_pairs=task.config.bucket_pairs,
    )
    task.in_waves(bands)
    candidates = parts(scope.work, "candidates")
    if not task.config.verify:
        _label(task, candidates, CLUSTERED)
        return
    documents, labelled = _label(task, candidates, LABELLED)
    verify = VerifyExchange(
        work=scope.work,
        ranges=ranges_for(documents * _SHINGLE_BYTES),
        parameters=task.parameters,
        threshold=task.config.verify,
        places={key: place for place, key in enumerate(scope.splits)},
    )
    task.in_waves(verify, labelled)
    _label(task, parts(scope.work, "verified"), CLUSTERED)


def _label(task: Task, found: Sequence[Part], target: str) -> tuple[int, list[Part]]:
    """Write the cluster of each document, and pairs with their clusters.

    Args:
        task: what is deduplicated.
        found: the pairs.
        target: the step that is written.

    Returns:
        How many documents are in a cluster, and the parts that were written.
    """
    pairs = count_pairs(task.scope.work, found)
    return (_in_memory if pairs <= MOST_PAIRS else _in_rounds)(task, found, target, pairs)


def _in_memory(task: Task, found: Sequence[Part], target: str, _: int) -> tuple[int, list[Part]]:
    work, splits = task.scope.work, task.scope.splits
    pairs, similarity = read_pairs(work, found)
    places, labels = components(pairs)
    first = np.searchsorted(places, pairs[:, 0])
    nearest = np.full(len(places), -1.0)
    np.fmax.at(nearest, first, similarity)
    np.fmax.at(nearest, np.searchsorted(places, pairs[:, 1]), similarity)
    nearest = np.where(nearest < 0, np.nan, nearest)
    bounds = np.searchsorted(splits_of(places), np.arange(len(splits) + 1)).tolist()
    for key, start, stop in zip(splits, bounds, bounds[1:], strict=False):
        write_clusters(work, target, f"{key}.00000", places[start:stop], labels[start:stop], nearest[start:stop])
    written = [Part(target, number) for number in range(-(-len(pairs) // _PART_PAIRS))]
    for part in written:
        chosen = slice(part.number * _PART_PAIRS, (part.number + 1) * _PART_PAIRS)
        write_pairs(work, part, pairs[chosen], clusters=labels[first[chosen]])
    return len(places), written


def _in_rounds(task: Task, found: Sequence[Part], target: str, pairs: int) -> tuple[int, list[Part]]:
    ranges = ranges_for(pairs * _PAIR_BYTES)
    current, number, loose, step = list(found), 0, 1, ""
    while loose:
        for large in (True, False):
            step = f"{target}.{number:02d}.{'large' if large else 'small'}"
            star = StarExchange(work=task.scope.work, ranges=ranges, large=large, target=step)
            task.in_waves(star, current)
            if large:
                loose = counted(star, "loose")
            current = parts(task.scope.work, step)
        number += 1
    label = LabelExchange(
        work=task.scope.work,
        ranges=ranges_for(pairs * _LABEL_BYTES),
        splits=task.scope.splits,
        stars=step,
        target=target,
    )
    task.in_waves(label, [*current, *found])
    return counted(label, "documents"), parts(task.scope.work, target)
