from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import inputs
from pipeline.errors import UsageError
from pipeline.inputs import MIB, Input


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/part-0.warc.gz", "b/part-0.warc.gz", "b/part-1.warc.gz", "b/.hidden.warc.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def names(found: list[Input]) -> list[str]:
    return [item.name for item in found]


def test_names_are_as_short_as_they_can_be(tree: Path) -> None:
    assert names(inputs.resolve([str(tree / "b")])) == ["part-0.warc.gz", "part-1.warc.gz"]
    assert names(inputs.resolve([str(tree)])) == ["a/part-0.warc.gz", "b/part-0.warc.gz", "part-1.warc.gz"]


def test_a_file_named_twice_counts_once_and_order_does_not_matter(tree: Path) -> None:
    one = inputs.resolve([str(tree / "b/*.gz"), str(tree / "b"), str(tree / "b/../b/part-1.warc.gz")])
    other = inputs.resolve([str(tree / "b/part-1.warc.gz"), str(tree / "b/part-0.warc.gz")])
    assert one == other


def test_lists_of_paths_with_base_and_sample(tree: Path) -> None:
    listed = tree / "warc.paths.gz"
    listed.write_bytes(gzip.compress(b"b/part-0.warc.gz\nb/part-1.warc.gz\na/part-0.warc.gz\n"))
    assert len(inputs.resolve([str(listed)])) == 3
    assert len(inputs.resolve([str(listed)], base=str(tree))) == 3
    chosen = inputs.resolve([str(listed)], sample=2)
    assert len(chosen) == 2
    listed.write_bytes(gzip.compress(b"a/part-0.warc.gz\nb/part-1.warc.gz\nb/part-0.warc.gz\n"))
    assert inputs.resolve([str(listed)], sample=2) == chosen


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("x.warc.gz", b"", "warc"),
        ("x.arc", b"", "warc"),
        ("x.warc.wet.gz", b"", "warc"),
        ("x.warc.gz.bad", b"", "warc"),
        ("x.jsonl.zst", b"", "jsonl"),
        ("x.json.gz", b"", "jsonl"),
        ("x.parquet", b"", "parquet"),
        ("x.txt", b"Era uma vez", "text"),
        ("x.warc.txt", b"WARC/1.0\r\n", "warc"),
        ("noname", b"WARC/1.0\r\n", "warc"),
        ("noname", gzip.compress(b"WARC/1.0\r\n"), "warc"),
        ("noname", b"PAR1", "parquet"),
        ("noname", b'{"text": 1}', "jsonl"),
    ],
)
def test_kinds(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert inputs.kind_of(str(tmp_path / name)) == kind


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\0\1\2")
    (tmp_path / "torn.paths.gz").write_bytes(b"\x1f\x8b\x08\x00")
    for pattern, message in (
        (tmp_path / "x.bin", "neither its name nor its content"),
        (tmp_path / "missing.warc.gz", "no such file"),
        (tmp_path / "*.warc", "no such file"),
        (tmp_path / "torn.paths.gz", "cannot be read"),
        ("https://a.example/*.warc.gz", "a web server cannot be listed"),
    ):
        with pytest.raises(UsageError, match=message):
            inputs.resolve([str(pattern)])


@given(sizes=st.lists(st.integers(0, 3000 * MIB), min_size=1, max_size=5), split=st.integers(0, 70))
def test_ranges_cover_each_file_once(sizes: list[int], split: int) -> None:
    files = [
        Input(name=f"{n}.warc.gz", path=f"{n}.warc.gz", kind="warc", size=size, digest="")
        for n, size in enumerate(sizes)
    ]
    ranges = inputs.splits(files, split)
    assert [item.key for item in ranges] == sorted({item.key for item in ranges})
    for file in files:
        own = [item for item in ranges if item.input == file]
        assert own[0].start == 0
        assert own[-1].stop == max(file.size, 1)
        assert all(one.stop == other.start for one, other in pairwise(own))


def test_files_that_cannot_be_entered_in_the_middle_are_one_range() -> None:
    for name, kind in (("a.warc", "warc"), ("a.warc.lz4", "warc"), ("a.jsonl.gz", "jsonl"), ("a.txt", "text")):
        item = Input(name=name, path=name, kind=kind, size=900 * MIB, digest="")
        assert len(inputs.splits([item], 8)) == 1
