"""What all tests share.

``shared``        the folder of real crawl data with truth, where this machine has it; else the test skips
``curate``        runs ``joeira curate`` in this process, on the sample crawl by default
``sample_run``    one finished run on the sample crawl, made once; tests only read it
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import sample
from pipeline.cli import main

SHARED = Path(os.environ.get("JOEIRA_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"real crawl data is not at {SHARED} (set JOEIRA_TEST_DATA)")
    return SHARED


Curate = Callable[..., Path]


@pytest.fixture
def curate(tmp_path: Path) -> Curate:
    def run(*inputs: str | Path, output: str = "out", expect: int = 0, options: tuple[str, ...] = ()) -> Path:
        paths = [str(path) for path in inputs] or [str(sample.DIRECTORY)]
        place = tmp_path / output
        arguments = ["curate", "--input", *paths, "--output", str(place), "--quiet", *options]
        if "--workers" not in options:
            arguments[1:1] = ["--workers", "1"]
        assert main(arguments) == expect
        return place

    return run


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("sample") / "run"
    assert main(["curate", "--input", str(sample.DIRECTORY), "--output", str(output), "--quiet", "--workers", "1"]) == 0
    return output


def manifest(run: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    return result


def rows(run: Path, folder: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return [row for path in sorted((run / folder).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def digests(run: Path, folder: str = "data") -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((run / folder).iterdir())}


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
