"""How many records each stage took and passed on; every step adds up to the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

TITLE = "Funnel"


def data(manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the template shows.

    Args:
        manifest: the run's manifest.
        samples: not used.

    Returns:
        ``steps`` (what is left after each stage and what left there) and ``sums``.
    """
    counts, totals = manifest["counts"], manifest["conservation"]
    rejected = sum(counts["rejected"].values())
    judged = totals["removed"] - rejected
    failed_early = sum(counts["errors"].values())
    records = sum(counts["records"].values())
    others = records - totals["in"] - counts["captures"]
    steps = [
        {
            "name": "records read",
            "left": records,
            "lost": [("other record types", others), ("robots and opt-out captures", counts["captures"])],
        },
        {
            "name": "candidates",
            "left": totals["in"],
            "lost": [("removed before extraction", rejected), ("failed", failed_early)],
        },
        {
            "name": "documents",
            "left": counts["documents"],
            "lost": [("removed by rules", judged), ("failed", totals["failed"] - failed_early)],
        },
        {"name": "kept", "left": totals["kept"], "lost": []},
    ]
    widest = max([step["left"] for step in steps] + [1])
    for step, following in pairwise(steps):
        step["sums"] = step["left"] == following["left"] + sum(count for _, count in step["lost"])
    for step in steps:
        step["width"] = round(100 * step["left"] / widest, 2)
        step["lost"] = [(name, count) for name, count in step["lost"] if count]
    return {"steps": steps, "totals": totals, "text": counts["kept_text"]}
