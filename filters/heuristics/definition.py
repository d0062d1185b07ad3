"""What a definition is: a named way to compute a family's signals, and the limits that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from filters.textview import TextView

Number = int | float


@dataclass(frozen=True, slots=True)
class Limit:
    """The values of one signal that are kept; equality passes on both ends.

    Attributes:
        signal: its name.
        min: the smallest.
        max: the largest.
        reason: what a document is given that fails; the signal's name if empty.
    """

    signal: str
    min: float | None = None
    max: float | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """The reason given.

        Returns:
            The reason, or the signal's name.
        """
        return self.reason or self.signal

    def fails(self, value: Number | None) -> bool:
        """Whether a value is outside.

        Args:
            value: the signal; None (not measured) fails no rule.

        Returns:
            True for a reason to remove the document.
        """
        if value is None:
            return False
        return (self.min is not None and value < self.min) or (self.max is not None and value > self.max)


@dataclass(slots=True)
class Measured:
    """What a definition finds in a text.

    Attributes:
        signals: value by name; None where it has no meaning for this text, such as the stop words of a language
            for which none are known.
        text: the text after cleaning; None where the definition does not clean.
        counters: lines by what happened to them, in the definition's own words.
    """

    signals: dict[str, Number | None]
    text: str | None = None
    counters: dict[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One named way to compute a family's signals.

    Attributes:
        family: for example ``gopher_quality``.
        name: for example ``gopher_dclm``.
        version: changes whenever the same text may give other signals.
        source: the paper or code that defines it.
        signals: the names of its signals, each ``int`` or ``float``; :attr:`measure` returns exactly these.
        limits: in the order in which they are asked.
        measure: text and options to signals.
        cleans: whether it changes the text.
        by_language: signals that have no meaning in languages for which too little is known.
    """

    family: str
    name: str
    version: str = "1"
    source: str
    signals: Mapping[str, str]
    limits: tuple[Limit, ...]
    measure: Callable[[TextView, Options], Measured]
    cleans: bool = False
    by_language: frozenset[str] = frozenset()

    @property
    def full_name(self) -> str:
        """The name by which configurations call it.

        Returns:
            ``family.name``.
        """
        return f"{self.family}.{self.name}"


@dataclass(frozen=True)
class Options:
    """What definitions take besides the text.

    Attributes:
        badwords: words for which C4 drops a page, by language; none by default, since such lists remove dialects
            and minorities more than others (Dodge et al. 2021, arXiv:2104.08758).
    """

    badwords: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def ratio(part: Number, whole: Number) -> float:
    """A fraction that is 0 for nothing out of nothing.

    Args:
        part: the numerator.
        whole: the denominator.

    Returns:
        The quotient.
    """
    return part / whole if whole else 0.0
