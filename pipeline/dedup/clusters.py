"""Files between the steps of near-deduplication: pairs by range, and the cluster of each document by split."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.dedup.standing import rows_in_split
from pipeline.io import storage
from pipeline.io.parquet import open_file, write_table
from pipeline.stages.exchange import Hashes

Floats = NDArray[np.float64]

PAIRS = pa.schema(
    [("first", pa.uint64()), ("second", pa.uint64()), ("similarity", pa.float64()), ("cluster", pa.uint64())]
)
_CLUSTERS = pa.schema([("row", pa.int64()), ("cluster", pa.uint64()), ("similarity", pa.float64())])


# Steps that write the cluster of each document: of candidates, and in the end.
LABELLED, CLUSTERED = "labelled", "clustered"


@dataclass(frozen=True)
class Part:
    """Some of the pairs that a step wrote; a unit of work for the next.

    Attributes:
        step: for example ``candidates`` or ``verified``.
        number: of the file.
    """

    step: str
    number: int

    @property
    def key(self) -> str:
        """The unit's key.

        Returns:
            A name for its receipt.
        """
        return f"{self.step}-{self.number:05d}"

    def path(self, work: str) -> str:
        """Where its pairs stand.

        Args:
            work: the directory that holds a folder for each stage.

        Returns:
            A path.
        """
        return storage.join(work, "near", self.step, f"{self.number:05d}.parquet")


def parts(work: str, step: str) -> list[Part]:
    """The parts that a step wrote; those of ranges without pairs are missing.

    Args:
        work: the directory that holds a folder for each stage.
        step: the step.

    Returns:
        Them, in order.
    """
    names = storage.list_dir(storage.join(work, "near", step), "*.parquet")
    return [Part(step, int(name.removesuffix(".parquet"))) for name in sorted(names)]


def write_pairs(
    work: str, part: Part, pairs: Hashes, similarity: Floats | None = None, clusters: Hashes | None = None
) -> None:
    """Write pairs.

    Args:
        work: the directory that holds a folder for each stage.
        part: which.
        pairs: N x 2 places.
        similarity: of each, where it is known.
        clusters: of each, where it is known.
    """
    known = (
        pa.nulls(len(pairs), PAIRS.field(name).type) if values is None else values
        for name, values in (("similarity", similarity), ("cluster", clusters))
    )
    write_table(part.path(work), pa.table([pairs[:, 0], pairs[:, 1], *known], schema=PAIRS))


def read_pairs(work: str, parts: Iterable[Part]) -> tuple[Hashes, Floats]:
    """Read pairs.

    Args:
        work: the directory that holds a folder for each stage.
        parts: which.

    Returns:
        N x 2 places, and the similarity of each pair, NaN where it is not known.
    """
    table = _read(work, parts)
    places = [table[name].to_numpy() for name in ("first", "second")]
    return np.stack(places, axis=1), pc.fill_null(table["similarity"], np.nan).to_numpy()


def read_labelled(work: str, part: Part) -> Hashes:
    """Read pairs with their clusters.

    Args:
        work: the directory that holds a folder for each stage.
        part: which.

    Returns:
        N x 3: two places and a cluster.
    """
    table = _read(work, [part])
    return np.stack([table[name].to_numpy() for name in ("first", "second", "cluster")], axis=1)


def count_pairs(work: str, parts: Iterable[Part]) -> int:
    """How many pairs there are.

    Args:
        work: the directory that holds a folder for each stage.
        parts: where.

    Returns:
        Their number.
    """
    return sum(open_file(part.path(work)).metadata.num_rows for part in parts)


def _read(work: str, parts: Iterable[Part]) -> pa.Table:
    tables = []
    for part in parts:
        with storage.open_read(part.path(work)) as file:
            tables.append(pq.read_table(file, schema=PAIRS))
    return pa.concat_tables(tables) if tables else PAIRS.empty_table()


def write_clusters(work: str, step: str, name: str, places: Hashes, clusters: Hashes, similarity: Floats) -> None:
    """Write the clusters of one split's documents.

    Args:
        work: the directory that holds a folder for each stage.
        step: ``labelled`` or ``clustered``.
        name: of the file: the split, and the wave.
        places: the documents, ascending.
        clusters: theirs.
        similarity: of each to the most similar other member.
    """
    path = storage.join(work, "near", "clusters", step, f"{name}.parquet")
    write_table(path, pa.table([rows_in_split(places), clusters, similarity], schema=_CLUSTERS))


def read_clusters(work: str, step: str, key: str, place: int | None = None) -> dict[int, tuple[int, int]]:
    """The clusters of one split's documents.

    Args:
        work: the directory that holds a folder for each stage.
        step: ``labelled`` or ``clustered``.
        key: the split.
        place: the split's place among all; None leaves rows as they are.

    Returns:
        By place of the document (or row): its cluster, and the bits of its similarity.
    """
    directory = storage.join(work, "near", "clusters", step)
    base = 0 if place is None else place << 32
    found: dict[int, tuple[int, int]] = {}
    for name in storage.list_dir(directory, f"{key}.*.parquet"):
        with storage.open_read(storage.join(directory, name)) as file:
            table = pq.read_table(file, schema=_CLUSTERS)
        bits = table["similarity"].to_numpy().view(np.uint64).tolist()
        rows = zip(table["row"].to_pylist(), table["cluster"].to_pylist(), bits, strict=True)
        found |= {base + row: (cluster, similarity) for row, cluster, similarity in rows}
    return found
