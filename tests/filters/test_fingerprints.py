from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filters import fingerprints
from filters.fingerprints import LONG
from filters.minhash import Parameters
from filters.textview import TextView

MENU = ["Home", "About us", "}"]
BODY = [f"Line number {number} of the body, which is long enough." for number in range(30)]
LINES = st.lists(
    st.sampled_from(
        ["Home", "", "  ", "a line that is long enough to count", "A  Line that is long enough to count", "}"]
    )
)


def hashes(text: str, language: str = "en") -> list[int]:
    found: list[int] = fingerprints.lines(text, language)[0].tolist()
    return found


def test_long_lines_count_everywhere_and_short_ones_at_the_edges() -> None:
    text = "\n".join([*MENU, *BODY[:15], "Home", *BODY[15:], "About us"])
    found = hashes(text)
    assert [value & 1 for value in found].count(1) == 30
    assert len(found) == 32  # "}" has nothing to tell; "Home" in the middle counts no more
    assert fingerprints.lines(text, "en")[1].sum() == sum(map(len, BODY)) + len("Home") + 2 * len("About us")


def test_what_is_long_depends_on_the_language() -> None:
    assert [value & 1 for value in hashes("これは長い行ですよね", "ja")] == [1]
    assert [value & 1 for value in hashes("これは長い行ですよね", "en")] == [0]


def test_case_and_white_space_make_no_difference() -> None:
    assert hashes("Leia  MAIS sobre este assunto aqui") == hashes("leia mais sobre este assunto aqui ")


@given(LINES)
def test_cutting_what_counts_leaves_only_the_rest(lines: list[str]) -> None:
    text = "\n".join(lines)
    every = frozenset(hashes(text))
    assert fingerprints.without_lines(text, "en", frozenset()) == text.strip()
    left = fingerprints.without_lines(text, "en", every)
    assert "long enough" not in left
    long_only = frozenset(value for value in every if value & int(LONG))
    assert fingerprints.without_lines(text, "en", long_only).count("Home") == lines.count("Home")


def test_digests_ignore_white_space_and_composition_only() -> None:
    same = ["A ação\n\n de hoje", " A ac\u0327a\u0303o de hoje\t"]
    assert fingerprints.text_digest(same[0]) == fingerprints.text_digest(same[1])
    assert fingerprints.text_digest("a ação de hoje") != fingerprints.text_digest(same[0])
    assert fingerprints.text_digest("A ação, de hoje") != fingerprints.text_digest(same[0])


def test_columns_are_packed_little_endian() -> None:
    text = "\n".join(BODY)
    found = fingerprints.measure(TextView(text, "en"), Parameters(bands=2, rows=3))
    assert len(found["text_digest"]) == 16
    assert len(found["minhash"]) == 6 * 8
    assert np.frombuffer(found["line_hashes"], dtype="<u8").tolist() == hashes(text)
    assert np.frombuffer(found["line_sizes"], dtype="<u4").sum() == sum(map(len, BODY))
    assert found["shingle_count"] > 100
