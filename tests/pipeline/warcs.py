"""Small WARC files for tests."""

from __future__ import annotations

import io

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter


def response(
    url: str,
    body: bytes,
    *,
    status: str = "200 OK",
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html"),),
    gzip: bool = True,
) -> bytes:
    """One response record as a file."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=gzip)
    http = StatusAndHeaders(status, list(headers), protocol="HTTP/1.1")
    fixed = {"WARC-Date": "2026-01-02T03:04:05Z", "WARC-Record-ID": f"<urn:uuid:{url}>"}
    record = writer.create_warc_record(
        url, "response", payload=io.BytesIO(body), http_headers=http, warc_headers_dict=fixed
    )
    writer.write_record(record)
    return buffer.getvalue()


def page(text: str) -> bytes:
    """An HTML page that any extractor reads."""
    return f"<!doctype html><html><body><article><p>{text}</p></article></body></html>".encode()


PROSE = (
    "The ferry leaves the lower bridge at seven, and whoever misses it walks around the lake, which takes "
    "most of the morning. In spring the path is under water, so people learn to be early. "
)
