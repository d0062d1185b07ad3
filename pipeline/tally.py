"""Counts that add up, by number and by id.

Conservation has to hold for the ids, not only for their number, in constant memory: so a set of ids is
kept as its size and the sum of their hashes modulo 2**64, which does not depend on order. Two sets that
differ agree in both by chance once in 2**64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

_MODULUS = 1 << 64


class Tally:
    """The size of a set of ids and the sum of their hashes."""

    def __init__(self, count: int = 0, checksum: int = 0) -> None:
        self.count = count
        self.checksum = checksum

    def add(self, identifier: str) -> None:
        """Count one id.

        Args:
            identifier: the id.
        """
        self.count += 1
        digest = hashlib.blake2b(identifier.encode(), digest_size=8).digest()
        self.checksum = (self.checksum + int.from_bytes(digest, "big")) % _MODULUS

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.count + other.count, (self.checksum + other.checksum) % _MODULUS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and (self.count, self.checksum) == (other.count, other.checksum)

    def __hash__(self) -> int:
        return hash((self.count, self.checksum))

    def to_dict(self) -> dict[str, Any]:
        """The tally as plain values.

        Returns:
            ``count`` and ``checksum`` (hexadecimal).
        """
        return {"count": self.count, "checksum": f"{self.checksum:016x}"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Tally:
        """The tally that :meth:`to_dict` wrote.

        Args:
            values: its result.

        Returns:
            The tally.
        """
        return cls(int(values["count"]), int(values["checksum"], 16))


def add_counts(into: dict[str, Any], counts: Mapping[str, Any]) -> None:
    """Add nested counts to others, key by key.

    Args:
        into: numbers, lists of numbers and dictionaries of them; changed in place.
        counts: what to add, of the same shape.
    """
    for key, value in counts.items():
        if isinstance(value, Mapping):
            add_counts(into.setdefault(key, {}), value)
        elif isinstance(value, list):
            before = into.get(key) or [0] * len(value)
            into[key] = [one + other for one, other in zip(before, value, strict=True)]
        else:
            into[key] = into.get(key, 0) + value
