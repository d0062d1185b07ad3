"""The main job on the sample crawl, judged by what the sample was made to hold."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import sample, schema
from pipeline.cli import main
from pipeline.sample import generate
from tests.conftest import Curate, digests, manifest, rows
from tests.pipeline.warcs import PROSE, page, response


def test_the_bundled_crawl_is_what_its_script_writes(tmp_path: Path) -> None:
    generate.write(tmp_path)
    from warcio.archiveiterator import ArchiveIterator

    def content(path: Path) -> list[tuple[str, bytes]]:
        found = []
        try:
            for record in ArchiveIterator(io.BytesIO(path.read_bytes())):
                found.append((record.rec_headers.to_str(), record.raw_stream.read()))
        except Exception:  # the second file is broken on purpose
            pass
        return found

    for path in sorted(tmp_path.iterdir()):
        assert content(path) == content(sample.DIRECTORY / path.name)
        assert content(path)
    assert sum(path.stat().st_size for path in sample.DIRECTORY.iterdir()) < 2 << 20


def test_every_page_of_the_sample_is_where_it_belongs(sample_run: Path) -> None:
    import random

    pages = list(generate.pages(random.Random(generate.SEED)))
    assert Counter(item.kind for item in pages) == generate.PLAN
    kept = {row["url"] for row in rows(sample_run, "data")}
    reason = {row["url"]: row["reason"] for row in rows(sample_run, "removed")}
    failed = {row["url"]: row["error"] for row in rows(sample_run, "failed")}
    denied = {row["url"] for row in rows(sample_run, "removed") if row["reason"] == "consent"}
    hosts = [host for group in generate.HOSTS.values() for host in group]
    # By robots.txt, by what cannot be read of it, by tdmrep.json, by ai.txt.
    refusing = {*(hosts[number] for number in (5, 12, 19, 26)), hosts[30], "oak.example", "ipe.example"}
    own = ("noai", "train-ai=n", "ai-train=no")
    for item in pages:
        said = [value for name, value in item.headers if name != "TDM-Reservation"]
        refused = item.url.split("/")[2] in refusing or any(one in value for one in own for value in said)
        number = hosts.index(item.url.split("/")[2]) if item.url.split("/")[2] in hosts else 0
        closed = {1: "mirror", 2: "contact"}.get(number % 4) if number % 11 != 10 else None
        refused = (
            refused
            or item.url.split("/")[3] == closed
            or ("TDM-Reservation", "1") in item.headers
            or b'content="noai"' in item.body
        )
        refused = refused or b'name="tdm-reservation" content="1"' in item.body
        assert (item.url in kept) + (item.url in reason) + (item.url in failed) >= 1, item.url
        if item.kind in ("article", "exact duplicate", "near duplicate", "personal data", "opt-out", "odd charset"):
            assert item.url in (denied if refused else kept), item.url
        if item.kind == "thin":
            assert reason[item.url] in (("consent",) if refused else ("too_short", "empty"))
    assert reason["https://oak.example/paper"] == "sniffed_type"
    assert reason["https://oak.example/logo.png"] == "content_type"
    assert reason["https://elm.example/gone"] == "http_status"
    assert reason["https://elm.example/empty"] == "no_content"
    assert sorted(failed.values()) == ["bad encoding", "garbage"]


def test_in_is_kept_and_removed_and_failed_by_id(sample_run: Path) -> None:
    totals = manifest(sample_run)["conservation"]
    parts = {
        name: rows(sample_run, folder)
        for name, folder in (("kept", "data"), ("removed", "removed"), ("failed", "failed"))
    }
    assert {name: len(part) for name, part in parts.items()} == {name: totals[name] for name in parts}
    ids = [row["id"] for part in parts.values() for row in part]
    assert len(ids) == len(set(ids)) == totals["in"]
    records = manifest(sample_run)["counts"]["records"]
    assert sum(records.values()) == totals["in"] + manifest(sample_run)["counts"]["captures"]


def test_charsets_of_the_sample_are_all_read_right(sample_run: Path) -> None:
    from pipeline.sample import prose

    texts = {row["url"]: row["text"] for row in rows(sample_run, "work/documents") if "/charset/" in row["url"]}
    assert len(texts) == generate.PLAN["odd charset"]
    for text in texts.values():
        assert "\ufffd" not in text
        known = [other for other in prose.OTHERS.values() if other[:20] in text]
        assert known or "Então até amanhã, às três" in text or "that’s that" in text


def test_shards_are_as_promised(sample_run: Path) -> None:
    (path,) = sorted((sample_run / "data").iterdir())
    assert path.name == "part-00000.parquet"
    file = pq.ParquetFile(path)
    assert file.schema_arrow.equals(schema.DATA)
    ids = file.read(columns=["id"])["id"].to_pylist()
    assert ids == sorted(ids)
    column = file.metadata.row_group(0).column(1)
    assert column.compression == "ZSTD"
    assert column.has_offset_index
    row = file.read().slice(0, 1).to_pylist()[0]
    assert row["consent"] == "unknown"
    assert row["cluster_size"] == 1
    assert row["date"].year == 2026
    assert row["host"] in row["url"]


def test_place_fetches_the_page_again(sample_run: Path) -> None:
    from warcio.archiveiterator import ArchiveIterator

    for row in rows(sample_run, "data")[:20]:
        data = (sample.DIRECTORY / row["warc_file"]).read_bytes()
        piece = data[row["warc_offset"] : row["warc_offset"] + row["warc_length"]]
        (record,) = list(ArchiveIterator(io.BytesIO(piece)))
        assert record.rec_headers.get_header("WARC-Target-URI") == row["url"]
        assert record.rec_headers.get_header("WARC-Record-ID") == row["record_id"]


def test_robots_captures_and_consent_headers_are_kept(sample_run: Path) -> None:
    captures = rows(sample_run, "work/robots")
    assert Counter(row["path"] for row in captures) == {"/robots.txt": 40, "/.well-known/tdmrep.json": 1, "/ai.txt": 1}
    oak = next(row for row in captures if row["url"] == "https://oak.example/robots.txt")
    assert (oak["host_key"], oak["status"], oak["body"][:11]) == ("https://oak.example", 200, b"User-agent:")
    signals = {line.split(":")[0] for row in rows(sample_run, "work/documents") for line in row["http_signals"]}
    assert signals == {"x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "content-signal", "link"}


def test_nothing_raw_reaches_report_or_manifest(sample_run: Path) -> None:
    for name in ("manifest.json", "report/index.html", "report/samples.json", "README.md", "croissant.json"):
        text = (sample_run / name).read_text()
        assert "@mail.example" not in text
        assert "111.444.777-35" not in text


@pytest.mark.parametrize("tool", ["pandas", "datasets"])
def test_shards_load_elsewhere(sample_run: Path, tool: str) -> None:
    module = pytest.importorskip(tool, reason=f"{tool} is not installed")
    path = str(sample_run / "data/part-00000.parquet")
    if tool == "pandas":
        assert len(module.read_parquet(path)) == manifest(sample_run)["conservation"]["kept"]
    else:
        assert (
            len(module.load_dataset("parquet", data_files=path)["train"])
            == manifest(sample_run)["conservation"]["kept"]
        )


def test_preset_none_removes_no_document(curate: Curate) -> None:
    run = curate(options=("--preset", "none"))
    assert {row["stage"] for row in rows(run, "removed")} == {"extract"}
    assert manifest(run)["counts"]["documents"] == manifest(run)["conservation"]["kept"]


def test_text_of_removed_documents_only_when_asked(curate: Curate, sample_run: Path) -> None:
    assert all(row["text"] is None for row in rows(sample_run, "removed"))
    run = curate(options=("--set", "assemble.removed_text=true"))
    short = [row for row in rows(run, "removed") if row["reason"] == "too_short"]
    assert short
    assert all(row["text"] and dict(row["scores"])["text_bytes"] < 200 for row in short)


def test_stage_by_stage_is_the_same_as_the_whole(sample_run: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "staged")
    common = ["--output", output, "--quiet", "--workers", "1"]
    assert main(["annotate", *common]) == 2
    assert main(["extract", "--input", str(sample.DIRECTORY), *common]) == 0
    assert main(["assemble", *common]) == 1  # annotate is missing
    assert main(["annotate", *common]) == 0
    assert main(["assemble", *common]) == 0
    assert digests(tmp_path / "staged") == digests(sample_run)
    assert digests(tmp_path / "staged", "removed") == digests(sample_run, "removed")


def test_json_lines_parquet_and_text_come_in_too(curate: Curate, tmp_path: Path) -> None:
    import pyarrow as pa

    lines = tmp_path / "in.jsonl"
    lines.write_text(
        "".join(
            json.dumps({"text": f"{n} {PROSE * 2}", "url": f"https://a.example/{n}", "date": "2024-05-18"}) + "\n"
            for n in range(3)
        )
        + "oops\n"
    )
    pq.write_table(pa.table({"text": [PROSE * 2], "id": ["x7"]}), tmp_path / "in.parquet")
    (tmp_path / "in.txt").write_text(PROSE * 3)
    run = curate(tmp_path / "in.jsonl", tmp_path / "in.parquet", tmp_path / "in.txt")
    kept = sorted(rows(run, "data"), key=lambda row: (row["warc_file"], row["warc_offset"]))
    assert [row["source"] for row in kept] == ["jsonl"] * 3 + ["parquet", "text"]
    assert kept[0]["date"].isoformat() == "2024-05-18T00:00:00+00:00"
    assert kept[3]["record_id"] == "x7"
    assert [row["error"] for row in rows(run, "failed")] == ["bad json"]


def test_wet_records_are_text(curate: Curate, shared: Path) -> None:
    run = curate(
        shared / "crawl/edge/commoncrawl_whirlwind-python__whirlwind.warc.wet.gz", options=("--preset", "none")
    )
    (row,) = rows(run, "data")
    assert row["text"].strip()
    assert manifest(run)["counts"]["records"] == {"conversion": 1, "warcinfo": 1}


def test_revisits_are_counted_as_such(curate: Curate, shared: Path) -> None:
    run = curate(shared / "crawl/edge/webrecorder_pywb__dupes.warc.gz", options=("--preset", "none"))
    assert manifest(run)["counts"]["records"]["revisit"] == 9


def test_a_crawl_without_pages_is_a_finished_run(curate: Curate, tmp_path: Path) -> None:
    (tmp_path / "empty.warc.gz").write_bytes(b"")
    run = curate(tmp_path / "empty.warc.gz")
    assert manifest(run)["conservation"]["in"] == 0
    assert (run / "report/index.html").exists()


def test_two_files_of_one_name_keep_their_records_apart(curate: Curate, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.warc.gz").write_bytes(response("https://a.example/", page(PROSE * 3)))
    run = curate(tmp_path / "a", tmp_path / "b")
    assert sorted(row["warc_file"] for row in rows(run, "data")) == ["a/part.warc.gz", "b/part.warc.gz"]
    assert len({row["id"] for row in rows(run, "data")}) == 2


def test_addresses_are_asked_first(curate: Curate, tmp_path: Path) -> None:
    listed = tmp_path / "blocked.txt"
    listed.write_text("oak.example\n")
    run = curate(options=("--set", f"urls.blocklists=[{listed}]", "--set", "urls.host_share=0.5"))
    removed = {row["host"]: row["reason"] for row in rows(run, "removed")}
    assert removed["oak.example"] == "url_blocked"
    sampled = {host for host, reason in removed.items() if reason == "host_sample"}
    kept = {row["host"] for row in rows(run, "data")}
    assert 10 <= len(sampled) <= 30
    assert not kept & (sampled | {"oak.example"})
    assert len(rows(run, "work/robots")) == 42  # what the host says of robots is kept for all hosts


def test_a_changed_blocklist_is_noticed(curate: Curate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "blocked.txt"
    listed.write_text("oak.example\n")
    options = ("--set", f"urls.blocklists=[{listed}]")
    curate(options=options)
    listed.write_text("elm.example\n")
    curate(options=options, expect=2)
    assert "versions.blocklists" in capsys.readouterr().err


def test_a_larger_share_of_hosts_holds_a_smaller_one() -> None:
    from pipeline.stages.extract import keeps_host

    hosts = [f"h{number}.example" for number in range(2000)]
    some, more = ({host for host in hosts if keeps_host(host, share)} for share in (0.2, 0.5))
    assert some < more
    assert abs(len(some) / 2000 - 0.2) < 0.03
    assert {host for host in hosts if keeps_host(host, 1.0)} == set(hosts)
