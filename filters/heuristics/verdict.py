"""What a definition answers: signals, the rules that fail, and the text after cleaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from filters.textview import TextView


@dataclass(frozen=True, slots=True)
class Limit:
    """The values of one signal that are kept; equality passes on both ends.

    Attributes:
        signal: its name.
        min: the smallest.
        max: the largest.
    """

    signal: str
    min: float | None = None
    max: float | None = None

    def fails(self, value: float | None) -> bool:
        """Whether a value is outside.

        Args:
            value: the signal; None (not measured) fails no rule.

        Returns:
            True for a reason to remove the document.
        """
        if value is None:
            return False
        return (self.min is not None and value < self.min) or (self.max is not None and value > self.max)


@dataclass(slots=True, kw_only=True)
class Measured:
    """What a definition finds in a text, before limits are asked.

    Attributes:
        signals: value by name.
        reasons: page reasons that are no limits, such as ``lorem_ipsum``, in order.
        text: the text after line cleaning.
        counters: counts of lines by what happened to them.
    """

    signals: dict[str, float] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    text: str
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One named way to compute a family's signals, with the limits that belong to it.

    Attributes:
        family: for example ``gopher_quality``.
        name: for example ``gopher_dclm``.
        version: changes whenever the same text may give other signals.
        source: the paper or code that defines it.
        measure: text to signals.
        limits: in the order in which they are asked; empty for definitions that only measure.
    """

    family: str
    name: str
    version: str
    source: str
    measure: Callable[[TextView], Measured]
    limits: tuple[Limit, ...] = ()

    def judge(self, view: TextView, limits: Iterable[Limit] | None = None) -> tuple[Measured, list[str]]:
        """Measure a text and name every rule that fails.

        Args:
            view: the document.
            limits: other limits than the definition's own, such as a language's.

        Returns:
            What was measured, and the reasons, page reasons first.
        """
        found = self.measure(view)
        chosen = self.limits if limits is None else limits
        failing = [limit.signal for limit in chosen if limit.fails(found.signals.get(limit.signal))]
        return found, [*found.reasons, *failing]


def by_name(*definitions: Definition) -> Mapping[str, Definition]:
    """Definitions of one family by name, the reference first.

    Args:
        *definitions: the definitions.

    Returns:
        A mapping in that order.
    """
    return {definition.name: definition for definition in definitions}
