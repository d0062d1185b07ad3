"""Thresholds by language, as data with their sources.

A profile is a YAML file named by language code. ``generic`` stands for languages that have none of their
own, and only where the configuration says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The limits of one signal in one language, and where they come from."""

    min: float | None = None
    max: float | None = None
    source: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is known of one language: its code, and the thresholds by signal."""

    language: str
    thresholds: dict[str, Threshold]


def names() -> list[str]:
    """The profiles that ship.

    Returns:
        Language codes and ``generic``.
    """
    return sorted(path.stem for path in _HERE.glob("*.yaml"))


@cache
def load(name: str) -> Profile:
    """Read a profile.

    Args:
        name: a language code or ``generic``.

    Returns:
        The profile.

    Raises:
        ValueError: there is no such profile.
    """
    path = _HERE / f"{name}.yaml"
    if name not in names():
        raise ValueError(f"unknown language profile {name!r}; known: {', '.join(names())}")
    values = yaml.safe_load(path.read_text("utf-8"))
    thresholds = {signal: Threshold(**limits) for signal, limits in values["thresholds"].items()}
    return Profile(language=values["language"], thresholds=thresholds)
