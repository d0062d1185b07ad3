"""The HTTP reader against a real server on loopback that misbehaves on purpose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from pipeline import inputs
from pipeline.io import https, storage, warc
from pipeline.io.records import Record
from tests.pipeline.warcs import PROSE, page, response

DATA = b"".join(response(f"https://a.example/{n}", page(f"{n} {PROSE * 20}")) for n in range(40))


class Server(BaseHTTPRequestHandler):
    """Serves DATA by ranges; fails as the class says."""

    protocol_version = "HTTP/1.1"
    fail_with: ClassVar[list[str]] = []
    requests: ClassVar[list[dict[str, str]]] = []

    def do_HEAD(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.send_header("ETag", '"v1"')
        self.end_headers()

    def do_GET(self) -> None:
        Server.requests.append(dict(self.headers))
        failure = Server.fail_with.pop(0) if Server.fail_with else ""
        if failure == "503":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, last = (int(part) for part in self.headers["Range"].removeprefix("bytes=").split("-"))
        piece = DATA[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(piece)))
        self.send_header("ETag", '"v2"' if failure == "changed" else '"v1"')
        self.end_headers()
        self.wfile.write(piece[: len(piece) // 2] if failure == "cut" else piece)
        if failure == "cut":
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Server.fail_with.clear()
    Server.requests.clear()
    monkeypatch.setattr(https, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(https, "MIN_SECONDS_BETWEEN_REQUESTS", 0.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/crawl.warc.gz"
    server.shutdown()
    server.server_close()


def urls_in(path: str) -> list[str]:
    with storage.open_read(path) as file:
        found = list(warc.read_range(file, 0, len(DATA), warc.Limits()))
    assert all(isinstance(item, Record) for item in found)
    return [item.headers["warc-target-uri"] for item in found if isinstance(item, Record)]


def test_all_records_arrive_by_ranges_under_an_honest_name(url: str) -> None:
    assert urls_in(url) == [f"https://a.example/{n}" for n in range(40)]
    assert len(Server.requests) > 1
    assert all(request["User-Agent"].startswith("joeira/") for request in Server.requests)


@pytest.mark.parametrize("failure", ["503", "cut"])
def test_failures_are_retried_and_nothing_is_lost(url: str, failure: str) -> None:
    Server.fail_with.extend([failure, "", failure, failure])
    assert len(urls_in(url)) == 40
    assert not Server.fail_with


def test_a_file_that_changes_meanwhile_is_refused(url: str) -> None:
    Server.fail_with.extend(["changed"])
    with pytest.raises(OSError, match="changed while it was read"):
        urls_in(url)


def test_a_missing_file_says_so(url: str) -> None:
    with pytest.raises(FileNotFoundError, match="404"):
        https.stat(url.rsplit("/", 1)[0] + "/missing")


def test_requests_to_one_host_keep_their_distance(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(https, "MIN_SECONDS_BETWEEN_REQUESTS", 5.0)
    monkeypatch.setattr(https.time, "sleep", slept.append)
    https.stat(url)
    https.stat(url)
    assert slept
    assert 0 < slept[-1] <= 5.0


def test_a_list_of_paths_resolves_against_its_base(url: str, tmp_path: Any) -> None:
    base, name = url.rsplit("/", 1)
    listed = tmp_path / "warc.paths"
    listed.write_text(name + "\n")
    (item,) = inputs.resolve([str(listed)], base=base)
    assert (item.name, item.size, item.kind, item.digest) == (name, len(DATA), "warc", 'version:"v1"')
