"""What pages and their sites say about training, and under which licences pages stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TITLE = "Consent and licences"
SHOWN = 25
_MEANINGS = {"allow": "training is permitted", "unknown": "nothing is said", "deny": "training is refused"}


def data(manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the template shows.

    Args:
        manifest: the run's manifest.
        samples: not used.

    Returns:
        ``profile``, whether refusals are ``removed``, ``decisions``, ``signals``, ``licences`` with their counts, and
        for how many there is no verdict on crawling (``unknown``), by why.
    """
    counts, settings = manifest["consent"], manifest["config"]["consent"]
    decisions = [(name, meaning, counts.get("decisions", {}).get(name, 0)) for name, meaning in _MEANINGS.items()]
    return {
        "profile": settings["profile"],
        "removed": settings["remove"],
        "decisions": decisions,
        "documents": sum(count for *_, count in decisions),
        "signals": _ordered(counts.get("signals", {})),
        "licences": _ordered(counts.get("licences", {}))[:SHOWN],
        "unknown": _ordered(counts.get("unknown", {})),
    }


def _ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
