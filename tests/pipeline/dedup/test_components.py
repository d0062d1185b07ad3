from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup import components

EDGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60)


def brute(edges: list[tuple[int, int]]) -> dict[int, int]:
    label = {node: node for edge in edges for node in edge}
    for _ in label:
        for first, second in edges:
            label[first] = label[second] = min(label[first], label[second])
    return label


def packed(edges: list[tuple[int, int]]) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(edges, dtype=np.uint64).reshape(-1, 2)


@given(EDGES)
def test_both_ways_agree_with_brute_force(edges: list[tuple[int, int]]) -> None:
    for way in (components.components, components.by_stars):
        nodes, labels = way(packed(edges))
        assert dict(zip(nodes.tolist(), labels.tolist(), strict=True)) == brute(edges)


@given(EDGES)
def test_stars_keep_components(edges: list[tuple[int, int]]) -> None:
    for step in (components.large_star, components.small_star):
        after = [tuple(edge) for edge in step(packed(edges)).tolist()]
        label = brute(edges)
        again = {node: node for node in label} | brute(after)  # type: ignore[arg-type]
        assert again == label


@pytest.mark.parametrize("size", [2000])
def test_a_chain_in_the_worst_order(size: int) -> None:
    order = np.random.default_rng(1).permutation(size).astype(np.uint64)
    edges = np.stack((order[1:], order[:-1]), axis=1)
    for way in (components.components, components.by_stars):
        nodes, labels = way(edges)
        assert len(nodes) == size
        assert set(labels.tolist()) == {0}


def test_large_random_graphs_agree() -> None:
    edges = np.random.default_rng(2).integers(0, 100_000, (80_000, 2), dtype=np.uint64)
    first, second = components.components(edges), components.by_stars(edges)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
