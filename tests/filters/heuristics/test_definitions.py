"""What holds for every definition, on ordinary and on hostile text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import heuristics
from filters.heuristics import limits
from filters.heuristics.definition import Definition, Measured, Options
from filters.textview import TextView
from pipeline.sample import prose

EVERY = list(heuristics.BY_NAME.values())
named = pytest.mark.parametrize("definition", EVERY, ids=lambda definition: definition.full_name)

HOSTILE = {
    "empty": "",
    "blank": " \n\t\u3000\n",
    "a line of a million characters": "x" * 1_000_000,
    "two words again and again": "to be " * 100_000,
    "a hundred thousand equal lines": "The same line again and again.\n" * 100_000,
    "a hundred thousand paragraphs": "One.\n\n" * 20_000,
    "lone surrogates": "Uma \ud800 palavra \udfff.\n" * 50,
    "controls": "".join(map(chr, range(32))) + "\x7f\x85\u2028\u2029 text.\n",
    "right to left": "שלום עולם. مرحبا بالعالم! Mixed עברית and العربية here.\n" * 20,
    "scripts": "Привет 你好 こんにちは สวัสดี नमस्ते γειά 안녕\n" * 20,
    "marks": "e" + "\u0301" * 10_000,
    "brackets": "(((([[[[{{{{" * 20_000,
    "dots": ". . . ... …… " * 20_000,
    "addresses": "a.b.c.d.e.f.g.h@" * 20_000 + " http://" * 20_000,
    "digits": "1,000.5-" * 50_000,
}


def measure(definition: Definition, text: str, language: str = "en") -> Measured:
    return definition.measure(TextView(text, language), Options())


@named
def test_it_says_what_it_is_and_where_it_comes_from(definition: Definition) -> None:
    assert definition.version
    assert definition.source
    assert all(limit.signal in definition.signals for limit in definition.limits)
    assert all((limit.min, limit.max) != (None, None) for limit in definition.limits)
    assert len({limit.name for limit in definition.limits}) == len(definition.limits)
    assert definition.by_language <= set(definition.signals)


@named
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_has_the_declared_signals(definition: Definition, text: str) -> None:
    for language in ("en", "und"):
        found = measure(definition, text, language)
        assert set(found.signals) == set(definition.signals)
        assert definition.cleans == (found.text is not None)
        for name, value in found.signals.items():
            assert value is None or (value == value and value >= 0), (name, value)
        limits.reasons(found, definition.limits)


@pytest.mark.parametrize("language", ["zh", "ja", "th", "ar", "ko"])
def test_every_script_in_every_language(language: str) -> None:
    for definition in EVERY:
        for text in (HOSTILE["scripts"], HOSTILE["right to left"], HOSTILE["lone surrogates"]):
            assert set(measure(definition, text, language).signals) == set(definition.signals)


@named
@given(st.text(max_size=300))
@settings(max_examples=30)
def test_the_same_text_has_the_same_answer_whatever_came_before(definition: Definition, text: str) -> None:
    first = measure(definition, text)
    measure(definition, text[::-1] + " And others: 3.5, “quotes” (brackets).")
    assert measure(definition, text) == first


@named
@given(text=st.text(st.sampled_from("ab. \n{[]1é\ud800"), max_size=80))
@settings(max_examples=30)
def test_fractions_of_own_copies_stay_fractions(definition: Definition, text: str) -> None:
    found = measure(definition, text)
    for name, value in found.signals.items():
        if name.endswith("_frac") and "gram" not in name and value is not None and definition.name != "gopher_dolma":
            assert 0 <= value <= 1, (name, value)


@named
def test_composed_and_decomposed_text_have_the_same_fate(definition: Definition) -> None:
    for language in ("en", "pt", "fr"):
        text = "\n".join(
            f"{number}. {prose.OTHERS.get(language, 'Além disso, a ação não é só de João; é também dos irmãos.')}"
            for number in range(8)
        )
        composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
        first, second = measure(definition, composed, language), measure(definition, decomposed, language)
        if definition.name == "nemo_en":
            continue  # counts what is outside [A-Za-z0-9], so a mark of its own counts against the text
        # Characters are code points in all of them, so values move a little; the verdict stays.
        assert bool(limits.reasons(first, definition.limits)) == bool(limits.reasons(second, definition.limits))


def test_a_definition_is_found_by_name_or_refused() -> None:
    assert heuristics.find("c4").name == "c4_tfds"
    assert heuristics.find("fineweb", "fineweb_paper").name == "fineweb_paper"
    with pytest.raises(ValueError, match="unknown definition 'c5' of c4; known: c4_tfds, c4_datatrove"):
        heuristics.find("c4", "c5")
