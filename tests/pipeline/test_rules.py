from __future__ import annotations

import pytest

from pipeline import config, rules
from pipeline.config import Assemble, Rule
from pipeline.errors import UsageError

SHORT = Rule(name="short", signal="text_chars", min=10)
LONG = Rule(name="long", signal="text_chars", max=100)
SCORE = Rule(name="score", signal="language_score", from_profile=True)


def judge(signals: dict[str, object], **settings: object) -> list[str]:
    made = Assemble(**{"rules": (SHORT, LONG, SCORE), **settings})  # type: ignore[arg-type]
    return rules.Judge(made.rules, made).judge(signals)[0]


def test_equality_passes_and_all_reasons_are_kept_in_order() -> None:
    assert judge({"text_chars": 10, "language": "en", "language_score": 0.65}) == []
    assert judge({"text_chars": 100, "language": "en", "language_score": 0.65}) == []
    assert judge({"text_chars": 9, "language": "en", "language_score": 0.64}) == ["short", "score"]


def test_each_language_has_its_threshold_and_others_the_fallback() -> None:
    assert judge({"text_chars": 50, "language": "en", "language_score": 0.6}) == ["score"]
    assert judge({"text_chars": 50, "language": "eu", "language_score": 0.6}) == []
    assert judge({"text_chars": 50, "language": "eu", "language_score": 0.6}, fallback_profile="") == ["no_profile"]


def test_attribution_counts_by_hand() -> None:
    judge = rules.Judge((SHORT, LONG, SCORE), Assemble())
    for chars, score in ((5, 0.9), (5, 0.1), (50, 0.1), (50, 0.9), (500, 0.1), (None, 0.9)):
        judge.judge({"text_chars": chars, "language": "en", "language_score": score})
    assert judge.counts == {
        "short": {"evaluated": 5, "exempt": 0, "fired": 2, "only": 1, "first": 2},
        "long": {"evaluated": 5, "exempt": 0, "fired": 1, "only": 0, "first": 1},
        "score": {"evaluated": 6, "exempt": 0, "fired": 3, "only": 1, "first": 1},
    }
    assert rules.never_evaluated((SHORT, Rule(name="x", signal="y", min=0)), judge.counts, 6) == ["x"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["assemble.rules=[{name: a, signal: text_charz, min: 1}]"],
            "rule 'a': no filter makes the signal 'text_charz'",
        ),
        (["assemble.rules=[{name: a, signal: text_chars}]"], "rule 'a' has no limit"),
        (["assemble.rules=[{name: a, signal: language, min: 1}]"], "min and max need a number, 'language' is string"),
        (["assemble.rules=[{name: a, signal: text_chars, min: 1}, {name: a, signal: text_chars, min: 2}]"], "twice"),
        (["assemble.profiles=[en, klingon]"], "unknown language profile 'klingon'"),
        (["annotate.filters=[languge]"], "unknown filter 'languge'"),
        (["annotate.filters=[language]"], "no filter makes the signal 'text_chars'"),
    ],
)
def test_rules_that_could_never_fire_are_refused(settings: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rules.check(config.load(None, None, settings))
