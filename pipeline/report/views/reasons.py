"""Why documents were removed: for each rule how often it was asked, fired, came first and stood alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TITLE = "Reasons"


def data(manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the template shows.

    Args:
        manifest: the run's manifest.
        samples: not used.

    Returns:
        ``rules`` by how often they came first, ``rejected`` reasons before extraction, and ``most``.
    """
    sources = {rule["name"]: rule for rule in manifest["limits"]}
    rules = [
        {
            "name": name,
            **counts,
            "source": sources.get(name, {}).get("source", ""),
            "limits": _limits(sources.get(name)),
        }
        for name, counts in manifest["rules"].items()
    ]
    rules.sort(key=lambda rule: (-rule["first"], rule["name"]))
    rejected = sorted(manifest["counts"]["rejected"].items(), key=lambda pair: (-pair[1], pair[0]))
    most = max([rule["fired"] for rule in rules] + [count for _, count in rejected] + [1])
    return {"rules": rules, "rejected": rejected, "most": most}


def _limits(rule: Mapping[str, Any] | None) -> str:
    if rule is None:
        return "the language has no profile"
    parts = [] if rule["signal"] == rule["name"] else [rule["signal"]]
    if rule["min"] is not None:
        parts.append(f"≥ {rule['min']:g}")
    if rule["max"] is not None:
        parts.append(f"≤ {rule['max']:g}")
    if rule["one_of"]:
        parts.append(f"in {', '.join(rule['one_of'])}")
    if rule["from_profile"]:
        limited = rule["min"] is not None or rule["max"] is not None
        parts.append("or the language's own" if limited else "within the language's own limits")
    return " ".join(parts)
