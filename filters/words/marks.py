"""Signs that end sentences, signs that are no words, and phrases of boilerplate."""

from __future__ import annotations

from pathlib import Path

import yaml

_VALUES = yaml.safe_load((Path(__file__).parents[1] / "data" / "marks.yaml").read_text("utf-8"))


def _codepoints(ranges: str) -> frozenset[str]:
    found: set[str] = set()
    for entry in ranges.split():
        first, _, last = entry.partition("-")
        found.update(map(chr, range(int(first, 16), int(last or first, 16) + 1)))
    return frozenset(found)


TERMINAL = _codepoints(_VALUES["terminal"]["codepoints"])
_CONTROLS = frozenset(chr(code) for code in (*range(9), 11, 12, *range(13, 32), *range(127, 160)))
PUNCTUATION = TERMINAL | frozenset(_VALUES["punctuation"]["signs"]) | _CONTROLS
