"""``extract``: records to documents, robots captures, removals and failures.

Cheap questions come first (status, declared and sniffed type, size); only what passes is decoded, parsed
and given to the extractor, which costs a hundred times as much as all the rest.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from filters import blocklist
from filters.extraction import charset, html
from filters.extraction.engine import clean
from filters.urls import origin
from pipeline import schema
from pipeline.config import Extract, Read, Urls
from pipeline.inputs import PAGES, Split
from pipeline.io import http, storage, texts, warc
from pipeline.io.parquet import RowWriter, row_writers
from pipeline.io.records import Record, Unreadable
from pipeline.sandbox import ExtractionError, Sandbox
from pipeline.stages.base import Progress, Stage
from pipeline.tally import Tally

OUTPUTS = {
    "documents": schema.DOCUMENTS,
    "robots": schema.ROBOTS,
    "rejected": schema.REMOVED,
    "failed": schema.FAILED,
}
# Records that may become documents; the others (request, metadata, warcinfo, revisit) are counted by kind.
CANDIDATES = frozenset({"response", "resource", "conversion", "text"})
CAPTURE_PATHS = frozenset({"/robots.txt", "/.well-known/tdmrep.json", "/ai.txt"})
CAPTURE_BYTES = 500 << 10  # RFC 9309 §2.5: a crawler must parse at least 500 KiB
# Response headers that speak of consent, kept with each document for the consent stage.
CONSENT_HEADERS = frozenset(
    {"x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "content-signal", "link", "license"}
)
_VAGUE_TYPES = frozenset({"", "application/octet-stream", "text/plain", "application/x-unknown-content-type"})
_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d{2}")


class Rejected(Exception):
    """A record that is answered without extraction: the reason, and what was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass
class _Unit:
    """The writers and counts of one split."""

    writers: dict[str, RowWriter]
    records: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    redirects: int = 0
    tallies: dict[str, Tally] = field(
        default_factory=lambda: {name: Tally() for name in ("in", "captures", "documents", "rejected", "failed")}
    )


@dataclass(kw_only=True)
class ExtractStage(Stage):
    """Reads one split and writes its documents, captures, removals and failures."""

    name: ClassVar[str] = "extract"
    read: Read
    urls: Urls
    config: Extract
    _sandbox: Sandbox | None = field(default=None, init=False, repr=False)

    def setup(self) -> None:
        """Make the sandbox of this worker."""
        self._sandbox = Sandbox(self.config)

    def teardown(self) -> None:
        """End the sandbox's child."""
        if self._sandbox:
            self._sandbox.close()

    def process(self, unit: Split, progress: Progress) -> dict[str, Any]:
        """Read one split.

        Args:
            unit: the split.
            progress: to be told of each record.

        Returns:
            Counts of records by kind, of reasons and errors, and a tally of ids for each output.
        """
        paths = {name: storage.join(self.work, name, f"{unit.key}.parquet") for name in OUTPUTS}
        size = max(1, unit.stop - unit.start)
        with row_writers(paths, OUTPUTS) as writers:
            state = _Unit(writers)
            for found in read_records(unit, self.read):
                self._one(found, unit, state)
                progress.add(min(1.0, (found.offset - unit.start) / size))
        return {
            "records": dict(state.records),
            "reasons": dict(state.reasons),
            "errors": dict(state.errors),
            "redirects": state.redirects,
            "tallies": {name: tally.to_dict() for name, tally in state.tallies.items()},
        }

    def _one(self, found: Record | Unreadable, unit: Split, state: _Unit) -> None:
        identifier = document_id(unit.input.name, found.offset, found.inner)
        place = {"id": identifier, "warc_file": unit.input.name, "warc_offset": found.offset}
        if isinstance(found, Unreadable):
            state.records["unreadable"] += 1
            state.tallies["in"].add(identifier)
            _fail(state, place, found.error, found.detail)
            return
        state.records[found.kind] += 1
        if found.kind not in CANDIDATES:
            return
        place |= {
            "warc_length": found.length,
            "record_id": found.headers.get("warc-record-id") or found.headers.get("id"),
            "url": _text(found.headers.get("warc-target-uri") or found.headers.get("url")),
            "date": parse_date(found.headers.get("warc-date") or found.headers.get("date")),
            "source": self.read.source or _source(unit),
        }
        path = _path(str(place["url"]))
        if unit.input.role != PAGES and path not in CAPTURE_PATHS:
            return
        place["host"] = _host(str(place["url"]))
        try:
            outcome, row = self._answer(found, place)
        except Rejected as rejected:
            outcome = "rejected"
            row = {"stage": self.name, "reason": rejected.reason, "reasons": [rejected.reason], "detail": str(rejected)}
            state.reasons[rejected.reason] += 1
        except ExtractionError as error:
            state.tallies["in"].add(identifier)
            _fail(state, place, error.kind, str(error))
            return
        except OSError:
            raise
        except Exception as error:  # one bad record never stops a job
            state.tallies["in"].add(identifier)
            _fail(state, place, "exception", f"{type(error).__name__}: {error}")
            return
        if outcome != "captures":
            state.tallies["in"].add(identifier)
        state.tallies[outcome].add(identifier)
        state.redirects += outcome == "captures" and is_redirect(row["status"])
        size = 512 + len(row.get("text") or "") * 2 + len(row.get("body") or b"")
        state.writers["robots" if outcome == "captures" else outcome].write(place | row, size)

    def _answer(self, record: Record, place: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Where a candidate goes, and its row there beside its place."""
        self._ask_address(place["url"])
        if record.kind == "text" or record.kind == "conversion":
            if record.truncated == "limit":
                raise Rejected("too_large", f"{record.full_length} bytes")
            return "documents", self._plain(record)
        # Look-ups of names (dns:) are response records without HTTP.
        spoken = record.kind == "response" and place["url"].startswith(("http://", "https://"))
        response = http.parse(record.block) if spoken else None
        if spoken and response is None:
            raise ExtractionError("bad http", f"expected an HTTP status line, found {record.block[:40]!r}")
        if response is None:
            response = http.Response(200, [("content-type", record.headers.get("content-type", ""))], record.block)
        path = _path(place["url"])
        if path in CAPTURE_PATHS:
            return "captures", _capture(response, path, place, record.truncated)
        body, truncated = self._ask_cheap_questions(record, response)
        page = charset.decode(body, charset.declared_in_header(response.get("content-type")))
        assert self._sandbox is not None, "setup() comes first"
        extracted = self._sandbox.extract(page.text)
        if extracted.refused:
            raise Rejected(extracted.refused, f"more than the configuration's {extracted.refused} allows")
        return "documents", {
            "text": extracted.text,
            "title": extracted.title,
            "language_hint": extracted.language_hint,
            "http_signals": [_text(f"{name}: {value}") for name, value in response.headers if name in CONSENT_HEADERS],
            "page_signals": list(extracted.page_signals),
            "charset": page.encoding,
            "charset_evidence": page.evidence,
            "truncated": truncated or record.truncated,
            **_payload(body),
        }

    def _ask_address(self, url: str) -> None:
        if _path(url) in CAPTURE_PATHS:
            return
        if self.urls.blocklists:
            blocked = blocklist.load(self.urls.blocklists).reason(url)
            if blocked:
                raise Rejected("url_blocked", blocked)
        if self.urls.host_share < 1.0 and not keeps_host(_host(url), self.urls.host_share):
            raise Rejected("host_sample", f"its host is not among the {self.urls.host_share:g} that are kept")

    def _ask_cheap_questions(self, record: Record, response: http.Response) -> tuple[bytes, str | None]:
        config = self.config
        if response.status not in config.status:
            location = response.get("location") if is_redirect(response.status) else None
            raise Rejected("http_status", f"status {response.status}" + (f", to {location[:500]}" if location else ""))
        declared = (response.get("content-type") or "").split(";")[0].strip().lower()
        if declared not in config.accept and declared not in _VAGUE_TYPES:
            raise Rejected("content_type", f"declared as {declared[:80]}")
        limit = config.body_mib << 20
        if record.truncated == "limit":
            raise Rejected("too_large", f"{record.full_length} bytes as stored")
        try:
            body, truncated = http.decoded_body(response, limit)
        except http.BodyError as error:
            raise ExtractionError("bad encoding", str(error)) from error
        if truncated == "limit":
            raise Rejected("too_large", f"more than {limit} bytes when decoded")
        if not body.strip():
            raise Rejected("no_content", "an empty body")
        seen = html.sniff(body)
        if seen not in (None, "text/html") or (seen is None and declared not in config.accept):
            raise Rejected("sniffed_type", f"declared as {declared or 'nothing'}, looks like {seen or 'no HTML'}")
        return body, truncated

    def _plain(self, record: Record) -> dict[str, Any]:
        text = record.block.decode("utf-8", "replace")
        return {"text": clean(text), "charset": "utf-8", "truncated": record.truncated, **_payload(record.block)}


def read_records(split: Split, read: Read) -> Iterator[Record | Unreadable]:
    """The records of one split, whatever kind of file it is of.

    Args:
        split: the byte range.
        read: how to read.

    Yields:
        Records and unreadable places. What no reader foresaw ends the range in one more of those; errors of
        the disk or the network are raised, since trying again may help.
    """
    last = split.start
    try:
        for found in _read_kind(split, read):
            last = found.offset
            yield found
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        detail = f"{type(error).__name__}: {error}; nothing after it in this range was read"
        yield Unreadable(offset=last, inner=-1, error="exception", detail=detail)


def _read_kind(split: Split, read: Read) -> Iterator[Record | Unreadable]:
    item = split.input
    with storage.open_read(item.path) as file:
        if item.kind == "warc":
            limits = warc.Limits(record_bytes=read.record_mib << 20, skip_bytes=read.skip_mib << 20)
            yield from warc.read_range(file, split.start, split.stop, limits)
        elif item.kind == "jsonl":
            yield from texts.read_jsonl(file, item.path, split.start, split.stop, read)
        elif item.kind == "parquet":
            yield from texts.read_parquet(file, split.start, split.stop, read)
        else:
            yield from texts.read_text(file, item.path, read)


def document_id(name: str, offset: int, inner: int) -> str:
    """The id of a record: a hash of where it stands, so it depends on nothing but the input.

    Args:
        name: the input's short name.
        offset: the record's offset in it.
        inner: its offset inside a shared gzip member.

    Returns:
        32 hexadecimal digits.
    """
    return hashlib.blake2b(f"{name}\0{offset}\0{inner}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def keeps_host(host: str, share: float) -> bool:
    """Whether a host is in a sample: the same answer everywhere, and a larger share holds a smaller one.

    Args:
        host: the host.
        share: 0 to 1.

    Returns:
        True for about that share of all hosts.
    """
    digest = hashlib.blake2b(host.encode(), digest_size=8, person=b"host").digest()
    return int.from_bytes(digest, "big") < share * 2**64


def parse_date(value: str | None) -> datetime | None:
    """A WARC or ISO 8601 date of any precision.

    Args:
        value: for example ``2024-05-18T01:58:10Z``, ``2014-01`` or ``20140102000000``.

    Returns:
        The time in UTC, or None where the value is no date.
    """
    digits = re.sub(r"[-:TZ ]", "", value or "")[:14]
    try:
        if not digits.isdigit():
            raise ValueError
        if len(digits) == 14 and (value or "").endswith("Z"):
            return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        stamp = datetime.fromisoformat(value or "")
        return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    try:
        padded = digits + "00000101000000"[len(digits) :]
        return datetime.strptime(padded, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _fail(state: _Unit, place: dict[str, Any], error: str, detail: str) -> None:
    state.errors[error] += 1
    state.tallies["failed"].add(place["id"])
    state.writers["failed"].write(place | {"stage": ExtractStage.name, "error": error, "detail": _text(detail)[:500]})


def _capture(response: http.Response, path: str, place: dict[str, Any], truncated: str | None) -> dict[str, Any]:
    try:
        body, flaw = http.decoded_body(response, CAPTURE_BYTES)
    except http.BodyError:
        body, flaw = response.body[:CAPTURE_BYTES], "encoding"
    return {
        "host_key": origin(place["url"]),
        "path": path,
        "status": response.status,
        "headers": [_text(f"{name}: {value}") for name, value in response.headers],
        "body": body,
        "truncated": truncated or flaw,
    }


def is_redirect(status: int) -> bool:
    """Whether a response says where else to look.

    Args:
        status: its status code.

    Returns:
        True for 301, 302, 303, 307 and 308.
    """
    return status in (301, 302, 303, 307, 308)


def _payload(body: bytes) -> dict[str, Any]:
    digest = base64.b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
    return {"payload_digest": f"sha1:{digest}", "payload_bytes": len(body)}


def _text(value: str | None) -> str:
    return clean(value or "")


def _path(url: str) -> str:
    try:
        return urlsplit(url).path if url.startswith(("http://", "https://")) else ""
    except ValueError:
        return ""


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _source(split: Split) -> str:
    crawl = _CRAWL.search(split.input.path)
    return crawl.group(0) if crawl else split.input.kind
