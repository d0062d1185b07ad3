"""The HTTP response inside a record: its headers, and its body with every coding undone.

Crawlers store bodies as they came or already decoded, and headers that say one thing of bytes that are
another. So each coding is undone where the bytes bear it out, and left where they do not.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from warcio.statusandheaders import StatusAndHeadersParser, StatusAndHeadersParserException

_PIECE = 1 << 16
_CHUNK_SIZE = re.compile(rb"\s*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_PARSER = StatusAndHeadersParser(["HTTP/1.0", "HTTP/1.1"], verify=False)
# Misspelt versions (HTTPX/1.1) and ICY happen; what they say is plain all the same.
_STARTS_RESPONSE = re.compile(rb"[A-Za-z]{3,8}(?:/[\d.]+)?[ \t]+\d{3}\b")
_STATUS_LINE = re.compile(r"(\d{3})")


class BodyError(ValueError):
    """A body whose content encoding cannot be undone."""


@dataclass(slots=True)
class Response:
    """A parsed HTTP response.

    Attributes:
        status: the status code; 0 where the status line has none.
        headers: name in lower case and value, in order, repeated names kept.
        body: the body as stored.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        """The first header of a name.

        Args:
            name: in lower case.

        Returns:
            Its value, or None.
        """
        return next((value for key, value in self.headers if key == name), None)


def parse(block: bytes) -> Response | None:
    """Split a response record's block into status, headers and body.

    Args:
        block: the content of a ``response`` record.

    Returns:
        The response, or None where the block does not begin with an HTTP status line.
    """
    if not _STARTS_RESPONSE.match(block):
        return None
    stream = io.BytesIO(block)
    try:
        parsed = _PARSER.parse(stream)
    except (StatusAndHeadersParserException, EOFError):
        return None
    status = _STATUS_LINE.match(parsed.statusline.strip())
    headers = [(str(name).strip().lower(), str(value).strip()) for name, value in parsed.headers]
    return Response(int(status.group(1)) if status else 0, headers, block[stream.tell() :])


def decoded_body(response: Response, limit: int) -> tuple[bytes, str | None]:
    """The body with transfer and content codings undone.

    Args:
        response: the response.
        limit: bytes of decoded body to keep.

    Returns:
        The body, and why it is not whole (``limit`` or ``encoding``), else None.

    Raises:
        BodyError: a coding is unknown, or its bytes make no sense from the start.
    """
    body = response.body
    if "chunked" in (response.get("transfer-encoding") or "").lower():
        body = unchunk(body)
    truncated: str | None = None
    codings = [part.strip().lower() for part in (response.get("content-encoding") or "").split(",")]
    for coding in reversed([name for name in codings if name not in ("", "identity", "none", "utf-8")]):
        body, flaw = _undo(coding, body, limit)
        truncated = truncated or flaw
    if len(body) > limit:
        return body[:limit], "limit"
    return body, truncated


def unchunk(body: bytes) -> bytes:
    """Undo the chunked transfer coding (RFC 9112 §7.1); bytes that are not chunked come back as they are.

    Args:
        body: the body as stored.

    Returns:
        The chunks joined. After a chunk whose size makes no sense, the rest is kept as it is.
    """
    pieces: list[bytes] = []
    position = 0
    while head := _CHUNK_SIZE.match(body, position):
        size = int(head.group(1), 16)
        start = head.end()
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[start : start + size])
        position = start + size
        if position >= len(body):
            return b"".join(pieces)
    return b"".join([*pieces, body[position:]])


def _undo(coding: str, body: bytes, limit: int) -> tuple[bytes, str | None]:
    if coding not in _DECODERS:
        raise BodyError(f"content encoding {coding!r} is not one of {', '.join(sorted(_DECODERS))}")
    errors = []
    for decode in _DECODERS[coding]:
        pieces: list[bytes] = []
        size = 0
        try:
            for piece in decode(body):
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    return b"".join(pieces), "limit"
        except Exception as error:  # each codec has errors of its own
            errors.append(f"{type(error).__name__}: {error}")
            if size:
                return b"".join(pieces), "encoding"
            continue
        return b"".join(pieces), None
    if not body or _is_text(body):
        return body, None  # the crawler undid the coding and left the header
    raise BodyError(f"content encoding {coding!r} cannot be undone: {'; '.join(errors)}; body begins {body[:16]!r}")


def _is_text(body: bytes) -> bool:
    head = body[:512]
    return b"\0" not in head and sum(byte < 32 and byte not in b"\t\r\n\f\x1b" for byte in head) == 0


def _zlib(wbits: int) -> Callable[[bytes], Iterator[bytes]]:
    def decode(body: bytes) -> Iterator[bytes]:
        rest = body
        while rest:
            inflater = zlib.decompressobj(wbits)
            while rest and not inflater.eof:
                yield inflater.decompress(rest, _PIECE)
                rest = inflater.unconsumed_tail
            rest = inflater.unused_data
            if not rest.startswith(b"\x1f\x8b"):
                return  # padding after the last member

    return decode


def _brotli(body: bytes) -> Iterator[bytes]:
    import brotli

    decoder = brotli.Decompressor()
    yield decoder.process(body, output_buffer_limit=_PIECE)
    while not decoder.is_finished():
        piece = decoder.process(b"", output_buffer_limit=_PIECE)
        if not piece and decoder.can_accept_more_data():
            return
        yield piece


def _zstd(body: bytes) -> Iterator[bytes]:
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True)
    while piece := reader.read(_PIECE):
        yield piece


_GZIP = (_zlib(31),)
_DECODERS: dict[str, tuple[Callable[[bytes], Iterator[bytes]], ...]] = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    # RFC 9110 means zlib; some servers send raw deflate.
    "deflate": (_zlib(15), _zlib(-15)),
    "br": (_brotli,),
    "zstd": (_zstd,),
}
