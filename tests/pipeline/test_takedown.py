"""Takedowns from finished shards."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from filters import urls
from filters.consent import optout
from pipeline import takedown
from pipeline.cli import main
from pipeline.errors import UsageError
from tests.conftest import Curate, manifest, rows

OPTIONS = ("--preset", "none", "--set", "annotate.filters=[language, text_stats, fingerprints]")


@pytest.fixture
def corpus(curate: Curate, tmp_path: Path) -> Path:
    """Twelve shards of three documents; in one a copy was removed."""
    documents = [
        {
            "id": str(number),
            "text": f"texto número {number} " * 18_000,
            "url": f"https://h{number % 7}.example/a/{number}",
        }
        for number in range(36)
    ]
    documents.append({"id": "copy", "text": documents[5]["text"], "url": "https://mirror.example/5"})
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(document) + "\n" for document in documents))
    settings = ("--set", "assemble.shard_mib=1", "--set", "dedup.levels=[exact]", "--set", "dedup.prefer=[text_chars]")
    return curate(source, options=(*OPTIONS, *settings))


def files(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run / "data").iterdir())}


def take_down(run: Path, *entries: str) -> dict[str, Any]:
    path = run.parent / "list.txt"
    path.write_text("\n".join(entries) + "\n")
    return takedown.take_down(str(run), str(path))


def test_only_shards_that_hold_a_document_change(corpus: Path) -> None:
    before, data = files(corpus), rows(corpus, "data")
    old = (corpus / "manifest.json").read_bytes()
    by_name = {row["record_id"]: row for row in data}
    text = optout.text_digest(by_name["7"]["text"])
    wanted = {"0", "7", "8", "3", "10", "17", "24", "31"}
    log = take_down(
        corpus,
        "http://www.h0.example/a/0#top  # another spelling",
        text,
        by_name["8"]["id"],
        "h3.example",
        "https://h9.example/*",
    )
    assert log["documents"] == len(wanted)
    assert log["without_documents"] == ["https://h9.example/*"]
    assert {row["record_id"] for row in rows(corpus, "data")} == by_name.keys() - wanted
    touched = {
        name
        for name in before
        if {row["record_id"] for row in pq.read_table(corpus / "data" / name).to_pylist()}
        < {row["record_id"] for row in data if row["record_id"] in names_in(before[name])}
    }
    after = files(corpus)
    assert {name for name in before if before[name] != after[name]} == touched
    assert 0 < len(touched) < len(before)
    assert {shard["file"].removeprefix("data/") for shard in log["shards"]} == touched
    delta = pq.read_table(corpus / "takedowns/0001/removed.parquet").to_pylist()
    assert {row["record_id"] for row in delta} == wanted
    assert "text" not in delta[0]
    new = manifest(corpus)
    assert sum(shard["rows"] for shard in new["shards"]) == len(data) - len(wanted)
    (done,) = new["takedowns"]
    assert done["before_digest"] == hashlib.sha256(old).hexdigest()
    assert (corpus / done["before"]).read_bytes() == old
    assert "Taken down since" in (corpus / "README.md").read_text()


def names_in(shard: bytes) -> set[str]:
    import pyarrow as pa

    return set(pq.read_table(pa.BufferReader(shard))["record_id"].to_pylist())


def test_the_same_list_again_changes_nothing(corpus: Path) -> None:
    take_down(corpus, "h1.example")
    before = {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    log = take_down(corpus, "h1.example")
    assert log["number"] is None
    assert {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()} == before


def test_one_that_was_stopped_is_finished_by_the_next(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shutil.copytree(corpus, corpus.parent / "whole")
    take_down(whole, "h1.example", "h2.example")
    remove = takedown._without
    calls = []

    def stopped(path: str, ids: list[str]) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        remove(path, ids)

    monkeypatch.setattr(takedown, "_without", stopped)
    with pytest.raises(KeyboardInterrupt):
        take_down(corpus, "h1.example", "h2.example")
    monkeypatch.setattr(takedown, "_without", remove)
    log = take_down(corpus, "h3.example")
    assert [one["documents"] for one in log["resumed"]] == [manifest(whole)["takedowns"][0]["documents"]]
    take_down(whole, "h3.example")
    assert files(corpus) == files(whole)
    assert [one["documents"] for one in manifest(corpus)["takedowns"]] == [
        one["documents"] for one in manifest(whole)["takedowns"]
    ]


def test_the_kept_copy_of_a_removed_document_is_offered(corpus: Path) -> None:
    (copy,) = [row for row in rows(corpus, "removed") if row["reason"] == "duplicate_exact"]
    kept = copy["detail"].removeprefix("copy of ")
    log = take_down(corpus, "h1.example", copy["url"])
    assert log["offered"] == 1
    offered = corpus / "takedowns/0001/offered.txt"
    assert offered.read_text().split() == [kept]
    assert takedown.take_down(str(corpus), str(offered))["documents"] == 1
    assert kept not in {row["id"] for row in rows(corpus, "data")}


def test_texts_that_were_withheld_go_too(curate: Curate, tmp_path: Path) -> None:
    run = curate(options=("--set", "assemble.removed_text=true"))
    (sample, *_) = json.loads((run / "report/samples.json").read_text())
    (row,) = [row for row in rows(run, "removed") if row["id"] == sample["id"]]
    kept = rows(run, "data")[0]
    take_down(run, row["id"], kept["id"])
    (after,) = [one for one in rows(run, "removed") if one["id"] == row["id"]]
    assert row["text"] and after["text"] is None
    assert sample["id"] not in (run / "report/samples.json").read_text() + (run / "report/index.html").read_text()


def test_shards_are_not_written_anew_over_a_takedown(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take_down(corpus, "h1.example")
    left = files(corpus)
    assert main(["assemble", "--output", str(corpus), "--quiet"]) == 1
    assert "documents were taken down" in capsys.readouterr().err
    assert files(corpus) == left


def test_lists_that_are_none_and_places_without_a_run(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 2: expected a URL"):
        take_down(corpus, "a.example", "nonsense here")
    with pytest.raises(UsageError, match=r"nowhere\.txt"):
        takedown.take_down(str(corpus), str(tmp_path / "nowhere.txt"))
    (tmp_path / "list.txt").write_text("a.example\n")
    with pytest.raises(UsageError, match="no finished run"):
        takedown.take_down(str(tmp_path / "empty"), str(tmp_path / "list.txt"))
    shutil.rmtree(corpus / "work")
    with pytest.raises(UsageError, match="sha256: of texts"):
        take_down(corpus, "sha1:" + "A" * 32)


@pytest.mark.parametrize(
    ("entry", "url", "hit"),
    [
        ("https://a.example/dir/*", "http://www.a.example/dir/x", True),
        ("https://a.example/dir/*", "https://a.example/directory", False),
        ("https://a.example/dir*", "https://a.example/directory", True),
        ("https://a.example/*", "https://a.example/", True),
        ("https://a.example/dir", "https://a.example/dir/x", False),
        ("a.example", "https://deep.a.example:8080/x", True),
        ("a.example", "https://aa.example/", False),
    ],
)
def test_what_entries_name(entry: str, url: str, hit: bool) -> None:
    assert (optout.parse([entry], "list").find(url) is not None) is hit
    assert urls.normalise(url)
