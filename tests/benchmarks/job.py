"""What Beam and more workers cost or give: ``make bench`` (some fifteen minutes on two cores).

Everything is measured in one run, interleaved, medians of ``--rounds``. The crawl is the real one beside
the project where it exists, else the sample crawl many times over.

- Beam's price: CPU seconds of ``joeira curate --workers 1`` over those of a plain loop that calls the same
  stage functions without Beam.
- Scaling: seconds with one worker over seconds with two.
- Memory: the largest resident set of any process, for the crawl and for ten times the crawl.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from pipeline import sample
from tests.conftest import SHARED

_LOOP = """
import json, sys
from pipeline import config, job, runs
from pipeline.stages import base
run = runs.plan(sys.argv[1], sys.argv[2:], config.load())
stages = list(job.stages_of(run).values())
with runs.claimed(run):
    for stage in stages:
        stage.setup()
    for split in run.splits:
        for stage in stages:
            base.run_unit(stage, split)
    for stage in stages:
        stage.teardown()
    data, ledgers = job.shard_units(run)
    last = job.shard_stage(run)
    for unit in [*data, *ledgers]:
        base.run_unit(last, unit)
    job.complete(run, job.How())
"""


def largest_resident(root: int, stop: threading.Event, into: list[int]) -> None:
    """Watch the resident set of every process below one, from /proc; the largest seen goes into a list."""
    page = os.sysconf("SC_PAGE_SIZE")
    while not stop.wait(0.2):
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                except OSError:
                    continue
        for process in parents:
            above = process
            while above in parents and above != root:
                above = parents[above]
            if above == root:
                try:
                    into[0] = max(into[0], int(Path(f"/proc/{process}/statm").read_text().split()[1]) * page)
                except OSError:
                    continue


def measure(command: list[str], output: Path) -> tuple[float, float, int]:
    """Seconds, CPU seconds of all processes, and bytes of the largest one."""
    shutil.rmtree(output, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stop, largest = threading.Event(), [0]
    watch = threading.Thread(target=largest_resident, args=(process.pid, stop, largest))
    watch.start()
    code = process.wait()
    seconds = time.monotonic() - began
    stop.set()
    watch.join()
    if code:
        raise SystemExit(f"{command} exited with {code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, cpu, largest[0]


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skip-memory", action="store_true")
    options = parser.parse_args()
    crawl = SHARED / "crawl/dev"
    files = sorted(str(path) for path in (crawl if crawl.is_dir() else sample.DIRECTORY).glob("*.warc.gz"))
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "out"

        def curate(workers: int, inputs: list[str]) -> list[str]:
            arguments = ["--input", *inputs, "--output", str(output), "--workers", str(workers), "--quiet"]
            return [sys.executable, "-m", "pipeline", "curate", *arguments]

        variants = {
            "plain loop": [sys.executable, "-c", _LOOP, str(output), *files],
            "one worker": curate(1, files),
            "two workers": curate(2, files),
        }
        seen: dict[str, list[tuple[float, float, int]]] = {name: [] for name in variants}
        for _ in range(options.rounds):
            for name, command in variants.items():
                seen[name].append(measure(command, output))
        seconds = {name: statistics.median(one[0] for one in values) for name, values in seen.items()}
        cpu = {name: statistics.median(one[1] for one in values) for name, values in seen.items()}
        memory = {name: max(one[2] for one in values) >> 20 for name, values in seen.items()}
        result = {
            "rounds": options.rounds,
            "seconds": {name: round(value, 2) for name, value in seconds.items()},
            "cpu_seconds": {name: round(value, 2) for name, value in cpu.items()},
            "largest_process_mib": memory,
            "beam_price": round(cpu["one worker"] / cpu["plain loop"], 3),
            "two_workers_over_one": round(seconds["one worker"] / seconds["two workers"], 3),
        }
        if not options.skip_memory:
            copies = []
            for number in range(10):
                folder = Path(place) / "ten" / str(number)
                folder.mkdir(parents=True)
                for file in files:
                    copies.append(shutil.copy(file, folder / f"copy-{Path(file).name}"))
            ten = measure(curate(2, copies), output)[2] >> 20
            result["largest_process_mib"]["two workers, ten times the input"] = ten
            result["memory_ratio"] = round(ten / memory["two workers"], 3)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
