"""Puts the views together into one HTML file that needs no network and trusts nothing that was crawled.

Every view is a module with a title, a template and ``data(manifest, samples)``. Crawled text reaches the
page through autoescape only, under a content security policy that allows the page's own style and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from pipeline.report.views import consent, failures, funnel, languages, provenance, reasons, samples

VIEWS = (funnel, reasons, consent, languages, samples, failures, provenance)
_TEMPLATES = Path(__file__).parent / "templates"

# Reports never hold what identifies a person. Until spans of personal data are known, anything that looks
# like an address or a long number is covered in excerpts.
_ADDRESS = re.compile(r"[^\s@<>\"']{1,64}@[^\s@<>\"']{1,255}")
_NUMBER = re.compile(r"\d(?:[\d .\-()/]{2,40})\d")


def mask(text: str) -> str:
    """Cover what may be personal data in an excerpt.

    Args:
        text: an excerpt of a document.

    Returns:
        The text with e-mail addresses and numbers of four digits and more covered.
    """
    return _NUMBER.sub(_cover, _ADDRESS.sub("▇▇▇@▇▇▇", text))


def _cover(match: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in match.group())
    return match.group() if digits < 4 else re.sub(r"\d", "▇", match.group())


def masked(taken: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sampled documents as they may be shown.

    Args:
        taken: samples with ``text`` and ``url``.

    Returns:
        The same with both masked.
    """
    return [{**sample, "text": mask(sample["text"]), "url": mask(sample["url"] or "")} for sample in taken]


def render(manifest: Mapping[str, Any], taken: Sequence[Mapping[str, Any]]) -> bytes:
    """Make the page.

    Args:
        manifest: the run's manifest.
        taken: masked samples of removed documents.

    Returns:
        HTML in UTF-8.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["number"] = lambda value: f"{value:,}".replace(",", "\u202f")
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    style = (_TEMPLATES / "style.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    sections = [
        {
            "id": view.__name__.rsplit(".", 1)[1],
            "title": view.TITLE,
            "html": environment.get_template(f"{view.__name__.rsplit('.', 1)[1]}.html").render(
                view.data(manifest, taken)
            ),
        }
        for view in VIEWS
    ]
    page = environment.get_template("page.html").render(
        manifest=manifest, style=style, style_digest=digest, sections=sections
    )
    return page.encode()
