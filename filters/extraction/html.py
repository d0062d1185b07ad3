"""What a page says of itself before extraction: its kind by its first bytes, its title, its language."""

from __future__ import annotations

import re

from lxml.html import HtmlElement

SNIFF_BYTES = 1024

# Leading bytes of what is served as text/html by mistake (a small part of the WHATWG MIME Sniffing Standard).
_BINARY = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"Rar!\x1a", "application/x-rar-compressed"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"OggS", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xd0\xcf\x11\xe0", "application/x-ole-storage"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"CWS", "application/x-shockwave-flash"),
)
_HTML_START = re.compile(
    # Atomic: a hundred comments must not be cut in every possible way.
    rb"(?:\xef\xbb\xbf)?(?>\s*<!--.*?-->)*+\s*<(?:!doctype\s+html|html|head|body|title|meta|script|style|table|div|h1|p|a|br)\b",
    re.IGNORECASE | re.DOTALL,
)
_XHTML = re.compile(rb"^\s*<\?xml\b.{0,700}?<html\b", re.IGNORECASE | re.DOTALL)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LANGUAGE_TAG = re.compile(r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*$")


def sniff(body: bytes) -> str | None:
    """The media type that the first bytes show.

    Args:
        body: the page; its first KiB is read.

    Returns:
        ``text/html``, a binary type, ``application/octet-stream`` for bytes that no text holds,
        or None where the bytes do not tell.
    """
    head = body[:SNIFF_BYTES]
    for magic, kind in _BINARY:
        if head.startswith(magic):
            return kind
    if _HTML_START.match(head) or _XHTML.match(head):
        return "text/html"
    if b"\x00" in head and not head.startswith(_UTF16):
        return "application/octet-stream"
    return None


def title(tree: HtmlElement) -> str | None:
    """The text of the first ``<title>``, white space folded.

    Args:
        tree: the parsed page.

    Returns:
        The title, or None where there is none or it is blank.
    """
    node = tree.find(".//title")
    text = " ".join(node.text_content().split()) if node is not None else ""
    return text or None


def language_hint(tree: HtmlElement) -> str | None:
    """The language that the page declares.

    Args:
        tree: the parsed page.

    Returns:
        The primary subtag of ``<html lang>`` in lower case (``pt`` for ``pt-BR``), or None.
    """
    declared = (tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or "").strip()
    if not _LANGUAGE_TAG.match(declared):
        return None
    return declared.replace("_", "-").split("-")[0].lower()
