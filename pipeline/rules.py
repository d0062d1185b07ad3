"""Rules over signals: which fail for a document, and how often each did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from filters import contamination, heuristics, profiles, registry
from filters.consent import optout
from filters.consent.decision import PROFILES
from filters.consent.statement import Says
from filters.contamination import Sets
from filters.fingerprints import C4, LINE_DEFINITIONS
from filters.heuristics import limits as heuristic_limits
from filters.heuristics.definition import Options
from filters.minhash import Parameters
from pipeline.config import Assemble, Config, Dedup, Rule
from pipeline.errors import UsageError

NO_PROFILE = "no_profile"
CONSENT = "consent"
# What every document has, whatever filters run.
_ALWAYS = {"consent": "string", "licence": "string"}
# C4 removes a page of which less is left after repeated lines are cut (TensorFlow Datasets text/c4_utils.py).
C4_SENTENCES = 3
_COUNTS = ("evaluated", "exempt", "fired", "only", "first")
# Signals that languages without a word list do not have.
BY_LANGUAGE = frozenset(
    f"{definition.full_name}.{signal}"
    for definition in heuristics.BY_NAME.values()
    for signal in definition.by_language
)


def resolve(config: Config) -> tuple[Rule, ...]:
    """Every rule of a configuration: those it names, then one for each limit of each definition.

    Args:
        config: the configuration.

    Returns:
        The rules, in order.

    Raises:
        UsageError: a definition is unknown, or a change to its limits makes no sense.
    """
    rules = list(config.assemble.rules)
    if config.consent.remove:
        kept = (Says.ALLOW.value, Says.NOTHING.value)
        source = f"consent.profile: {config.consent.profile}"
        rules.insert(0, Rule(name=CONSENT, signal="consent", one_of=kept, source=source))
    try:
        _check_definitions([*config.assemble.definitions, *config.heuristics.limits])
        for name, changes in config.heuristics.limits.items():
            heuristic_limits.changed(heuristics.BY_NAME[name], changes or {})
        for name in config.assemble.definitions:
            definition = heuristics.BY_NAME[name]
            changes = config.heuristics.limits.get(name) or {}
            for limit in heuristic_limits.changed(definition, changes):
                rules.append(
                    Rule(
                        name=f"{name}.{limit.name}",
                        signal=f"{name}.{limit.signal}",
                        min=limit.min,
                        max=limit.max,
                        from_profile=config.heuristics.from_profile and limit.signal not in changes,
                        source=definition.source,
                    )
                )
    except ValueError as error:
        raise UsageError(str(error)) from error
    return tuple(rules)


def across_documents(config: Config) -> tuple[Rule, ...]:
    """The reasons that come from other documents, for people: in place of a signal they say what is asked.

    Args:
        config: the configuration.

    Returns:
        One for each level of deduplication, for lines, and for the cap of hosts, as far as they are configured.
    """
    dedup, cap = config.dedup, config.urls.host_cap
    asked = {
        "known": "what no index has",
        "url": "of captures of one address the preferred",
        "exact": "of documents with one text the preferred",
        "near": f"of documents with a Jaccard similarity of at least {dedup.verify:g} the preferred",
    }
    found = [
        Rule(name=f"duplicate_{level}", signal=asked[level], source=f"dedup.levels: {level}")
        for level in dedup.levels
        if level in asked
    ]
    if "line" in dedup.levels:
        c4 = dedup.line_definition == C4
        left = ("sentences", C4_SENTENCES) if c4 else ("characters", dedup.least_chars)
        found.append(Rule(name="lines_left", signal=f"{left[0]} left", min=left[1], source="dedup.levels: line"))
    if "substring" in dedup.levels:
        source = "dedup.levels: substring"
        found.append(Rule(name="substrings_left", signal="characters left", min=dedup.least_chars, source=source))
    if cap:
        found.append(Rule(name="host_cap", signal="documents of its host", max=cap, source="urls.host_cap"))
    return tuple(found)


def settings(config: Config) -> registry.Settings:
    """What filters take besides the text.

    Args:
        config: the configuration.

    Returns:
        The settings.

    Raises:
        UsageError: a list of words is none, or parameters make no sense.
    """
    for language, words in config.heuristics.badwords.items():
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise UsageError(f"heuristics.badwords.{language}: expected a list of words, found {words!r}")
    words_by_language = {language: tuple(words) for language, words in config.heuristics.badwords.items()}
    if config.contamination.words < 1:
        raise UsageError(f"contamination.words: expected 1 or more, found {config.contamination.words}")
    return registry.Settings(
        heuristics=Options(badwords=words_by_language),
        minhash=parameters(config.dedup),
        line_definition=config.dedup.line_definition,
        evaluation=Sets(config.contamination.files, config.contamination.words),
    )


def parameters(dedup: Dedup) -> Parameters:
    """What signatures are made with.

    Args:
        dedup: the configuration's section.

    Returns:
        The parameters.

    Raises:
        UsageError: they make no signature.
    """
    for name in ("bands", "rows", "shingle"):
        if getattr(dedup, name) < 1:
            raise UsageError(f"dedup.{name}: expected 1 or more, found {getattr(dedup, name)}")
    return Parameters(
        bands=dedup.bands,
        rows=dedup.rows,
        shingle=dedup.shingle,
        seed=dedup.seed,
        fold_numbers=dedup.fold_numbers,
    )


def _check_definitions(names: Iterable[str]) -> None:
    for name in names:
        if name not in heuristics.BY_NAME:
            raise ValueError(f"unknown definition {name!r}; known: {', '.join(heuristics.BY_NAME)}")


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
    columns = _ALWAYS | {column: kind for entry in filters for column, kind in entry.columns.items()}
    made = settings(config)
    if "contaminated_words" in columns:
        if not config.contamination.files:
            raise UsageError("the filter 'contamination' needs evaluation sets: give contamination.files")
        try:
            contamination.load(made.evaluation)
        except ValueError as error:
            raise UsageError(str(error)) from error
    _check_consent(config)
    _check_dedup(config, columns)
    seen: set[str] = set()
    for rule in resolve(config):
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


# What copies can be preferred by besides signals.
PREFERENCES = ("consent", "licence", "newest")
# Levels in the order in which they run, with the signals that they need.
_LEVELS: Mapping[str, tuple[str, ...]] = {
    "known": ("text_digest", "minhash"),
    "url": (),
    "exact": ("text_digest",),
    "near": ("minhash",),
    "line": ("line_hashes", "text_chars"),
    "substring": (),
}


def _check_consent(config: Config) -> None:
    if config.consent.profile not in PROFILES:
        raise UsageError(f"consent.profile: unknown profile {config.consent.profile!r}; known: {', '.join(PROFILES)}")
    try:
        optout.load(config.consent.optout)
    except ValueError as error:
        raise UsageError(f"consent.optout: {error}") from error


def _check_dedup(config: Config, columns: Mapping[str, str]) -> None:
    dedup = config.dedup
    for level in dedup.levels:
        if level not in _LEVELS:
            raise UsageError(f"dedup.levels: unknown level {level!r}; known: {', '.join(_LEVELS)}")
        missing = [name for name in _LEVELS[level] if name not in columns]
        if missing:
            raise UsageError(
                f"dedup.levels: {level} needs the signal {missing[0]!r}: add 'fingerprints' (and 'text_stats') to "
                "annotate.filters"
            )
    if list(dedup.levels) != [level for level in _LEVELS if level in dedup.levels]:
        found = ", ".join(dedup.levels)
        raise UsageError(f"dedup.levels: expected each once and in the order {', '.join(_LEVELS)}, found {found}")
    if ("known" in dedup.levels) != bool(dedup.against):
        raise UsageError("dedup.levels: 'known' and dedup.against (directories of joeira index) go together")
    if dedup.against:
        from pipeline.dedup import index  # loads Beam

        for path in dedup.against:
            index.check(path, parameters(dedup))
    for name in dedup.prefer:
        if name not in PREFERENCES and columns.get(name) not in ("int", "float"):
            known = ", ".join(PREFERENCES)
            raise UsageError(f"dedup.prefer: {name!r} is neither one of {known} nor a signal that is a number")
    if not 0 <= dedup.verify <= 1:
        raise UsageError(f"dedup.verify: expected a similarity of 0 (off) to 1, found {dedup.verify}")
    if dedup.line_definition not in LINE_DEFINITIONS:
        known = ", ".join(LINE_DEFINITIONS)
        raise UsageError(f"dedup.line_definition: unknown definition {dedup.line_definition!r}; known: {known}")
    for name in ("bucket_pairs", "line_documents", "substring_words"):
        if getattr(dedup, name) < 2:
            raise UsageError(f"dedup.{name}: expected 2 or more, found {getattr(dedup, name)}")


class Judge:
    """Applies the rules of a configuration to rows of signals, and keeps count.

    Args:
        rules: all rules (:func:`resolve`).
        config: which profiles.
    """

    def __init__(self, rules: Sequence[Rule], config: Assemble) -> None:
        self._rules = rules
        self._profiles = {name: profiles.load(name) for name in config.profiles}
        self._fallback = profiles.load(config.fallback_profile) if config.fallback_profile else None
        reasons = [rule.name for rule in rules] + ([] if self._fallback else [NO_PROFILE])
        self.counts: dict[str, dict[str, int]] = {name: dict.fromkeys(_COUNTS, 0) for name in reasons}

    def judge(self, signals: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """The reasons against a document.

        Args:
            signals: its row of signals; a null signal fails no rule and is not counted as evaluated. A rule that
                has no limits in the document's language, or no words to count, is counted as exempt.

        Returns:
            The names of the rules that fail, in order, and the profile that was used (None: there is none).
        """
        profile = self._profiles.get(str(signals.get("language")), self._fallback)
        reasons: list[str] = []
        if self._fallback is None:
            self._count(NO_PROFILE, profile is None, reasons)
        for rule in self._rules:
            value = signals.get(rule.signal)
            threshold = profile.thresholds.get(rule.signal) if rule.from_profile and profile else None
            if (threshold and threshold.off) or (value is None and rule.signal in BY_LANGUAGE):
                self.counts[rule.name]["exempt"] += 1
            elif value is not None and not (rule.from_profile and profile is None):
                self._count(rule.name, _fails(rule, value, threshold), reasons)
        if reasons:
            self.counts[reasons[0]]["first"] += 1
            if len(reasons) == 1:
                self.counts[reasons[0]]["only"] += 1
        return reasons, profile.language if profile else None

    def add(self, name: str, fails: bool, reasons: list[str]) -> None:
        """Count a reason that is asked only of documents that no rule removes.

        Args:
            name: the reason.
            fails: whether it removes the document.
            reasons: none so far; the reason is added where it does.
        """
        self.counts.setdefault(name, dict.fromkeys(_COUNTS, 0))
        self._count(name, fails, reasons)
        if fails:
            self.counts[name]["first"] += 1
            self.counts[name]["only"] += 1

    def _count(self, name: str, fails: bool, reasons: list[str]) -> None:
        self.counts[name]["evaluated"] += 1
        if fails:
            self.counts[name]["fired"] += 1
            reasons.append(name)


def _fails(rule: Rule, value: Any, threshold: profiles.Threshold | None) -> bool:
    low, high = (threshold.min, threshold.max) if threshold else (rule.min, rule.max)
    if rule.one_of is not None and value not in rule.one_of:
        return True
    # Equality passes, as in the field's definitions.
    return (low is not None and value < low) or (high is not None and value > high)


def never_evaluated(rules: Sequence[Rule], counts: Mapping[str, Mapping[str, int]], documents: int) -> list[str]:
    """Rules that met no document although there were some, and not because its language has no such rule.

    Args:
        rules: the rules of the run.
        counts: counts by rule over the whole run.
        documents: documents that were judged.

    Returns:
        Names of rules.
    """
    met = {name for name, count in counts.items() if count["evaluated"] or count["exempt"]}
    return [rule.name for rule in rules if documents and rule.name not in met]


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
