"""Caps of hosts against a brute force over the kept documents, and what must not change them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline import sample
from pipeline.stages import hosts
from pipeline.stages.exchange import blocks_by_range, range_of
from tests.conftest import Curate, digests, manifest, rows


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**64 - 1)), unique_by=lambda pair: pair[1]), st.integers(1, 4)
)
def test_last_ranks_by_brute_force(pairs: list[tuple[int, int]], cap: int) -> None:
    found, number, last = hosts.last_ranks(np.array(pairs, dtype=np.uint64).reshape(-1, 2), cap)
    by_host: dict[int, list[int]] = defaultdict(list)
    for host, rank in pairs:
        by_host[host].append(rank)
    expected = {host: sorted(ranks)[cap - 1] for host, ranks in sorted(by_host.items()) if len(ranks) > cap}
    assert dict(zip(found.tolist(), last.tolist(), strict=True)) == expected
    assert number == len(by_host)


@given(st.lists(st.integers(0, 2**64 - 1)), st.integers(1, 9))
def test_every_row_goes_to_the_range_of_its_hash(values: list[int], ranges: int) -> None:
    hashes = np.array(values, dtype=np.uint64)
    places = range_of(hashes, ranges)
    assert all(0 <= place < ranges for place in places.tolist())
    assert np.all(np.diff(range_of(np.sort(hashes), ranges)) >= 0)
    blocks = {
        number: np.frombuffer(block, dtype=np.uint64) for number, block in blocks_by_range(hashes, hashes, ranges)
    }
    for number in range(ranges):
        assert blocks.get(number, hashes[:0]).tolist() == hashes[places == number].tolist()


def test_the_first_ranks_of_each_host_are_kept(curate: Curate, sample_run: Path) -> None:
    run = curate(options=("--set", "urls.host_cap=2"))
    by_host: dict[str, list[str]] = defaultdict(list)
    for row in rows(sample_run, "data"):
        by_host[row["host"]].append(row["id"])
    expected = {
        identifier
        for ids in by_host.values()
        for _, identifier in sorted(zip(hosts.ranks(ids).tolist(), ids, strict=True))[:2]
    }
    assert {row["id"] for row in rows(run, "data")} == expected
    assert max(Counter(row["host"] for row in rows(run, "data")).values()) == 2
    removed = [row for row in rows(run, "removed") if row["reason"] == "host_cap"]
    counts = manifest(run)["rules"]["host_cap"]
    assert counts["fired"] == counts["first"] == counts["only"] == len(removed)
    assert counts["evaluated"] == len(removed) + len(expected)


def test_the_cap_depends_on_neither_files_nor_ranges(curate: Curate, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from pipeline import exchanges

    cap = ("--set", "urls.host_cap=2")
    files = sorted(sample.DIRECTORY.glob("*.gz"))
    first = curate(*files, output="first", options=cap)
    monkeypatch.setattr(exchanges, "_DOCUMENTS_A_RANGE", 20)
    second = curate(*reversed(files), output="second", options=(*cap, "--workers", "2"))
    assert len(list((second / "work/receipts/hosts").iterdir())) > 5
    assert digests(first) == digests(second)
    assert digests(first, "removed") == digests(second, "removed")


def test_a_cap_on_documents_without_hosts_fails_the_run(curate: Curate, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "in.txt").write_text("Some text without an address. " * 20)
    curate(tmp_path / "in.txt", options=("--set", "urls.host_cap=2"), expect=1)
    assert "rule 'host_cap' was evaluated on none" in capsys.readouterr().err


def test_an_exchange_that_loses_a_block_fails_and_runs_again(curate: Curate, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    from pipeline.stages import exchange

    whole = exchange.Settle.process

    def lossy(self: exchange.Settle, element: tuple[int, list[bytes]]) -> object:
        return whole(self, (element[0], sorted(element[1], key=len)[:-1]))

    monkeypatch.setattr(exchange.Settle, "process", lossy)
    cap = ("--set", "urls.host_cap=2")
    pages = sorted(sample.DIRECTORY.glob("sample-0*.gz"))  # without captures of robots.txt: they are exchanged before
    curate(*pages, options=cap, expect=1)
    said = capsys.readouterr().err
    assert "stage hosts: conservation broken" in said
    assert "run the same command again" in said
    monkeypatch.setattr(exchange.Settle, "process", whole)
    run = curate(*pages, options=cap)
    assert max(Counter(row["host"] for row in rows(run, "data")).values()) == 2


def test_documents_count_whose_lines_are_cut(curate: Curate, tmp_path: Path) -> None:
    footer = "Todos os direitos reservados a quem os tem."
    documents = [
        {"text": f"{chr(97 + number) * 300}\n{footer}", "url": f"https://a.example/{number}"} for number in range(9)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    options = ("--preset", "none", "--set", "annotate.filters=[language, text_stats, fingerprints]")
    options += ("--set", "dedup.levels=[line]", "--set", "urls.host_cap=2")
    run = curate(tmp_path / "in.jsonl", options=options)
    kept = [row["text"] for row in rows(run, "data")]
    assert len(kept) == 2
    assert not any(footer in text for text in kept)
