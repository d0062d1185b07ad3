"""``joeira takedown``: documents leave finished shards, and the corpus says so.

What is to be done is fixed first (``takedowns/NNNN/plan.json``), so that one that was stopped is finished by the next
call, whatever that asks. Then shards that hold a document of it are written again under their names, and last the
manifest, which names the one before it. Shards that hold none are not touched. A list whose documents are gone changes
nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.consent import optout
from filters.consent.optout import List, OptOutError
from pipeline import card, manifest
from pipeline.errors import RunError, UsageError
from pipeline.io import storage
from pipeline.io.parquet import GROUP_ROWS, open_file, row_writers, write_table
from pipeline.runs import read_json

FOLDER = "takedowns"
_PLAN, _LOG, _BEFORE, _DELTA, _OFFERED = "plan.json", "log.json", "manifest.json", "removed.parquet", "offered.txt"
_COLUMNS = ["id", "url", "host", "date", "warc_file", "warc_offset", "record_id"]
_COPY = "copy of "


def take_down(output: str, list_path: str) -> dict[str, Any]:
    """Remove what a list names from finished shards.

    Args:
        output: directory of the run.
        list_path: the list (``filters.consent.optout``).

    Returns:
        The log: how many documents were removed and by which entries, which shards were written again, how many copies
        of removed documents are offered; ``number`` is None where nothing was to do.

    Raises:
        UsageError: no finished run stands there, or the list cannot be read.
    """
    try:
        listed = optout.parse(Path(list_path).read_text("utf-8").splitlines(), list_path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"list {list_path}: {error}") from error
    except OptOutError as error:
        raise UsageError(str(error)) from error
    with _locked(output):
        if read_json(storage.join(output, "manifest.json")) is None:
            raise UsageError(f"{output}: no finished run stands here (manifest.json is missing)")
        resumed = [_carry_out(output, number) for number in _unfinished(output)]
        number = 1 + max(map(int, storage.list_dir(storage.join(output, FOLDER), "[0-9]*")), default=0)
        plan = _plan(output, listed, list_path)
        if not plan["removed"]:
            return {"number": None, "resumed": resumed, **plan}
        place = _place(output, number)
        storage.write_bytes(storage.join(place, _BEFORE), storage.read_bytes(storage.join(output, "manifest.json")))
        storage.write_bytes(storage.join(place, _OFFERED), "".join(f"{one}\n" for one in plan["offered"]).encode())
        write_table(storage.join(place, _DELTA), _delta(output, plan))
        storage.write_bytes(storage.join(place, _PLAN), manifest.encode(plan))
        return {"resumed": resumed, **_carry_out(output, number)}


def guard(output: str) -> None:
    """Refuse to write shards anew from stages that know nothing of takedowns.

    Args:
        output: directory of the run.

    Raises:
        RunError: documents were taken down.
    """
    if storage.list_dir(storage.join(output, FOLDER), "[0-9]*"):
        raise RunError(
            f"{output}: documents were taken down from these shards, and writing them anew would bring them back; "
            "begin another --output, with the lists in consent.optout"
        )


def _place(output: str, number: int) -> str:
    return storage.join(output, FOLDER, f"{number:04d}")


def _unfinished(output: str) -> list[int]:
    folder = storage.join(output, FOLDER)
    return [
        int(name)
        for name in sorted(storage.list_dir(folder, "[0-9]*"))
        if storage.exists(storage.join(folder, name, _PLAN)) and not storage.exists(storage.join(folder, name, _LOG))
    ]


def _plan(output: str, listed: List, list_path: str) -> dict[str, Any]:
    """Which documents of which shards fall under which entries."""
    payloads = _payloads(output, listed, list_path)
    entries: Counter[str] = Counter()
    removed: dict[str, list[str]] = {}
    for name in sorted(storage.list_dir(storage.join(output, "data"), "*.parquet")):
        for identifier, entry in _listed_rows(storage.join(output, "data", name), listed, payloads):
            removed.setdefault(name, []).append(identifier)
            entries[entry] += 1
    gone = {identifier for ids in removed.values() for identifier in ids}
    withheld, offered = _copies(output, listed, payloads, gone)
    every = {*listed.pages.values(), *listed.starts.values(), *listed.hosts.values(), *listed.digests.values()}
    return {
        "list": {"name": os.path.basename(list_path), "digest": storage.digest(list_path), "entries": len(every)},
        "entries": dict(sorted(entries.items())),
        "without_documents": sorted(every - entries.keys()),
        "removed": removed,
        "withheld": sorted(withheld),
        "offered": offered,
    }


def _listed_rows(
    path: str, listed: List, payloads: Mapping[str, str]
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Ids of documents in a file that fall under an entry, and the entry."""
    wanted = ["id", "url", *(["text"] if listed.needs_text else [])]
    for batch in open_file(path).iter_batches(batch_size=GROUP_ROWS, columns=wanted):
        texts = batch["text"].to_pylist() if listed.needs_text else [None] * len(batch)
        for identifier, url, text in zip(batch["id"].to_pylist(), batch["url"].to_pylist(), texts, strict=True):
            digests = [identifier, payloads.get(identifier, "")]
            if text is not None:
                digests.append(optout.text_digest(text))
            entry = listed.find(url or "", digests)
            if entry is not None:
                yield identifier, entry


def _payloads(output: str, listed: List, list_path: str) -> dict[str, str]:
    """Digests of pages' bytes by id, which stand in ``work/documents`` alone."""
    if not any(digest.startswith("sha1:") for digest in listed.digests):
        return {}
    folder = storage.join(output, "work", "documents")
    names = storage.list_dir(folder, "*.parquet")
    if not names:
        raise UsageError(f"{list_path}: digests of pages (sha1:) need {folder}, which is gone; use sha256: of texts")
    found: dict[str, str] = {}
    for name in names:
        for batch in open_file(storage.join(folder, name)).iter_batches(columns=["id", "payload_digest"]):
            pairs = zip(batch["id"].to_pylist(), batch["payload_digest"].to_pylist(), strict=True)
            found |= {key: digest for key, digest in pairs if digest in listed.digests}
    return found


def _copies(
    output: str, listed: List, payloads: Mapping[str, str], gone: set[str]
) -> tuple[set[str], list[str]]:  # fmt: skip
    """Documents under an entry that are not in the shards, and those in the shards that such a one was a copy of."""
    withheld, offered = set(), set()
    folder = storage.join(output, "removed")
    for name in storage.list_dir(folder, "*.parquet"):
        path = storage.join(folder, name)
        ids = {identifier for identifier, _ in _listed_rows(path, listed, payloads)}
        withheld |= ids
        if ids:
            table = open_file(path).read(columns=["id", "detail"])
            for identifier, detail in zip(table["id"].to_pylist(), table["detail"].to_pylist(), strict=True):
                if identifier in ids and (detail or "").startswith(_COPY):
                    offered.add(detail.removeprefix(_COPY))
    return withheld, sorted(offered - gone)


def _delta(output: str, plan: Mapping[str, Any]) -> pa.Table:
    """What is known of the documents that go, without their texts."""
    tables = []
    for name, ids in plan["removed"].items():
        table = open_file(storage.join(output, "data", name)).read(columns=_COLUMNS)
        chosen = table.filter(pc.is_in(table["id"], pa.array(ids)))
        tables.append(chosen.append_column("shard", pa.array([f"data/{name}"] * len(chosen))))
    return pa.concat_tables(tables)


def _carry_out(output: str, number: int) -> dict[str, Any]:
    """Write shards again that still hold a document of the plan, then everything that speaks of them."""
    place = _place(output, number)
    plan = json.loads(storage.read_bytes(storage.join(place, _PLAN)))
    for name, ids in plan["removed"].items():
        _without(storage.join(output, "data", name), ids)
    _forget_texts(output, set(plan["withheld"]))
    before = storage.read_bytes(storage.join(place, _BEFORE))
    values = json.loads(before)
    shards = []
    for shard in values["shards"]:
        left = open_file(storage.join(output, shard["file"])).metadata.num_rows
        if left != shard["rows"]:
            shards.append({"file": shard["file"], "rows_before": shard["rows"], "rows": left})
        shard["rows"] = left
    log = {
        "number": number,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "list": plan["list"],
        "entries": plan["entries"],
        "without_documents": plan["without_documents"],
        "documents": sum(map(len, plan["removed"].values())),
        "shards": shards,
        "offered": len(plan["offered"]),
        "work_holds_texts": bool(storage.list_dir(storage.join(output, "work", "documents"), "*.parquet")),
    }
    done = {name: log[name] for name in ("number", "at", "list", "documents")}
    done |= {"before": f"{FOLDER}/{number:04d}/{_BEFORE}", "before_digest": hashlib.sha256(before).hexdigest()}
    values["takedowns"] = [*values.get("takedowns", ()), done]
    storage.write_bytes(storage.join(output, "README.md"), card.readme(values).encode())
    storage.write_bytes(storage.join(output, "croissant.json"), manifest.encode(card.croissant(values)))
    storage.write_bytes(storage.join(output, "manifest.json"), manifest.encode(values))
    storage.write_bytes(storage.join(place, _LOG), manifest.encode(log))
    return log


def _without(path: str, ids: list[str]) -> None:
    """Write a shard again without some documents, unless they are gone."""
    file = open_file(path)
    wanted = pa.array(ids)
    kept = [
        table.filter(pc.invert(pc.is_in(table["id"], wanted)))
        for table in (file.read_row_group(number) for number in range(file.num_row_groups))
    ]
    rows = pa.concat_tables(kept).combine_chunks() if kept else file.schema_arrow.empty_table()
    if len(rows) == file.metadata.num_rows:
        return
    if not len(rows):
        write_table(path, rows)
        return
    with row_writers({"data": path}, {"data": file.schema_arrow}) as writers:
        for start in range(0, len(rows), GROUP_ROWS):
            writers["data"].write_group(rows.slice(start, GROUP_ROWS))


def _forget_texts(output: str, withheld: set[str]) -> None:
    """Texts of documents that were never in the shards, where the ledger or the report has them."""
    wanted = pa.array(sorted(withheld), pa.string())
    folder = storage.join(output, "removed")
    for name in storage.list_dir(folder, "*.parquet"):
        path = storage.join(folder, name)
        table = open_file(path).read()
        held = pc.and_(pc.is_in(table["id"], wanted), pc.is_valid(table["text"]))
        if pc.any(held).as_py():
            texts = pc.if_else(held, pa.scalar(None, pa.string()), table["text"])
            write_table(path, table.set_column(table.column_names.index("text"), "text", texts))
    path = storage.join(output, "report", "samples.json")
    if storage.exists(path):
        samples = json.loads(storage.read_bytes(path))
        left = [sample for sample in samples if sample["id"] not in withheld]
        if len(left) < len(samples):
            from pipeline import job

            storage.write_bytes(path, manifest.encode(left))
            job.write_report(output)


@contextmanager
def _locked(output: str) -> Iterator[None]:
    if storage.is_remote(output):
        yield
        return
    os.makedirs(os.path.join(output, FOLDER), exist_ok=True)
    with open(os.path.join(output, FOLDER, "lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another takedown is at work in {output}") from error
        yield
