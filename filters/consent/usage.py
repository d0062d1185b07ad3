"""Preferences of use: IETF AIPREF's ``Content-Usage`` and the ``Content-Signal`` of contentsignals.org.

AIPREF by draft-ietf-aipref-attach and -vocab of 2026-08/09: a dictionary by RFC 9651, of which ``train-ai`` speaks of
training. Content signals have no grammar but examples, and are read leniently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import http_sf

from filters.consent.patterns import pattern
from filters.consent.robots import Said
from filters.consent.statement import Says, Scope, Statement, shortened

_LABEL = "train-ai"
# Labels of earlier drafts of the vocabulary, up to -02.
_LEGACY = ("bots", "train-genai", "genai", "tdm", "ai")
_PREFERENCES = {"y": Says.ALLOW, "n": Says.DENY}
_PATH = re.compile(r"(/\S*)\s*(.*)", re.DOTALL)


def usage_header(values: Sequence[str]) -> Iterator[Statement]:
    """Read ``Content-Usage`` of a response.

    Args:
        values: one for each header line; together they are one dictionary.

    Yields:
        What it says of training, and whether it is malformed.
    """
    if values:
        yield from _usage(", ".join(values), "aipref-header", "header", Scope.TRAIN)


def usage_rules(lines: Iterable[Said], path: str, scope: Scope) -> Iterator[Statement]:
    """Read the ``Content-Usage`` rules of one group: those of the longest path that fits, together.

    Args:
        lines: what stands in the group.
        path: as ``patterns.target`` gives it.
        scope: under which profiles the group counts.

    Yields:
        What they say of training; of several with one path the most restrictive.
    """
    fitting: dict[int, list[Statement]] = {}
    for line in lines:
        if line.key != "content-usage":
            continue
        about, value = _about(line.value)
        statements = list(_usage(value, "aipref-robots", f"robots.txt line {line.number}", scope))
        yield from (statement for statement in statements if statement.flaw)
        if value and pattern(about or "/").matches(path):
            fitting.setdefault(len(about), []).extend(one for one in statements if not one.flaw)
    if fitting:
        yield from _strictest(fitting[max(fitting)])


def signal_header(values: Iterable[str]) -> Iterator[Statement]:
    """Read ``Content-Signal`` of a response.

    Args:
        values: one for each header line.

    Yields:
        What they say of training.
    """
    for value in values:
        yield from _signal(value, "header", Scope.TRAIN)


def signal_rules(lines: Iterable[Said], path: str, scope: Scope) -> Iterator[Statement]:
    """Read the ``Content-Signal`` lines of one group.

    Args:
        lines: what stands in the group.
        path: as ``patterns.target`` gives it.
        scope: under which profiles the group counts.

    Yields:
        What they say of training; a refusal before a permission.
    """
    found: list[Statement] = []
    for line in lines:
        if line.key == "content-signal":
            about, value = _about(line.value)
            if pattern(about or "/").matches(path):
                found += _signal(value, f"robots.txt line {line.number}", scope)
    yield from _strictest(found)


def _about(value: str) -> tuple[str, str]:
    match = _PATH.fullmatch(value)
    return (match.group(1), match.group(2)) if match else ("", value)


def _strictest(statements: Sequence[Statement]) -> Iterator[Statement]:
    """Of statements with one name the first that refuses, else the first."""
    for name in dict.fromkeys(statement.signal for statement in statements):
        same = [statement for statement in statements if statement.signal == name]
        yield next((statement for statement in same if statement.says is Says.DENY), same[0])


def _usage(value: str, signal: str, where: str, scope: Scope) -> Iterator[Statement]:
    try:
        said: Any = http_sf.parse(value.encode("utf-8", "surrogateescape"), tltype="dictionary")
    except ValueError as error:
        flaw = shortened(f"no dictionary by RFC 9651: {error}")
        yield Statement(signal="", value=shortened(value), where=where, flaw=flaw)
        return
    for label in (_LABEL, *_LEGACY):
        item = said.get(label, (None,))[0]
        says = _PREFERENCES.get(str(item)) if isinstance(item, http_sf.Token) else None
        if says is None:
            continue
        if label == _LABEL:
            yield Statement(signal=signal, says=says, value=shortened(value), where=where, scope=scope)
        else:
            refuses = says if says is Says.DENY else Says.NOTHING
            yield Statement(
                signal="aipref-legacy-label", says=refuses, value=shortened(value), where=where, scope=Scope.STRICT
            )


def _signal(value: str, where: str, scope: Scope) -> Iterator[Statement]:
    said: set[str] = set()
    for item in value.lower().split(","):
        key, _, answer = (part.strip() for part in item.partition("="))
        if key == "ai-train":
            said.add(answer)
    says = Says.DENY if "no" in said else Says.ALLOW if "yes" in said else Says.NOTHING
    if says is not Says.NOTHING:
        yield Statement(signal="content-signal", says=says, value=shortened(value), where=where, scope=scope)
