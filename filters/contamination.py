"""Whether a document holds items of evaluation sets: both have 13 words in a row.

So GPT-3 was checked (Brown et al. 2020, arXiv:2005.14165, appendix C). What matches is kept as evidence, with the item
that it matches: overlap with a question says less than overlap with its answer, and a famous sentence is no leak, so
people look before they drop.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from filters import minhash
from filters.textview import TextView
from filters.words.sequence import Hashes, Integers
from filters.words.sets import HashSet

VERSION = "1"
COLUMNS = {"contaminated_words": "int", "contaminated_items": "int", "contamination": "strings"}
# Evidence is kept of so many matches of a document, and of each so many characters.
MOST_EVIDENCE = 8
_EVIDENCE_CHARS = 200


@dataclass(frozen=True)
class Sets:
    """Evaluation sets.

    Attributes:
        files: paths of JSON Lines files; every string in an object, at any depth, is text of the item.
        words: words in an n-gram.
    """

    files: tuple[str, ...] = ()
    words: int = 13


class Index:
    """N-grams of evaluation items.

    Args:
        sets: where they come from.

    Raises:
        ValueError: a file cannot be read, or a line is no JSON; says which.
    """

    def __init__(self, sets: Sets) -> None:
        self.size = sets.words
        self.items: list[str] = []
        # Items of fewer words than an n-gram: nothing can be said of them.
        self.short = 0
        grams, owners = [], []
        for name, texts in _items(sets.files):
            found = [minhash.gram_hashes(minhash.words(minhash.fold(text)).hashes, self.size) for text in texts]
            item = np.concatenate(found) if found else np.empty(0, dtype=np.uint64)
            self.short += not len(item)
            grams.append(item)
            owners.append(np.full(len(item), len(self.items), dtype=np.int64))
            self.items.append(name)
        every = np.concatenate([np.empty(0, dtype=np.uint64), *grams])
        owner = np.concatenate([np.empty(0, dtype=np.int64), *owners])
        self._set = HashSet(every)
        # Of several items that share an n-gram the first is named.
        first = np.full(len(self._set.hashes), len(self.items), dtype=np.int64)
        np.minimum.at(first, np.searchsorted(self._set.hashes, every), owner)
        self._first: Integers = first

    def matches(self, grams: Hashes) -> tuple[Integers, Integers]:
        """Where n-grams of items stand.

        Args:
            grams: those of a document.

        Returns:
            Their positions, and for each the item.
        """
        places = self._set.places(grams)
        return places, self._first[np.searchsorted(self._set.hashes, grams[places])]


@cache
def load(sets: Sets) -> Index:
    """The index of evaluation sets, made once a process.

    Args:
        sets: the sets.

    Returns:
        The index.
    """
    return Index(sets)


def measure(view: TextView, sets: Sets) -> dict[str, Any]:
    """Look for evaluation items in a text.

    Args:
        view: the document.
        sets: the evaluation sets.

    Returns:
        ``contaminated_words`` (words of the document in matching n-grams), ``contaminated_items`` (how many items
        match), ``contamination`` (for the first matches: item, words from and to, and the text that matched).
    """
    index = load(sets)
    folded = minhash.fold(view.text)
    words = minhash.words(folded)
    places, items = index.matches(minhash.gram_hashes(words.hashes, index.size))
    if not len(places):
        return {"contaminated_words": 0, "contaminated_items": 0, "contamination": []}
    covered = np.zeros(len(words.hashes) + 1, dtype=np.int64)
    np.add.at(covered, places, 1)
    np.add.at(covered, np.minimum(places + index.size, len(words.hashes)), -1)
    spans = list(_spans(places, items, index.size))
    evidence = [
        f"{index.items[item]} words {start}-{end}: "
        f"{folded[int(words.starts[start]) : int(words.ends[end - 1])][:_EVIDENCE_CHARS]}"
        for start, end, item in spans[:MOST_EVIDENCE]
    ]
    return {
        "contaminated_words": int(np.count_nonzero(np.cumsum(covered[:-1]))),
        "contaminated_items": len(set(items.tolist())),
        "contamination": evidence,
    }


def digests(files: Iterable[str]) -> dict[str, str]:
    """What evaluation files hold, so that a changed one is noticed.

    Args:
        files: their paths.

    Returns:
        SHA-256 by file name.
    """
    return {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}


def _spans(places: Integers, items: Integers, size: int) -> Iterator[tuple[int, int, int]]:
    """Runs of matches of one item, as words from and up to."""
    begin = 0
    for at in range(1, len(places) + 1):
        if at == len(places) or items[at] != items[begin] or places[at] > places[at - 1] + size:
            yield int(places[begin]), int(places[at - 1]) + size, int(items[begin])
            begin = at


def _items(files: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    for file in files:
        try:
            with open(file, encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield f"{Path(file).name}:{number}", list(_strings(_parsed(file, number, line)))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"evaluation set {file}: cannot be read: {error}") from error


def _parsed(file: str, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"evaluation set {file} line {number}: expected JSON: {error}") from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
