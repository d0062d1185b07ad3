"""How often a document should be seen in training, by how many copies it stands for.

Deduplication throws away a sign of quality: what many keep is more often worth reading, up to what machines copy.
FineWeb-2 gives it back as a weight (Penedo et al. 2025, arXiv:2506.20920, section on rehydration).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# Cluster sizes from which a weight holds.
FINEWEB2 = ((1, 1), (2, 2), (3, 3), (5, 5), (100, 8), (1000, 1))


def weights(sizes: pa.ChunkedArray) -> pa.ChunkedArray:
    """The weights of documents.

    Args:
        sizes: how many documents each stands for.

    Returns:
        As many small integers.
    """
    found = pa.scalar(1, pa.int32())
    for least, weight in FINEWEB2:
        found = pc.if_else(pc.greater_equal(sizes, least), pa.scalar(weight, pa.int32()), found)
    return found
