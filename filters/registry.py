"""The filters by name, and what each adds to a document's row.

A filter is a function from a :class:`~filters.textview.TextView` and a language profile to signals.
It declares its columns first, so that the schema of ``signals/`` is known before any text is read and
a threshold on a signal that no filter computes is refused before the run starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from filters import language, text_stats
from filters.textview import TextView

Signals = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A named, versioned computation of signals.

    Attributes:
        name: what the configuration calls it.
        version: changes whenever the same text may give other signals; goes into the manifest.
        columns: signal name to type, one of ``int``, ``float``, ``string``, ``strings``, ``floats``.
        measure: the function; it must return exactly the declared columns.
        models: model files the signals depend on, name to SHA-256; they go into the manifest.
    """

    name: str
    version: str
    columns: Mapping[str, str]
    measure: Callable[[TextView], Signals]
    models: Mapping[str, str] = field(default_factory=dict)


FILTERS: dict[str, Filter] = {
    entry.name: entry
    for entry in (
        Filter(
            name="language",
            version=language.VERSION,
            columns={
                "language": "string",
                "language_score": "float",
                "language_top": "strings",
                "language_top_scores": "floats",
            },
            measure=language.measure,
            models={language.MODEL_NAME: language.MODEL_SHA256},
        ),
        Filter(
            name="text_stats",
            version=text_stats.VERSION,
            columns=dict.fromkeys(text_stats.COLUMNS, "int"),
            measure=text_stats.measure,
        ),
    )
}


def select(names: Iterable[str]) -> list[Filter]:
    """Look filters up by name, in the given order.

    Args:
        names: names out of :data:`FILTERS`.

    Returns:
        The filters.

    Raises:
        ValueError: a name is unknown, given twice, or two filters claim one column.
    """
    chosen: list[Filter] = []
    owner: dict[str, str] = {}
    for name in names:
        if name not in FILTERS:
            raise ValueError(f"unknown filter {name!r}; known: {', '.join(sorted(FILTERS))}")
        for column in FILTERS[name].columns:
            if column in owner:
                raise ValueError(f"signal {column!r} of filter {name!r} is already made by {owner[column]!r}")
            owner[column] = name
        chosen.append(FILTERS[name])
    return chosen
