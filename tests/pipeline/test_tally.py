from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.tally import Tally, add_counts


def of(ids: list[str]) -> Tally:
    tally = Tally()
    for identifier in ids:
        tally.add(identifier)
    return tally


@given(st.lists(st.text(alphabet="abcdef0123", max_size=6)), st.randoms())
def test_order_and_grouping_do_not_matter(ids: list[str], random: object) -> None:
    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    half = len(ids) // 2
    assert of(ids) == of(shuffled) == of(ids[:half]) + of(ids[half:])
    assert Tally.from_dict(of(ids).to_dict()) == of(ids)


def test_the_same_number_of_other_ids_is_noticed() -> None:
    assert of(["a", "b"]) != of(["a", "c"])
    assert of(["a", "a"]) != of(["a"])


def test_counts_of_any_shape_add_up() -> None:
    total: dict[str, object] = {}
    for _ in range(3):
        add_counts(total, {"a": 1, "b": {"c": 2}, "d": [1, 10]})
    assert total == {"a": 3, "b": {"c": 6}, "d": [3, 30]}
