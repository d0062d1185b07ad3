"""All heuristic families against datatrove's filters on the same English texts, one core, interleaved.

The texts are those of the real crawl beside the project where it exists, else of the sample crawl, as ``joeira
extract`` gives them. Ours computes every signal of one definition a family; datatrove's four filters (repetition,
quality, C4, FineWeb) run each on every document, since ours do too. Each process first works through every second
text, as a worker has some behind it, and is then measured on the others, which it has not seen. Milliseconds of
CPU a document, medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline import config, job, runs, sample
from pipeline.io.parquet import open_file
from tests.benchmarks import peers
from tests.conftest import SHARED

FAMILIES = (
    "c4.c4_tfds",
    "gopher_quality.paper",
    "gopher_repetition.paper",
    "fineweb.fineweb_code",
    "refinedweb.refinedweb_dclm_full",
    "nemotron.nemo_en",
)
AS_DATATROVE = (
    "gopher_repetition.gopher_datatrove",
    "gopher_quality.gopher_datatrove",
    "c4.c4_datatrove",
    "fineweb.fineweb_code",
)

_OURS = """
import json, sys, time
from filters.heuristics import BY_NAME
from filters.heuristics.definition import Options
from filters.textview import TextView
texts = [json.loads(line) for line in open(sys.argv[1])]
definitions = [BY_NAME[name] for name in sys.argv[2:]]
options = Options()
for definition in definitions:
    definition.measure(TextView("What loads at the first text, loads now.", "en"), options)
def run(texts):
    for text in texts:
        view = TextView(text, "en")
        for definition in definitions:
            definition.measure(view, options)
run(texts[::2])
began = time.process_time()
run(texts[1::2])
print((time.process_time() - began) / len(texts[1::2]) * 1000)
"""
_DATATROVE = """
import json, sys, time
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
)
texts = [json.loads(line) for line in open(sys.argv[1])]
filters = [GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(), FineWebQualityFilter()]
for entry in filters:
    entry.filter(Document(text="What loads at the first text, loads now.", id="0"))
def run(texts, stop):
    for text in texts:
        for entry in filters:
            try:
                answer = entry.filter(Document(text=text, id="0"))
            except ZeroDivisionError:  # datatrove's own, on texts without words
                continue
            if stop and answer is not True:
                break
run(texts[::2], False)
for stop in (False, True):
    began = time.process_time()
    run(texts[1::2], stop)
    print((time.process_time() - began) / len(texts[1::2]) * 1000)
"""


def english_texts(place: Path) -> Path:
    """The extracted English texts of the crawl, one JSON string a line."""
    crawl = SHARED / "crawl/dev"
    directory = crawl if crawl.is_dir() else sample.DIRECTORY
    run = runs.plan(str(place / "run"), [str(directory)], config.load("none"))
    with runs.claimed(run):
        job.work_on_splits(run, ("extract", "annotate"), job.How(quiet=True, workers=2))
    path = place / "texts.jsonl"
    found: list[str] = []
    with path.open("w") as lines:
        for split in run.splits:
            documents, signals = (
                open_file(f"{run.work}/{name}/{split.key}.parquet") for name in ("documents", "signals")
            )
            texts = documents.read(columns=["text"])["text"].to_pylist()
            languages = signals.read(columns=["language"])["language"].to_pylist()
            for text, language in zip(texts, languages, strict=True):
                if language == "en" and text:
                    found.append(text)
        # Every third is enough: datatrove takes minutes for all.
        lines.writelines(json.dumps(text) + "\n" for text in found[::3])
    return path


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    peer = peers.python("datatrove")
    with tempfile.TemporaryDirectory() as place:
        texts = str(english_texts(Path(place)))
        variants = {
            "six families": [sys.executable, "-c", _OURS, texts, *FAMILIES],
            "as datatrove's four": [sys.executable, "-c", _OURS, texts, *AS_DATATROVE],
            "datatrove, all four; datatrove, stopping at the first": [peer, "-c", _DATATROVE, texts],
        }
        seen: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for names, command in variants.items():
                answers = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                for name, answer in zip(names.split("; "), answers, strict=True):
                    seen.setdefault(name, []).append(float(answer))
                    print(f"{name}: {seen[name][-1]:.2f} ms", file=sys.stderr)
        medians = {name: statistics.median(values) for name, values in seen.items()}
        with open(texts) as lines:
            words = [len(json.loads(line).split()) for line in lines]
    print(
        json.dumps(
            {
                "documents": len(words),
                "mean_words": round(statistics.mean(words)),
                "ms_a_document": {name: round(value, 3) for name, value in medians.items()},
                "times_datatrove": round(medians["datatrove, all four"] / medians["six families"], 1),
                "times_datatrove_same_four": round(medians["datatrove, all four"] / medians["as datatrove's four"], 1),
                "rounds": options.rounds,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
