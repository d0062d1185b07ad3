"""What a corpus holds, for other corpora to be compared with: keys of its documents, and their signatures.

A directory with ``index.json`` (parameters, counts and digests, written last), ``documents.parquet`` (id and signature
of each document) and ``keys-….parquet`` (the address, the text and each band of each document as keys, with the
document's number). Keys are cut into parts by hash, so that neither writing nor reading holds more than one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.minhash import Parameters, band_hashes
from pipeline.dedup.keys import text_key, url_key
from pipeline.errors import UsageError
from pipeline.io import storage
from pipeline.io.parquet import open_file, row_writers
from pipeline.stages.exchange import Hashes, range_of

FORMAT = 1
URL, EXACT, BAND = 0, 1, 2
KEY_COLUMNS = 4
_PART_BYTES = 256 << 20
_DOCUMENTS = pa.schema([("id", pa.string()), ("minhash", pa.binary())])
_KEYS = pa.schema([("high", pa.uint64()), ("low", pa.uint64()), ("kind", pa.uint64()), ("document", pa.uint64())])


@dataclass(frozen=True)
class IndexPart:
    """Some keys of an index, as a unit of work.

    Attributes:
        key: tells units apart.
        path: the file.
        first: what is added to the numbers of its documents.
    """

    key: str
    path: str
    first: int


def build(output: str, target: str, parameters: Parameters) -> dict[str, Any]:
    """Write the index of a finished run.

    Args:
        output: directory of the run.
        target: directory to write.
        parameters: of the run's signatures.

    Returns:
        What stands in ``index.json``.

    Raises:
        UsageError: the run is not finished or has no fingerprints, or the target holds something.
    """
    work = storage.join(output, "work")
    if not storage.exists(storage.join(output, "manifest.json")):
        raise UsageError(f"{output}: no finished run stands here (manifest.json is missing)")
    if storage.list_dir(target):
        raise UsageError(f"{target} is not empty; choose another --index")
    count = _write_documents(work, target)
    parts = 1 + count * (parameters.bands + 2) * 8 * KEY_COLUMNS // _PART_BYTES
    keys = sum(_write_part(work, target, parameters, number, parts) for number in range(parts))
    names = sorted(storage.list_dir(target, "*.parquet"))
    made = {
        "format": FORMAT,
        "parameters": asdict(parameters),
        "documents": count,
        "keys": keys,
        "files": {name: _sha256(storage.join(target, name)) for name in names},
    }
    storage.write_bytes(storage.join(target, "index.json"), json.dumps(made, indent=1, sort_keys=True).encode())
    return made


def describe(path: str, parameters: Parameters) -> dict[str, Any]:
    """Read what an index says of itself.

    Args:
        path: its directory.
        parameters: those of the run that is to be compared with it.

    Returns:
        What stands in ``index.json``.

    Raises:
        UsageError: there is no index, or its signatures cannot be compared; says which.
    """
    try:
        made: dict[str, Any] = json.loads(storage.read_bytes(storage.join(path, "index.json")))
        made["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"index {path}: index.json is missing or damaged; make it anew with joeira index") from error
    if made.get("format") != FORMAT:
        raise UsageError(f"index {path}: expected format {FORMAT}, found {made.get('format')!r}")
    if made["parameters"] != asdict(parameters):
        raise UsageError(
            f"index {path}: its signatures were made with {made['parameters']}, this run's with {asdict(parameters)}"
        )
    return made


def check(path: str, parameters: Parameters) -> None:
    """Read a whole index, to see that it is as it was written.

    Args:
        path: its directory.
        parameters: those of the run that is to be compared with it.

    Raises:
        UsageError: as :func:`describe`, or a file of it is damaged; says which.
    """
    for name, digest in describe(path, parameters)["files"].items():
        file = storage.join(path, name)
        if not storage.exists(file) or _sha256(file) != digest:
            raise UsageError(f"index {path}: {name} is missing, cut short or changed; make the index anew")


def _sha256(path: str) -> str:
    # Of the bytes, wherever they lie, so that an index can be moved.
    found = hashlib.sha256()
    with storage.open_read(path) as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def keys_of(rows: list[dict[str, Any]], numbers: Hashes, parameters: Parameters) -> Hashes:
    """The keys by which documents are compared.

    Args:
        rows: documents with ``url``, ``text_digest`` and ``minhash``.
        numbers: what each is called.
        parameters: how signatures are cut.

    Returns:
        High and low half of each key, its kind, and the document.
    """
    found = [np.empty((0, KEY_COLUMNS), dtype=np.uint64)]
    for kind, keys in ((URL, map(url_key, rows)), (EXACT, map(text_key, rows))):
        listed = [(key, number) for key, number in zip(keys, numbers.tolist(), strict=True) if key]
        halves = np.frombuffer(b"".join(key for key, _ in listed), dtype=">u8").astype(np.uint64).reshape(-1, 2)
        called = np.array([number for _, number in listed], dtype=np.uint64)
        found.append(np.column_stack((halves, np.full(len(listed), kind, dtype=np.uint64), called)))
    signed = np.array([bool(row["minhash"]) for row in rows], dtype=bool)
    if signed.any():
        data = b"".join(row["minhash"] for row in rows if row["minhash"])
        bands = band_hashes(np.frombuffer(data, dtype="<u8").astype(np.uint64), parameters)
        called = np.repeat(numbers[signed], parameters.bands)
        kinds = np.full(len(called), BAND, dtype=np.uint64)
        found.append(np.column_stack((bands.ravel(), kinds, kinds, called)))
    return np.concatenate(found)


def read_keys(part: IndexPart) -> Iterator[Hashes]:
    """The keys of one part.

    Args:
        part: the part.

    Yields:
        Rows as :func:`keys_of` gives them.
    """
    with storage.open_read(part.path) as file:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=1 << 18):
            rows = np.column_stack([batch[name].to_numpy() for name in _KEYS.names])
            rows[:, 3] += np.uint64(part.first)
            yield rows


def read_documents(path: str, numbers: list[int]) -> dict[int, tuple[str, bytes]]:
    """Ids and signatures of some documents of an index.

    Args:
        path: its directory.
        numbers: the documents, ascending.

    Returns:
        By number.
    """
    file = open_file(storage.join(path, "documents.parquet"))
    found: dict[int, tuple[str, bytes]] = {}
    start = 0
    for group in range(file.num_row_groups):
        stop = start + file.metadata.row_group(group).num_rows
        wanted = [number for number in numbers if start <= number < stop]
        if wanted:
            table = file.read_row_group(group).take([number - start for number in wanted]).to_pylist()
            found.update({number: (row["id"], row["minhash"]) for number, row in zip(wanted, table, strict=True)})
        start = stop
    return found


def _kept(work: str) -> Iterator[list[dict[str, Any]]]:
    """Documents that were kept, in the order of the run."""
    for name in sorted(storage.list_dir(storage.join(work, "decisions"), "*.parquet")):
        outcomes = open_file(storage.join(work, "decisions", name)).read(columns=["outcome"])["outcome"]
        kept = np.array([outcome == "kept" for outcome in outcomes.to_pylist()])
        signals = open_file(storage.join(work, "signals", name))
        if "minhash" not in signals.schema_arrow.names:
            raise UsageError(f"{work}: its documents have no fingerprints: add 'fingerprints' to annotate.filters")
        addresses = open_file(storage.join(work, "documents", name)).read(columns=["url"])["url"]
        start = 0
        for batch in signals.iter_batches(batch_size=4096, columns=["id", "text_digest", "minhash"]):
            rows = batch.to_pylist()
            places = range(start, start + len(rows))
            yield [
                row | {"url": addresses[place].as_py()}
                for place, row in zip(places, rows, strict=True)
                if kept[place]
            ]  # fmt: skip
            start += len(rows)


def _write_documents(work: str, target: str) -> int:
    path = storage.join(target, "documents.parquet")
    with row_writers({"documents": path}, {"documents": _DOCUMENTS}) as writers:
        for rows in _kept(work):
            for row in rows:
                writers["documents"].write({"id": row["id"], "minhash": row["minhash"]}, 1024)
        return writers["documents"].rows


def _write_part(work: str, target: str, parameters: Parameters, number: int, parts: int) -> int:
    found, first = [np.empty((0, KEY_COLUMNS), dtype=np.uint64)], 0
    for rows in _kept(work):
        numbers = np.arange(first, first + len(rows), dtype=np.uint64)
        keys = keys_of(rows, numbers, parameters)
        found.append(keys[range_of(keys[:, 0], parts) == number])
        first += len(rows)
    keys = np.concatenate(found)
    keys = keys[np.lexsort(keys.T[::-1])]
    with storage.write_atomically(storage.join(target, f"keys-{number:05d}.parquet")) as file:
        pq.write_table(pa.table(list(keys.T), schema=_KEYS), file, compression="zstd")
    return len(keys)


def digest(path: str) -> str:
    """What tells an index from another.

    Args:
        path: its directory.

    Returns:
        SHA-256 of ``index.json``.
    """
    return _sha256(storage.join(path, "index.json"))
