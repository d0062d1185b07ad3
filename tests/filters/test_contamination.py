"""Matches with evaluation items against a brute force over words, and what goes into the evidence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import contamination
from filters.contamination import Index, Sets
from filters.textview import TextView
from pipeline import config, rules
from pipeline.errors import UsageError
from tests.conftest import Curate, manifest, rows

QUESTION = "If a train leaves the station at noon and travels at sixty miles an hour, when does it arrive?"
ITEMS = [
    {"question": QUESTION, "answers": ["It arrives at three o'clock.", {"text": "Never."}], "id": 7},
    {"question": "Too short."},
]


def write(path: Path, items: list[object]) -> str:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return str(path)


def test_an_item_inside_a_page_is_found_with_evidence(tmp_path: Path) -> None:
    sets = Sets((write(tmp_path / "eval.jsonl", ITEMS),))
    text = f"Homework help. {QUESTION.upper().replace('NOON', 'noon,')} Answers below."
    found = contamination.measure(TextView(text), sets)
    words = len(re.findall(r"\w+", QUESTION))
    assert (found["contaminated_words"], found["contaminated_items"]) == (words, 1)
    (evidence,) = found["contamination"]
    assert evidence.startswith(f"eval.jsonl:1 words 2-{2 + words}: if a train leaves")
    assert evidence.endswith("when does it arrive")
    assert contamination.load(sets).short == 1


def test_twelve_words_are_not_enough(tmp_path: Path) -> None:
    sets = Sets((write(tmp_path / "eval.jsonl", ITEMS),))
    twelve = " ".join(QUESTION.split()[:12])
    assert contamination.measure(TextView(f"{twelve} on another day"), sets)["contaminated_words"] == 0
    assert contamination.measure(TextView(""), sets) == {
        "contaminated_words": 0, "contaminated_items": 0, "contamination": [],
    }  # fmt: skip


@given(
    st.lists(st.lists(st.sampled_from("abcd"), max_size=12), max_size=4), st.lists(st.sampled_from("abcd"), max_size=40)
)
@settings(max_examples=60)
def test_words_by_brute_force(items: list[list[str]], words: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        sets = Sets((write(Path(place) / "e.jsonl", [{"text": " ".join(item)} for item in items]),), words=4)
        index = Index(sets)
        found = contamination.measure(TextView(" ".join(words)), sets)
    grams = [{tuple(item[at : at + 4]) for at in range(len(item) - 3)} for item in items]
    hits = [at for at in range(len(words) - 3) if any(tuple(words[at : at + 4]) in known for known in grams)]
    assert found["contaminated_words"] == len({at + step for at in hits for step in range(4)})
    first = {
        next(number for number, known in enumerate(grams) if tuple(words[at : at + 4]) in known) for at in hits
    }  # fmt: skip
    assert found["contaminated_items"] == len(first)
    assert index.short == sum(not known for known in grams)


def test_the_job_reports_first_and_drops_on_demand(curate: Curate, tmp_path: Path) -> None:
    evaluation = write(tmp_path / "eval.jsonl", ITEMS)
    source = write(
        tmp_path / "in.jsonl", [{"id": "leak", "text": QUESTION * 3}, {"id": "clean", "text": "Fine. " * 60}]
    )
    common = ("--preset", "none", "--set", "annotate.filters=[language, text_stats, contamination]")
    common += ("--set", f"contamination.files=[{evaluation}]")
    run = curate(source, output="first", options=common)
    assert len(rows(run, "data")) == 2
    evidence = {row["id"]: row["contamination"] for row in rows(run, "work/signals")}
    assert sum(map(len, evidence.values())) >= 1
    rule = "assemble.rules=[{name: contaminated, signal: contaminated_words, max: 0, source: test}]"
    run = curate(source, output="second", options=(*common, "--set", rule))
    assert [row["record_id"] for row in rows(run, "data")] == ["clean"]
    assert evaluation in manifest(run)["versions"]["evaluation_sets"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}\nnonsense\n", "eval.jsonl line 2: expected JSON"), (None, "cannot be read"), ("", "")],
)
def test_files_that_are_none_are_refused_by_name(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "eval.jsonl"
    if content is not None:
        path.write_text(content)
    settings_ = ["annotate.filters=[contamination]", f"contamination.files=[{path}]"]
    loaded = config.load("none", None, settings_)
    if message:
        with pytest.raises(UsageError, match=message):
            rules.check(loaded)
    else:
        rules.check(loaded)  # an empty set is one in which nothing is found


def test_the_filter_without_sets_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="needs evaluation sets"):
        rules.check(config.load("none", None, ["annotate.filters=[contamination]"]))
