"""Environments of their own for the peers we measure ourselves against."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

DIRECTORY = Path("build/peers")

PACKAGES = {
    "protego": ["protego==0.7.0"],
    "datatrove": ["datatrove[processing]==0.10.1", "spacy==3.8.18", "regex==2026.11.15"],
}


def python(peer: str) -> str:
    """The interpreter of a peer's environment, which is built if it is not there."""
    place = DIRECTORY / peer
    interpreter = place / "bin" / "python"
    if not (place / ".installed").exists():
        print(f"installing {' '.join(PACKAGES[peer])}", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        subprocess.run([str(interpreter), "-m", "pip", "install", "--quiet", *PACKAGES[peer]], check=True)
        (place / ".installed").touch()
    return str(interpreter.absolute())
