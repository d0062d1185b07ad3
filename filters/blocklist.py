"""Blocklists of addresses, in the forms in which the field shares them.

- **YAML** of our own: ``domains``, ``urls``, and RefinedWeb's three kinds of words (arXiv:2306.01116, appendix G):
  ``strict`` (a substring of the address), ``hard`` (a whole word), ``soft`` (two different whole words).
- **UT1** (Université Toulouse Capitole): a directory with files ``domains`` and ``urls``, one entry a line.
- **Adblock**: lines ``||domain^``; exceptions and rules on parts of pages say nothing of whole pages.
- **Plain**: one domain or address a line, ``#`` before comments.

A domain blocks its subdomains. An address blocks what begins with it, at a boundary of its path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from filters import urls

BUILTIN = Path(__file__).parent / "data" / "blocklist.yaml"

_WORD = re.compile(r"[a-z0-9]+")
_ADBLOCK_DOMAIN = re.compile(r"^\|\|([a-z0-9.\-]+)\^(?:\$(?:document|all|doc))?$", re.IGNORECASE)
_ADBLOCK_HEAD = re.compile(r"^\s*(?:\[adblock|!)", re.IGNORECASE)
_UT1_FILES = ("domains", "urls")
_KEYS = {"name", "licence", "source", "domains", "urls", "strict", "hard", "soft"}


@dataclass(frozen=True, kw_only=True)
class Blocklist:
    """Entries of one or several lists.

    Attributes:
        domains: hosts in normal form.
        urls: addresses in normal form, without scheme.
        strict: substrings.
        hard: words of which one blocks.
        soft: words of which two block.
    """

    domains: frozenset[str] = field(default_factory=frozenset)
    urls: frozenset[str] = field(default_factory=frozenset)
    strict: tuple[str, ...] = ()
    hard: frozenset[str] = field(default_factory=frozenset)
    soft: frozenset[str] = field(default_factory=frozenset)

    def reason(self, url: str) -> str | None:
        """Why an address is blocked.

        Args:
            url: the address; one that is no web address is never blocked.

        Returns:
            The entry that blocks it, for example ``domain example.com``, or None.
        """
        try:
            address = urls.normalise(url).removeprefix("https://")
        except ValueError:
            return None
        host = re.split(r"[:/?#]", address, maxsplit=1)[0]
        labels = host.split(".")
        for start in range(len(labels)):
            domain = ".".join(labels[start:])
            if domain in self.domains:
                return f"domain {domain}"
        if self.urls:
            for end in [match.start() for match in re.finditer(r"[/?#]", address)] + [len(address)]:
                if address[:end] in self.urls:
                    return f"url {address[:end]}"
        lowered = address.lower()
        found = next((part for part in self.strict if part in lowered), None)
        if found:
            return f"strict {found}"
        words = set(_WORD.findall(lowered))
        one = sorted(words & self.hard)
        two = sorted(words & self.soft)
        return f"hard {one[0]}" if one else f"soft {two[0]} {two[1]}" if len(two) > 1 else None

    def __or__(self, other: Blocklist) -> Blocklist:
        return Blocklist(
            domains=self.domains | other.domains,
            urls=self.urls | other.urls,
            strict=tuple(dict.fromkeys(self.strict + other.strict)),
            hard=self.hard | other.hard,
            soft=self.soft | other.soft,
        )


@cache
def load(names: tuple[str, ...]) -> Blocklist:
    """Read lists and join them.

    Args:
        names: ``builtin``, or paths of files and UT1 directories.

    Returns:
        One list.

    Raises:
        ValueError: a file is missing or of no form we know; says which, and where in it.
    """
    joined = Blocklist()
    for name in names:
        joined |= _load_one(BUILTIN if name == "builtin" else Path(name))
    return joined


def digests(names: Iterable[str]) -> dict[str, str]:
    """What lists hold, so that a changed list is noticed.

    Args:
        names: as for :func:`load`.

    Returns:
        SHA-256 by name; for a UT1 directory over its two files.
    """
    found = {}
    for name in names:
        path = BUILTIN if name == "builtin" else Path(name)
        files = [path / part for part in _UT1_FILES if (path / part).is_file()] if path.is_dir() else [path]
        found[name] = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return found


def _load_one(path: Path) -> Blocklist:
    try:
        if path.is_dir():
            found = [path / part for part in _UT1_FILES if (path / part).is_file()]
            if not found:
                raise ValueError(f"blocklist {path}: expected files named domains or urls, as UT1 has them")
            lines = [line for part in found for line in part.read_text("utf-8").splitlines()]
            return _from_lines(path, lines)
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"blocklist {path}: cannot be read: {error}") from error
    if path.suffix in (".yaml", ".yml"):
        return _from_yaml(path, text)
    if _ADBLOCK_HEAD.match(text):
        matches = (_ADBLOCK_DOMAIN.match(line.strip()) for line in text.splitlines())
        return Blocklist(domains=frozenset(match.group(1).lower().removeprefix("www.") for match in matches if match))
    return _from_lines(path, text.splitlines())


def _from_yaml(path: Path, text: str) -> Blocklist:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"blocklist {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or not set(values) <= _KEYS:
        unknown = sorted(set(values) - _KEYS) if isinstance(values, dict) else type(values).__name__
        raise ValueError(f"blocklist {path}: expected keys {sorted(_KEYS)}, found {unknown}")
    named = _from_lines(path, [*values.get("domains", []), *values.get("urls", [])])
    words = {key: [str(word).lower() for word in values.get(key, [])] for key in ("strict", "hard", "soft")}
    return named | Blocklist(
        strict=tuple(words["strict"]), hard=frozenset(words["hard"]), soft=frozenset(words["soft"])
    )


def _from_lines(path: Path, lines: Iterable[str]) -> Blocklist:
    domains, addresses = set(), set()
    for number, raw in enumerate(lines, start=1):
        entry = raw.partition("#")[0].strip()
        if not entry:
            continue
        try:
            address = urls.normalise(entry if "://" in entry else f"https://{entry}").removeprefix("https://")
        except ValueError as error:
            raise ValueError(f"blocklist {path} line {number}: {error}") from error
        host, slash, rest = address.partition("/")
        if slash and rest:
            addresses.add(address)
        else:
            domains.add(host)
    return Blocklist(domains=frozenset(domains), urls=frozenset(addresses))
