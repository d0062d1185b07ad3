"""Really Simple Licensing 1.0 (2025-12-10), read through a digest with clause numbers and not the full text.

Terms in hand decide; a licence that is only announced is recorded, and refuses under ``strict`` (§4.3: an asset
without a valid document is unlicensed).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from lxml import etree

from filters.consent.patterns import pattern, target
from filters.consent.robots import Said
from filters.consent.statement import Says, Scope, Statement, shortened

# How narrowly a term speaks of training; files before 1.0 say train-ai.
_NARROWNESS = {"all": 0, "ai-all": 1, "ai-train": 2, "train-ai": 2}
_FREE = frozenset({"free", "attribution"})
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:\"[^\"]*\"|[^\";,\s]+))*)")


def announced(
    own: Sequence[Said], other: Sequence[Said], links: Iterable[str], elements: Iterable[str]
) -> Iterator[Statement]:
    """Licences that are announced and not at hand.

    Args:
        own: lines of the group that applies; a licence there sets aside those outside (§4.4).
        other: lines outside groups.
        links: values of ``Link``.
        elements: addresses in link elements of type ``application/rsl+xml``.

    Yields:
        One statement for each.
    """
    in_group = [line for line in own if line.key == "license"]
    for line in in_group or [line for line in other if line.key == "license"]:
        yield _present(line.value, f"robots.txt line {line.number}")
    for value in links:
        for address, relations, kind in parse_links(value):
            if "license" in relations and kind == "application/rsl+xml":
                yield _present(address, "header")
    for address in elements:
        yield _present(address, "link")


def _present(address: str, where: str) -> Statement:
    return Statement(
        signal="rsl-present", says=Says.DENY, value=shortened(address), where=where, scope=Scope.STRICT
    )  # fmt: skip


def parse_links(value: str) -> Iterator[tuple[str, frozenset[str], str]]:
    """The links of a ``Link`` header (RFC 8288).

    Args:
        value: the header's.

    Yields:
        Address, relations and media type of each, in lower case but for the address.
    """
    for address, parameters in _LINK.findall(value):
        found: dict[str, str] = {}
        for parameter in re.findall(r"([\w*-]+)\s*=\s*(\"[^\"]*\"|[^\";,\s]+)", parameters):
            found.setdefault(parameter[0].lower(), parameter[1].strip('"').lower())
        yield address.strip(), frozenset(found.get("rel", "").split()), found.get("type", "")


def terms(document: str, url: str) -> Iterator[Statement]:
    """Read a licence that is at hand.

    Args:
        document: the XML.
        url: the page's.

    Yields:
        What it says of training the page, or what is wrong with it.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=False)
    try:
        root = etree.fromstring(document.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        yield Statement(signal="", value=shortened(document), where="rsl", flaw=shortened(f"no XML: {error}"))
        return
    contents = [(_priority(content, url), content) for content in root.iter("{*}content")]
    fitting = [found for found in contents if found[0] >= 0]
    if not fitting:
        return
    content = max(fitting, key=lambda found: found[0])[1]
    answers = [_answer(licence) for licence in content.iter("{*}license")]
    # Licences of one content are offered side by side; a prohibition in any of them stands.
    prohibited = any(prohibits for prohibits, _ in answers)
    says = [granted for _, granted in answers if granted is not None]
    if prohibited or says:
        verdict = Says.ALLOW if any(says) and not prohibited else Says.DENY
        value = shortened(etree.tostring(content, encoding="unicode"))
        yield Statement(signal="rsl", says=verdict, value=value, where="rsl")


def _priority(content: etree._Element, url: str) -> int:
    """How narrowly a content element speaks of a page; -1 if it does not."""
    about = (content.get("url") or "/").strip()
    if "://" in about:
        if urlsplit(about).netloc.lower() != urlsplit(url).netloc.lower():
            return -1
        about = target(about)
    found = pattern(about)
    return len(found.text) if found.matches(target(url)) else -1


def _answer(licence: etree._Element) -> tuple[bool, bool | None]:
    """Whether a licence prohibits training, and whether it grants it (None: it says nothing)."""
    permits, permitted = _narrowest(licence, "permits")
    prohibits, prohibited = _narrowest(licence, "prohibits")
    # The narrower term counts, and a prohibition among equals (§3.1.1, §3.6).
    if prohibited and prohibits >= permits:
        return True, False
    if not permitted:
        return False, None
    payments = [(payment.get("type") or "").lower() for payment in licence.iter("{*}payment")]
    free = not payments or any(kind in _FREE for kind in payments)
    return False, permits >= 0 and free


def _narrowest(licence: etree._Element, name: str) -> tuple[int, bool]:
    """The narrowest term of a kind that covers training (-1: none does), and whether it settles uses at all."""
    uses = [
        use
        for element in licence.iter(f"{{*}}{name}")
        if (element.get("type") or "usage").lower() == "usage"
        for use in re.split(r"[,\s]+", (element.text or "").strip().lower())
        if use
    ]
    covering = [_NARROWNESS[use] for use in uses if use in _NARROWNESS]
    # A list of permitted uses leaves out all others (§3.5); a list of prohibited ones does not.
    return max(covering, default=-1), bool(uses if name == "permits" else covering)
