"""Files between the steps of near-deduplication: pairs by range, and the cluster of each document by split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.dedup.standing import rows_in_split, splits_of
from pipeline.io import storage
from pipeline.io.parquet import write_table
from pipeline.stages.exchange import Hashes

Floats = NDArray[np.float64]

PAIRS = pa.schema([("first", pa.uint64()), ("second", pa.uint64()), ("similarity", pa.float64())])
_CLUSTERS = pa.schema([("row", pa.int64()), ("cluster", pa.uint64()), ("similarity", pa.float64())])


def write_pairs(work: str, step: str, number: int, pairs: Hashes, similarity: Floats) -> None:
    """Write the pairs of one range.

    Args:
        work: the directory that holds a folder for each stage.
        step: ``candidates``, ``provisional`` or ``verified``.
        number: the range.
        pairs: N x 2 places.
        similarity: of each.
    """
    table = pa.table([pairs[:, 0], pairs[:, 1], similarity], schema=PAIRS)
    write_table(_pairs_path(work, step, number), table)


def read_pairs(work: str, step: str, numbers: Sequence[int]) -> tuple[Hashes, Floats]:
    """Read the pairs of ranges.

    Args:
        work: the directory that holds a folder for each stage.
        step: the step.
        numbers: the ranges.

    Returns:
        N x 2 places, and the similarity of each pair.
    """
    tables = []
    for path in (_pairs_path(work, step, number) for number in numbers):
        if storage.exists(path):
            with storage.open_read(path) as file:
                tables.append(pq.read_table(file, schema=PAIRS))
    table = pa.concat_tables(tables) if tables else PAIRS.empty_table()
    places = [table[name].to_numpy() for name in ("first", "second")]
    return np.stack(places, axis=1), table["similarity"].to_numpy()


def write_clusters(
    work: str,
    splits: Sequence[str],
    places: Hashes,
    labels: Hashes,
    similarity: Floats,
) -> None:
    """Write the cluster of each document beside its split.

    Args:
        work: the directory that holds a folder for each stage.
        splits: keys of all splits.
        places: the documents, ascending.
        labels: their clusters.
        similarity: of each to the most similar other member.
    """
    owners = splits_of(places)
    bounds = np.searchsorted(owners, np.arange(len(splits) + 1))
    for number, key in enumerate(splits):
        part = slice(int(bounds[number]), int(bounds[number + 1]))
        path = storage.join(work, "near", "clusters", f"{key}.parquet")
        columns = [rows_in_split(places[part]), labels[part], similarity[part]]
        write_table(path, pa.table(columns, schema=_CLUSTERS))


def read_clusters(work: str, key: str, place: int | None = None) -> dict[int, tuple[int, int]]:
    """The clusters of one split's documents.

    Args:
        work: the directory that holds a folder for each stage.
        key: the split.
        place: the split's place among all; None leaves rows as they are.

    Returns:
        By place of the document (or row): its cluster, and the bits of its similarity.
    """
    path = storage.join(work, "near", "clusters", f"{key}.parquet")
    if not storage.exists(path):
        return {}
    with storage.open_read(path) as file:
        table = pq.read_table(file, schema=_CLUSTERS)
    base = 0 if place is None else place << 32
    bits = table["similarity"].to_numpy().view(np.uint64).tolist()
    found = zip(table["row"].to_pylist(), table["cluster"].to_pylist(), bits, strict=True)
    return {base + row: (cluster, similarity) for row, cluster, similarity in found}


def _pairs_path(work: str, step: str, number: int) -> str:
    return storage.join(work, "near", step, f"{number:05d}.parquet")
