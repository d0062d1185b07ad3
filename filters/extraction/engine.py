"""Main-content extraction behind one interface, with the work bounded before it starts.

An engine is a function from a parsed page and options to text. Bounds count what makes extractors slow:
characters, elements and nesting (libxml2 itself stops at 256 levels). What passes the bounds and is
still slow is the caller's to kill: see ``pipeline.sandbox``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lxml.html import HtmlElement

from filters.consent import page
from filters.extraction.html import language_hint, title

Engine = Callable[[HtmlElement, Mapping[str, Any]], str | None]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How large a page may be to be given to an engine.

    Attributes:
        max_chars: characters of markup.
        max_nodes: elements in the tree.
        max_depth: levels of nesting.
    """

    max_chars: int = 10_000_000
    max_nodes: int = 200_000
    max_depth: int = 256


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """What an engine made of a page, and what that says of its use; ``refused`` names the bound that kept it away."""

    text: str = ""
    title: str | None = None
    language_hint: str | None = None
    page_signals: tuple[str, ...] = ()
    refused: str | None = None


def _trafilatura(tree: HtmlElement, options: Mapping[str, Any]) -> str | None:
    import trafilatura  # heavy: 0.5 s

    # deduplicate=True would be state of the process: the text would depend on the pages before it.
    text: str | None = trafilatura.extract(tree, deduplicate=False, **options)
    return text


def _html2txt(tree: HtmlElement, options: Mapping[str, Any]) -> str | None:
    """All visible text: the baseline that removes no boilerplate."""
    import trafilatura

    return str(trafilatura.html2txt(tree))


ENGINES: dict[str, Engine] = {"trafilatura": _trafilatura, "html2txt": _html2txt}


def check_options(engine: str, options: Mapping[str, Any]) -> None:
    """Refuse an engine or options that do not exist.

    Args:
        engine: a name.
        options: keyword arguments of that engine.

    Raises:
        ValueError: says what is known.
    """
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; known: {', '.join(sorted(ENGINES))}")
    known: set[str] = set()
    if engine == "trafilatura":
        import trafilatura

        ours = {"filecontent", "deduplicate", "config", "options", "url", "record_id"}
        known = set(inspect.signature(trafilatura.extract).parameters) - ours
    unknown = sorted(set(options) - known)
    if unknown:
        raise ValueError(
            f"engine {engine!r} takes no option {unknown[0]!r}; known: {', '.join(sorted(known)) or 'none'}"
        )


def extract(html: str, *, engine: str, options: Mapping[str, Any], bounds: Bounds) -> Extracted:
    """Parse a page once, check its bounds and extract its main text.

    Args:
        html: the decoded page.
        engine: a name out of :data:`ENGINES`.
        options: keyword arguments of that engine.
        bounds: limits beyond which the engine is not called.

    Returns:
        The text (empty where the engine finds none), with characters that no Parquet file or model
        should meet (NUL, lone surrogates) replaced.
    """
    if len(html) > bounds.max_chars:
        return Extracted(refused="max_chars")
    from trafilatura.utils import load_html

    tree = load_html(html)
    if tree is None:
        return Extracted()
    if tree.xpath("count(//*)") > bounds.max_nodes:
        return Extracted(refused="max_nodes")
    if tree.xpath(f"boolean(/*{'/*' * bounds.max_depth})"):
        return Extracted(refused="max_depth")
    # Read first: engines may prune the tree.
    page_title, hint, says = title(tree), language_hint(tree), page.read(tree)
    text = ENGINES[engine](tree, options) or ""
    return Extracted(
        text=clean(text),
        title=clean(page_title) if page_title else None,
        language_hint=hint,
        page_signals=tuple(map(clean, says.lines())),
    )


def clean(text: str) -> str:
    """Make a text storable as UTF-8.

    Args:
        text: any string.

    Returns:
        The text without NUL and with lone surrogates replaced by U+FFFD.
    """
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
