"""Records that could not be processed, by error; each has a row in ``failed/`` with file and offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TITLE = "Failures and record types"


def data(manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the template shows.

    Args:
        manifest: the run's manifest.
        samples: not used.

    Returns:
        ``errors`` and ``records``, each a list of names and counts.
    """
    return {"errors": _ordered(manifest["counts"]["errors"]), "records": _ordered(manifest["counts"]["records"])}


def _ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
