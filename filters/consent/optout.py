"""Lists of what must not be used: addresses, beginnings of addresses, hosts, digests, ids.

One entry a line; ``#`` begins a comment. ``https://example.org/page`` is that page in whatever spelling,
``https://example.org/dir/*`` all that begins so, ``example.org`` a host and those below it, ``sha1:…`` the bytes of a
page (WARC-Payload-Digest), ``sha256:…`` its text in UTF-8, and 32 hexadecimal digits a document by its id.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from filters import urls
from filters.consent.statement import Says, Scope, Statement, shortened

_DIGEST = re.compile(r"(?:sha1:[A-Za-z2-7]{32}|sha256:[0-9a-fA-F]{64}|[0-9a-f]{32})\Z")
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+\Z")


class OptOutError(ValueError):
    """A list that cannot be read."""


@dataclass
class List:
    """What is listed, each with the line as it is written.

    Attributes:
        pages: addresses in normal form.
        starts: beginnings of addresses in normal form.
        hosts: in lower case.
        digests: digests and ids.
    """

    pages: dict[str, str] = field(default_factory=dict)
    starts: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def needs_text(self) -> bool:
        """Whether any entry is the digest of a text.

        Returns:
            False for most lists.
        """
        return any(digest.startswith("sha256:") for digest in self.digests)

    def find(self, url: str, digests: Sequence[str] = ()) -> str | None:
        """The entry that a document falls under.

        Args:
            url: its address.
            digests: digests of it, and its id.

        Returns:
            The entry, or None.
        """
        found = next((self.digests[digest] for digest in digests if digest in self.digests), None)
        if found or not (self.pages or self.starts or self.hosts):
            return found
        try:
            normal = urls.normalise(url)
        except ValueError:
            return None
        return self.pages.get(normal) or self._host(normal) or self._start(normal)

    def _host(self, normal: str) -> str | None:
        host = normal.removeprefix("https://").split("/")[0].split(":")[0]
        labels = host.split(".")
        names = (".".join(labels[at:]) for at in range(len(labels)))
        return next((self.hosts[name] for name in names if name in self.hosts), None)

    def _start(self, normal: str) -> str | None:
        return next((self.starts[normal[:size]] for size in self._lengths if normal[:size] in self.starts), None)

    @cached_property
    def _lengths(self) -> list[int]:
        """Lengths of beginnings, the longest first; asked once the list is whole."""
        return sorted({len(start) for start in self.starts}, reverse=True)


def parse(lines: Iterable[str], name: str) -> List:
    """Read a list.

    Args:
        lines: its lines.
        name: what it is called in errors.

    Returns:
        The list.

    Raises:
        OptOutError: a line is no entry.
    """
    found = List()
    for number, entry in _entries(lines):
        if _DIGEST.match(entry):
            kind, _, value = entry.rpartition(":")
            found.digests[f"sha1:{value.upper()}" if kind == "sha1" else entry.lower()] = entry
        elif "://" in entry:
            try:
                # The mark of a beginning is set apart before anything is put in order.
                normal = urls.normalise(entry.removesuffix("*"))
            except ValueError as error:
                raise OptOutError(f"{name}, line {number}: {error}") from error
            if entry.endswith("*"):
                slash = "/" if entry.endswith("/*") and not normal.endswith("/") else ""
                found.starts[normal + slash] = entry
            else:
                found.pages[normal] = entry
        elif _HOST.match(entry):
            found.hosts[entry.lower().removeprefix("www.")] = entry
        else:
            raise OptOutError(
                f"{name}, line {number}: expected a URL, a URL that ends in *, a host, sha1:, sha256: or an id, "
                f"found {entry[:100]!r}"
            )
    return found


def _entries(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        entry = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if entry:
            yield number, entry


@lru_cache(maxsize=8)
def load(paths: tuple[str, ...]) -> List:
    """Read lists from files.

    Args:
        paths: the files.

    Returns:
        All entries together.

    Raises:
        OptOutError: a file is missing, or a line no entry.
    """
    found = List()
    for path in paths:
        try:
            lines = Path(path).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise OptOutError(f"opt-out list {path}: {error}") from error
        one = parse(lines, path)
        for name in ("pages", "starts", "hosts", "digests"):
            getattr(found, name).update(getattr(one, name))
    return found


def text_digest(text: str) -> str:
    """The digest of a text, as lists write it.

    Args:
        text: the text.

    Returns:
        ``sha256:`` and 64 hexadecimal digits.
    """
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"


def statement(entry: str) -> Statement:
    """What a list says.

    Args:
        entry: the entry that a document falls under.

    Returns:
        A refusal of training.
    """
    return Statement(signal="opt-out", says=Says.DENY, value=shortened(entry), where="opt-out list", scope=Scope.TRAIN)
