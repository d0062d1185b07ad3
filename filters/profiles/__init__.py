"""What is known of each language: thresholds, stop words and limits, as data with their sources.

A profile is a YAML file named by language code. ``generic`` stands for languages that have none of their own, and
only where the configuration says so. A threshold on a score names the model that it was fitted on; one of another
model is on record and never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from filters.language import MODEL_NAME

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The limits of one signal in one language, and where they come from."""

    min: float | None = None
    max: float | None = None
    source: str

    @property
    def off(self) -> bool:
        """Whether the signal has no limits in this language.

        Returns:
            True where neither is given.
        """
        return self.min is None and self.max is None


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is known of one language.

    Attributes:
        language: its code, or ``generic``.
        thresholds: by signal; those of definitions as ``family.name.signal``, where they differ from its own.
        stop_words: frequent words by which text is told from lists; empty where none are known.
    """

    language: str
    thresholds: Mapping[str, Threshold]
    stop_words: frozenset[str]


@cache
def names() -> tuple[str, ...]:
    """The profiles that ship.

    Returns:
        Language codes and ``generic``.
    """
    return tuple(sorted(path.stem for path in _HERE.glob("*.yaml")))


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
    if name not in names():
        raise ValueError(f"unknown language profile {name!r}; known: {', '.join(names())}")
    values: dict[str, Any] = yaml.safe_load((_HERE / f"{name}.yaml").read_text("utf-8"))
    limits = {
        f"{definition}.{signal}": Threshold(**(limits or {}), source=entry["source"])
        for definition, entry in values.get("limits", {}).items()
        for signal, limits in entry.items()
        if signal != "source"
    }
    return Profile(
        language=values["language"],
        thresholds={"language_score": Threshold(**values["language_score"][MODEL_NAME]), **limits},
        stop_words=frozenset(values.get("stop_words", {}).get("words", ())),
    )


def stop_words(language: str) -> frozenset[str]:
    """Frequent words of a language.

    Args:
        language: ISO 639-1 code.

    Returns:
        The words; empty where none are known.
    """
    return load(language).stop_words if language in names() else frozenset()
