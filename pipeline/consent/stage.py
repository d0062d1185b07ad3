"""``consent``: what is known of each page and its site, and what follows from it.

Row by row beside ``documents/``. Every statement is kept with the capture that it stands in, so that a decision can be
made again, under another profile too, from what is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from filters.consent import licence, optout, robots, rsl
from filters.consent.decision import Capture, Decision, Page, Site, combine, decide
from filters.consent.page import PageSays
from filters.consent.statement import Says
from filters.urls import origin
from pipeline import schema
from pipeline.config import Consent
from pipeline.consent import captures
from pipeline.consent.captures import KINDS
from pipeline.inputs import LATEST, Split
from pipeline.io import storage
from pipeline.io.parquet import open_file, row_writers
from pipeline.stages.base import Progress, Stage
from pipeline.tally import add_counts

ROBOTS, TDMREP, AI_TXT = "/robots.txt", "/.well-known/tdmrep.json", "/ai.txt"
NOTHING_SAID = "no statement about training"
_COLUMNS = ["id", "url", "date", "http_signals", "page_signals", "payload_digest"]


@dataclass(kw_only=True)
class ConsentStage(Stage):
    """Decides on the pages of one split."""

    name: ClassVar[str] = "consent"
    config: Consent

    def process(self, unit: Split, progress: Progress) -> dict[str, Any]:
        """Decide on one split.

        Args:
            unit: the split.
            progress: to be told of each document.

        Returns:
            Counts of decisions, of signals, of licences, and of what is not known and why.
        """
        counts: dict[str, Any] = {name: {} for name in ("decisions", "crawl", "signals", "licences", "unknown")}
        source = storage.join(self.work, "documents", f"{unit.key}.parquet")
        if not storage.exists(source):
            return counts
        matches, files = captures.read(self.work, unit.key)
        sites = _Sites(files, self.config)
        listed = optout.load(self.config.optout)
        columns = [*_COLUMNS, "text"] if listed.needs_text else _COLUMNS
        target = storage.join(self.work, self.name, f"{unit.key}.parquet")
        number = -1
        with row_writers({self.name: target}, {self.name: schema.CONSENT}) as writers:
            for batch in open_file(source).iter_batches(batch_size=512, columns=columns):
                for document in batch.to_pylist():
                    number += 1
                    found = matches.get(number, {})
                    row = self._one(document, sites, found, listed)
                    writers[self.name].write(row, 512 + 256 * len(row["evidence"]))
                    add_counts(counts, _counts(row, sites.lacking(document["url"] or "", found)))
                    progress.add(0.0)
        return counts

    def _one(
        self, document: Mapping[str, Any], sites: _Sites, found: Mapping[int, int], listed: optout.List
    ) -> dict[str, Any]:  # fmt: skip
        page = _page(document)
        digests = [document["payload_digest"] or "", document["id"]]
        if "text" in document:
            digests.append(optout.text_digest(document["text"]))
        entry = listed.find(page.url, digests)
        site = sites.of(found, optout.statement(entry) if entry else None)
        profile, crawler = self.config.profile, self.config.crawler
        decision = decide(page, site, profile=profile, crawler=crawler)
        later = _second(page, site, profile, crawler)
        links = [
            address
            for value in page.values("link")
            for address, relations, kind in rsl.parse_links(value)
            if "license" in relations and kind != "application/rsl+xml"
        ]
        licences = licence.find(page.says, links)
        own = licences[0] if licences and licences[0].scope != "figure" else None
        return {
            "id": document["id"],
            "decision": decision.train.value,
            "crawl": decision.crawl.value,
            "images": decision.images.value,
            "why": why(decision, profile) or sites.lacking(page.url, found)[1] or NOTHING_SAID,
            "robots_date": sites.date(found, ROBOTS),
            "latest": None if later is None else later.value,
            "latest_date": sites.date(found, LATEST),
            "licence": own.id if own else None,
            "licence_scope": own.scope if own else None,
            "licence_url": own.url if own else None,
            "signals": decision.signals,
            "evidence": [
                {name: str(getattr(one, name)) for name in schema.EVIDENCE_FIELDS} for one in decision.evidence
            ],
        }


def _second(page: Page, site: Site, profile: str, crawler: tuple[str, ...]) -> Says | None:
    """The verdict with the later robots.txt in place of the one at the time."""
    if site.latest is None:
        return None
    later = Site(robots=site.latest, tdmrep=site.tdmrep, ai_txt=site.ai_txt, listed=site.listed)
    return decide(page, later, profile=profile, crawler=crawler).train


def _page(document: Mapping[str, Any]) -> Page:
    headers = (line.partition(": ") for line in document["http_signals"] or ())
    return Page(
        url=document["url"] or "",
        headers=tuple((name, value) for name, _, value in headers),
        says=PageSays.of_lines(document["page_signals"] or ()),
    )


def why(decision: Decision, profile: str) -> str:
    """The statement that decides, for people.

    Args:
        decision: the decision.
        profile: by which it was made.

    Returns:
        Its signal, value and place; nothing if none decides.
    """
    deciding = [one for one in decision.evidence if combine([one], profile) is decision.train is not Says.NOTHING]
    return f"{deciding[0].signal}: {deciding[0].value} ({deciding[0].where})" if deciding else ""


class _Sites:
    """What captures say, each read once.

    Args:
        files: captures by reference.
        config: how they are read.
    """

    def __init__(self, files: Mapping[int, dict[str, Any]], config: Consent) -> None:
        self._files = files
        self._config = config
        self._read: dict[int, Capture] = {}

    def of(self, found: Mapping[int, int], listed: Any) -> Site:
        """What is known of a site."""
        return Site(
            robots=self._robots(found, ROBOTS),
            latest=self._robots(found, LATEST),
            tdmrep=self._text(found, TDMREP),
            ai_txt=self._text(found, AI_TXT),
            listed=listed,
        )

    def date(self, found: Mapping[int, int], kind: str) -> Any:
        """When the capture of a kind was made."""
        file = self._file(found, kind)
        return None if file is None or (kind == ROBOTS and file["redirect"]) else captures.date_of(file)

    def lacking(self, url: str, found: Mapping[int, int]) -> tuple[str, str]:
        """Why nothing is known of a site's robots.txt, in short for counting and in full."""
        site = origin(url)
        file = self._file(found, ROBOTS)
        if not site:
            return "no capture", "no http or https address"
        if file is None:
            return "no capture", f"no capture of {site}/robots.txt"
        if file["redirect"]:
            target = file["location"] or "nowhere"
            return "redirect", f"{site}/robots.txt redirects to {target}, which is not among the captures"
        return "", ""

    def _file(self, found: Mapping[int, int], kind: str) -> dict[str, Any] | None:
        ref = found.get(KINDS.index(kind))
        return None if ref is None else self._files[ref]

    def _robots(self, found: Mapping[int, int], kind: str) -> Capture | None:
        file = self._file(found, kind)
        if file is None or file["redirect"]:
            return None
        if file["ref"] not in self._read:
            self._read[file["ref"]] = Capture.read(
                file["status"], file["body"] or b"", lenient=self._config.lenient, source=_source(file)
            )
        return self._read[file["ref"]]

    def _text(self, found: Mapping[int, int], kind: str) -> tuple[str, str] | None:
        file = self._file(found, kind)
        if file is None or not 200 <= file["status"] < 300:
            return None
        return robots.decode(file["body"] or b"")[0], _source(file)


def _source(file: Mapping[str, Any]) -> str:
    """A capture by its id in ``work/robots/``, and the redirect that led to it."""
    return f"{file['id']} via {file['via']}" if file["via"] else str(file["id"])


def _counts(row: Mapping[str, Any], lacking: tuple[str, str]) -> dict[str, Counter[str]]:
    return {
        "decisions": Counter({row["decision"]: 1}),
        "crawl": Counter({row["crawl"]: 1}),
        "signals": Counter(row["signals"]),
        "licences": Counter({row["licence"]: 1}) if row["licence"] else Counter(),
        "unknown": Counter({lacking[0]: 1}) if lacking[0] else Counter(),
    }
