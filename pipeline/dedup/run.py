"""The levels of deduplication in order, each an exchange, several, or a stage."""

from __future__ import annotations

from dataclasses import replace

from filters.fingerprints import C4
from pipeline.dedup.clusters import CLUSTERED, LABELLED
from pipeline.dedup.groups import GroupExchange
from pipeline.dedup.index import KEY_COLUMNS, IndexPart, describe
from pipeline.dedup.known import KnownExchange, first_number
from pipeline.dedup.levels import KNOWN, LINE, SUBSTRING
from pipeline.dedup.lines import LineExchange
from pipeline.dedup.near import find_clusters
from pipeline.dedup.standing import Scope
from pipeline.dedup.substrings import SubstringStage
from pipeline.dedup.task import Task, ranges_for
from pipeline.io import storage

# About what a document sends, by what is sent.
_GROUP_BYTES, _LINE_BYTES = 88, 32 * 40


def deduplicate(task: Task) -> None:
    """Find the copies of every level.

    Args:
        task: what is deduplicated.
    """
    for number, level in enumerate(task.config.levels):
        before = replace(task.config, levels=task.config.levels[:number])
        scope = replace(task.scope, dedup=before, prefer=task.config.prefer)
        if level == "near":
            find_clusters(task, scope)
        if level == KNOWN:
            _known(task, scope)
        elif level == SUBSTRING:
            task.work(
                SubstringStage(
                    work=scope.work,
                    scope=replace(scope, prefer=()),
                    words=task.config.substring_words,
                    definition=task.config.line_definition,
                )
            )
        elif level == LINE:
            line = LineExchange(
                work=scope.work,
                ranges=ranges_for(task.documents * _LINE_BYTES),
                splits=scope.splits,
                scope=replace(scope, prefer=()),
                definition=task.config.line_definition,
                documents=2 if task.config.line_definition == C4 else task.config.line_documents,
                keep_one=task.config.line_definition == C4 or task.config.line_keep_one,
            )
            task.in_waves(line)
        else:
            ranges = ranges_for(task.documents * _GROUP_BYTES)
            group = GroupExchange(work=scope.work, ranges=ranges, splits=scope.splits, level=level, scope=scope)
            task.in_waves(replace(group, canonical=task.config.url_canonical))


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
        ranges=ranges_for((own + keys) * 8 * KEY_COLUMNS),
        splits=scope.splits,
        scope=replace(scope, prefer=()),
        parameters=task.parameters,
        indexes=task.config.against,
        threshold=task.config.verify,
    )
    task.in_waves(known, parts)


def forget(work: str) -> None:
    """Remove what a killed run left under temporary names.

    Args:
        work: the directory that holds a folder for each stage.
    """
    near = storage.join(work, "near")
    for name in (*storage.list_dir(near), *(f"clusters/{step}" for step in (LABELLED, CLUSTERED))):
        storage.remove_leftovers(storage.join(near, *name.split("/")))
    for name in (KNOWN, "url", "exact", "near", LINE, SUBSTRING):
        storage.remove_leftovers(storage.join(work, "duplicates", name))
