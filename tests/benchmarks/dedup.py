"""Near-deduplication of synthetic documents on the local runner, and signatures against datatrove.

A million signatures of 14 bands of 8 are made, of which a third belong to planted clusters of 2 to 10 that share some
bands; there is no text, so pairs are taken unverified. Measured: seconds, the largest resident set of any process, and
whether the clusters are those planted. Signatures are then made of real English texts, interleaved with datatrove's
``MinhashDedupSignature`` on the same texts, medians of five.

    python -m tests.benchmarks.dedup
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters import registry
from pipeline import config, exchanges, inputs, job, runs, schema
from tests.benchmarks import peers
from tests.benchmarks.heuristics import english_texts

SPLITS = 32
BANDS, ROWS = 14, 8
SHARED_BANDS = 5
# The length of text at which the field's figure of datatrove was measured.
WORDS = 1100

_OURS = """
import json, sys, time
from filters import minhash
parameters = minhash.Parameters()
texts = [json.loads(line) for line in open(sys.argv[1])]
def run(texts):
    for text in texts:
        minhash.signature(minhash.shingle_hashes(text, parameters), parameters)
run(texts[:50])
began = time.process_time()
run(texts)
print(len(texts) / (time.process_time() - began))
"""
_DATATROVE = """
import json, sys, tempfile, time
from datatrove.data import Document
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
texts = [json.loads(line) for line in open(sys.argv[1])]
step = MinhashDedupSignature(tempfile.mkdtemp(), MinhashConfig(num_buckets=14, hashes_per_bucket=8, n_grams=5), "en")
def run(texts):
    for text in texts:
        step.get_signature(step.get_shingles(text))
run(texts[:50])
began = time.process_time()
run(texts)
print(len(texts) / (time.process_time() - began))
"""


def plant(documents: int, seed: int = 1) -> tuple[Any, np.ndarray]:  # type: ignore[type-arg]
    """Signatures, and the cluster of each document (itself for singletons)."""
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 11, documents // 18)
    owners = np.arange(documents)
    members = random.permutation(documents)[: int(sizes.sum())]
    for group in np.split(members, np.cumsum(sizes)[:-1]):
        owners[group] = group.min()
    signatures = random.integers(0, 2**64, (documents, BANDS, ROWS), dtype=np.uint64)
    for band in random.choice(BANDS, SHARED_BANDS, replace=False).tolist():
        signatures[:, band] = signatures[owners, band]
    return signatures.reshape(documents, -1), owners


def write(place: Path, signatures: Any) -> runs.Run:
    """A run whose documents have been annotated."""
    (place / "in.jsonl").write_text("{}\n")
    settings = ["annotate.filters=[language, text_stats, fingerprints]", "dedup.levels=[near]", "dedup.verify=0"]
    run = runs.plan(str(place / "run"), [str(place / "in.jsonl")], config.load("none", None, settings))
    found = run.splits[0].input
    run.splits = [inputs.Split(key=f"{number:05d}", input=found, start=0, stop=1) for number in range(SPLITS)]
    columns = schema.signals(registry.select(run.config.annotate.filters))
    for number, part in enumerate(np.array_split(np.arange(len(signatures)), SPLITS)):
        ids = [f"{document:032x}" for document in part.tolist()]
        values = pa.array([signatures[document].tobytes() for document in part], pa.binary())
        known = {"id": pa.array(ids), "minhash": values}
        known["decision"] = pa.array(["unknown"] * len(part))
        for name, wanted in (("documents", schema.DOCUMENTS), ("signals", columns), ("consent", schema.CONSENT)):
            path = Path(run.work) / name / f"{number:05d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            table = [known.get(field.name, pa.nulls(len(part), field.type)) for field in wanted]
            pq.write_table(pa.table(table, schema=wanted), path, row_group_size=1024)
        receipt = Path(run.work) / "receipts" / "annotate" / f"{number:05d}.json"
        receipt.parent.mkdir(parents=True, exist_ok=True)
        receipt.write_text(json.dumps({"documents": len(part)}))
    return run


class Peak:
    """The largest resident set of this process and its children while the block runs."""

    def __enter__(self) -> Peak:
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for pid in (os.getpid(), *_children(os.getpid())):
                try:
                    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                except (OSError, IndexError):
                    continue
                self.bytes = max(self.bytes, pages * os.sysconf("SC_PAGE_SIZE"))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = list(map(int, path.read_text().split()))
        except OSError:
            continue
        found += direct + [other for child in direct for other in _children(child)]
    return found


def near(documents: int) -> dict[str, Any]:
    """Deduplicate synthetic documents."""
    with tempfile.TemporaryDirectory() as place:
        signatures, owners = plant(documents)
        run = write(Path(place), signatures)
        del signatures
        began = time.monotonic()
        with Peak() as peak:
            exchanges.find_copies(run, job.How(workers=2, quiet=True))
        seconds = time.monotonic() - began
        found: dict[str, set[int]] = defaultdict(set)
        for path in (Path(run.work) / "duplicates" / "near").iterdir():
            for row in pq.read_table(path, columns=["id", "cluster"]).to_pylist():
                found[row["cluster"]].add(int(row["id"], 16))
        planted: dict[int, set[int]] = defaultdict(set)
        for document, owner in enumerate(owners.tolist()):
            planted[owner].add(document)
        exact = {frozenset(members) for members in found.values()} == {
            frozenset(members) for members in planted.values() if len(members) > 1
        }
    return {
        "documents": documents,
        "seconds": round(seconds, 1),
        "us_a_document": round(seconds / documents * 1e6, 1),
        "largest_process_mib": peak.bytes >> 20,
        "clusters_exact": exact,
    }


def signatures(rounds: int) -> dict[str, Any]:
    """Documents a second of one core, ours and datatrove's."""
    peer = peers.python("datatrove")
    with tempfile.TemporaryDirectory() as place:
        texts = english_texts(Path(place))
        chosen = [json.loads(line).split() for line in texts.read_text().splitlines()]
        cut = [" ".join(words[:WORDS]) for words in chosen if len(words) >= WORDS][:300]
        texts.write_text("".join(json.dumps(text) + "\n" for text in cut))
        seen: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for name, command in (("ours", [sys.executable, "-c", _OURS]), ("datatrove", [peer, "-c", _DATATROVE])):
                answer = subprocess.run([*command, str(texts)], check=True, capture_output=True, text=True).stdout
                seen[name].append(float(answer.split()[-1]))
        words = [len(json.loads(line).split()) for line in texts.read_text().splitlines()]
    medians = {name: statistics.median(values) for name, values in seen.items()}
    return {
        "mean_words": round(statistics.mean(words)),
        "documents_a_second": {name: round(value) for name, value in medians.items()},
        "times_datatrove": round(medians["ours"] / medians["datatrove"], 1),
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sizes = [near(documents) for documents in options.documents]
    print(json.dumps({"near": sizes, "signatures": signatures(options.rounds) if options.rounds else None}, indent=1))


if __name__ == "__main__":
    main()
