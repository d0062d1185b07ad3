from __future__ import annotations

import gzip
import io
import json
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Read
from pipeline.io import texts
from pipeline.io.records import Record, Unreadable

READ = Read()
ROWS = [{"text": f"line {n} ção 😀\n second", "url": f"https://a.example/{n}", "id": n} for n in range(50)]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def read(data: bytes, name: str = "a.jsonl", start: int = 0, stop: int | None = None) -> list[texts.Found]:
    return list(texts.read_jsonl(io.BytesIO(data), name, start, len(data) if stop is None else stop, READ))


def contents(found: list[texts.Found]) -> list[str]:
    return [item.block.decode("utf-8", "surrogatepass") for item in found if isinstance(item, Record)]


def test_plain_and_compressed_lines_read_the_same() -> None:
    expected = [row["text"] for row in ROWS]
    assert contents(read(LINES)) == expected
    assert contents(read(gzip.compress(LINES), "a.jsonl.gz")) == expected
    assert contents(read(zstandard.compress(LINES), "a.jsonl.zst")) == expected


@given(cuts=st.lists(st.integers(0, len(LINES)), max_size=8))
@settings(max_examples=100, deadline=None)
def test_any_cuts_give_each_line_once(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(LINES)]
    parts = [read(LINES, start=a, stop=b) for a, b in pairwise(edges) if b > a]
    assert contents([item for part in parts for item in part]) == [row["text"] for row in ROWS]


def test_the_last_line_needs_no_end() -> None:
    assert contents(read(LINES + b'{"text": "last"}'))[-1] == "last"


def test_bad_lines_are_named_and_the_rest_is_read() -> None:
    found = read(b'{"text": 1}\nnonsense\n[1]\n{"body": "x"}\n\n{"text": "fine \\ud800"}\n')
    bad = [item for item in found if isinstance(item, Unreadable)]
    assert [item.error for item in bad] == ["no text", "bad json", "bad json", "no text"]
    assert [item.offset for item in bad] == [0, 12, 21, 25]
    assert "['body']" in bad[3].detail
    assert contents(found) == ["fine \ud800"]


def test_a_line_beyond_the_limit_is_passed_over() -> None:
    long = json.dumps({"text": "x" * (2 << 20)}).encode() + b"\n"
    found = list(texts.read_jsonl(io.BytesIO(long + LINES), "a.jsonl", 0, 1 << 30, Read(record_mib=1)))
    assert isinstance(found[0], Unreadable)
    assert found[0].error == "too large"
    assert len(found) == 51


def test_a_torn_gzip_ends_in_a_named_error() -> None:
    found = read(gzip.compress(LINES)[:-30], "a.jsonl.gz")
    assert isinstance(found[-1], Unreadable)
    assert found[-1].error == "corrupt"


def parquet(rows_in_group: int = 7) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), buffer, row_group_size=rows_in_group)
    return buffer.getvalue()


@given(cut=st.integers(1, 5000))
@settings(max_examples=40, deadline=None)
def test_row_groups_belong_to_one_range(cut: int) -> None:
    data = parquet()
    cut %= len(data)
    found = [
        item
        for start, stop in ((0, cut), (cut, len(data)))
        for item in texts.read_parquet(io.BytesIO(data), start, stop, READ)
    ]
    assert contents(found) == [row["text"] for row in ROWS]
    assert [item.offset for item in found] == list(range(50))


def test_a_broken_parquet_is_one_failure() -> None:
    (found,) = texts.read_parquet(io.BytesIO(parquet()[:-20]), 0, 10_000, READ)
    assert isinstance(found, Unreadable)
    assert found.error == "bad parquet"


def test_a_text_file_is_one_document() -> None:
    (found,) = texts.read_text(io.BytesIO(gzip.compress(b"Era uma vez")), "a.txt.gz", READ)
    assert isinstance(found, Record)
    assert found.block == b"Era uma vez"
