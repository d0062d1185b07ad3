"""The two ways a run ends badly, as exit codes."""

from __future__ import annotations


class JoeiraError(Exception):
    """An error that is told in one sentence, without a traceback."""

    exit_code = 1


class UsageError(JoeiraError):
    """The call, the configuration or an input is wrong: nothing was started (exit code 2)."""

    exit_code = 2


class RunError(JoeiraError):
    """A stage failed; the message names the stage, the file and what to do (exit code 1)."""
