from __future__ import annotations

import contextlib
import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.io import http

BODY = ("<html><body>" + "Água mole em pedra dura. " * 200 + "</body></html>").encode()


def response(body: bytes, *headers: tuple[str, str]) -> http.Response:
    return http.Response(200, list(headers), body)


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("identity", lambda data: data),
        ("gzip", lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:])),
    ],
)
def test_every_coding_is_undone(coding: str, encode: object) -> None:
    assert http.decoded_body(response(encode(BODY), ("content-encoding", coding)), 1 << 20) == (BODY, None)  # type: ignore[operator]


def test_codings_are_undone_in_reverse_order_below_chunks() -> None:
    body = brotli.compress(gzip.compress(BODY))
    chunked = b"".join(
        b"%x\r\n%s\r\n" % (len(body[at : at + 50]), body[at : at + 50]) for at in range(0, len(body), 50)
    )
    headers = (("content-encoding", "gzip, br"), ("transfer-encoding", "chunked"))
    assert http.decoded_body(response(chunked + b"0\r\n\r\n", *headers), 1 << 20) == (BODY, None)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd"])
def test_a_header_that_lies_leaves_text_as_it_is(coding: str) -> None:
    assert http.decoded_body(response(BODY, ("content-encoding", coding)), 1 << 20) == (BODY, None)


def test_a_torn_body_keeps_its_beginning() -> None:
    import random

    noise = random.Random(1).randbytes(200_000).hex().encode()
    body, flaw = http.decoded_body(response(gzip.compress(noise)[:-5000], ("content-encoding", "gzip")), 1 << 20)
    assert noise.startswith(body)
    assert len(body) > 100_000
    assert flaw in (None, "encoding")


def test_nonsense_is_refused_with_what_was_tried() -> None:
    with pytest.raises(http.BodyError, match="gzip.*cannot be undone"):
        http.decoded_body(response(b"\x00\x01\x02", ("content-encoding", "gzip")), 100)
    with pytest.raises(http.BodyError, match="'quux' is not one of br, deflate"):
        http.decoded_body(response(BODY, ("content-encoding", "quux")), 100)


@pytest.mark.parametrize("encode", [gzip.compress, brotli.compress, zstandard.compress, zlib.compress])
def test_a_bomb_stops_at_the_limit(encode: object) -> None:
    name = {gzip.compress: "gzip", brotli.compress: "br", zstandard.compress: "zstd", zlib.compress: "deflate"}[encode]  # type: ignore[index]
    bomb = encode(bytes(50 << 20))  # type: ignore[operator]
    body, flaw = http.decoded_body(response(bomb, ("content-encoding", name)), 1 << 20)
    assert flaw == "limit"
    assert len(body) <= (1 << 20) + (1 << 17)


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;ext=1\r\nhello\r\n3\r\n ok\r\n0\r\nTrailer: x\r\n\r\n", b"hello ok"),
        (b"not chunked", b"not chunked"),
        (b"ff\r\nshort", b"short"),
        (b"5\r\nhello\r\nZZ\r\nrest", b"hello\r\nZZ\r\nrest"),
        (b"", b""),
    ],
)
def test_chunks(body: bytes, plain: bytes) -> None:
    assert http.unchunk(body) == plain


def test_headers_and_status() -> None:
    parsed = http.parse(b"HTTP/1.1 404 Not Found\r\nX-Robots-Tag: noai\r\nx-robots-tag: noindex\r\n\r\nbody")
    assert parsed is not None
    assert (parsed.status, parsed.get("x-robots-tag"), parsed.body) == (404, "noai", b"body")
    assert [value for name, value in parsed.headers if name == "x-robots-tag"] == ["noai", "noindex"]


@pytest.mark.parametrize("block", [b"", b"<html>", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1", b"200 OK\r\n"])
def test_what_is_no_response(block: bytes) -> None:
    assert http.parse(block) is None


@pytest.mark.parametrize(("line", "status"), [(b"HTTP/1.0 200", 200), (b"HTTP/2 204 ", 204), (b"HTTPX/1.1 301 M", 301)])
def test_odd_status_lines(line: bytes, status: int) -> None:
    parsed = http.parse(line + b"\r\nA: b\r\n\r\n")
    assert parsed is not None
    assert parsed.status == status


@given(body=st.binary(max_size=500), coding=st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br", "chunky"]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_body_or_a_body_error(body: bytes, coding: str) -> None:
    with contextlib.suppress(http.BodyError):
        http.decoded_body(response(body, ("content-encoding", coding), ("transfer-encoding", "chunked")), 1000)
