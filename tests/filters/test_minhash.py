"""Signatures against datasketch, brute force, and the cases of others (filters/minhash_cases.dev.jsonl)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash
from datasketch.lsh import _optimal_param
from hypothesis import given
from hypothesis import strategies as st

from filters import minhash
from filters.minhash import Parameters

TEXT = "The quick brown fox jumps over the lazy dog while the cat looks on and says nothing at all of it."
PARAMETERS = Parameters()


@pytest.mark.parametrize("parameters", [PARAMETERS, Parameters(bands=9, rows=13, seed=7), Parameters(bands=1, rows=1)])
@pytest.mark.parametrize("copies", [1, 3000])
def test_signatures_are_those_of_datasketch(parameters: Parameters, copies: int) -> None:
    text = " ".join(f"{TEXT} {number}" for number in range(copies))
    shingles = minhash.shingle_hashes(text, parameters)
    oracle = MinHash(
        num_perm=parameters.permutations, seed=parameters.seed, scheme="affine64", hashfunc=lambda value: value
    )
    oracle.update_batch(shingles.tolist())
    assert minhash.signature(shingles, parameters).tolist() == oracle.hashvalues.tolist()


@pytest.mark.parametrize(("threshold", "permutations"), [(0.7, 128), (0.8, 128), (0.9, 64), (0.7, 256), (0.5, 30)])
def test_bands_for_a_threshold_are_those_of_datasketch(threshold: float, permutations: int) -> None:
    assert minhash.optimal_bands(threshold, permutations) == _optimal_param(threshold, permutations, 0.5, 0.5)


@pytest.mark.parametrize(("threshold", "permutations"), [(0, 10), (1, 10), (0.5, 0)])
def test_thresholds_that_are_none_are_refused(threshold: float, permutations: int) -> None:
    with pytest.raises(ValueError, match="expected 0 < threshold < 1"):
        minhash.optimal_bands(threshold, permutations)


@pytest.mark.parametrize(
    ("similarity", "chance"), [(0.5, 0.053), (0.6, 0.211), (0.7, 0.565), (0.75, 0.772), (0.8, 0.924), (0.85, 0.988)]
)
def test_the_curve_is_the_published_one(similarity: float, chance: float) -> None:
    # Penedo et al. 2024, arXiv:2406.17557, figure on 14 bands of 8.
    assert PARAMETERS.chance(similarity) == pytest.approx(chance, abs=6e-4)


@given(st.lists(st.sampled_from(["ab", "cd", "ef", "gh", "12", "é"]), max_size=40))
def test_shingles_by_brute_force(words: list[str]) -> None:
    found = minhash.shingle_hashes(", ".join(words), PARAMETERS)
    expected = {tuple(words[start : start + 5]) for start in range(len(words) - 4)}
    assert len(found) == len(expected)
    assert np.all(found[1:] > found[:-1])


@given(st.text(max_size=60), st.text(max_size=60))
def test_similarity_is_that_of_the_sets(first: str, second: str) -> None:
    one, other = Parameters(shingle=1), Parameters(shingle=1)
    sets = [set(minhash.shingle_hashes(text, one).tolist()) for text in (first, second)]
    expected = len(sets[0] & sets[1]) / len(sets[0] | sets[1]) if sets[0] | sets[1] else 0
    assert minhash.jaccard(*(minhash.shingle_hashes(text, other) for text in (first, second))) == pytest.approx(
        expected
    )


def test_bands_agree_where_their_values_do() -> None:
    signatures = np.arange(2 * 112, dtype=np.uint64).reshape(2, 112)
    signatures[1, :8] = signatures[0, :8]
    signatures[1, 8:15] = signatures[0, 8:15]
    first, second = minhash.band_hashes(signatures, PARAMETERS)
    assert (first == second).tolist() == [True] + [False] * 13
    # The same values in another band are another band.
    signatures[1, 8:16] = signatures[0, :8]
    first, second = minhash.band_hashes(signatures, PARAMETERS)
    assert first[0] != second[1]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (TEXT, TEXT.upper(), True),
        (TEXT, TEXT.replace(" ", " \n\t"), True),
        (TEXT, TEXT.replace("jumps", "“jumps”,"), True),
        ("a ação é só uma coleção", "a ac\u0327a\u0303o e\u0301 so\u0301 uma colec\u0327a\u0303o", True),
        ("um avô e uma avó só", "um avo e uma avo so", False),
        ("item 1 costs 20 euros today", "item 7 costs 30 euros today", False),
        ("我们明天去北京大学", "我们明天去北京大学。", True),
    ],
)
def test_what_makes_no_difference(one: str, other: str, same: bool) -> None:
    hashes = [minhash.shingle_hashes(text, PARAMETERS).tolist() for text in (one, other)]
    assert hashes[0]
    assert (hashes[0] == hashes[1]) == same


def test_numbers_are_folded_on_demand() -> None:
    folded = Parameters(fold_numbers=True)
    texts = ("item 1 costs 20 euros today", "item 77 costs 3 euros today")
    one, other = (minhash.shingle_hashes(text, folded).tolist() for text in texts)
    assert one == other


def test_scripts_without_spaces_are_cut_by_character() -> None:
    assert len(minhash.shingle_hashes("我们明天去北京大学", PARAMETERS)) == 5
    assert len(minhash.shingle_hashes("हिन्दी में पाँच शब्द यहाँ", PARAMETERS)) == 1


def test_cases_of_others(shared: Path) -> None:
    lines = (shared / "filters/minhash_cases.dev.jsonl").read_text("utf-8").splitlines()
    errors: dict[object, list[float]] = defaultdict(list)
    deviations: dict[object, list[float]] = defaultdict(list)
    checked = 0
    for case in map(json.loads, lines):
        expected = case["expect"]
        if case["kind"] == "equal" and expected["same_signature"] is not None:
            one, other = (minhash.shingle_hashes(case["input"][side]["text"], PARAMETERS) for side in "ab")
            assert (one.tolist() == other.tolist()) == expected["same_signature"], case["id"]
        elif case["kind"] == "short":
            found = len(minhash.shingle_hashes(case["input"]["text"], PARAMETERS))
            assert found in (
                expected.get("shingles_distinct", expected.get("shingles")),
                0 if "shingles" in expected else -1,
            )
        elif case["kind"] == "pair":
            one, other = (minhash.shingle_hashes(case["input"][side]["text"], PARAMETERS) for side in "ab")
            truth = expected["jaccard"]["numbers_kept"]
            assert minhash.jaccard(one, other) == pytest.approx(truth, abs=0.005), case["id"]
            agreed = minhash.signature(one, PARAMETERS) == minhash.signature(other, PARAMETERS)
            errors[case.get("target")].append(float(np.mean(agreed)) - truth)
            deviations[case.get("target")].append(max(truth * (1 - truth), 0.01) / PARAMETERS.permutations)
        checked += case["kind"] != "cluster"
    assert checked > 250
    for target, found_errors in errors.items():
        limit = 3 * (np.mean(deviations[target]) / len(found_errors)) ** 0.5 + 0.01
        assert abs(np.mean(found_errors)) <= limit, target


def test_words_are_those_of_the_usual_pattern() -> None:
    words = re.findall(r"\w+", TEXT.lower())
    distinct = {tuple(words[start : start + 5]) for start in range(len(words) - 4)}
    assert len(minhash.shingle_hashes(TEXT, PARAMETERS)) == len(distinct)


@pytest.mark.parametrize("text", ["", "   ", "four words are few", "!!! ??? ...", "\ud800", "x" * 1_000_000])
def test_short_and_odd_texts_have_no_shingles(text: str) -> None:
    shingles = minhash.shingle_hashes(text, PARAMETERS)
    assert len(shingles) == len(minhash.signature(shingles, PARAMETERS)) == 0
