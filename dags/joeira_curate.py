"""Curates one crawl: the stages of joeira as tasks, each a call of its command line.

A task that is retried, or a DAG run that is started again with the same parameters, goes on where the
stage stopped. The DAG imports nothing of joeira: where the command is installed apart from Airflow (its
own virtual environment is best), name it in the ``JOEIRA`` environment variable.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from datetime import timedelta

from airflow.sdk import Param, dag, get_current_context, task


def joeira(*arguments: str) -> dict:
    """Run one verb and return the JSON object that it prints."""
    command = [*shlex.split(os.environ.get("JOEIRA", "joeira")), *arguments, "--quiet", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} exited with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run_options() -> list[str]:
    params = get_current_context()["params"]
    workers = ["--workers", str(params["workers"])] if params["workers"] else []
    return ["--output", params["output"], "--runner", params["runner"], *workers]


@dag(
    dag_id="joeira_curate",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": True},
    params={
        "input": Param([], type="array", items={"type": "string"}, description="crawl files, or lists of them"),
        "robots": Param([], type="array", items={"type": "string"}, description="captures of robots.txt of the crawl"),
        "output": Param("", type="string", description="directory of the run"),
        "preset": Param("basic", type="string", description="named configuration"),
        "runner": Param("local", type="string", description="Beam runner of each stage"),
        "workers": Param(None, type=["null", "integer"], minimum=1, description="processes; empty: all cores"),
        "least_kept": Param(0.0, type="number", minimum=0, maximum=1, description="fail below this share kept"),
    },
    tags=["joeira", "corpus"],
    doc_md=__doc__,
)
def curate() -> None:
    @task
    def extract() -> int:
        params = get_current_context()["params"]
        inputs = ["--input", *params["input"], "--preset", params["preset"]]
        inputs += ["--robots", *params["robots"]] if params["robots"] else []
        return joeira("extract", *inputs, *run_options())["splits"]

    @task
    def annotate() -> int:
        return joeira("annotate", *run_options())["splits"]

    @task
    def consent() -> int:
        return joeira("consent", *run_options())["splits"]

    @task
    def dedup() -> int:
        return joeira("dedup", *run_options())["splits"]

    @task
    def assemble() -> dict:
        return joeira("assemble", *run_options())["conservation"]

    @task
    def check(totals: dict) -> float:
        """Fail the run when less was kept than the parameter asks for: a filter gone wrong is seen here."""
        share = totals["kept"] / totals["in"] if totals["in"] else 0.0
        least = get_current_context()["params"]["least_kept"]
        if share < least:
            raise ValueError(f"{share:.3f} of {totals['in']} candidates kept, expected at least {least}")
        return share

    totals = assemble()
    extract() >> annotate() >> consent() >> dedup() >> totals
    check(totals)


curate()
