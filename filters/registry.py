"""The filters by name, and what each adds to a document's row.

A filter is a function from a :class:`~filters.textview.TextView` to signals, and may clean the text for those after
it. It declares its columns first, so that the schema of ``signals/`` is known before any text is read and a
threshold on a signal that no filter computes is refused before the run starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from filters import contamination, fingerprints, heuristics, language, minhash, text_stats
from filters.heuristics.definition import Definition, Options
from filters.minhash import Parameters
from filters.textview import TextView


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What filters take besides the text.

    Attributes:
        heuristics: for the heuristic families.
        minhash: for signatures.
        line_definition: which lines are compared with those of others.
        evaluation: for contamination.
    """

    heuristics: Options = field(default_factory=Options)
    minhash: Parameters = field(default_factory=Parameters)
    line_definition: str = fingerprints.BOILERPLATE
    evaluation: contamination.Sets = field(default_factory=contamination.Sets)


@dataclass(slots=True)
class Found:
    """What a filter says of a text.

    Attributes:
        signals: by column.
        text: the text as it goes on; None where the filter leaves it.
    """

    signals: Mapping[str, Any]
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A named, versioned computation of signals.

    Attributes:
        name: what the configuration calls it.
        version: changes whenever the same text may give other signals; goes into the manifest.
        columns: signal name to type, one of ``int``, ``float``, ``string``, ``bytes``, ``strings``, ``floats``.
        measure: the function; it must return exactly the declared columns.
        models: model files the signals depend on, name to SHA-256; they go into the manifest.
        cleans: whether it changes the text.
        reads_language: whether its signals depend on the language found before.
    """

    name: str
    version: str
    columns: Mapping[str, str]
    measure: Callable[[TextView, Settings], Found]
    models: Mapping[str, str] = field(default_factory=dict)
    cleans: bool = False
    reads_language: bool = False


def _from_definition(definition: Definition) -> Filter:
    prefix = definition.full_name

    def measure(view: TextView, settings: Settings) -> Found:
        found = definition.measure(view, settings.heuristics)
        return Found({f"{prefix}.{name}": found.signals[name] for name in definition.signals}, found.text)

    return Filter(
        name=prefix,
        version=definition.version,
        columns={f"{prefix}.{name}": kind for name, kind in definition.signals.items()},
        measure=measure,
        cleans=definition.cleans,
        reads_language=True,
    )


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
            measure=lambda view, _: Found(language.measure(view)),
            models={language.MODEL_NAME: language.MODEL_SHA256},
        ),
        Filter(
            name="text_stats",
            version=text_stats.VERSION,
            columns=dict.fromkeys(text_stats.COLUMNS, "int"),
            measure=lambda view, _: Found(text_stats.measure(view)),
        ),
        *map(_from_definition, heuristics.BY_NAME.values()),
        Filter(
            name="fingerprints",
            version=fingerprints.VERSION + minhash.VERSION,
            columns=fingerprints.COLUMNS,
            measure=lambda view, settings: Found(
                fingerprints.measure(view, settings.minhash, settings.line_definition)
            ),
            reads_language=True,
        ),
        Filter(
            name="contamination",
            version=contamination.VERSION,
            columns=contamination.COLUMNS,
            measure=lambda view, settings: Found(contamination.measure(view, settings.evaluation)),
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
        ValueError: a name is unknown, given twice, two filters claim one column, or one needs the language and
            stands before the filter that finds it.
    """
    chosen: list[Filter] = []
    owner: dict[str, str] = {}
    for name in names:
        if name not in FILTERS:
            raise ValueError(f"unknown filter {name!r}; known: {', '.join(sorted(FILTERS))}")
        if FILTERS[name].reads_language and "language" not in owner:
            raise ValueError(f"filter {name!r} depends on the language: put 'language' before it")
        for column in FILTERS[name].columns:
            if column in owner:
                raise ValueError(f"signal {column!r} of filter {name!r} is already made by {owner[column]!r}")
            owner[column] = name
        chosen.append(FILTERS[name])
    return chosen


def run(filters: Iterable[Filter], text: str, settings: Settings) -> Found:
    """Compute all signals of a text.

    Args:
        filters: the filters in order; each sees the text as those before it left it.
        text: the document.
        settings: what filters take besides.

    Returns:
        All signals, and the text if any filter changed it.

    Raises:
        FilterError: a filter failed; says which.
    """
    view = TextView(text, "und")
    signals: dict[str, Any] = {}
    for entry in filters:
        try:
            found = entry.measure(view, settings)
        except Exception as error:
            raise FilterError(f"{entry.name}: {type(error).__name__}: {error}") from error
        signals.update(found.signals)
        if found.text is not None and found.text != view.text:
            view = TextView(found.text, view.language)
        view.language = signals.get("language", "und")
    return Found(signals, view.text if view.text != text else None)


class FilterError(Exception):
    """A filter failed on a document."""
