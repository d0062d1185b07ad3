"""Licences by their addresses, as SPDX ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from filters.consent.page import PageSays

_CC = re.compile(
    r"creativecommons\.org/(?:licenses/(?P<kind>by(?:-(?:nc|nd|sa))*)|publicdomain/(?P<domain>zero|mark))"
    r"/(?P<version>\d\.\d)(?:/(?P<port>[a-z]{2,}))?(?![\w.-])",
)
_NO_PORTS = frozenset({"deed", "legalcode", "rdf"})
_ORDER = ("nc", "nd", "sa")
_DOMAINS = {"zero": "CC0", "mark": "CC-PDM"}
_START = re.compile(r"^(?:https?:)?//(?:www\.)?")


@dataclass(frozen=True)
class Licence:
    """A licence that a page names.

    Attributes:
        id: SPDX id; ports that are not on SPDX's list are written as it writes the others.
        scope: ``page``, ``figure`` or ``unknown``.
        url: its address, as the page writes it.
    """

    id: str
    scope: str
    url: str


def spdx(address: str) -> str | None:
    """The licence at an address.

    Args:
        address: of a licence or deed.

    Returns:
        Its SPDX id, or None where the address is that of no licence that is known.
    """
    plain = _START.sub("", address.strip().lower())
    match = _CC.match(plain)
    if match is None:
        return next((name for start, name in _others() if plain.startswith(start)), None)
    port = "" if match["port"] in (None, *_NO_PORTS) else f"-{match['port'].upper()}"
    if match["domain"]:
        return f"{_DOMAINS[match['domain']]}-{match['version']}"
    conditions = sorted(match["kind"].split("-")[1:], key=_ORDER.index)
    return "-".join(("CC-BY", *(one.upper() for one in conditions), match["version"])) + port


@cache
def _others() -> list[tuple[str, str]]:
    listed = yaml.safe_load((resources.files("filters.consent") / "licences.yaml").read_text())
    return sorted(listed.items(), key=lambda pair: -len(pair[0]))


def find(page: PageSays, links: Sequence[str] = ()) -> list[Licence]:
    """The licences that a page names, its own first, then those of unknown scope, then those of figures.

    Args:
        page: what it says.
        links: addresses with ``rel=license`` in its response's headers.

    Returns:
        Every licence that is known, once for each scope.
    """
    named = [("page", address) for address in links] + page.licences
    found: dict[tuple[str, str], Licence] = {}
    for scope, address in named:
        name = spdx(address)
        if name is not None:
            found.setdefault((name, scope), Licence(name, scope, address))
    return sorted(found.values(), key=lambda one: ("page", "unknown", "figure").index(one.scope))
