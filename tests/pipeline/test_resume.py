"""The same bytes whatever the number of workers, the order of inputs, and however often the run was killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import sample
from tests.conftest import Curate, digests, manifest


@pytest.fixture
def crawl(tmp_path: Path) -> list[Path]:
    """Twelve files, so that there are twelve splits."""
    for copy in "abcd":
        shutil.copytree(sample.DIRECTORY, tmp_path / "crawl" / copy)
    return sorted((tmp_path / "crawl").rglob("*.warc.gz"))


def test_workers_and_order_do_not_change_a_byte(curate: Curate, crawl: list[Path]) -> None:
    small = ("--set", "assemble.shard_mib=1")
    first = curate(*crawl, output="1", options=small)
    shuffled = random.Random(3).sample(crawl, len(crawl))
    others = [curate(*shuffled, output=workers, options=(*small, "--workers", workers)) for workers in ("2", "4")]
    assert len(digests(first)) > 1
    for other in others:
        for folder in ("data", "removed", "failed"):
            assert digests(other, folder) == digests(first, folder)
        assert manifest(other)["counts"] == manifest(first)["counts"]


def test_a_moved_crawl_gives_the_same_bytes(
    curate: Curate, crawl: list[Path], tmp_path: Path, sample_run: Path
) -> None:
    assert digests(curate(crawl[0].parent)) == digests(sample_run)


@pytest.mark.slow
def test_ten_kills_at_random_moments(curate: Curate, crawl: list[Path], tmp_path: Path) -> None:
    for copy in "efghij":
        shutil.copytree(sample.DIRECTORY, tmp_path / "crawl" / copy)
    crawl = sorted((tmp_path / "crawl").rglob("*.warc.gz"))
    whole = curate(*crawl, output="whole")
    killed = tmp_path / "killed"
    inputs = [str(path) for path in crawl]
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "curate",
        "--input",
        *inputs,
        "--output",
        str(killed),
        "--workers",
        "2",
        "--quiet",
    ]
    chance = random.Random(20260704)
    kills = 0
    for _ in range(10):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=chance.uniform(0.5, 3.5))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        for path in killed.rglob("*.parquet"):
            if not path.name.startswith(".tmp-"):
                pq.read_metadata(path)  # whole, or it would not have a footer
        if (killed / "manifest.json").exists():
            assert manifest(killed)["conservation"]["holds"]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
    assert kills >= 5
    assert digests(killed) == digests(whole)
    assert digests(killed, "removed") == digests(whole, "removed")
    assert not list(killed.rglob(".tmp-*"))


def test_two_processes_do_not_work_in_one_run(
    tmp_path: Path, curate: Curate, capsys: pytest.CaptureFixture[str]
) -> None:
    import fcntl

    run = curate()
    with (run / "work/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        curate(expect=2)
    assert "another process is working" in capsys.readouterr().err


def test_a_changed_input_is_noticed(tmp_path: Path, curate: Curate, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "in.warc.gz"
    shutil.copy(sample.DIRECTORY / "sample-00000.warc.gz", copy)
    curate(copy)
    with copy.open("ab") as file:
        file.write(b"\0")
    curate(copy, expect=2)
    assert "holds a run made otherwise (inputs" in capsys.readouterr().err
