"""Documents by identified language, before and after the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TITLE = "Languages"
SHOWN = 25


def data(manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the template shows.

    Args:
        manifest: the run's manifest.
        samples: not used.

    Returns:
        ``rows``, the most frequent languages and one row for all others.
    """
    rows = [
        {"language": name, **{key: counts.get(key, 0) for key in ("in", "kept", "removed", "failed")}}
        for name, counts in manifest["languages"].items()
    ]
    rows.sort(key=lambda row: (-row["in"], row["language"]))
    rest = rows[SHOWN:]
    rows = rows[:SHOWN]
    if rest:
        others = {key: sum(row[key] for row in rest) for key in ("in", "kept", "removed", "failed")}
        rows.append({"language": f"{len(rest)} others", **others})
    return {"rows": rows, "most": max([row["in"] for row in rows] + [1])}
