"""Path patterns of robots.txt and its kin: octets, ``*`` for any run, ``$`` for the end (RFC 9309 §2.2.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# What normalising leaves as it is, which is nearly every path: no escape, no wildcard, nothing beyond ASCII.
_NORMAL = re.compile(r"[!#&-)+-~\"]*")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})|([^\x21-\x7e]+)|([*$])")
_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^#]*)")
_NORMAL_TARGET = re.compile(r"https?://[^/?#]*+(/[!&-)+-~\"]*+)\Z")


def target(url: str) -> str:
    """What of a URL patterns are compared with: path and query, normalised, so that two spellings are one.

    Args:
        url: an absolute URL, or a path.

    Returns:
        ``/`` and what follows; escapes of unreserved characters are undone, all others written out in capitals.
    """
    match = _NORMAL_TARGET.match(url)
    if match:
        return match.group(1)
    match = _TARGET.match(url)
    path = match.group(1) if match else url.split("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    return path if _NORMAL.fullmatch(path) else _escape(path, wildcards=False)


def _escape(path: str, *, wildcards: bool) -> str:
    def one(match: re.Match[str]) -> str:
        escape, foreign, wildcard = match.groups()
        if escape:
            char = chr(int(escape, 16))
            return char if char in _UNRESERVED else f"%{escape.upper()}"
        if wildcard:
            return str(wildcard) if wildcards else f"%{ord(wildcard):02X}"
        # Octets that are no UTF-8 came in as surrogates and leave as they were.
        return "".join(f"%{octet:02X}" for octet in foreign.encode("utf-8", "surrogateescape"))

    return _ESCAPED.sub(one, path.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, cut at its wildcards.

    Attributes:
        text: normalised; its length is the pattern's priority.
        head: what the path begins with.
        middle: what stands between wildcards, in order.
        tail: what the path ends with after a wildcard; None where any end will do.
        whole: whether the head is the whole path.
    """

    text: str
    head: str
    middle: tuple[str, ...] = ()
    tail: str | None = None
    whole: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is nothing but the beginning of a path.

        Returns:
            True for most.
        """
        return not self.whole and "*" not in self.text

    def matches(self, path: str) -> bool:
        """Whether a path fits. Each part is taken where it first stands, so time is bounded and nothing is tried twice.

        Args:
            path: as :func:`target` gives it.

        Returns:
            The answer.
        """
        if not path.startswith(self.head):
            return False
        if self.whole:
            return path == self.head
        at = len(self.head)
        for part in self.middle:
            found = path.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return self.tail is None or (len(path) - len(self.tail) >= at and path.endswith(self.tail))


@lru_cache(maxsize=1 << 14)
def pattern(written: str) -> Pattern:
    """Read a pattern.

    Args:
        written: as it stands in a file.

    Returns:
        The pattern.
    """
    text = written if _NORMAL.fullmatch(written) else _escape(written, wildcards=True)
    ends = text.endswith("$")
    # Anywhere but at the end, $ is a character like others.
    head, *others = (part.replace("$", "%24") for part in (text[:-1] if ends else text).split("*"))
    tail = others.pop() if ends and others else None
    return Pattern(text, head, tuple(filter(None, others)), tail, whole=ends and tail is None)
