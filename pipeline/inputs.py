"""From patterns to the files of a run and the ranges that workers read.

A run's inputs are fixed before it starts: their names, sizes and digests are part of what the output is
made of, so a changed input is noticed. ``warc_file`` in the output is a file's name with as many parent
directories as are needed to tell it from the others, which makes ids independent of where the files lie.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import UsageError
from pipeline.io import storage

MIB = 1 << 20
# 4 MiB deals a file of 20 MB evenly to two workers; 256 MiB keeps the number of work files of a whole
# Common Crawl near a third of a million.
MIN_SPLIT, MAX_SPLIT = 4 * MIB, 256 * MIB
SPLITS_AIMED_AT = 512

_KINDS = {
    "warc": (".warc", ".arc", ".wet", ".wat"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet",),
    "text": (".txt",),
}
_COMPRESSIONS = (".gz", ".zst", ".lz4", ".bad")
_LISTS = (".paths", ".paths.gz")
# What inputs are for: pages (captures of robots.txt among them count), such captures alone, and later ones.
PAGES, ROBOTS, LATEST = "pages", "robots", "latest"


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input file: its short unique name, where it lies, its kind, size in bytes and digest, and what it is for."""

    name: str
    path: str
    kind: str
    size: int
    digest: str
    role: str = PAGES


@dataclass(frozen=True, kw_only=True)
class Split:
    """A byte range of one input, the unit of work and of resuming; ``key`` names its files under work/."""

    key: str
    input: Input
    start: int
    stop: int


def resolve(
    patterns: Iterable[str],
    *,
    base: str = "",
    sample: int | None = None,
    known_digests: dict[str, Any] | None = None,
    robots: Iterable[str] = (),
    latest: Iterable[str] = (),
) -> list[Input]:
    """Find the files that patterns name, and what they hold.

    Args:
        patterns: paths, URLs, wildcards, directories, and lists of paths (``warc.paths.gz``).
        base: put before each path of a list.
        sample: take this many of all files, those with the smallest hash of their path.
        known_digests: digests by path and version of an earlier call, to spare reading files again.
        robots: patterns of files of which only captures of robots.txt and its kin are read.
        latest: the same, of a later time.

    Returns:
        The inputs, sorted by name; a file named twice counts once.

    Raises:
        UsageError: a pattern matches nothing, or a file's kind cannot be told.
    """
    paths = sorted({path for pattern in patterns for path in _expand(pattern, base)})
    if sample is not None:
        paths = sorted(sorted(paths, key=lambda path: hashlib.sha256(path.encode()).digest())[:sample])
    found: dict[str, storage.FileInfo] = {}
    roles: dict[str, str] = {}
    wanted = [(PAGES, path) for path in paths]
    for role, given in ((ROBOTS, robots), (LATEST, latest)):
        wanted += [(role, path) for path in sorted(path for pattern in given for path in _expand(pattern, base))]
    for role, path in wanted:
        matched = _match(path)
        if not matched:
            raise UsageError(f"input {path}: no such file")
        for info in matched:
            found.setdefault(_identity(info.path), info)
            roles.setdefault(_identity(info.path), role)
    names = _short_names(found)
    inputs = []
    for identity, info in found.items():
        key = f"{identity}|{info.version}"
        digest = (known_digests or {}).get(key) or storage.digest(info.path)
        if known_digests is not None:
            known_digests[key] = digest
        place = info.path if storage.is_remote(info.path) else os.path.normpath(info.path)
        kind, role = kind_of(info.path), roles[identity]
        inputs.append(Input(name=names[identity], path=place, kind=kind, size=info.size, digest=digest, role=role))
    return sorted(inputs, key=lambda item: item.name)


def splits(inputs: Iterable[Input], split_mib: int) -> list[Split]:
    """Cut inputs into ranges.

    Args:
        inputs: the files of a run.
        split_mib: size of a range; 0 chooses by their total size.

    Returns:
        The ranges in the order of names and offsets, which is the order of the output.
    """
    files = list(inputs)
    size = split_mib * MIB or _automatic(sum(item.size for item in files))
    ranges = [(item, start, stop) for item in files for start, stop in _ranges(item, size)]
    return [
        Split(key=f"{index:06d}", input=item, start=start, stop=stop)
        for index, (item, start, stop) in enumerate(ranges)
    ]


def kind_of(path: str) -> str:
    """What a file holds, by its name or else by its first bytes.

    Args:
        path: path or URL.

    Returns:
        ``warc`` (ARC, WET and WAT too), ``jsonl``, ``parquet`` or ``text``.

    Raises:
        UsageError: neither tells.
    """
    name = path.lower().split("?")[0]
    while name.endswith(_COMPRESSIONS):
        name = name[: name.rfind(".")]
    endings = {kind: name.endswith(suffixes) for kind, suffixes in _KINDS.items()}
    if endings["text"]:
        # A .warc.txt or .wet.txt happens; a text that begins as a record does is one.
        return "warc" if _head(path).startswith((b"WARC/", b"filedesc://")) else "text"
    kind = next((kind for kind, matches in endings.items() if matches), None)
    if kind is None:
        head = _head(path)
        if head.startswith((b"WARC/", b"filedesc://")):
            return "warc"
        if head.startswith(b"PAR1"):
            return "parquet"
        if head.lstrip().startswith(b"{"):
            return "jsonl"
        raise UsageError(
            f"input {path}: neither its name nor its content tells WARC, ARC, WET, JSON Lines, Parquet or text"
        )
    return kind


def to_dicts(inputs: Iterable[Input]) -> list[dict[str, Any]]:
    """Inputs as plain values, for the manifest.

    Args:
        inputs: the files of a run.

    Returns:
        One dictionary each.
    """
    return [asdict(item) for item in inputs]


def _head(path: str) -> bytes:
    with storage.open_read(path) as handle:
        head = handle.read(512)
        if head.startswith(b"\x1f\x8b"):
            handle.seek(0)
            try:
                return gzip.GzipFile(fileobj=handle).read(64)
            except (OSError, EOFError):
                return b""
    return bytes(head)


def _expand(pattern: str, base: str) -> Iterator[str]:
    if not pattern.endswith(_LISTS):
        yield pattern
        return
    listed = _match(pattern)
    if not listed:
        raise UsageError(f"list of inputs {pattern}: no such file")
    for info in listed:
        data = storage.read_bytes(info.path)
        try:
            lines = (gzip.decompress(data) if info.path.endswith(".gz") else data).decode("utf-8").split()
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise UsageError(f"list of inputs {info.path}: cannot be read: {error}") from error
        prefix = base or (info.path.rsplit("/", 1)[0] if "/" in info.path else ".")
        yield from (line if storage.is_remote(line) else storage.join(prefix, line) for line in lines)


def _match(path: str) -> list[storage.FileInfo]:
    try:
        return storage.match(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"input {path}: {error.strerror or error}") from error


def _identity(path: str) -> str:
    return path if storage.is_remote(path) else os.path.realpath(path)


def _short_names(identities: Iterable[str]) -> dict[str, str]:
    """The shortest ends of paths that are all different."""
    parts = {identity: identity.split("/") for identity in identities}
    names: dict[str, str] = {}
    depth = 1
    left = set(parts)
    while left:
        by_name: dict[str, list[str]] = {}
        for identity in left:
            by_name.setdefault("/".join(parts[identity][-depth:]), []).append(identity)
        for name, sharing in by_name.items():
            if len(sharing) == 1 or depth >= max(len(parts[identity]) for identity in sharing):
                names.update(dict.fromkeys(sharing, name))
                left -= set(sharing)
        depth += 1
    return names


def _automatic(total: int) -> int:
    size = MIN_SPLIT
    while size < MAX_SPLIT and total > size * SPLITS_AIMED_AT:
        size *= 2
    return size


def _ranges(item: Input, size: int) -> Iterator[tuple[int, int]]:
    name = item.path.lower()
    # Gzip members, lines and row groups can be found from any offset; one gzip stream of lines cannot.
    whole = item.kind == "text" or (item.kind == "jsonl" and name.endswith(_COMPRESSIONS))
    whole = whole or (item.kind == "warc" and not name.endswith(".gz"))
    if whole or item.size <= size:
        yield 0, max(item.size, 1)
        return
    yield from ((start, min(start + size, item.size)) for start in range(0, item.size, size))
