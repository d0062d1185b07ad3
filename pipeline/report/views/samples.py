"""Removed documents to read: for each reason those with the smallest hash of their id, so nobody chose them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TITLE = "Removed documents, sampled by hash"


def data(manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the template shows.

    Args:
        manifest: the run's manifest.
        samples: masked samples.

    Returns:
        ``groups``: a reason and its samples.
    """
    names = sorted({sample["reason"] for sample in samples})
    return {"groups": [(name, [sample for sample in samples if sample["reason"] == name]) for name in names]}
