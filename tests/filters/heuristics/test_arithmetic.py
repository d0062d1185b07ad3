"""Signals against values worked out by hand, or published (../shared/field/curation.md §1.3, peers' own tests)."""

from __future__ import annotations

import pytest

from filters import heuristics, profiles
from filters.heuristics import limits
from filters.heuristics.definition import Number, Options
from filters.textview import TextView

SENTENCE = "one two three four five six seven eight nine ten eleven twelve thirteen"
LINES = "Hello, World.\nHello, World.\n\nHello"


def signals(name: str, text: str, language: str = "en") -> dict[str, Number | None]:
    return heuristics.BY_NAME[name].measure(TextView(text, language), Options()).signals


def reasons(name: str, text: str, language: str = "en", **badwords: tuple[str, ...]) -> list[str]:
    definition = heuristics.BY_NAME[name]
    return limits.reasons(definition.measure(TextView(text, language), Options(badwords)), definition.limits)


@pytest.mark.parametrize(
    ("name", "signal", "text", "value"),
    [
        # One text, three arithmetics: lines with a copy.
        ("gopher_repetition.gopher_datatrove", "dup_line_frac", LINES, 1 / 3),
        ("gopher_repetition.gopher_dolma", "dup_line_frac", LINES, 2 / 4),
        ("gopher_repetition.gopher_dclm", "dup_line_frac", LINES, 2 / 3),
        ("gopher_repetition.gopher_datatrove", "dup_line_char_frac", LINES, 13 / 34),
        ("gopher_repetition.gopher_dolma", "dup_line_char_frac", LINES, 26 / 29),
        ("gopher_repetition.gopher_dclm", "dup_line_char_frac", LINES, 26 / 31),
        # Nothing repeats: only DCLM says so.
        ("gopher_repetition.gopher_dclm", "top_2gram_char_frac", "This is a test.", 0),
        ("gopher_repetition.gopher_dolma", "top_4gram_char_frac", "This is a test.", 1),
        # A sentence of 13 words, twice.
        ("gopher_repetition.gopher_dclm", "dup_10gram_char_frac", f"{SENTENCE} {SENTENCE}", 1),
        ("gopher_repetition.gopher_datatrove", "dup_10gram_char_frac", "a b c d e f g h i j " * 2, 10 / 40),
        ("gopher_repetition.paper", "dup_para_frac", "one\n\none\n\ntwo", 2 / 3),
        ("gopher_quality.paper", "mean_word_length", "aa bbbb", 3),
        ("gopher_quality.gopher_dolma", "median_word_length", "a bb ccccc", 2),
        ("gopher_quality.gopher_datatrove", "word_count", "Well , then - go !", 3),
        ("gopher_quality.gopher_datatrove", "token_count", "Well, then - go!", 6),
        ("gopher_quality.gopher_datatrove", "alpha_word_frac", "Well, then - go!", 3 / 6),
        ("gopher_quality.paper", "alpha_word_frac", "Well, then - go!", 3 / 4),
        ("gopher_quality.gopher_datatrove", "stop_word_count", "The the of of to", 3),
        ("gopher_quality.paper", "stop_word_count", "The the of of to", 5),
        ("gopher_quality.gopher_dolma", "stop_word_count", "The the of of to", 4),
        ("gopher_quality.paper", "bullet_line_frac", "* a\n\n- b\n• c\nd", 3 / 4),
        ("gopher_quality.gopher_datatrove", "bullet_line_frac", "* a\n\n- b\n• c\nd", 2 / 5),
        ("gopher_quality.gopher_dolma", "bullet_line_frac", " * a\n* b", 1 / 2),
        ("gopher_quality.paper", "symbol_word_ratio", "a #b c... d", 2 / 4),
        ("fineweb.fineweb_code", "line_punct_frac", "One.\nTwo\n\nThree!", 2 / 3),
        ("fineweb.fineweb_code", "short_line_frac", "x" * 30 + "\n" + "x" * 31, 1 / 2),
        ("fineweb.fineweb_code", "line_dup_char_frac", "aaaa\nbb\naaaa", 4 / 10),
        ("fineweb.fineweb_code", "newline_word_ratio", "one two.\nthree", 1 / 4),
        ("nemotron.nemo_en", "non_alnum_char_frac", "ab é.", 2 / 5),
        ("nemotron.nemo_en", "digit_char_frac", "ab 12", 2 / 5),
        ("nemotron.nemo_en", "paren_char_frac", "(a)[]", 4 / 5),
        ("nemotron.nemo_en", "url_char_frac", "http://a.b/c d", 12 / 14),
        ("nemotron.nemo_en", "symbol_word_ratio", "... # a#b c", 2 / 4),
        ("nemotron.nemo_en", "bullet_sentence_frac", "• a\nb", 1 / 2),
        ("nemotron.nemo_en", "ellipsis_sentence_frac", "a…\nb... \nRead More\nc", 3 / 4),
        ("nemotron.nemo_en", "boilerplate_para_frac", "Our privacy policy.\n\nText.", 1 / 2),
        ("c4.mc4_tfds", "third_longest_line", "aaa\nbb\na\ncccc", 2),
    ],
)
def test_by_hand(name: str, signal: str, text: str, value: float) -> None:
    assert signals(name, text)[signal] == pytest.approx(value, abs=1e-12)


def test_equality_with_a_limit_passes() -> None:
    text = "one " * 9 + "#"
    assert signals("gopher_quality.gopher_datatrove", text)["hash_word_ratio"] == 0.1
    assert "hash_word_ratio" not in reasons("gopher_quality.gopher_datatrove", text)
    assert "hash_word_ratio" in reasons("gopher_quality.gopher_datatrove", "one " * 8 + "#")


def test_c4_cleans_line_by_line_in_its_order() -> None:
    good = "This line has five words."
    text = "\n".join(
        [
            good,
            "Too few words.",
            "This one has no end mark",
            "This one ends with dots and so goes ...",
            "Please turn JavaScript on for this page.",
            "Read our Privacy Policy and our terms now.",
            "x" * 1001 + " is too long a word.",
            "Cited here[1][citation needed] and there [edit] too.",
            f"{good} {good}",
        ]
    )
    found = heuristics.find("c4").measure(TextView(text), Options())
    assert found.text == f"{good}\nCited here and there  too.\n{good} {good}"
    assert found.counters == {
        "lines-valid": 3,
        "lines-too-short": 1,
        "lines-no-endmark": 2,
        "lines-javascript": 1,
        "lines-policy": 1,
        "lines-with-too-long-word": 1,
        "emitted-clean-pages": 1,
    }
    assert found.signals["sentence_count"] == 4


def test_c4_asks_a_page_only_in_lines_that_got_so_far() -> None:
    good = "This line has five words.\n" * 3
    assert reasons("c4.c4_tfds", good + "A { bracket in a line that stays.") == ["curly_bracket"]
    assert reasons("c4.c4_tfds", good + "A { bracket in a line without end") == []
    assert reasons("c4.c4_tfds", good + "Here is some lorem ipsum text again.") == ["lorem_ipsum"]
    assert reasons("c4.c4_tfds", "This line has five words.") == ["too_few_sentences"]


def test_c4_implementations_count_words_at_different_times() -> None:
    line = "Only two[1] [2] [3] words.\n"
    assert heuristics.find("c4", "c4_datatrove").measure(TextView(line * 5), Options()).text != ""
    assert heuristics.find("c4", "c4_tfds").measure(TextView(line * 5), Options()).text == ""


def test_badwords_are_whole_words_of_the_language() -> None:
    text = "An assessment of five words.\n" * 3
    assert reasons("c4.c4_tfds", text, en=("ass",)) == []
    assert reasons("c4.c4_tfds", text + "Such an ass, he said.", en=("ass",)) == ["badword"]
    assert reasons("c4.c4_tfds", text + "Such an ass, he said.", es=("ass",)) == []
    assert "badword" in reasons("c4.c4_tfds", "这是坏词吗。", "zh", zh=("坏词",))


def test_refinedweb_cuts_interface_lines_of_the_language() -> None:
    body = "A long enough line of ordinary text that stays in the page as it is.\n" * 8
    for language, noise in (("en", "1.2K Likes\nRead more...\n"), ("pt", "12 curtidas\nLeia mais...\n")):
        found = heuristics.find("refinedweb", "refinedweb_by_language").measure(
            TextView(body + noise, language), Options()
        )
        assert found.text == body.strip()
        # "1.2K" is one word of Unicode's, as "12" is.
        assert found.signals["removed_word_frac"] == pytest.approx(4 / (8 * 15 + 4))
    lines = "SHOUTING ALL THE WAY\n12345\nword\n\n\n\nA line to keep."
    assert (
        heuristics.find("refinedweb", "refinedweb_dclm_lines").measure(TextView(lines), Options()).text
        == "A line to keep."
    )


def test_refinedweb_full_cuts_addresses_and_nothing_that_looks_like_one() -> None:
    text = "See https://a.example/b?c=d and shop.example.com/x or 10.0.0.1 now, e.g.this one and file.txt here"
    found = heuristics.find("refinedweb").measure(TextView(text), Options())
    assert found.text == "See and or now, e.g.this one and file.txt here"


def test_stop_words_are_those_of_the_language_and_none_where_unknown() -> None:
    name = "gopher_quality.gopher_datatrove"
    assert signals(name, "A casa de pedra não é nossa, que pena.", "pt")["stop_word_count"] == 3
    assert signals(name, "Some words of a language without a list.", "fi")["stop_word_count"] is None


def test_profiles_replace_limits_and_turn_rules_off() -> None:
    definition = heuristics.BY_NAME["gopher_repetition.fineweb2"]
    portuguese = limits.of_language(definition, definition.limits, profiles.load("pt"))
    by_signal = {limit.signal: limit for limit in portuguese}
    assert by_signal["top_2gram_char_frac"].max == 0.371
    assert "dup_para_frac" not in by_signal
    assert limits.of_language(definition, definition.limits, profiles.load("generic")) == definition.limits


def test_limits_of_other_language_models_are_never_used() -> None:
    assert profiles.load("pt").thresholds["language_score"].min == 0.65


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"word_cout": {"min": 1}}, "limits of gopher_quality.paper: word_cout: no rule asks for it"),
        ({"word_count": {"mim": 1}}, "expected min and max, or nothing to turn it off"),
        ({"word_count": {"min": "many"}}, "expected min and max"),
        ({"word_count": {"min": True}}, "expected min and max"),
        ({"word_count": {}}, "expected min and max"),
    ],
)
def test_changes_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        limits.changed(heuristics.BY_NAME["gopher_quality.paper"], changes)
