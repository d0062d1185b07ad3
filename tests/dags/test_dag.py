"""The DAG, really run by ``dag.test()`` on SQLite, twice."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import sample
from tests.conftest import digests, manifest

DAGS = Path(__file__).parents[2] / "dags"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("airflow") is None, reason="Airflow is not installed (pip install 'joeira[dags]')"
)


@pytest.fixture
def airflow(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "airflow"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "JOEIRA": f"{sys.executable} -m pipeline",
        "PYTHONPATH": str(DAGS.parent),
    }
    home.mkdir()
    python(environment, "from airflow.utils.db import initdb; initdb()")
    return environment


def python(environment: dict[str, str], code: str, expect: int = 0) -> str:
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def run(environment: dict[str, str], output: Path, expect: str = "success", **params: object) -> None:
    conf = {"input": [str(sample.DIRECTORY)], "output": str(output), "workers": 1, **params}
    code = f"""
import json
from joeira_curate import curate
made = curate()
made.default_args["retries"] = 0
for one in made.tasks:
    one.retries = 0
state = made.test(run_conf=json.loads({json.dumps(json.dumps(conf))})).state
assert state == "{expect}", state
"""
    python({**environment, "PYTHONPATH": f"{DAGS}:{environment['PYTHONPATH']}"}, code)


def test_two_runs_and_a_gate(airflow: dict[str, str], tmp_path: Path, sample_run: Path) -> None:
    run(airflow, tmp_path / "one")
    run(airflow, tmp_path / "two")
    assert manifest(tmp_path / "one")["conservation"]["holds"]
    assert digests(tmp_path / "one") == digests(tmp_path / "two") == digests(sample_run)
    run(airflow, tmp_path / "one")  # again: goes on, which here means there is nothing to do
    assert digests(tmp_path / "one") == digests(sample_run)
    run(airflow, tmp_path / "one", expect="failed", least_kept=0.99)


def test_the_dag_file_imports_at_once_and_without_errors(airflow: dict[str, str]) -> None:
    said = python(
        airflow,
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"bag = DagBag({str(DAGS)!r})\n"
        "print(bag.import_errors, sorted(bag.dags), [t.task_id for t in bag.dags['joeira_curate'].topological_sort()])",
    )
    assert (
        said.splitlines()[-1] == "{} ['joeira_curate'] ['extract', 'annotate', 'consent', 'dedup', 'assemble', 'check']"
    )
