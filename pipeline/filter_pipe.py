"""``joeira filter NAME``: JSON lines in, JSON lines out, in the same order, one for one.

A line that cannot be processed yields ``{"id": …, "error": "…"}`` and the run goes on; the exit code is then 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from pipeline import filter_consent
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.filter_lines import Answer, LineError, need_bytes, need_text


def run(name: str, config: Config) -> int:
    """Answer every line of standard input.

    Args:
        name: which filter.
        config: the configuration.

    Returns:
        0, or 1 where a line could not be processed.
    """
    failed = False
    with _FILTERS[name](config) as answer:
        for line in sys.stdin.buffer:
            result = _answer_line(line, answer)
            failed = failed or "error" in result
            # ensure_ascii: a lone surrogate in the input must come back as it was.
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
    return int(failed)


def _answer_line(line: bytes, answer: Answer) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"id": None, "error": f"not JSON: {error}"}
    if not isinstance(row, dict):
        return {"id": None, "error": f"expected an object, found {type(row).__name__}"}
    identity = {"id": row["id"]} if "id" in row else {}
    try:
        return {**identity, **answer(row)}
    except Exception as error:  # one bad line never stops the pipe
        said = str(error) if isinstance(error, LineError) else f"{type(error).__name__}: {error}"
        return {"id": row.get("id"), "error": said}


@contextmanager
def _language(config: Config) -> Iterator[Answer]:
    from filters import language

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        top = language.identify(need_text(row))
        code, score = top[0] if top else ("und", 0.0)
        return {"language": code, "score": score, "top": [list(pair) for pair in top]}

    yield answer


@contextmanager
def _extract(config: Config) -> Iterator[Answer]:
    from filters.extraction import charset, engine
    from pipeline.sandbox import ExtractionError, Sandbox

    try:
        engine.check_options(config.extract.engine, config.extract.options)
    except ValueError as error:
        raise UsageError(str(error)) from error
    sandbox = Sandbox(config.extract)

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        body = need_bytes(row, "html_b64")
        if body is None:
            html = need_text(row, "html")
        else:
            html = charset.decode(body, charset.declared_in_header(str(row.get("content_type") or ""))).text
        try:
            extracted = sandbox.extract(html)
        except ExtractionError as error:
            raise LineError(f"{error.kind}: {error}") from error
        if extracted.refused:
            raise LineError(f"refused: more than {extracted.refused} allows")
        known = {"title": extracted.title, "language_hint": extracted.language_hint}
        found = {name: value for name, value in known.items() if value is not None}
        return {"text": extracted.text, **found, "engine": config.extract.engine}

    try:
        yield answer
    finally:
        sandbox.close()


@contextmanager
def _url(config: Config) -> Iterator[Answer]:
    from filters import blocklist, urls

    try:
        # A pipe that was given no list still answers whether ours would block.
        lists = blocklist.load(config.urls.blocklists or ("builtin",))
    except ValueError as error:
        raise UsageError(str(error)) from error

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        url = need_text(row, "url")
        try:
            normal = urls.normalise(url)
        except ValueError as error:
            raise LineError(str(error)) from error
        reason = lists.reason(url)
        return {"normalised": normal, "blocked": reason is not None, **({"reason": reason} if reason else {})}

    yield answer


@contextmanager
def _family(family: str, config: Config) -> Iterator[Answer]:
    from filters import heuristics, profiles
    from filters.heuristics import limits as heuristic_limits
    from filters.textview import TextView
    from pipeline import rules

    rules.resolve(config)
    options = rules.settings(config).heuristics

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        text, language = need_text(row), row.get("language") or "en"
        name = row.get("definition")
        for field, value in (("language", language), ("definition", name)):
            if not isinstance(value, str | None):
                raise LineError(f"expected a string in {field!r}; it is {type(value).__name__}")
        try:
            definition = heuristics.find(family, name)
        except ValueError as error:
            raise LineError(str(error)) from error
        changes = config.heuristics.limits.get(definition.full_name) or {}
        limits = heuristic_limits.changed(definition, changes)
        if config.heuristics.from_profile and language in profiles.names():
            untouched = tuple(limit for limit in limits if limit.signal not in changes)
            touched = tuple(limit for limit in limits if limit.signal in changes)
            limits = heuristic_limits.of_language(definition, untouched, profiles.load(language)) + touched
        found = definition.measure(TextView(text, language), options)
        reasons = heuristic_limits.reasons(found, limits)
        counters = {} if found.counters is None else {"counters": found.counters}
        return {
            "keep": not reasons,
            "reasons": reasons,
            "signals": {name: value for name, value in found.signals.items() if value is not None},
            "text": text if found.text is None else found.text,
            "definition": definition.name,
            "version": definition.version,
            **counters,
        }

    yield answer


@contextmanager
def _minhash(config: Config) -> Iterator[Answer]:
    from filters import minhash
    from pipeline import rules

    parameters = rules.parameters(config.dedup)

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        shingles = minhash.shingle_hashes(need_text(row), parameters)
        values = minhash.signature(shingles, parameters)
        return {"signature": values.astype(">u8").tobytes().hex(), "shingles": len(shingles)}

    yield answer


_FILTERS: dict[str, Callable[[Config], AbstractContextManager[Answer]]] = {
    "consent": filter_consent.consent,
    "extract": _extract,
    "language": _language,
    "licence": filter_consent.licence,
    "minhash": _minhash,
    "robots": filter_consent.robots,
    "url": _url,
    **{
        family: partial(_family, family)
        for family in ("c4", "gopher_quality", "gopher_repetition", "fineweb", "refinedweb", "nemotron")
    },
}
