"""URLs as keys: two addresses of one page get one normal form, two pages never do.

Normalisation by syntax and scheme follows RFC 3986 §6.2.2 and §6.2.3 (case, percent-encoding, dot segments,
ports), hosts follow UTS 46 and IDNA 2008. Beyond that the key leaves out what names no page: the fragment,
tracking and session parameters, the order of parameters, ``www.``, the difference between ``http`` and
``https``, and a slash at the end. So a normal form is for comparing; the URL itself is kept beside it.

The result is a fixed point: normalising it again changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import idna
import yaml

_PARAMETERS = Path(__file__).parent / "data" / "url_parameters.yaml"

# RFC 3986 appendix B.
_PARTS = re.compile(r"^(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$", re.DOTALL)
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Everything that RFC 3986 does not allow raw in a path or query, and [ ] which it allows in hosts only.
_UNSAFE = re.compile(r"[^A-Za-z0-9\-._~%!$&'()*+,;=:@/?]")
_PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid)=[^/;]*", re.IGNORECASE)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HOST = re.compile(r"[a-z0-9._~\-]+")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# Characters that differ only by form are one; a line break inside an address is a typesetter's.
_BLANKS = "".join(map(chr, range(33)))


def normalise(url: str) -> str:
    """The normal form of a URL.

    Args:
        url: an absolute ``http`` or ``https`` URL, or IRI.

    Returns:
        The key, always ``https://``.

    Raises:
        ValueError: it is no such URL; says what is wrong.
    """
    scheme, authority, path, query, fragment = _split(url)
    host, port = _authority(authority, scheme)
    key = f"https://{host}{port}{_path(path)}"
    kept = _query(query)
    if kept:
        key += f"?{kept}"
    # Hash-bang routes name pages (Google's AJAX crawling scheme, retired but alive).
    return f"{key}#{_encode(fragment)}" if fragment.startswith("!") else key


def origin(url: str) -> str:
    """Scheme, host and port of a URL: what robots.txt and its kin speak of.

    Args:
        url: any string.

    Returns:
        For example ``https://example.org``, without a default port; empty for what is no http or https URL.
    """
    try:
        scheme, authority, *_ = _split(url)
        place = authority.rpartition("@")[2].lower()
        host, colon, port = place.rpartition(":") if re.search(r":\d*$", place) else (place, "", "")
        host = host if host.startswith("[") else _to_ascii(unquote(host)).rstrip(".")
    except ValueError:
        return ""
    named = colon and port and port.lstrip("0") != _DEFAULT_PORTS[scheme]
    return f"{scheme}://{host}{':' + port if named else ''}"


def _split(url: str) -> tuple[str, str, str, str, str]:
    match = _PARTS.match(url.strip(_BLANKS))
    scheme = ((match and match.group(1)) or "").lower()
    if match is None or scheme not in _DEFAULT_PORTS or not match.group(2):
        raise ValueError(f"expected an absolute http or https URL, found {url[:100]!r}")
    return scheme, match.group(2), match.group(3) or "", match.group(4) or "", match.group(5) or ""


def _authority(authority: str, scheme: str) -> tuple[str, str]:
    # Names and passwords in an address are nobody's business.
    place = authority.rpartition("@")[2]
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?", place)
    if match is None or not match.group(1):
        raise ValueError(f"expected a host and perhaps a port, found {place[:100]!r}")
    host = _host(match.group(1))
    port = (match.group(2) or "").lstrip("0")
    return host, f":{port}" if port and port != _DEFAULT_PORTS[scheme] else ""


def _host(raw: str) -> str:
    if raw.startswith("["):
        return f"[{ipaddress.IPv6Address(raw.strip('[]').partition('%')[0]).compressed}]"
    host = _to_ascii(unquote(raw.lower())).rstrip(".").lower()
    if not _HOST.fullmatch(host):
        raise ValueError(f"expected a host, found {raw[:100]!r}")
    while host.startswith("www.") and "." in host[4:]:
        host = host[4:]
    return host


def _to_ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        pass
    try:
        return host.encode("idna").decode("ascii")  # IDNA 2003 also takes symbols, which browsers still do
    except UnicodeError as error:
        raise ValueError(f"expected a host, found {host[:100]!r}: {error}") from error


def _path(raw: str) -> str:
    path = _PATH_SESSION.sub("", _encode(raw))
    kept: list[str] = []
    segments = path.split("/")[1:] if path.startswith("/") else path.split("/")
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept).rstrip("/") if any(kept) else "/"


def _query(raw: str) -> str:
    kept = []
    for pair in _encode(raw).split("&"):
        name, _, value = pair.partition("=")
        if pair.strip("=") and not _says_nothing(name.lower(), value):
            # "b=" and "b" are the same to every server framework we know.
            kept.append(f"{name}={value}" if value else name)
    return "&".join(sorted(kept))


def _says_nothing(name: str, value: str) -> bool:
    names, endings, sessions = _parameters()
    if name in names or name.startswith(endings):
        return True
    return any(
        (name.startswith(known[:-1]) if known.endswith("*") else name == known) and len(value) >= least
        for known, least in sessions
    )


@cache
def _parameters() -> tuple[frozenset[str], tuple[str, ...], tuple[tuple[str, int], ...]]:
    values: dict[str, Any] = yaml.safe_load(_PARAMETERS.read_text("utf-8"))
    tracking = values["tracking"]["names"]
    return (
        frozenset(name for name in tracking if not name.endswith("*")),
        tuple(name[:-1] for name in tracking if name.endswith("*")),
        tuple((entry["name"], entry["least"]) for entry in values["session"]["names"]),
    )


def _encode(text: str) -> str:
    """Percent-encode what must be, decode what need not be, write hexadecimal digits in upper case."""
    text = _BARE_PERCENT.sub("%25", text)
    text = _PERCENT.sub(_plain_or_upper, text)
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode("utf-8", "replace")), text)


def _plain_or_upper(found: re.Match[str]) -> str:
    character = chr(int(found.group(1), 16))
    return character if character in _UNRESERVED else found.group().upper()
