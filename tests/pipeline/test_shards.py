from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages import shards


@given(st.lists(st.lists(st.integers(0, 50), max_size=6), max_size=8), st.integers(1, 120))
def test_every_row_group_with_kept_text_is_in_one_shard_in_order(groups: list[list[int]], limit: int) -> None:
    named = [(f"{number:03d}", sizes) for number, sizes in enumerate(groups)]
    planned = shards.plan(named, limit)
    taken = [(key, number) for shard in planned for key, numbers in shard.pieces for number in numbers]
    assert taken == [(key, number) for key, sizes in named for number, size in enumerate(sizes) if size]
    for shard in planned:
        sizes = [dict(named)[key][number] for key, numbers in shard.pieces for number in numbers]
        assert len(sizes) == 1 or sum(sizes) <= limit
    assert [shard.number for shard in planned] == list(range(len(planned)))


def test_ledgers_cover_all_splits_once() -> None:
    keys = [f"{number:06d}" for number in range(600)]
    made = shards.ledgers(keys)
    assert [key for ledger in made for key in ledger.splits] == keys
    assert len(made) == 3
