"""``make bench``: what consent costs: files of robots.txt read and decisions made, beside protego; and a takedown.

robots.txt files are the 4,231 real ones, or made like them where those are not at hand. Both read the same files and
answer the same questions, interleaved, medians of five. Then 1,000 of a million rows are taken down from shards.
"""

from __future__ import annotations

import base64
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema, takedown
from tests.benchmarks import peers
from tests.conftest import SHARED

ROUNDS = 5
ROWS, SHARDS, LISTED = 1_000_000, 250, 1_000

_WORK = """
texts = json.load(open(sys.argv[1]))
median = sorted(map(len, texts))[len(texts) // 2]
middling = [text for text in texts if abs(len(text) - median) < median / 10]
began = time.process_time()
for _ in range(5):
    for text in middling: parse(text)
files = 5 * len(middling) / (time.process_time() - began)
parsed = [parse(text) for text in middling]
questions = [(one, f"https://a.example/{word}/{number}.html") for number, one in enumerate(parsed) for word in WORDS]
for one, url in questions: allowed(one, url)
began = time.process_time()
for _ in range(5):
    for one, url in questions: allowed(one, url)
print(json.dumps({"files": files, "decisions": 5 * len(questions) / (time.process_time() - began)}))
"""
_WORDS = "WORDS = ['blog', 'wp-admin', 'search', 'a/b/c', 'images/x']\n"
_OURS = (
    "import json, sys, time\nfrom filters.consent import robots\nparse = robots.parse\n"
    "def allowed(one, url): return one.decide(('CCBot',), url)[0]\n"
)
_PROTEGO = (
    "import json, sys, time\nfrom protego import Protego\nparse = Protego.parse\n"
    "def allowed(one, url): return one.can_fetch(url, 'CCBot')\n"
)


def texts() -> list[str]:
    """Real files, or some made like them."""
    path = SHARED / "consent/robots_real.jsonl.gz"
    if not path.exists():
        rules = "".join(f"Disallow: /{word}/\n" for word in "abcdefghijklmnop")
        return [f"User-agent: *\n{rules}\nUser-agent: bot{number}\nDisallow: /*.pdf$\n" for number in range(1000)]
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [row.get("robots") or base64.b64decode(row.get("robots_b64", "")).decode("latin-1") for row in rows]


def robots() -> dict[str, Any]:
    """Files and decisions a second of one core."""
    peer = peers.python("protego")
    seen: dict[str, list[float]] = defaultdict(list)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(texts(), file)
        file.flush()
        for _ in range(ROUNDS):
            for name, python, head in (("ours", sys.executable, _OURS), ("protego", peer, _PROTEGO)):
                command = [python, "-c", head + _WORDS + _WORK, file.name]
                answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                for what, rate in json.loads(answer).items():
                    seen[f"{name} {what}"].append(rate)
    medians = {name: round(statistics.median(rates)) for name, rates in seen.items()}
    times = {what: round(medians[f"ours {what}"] / medians[f"protego {what}"], 1) for what in ("files", "decisions")}
    return {"a_second": medians, "times_protego": times}


def shards(place: Path) -> None:
    """A finished run of a million rows."""
    rows = ROWS // SHARDS
    for number in range(SHARDS):
        first = number * rows
        # Ids of a shard are ascending; addresses say nothing of the shard.
        known = {
            "id": pa.array([f"{first + row:032x}" for row in range(rows)]),
            "url": pa.array([f"https://h{number}.example/p/{row}" for row in range(rows)]),
            "text": pa.array([f"Texto {first + row}. " * 20 for row in range(rows)]),
        }
        columns = [known.get(field.name, pa.nulls(rows, field.type)) for field in schema.DATA]
        path = place / "data" / f"part-{number:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table(columns, schema=schema.DATA)
        pq.write_table(table, path, row_group_size=1024, compression="zstd", write_page_index=True)


def removal(finished: Path) -> dict[str, Any]:
    """Seconds of taking 1,000 addresses down from a million rows, and what was written."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "run"
        shards(place)
        result = json.loads((finished / "manifest.json").read_text())
        names = [{"file": f"data/part-{number:05d}.parquet", "rows": ROWS // SHARDS} for number in range(SHARDS)]
        (place / "manifest.json").write_text(json.dumps(result | {"shards": names}))
        # All in every tenth shard.
        listed = [f"https://h{10 * (number % 25)}.example/p/{number}" for number in range(LISTED)]
        path = Path(directory) / "list.txt"
        path.write_text("\n".join(listed))
        before = {file.name: file.read_bytes() for file in (place / "data").iterdir()}
        began = time.perf_counter()
        log = takedown.take_down(str(place), str(path))
        seconds = time.perf_counter() - began
        changed = {name for name, data in before.items() if (place / "data" / name).read_bytes() != data}
        return {
            "rows": ROWS,
            "shards": SHARDS,
            "documents": log["documents"],
            "seconds": round(seconds, 1),
            "shards_changed": len(changed),
            "only_those_that_held_one": changed == {f"part-{10 * number:05d}.parquet" for number in range(25)},
        }


def main() -> None:
    """Print what was measured."""
    from pipeline import sample
    from pipeline.cli import main as joeira

    with tempfile.TemporaryDirectory() as place:
        finished = Path(place) / "run"
        joeira(["curate", "--input", str(sample.DIRECTORY), "--output", str(finished), "--quiet", "--workers", "1"])
        found = {"robots": robots(), "takedown": removal(finished)}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
