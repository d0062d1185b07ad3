from __future__ import annotations

import pytest

from filters import profiles, registry, text_stats
from filters.textview import TextView


def test_every_filter_returns_exactly_the_columns_it_declares() -> None:
    for entry in registry.FILTERS.values():
        for text in ("", "Some words.\n\nAnd more — até.", "\ud800"):
            found = entry.measure(TextView(text), registry.Settings())
            assert list(found.signals) == list(entry.columns), entry.name
            assert entry.cleans == (found.text is not None)


def test_unknown_filters_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="unknown filter 'languge'; known: c4.c4_datatrove, .*language, "):
        registry.select(["languge"])


def test_two_filters_cannot_make_one_column() -> None:
    with pytest.raises(ValueError, match="already made by 'language'"):
        registry.select(["language", "language"])


def test_counts_by_hand() -> None:
    text = " First line. \n\n\nSecond one,\nthird é.\n \t\n"
    assert text_stats.measure(TextView(text)) == {
        "text_chars": len(text),
        "text_bytes": len(text) + 1,
        "text_lines": 3,
        "text_paragraphs": 2,
        "text_words": 6,
    }


@pytest.mark.parametrize("name", profiles.names())
def test_every_threshold_has_a_source(name: str) -> None:
    profile = profiles.load(name)
    assert profile.language == name
    assert profile.thresholds
    assert all(limit.source for limit in profile.thresholds.values())
    assert not profile.thresholds["language_score"].off


def test_unknown_profiles_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown language profile 'xx'; known: de, en, es, fr, generic, ja, pt, zh"):
        profiles.load("xx")
