"""The report: numbers that sum, hostile text that stays text, and a look by a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.report import build
from pipeline.report.views import funnel
from tests.conftest import Curate, manifest
from tests.pipeline.warcs import page, response

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'</div>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attributes)))


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    return parser.seen


def test_the_page_is_self_contained_under_a_strict_policy(sample_run: Path) -> None:
    html = (sample_run / "report/index.html").read_text()
    seen = tags(html)
    policy = next(attributes["content"] for tag, attributes in seen if attributes.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not [tag for tag, _ in seen if tag in ("script", "img", "link", "iframe", "object")]
    for _, attributes in seen:
        assert all(not name.startswith("on") and name != "style" for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith("#")


def test_the_funnel_sums_and_shows_the_manifest(sample_run: Path) -> None:
    made = manifest(sample_run)
    shown = funnel.data(made, [])
    assert [step["name"] for step in shown["steps"]] == ["records read", "candidates", "documents", "kept"]
    assert all(step["sums"] for step in shown["steps"][:-1])
    assert shown["steps"][-1]["left"] == made["conservation"]["kept"]
    html = (sample_run / "report/index.html").read_text()
    assert "does not sum" not in html
    for rule, counts in made["rules"].items():
        assert re.search(rf"<b>{rule}</b>.*?<td class=\"n\">{counts['fired']}</td>", html, re.DOTALL)


def test_crawled_text_stays_text(curate: Curate, tmp_path: Path) -> None:
    url = "https://a.example/<script>alert(3)</script>"
    escaped = EVIL.replace("<", "&lt;")
    (tmp_path / "evil.warc.gz").write_bytes(response(url, page(escaped)))
    html = (curate(tmp_path / "evil.warc.gz") / "report/index.html").read_text()
    assert "alert(1)" in html
    assert "script" not in {tag for tag, _ in tags(html)}
    assert "img" not in {tag for tag, _ in tags(html)}


@given(st.text(max_size=200))
def test_masking_covers_addresses_and_long_numbers(text: str) -> None:
    mixed = f"{text} jane.roe@mail.example {text} 4111 1111 1111 1111 (11) 5555-0110 111.444.777-35"
    shown = build.mask(mixed)
    assert "jane.roe" not in shown
    for number in ("4111 1111", "5555-0110", "111.444.777"):
        assert number not in shown
    assert build.mask("in 12 of 345 cases") == "in 12 of 345 cases"


def test_the_report_can_be_written_again(sample_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(sample_run, copy, ignore=shutil.ignore_patterns("work"))
    before = (copy / "report/index.html").read_bytes()
    (copy / "report/index.html").unlink()
    assert main(["report", str(copy), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"].endswith("index.html")
    assert (copy / "report/index.html").read_bytes() == before
    assert main(["report", str(tmp_path)]) == 2


def test_a_browser_shows_it_without_a_complaint(sample_run: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    shot = tmp_path / "report.png"
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
        "--enable-logging=stderr", "--window-size=400,3000", f"--screenshot={shot}", f"file://{sample_run}/report/index.html",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in done.stderr
    assert "Content Security Policy" not in done.stderr
    assert shot.stat().st_size > 20_000
