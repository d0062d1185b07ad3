"""Extraction in a child process that can be killed.

A page within its bounds can still make an extractor run for minutes, need gigabytes or crash in C. So a
worker hands each page to a child over pipes and waits with a deadline; a child that fails is replaced and
its page recorded, and the pages after it never know. Handing a page over costs about 0.2 ms. Messages are
a length, then JSON or UTF-8: nothing that comes back could run code.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import time
from dataclasses import asdict
from typing import IO, Any

from filters.extraction.engine import Bounds, Extracted
from pipeline.config import Extract

# A child imports its extractor before it answers the first time.
START_SECONDS = 60.0
_LENGTH = struct.Struct(">I")


class ExtractionError(Exception):
    """A page that could not be extracted; ``kind`` is one of a few fixed words."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Sandbox:
    """One child process at a time that extracts pages.

    Args:
        config: engine, bounds and limits.
    """

    def __init__(self, config: Extract) -> None:
        self._config = config
        self._child: subprocess.Popen[bytes] | None = None
        self._pages = 0

    def extract(self, html: str) -> Extracted:
        """Extract one page.

        Args:
            html: the decoded page.

        Returns:
            What the engine made of it, or the bound that kept it from the engine.

        Raises:
            ExtractionError: it took too long, the child died, or the engine raised.
        """
        if self._child is None or self._pages >= self._config.recycle_pages:
            self._restart()
        self._pages += 1
        try:
            self._send(html.encode("utf-8", "surrogatepass"))
            answer = self._receive(time.monotonic() + self._config.timeout_s)
        except TimeoutError:
            self.close()
            raise ExtractionError("timeout", f"not done after {self._config.timeout_s:g} s; killed") from None
        except (EOFError, BrokenPipeError, OSError) as error:
            code = self._child.wait() if self._child else None
            self.close()
            raise ExtractionError("crashed", f"the extracting process died with exit status {code}") from error
        if "error" in answer:
            raise ExtractionError("exception", answer["error"])
        return Extracted(**answer)

    def close(self) -> None:
        """End the child, at once."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe:
                    pipe.close()
            self._child = None

    def _restart(self) -> None:
        self.close()
        command = [sys.executable, "-m", "pipeline.sandbox"]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        os.set_blocking(self._pipe("stdin").fileno(), False)
        self._pages = 0
        config = self._config
        bounds = Bounds(max_chars=config.body_mib << 20, max_nodes=config.max_nodes, max_depth=config.max_depth)
        setup = {
            "engine": config.engine,
            "options": config.options,
            "bounds": asdict(bounds),
            "memory_mib": config.memory_mib,
        }
        try:
            self._send(json.dumps(setup).encode())
            ready = self._receive(time.monotonic() + START_SECONDS)
        except (TimeoutError, EOFError, OSError) as error:
            self.close()
            raise ExtractionError("crashed", "the extracting process does not start") from error
        if "error" in ready:
            self.close()
            raise ExtractionError("exception", ready["error"])

    def _pipe(self, name: str) -> IO[bytes]:
        pipe: IO[bytes] = getattr(self._child, name)
        return pipe

    def _send(self, payload: bytes) -> None:
        data = memoryview(_LENGTH.pack(len(payload)) + payload)
        pipe = self._pipe("stdin").fileno()
        deadline = time.monotonic() + self._config.timeout_s + START_SECONDS
        while data:
            if not select.select([], [pipe], [], max(0.0, deadline - time.monotonic()))[1]:
                raise TimeoutError
            data = data[os.write(pipe, data) :]

    def _receive(self, deadline: float) -> dict[str, Any]:
        pipe = self._pipe("stdout").fileno()

        def exactly(size: int) -> bytes:
            data = b""
            while len(data) < size:
                if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise TimeoutError
                piece = os.read(pipe, min(size - len(data), 1 << 20))
                if not piece:
                    raise EOFError
                data += piece
            return data

        (size,) = _LENGTH.unpack(exactly(_LENGTH.size))
        answer: dict[str, Any] = json.loads(exactly(size))
        return answer


def _serve() -> None:
    """The child: reads its setup, then a page and answers, until its parent is gone."""
    import resource

    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer

    def receive() -> bytes | None:
        head = requests.read(_LENGTH.size)
        return requests.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None

    def send(answer: dict[str, Any]) -> None:
        payload = json.dumps(answer).encode("utf-8")
        answers.write(_LENGTH.pack(len(payload)) + payload)
        answers.flush()

    setup = json.loads(receive() or b"{}")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (setup["memory_mib"] << 20, hard))
    from filters.extraction import engine

    bounds = Bounds(**setup["bounds"])
    extract = engine.extract
    try:
        extract(
            "<html><body><p>ready</p></body></html>", engine=setup["engine"], options=setup["options"], bounds=bounds
        )
        send({"ready": True})
    except Exception as error:
        send({"error": f"{type(error).__name__}: {error}"[:300]})
    while (page := receive()) is not None:
        try:
            html = page.decode("utf-8", "surrogatepass")
            answer = asdict(extract(html, engine=setup["engine"], options=setup["options"], bounds=bounds))
        except MemoryError:
            answer = {"error": f"MemoryError: more than {setup['memory_mib']} MiB"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        send(answer)


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)  # trafilatura logs every page it finds odd; the caller records them
    try:
        _serve()
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)
