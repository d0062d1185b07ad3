"""The join of pages and captures, against answers worked out by hand and by brute force."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from filters.consent.decision import combine
from filters.consent.statement import Says, Scope, Statement
from pipeline import exchanges, runs
from pipeline.cli import main
from pipeline.consent import captures
from pipeline.consent.stage import NOTHING_SAID
from pipeline.dedup import task
from tests.conftest import Curate, digests, manifest, rows

PAGE = "<html><head>{head}</head><body><p>" + "Uma frase que se lê. " * 40 + "</p></body></html>"
NONE = ("--preset", "none")


def warc(path: Path, records: Iterable[tuple[Any, ...]]) -> Path:
    """Records: URL, time of day, body, and perhaps status and headers."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True)
    for url, time, body, *rest in records:
        status, headers = (*rest, "200 OK", [])[:2] if len(rest) < 2 else rest
        http = StatusAndHeaders(status, [("Content-Type", "text/html"), *headers], protocol="HTTP/1.1")
        writer.write_record(
            writer.create_warc_record(
                url,
                "response",
                payload=io.BytesIO(body.encode()),
                http_headers=http,
                warc_headers_dict={"WARC-Date": f"2026-05-01T{time}:00Z", "WARC-Record-ID": f"<urn:{url}-{time}>"},
            )
        )
    path.write_bytes(buffer.getvalue())
    return path


def robots(rule: str) -> str:
    return f"User-agent: *\n{rule}\n"


def verdicts(run: Path) -> dict[str, dict[str, Any]]:
    urls = {row["id"]: (row["url"], row["date"].strftime("%H:%M")) for row in rows(run, "work/documents")}
    return {" ".join(urls[row["id"]]): row for row in rows(run, "work/consent")}


def clock(value: datetime | None) -> str | None:
    return value.strftime("%H:%M") if value else None


def test_the_capture_nearest_before_the_page_counts(curate: Curate, tmp_path: Path) -> None:
    pages = [
        (f"https://a.example/{name}", time, PAGE) for name, time in (("x", "09:00"), ("y", "11:00"), ("z", "13:00"))
    ]
    pages.append(("https://b.example/", "11:00", PAGE))
    pages.append(("http://a.example/x", "11:00", PAGE))  # another origin
    site = [
        ("https://a.example/robots.txt", "10:00", robots("Disallow: /")),
        ("https://A.example:443/robots.txt", "12:00", robots("Disallow: /none")),
    ]
    crawl = warc(tmp_path / "pages.warc.gz", pages[:2] + site[:1])
    other = warc(tmp_path / "more.warc.gz", pages[2:])
    captured = warc(tmp_path / "robots.warc.gz", site[1:])
    run = curate(crawl, other, options=(*NONE, "--robots", str(captured)))
    found = verdicts(run)
    assert {name: (row["decision"], clock(row["robots_date"])) for name, row in found.items()} == {
        "https://a.example/x 09:00": ("deny", "10:00"),  # the first after it, for want of one before
        "https://a.example/y 11:00": ("deny", "10:00"),
        "https://a.example/z 13:00": ("unknown", "12:00"),
        "https://b.example/ 11:00": ("unknown", None),
        "http://a.example/x 11:00": ("unknown", None),
    }
    assert found["https://b.example/ 11:00"]["why"] == "no capture of https://b.example/robots.txt"
    assert found["https://a.example/z 13:00"]["why"] == NOTHING_SAID
    denied = found["https://a.example/y 11:00"]
    (evidence,) = denied["evidence"]
    (capture,) = [row for row in rows(run, "work/robots") if row["id"] == evidence["source"]]
    url = "https://a.example/robots.txt"
    assert (capture["url"], capture["record_id"]) == (url, f"<urn:{url}-10:00>")
    assert (evidence["signal"], evidence["value"], evidence["where"]) == (
        "robots-disallow",
        "Disallow: /",
        "robots.txt line 2",
    )
    assert {row["url"] for row in rows(run, "data")} == {url for url, *_ in pages}
    assert {row["consent"] for row in rows(run, "data")} == {
        "deny",
        "unknown",
    }  # marked, since ``none`` removes nothing
    assert manifest(run)["consent"]["unknown"] == {"no capture": 2}


LICENCE = ("Link", '<https://creativecommons.org/licenses/by/4.0/>; rel="license"')


def test_what_refuses_is_removed_with_its_reason(curate: Curate, tmp_path: Path) -> None:
    pages = [
        ("https://a.example/1", "09:00", PAGE),
        ("https://a.example/2", "09:00", PAGE.replace("{head}", '<meta name="robots" content="noai">')),
        ("https://a.example/3", "09:00", PAGE, "200 OK", [("X-Robots-Tag", "noai")]),
        (
            "https://a.example/4",
            "09:00",
            PAGE,
            "200 OK",
            [("Link", '<https://creativecommons.org/licenses/by/4.0/>; rel="license"')],
        ),
        ("https://a.example/private/5", "09:00", PAGE),
        ("https://a.example/robots.txt", "08:00", "User-agent: GPTBot\nDisallow: /private/\n"),
        ("https://a.example/.well-known/tdmrep.json", "08:00", '[{"location": "/1", "tdm-reservation": 0}]'),
    ]
    crawl = warc(tmp_path / "pages.warc.gz", pages)
    options = (*NONE, "--set", "consent.remove=true")
    run = curate(crawl, options=options)
    kept = {row["url"][-1]: (row["consent"], row["licence"]) for row in rows(run, "data")}
    assert kept == {"1": ("allow", None), "4": ("unknown", "CC-BY-4.0")}
    assert {row["url"][-1]: (row["reason"], row["detail"]) for row in rows(run, "removed")} == {
        "2": ("consent", "meta-noai: noai (meta)"),
        "3": ("consent", "x-robots-noai: noai (header)"),
        "5": ("consent", "robots-ai-train: gptbot: Disallow: /private/ (robots.txt line 2)"),
    }
    crawler = curate(crawl, output="crawl", options=(*options, "--set", "consent.profile=crawl"))
    assert len(rows(crawler, "data")) == 5
    (tmp_path / "optout.txt").write_text("# asked us\nhttp://www.a.example/4?utm_source=x\n")
    listed = curate(crawl, output="listed", options=(*options, "--set", f"consent.optout=[{tmp_path}/optout.txt]"))
    assert [row["url"][-1] for row in rows(listed, "data")] == ["1"]
    licensed = "{name: licence, signal: licence, one_of: [CC-BY-4.0]}"
    only = curate(crawl, output="only", options=(*options, "--set", f"assemble.rules=[{licensed}]"))
    assert [row["url"][-1] for row in rows(only, "data")] == ["4"]


def test_redirects_are_followed_from_site_to_site(
    curate: Curate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(url: str, location: str, time: str = "08:00") -> tuple[Any, ...]:
        return (f"{url}/robots.txt", time, "", "301 Moved Permanently", [("Location", location)])

    sites = ["http://a.example", "https://a.example", "https://loop.example", "https://gone.example"]
    pages = [(f"{site}/x", "09:00", PAGE) for site in sites]
    hops = [
        moved("http://a.example", "https://a.example/robots.txt"),
        moved("https://a.example", "//www.a.example/robots.txt"),
        ("https://www.a.example/robots.txt", "07:00", robots("Disallow: /")),
        ("https://www.a.example/robots.txt", "08:30", robots("Allow: /")),
        moved("https://loop.example", "/robots.txt"),
        moved("https://gone.example", "https://elsewhere.example/robots.txt"),
    ]
    monkeypatch.setattr(task, "RANGE_BYTES", 1 << 12)
    monkeypatch.setattr(exchanges, "_DOCUMENTS_A_RANGE", 2)
    crawl = warc(tmp_path / "pages.warc.gz", pages)
    files = [warc(tmp_path / f"robots{number}.warc.gz", hops[number::2]) for number in range(2)]
    options = (*NONE, "--robots", *map(str, files))
    run = curate(crawl, options=options)
    found = {name.split()[0]: row for name, row in verdicts(run).items()}
    for site in sites[:2]:
        row = found[f"{site}/x"]
        assert (row["decision"], row["evidence"][0]["signal"]) == ("deny", "robots-disallow")
        source, via = row["evidence"][0]["source"].split(" via ")
        names = {capture["id"]: (capture["url"], clock(capture["date"])) for capture in rows(run, "work/robots")}
        assert (names[source], names[via][0]) == (("https://www.a.example/robots.txt", "07:00"), f"{site}/robots.txt")
    assert found["https://loop.example/x"]["crawl"] == found["https://gone.example/x"]["crawl"] == "unknown"
    why = found["https://gone.example/x"]["why"].split(" redirects to ")
    assert why == [f"{sites[3]}/robots.txt", "https://elsewhere.example/robots.txt, which is not among the captures"]
    monkeypatch.undo()
    again = curate(crawl, output="again", options=(*NONE, "--robots", *map(str, reversed(files))))
    assert digests(run) == digests(again)


def test_a_later_capture_gives_a_second_verdict(curate: Curate, tmp_path: Path) -> None:
    crawl = warc(
        tmp_path / "pages.warc.gz",
        [("https://a.example/x", "09:00", PAGE), ("https://a.example/robots.txt", "08:00", robots("Allow: /"))],
    )
    later = warc(tmp_path / "later.warc.gz", [("https://a.example/robots.txt", "20:00", robots("Disallow: /"))])
    for profile, decision in (("train", "unknown"), ("strict", "deny")):
        options = (*NONE, "--robots-latest", str(later), "--set", f"consent.profile={profile}")
        run = curate(crawl, output=profile, options=options)
        (row,) = rows(run, "work/consent")
        assert (row["decision"], clock(row["robots_date"])) == (decision, "08:00")
        assert (row["latest"], clock(row["latest_date"])) == ("deny", "20:00")
        assert row["signals"] == ["robots-latest-deny"]


def test_every_removal_can_be_decided_again_from_what_is_stored(sample_run: Path) -> None:
    found = rows(sample_run, "work/consent")
    stored = {row["id"] for row in rows(sample_run, "work/robots")}
    for row in found:
        statements = [
            Statement(signal=one["signal"], says=Says(one["says"]), scope=Scope(one["scope"]))
            for one in row["evidence"]
        ]
        assert combine(statements, "train").value == row["decision"]
        assert all(one["source"].split(" ")[0] in stored for one in row["evidence"] if one["source"])
    denied = {row["id"] for row in found if row["decision"] == "deny"}
    assert denied == {row["id"] for row in rows(sample_run, "removed") if row["reason"] == "consent"}
    assert all(row["robots_date"] or row["why"] for row in found)
    decisions = manifest(sample_run)["consent"]["decisions"]
    assert (decisions["deny"], sum(decisions.values())) == (len(denied), len(found))


def test_real_crawls_get_a_dated_verdict_or_say_why(curate: Curate, shared: Path) -> None:
    """Among the real crawls are captures of robots.txt of four of their hosts."""
    files = [
        path
        for path in sorted((shared / "crawl/real").iterdir())
        if "pdf" not in path.name and path.stat().st_size < 1e6
    ]
    run = curate(*files, options=(*NONE, "--set", "annotate.filters=[language]"))
    found = rows(run, "work/consent")
    known = {row["host_key"] for row in rows(run, "work/robots") if row["path"] == "/robots.txt"}
    assert len(found) > 50
    assert known
    for row in found:
        assert row["robots_date"] is not None or row["why"].startswith(("no capture", "no http", "https://", "http://"))
    assert sum(row["robots_date"] is not None for row in found) > 0


def test_stages_one_by_one_are_the_same_job(curate: Curate, sample_run: Path, tmp_path: Path) -> None:
    from pipeline import sample

    place = str(tmp_path / "staged")
    assert main(["extract", "--input", str(sample.DIRECTORY), "--output", place, "--quiet", "--workers", "1"]) == 0
    for verb in ("annotate", "consent", "assemble"):
        assert main([verb, "--output", place, "--quiet", "--workers", "1"]) == 0
    assert digests(Path(place)) == digests(sample_run)


def test_unknown_profiles_and_lists_that_are_none(
    curate: Curate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text("example.org\nnot an entry\n")
    for setting, message in (
        ("consent.profile=lax", "unknown profile 'lax'; known: crawl, train, strict"),
        (f"consent.optout=[{tmp_path}/list.txt]", "list.txt, line 2: expected a URL"),
        ("consent.optout=[/nowhere]", "opt-out list /nowhere"),
    ):
        curate(options=("--set", setting), expect=2)
        assert message in capsys.readouterr().err


CAPTURES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 5)), max_size=12)


@given(CAPTURES, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=8))
def test_matches_by_brute_force(found: list[tuple[int, int, int]], pages: list[tuple[int, int]]) -> None:
    found = sorted(found)
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    asked = np.array([(key, date, place) for place, (key, date) in enumerate(pages)], dtype=np.uint64).reshape(-1, 3)
    matches = captures.match(asked, table[:, 0].astype(np.uint64), table[:, 1], table[:, 2])
    expected = set()
    for place, (key, date) in enumerate(pages):
        for kind in {kind for owner, kind, _ in found if owner == key}:
            own = [(when, number) for number, (owner, of, when) in enumerate(found) if (owner, of) == (key, kind)]
            before = [pair for pair in own if pair[0] <= date]
            first = [pair for pair in own if pair[0] == own[0][0]]
            chosen = own[-1] if kind == 3 else (before or first)[-1]
            expected.add((place, kind, chosen[1]))
    assert {tuple(row) for row in matches.tolist()} == expected


def test_reopened_runs_know_what_their_inputs_are_for(curate: Curate, tmp_path: Path) -> None:
    page = [("https://a.example/x", "09:00", PAGE)]
    crawl = warc(tmp_path / "pages.warc.gz", page)
    captured = warc(tmp_path / "robots.warc.gz", [("https://a.example/robots.txt", "08:00", robots("Allow: /")), *page])
    run = curate(crawl, options=(*NONE, "--robots", str(captured)))
    assert [item.role for item in runs.reopen(str(run)).inputs] == ["pages", "robots"]
    # Pages in a file of captures are none of ours.
    assert manifest(run)["conservation"]["in"] == len(rows(run, "data")) == 1
    assert json.loads((run / "work/run.json").read_text())["identity"]["inputs"][1]["role"] == "robots"
