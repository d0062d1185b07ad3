"""Rules over signals: which fail for a document, and how often each did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from filters import profiles, registry
from pipeline.config import Assemble, Config, Rule
from pipeline.errors import UsageError

NO_PROFILE = "no_profile"


def check(config: Config) -> None:
    """Refuse rules that could never fire: unknown filters, signals and profiles, rules without limits.

    Args:
        config: the configuration.

    Raises:
        UsageError: says which rule, and what is known.
    """
    try:
        filters = registry.select(config.annotate.filters)
        for name in (*config.assemble.profiles, config.assemble.fallback_profile):
            if name:
                profiles.load(name)
    except ValueError as error:
        raise UsageError(str(error)) from error
    columns = {column: kind for entry in filters for column, kind in entry.columns.items()}
    seen: set[str] = set()
    for rule in config.assemble.rules:
        where = f"rule {rule.name!r}"
        if rule.name in seen:
            raise UsageError(f"{where} is given twice")
        seen.add(rule.name)
        if rule.signal not in columns:
            raise UsageError(f"{where}: no filter makes the signal {rule.signal!r}; there are {', '.join(columns)}")
        numeric = columns[rule.signal] in ("int", "float")
        limits = rule.min is not None or rule.max is not None or rule.from_profile
        if limits and not numeric:
            raise UsageError(f"{where}: min and max need a number, {rule.signal!r} is {columns[rule.signal]}")
        if not limits and rule.one_of is None:
            raise UsageError(f"{where} has no limit: give min, max, one_of or from_profile")


class Judge:
    """Applies the rules of a configuration to rows of signals, and keeps count.

    Args:
        config: rules and profiles.
    """

    def __init__(self, config: Assemble) -> None:
        self._config = config
        self._profiles = {name: profiles.load(name) for name in config.profiles}
        self._fallback = profiles.load(config.fallback_profile) if config.fallback_profile else None
        names = ["evaluated", "fired", "only", "first"]
        reasons = [rule.name for rule in config.rules] + ([] if self._fallback else [NO_PROFILE])
        self.counts: dict[str, dict[str, int]] = {name: dict.fromkeys(names, 0) for name in reasons}

    def judge(self, signals: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """The reasons against a document.

        Args:
            signals: its row of signals; a null signal fails no rule and is not counted as evaluated.

        Returns:
            The names of the rules that fail, in order, and the profile that was used (None: there is none).
        """
        profile = self._profiles.get(str(signals.get("language")), self._fallback)
        reasons: list[str] = []
        if self._fallback is None:
            self._count(NO_PROFILE, profile is None, reasons)
        for rule in self._config.rules:
            value = signals.get(rule.signal)
            if value is not None and not (rule.from_profile and profile is None):
                self._count(rule.name, _fails(rule, value, profile), reasons)
        if reasons:
            self.counts[reasons[0]]["first"] += 1
            if len(reasons) == 1:
                self.counts[reasons[0]]["only"] += 1
        return reasons, profile.language if profile else None

    def _count(self, name: str, fails: bool, reasons: list[str]) -> None:
        self.counts[name]["evaluated"] += 1
        if fails:
            self.counts[name]["fired"] += 1
            reasons.append(name)


def _fails(rule: Rule, value: Any, profile: profiles.Profile | None) -> bool:
    low, high = rule.min, rule.max
    if rule.from_profile and profile is not None:
        threshold = profile.thresholds.get(rule.signal)
        if threshold is not None:
            low, high = threshold.min, threshold.max
    if rule.one_of is not None and value not in rule.one_of:
        return True
    # Equality passes, as in the field's definitions.
    return (low is not None and value < low) or (high is not None and value > high)


def never_evaluated(rules: Sequence[Rule], counts: Mapping[str, Mapping[str, int]], documents: int) -> list[str]:
    """Rules that met no document although there were some.

    Args:
        rules: the rules of the run.
        counts: counts by rule over the whole run.
        documents: documents that were judged.

    Returns:
        Names of rules.
    """
    return [rule.name for rule in rules if documents and not counts.get(rule.name, {}).get("evaluated")]


def columns_needed(rules: Iterable[Rule], available: Iterable[str]) -> list[str]:
    """The signal columns that judging and writing need.

    Args:
        rules: the rules of the run.
        available: columns that the filters of the run make.

    Returns:
        Column names, sorted.
    """
    always = {"language", "language_score", "text_bytes", "text_words", "text_chars"}
    return sorted(({rule.signal for rule in rules} | always) & set(available))
