"""What a page says of its own use: meta elements, links, licences, and where it has its canonical address.

Everything is taken down as lines (``meta robots: noai``), so that it can be stored beside the page and read again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree
from lxml.html import HtmlElement, HTMLParser

# Lines of one page, and characters of one: a page of nothing but licences is none.
MOST_LINES, MOST_CHARS = 100, 500
_LICENCE_NAMES = frozenset({"dcterms.license", "dcterms.rights", "dc.rights", "dc.rights.license", "license"})
_META = frozenset({"robots", "tdm-reservation", "tdm-policy"})
_DIRECTIVES = frozenset({"noai", "noimageai", "noml", "noindex", "none", "noarchive"})
_IMAGES = frozenset({"imageobject", "photograph", "videoobject", "audioobject", "mediaobject"})
_RDFA = frozenset({"cc:license", "dct:license", "dcterms:license", "license"})
_CC = "creativecommons.org/"


@dataclass
class PageSays:
    """What was taken down.

    Attributes:
        meta: names and contents of meta elements.
        licences: scope (``page``, ``figure``, ``unknown``) and address of each licence.
        rsl: addresses of RSL licences.
        canonical: the address that the page gives as its own.
    """

    meta: list[tuple[str, str]] = field(default_factory=list)
    licences: list[tuple[str, str]] = field(default_factory=list)
    rsl: list[str] = field(default_factory=list)
    canonical: str | None = None

    def lines(self) -> list[str]:
        """As it is stored.

        Returns:
            One line each.
        """
        found = [f"meta {name}: {content}" for name, content in self.meta]
        found += [f"licence {scope}: {address}" for scope, address in self.licences]
        found += [f"rsl: {address}" for address in self.rsl]
        found += [f"canonical: {self.canonical}"] if self.canonical else []
        return [line[:MOST_CHARS] for line in found[:MOST_LINES]]

    @classmethod
    def of_lines(cls, lines: Iterable[str]) -> PageSays:
        """What was stored.

        Args:
            lines: as :meth:`lines` gives them.

        Returns:
            The same.
        """
        page = cls()
        for line in lines:
            name, _, value = line.partition(": ")
            kind, _, rest = name.partition(" ")
            if kind == "meta":
                page.meta.append((rest, value))
            elif kind == "licence":
                page.licences.append((rest, value))
            elif kind == "rsl":
                page.rsl.append(value)
            elif kind == "canonical":
                page.canonical = value
        return page


def parse(html: str) -> PageSays:
    """Read a page that nobody has parsed yet.

    Args:
        html: its markup.

    Returns:
        What it says.
    """
    data = html.encode("utf-8", "replace")
    try:
        tree = etree.fromstring(data, HTMLParser(encoding="utf-8")) if data.strip() else None
    except etree.ParserError:
        tree = None
    return PageSays() if tree is None else read(tree)


def read(tree: HtmlElement) -> PageSays:
    """Read a parsed page.

    Args:
        tree: the page.

    Returns:
        What it says.
    """
    page = PageSays()
    for element in tree.iter("meta", "link", "a", "area", "script", "span", "div", "p"):
        if element.tag == "meta":
            _meta(element, page)
        elif element.tag == "script":
            if (element.get("type") or "").strip().lower() == "application/ld+json":
                page.licences += _json_ld(element.text or "")
        elif element.tag in ("link", "a", "area"):
            _link(element, page)
        _itemprop(element, page)
    return page


def _meta(element: HtmlElement, page: PageSays) -> None:
    name = (element.get("name") or element.get("property") or "").strip().lower()
    content = " ".join((element.get("content") or "").split())
    # Agents are addressed by their names, and which is ours is asked later.
    if name in _META or _DIRECTIVES & set(re.split(r"[,\s]+", content.lower())):
        page.meta.append((name, content))
    elif name in _LICENCE_NAMES and content:
        page.licences.append(("page", content))


def _link(element: HtmlElement, page: PageSays) -> None:
    address = (element.get("href") or "").strip()
    relations = (element.get("rel") or "").lower().split()
    if not address:
        return
    if "license" in relations:
        if (element.get("type") or "").strip().lower() == "application/rsl+xml":
            page.rsl.append(address)
        else:
            page.licences.append(("figure" if _in_figure(element) else "page", address))
    elif _RDFA & set((element.get("property") or "").lower().split()):
        page.licences.append(("page", address))
    elif _CC in address.lower() and element.get("itemprop") is None:
        page.licences.append(("figure" if _in_figure(element) else "unknown", address))
    if element.tag == "link" and "canonical" in relations:
        page.canonical = page.canonical or address


def _itemprop(element: HtmlElement, page: PageSays) -> None:
    """Microdata of schema.org."""
    if "license" not in (element.get("itemprop") or "").lower().split() or "license" in (element.get("rel") or ""):
        return
    address = (element.get("href") or element.get("content") or element.text or "").strip()
    owner = next((one for one in element.iterancestors() if one.get("itemscope") is not None), None)
    kind = "" if owner is None else (owner.get("itemtype") or "").rstrip("/").rpartition("/")[2].lower()
    if address:
        page.licences.append(("figure" if kind in _IMAGES or _in_figure(element) else "page", address))


def _in_figure(element: HtmlElement) -> bool:
    return any(one.tag in ("figure", "figcaption") for one in element.iterancestors())


def _json_ld(text: str) -> list[tuple[str, str]]:
    try:
        return list(_licences_of(json.loads(text), "page", 0))
    except (ValueError, RecursionError):
        return []


def _licences_of(value: Any, scope: str, depth: int) -> Iterator[tuple[str, str]]:
    """Licences of an object and of those inside it; what is inside an image, or part of the page, is a figure's."""
    if depth > 16:
        return
    if isinstance(value, list):
        for one in value:
            yield from _licences_of(one, scope, depth + 1)
    elif isinstance(value, dict):
        kinds = value.get("@type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if any(isinstance(kind, str) and kind.rpartition("/")[2].lower() in _IMAGES for kind in kinds):
            scope = "figure"
        for key, inner in value.items():
            if key.rpartition("/")[2] == "license":
                yield from ((scope, address) for address in _addresses(inner))
            else:
                yield from _licences_of(inner, scope if key in ("@graph", "mainEntity") else _inner(scope), depth + 1)


def _inner(scope: str) -> str:
    """The scope of what an object names: an author's or a source's licence is not the page's."""
    return "figure" if scope == "figure" else "unknown"


def _addresses(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one.strip()
        elif isinstance(one, dict):
            yield from (one[key].strip() for key in ("@id", "url") if isinstance(one.get(key), str))
