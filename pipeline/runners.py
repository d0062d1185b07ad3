"""Which Beam runner does the work, said by name.

``DirectRunner`` would try Prism, then fall back in silence; so a runner is always named. ``local`` is
Beam's FnApiRunner: in this process for one worker, else one process a worker.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.errors import RunError, UsageError
from pipeline.stages.base import ERROR_MARK, Slot, SpreadAndRun, Stage
from pipeline.stages.exchange import Exchange, RunExchange

_NAMES = {
    "local": "FnApiRunner",
    "fnapi": "FnApiRunner",
    "prism": "PrismRunner",
    "flink": "FlinkRunner",
    "portable": "PortableRunner",
    "dataflow": "DataflowRunner",
}
_ON_THIS_MACHINE = {"FnApiRunner"}
_ERROR = re.compile(re.escape(ERROR_MARK) + r"(.*?)" + re.escape(ERROR_MARK), re.DOTALL)


def runner_name(name: str) -> str:
    """The class that a runner's short name stands for.

    Args:
        name: ``local``, ``prism``, ``flink``, ``portable``, ``dataflow``, or a Beam class name.

    Returns:
        The class name.

    Raises:
        UsageError: no such runner.
    """
    known = _NAMES | {value.lower(): value for value in _NAMES.values()}
    if name.lower() not in known:
        raise UsageError(f"unknown runner {name!r}; known: {', '.join(sorted(_NAMES))}")
    return known[name.lower()]


def describe(name: str, workers: int) -> str:
    """What runs, for people.

    Args:
        name: short or class name of the runner.
        workers: processes asked for.

    Returns:
        For example ``FnApiRunner, 2 processes``.
    """
    cls = runner_name(name)
    return f"{cls}, {workers} process{'es' if workers != 1 else ''}" if cls in _ON_THIS_MACHINE else cls


def run(stages: Sequence[Stage], units: Sequence[Any], *, runner: str, workers: int, beam_args: Sequence[str]) -> None:
    """Run stages over units in one pipeline.

    Args:
        stages: what to do with each unit, in order.
        units: the units that are still to be done.
        runner: name of the runner.
        workers: processes, where the runner is on this machine.
        beam_args: further options for Beam, as on its command line.

    Raises:
        RunError: a unit failed, or the runner did.
        UsageError: Beam does not know an option.
    """
    if units:
        driver = _driver(runner)
        spread = SpreadAndRun(stages, beam_args=beam_args, driver=driver)
        _run(spread, units, runner=runner, workers=workers, beam_args=beam_args)


def run_exchange(
    exchange: Exchange, units: Sequence[Any], *, runner: str, workers: int, beam_args: Sequence[str]
) -> None:
    """Run an exchange over all units, unless it is done.

    Args:
        exchange: what to do.
        units: all units.
        runner: name of the runner.
        workers: processes, where the runner is on this machine.
        beam_args: further options for Beam.

    Raises:
        RunError: a unit or a range failed, or the runner did.
        UsageError: Beam does not know an option.
    """
    if not exchange.done():
        transform = RunExchange(exchange, beam_args=beam_args, driver=_driver(runner))
        _run(transform, units, runner=runner, workers=workers, beam_args=beam_args)
        exchange.check(units)


def _driver(runner: str) -> int | None:
    return os.getpid() if runner_name(runner) in _ON_THIS_MACHINE else None


def _run(
    transform: beam.PTransform, units: Sequence[Any], *, runner: str, workers: int, beam_args: Sequence[str]
) -> None:
    name = runner_name(runner)
    local = name in _ON_THIS_MACHINE
    processes = min(workers, len(units))
    pipeline = beam.Pipeline(
        runner=_local_runner(processes) if local else name, options=_options(name, processes, beam_args)
    )
    claims = tempfile.mkdtemp(prefix="joeira-claims-")
    # The local runner deals elements round-robin before it runs them: each process gets a slot instead, and
    # takes units as it gets free.
    slots = [Slot(number, tuple(units), claims) for number in range(processes)]
    _ = pipeline | "units" >> beam.Create(slots if local and processes > 1 else list(units)) | transform
    # Beam prints a worker's traceback; what it means is said in one sentence below.
    quiet = contextlib.redirect_stderr(io.StringIO()) if local else contextlib.nullcontext()
    try:
        with quiet:
            state = pipeline.run().wait_until_finish()
    except Exception as error:  # each runner wraps a worker's error in a type of its own
        found = _ERROR.search(str(error))
        if found:
            raise RunError(found.group(1).replace("\\n", "\n")) from error
        raise RunError(f"{name} failed: {' '.join(str(error).split())[-1500:]}") from error
    finally:
        shutil.rmtree(claims, ignore_errors=True)
    if state not in (None, "DONE"):
        raise RunError(f"{name} ended in state {state}")


def configure_file_systems(beam_args: Sequence[str]) -> None:
    """Hand Beam's options to its file systems in this process, before it looks at inputs.

    Args:
        beam_args: options for Beam, as on its command line.
    """
    from apache_beam.io.filesystems import FileSystems

    FileSystems.set_options(_checked(beam_args))


def _local_runner(processes: int) -> Any:
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    if processes == 1:
        return FnApiRunner()
    # What direct_running_mode=multi_processing sets up, but with our quiet worker.
    command = f"exec {shlex.quote(sys.executable)} -m pipeline.worker"
    return FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))


def _options(name: str, processes: int, beam_args: Sequence[str]) -> PipelineOptions:
    arguments = [f"--direct_num_workers={processes}"] if name in _ON_THIS_MACHINE else [f"--runner={name}"]
    return _checked([*arguments, *beam_args])


def _checked(arguments: Sequence[str]) -> PipelineOptions:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions(list(arguments))
            options.get_all_options()
    except SystemExit as error:  # argparse's way of refusing
        reason = said.getvalue().strip().rsplit("error: ", 1)[-1]
        raise UsageError(f"Beam refuses the options {' '.join(arguments)}: {reason}") from error
    return options
