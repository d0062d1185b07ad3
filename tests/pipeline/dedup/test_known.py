"""One corpus against another, through a stored index."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.dedup.known import first_number, shared_keys
from tests.conftest import Curate, manifest, rows
from tests.pipeline.dedup.test_dedup import LEVELS, OPTIONS, altered, text, write


def index_of(curate: Curate, tmp_path: Path, *options: str) -> Path:
    """An earlier crawl: pages 0 to 9."""
    documents = [
        {"id": str(number), "text": text(number), "url": f"https://a.example/{number}"} for number in range(10)
    ]
    run = curate(
        write(tmp_path / "b.jsonl", [*documents, {"id": "empty", "text": ""}]),
        output="earlier",
        options=(*OPTIONS, *LEVELS, *options),
    )
    index = tmp_path / "index"
    assert main(["index", str(run), "--index", str(index)]) == 0
    return index


def against(index: Path) -> tuple[str, ...]:
    return (*OPTIONS, "--set", "dedup.levels=[known, url, exact, near, line]", "--set", f"dedup.against=[{index}]")


def test_what_the_other_has_goes_whatever_it_shares(curate: Curate, tmp_path: Path) -> None:
    index = index_of(curate, tmp_path)
    documents = [
        {"id": "same address", "text": text(500), "url": "http://www.a.example/1?utm_source=x"},
        {"id": "same text", "text": f" {text(2)} ", "url": "https://b.example/2"},
        {"id": "near", "text": altered(text(3), 1, 1), "url": "https://b.example/3"},
        {"id": "far", "text": altered(text(4), 1, 60), "url": "https://b.example/4"},
        {"id": "new", "text": text(600), "url": "https://b.example/5"},
        {"id": "empty", "text": "", "url": "https://b.example/6"},
    ]
    run = curate(write(tmp_path / "a.jsonl", documents), options=against(index))
    assert {row["record_id"] for row in rows(run, "data")} == {"far", "new", "empty"}
    earlier = {row["record_id"]: row["id"] for row in rows(tmp_path / "earlier", "data")}
    found = {row["record_id"]: row["detail"] for row in rows(run, "removed")}
    assert found == {
        "same address": f"copy of {earlier['1']}",
        "same text": f"copy of {earlier['2']}",
        "near": f"copy of {earlier['3']}",
    }
    assert {row["reason"] for row in rows(run, "removed")} == {"duplicate_known"}
    assert manifest(run)["rules"]["duplicate_known"]["fired"] == 3
    assert str(index) in manifest(run)["versions"]["indexes"]


def test_workers_and_parts_change_nothing(curate: Curate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.dedup import index as module

    monkeypatch.setattr(module, "_PART_BYTES", 1 << 10)
    index = index_of(curate, tmp_path)
    assert len(list(index.glob("keys-*"))) > 3
    source = write(tmp_path / "a.jsonl", [{"id": str(number), "text": text(number)} for number in range(5, 15)])
    run = curate(source, options=(*against(index), "--workers", "2"))
    assert {row["record_id"] for row in rows(run, "data")} == {str(number) for number in range(10, 15)}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda index: (index / "index.json").unlink(), "index.json is missing or damaged"),
        (lambda index: (index / "index.json").write_text("{"), "index.json is missing or damaged"),
        (lambda index: (index / "documents.parquet").write_bytes(b"PAR1"), "documents.parquet is missing, cut short"),
        (lambda index: (index / "keys-00000.parquet").unlink(), "keys-00000.parquet is missing, cut short"),
        (lambda index: change(index, format=9), "expected format 1, found 9"),
        (lambda index: change(index, parameters={"bands": 9}), "signatures were made with {'bands': 9}, this run's"),
    ],
)
def test_damaged_and_foreign_indexes_are_refused_by_name(
    curate: Curate, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: object, message: str
) -> None:
    index = index_of(curate, tmp_path)
    damage(index)  # type: ignore[operator]
    source = write(tmp_path / "a.jsonl", [{"id": "a", "text": text(1)}])
    curate(source, options=against(index), expect=2)
    said = capsys.readouterr().err
    assert f"index {index}: " in said
    assert message in said


def change(index: Path, **values: object) -> None:
    path = index / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_an_index_needs_a_finished_run_with_fingerprints_and_an_empty_place(curate: Curate, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", [{"id": "a", "text": text(1)}])
    plain = curate(source, output="plain", options=("--preset", "none"))
    assert main(["index", str(plain), "--index", str(tmp_path / "i1")]) == 2
    run = curate(source, output="run", options=OPTIONS)
    assert main(["index", str(run), "--index", str(tmp_path)]) == 2
    (run / "manifest.json").unlink()
    assert main(["index", str(run), "--index", str(tmp_path / "i2")]) == 2


def test_level_and_index_go_together(curate: Curate, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", [{"id": "a", "text": text(1)}])
    curate(source, options=(*OPTIONS, "--set", "dedup.levels=[known]"), expect=2)
    curate(source, options=(*OPTIONS, "--set", f"dedup.against=[{tmp_path}]"), expect=2)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 2), st.integers(0, 4), st.booleans()),
        unique=True,
    )
)
def test_shared_keys_by_brute_force(entries: list[tuple[int, int, int, int, bool]]) -> None:
    table = [
        [high, low, kind, first_number(1) + name if other else name] for high, low, kind, name, other in entries
    ]  # fmt: skip
    found = shared_keys(np.array(table, dtype=np.uint64).reshape(-1, 4))
    others: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for high, low, kind, name, other in entries:
        if other:
            others[high, low, kind].append(name)
    expected = [
        [name, kind, first_number(1) + min(others[high, low, kind])]
        for high, low, kind, name, other in entries
        if not other and others.get((high, low, kind))
    ]
    assert sorted(found.tolist()) == sorted(expected)
