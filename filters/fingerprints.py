"""What deduplication compares: a digest of the whole text, a MinHash signature, and hashes of lines.

Texts are the same if they differ in nothing but white space and Unicode composition; lines, if besides in case.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters import minhash
from filters.minhash import Parameters
from filters.textview import TextView
from filters.words import sentences

VERSION = "1"
COLUMNS = {
    "text_digest": "bytes",
    "shingle_count": "int",
    "minhash": "bytes",
    "line_hashes": "bytes",
    "line_sizes": "bytes",
}
# Lines of so many characters are told from one another wherever they stand; scripts without spaces say as much in 8.
_LONG_CHARS = {"ja": 8, "ko": 10, "th": 12, "zh": 8}
LONG_LINE_CHARS = 20
# Shorter ones are menus, buttons and bylines at an end of the page, or headings and code in its middle.
EDGE_LINES = 10
_LEAST_ALPHANUMERIC = 3
LONG = np.uint64(1)


# Which lines are compared: those that may be boilerplate, or all as TensorFlow Datasets does for C4.
BOILERPLATE, C4 = "boilerplate", "c4_tfds"
LINE_DEFINITIONS = (BOILERPLATE, C4)


def measure(view: TextView, parameters: Parameters, definition: str = BOILERPLATE) -> dict[str, Any]:
    """Compute the fingerprints of one text.

    Args:
        view: the document.
        parameters: of the signature.
        definition: which lines are compared.

    Returns:
        ``text_digest`` (128 bits), ``shingle_count`` (distinct), ``minhash`` (64-bit values), and of each distinct line
        that is compared, in the order of the text, ``line_hashes`` (64 bits) and ``line_sizes`` (32 bits: characters
        of all its copies; in C4's definition sentences of one). Arrays are little-endian.
    """
    shingles = minhash.shingle_hashes(view.text, parameters)
    hashes, sizes = lines(view.text, view.language, definition)
    return {
        "text_digest": text_digest(view.text),
        "shingle_count": len(shingles),
        "minhash": _little(minhash.signature(shingles, parameters)),
        "line_hashes": _little(hashes),
        "line_sizes": sizes.astype("<u4").tobytes(),
    }


def text_digest(text: str) -> bytes:
    """A digest that white space and composition do not change.

    Args:
        text: any string.

    Returns:
        16 bytes.
    """
    plain = unicodedata.normalize("NFC", " ".join(text.split()))
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16, person=b"text").digest()


def line_key(line: str) -> str:
    """The form in which lines are compared.

    Args:
        line: a line.

    Returns:
        In lower case, without white space around it and with single spaces inside.
    """
    return unicodedata.normalize("NFC", " ".join(line.split()).casefold())


def lines(text: str, language: str, definition: str = BOILERPLATE) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The distinct lines of a text that are compared with those of others.

    By the definition ``boilerplate``: long ones, and short ones within ten of either end. By ``c4_tfds``: all.

    Args:
        text: any string.
        language: ISO 639-1 code; decides what is long.
        definition: which lines are compared.

    Returns:
        Their hashes in the order of the text (the lowest bit is set for those that are counted over the whole corpus),
        and their sizes: characters of all copies, or for C4 sentences of one.
    """
    found: dict[tuple[str, bool], int] = {}
    for line, key, is_long in _compared(text, language, definition):
        if definition == C4:
            found.setdefault((key, is_long), sentences.by_text([line.strip()], language))
        elif key:
            found[key, is_long] = found.get((key, is_long), 0) + len(line)
    return hash_lines(list(found)), np.array(list(found.values()), dtype=np.int64)


def _compared(text: str, language: str, definition: str) -> Iterator[tuple[str, str, bool]]:
    if definition == C4:
        return ((line, line.strip().lower(), True) for line in text.split("\n"))
    return _candidates(text, language)


def _candidates(text: str, language: str) -> Iterator[tuple[str, str, bool]]:
    """Every line, its key (empty for one that is never boilerplate), and whether it is long."""
    every = text.split("\n")
    filled = [number for number, line in enumerate(every) if line and not line.isspace()]
    edges = {*filled[:EDGE_LINES], *filled[-EDGE_LINES:]}
    least = _LONG_CHARS.get(language, LONG_LINE_CHARS)
    for number, line in enumerate(every):
        key = line_key(line) if len(line) >= least or number in edges else ""
        is_long = len(key) >= least
        told = is_long or number in edges
        yield line, key if told and sum(map(str.isalnum, key)) >= _LEAST_ALPHANUMERIC else "", is_long


def hash_lines(keys: Sequence[tuple[str, bool]]) -> NDArray[np.uint64]:
    """Hashes of lines.

    Args:
        keys: as :func:`line_key` gives them, and whether each is long.

    Returns:
        One for each.
    """
    digests = (hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key, _ in keys)
    found = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    return (found | LONG) ^ np.array([not is_long for _, is_long in keys], dtype=np.uint64)


def without_lines(text: str, language: str, cut: frozenset[int], definition: str = BOILERPLATE) -> str:
    """A text without some of its lines.

    Args:
        text: the text.
        language: its language.
        cut: hashes of the lines to leave out.
        definition: which lines are compared; by C4's, second copies within the text go too.

    Returns:
        What is left, stripped.
    """
    every = list(_compared(text, language, definition))
    hashes = hash_lines([(key, is_long) for _, key, is_long in every]).tolist()
    kept: list[str] = []
    seen: set[int] = set()
    for (line, key, _), value in zip(every, hashes, strict=True):
        again = definition == C4 and value in seen
        seen.add(value)
        if not again and (not key or value not in cut):
            kept.append(line)
    return "\n".join(kept).strip()


def _little(values: NDArray[np.uint64]) -> bytes:
    return values.astype("<u8").tobytes()
