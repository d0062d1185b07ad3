"""TDM Reservation Protocol (W3C community group, at 1a547b5d): a file, a header, a meta element; the last outranks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from filters.consent.patterns import pattern, target
from filters.consent.statement import Says, Statement, shortened

_SAYS = {"0": Says.ALLOW, "1": Says.DENY}


def read(
    *, file: str | None, headers: Sequence[str], meta: Iterable[tuple[str, str]], url: str
) -> list[Statement]:  # fmt: skip
    """The statement that decides, and whatever is malformed.

    Args:
        file: content of ``/.well-known/tdmrep.json``, where there is one.
        headers: values of ``tdm-reservation``.
        meta: names and contents of meta elements.
        url: the page's.

    Returns:
        At most one statement that says something: that of the page before that of the header before that of the file.
    """
    named = [content for name, content in meta if name.strip().lower() == "tdm-reservation"]
    found: list[Statement] = []
    flaws: list[Statement] = []
    for values, signal, where in ((named, "tdmrep-meta", "meta"), (headers, "tdmrep-header", "header")):
        statement = _of_values(values, signal, where)
        if statement is not None:
            (flaws if statement.flaw else found).append(statement)
    if file is not None:
        statement = _of_file(file, url)
        if statement is not None:
            (flaws if not statement.signal else found).append(statement)
    return found[:1] + flaws


def _of_values(values: Sequence[str], signal: str, where: str) -> Statement | None:
    """Values other than 0 and 1 are errors of protocol, as if there were none; of several a refusal counts."""
    parts = [part.strip() for value in values for part in value.split(",")]
    says = {_SAYS[part] for part in parts if part in _SAYS}
    value = shortened(", ".join(values))
    if says:
        return Statement(signal=signal, says=max(says, key=lambda one: one is Says.DENY), value=value, where=where)
    if parts:
        return Statement(signal="", value=value, where=where, flaw="tdm-reservation is neither 0 nor 1")
    return None


def _of_file(content: str, url: str) -> Statement | None:
    """The first rule that fits (§5.1: the most specific match is the first in sequence)."""
    where = "tdmrep.json"
    try:
        rules: Any = json.loads(content.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return Statement(signal="", value=shortened(content), where=where, flaw=shortened(f"no JSON: {error}"))
    flaw = ""
    if isinstance(rules, dict):
        # Not a list, as it must be; a refusal is understood all the same.
        rules, flaw = [rules], "an object where a list was expected"
    if not isinstance(rules, list):
        return Statement(signal="", value=shortened(content), where=where, flaw="no list of rules")
    path = target(url)
    for number, rule in enumerate(rules, 1):
        location = rule.get("location") if isinstance(rule, dict) else None
        if not isinstance(location, str) or not pattern(location).matches(path):
            continue
        written = rule.get("tdm-reservation")
        flaw = flaw or ("" if isinstance(written, int) and not isinstance(written, bool) else "not a number")
        says = _SAYS.get(str(int(written)) if isinstance(written, bool | float) else str(written).strip())
        value, place = shortened(json.dumps(rule, ensure_ascii=False)), f"{where} rule {number}"
        if says is None or (flaw and says is Says.ALLOW):
            return Statement(signal="", value=value, where=place, flaw=flaw or "tdm-reservation is neither 0 nor 1")
        return Statement(signal="tdmrep-file", says=says, value=value, where=place, flaw=flaw)
    return None
