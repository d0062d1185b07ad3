"""``joeira filter robots|consent|licence``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipeline.config import Config
from pipeline.filter_lines import Answer, LineError, need_bytes, need_text, optional


@contextmanager
def robots(config: Config) -> Iterator[Answer]:
    """Whether an agent may fetch a URL.

    Args:
        config: the configuration.

    Yields:
        What answers a line.
    """
    from filters.consent import robots as reader

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        lenient = row.get("lenient", config.consent.lenient)
        if not isinstance(lenient, bool):
            raise LineError(f"expected true or false in 'lenient'; it is {type(lenient).__name__}")
        content = need_bytes(row, "robots_b64")
        parsed = reader.parse(need_text(row, "robots") if content is None else content, lenient=lenient)
        allowed, rule = parsed.decide([need_text(row, "agent")], need_text(row, "url"))
        return {"allowed": allowed, "rule": rule.line if rule else None}

    yield answer


@contextmanager
def consent(config: Config) -> Iterator[Answer]:
    """What a page and its site say about training.

    Args:
        config: the configuration.

    Yields:
        What answers a line.
    """
    from filters.consent import decision, page

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        profile = optional(row, "profile", str, config.consent.profile)
        if profile not in decision.PROFILES:
            raise LineError(f"unknown profile {profile!r}; known: {', '.join(decision.PROFILES)}")
        crawler = tuple(map(str, optional(row, "agents", list, config.consent.crawler)))
        files = {name: optional(row, name, str) for name in ("tdmrep", "ai_txt", "rsl_xml", "robots_latest")}
        site = decision.Site(
            robots=_capture(row, config),
            latest=_parsed(files["robots_latest"], 200, config),
            tdmrep=None if files["tdmrep"] is None else (files["tdmrep"], ""),
            ai_txt=None if files["ai_txt"] is None else (files["ai_txt"], ""),
            rsl=files["rsl_xml"],
        )
        visited = decision.Page(
            url=need_text(row, "url"),
            headers=_headers(row, "headers"),
            says=page.parse(optional(row, "html", str, "")),
        )
        found = decision.decide(visited, site, profile=profile, crawler=crawler)
        evidence = [
            {name: value for name, value in _plain(one).items() if value or name in ("signal", "value", "where")}
            for one in found.evidence
        ]
        return {
            "train": found.train.value,
            "crawl": found.crawl.value,
            "images": found.images.value,
            "signals": found.signals,
            "evidence": evidence,
        }

    yield answer


def _plain(statement: Any) -> dict[str, str]:
    names = ("signal", "value", "where", "flaw")
    return {**{name: getattr(statement, name) for name in names}, "says": statement.says.value}


def _capture(row: Mapping[str, Any], config: Config) -> Any:
    content: bytes | str | None = need_bytes(row, "robots_b64")
    content = optional(row, "robots", str) if content is None else content
    status = optional(row, "robots_status", int, None if content is None else 200)
    _headers(row, "robots_headers")  # checked; a type or a language says nothing of what stands in the file
    return None if status is None else _parsed(content or "", status, config)


def _parsed(content: bytes | str | None, status: int, config: Config) -> Any:
    from filters.consent import decision

    if content is None:
        return None
    return decision.Capture.read(status, content, lenient=config.consent.lenient)


def _headers(row: Mapping[str, Any], field: str) -> tuple[tuple[str, str], ...]:
    """Headers from an object or a list of pairs."""
    value = row.get(field) or []
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise LineError(f"expected an object or a list of pairs in {field!r}")
    found = []
    for name, values in pairs:
        for one in values if isinstance(values, list) else [values]:
            found.append((str(name).lower(), str(one)))
    return tuple(found)


@contextmanager
def licence(config: Config) -> Iterator[Answer]:
    """Under which licence a page stands.

    Args:
        config: the configuration.

    Yields:
        What answers a line.
    """
    from filters.consent import licence as licences
    from filters.consent import page

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        found = licences.find(page.parse(need_text(row, "html")))
        every = [{"licence": one.id, "scope": one.scope, "licence_url": one.url} for one in found]
        return {**every[0], "all": every} if every else {"licence": None, "scope": "unknown"}

    yield answer
