"""Which limits hold: those of a definition, with those of a configuration in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from filters.heuristics.definition import Definition, Limit, Measured
from filters.profiles import Profile


def changed(definition: Definition, changes: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits of a definition as a configuration changes them.

    Args:
        definition: the definition.
        changes: by signal ``{min: …, max: …}``, or None to turn its rule off.

    Returns:
        The limits that hold, in the definition's order.

    Raises:
        ValueError: a change names no signal that has a limit, or is of another form; says which.
    """
    known = [limit.signal for limit in definition.limits]
    for signal, change in changes.items():
        where = f"limits of {definition.full_name}: {signal}"
        if signal not in known:
            raise ValueError(f"{where}: no rule asks for it; there are {', '.join(known)}")
        if change is not None and not _is_range(change):
            raise ValueError(f"{where}: expected min and max, or nothing to turn it off, found {change!r}")
    kept = []
    for limit in definition.limits:
        if limit.signal not in changes:
            kept.append(limit)
        elif changes[limit.signal] is not None:
            kept.append(replace(limit, **{"min": None, "max": None, **changes[limit.signal]}))
    return tuple(kept)


def of_language(definition: Definition, limits: tuple[Limit, ...], profile: Profile) -> tuple[Limit, ...]:
    """Limits with those of a language's profile in their place.

    Args:
        definition: the definition.
        limits: its limits.
        profile: the profile; what it does not name stays as it is.

    Returns:
        The limits that hold in this language.
    """
    kept = []
    for limit in limits:
        threshold = profile.thresholds.get(f"{definition.full_name}.{limit.signal}")
        if threshold is None:
            kept.append(limit)
        elif not threshold.off:
            kept.append(replace(limit, min=threshold.min, max=threshold.max))
    return tuple(kept)


def reasons(found: Measured, limits: tuple[Limit, ...]) -> list[str]:
    """Every rule that a text fails.

    Args:
        found: its signals.
        limits: the limits that hold.

    Returns:
        The reasons, in order.
    """
    return [limit.name for limit in limits if limit.fails(found.signals.get(limit.signal))]


def _is_range(change: Any) -> bool:
    return (
        isinstance(change, Mapping)
        and bool(change)
        and set(change) <= {"min", "max"}
        and all(isinstance(value, int | float) and not isinstance(value, bool) for value in change.values())
    )
