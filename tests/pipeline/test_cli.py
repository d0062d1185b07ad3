from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import sample
from pipeline.cli import main
from tests.conftest import manifest


def test_help_imports_nothing_heavy() -> None:
    """What keeps ``joeira --help`` under half a second, without timing it."""
    code = """
import sys
from pipeline.cli import main
try:
    main(["--help"])
except SystemExit:
    print(sorted({name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert not loaded & {
        "apache_beam",
        "pyarrow",
        "numpy",
        "trafilatura",
        "lxml",
        "fasttext",
        "jinja2",
        "yaml",
        "torch",
    }
    assert "curate" in done.stdout


def test_no_verb_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: joeira" in capsys.readouterr().out


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    arguments = [
        "curate",
        "--input",
        str(sample.DIRECTORY),
        "--output",
        str(output),
        "--workers",
        "1",
        "--json",
        "--quiet",
    ]
    assert main([*arguments, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"] == 3
    assert main([*arguments, "--print-config"]) == 0
    assert json.loads(capsys.readouterr().out)["preset"] == "basic"
    assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.pop("output") == str(output)
    assert said == manifest(output)
    assert main(["curate", "--input", "nothing", "--output", str(output), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["exit_code"] == 2


def test_progress_tells_documents_a_second_and_time_left(tmp_path: Path) -> None:
    from filters.registry import Settings
    from pipeline import progress
    from pipeline.config import Annotate
    from pipeline.inputs import Input, Split
    from pipeline.stages.annotate import AnnotateStage

    item = Input(name="a", path="a", kind="warc", size=100, digest="")
    units = [Split(key=f"{n:06d}", input=item, start=n * 50, stop=n * 50 + 50) for n in range(2)]
    stage = AnnotateStage(work=str(tmp_path), config=Annotate(), settings=Settings())
    (tmp_path / "receipts/annotate").mkdir(parents=True)
    (tmp_path / "progress").mkdir()
    (tmp_path / "receipts/annotate/000000.json").write_text(
        '{"tallies": {"in": {"count": 9}, "documents": {"count": 7}}}'
    )
    (tmp_path / "progress/annotate-000001").write_text("5 0.5")
    weights = {unit.key: 50 for unit in units}
    assert progress._state([stage], weights) == (12, 75.0)
    assert [progress._span(seconds) for seconds in (5, 65, 3700)] == ["5 s", "1 min 05 s", "1 h 01 min"]
