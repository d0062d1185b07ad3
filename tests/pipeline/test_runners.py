"""The whole job on every runner that this machine has: the same bytes from each."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import sample
from pipeline.cli import main
from pipeline.errors import UsageError
from pipeline.runners import describe, runner_name
from tests.conftest import Curate, digests, manifest

TOOLS = Path(os.environ.get("JOEIRA_TOOLS", Path(__file__).parents[2] / ".tools"))


# Deduplication and a cap of hosts send the job through shuffles too.
SHUFFLED = (
    *("--set", "annotate.filters=[language, text_stats, fingerprints]"),
    *("--set", "dedup.levels=[url, exact, near, line]"),
    *("--set", "urls.host_cap=3"),
)


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("one") / "run"
    arguments = [
        "curate",
        "--input",
        str(sample.DIRECTORY),
        "--output",
        str(output),
        "--quiet",
        "--workers",
        "1",
        *SHUFFLED,
    ]
    assert main(arguments) == 0
    return output


def same(run: Path, one_process: Path) -> None:
    for folder in ("data", "removed", "failed"):
        assert digests(run, folder) == digests(one_process, folder)


def test_fnapi_in_several_processes(curate: Curate, one_process: Path) -> None:
    run = curate(options=("--workers", "3", *SHUFFLED))
    assert manifest(run)["run"]["runner"] == "FnApiRunner, 3 processes"
    same(run, one_process)


def test_prism(curate: Curate, one_process: Path) -> None:
    prism = shutil.which("prism") or str(TOOLS / "bin" / "prism")
    if not Path(prism).exists():
        pytest.skip("Prism is not here: go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0")
    run = curate(options=("--runner", "prism", *SHUFFLED, "--", f"--prism_location={prism}"))
    assert manifest(run)["run"]["runner"] == "PrismRunner"
    same(run, one_process)


@pytest.fixture
def flink() -> Iterator[str]:
    jars = TOOLS / "flink"
    if shutil.which("java") is None or not list(jars.glob("beam-runners-flink-*.jar")):
        pytest.skip("Flink is not here: mvn -f tests/flink/pom.xml dependency:copy-dependencies (see .ci/run)")
    ports = [free_port() for _ in range(2)]
    command = [
        "java", "-cp", f"{jars}/*", "org.apache.beam.runners.flink.FlinkJobServerDriver", "--flink-master=[local]",
        f"--job-port={ports[0]}", f"--artifact-port={ports[1]}", "--expansion-port=0",
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(ports[0], server)
        yield f"localhost:{ports[0]}"
    finally:
        server.kill()
        server.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the Flink job server died"
        with socket.socket() as client:
            client.settimeout(1)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        server.poll()
    pytest.fail("the Flink job server does not listen")


def test_flink(curate: Curate, one_process: Path, flink: str) -> None:
    options = ("--runner", "portable", *SHUFFLED, "--", f"--job_endpoint={flink}", "--environment_type=LOOPBACK")
    same(curate(options=options), one_process)


def test_a_worker_that_fails_is_told_by_stage_and_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An input that vanishes between planning and reading, in one process and in several."""
    from pipeline import job, runs
    from pipeline.config import load
    from pipeline.errors import RunError

    for number, workers in enumerate((1, 2)):
        files = [tmp_path / f"{number}-{name}.warc.gz" for name in "ab"]
        for file in files:
            file.write_bytes(b"")
        run = runs.plan(str(tmp_path / f"out{number}"), [str(file) for file in files], load())
        files[0].unlink()
        with pytest.raises(
            RunError, match=r"stage extract, .*-a.warc.gz bytes 0-1: No such file.*run the same command"
        ):
            job.curate(run, job.How(workers=workers, quiet=True))
        files[0].write_bytes(b"")
        assert job.curate(run, job.How(workers=workers, quiet=True))["conservation"]["holds"]


@pytest.mark.parametrize(
    ("name", "cls"), [("local", "FnApiRunner"), ("Prism", "PrismRunner"), ("DataflowRunner", "DataflowRunner")]
)
def test_names(name: str, cls: str) -> None:
    assert runner_name(name) == cls


def test_directrunner_is_not_a_name() -> None:
    with pytest.raises(UsageError, match="unknown runner 'DirectRunner'"):
        runner_name("DirectRunner")
    assert describe("local", 1) == "FnApiRunner, 1 process"


def test_the_demo_says_its_runner_and_ends_with_a_model_that_beats_ngrams(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "demo", "--output", str(tmp_path / "d"), "--workers", "1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == "runner: FnApiRunner, 1 process"
    assert f"report: {tmp_path}/d/report/index.html" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == f"model: {tmp_path}/d/training/run/model"
    (bits,) = [line for line in done.stdout.splitlines() if line.startswith("bits a byte")]
    found = {name: float(value) for name, value in re.findall(r"(model|[13]-gram) ([\d.]+)", bits)}
    assert found["model"] < found["3-gram"] < found["1-gram"]
    assert main(["demo", "--output", str(tmp_path / "d"), "--quiet"]) == 0
