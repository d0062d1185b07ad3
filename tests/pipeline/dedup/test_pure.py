"""The steps of deduplication on packed columns, each against a brute force over plain values."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import minhash
from pipeline.dedup import keys, standing, verify
from pipeline.dedup.bands import candidate_pairs
from pipeline.dedup.groups import choose
from pipeline.dedup.lines import repeated_lines

SMALL = st.integers(0, 3)


@given(st.lists(st.tuples(SMALL, SMALL, st.integers(1, 5), SMALL, SMALL), max_size=30), st.randoms())
def test_of_each_group_the_best_stays_whatever_the_order(members: list[tuple[int, ...]], random: object) -> None:
    rows = [
        [high, low, place, weight, 7, first, second, place % 2, place]
        for place, (high, low, weight, first, second) in enumerate(members)
    ]
    random.shuffle(rows)  # type: ignore[attr-defined]
    found = choose(np.array(rows, dtype=np.uint64).reshape(-1, 9))
    groups: dict[tuple[int, int], list[list[int]]] = defaultdict(list)
    for row in rows:
        groups[row[0], row[1]].append(row)
    expected = []
    for group in groups.values():
        if len(group) > 1:
            best = min(group, key=lambda row: row[5:])
            cluster = min(row[7:] for row in group)
            size = sum(row[3] for row in group)
            expected += [[row[2], *row[7:], *cluster, *best[7:], size, 7] for row in group]
    assert sorted(found.tolist()) == sorted(expected)


@given(st.lists(st.tuples(SMALL, st.integers(0, 20)), unique=True, max_size=40), st.integers(2, 6))
def test_candidates_are_all_pairs_and_stars_of_large_buckets(rows: list[tuple[int, int]], cap: int) -> None:
    pairs, counts = candidate_pairs(np.array(rows, dtype=np.uint64).reshape(-1, 2), cap)
    buckets: dict[int, list[int]] = defaultdict(list)
    for value, place in sorted(rows):
        buckets[value].append(place)
    expected = set()
    for bucket in buckets.values():
        expected |= set(combinations(bucket, 2)) if len(bucket) <= cap else {(bucket[0], place) for place in bucket[1:]}
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(expected)
    assert counts["capped"] == sum(len(bucket) > cap for bucket in buckets.values())


@given(st.lists(st.tuples(SMALL, st.integers(0, 12)), unique=True, max_size=40), st.integers(2, 4), st.booleans())
def test_lines_are_cut_from_enough_documents(rows: list[tuple[int, int]], documents: int, keep_one: bool) -> None:
    table = [[line, line * 10, place, 100 - place] for line, place in rows]
    cut, counts = repeated_lines(np.array(table, dtype=np.uint64).reshape(-1, 4), documents, keep_one)
    expected = []
    for line in {line for line, _ in rows}:
        places = sorted((place for other, place in rows if other == line), reverse=True)  # by order, not by place
        if len(places) >= documents:
            expected += [[place, line * 10] for place in places[keep_one:]]
    assert sorted(cut.tolist()) == sorted(expected)
    assert counts["cuts"] == len(expected)


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=2, max_size=8))
def test_more_of_a_signal_is_preferred_and_nothing_is_worst(values: list[float | None]) -> None:
    found = standing.preferences([{"quality": value} for value in values], ("quality",))[:, 0].tolist()
    order = sorted(range(len(values)), key=found.__getitem__)
    known = [values[place] for place in order if values[place] is not None]
    assert known == sorted(known, reverse=True)  # type: ignore[type-var]
    assert all(values[place] is None for place in order[len(known) :])


def test_newer_is_preferred_even_before_1970() -> None:
    days = [datetime(1969, 1, 1, tzinfo=UTC) + timedelta(days=200 * number) for number in range(5)]
    found = standing.preferences([{"date": day} for day in [*days, None]], ("newest",))[:, 0].tolist()
    assert sorted(range(6), key=found.__getitem__) == [4, 3, 2, 1, 0, 5]


@given(st.lists(st.integers(0, 2**128 - 1), max_size=5))
def test_ids_go_there_and_back_in_order(values: list[int]) -> None:
    ids = [f"{value:032x}" for value in values]
    halves = standing.ids([{"id": identifier} for identifier in ids])
    assert standing.hexadecimal(halves) == ids
    order = np.lexsort((halves[:, 1], halves[:, 0])).tolist()
    assert [ids[place] for place in order] == sorted(ids)


def test_cut_sets_of_shingles_estimate_what_whole_ones_say() -> None:
    random = np.random.default_rng(3)
    every = np.unique(random.integers(0, 2**64, 60_000, dtype=np.uint64))
    first, second = every[random.random(len(every)) < 0.9], every[random.random(len(every)) < 0.8]
    truth = minhash.jaccard(first, second)
    most = verify.MOST_SHINGLES
    assert verify.similarity_of(first[:most], second[:most]) == pytest.approx(truth, abs=0.02)
    assert verify.similarity_of(first[:100], second[:100]) == minhash.jaccard(first[:100], second[:100])


@pytest.mark.parametrize(
    ("canonical", "same"),
    [
        ("https://a.example/page", True),
        ("/page", True),
        ("https://other.example/page", False),
        ("", False),
        ("https://[", False),
    ],
)
def test_a_canonical_link_stands_for_the_address_on_its_own_host(canonical: str, same: bool) -> None:
    row = {"url": "https://www.a.example/page?print=1", "page_signals": [f"canonical: {canonical}"]}
    plain = keys.url_key({"url": "https://a.example/page"})
    assert (keys.canonical_key(row) == plain) is same
    assert keys.canonical_key({"url": "https://a.example/page", "page_signals": None}) is None
