"""The reader against warcio and FastWARC on real and malformed files, and against itself on split ones."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.io import warc
from pipeline.io.records import Record, Unreadable
from tests.pipeline.warcs import PROSE, page, response

LIMITS = warc.Limits()
DOCUMENT_KINDS = ("response", "resource", "conversion")
# warcio reads two lines of a PNG's HTTP header in this file as ARC records; FastWARC finds the two responses there are.
PHANTOMS = {"oduwsdl_ipwb__broken.warc": 2}


def read(data: bytes, start: int = 0, stop: int | None = None, limits: warc.Limits = LIMITS) -> list[warc.Found]:
    return list(warc.read_range(io.BytesIO(data), start, len(data) if stop is None else stop, limits))


def good(found: list[warc.Found]) -> list[Record]:
    return [item for item in found if isinstance(item, Record)]


def by_warcio(path: Path) -> int:
    from warcio.archiveiterator import ArchiveIterator

    count = 0
    with path.open("rb") as file:
        try:
            for record in ArchiveIterator(file, arc2warc=True):
                count += record.rec_type in DOCUMENT_KINDS
        except Exception:  # it stops at the first bad place; what it found until then counts
            pass
    return count


def by_fastwarc(path: Path) -> int:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    wanted = {int(WarcRecordType.response), int(WarcRecordType.resource), int(WarcRecordType.conversion)}
    count = 0
    with path.open("rb") as file:
        try:
            for record in ArchiveIterator(file, record_types=WarcRecordType.any_type, parse_http=False):
                count += int(record.record_type) in wanted
        except Exception:
            pass
    return count


def test_at_least_as_many_records_as_the_better_of_two_parsers(shared: Path) -> None:
    files = sorted([*(shared / "crawl/edge").iterdir(), *(shared / "crawl/real").iterdir()])
    fewer = {}
    for path in files:
        ours = sum(record.kind in DOCUMENT_KINDS for record in good(read(path.read_bytes())))
        best = max(by_warcio(path), by_fastwarc(path)) - PHANTOMS.get(path.name, 0)
        if ours < best:
            fewer[path.name] = (ours, best)
    assert len(files) == 151
    assert not fewer


def test_what_peers_lose_is_found(shared: Path) -> None:
    """Files at which warcio stops; counts by reading them by hand."""
    counts = {
        "webrecorder_warcio__example-bad-non-chunked.warc.gz": 6,
        "apache_stormcrawler__unparsable-date.warc.gz": 3,
        "internetarchive_gowarc__skip-non-open.warc.gz": 10,
        "iipc_webarchive-commons__link-extraction-test.warc": 8,
        "chatnoir-eu_chatnoir-resiliparse__warcfile.warc.lz4": 50,
    }
    for name, count in counts.items():
        (path,) = (shared / "crawl").glob(f"*/{name}")
        assert len(good(read(path.read_bytes()))) == count, name


def crawl(count: int = 12) -> bytes:
    return b"".join(response(f"https://a.example/{n}", page(f"{n} {PROSE}")) for n in range(count))


@given(cuts=st.lists(st.integers(0, 3000), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_cuts_give_the_same_records(cuts: list[int]) -> None:
    data = crawl()
    whole = [(record.offset, record.block) for record in good(read(data))]
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    parts = [item for start, stop in pairwise(edges) for item in read(data, start, stop)]
    assert [(record.offset, record.block) for record in good(parts)] == whole
    assert len(whole) == 12


def test_offset_and_length_fetch_the_record() -> None:
    data = crawl(3)
    for record in good(read(data)):
        alone = data[record.offset : record.offset + (record.length or 0)]
        assert good(read(alone))[0].block == record.block


@given(place=st.integers(0, 10**6), noise=st.binary(min_size=1, max_size=400))
@settings(max_examples=150, deadline=None)
def test_noise_costs_at_most_the_record_it_hits(place: int, noise: bytes) -> None:
    data = crawl(6)
    at = place % len(data)
    damaged = data[:at] + noise + data[at:]
    urls = [record.headers["warc-target-uri"] for record in good(read(damaged)) if "warc-target-uri" in record.headers]
    assert len(set(urls)) >= 5


@given(data=st.binary(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_anything_at_all_is_read_without_an_exception(data: bytes) -> None:
    for prefix in (b"", b"\x1f\x8b\x08", b"WARC/1.0\r\n", gzip.compress(b"WARC/1.0\r\n")):
        for item in read(prefix + data):
            assert isinstance(item, Record | Unreadable)


def test_garbage_between_members_is_reported_with_its_place() -> None:
    first, second = response("https://a.example/1", b"x"), response("https://a.example/2", b"y")
    found = read(first + b"not gzip at all" + second)
    assert [type(item).__name__ for item in found] == ["Record", "Unreadable", "Record"]
    assert isinstance(found[1], Unreadable)
    assert (found[1].offset, found[1].error) == (len(first), "garbage")
    assert "not gzip" in found[1].detail


def test_a_record_inside_another_ends_it() -> None:
    inner = response("https://a.example/2", page("two"), gzip=False)
    outer = response("https://a.example/1", page("one"), gzip=False)
    head, _, rest = outer.partition(b"Content-Length: ")
    too_long = head + b"Content-Length: 99999" + rest[rest.index(b"\r\n") :]
    found = good(read(too_long + inner))
    assert [record.headers["warc-target-uri"] for record in found] == ["https://a.example/1", "https://a.example/2"]
    assert b"one" in found[0].block
    assert b"two" not in found[0].block


def test_a_torn_file_keeps_what_was_there_and_says_so() -> None:
    data = response("https://a.example/1", page(PROSE * 50))
    (record,) = good(read(data[: len(data) * 2 // 3]))
    assert record.truncated == "file end"
    assert len(record.block) > 100


def test_a_gzip_bomb_costs_bounded_memory_and_hides_nothing_after_it() -> None:
    megabyte = bytes(1 << 20)
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://a.example/bomb\r\nContent-Length: %d\r\n\r\n"
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as packed:
        packed.write(head % (300 << 20))
        for _ in range(300):
            packed.write(megabyte)
    data = buffer.getvalue() + response("https://a.example/after", b"x")
    tracemalloc.start()
    found = good(read(data, limits=warc.Limits(record_bytes=1 << 20, skip_bytes=16 << 20)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [record.headers["warc-target-uri"][-5:] for record in found] == ["/bomb", "after"]
    assert found[0].truncated == "limit"
    assert peak < 20 << 20


def test_kinds_are_kept_apart(shared: Path) -> None:
    data = (shared / "crawl/real/webrecorder_pywb__iana.warc.gz").read_bytes()
    kinds = Counter(record.kind for record in good(read(data)))
    assert kinds == {"warcinfo": 1, "response": 48, "request": 171, "revisit": 123}


@pytest.mark.parametrize("line", [b"<p>not a record</p>\n", b"", b"WARC/x.y\r\n", b"http://a b c d e\n"])
def test_what_opens_no_record(line: bytes) -> None:
    assert not warc.opens_record(line)
