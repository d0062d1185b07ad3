"""Reading over HTTP(S) as if it were a file: range requests, retries, and manners.

A file is fetched in blocks of 8 MiB by range requests. A block that fails is asked for again with
exponential backoff and jitter (``Retry-After`` is obeyed), so a broken connection costs one block and
reading goes on at the byte where it stopped. All processes on one machine share a per-host rate limit
through a lock file.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline import __version__

BLOCK_BYTES = 8 << 20
RETRIES = 8  # 8 tries at a factor of 0.5 s wait about two minutes in all
RETRY_STATUS = (408, 425, 429, 500, 502, 503, 504)
# Common Crawl asks for modest rates and answers 503 above them; one 8 MiB block each 0.2 s is 40 MiB/s.
MIN_SECONDS_BETWEEN_REQUESTS = float(os.environ.get("JOEIRA_HTTP_INTERVAL", "0.2"))
USER_AGENT = f"joeira/{__version__} (pretraining data curation; reads published crawl files)"


def is_http(path: str) -> bool:
    """Whether a path is an HTTP or HTTPS URL.

    Args:
        path: a path or URL.

    Returns:
        True for ``http://`` and ``https://``.
    """
    return path.startswith(("https://", "http://"))


@cache
def _pool() -> Any:
    import urllib3

    retry = urllib3.Retry(
        total=RETRIES,
        backoff_factor=0.5,
        backoff_jitter=0.5,
        backoff_max=60,
        status_forcelist=RETRY_STATUS,
        respect_retry_after_header=True,
    )
    return urllib3.PoolManager(retries=retry, timeout=60.0, headers={"User-Agent": USER_AGENT})


def _wait_for_turn(url: str) -> None:
    """Keep all processes of this machine together under one request an interval for the URL's host."""
    host = urlsplit(url).netloc.replace(":", "_")
    path = Path(tempfile.gettempdir()) / f"joeira-{os.getuid()}-{host}.turn"
    with open(path, "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wait = path.stat().st_mtime + MIN_SECONDS_BETWEEN_REQUESTS - time.time()
        if 0 < wait <= MIN_SECONDS_BETWEEN_REQUESTS:
            time.sleep(wait)
        os.utime(path)


def _request(method: str, url: str, headers: dict[str, str] | None = None) -> Any:
    _wait_for_turn(url)
    import urllib3

    try:
        response = _pool().request(method, url, headers={"User-Agent": USER_AGENT, **(headers or {})})
    except urllib3.exceptions.HTTPError as error:
        raise OSError(errno.EIO, f"{url}: {error}") from error
    if response.status == 404:
        raise FileNotFoundError(errno.ENOENT, f"{url}: the server answers 404")
    if response.status not in (200, 206, 416):
        raise OSError(errno.EIO, f"{url}: the server answers {response.status}")
    return response


def stat(url: str) -> tuple[int, str]:
    """Size and version of a file on a web server.

    Args:
        url: its URL.

    Returns:
        The size in bytes, and its ETag, else its date, else its size.

    Raises:
        OSError: the server cannot be reached, refuses, or does not say the size.
    """
    headers = _request("HEAD", url, {"Accept-Encoding": "identity"}).headers
    if "Content-Length" not in headers:
        raise OSError(errno.EIO, f"{url}: the server does not say how long the file is")
    size = int(headers["Content-Length"])
    return size, headers.get("ETag") or headers.get("Last-Modified") or str(size)


class _HttpFile(io.RawIOBase):
    """A remote file that fetches 8 MiB blocks where it is read."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._size, self._version = stat(url)
        self._position = 0
        self._block = b""
        self._block_start = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        inside = self._position - self._block_start
        if not 0 <= inside < len(self._block):
            if self._position >= self._size:
                return 0
            self._fetch(self._position)
            inside = 0
        piece = self._block[inside : inside + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _fetch(self, start: int) -> None:
        end = min(start + BLOCK_BYTES, self._size) - 1
        headers = {"Range": f"bytes={start}-{end}", "Accept-Encoding": "identity"}
        response = _request("GET", self._url, headers)
        if response.status == 200 and (start, end) != (0, self._size - 1):
            raise OSError(errno.EIO, f"{self._url}: the server ignores range requests")
        version = response.headers.get("ETag")
        if version and self._version.startswith(('"', "W/")) and version != self._version:
            raise OSError(errno.EIO, f"{self._url}: the file changed while it was read")
        if len(response.data) != end - start + 1:
            raise OSError(errno.EIO, f"{self._url}: bytes {start}-{end} came as {len(response.data)} bytes")
        self._block, self._block_start = response.data, start


def open_read(url: str) -> Any:
    """Open a file on a web server for reading from any offset.

    Args:
        url: its URL.

    Returns:
        A buffered binary file that can seek.

    Raises:
        OSError: the server cannot be reached or does not have the file.
    """
    return io.BufferedReader(_HttpFile(url), buffer_size=1 << 16)
