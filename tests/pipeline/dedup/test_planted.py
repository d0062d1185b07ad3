"""Real text with planted duplicates (shared data, planted/dev): what is found, and nothing else."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from filters import fingerprints
from filters.minhash import Parameters
from pipeline.cli import main
from tests.conftest import rows

PARAMETERS = Parameters()


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Planted:
    """A run over the planted crawl, with the names that its truth uses."""

    def __init__(self, run: Path, place: Path) -> None:
        self.run = run
        self.docs = {doc["doc_id"]: doc for doc in read(place / "docs.jsonl.gz")}
        self.pairs = read(place / "pairs.jsonl.gz")
        self.boilerplate = read(place / "boilerplate.jsonl.gz")
        names = {doc["record_id"].strip("<>"): name for name, doc in self.docs.items()}
        self.name: dict[str, str] = {}
        self.text: dict[str, str] = {}
        self.place: dict[int, str] = {}
        for split, path in enumerate(sorted((run / "work/documents").iterdir())):
            for row, document in enumerate(_rows(path)):
                name = names[document["record_id"].strip("<>")]
                self.name[document["id"]] = name
                self.text[name] = document["text"]
                self.place[(split << 32) + row] = name

    def found(self, level: str) -> list[dict[str, Any]]:
        return rows(self.run, f"work/duplicates/{level}")

    def edges(self, step: str) -> dict[frozenset[str], float]:
        found = rows(self.run, f"work/near/{step}")
        return {frozenset((self.place[row["first"]], self.place[row["second"]])): row["similarity"] for row in found}


def _rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path, columns=["id", "record_id", "text"]).to_pylist()
    return found


@pytest.fixture(scope="module")
def planted(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    place = shared / "planted/dev"
    run = tmp_path_factory.mktemp("planted") / "run"
    files = [str(path) for path in sorted(place.glob("*.warc.gz"))]
    options = ["--preset", "none", "--set", "annotate.filters=[language, text_stats, fingerprints]"]
    options += ["--set", "dedup.levels=[url, exact, near, line]", "--quiet", "--workers", "2"]
    assert main(["curate", "--input", *files, "--output", str(run), *options]) == 0
    return Planted(run, place)


def test_url_and_exact_groups_are_those_planted_and_nothing_else(planted: Planted) -> None:
    group = {name: {name} for name in planted.docs}
    for level in ("url", "exact"):
        for row in planted.found(level):
            first, second = planted.name[row["id"]], planted.name[row["survivor"]]
            joined = group[first] | group[second]
            for name in joined:
                group[name] = joined
    expected: dict[str, set[str]] = defaultdict(set)
    for name, doc in planted.docs.items():
        if doc["role"] in ("exact", "recrawl"):
            expected[doc["group"]].add(name)
    found = {frozenset(members) for members in group.values() if len(members) > 1}
    assert found == {frozenset(members) for members in expected.values() if len(members) > 1}
    dates: dict[str, list[str]] = defaultdict(list)
    for row in planted.found("url"):
        dates[row["survivor"]].append(planted.docs[planted.name[row["id"]]]["warc_date"])
    assert all(planted.docs[planted.name[survivor]]["warc_date"] == max(found) for survivor, found in dates.items())


def test_near_pairs_are_found_as_the_curve_says_and_no_pair_below_is_joined(planted: Planted) -> None:
    candidates, verified = planted.edges("candidates"), planted.edges("verified")
    truth = {frozenset((pair["a"], pair["b"])): pair for pair in planted.pairs}
    levels: dict[float, list[tuple[bool, bool, float]]] = defaultdict(list)
    for names, pair in truth.items():
        if pair["planted"] and pair["role"] == "near":
            levels[pair["target"]].append((names in candidates, names in verified, pair["jaccard_w5"]))
    assert len(levels) == 11
    for target, found in levels.items():
        expected = sum(PARAMETERS.chance(similarity) for _, _, similarity in found) / len(found)
        error = (expected * (1 - expected) / len(found)) ** 0.5
        assert sum(candidate for candidate, _, _ in found) / len(found) >= expected - 3 * error, target
        # What shared a band is kept where it is similar enough, and only there.
        assert all(kept == candidate for candidate, kept, similarity in found if similarity >= 0.72)
    assert min(pair["jaccard_w5"] for names, pair in truth.items() if names in verified) >= 0.68
    known = [(similarity, truth[names]["jaccard_w5"]) for names, similarity in verified.items() if names in truth]
    assert all(abs(found - expected) < 0.03 for found, expected in known)


def test_chains_are_one_cluster(planted: Planted) -> None:
    verified = set(planted.edges("verified"))
    chains: dict[str, list[str]] = defaultdict(list)
    for name, doc in planted.docs.items():
        if doc["role"] == "chain":
            chains[doc["group"]].append(name)
    cluster = {planted.name[row["id"]]: row["cluster"] for row in planted.found("near")}
    assert len(chains) == 20
    for members in chains.values():
        for first in members:
            for second in members:
                if frozenset((first, second)) in verified:
                    assert cluster[first] == cluster[second]


def test_boilerplate_is_cut_and_bodies_are_not(planted: Planted) -> None:
    cut: dict[str, set[int]] = defaultdict(set)
    for row in planted.found("line"):
        cut[planted.name[row["id"]]] |= set(row["lines"])

    def gone(line: str, name: str) -> bool:
        hashes = fingerprints.hash_lines([(fingerprints.line_key(line), is_long) for is_long in (True, False)])
        return bool(cut[name] & set(hashes.tolist()))

    removed = {planted.name[row["id"]] for row in rows(planted.run, "removed")}
    framed = [(entry["line"], name) for entry in planted.boilerplate for name in entry["docs"] if name not in removed]
    assert sum(gone(line, name) for line, name in framed) >= 0.99 * len(framed)
    frames: dict[str, set[str]] = defaultdict(set)
    for entry in planted.boilerplate:
        for name in entry["docs"]:
            frames[name].add(fingerprints.line_key(entry["line"]))
    bodies = [
        (line, name)
        for name, text in planted.text.items()
        for line in text.split("\n")
        if line.strip() and fingerprints.line_key(line) not in frames[name]
    ]
    assert len(bodies) > 50_000
    assert sum(gone(line, name) for line, name in bodies) <= 0.001 * len(bodies)
