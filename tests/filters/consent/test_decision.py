"""Statements and their combination: the shared cases, and conflicts that they leave out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.consent import licence, page
from filters.consent.decision import PROFILES, Capture, Decision, Page, Site, decide


def capture(content: str | None, status: int | None = None) -> Capture | None:
    if content is None and status is None:
        return None
    return Capture.read(200 if status is None else status, content or "", source="capture")


def asked(values: dict[str, Any], profile: str) -> Decision:
    headers = values.get("headers") or {}
    agents = tuple(values.get("agents") or ())
    site = Site(
        robots=capture(values.get("robots"), values.get("robots_status")),
        latest=capture(values.get("robots_latest")),
        tdmrep=(values["tdmrep"], "file") if "tdmrep" in values else None,
        ai_txt=(values["ai_txt"], "file") if "ai_txt" in values else None,
        rsl=values.get("rsl_xml"),
    )
    pairs = headers.items() if isinstance(headers, dict) else headers
    visited = Page(
        url=values["url"],
        headers=tuple((name.lower(), value) for name, value in pairs),
        says=page.PageSays.of_lines(page.parse(values.get("html") or "").lines()),
    )
    return decide(visited, site, profile=profile, crawler=agents)


def test_shared_cases(shared: Path) -> None:
    wrong = []
    for path in sorted((shared / "consent").glob("signals_cases*.jsonl")):
        for case in map(json.loads, path.read_text().splitlines()):
            values = dict(case["input"])
            expand = case.get("expand")
            if expand:
                values[expand["field"]] = expand["prepend"] * expand["times"] + values[expand["field"]]
            if case["family"] == "licence":
                found = licence.find(page.parse(values["html"]))
                answer: dict[str, Any] = {"licence": found[0].id, "scope": found[0].scope} if found else {}
                answer = {"licence": None, "scope": "unknown"} | answer
            else:
                decision = asked(values, values.get("profile", "train"))
                answer = {name: getattr(decision, name).value for name in ("train", "crawl", "images")}
                answer["signals"] = decision.signals
            expected = {name: sorted(one) if isinstance(one, list) else one for name, one in case["expected"].items()}
            for profile, verdict in (case.get("expected_by_profile") or {}).items():
                expected[profile], answer[profile] = verdict, asked(values, profile).train.value
            if {name: answer[name] for name in expected} != expected:
                wrong.append(case["id"])
    assert wrong == []


URL = "https://a.example/x"


@pytest.mark.parametrize(
    ("values", "train", "signals"),
    [
        # An address in X-Robots-Tag holds until the next one.
        ({"headers": {"X-Robots-Tag": "otherbot: noindex, noai"}}, "unknown", []),
        ({"headers": {"X-Robots-Tag": "otherbot: noindex, ccbot: noai"}}, "deny", ["x-robots-noai"]),
        ({"headers": {"X-Robots-Tag": "max-snippet: 0, noai"}}, "deny", ["x-robots-noai"]),
        ({"headers": [["X-Robots-Tag", "otherbot: all"], ["X-Robots-Tag", "noml"]]}, "deny", ["x-robots-noml"]),
        # Two groups for all with opposite signals are one group.
        (
            {"robots": "User-agent: *\nContent-Signal: ai-train=yes\n\nUser-agent: *\nContent-Signal: ai-train=no\n"},
            "deny",
            ["content-signal"],
        ),
        # Two header lines are one dictionary.
        ({"headers": [["Content-Usage", "search=y"], ["Content-Usage", "train-ai=n"]]}, "deny", ["aipref-header"]),
        ({"headers": {"Content-Usage": "ai-use=n"}}, "unknown", []),
        ({"headers": {"Content-Usage": "train-genai=n"}}, "unknown", ["aipref-legacy-label"]),
        # An invalid header leaves the file standing.
        (
            {"headers": {"tdm-reservation": "maybe"}, "tdmrep": '[{"location": "/", "tdm-reservation": 1}]'},
            "deny",
            ["tdmrep-file"],
        ),
        # A permission of one family does not outweigh a refusal of another.
        ({"headers": {"tdm-reservation": "0", "X-Robots-Tag": "noai"}}, "deny", ["tdmrep-header", "x-robots-noai"]),
        (
            {"headers": {"Content-Signal": "ai-train=yes"}, "robots_status": 503},
            "deny",
            ["content-signal", "robots-unreachable"],
        ),
        # RSL inside a group sets the global line aside.
        (
            {"robots": "License: https://a.example/1\nUser-agent: *\nLicense: https://a.example/2\nAllow: /\n"},
            "unknown",
            ["rsl-present"],
        ),
        ({"robots_status": 429}, "deny", ["robots-unreachable"]),
        # What comes with an error is no file.
        ({"robots_status": 404, "robots": "License: x\nUser-agent: *\nDisallow: /\n"}, "unknown", []),
        ({"ai_txt": "User-agent: *\nDisallow: *.txt\nDisallow: *.html\n"}, "deny", ["ai-txt"]),
        ({"ai_txt": "User-agent: *\nDisallow: /\n"}, "deny", ["ai-txt"]),
    ],
)  # fmt: skip
def test_what_the_cases_leave_out(values: dict[str, Any], train: str, signals: list[str]) -> None:
    found = asked({"url": URL, **values}, "train")
    assert (found.train.value, found.signals) == (train, signals)


def test_a_licence_in_a_group_is_the_one_that_counts() -> None:
    robots_txt = "License: https://a.example/1\nUser-agent: *\nLicense: https://a.example/2\nAllow: /\n"
    (found,) = asked({"url": URL, "robots": robots_txt}, "strict").evidence
    assert (found.value, found.where) == ("https://a.example/2", "robots.txt line 3")


def test_strict_obeys_what_others_record() -> None:
    for values in (
        {"robots": "User-agent: ChatGPT-User\nDisallow: /\n"},
        {"headers": {"X-Robots-Tag": "noarchive"}},
        {"robots_status": 403},
        {"robots": "User-agent: *\nAllow: /\n", "robots_latest": "User-agent: *\nDisallow: /\n"},
        {"robots": "User-agent: CCBot\nAllow: /\n\nUser-agent: *\nDisallow: /\n"},
    ):
        verdicts = [asked({"url": URL, **values}, profile).train.value for profile in PROFILES]
        assert verdicts == ["unknown", "unknown", "deny"]


@pytest.mark.parametrize(
    "values",
    [
        {"headers": {"Content-Usage": "train-ai = n"}},
        {"headers": {"tdm-reservation": "yes"}},
        {"tdmrep": "{"},
        {"tdmrep": '[{"location": "/", "tdm-reservation": "no"}]'},
        {"rsl_xml": "<rsl"},
        {"robots": "User-agent: *\nContent-Usage: train-ai=\n"},
    ],
)
def test_malformed_statements_are_reported(values: dict[str, Any]) -> None:
    (found,) = asked({"url": URL, **values}, "train").evidence
    assert (found.signal, bool(found.flaw), found.says.value) == ("", True, "unknown")


ENTITIES = '<!DOCTYPE rsl [<!ENTITY a SYSTEM "file:///etc/passwd">]><rsl><content url="/"><license><permits>&a;'


def test_entities_of_licences_are_not_read() -> None:
    document = ENTITIES + "</permits></license></content></rsl>"
    assert all("root:" not in one.value for one in asked({"url": URL, "rsl_xml": document}, "train").evidence)


JSON = st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "robots": st.text(max_size=80),
            "tdmrep": st.text(max_size=40) | JSON.map(json.dumps),
            "ai_txt": st.text(max_size=40),
            "rsl_xml": st.text(max_size=40),
            "html": st.text(max_size=80),
            "headers": st.dictionaries(
                st.sampled_from(["x-robots-tag", "content-usage", "content-signal", "tdm-reservation", "link"]),
                st.text(max_size=40),
            ),
        },
    )
)  # fmt: skip
def test_whatever_is_said_is_answered(values: dict[str, Any]) -> None:
    for profile in PROFILES:
        found = asked({"url": URL, **values}, profile)
        assert found.train.value in ("allow", "deny", "unknown")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        # The page's own licence stands before that of a figure, wherever it stands.
        (
            '<figure><a href="https://creativecommons.org/licenses/by-nc/2.0/">x</a></figure>'
            '<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">y</a>',
            [("CC-BY-4.0", "page"), ("CC-BY-NC-2.0", "figure")],
        ),
        (
            '<script type="application/ld+json">{"@graph": [{"@type": "WebPage", "license": "https://creativecommons.org/licenses/by-sa/4.0"},'
            ' {"@type": "ImageObject", "license": "https://creativecommons.org/licenses/by/2.0/"}]}</script>',
            [("CC-BY-SA-4.0", "page"), ("CC-BY-2.0", "figure")],
        ),
        (
            '<script type="application/ld+json">{"@type": "Article", "image": {"@type": "ImageObject",'
            ' "license": "https://creativecommons.org/licenses/by/2.0/"}}</script>',
            [("CC-BY-2.0", "figure")],
        ),
        (
            '<div itemscope itemtype="https://schema.org/Article"><link itemprop="license" href="https://www.gnu.org/licenses/fdl-1.3.html"></div>',
            [("GFDL-1.3-only", "page")],
        ),
        (
            '<footer><a href="https://creativecommons.org/licenses/by-nd-nc/1.0/">CC</a></footer>',
            [("CC-BY-NC-ND-1.0", "unknown")],
        ),
        ('<a href="https://creativecommons.org/licenses/by/4.0.evil/">x</a>', []),
        ('<script type="application/ld+json">{"license": [[[</script>', []),
    ],
)  # fmt: skip
def test_licences_and_what_they_are_about(html: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.id, one.scope) for one in licence.find(page.parse(html))] == expected
