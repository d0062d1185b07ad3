from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import main
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


def test_a_row_lost_on_its_way_to_a_shard_breaks_conservation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = shards._sorted_row_groups
    monkeypatch.setattr(shards, "_sorted_row_groups", lambda path: (rows.slice(1) for rows in good(path)))
    assert main(["demo", "--output", str(tmp_path / "run"), "--quiet", "--workers", "1"]) == 1
    assert "conservation broken on shards: kept = rows in data/" in capsys.readouterr().err
    assert not (tmp_path / "run/manifest.json").exists()
