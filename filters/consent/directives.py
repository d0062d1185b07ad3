"""``X-Robots-Tag`` and robots meta elements: noai and its kin (DeviantArt 2022; noml: noml.info 2023).

Values are lists of directives, of which some may be addressed to one agent (``X-Robots-Tag: otherbot: noindex, noai``):
an address holds until the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from filters.consent.robots import token
from filters.consent.statement import Says, Scope, Statement, shortened

# Directives that take a value after a colon and so look like an agent (developers.google.com, robots meta tag).
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
_ITEM = re.compile(r"[^,]+")


def header(values: Iterable[str], agents: Iterable[str]) -> Iterator[Statement]:
    """Read the values of ``X-Robots-Tag``.

    Args:
        values: one for each header line.
        agents: product tokens that count as ours.

    Yields:
        What they say to all, or to us.
    """
    ours = {token(agent) for agent in agents}
    for value in values:
        addressed = True
        said: list[str] = []
        for item in _ITEM.findall(value):
            name, colon, rest = item.partition(":")
            if colon and name.strip().lower() not in _VALUED:
                addressed = token(name) in ours
                item = rest
            if addressed:
                said += item.lower().split()
        yield from _statements("x-robots", said, value, "header")


def meta(elements: Iterable[tuple[str, str]], agents: Iterable[str]) -> Iterator[Statement]:
    """Read meta elements named ``robots``, or as one of our agents.

    Args:
        elements: names and contents.
        agents: product tokens that count as ours.

    Yields:
        What they say.
    """
    ours = {"robots", *(token(agent) for agent in agents)}
    for name, content in elements:
        if token(name) in ours:
            yield from _statements("meta", re.split(r"[,\s]+", content.lower()), content, "meta")


def _statements(family: str, directives: Iterable[str], value: str, where: str) -> Iterator[Statement]:
    found = set(directives)
    value = shortened(value)
    if "noai" in found:
        yield Statement(signal=f"{family}-noai", says=Says.DENY, value=value, where=where, images=True)
    if "noimageai" in found:
        yield Statement(signal=f"{family}-noimageai", value=value, where=where, images=True)
    if "noml" in found:
        yield Statement(signal=f"{family}-noml", says=Says.DENY, value=value, where=where)
    if found & {"noindex", "none"}:
        yield Statement(signal=f"{family}-noindex", value=value, where=where)
    if "noarchive" in found:
        # Bing (blog, 2023-09) reads it as a refusal of training.
        yield Statement(signal=f"{family}-noarchive", says=Says.DENY, value=value, where=where, scope=Scope.STRICT)
