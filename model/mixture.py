"""How often documents of each source are read: a mixture other than that of the shards."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from model.errors import ModelError
from model.shards import Document, Shards, is_held_out


def parse(written: str) -> dict[str, float]:
    """Read weights.

    Args:
        written: for example ``CC-MAIN-2024-18=0.8,books=0.2``; nothing keeps the shards' own mixture.

    Returns:
        Weights by source.

    Raises:
        ModelError: a part is no source with a weight above 0.
    """
    found: dict[str, float] = {}
    for part in filter(None, written.split(",")):
        source, _, weight = part.rpartition("=")
        try:
            found[source.strip()] = float(weight)
        except ValueError:
            found[source.strip()] = 0.0
        if not found[source.strip()] > 0 or not source:
            raise ModelError(f"mixture: expected source=weight with a weight above 0, found {part!r}")
    return found


class Mixture:
    """Repetitions of documents in an epoch, so that sources have the shares of documents that were asked for.

    Every document of a source with a weight is read once an epoch at least; of one that is to be read one and a half
    times, a hash of its id and the epoch says whether it is once or twice.

    Args:
        shards: what is read.
        weights: by source; sources without one are left out. None at all keeps all as they are.
    """

    def __init__(self, shards: Shards, weights: Mapping[str, float]) -> None:
        self._factors: dict[str, float] | None = None
        if not weights:
            return
        counts = Counter(
            document.source
            for group in range(len(shards.groups))
            for document in shards.read(group)
            if document.text and not is_held_out(document.id)
        )
        missing = sorted(weights.keys() - counts.keys())
        if missing:
            known = ", ".join(sorted(counts))
            raise ModelError(f"mixture: no document is of source {missing[0]!r}; sources are {known}")
        wanted = {source: weight / counts[source] for source, weight in weights.items()}
        least = min(wanted.values())
        self._factors = {source: factor / least for source, factor in wanted.items()}

    def times(self, document: Document, epoch: int) -> int:
        """How often a document is read in an epoch.

        Args:
            document: which.
            epoch: which.

        Returns:
            0 for a source that is left out.
        """
        if self._factors is None:
            return 1
        factor = self._factors.get(document.source, 0.0)
        name = f"{epoch} {document.id}".encode("utf-8", "replace")
        digest = hashlib.blake2b(name, digest_size=8, person=b"mixture").digest()
        chance = int.from_bytes(digest, "big") / 2**64
        return int(factor) + (chance < factor % 1)
