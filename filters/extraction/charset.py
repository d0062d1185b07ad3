"""Which character set a page is really in.

Pages declare nothing, or lie. Evidence is asked in the order in which it can be wrong:

1. a byte order mark;
2. ISO-2022-JP's escape sequences in otherwise pure ASCII;
3. valid UTF-8 beyond ASCII: other encodings almost never form it by chance;
4. a declared multi-byte encoding (HTTP header, then ``<meta>``) whose strict rules the bytes keep;
5. a declared single-byte encoding: it fits any bytes, so the detector (uchardet, by ``faust-cchardet``)
   may overrule it where it finds another script;
6. the detector; then windows-1252, which is what browsers assume in the West.

Labels mean what the WHATWG Encoding Standard says (``iso-8859-1`` is windows-1252, ``gb2312`` is GB 18030).
Measured beside chardet 7.7, charset-normalizer and resiliparse in docs/NOTEBOOK.md.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import cchardet
import webencodings

# WHATWG names that Python's codecs call otherwise.
_PYTHON_NAME = {
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "windows-874": "cp874",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "gbk": "gb18030",
    "iso-8859-8-i": "iso-8859-8",
}
# What uchardet may answer and the web does use, by the label whose decoder is its superset. Its other
# answers (Mac Central Europe, VISCII, Georgian Academy, DOS code pages) are misfires on short Latin text.
_DETECTABLE = {
    "uhc": "euc-kr",
    "iso-8859-13": "windows-1257",
    "iso-8859-9": "windows-1254",
    "iso-8859-11": "windows-874",
    "tis-620": "windows-874",
    "iso-8859-1": "windows-1252",
    "iso-8859-15": "iso-8859-15",
    "gb18030": "gb18030",
    "big5": "big5",
    "euc-jp": "euc-jp",
    "euc-kr": "euc-kr",
    "shift_jis": "shift_jis",
    "koi8-r": "koi8-r",
    "iso-8859-2": "iso-8859-2",
    "iso-8859-5": "iso-8859-5",
    "iso-8859-6": "iso-8859-6",
    "iso-8859-7": "iso-8859-7",
    "iso-8859-8": "iso-8859-8",
    **{f"windows-125{n}": f"windows-125{n}" for n in range(9)},
}
_MULTI_BYTE = {"gb18030", "gbk", "big5", "euc-jp", "euc-kr", "shift_jis"}
_LATIN_1_KIN = {"windows-1252", "iso-8859-15", "macintosh"}
_LATIN = {"windows-1250", "windows-1254", "windows-1257", "windows-1258", "iso-8859-2"} | _LATIN_1_KIN
# Claims made without thought: the default of old servers and editors.
_THOUGHTLESS = {"iso-8859-1", "iso8859-1", "latin1", "us-ascii", "ascii"}

_META = re.compile(rb"<meta\b[^>]{0,500}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]{2,40})", re.IGNORECASE)
_PARAMETER = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]+)", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml\b[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.\-]{2,40})", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ISO_2022_JP = re.compile(rb"\x1b(?:\$[@B]|\([BJI])")
_NON_ASCII = re.compile(rb"[\x80-\xff]")
_HIGH = bytes(range(0x80, 0x100))
# Where the single-byte encodings keep letters; below stand quotation marks, dashes, signs of currency.
_HIGH_LETTERS = bytes(range(0xC0, 0x100))

META_PRESCAN = 8192  # bytes; the standard says 1024, but real pages put scripts first
DETECT_BYTES = 200_000
# A page is UTF-8 with flaws (a truncated tail, a comment pasted from elsewhere) when at most this share
# of its non-ASCII sequences is broken.
MAX_BROKEN_UTF8 = 0.1
# A declared multi-byte encoding is believed while at most this share of bytes beyond ASCII breaks its rules.
MAX_BROKEN_LEGACY = 0.02
# Below this confidence the detector does not overrule what a page declares.
OVERRULE_CONFIDENCE = 0.7
# With fewer letters beyond ASCII than this (an English page with some quotation marks and a fraction) the
# detector guesses among single-byte encodings at random: windows-1252 is the better bet.
MIN_HIGH_LETTERS = 24


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded page: its text, the encoding (WHATWG name) and what told us so."""

    text: str
    encoding: str
    evidence: str


def decode(body: bytes, http_charset: str | None = None) -> Decoded:
    """Decode the bytes of a page.

    Args:
        body: the page after its content encoding was undone.
        http_charset: the ``charset`` parameter of its Content-Type header, if any.

    Returns:
        The text, with U+FFFD where bytes make no sense, and how it was decided; ``evidence`` is one of
        ``bom``, ``utf-8``, ``iso-2022-jp``, ``http``, ``meta``, ``detected``, ``default``.
    """
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return Decoded(body[len(bom) :].decode(encoding, "replace"), encoding, "bom")
    sample = _NON_ASCII.search(body)
    if sample is None:
        if _ISO_2022_JP.search(body):
            return Decoded(body.decode("iso2022_jp", "replace"), "iso-2022-jp", "iso-2022-jp")
        return Decoded(body.decode("ascii"), "utf-8", "utf-8")
    text = _as_utf8(body)
    if text is not None:
        return Decoded(text, "utf-8", "utf-8")
    encoding, evidence = _legacy(body, http_charset)
    return Decoded(_decode_as(body, encoding), encoding, evidence)


def declared_in_header(content_type: str | None) -> str | None:
    """The ``charset`` parameter of a Content-Type header, as written, or None.

    Args:
        content_type: the header's value.

    Returns:
        The label.
    """
    found = _PARAMETER.search(content_type or "")
    return found.group(1) if found else None


def declared_in_page(body: bytes) -> str | None:
    """The label in the page's own ``<meta>`` or XML declaration, as written, or None.

    Args:
        body: the page; its first 8 KiB are read.

    Returns:
        The label.
    """
    head = body[:META_PRESCAN]
    found = _XML.search(head) or _META.search(head)
    return found.group(1).decode("ascii") if found else None


def _as_utf8(body: bytes) -> str | None:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd") - body.count(b"\xef\xbf\xbd")
    good = len(text) - len(text.encode("ascii", "ignore")) - broken
    return text if broken <= MAX_BROKEN_UTF8 * good else None


def _legacy(body: bytes, http_charset: str | None) -> tuple[str, str]:
    claims = [(label, _canonical(label)) for label in (http_charset, declared_in_page(body))]
    declared = [
        (encoding, evidence, (label or "").lower())
        for (label, encoding), evidence in zip(claims, ("http", "meta"), strict=True)
        if encoding is not None and encoding not in ("utf-8", "utf-16le", "utf-16be", "iso-2022-jp")
    ]
    for encoding, evidence, _ in declared:
        if encoding in _MULTI_BYTE and _fits(body, encoding):
            return encoding, evidence
    detected, confidence = _detect(body)
    for encoding, evidence, label in declared:
        if encoding not in _MULTI_BYTE:
            if detected is not None and _overrules(body, detected, confidence, encoding, label):
                return detected, "detected"
            return encoding, evidence
    if detected is not None:
        return detected, "detected"
    return declared[0][:2] if declared else ("windows-1252", "default")


def _overrules(body: bytes, detected: str, confidence: float, declared: str, label: str) -> bool:
    if detected == declared or {detected, declared} <= _LATIN_1_KIN:
        return False
    if detected in _MULTI_BYTE:
        return _fits(body, detected)
    if confidence < OVERRULE_CONFIDENCE or declared not in _LATIN_1_KIN:
        return False
    return detected not in _LATIN or label in _THOUGHTLESS


def _detect(body: bytes) -> tuple[str | None, float]:
    start = max(0, _NON_ASCII.search(body).start() - 1000)  # type: ignore[union-attr]  # caller found one
    answer = cchardet.detect(body[start : start + DETECT_BYTES])
    encoding = _DETECTABLE.get((answer["encoding"] or "").lower())
    if encoding not in _MULTI_BYTE and _count(body, _HIGH_LETTERS) < MIN_HIGH_LETTERS:
        return None, 0.0
    return encoding, float(answer["confidence"] or 0.0)


def _canonical(label: str | None) -> str | None:
    found = webencodings.lookup(label) if label else None
    return found.name if found else None


def _codec(encoding: str) -> str:
    return _PYTHON_NAME.get(encoding, encoding)


def _fits(body: bytes, encoding: str) -> bool:
    text = body.decode(_codec(encoding), "replace")
    return text.count("\ufffd") <= MAX_BROKEN_LEGACY * _count(body, _HIGH)


def _count(body: bytes, which: bytes) -> int:
    return len(body) - len(body.translate(None, which))


def _decode_as(body: bytes, encoding: str) -> str:
    if encoding == "windows-1252":
        return str(webencodings.decode(body, "windows-1252", "replace")[0])
    return body.decode(_codec(encoding), "replace")
