"""From everything that is known of a page and its site to a decision with its evidence.

Any refusal that applies wins, else an explicit permission, else nothing is known. A refusal of crawling is one of
training. What counts depends on the profile; what does not count is recorded all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from filters.consent import agents, ai_txt, directives, rsl, tdmrep, usage
from filters.consent.page import PageSays
from filters.consent.patterns import target
from filters.consent.robots import Group, Robots, parse
from filters.consent.statement import Says, Scope, Statement, shortened

PROFILES = ("crawl", "train", "strict")
_COUNTING = {
    "crawl": {Scope.CRAWL},
    "train": {Scope.CRAWL, Scope.TRAIN},
    "strict": {Scope.CRAWL, Scope.TRAIN, Scope.STRICT},
}


@dataclass(frozen=True, kw_only=True)
class Capture:
    """What fetching robots.txt gave.

    Attributes:
        status: of the response; 0 for none.
        file: what it says; None for a status other than 2xx: what comes with an error is no file.
        source: which capture it is, for the evidence.
    """

    status: int
    file: Robots | None = None
    source: str = ""

    @classmethod
    def read(cls, status: int, content: bytes | str, *, lenient: bool = True, source: str = "") -> Capture:
        """Read a response.

        Args:
            status: of it.
            content: what came with it.
            lenient: how it is read (``robots.parse``).
            source: which capture it is.

        Returns:
            The capture.
        """
        return cls(status=status, file=parse(content, lenient=lenient) if 200 <= status < 300 else None, source=source)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page.

    Attributes:
        url: its address.
        headers: names in lower case and values of its response's headers, in order.
        says: what stands in its markup.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    says: PageSays = field(default_factory=PageSays)

    def values(self, name: str) -> list[str]:
        """The values of a header.

        Args:
            name: in lower case.

        Returns:
            One for each line.
        """
        return [value for header, value in self.headers if header == name]


@dataclass(frozen=True, kw_only=True)
class Site:
    """What is known of a page's site.

    Attributes:
        robots: robots.txt at the time of the page.
        latest: robots.txt at a later time.
        tdmrep: content and source of ``/.well-known/tdmrep.json``.
        ai_txt: content and source of ``/ai.txt``.
        rsl: an RSL document.
        listed: what an opt-out list holds of the page.
    """

    robots: Capture | None = None
    latest: Capture | None = None
    tdmrep: tuple[str, str] | None = None
    ai_txt: tuple[str, str] | None = None
    rsl: str | None = None
    listed: Statement | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What may be done with a page.

    Attributes:
        train: training of models on it.
        crawl: fetching it; unknown when nothing is known of robots.txt.
        images: using its images.
        evidence: every statement that was found, those that do not decide too.
    """

    train: Says
    crawl: Says
    images: Says
    evidence: tuple[Statement, ...]

    @property
    def signals(self) -> list[str]:
        """The names of what was found.

        Returns:
            Each once, sorted.
        """
        return sorted({statement.signal for statement in self.evidence if statement.signal})


def decide(page: Page, site: Site, *, profile: str = "train", crawler: tuple[str, ...] = ()) -> Decision:
    """Decide on one page.

    Args:
        page: the page.
        site: what is known of its site.
        profile: a name out of :data:`PROFILES`.
        crawler: product tokens of the agent that fetched it; Common Crawl's by default.

    Returns:
        The decision.
    """
    ours = crawler or agents.of("crawl")
    found: list[Statement] = []
    crawl = Says.NOTHING
    if site.robots is not None:
        statements = list(_of_robots(site.robots, page.url, ours, profile))
        refused = any(one.signal in ("robots-disallow", "robots-unreachable") for one in statements)
        crawl = Says.DENY if refused else Says.ALLOW
        found += (replace(one, source=site.robots.source) for one in statements)
    found += _of_page(page, ours)
    found += _of_site(page, site, ours)
    if site.latest is not None:
        found += _of_latest(site.latest, page.url, ours)
    images = Says.DENY if any(one.images for one in found) else Says.NOTHING
    return Decision(train=combine(found, profile), crawl=crawl, images=images, evidence=tuple(found))


def combine(statements: Iterable[Statement], profile: str) -> Says:
    """What statements say together.

    Args:
        statements: all that were found.
        profile: which of them count.

    Returns:
        A refusal if any counts, else a permission, else nothing.
    """
    says = {one.says for one in statements if one.scope in _COUNTING[profile]}
    return Says.DENY if Says.DENY in says else Says.ALLOW if Says.ALLOW in says else Says.NOTHING


def _of_page(page: Page, ours: tuple[str, ...]) -> Iterator[Statement]:
    yield from directives.header(page.values("x-robots-tag"), ours)
    yield from directives.meta(page.says.meta, ours)
    yield from usage.usage_header(page.values("content-usage"))
    yield from usage.signal_header(page.values("content-signal"))


def _of_site(page: Page, site: Site, ours: tuple[str, ...]) -> Iterator[Statement]:
    """Files of the site, and what outranks or needs them."""
    file, source = site.tdmrep or (None, "")
    for one in tdmrep.read(file=file, headers=page.values("tdm-reservation"), meta=page.says.meta, url=page.url):
        yield replace(one, source=source) if one.where.startswith("tdmrep.json") else one
    if site.ai_txt is not None:
        statement = ai_txt.read(site.ai_txt[0], page.url, ours)
        if statement is not None:
            yield replace(statement, source=site.ai_txt[1])
    in_hand = list(rsl.terms(site.rsl, page.url)) if site.rsl is not None else []
    yield from in_hand
    if not any(one.signal for one in in_hand):
        robots = site.robots.file if site.robots else None
        group = robots.group(ours) if robots else None
        outside = robots.said if robots else ()
        yield from rsl.announced(group.said if group else [], outside, page.values("link"), page.says.rsl)
    if site.listed is not None:
        yield site.listed


def _of_robots(capture: Capture, url: str, ours: tuple[str, ...], profile: str) -> Iterator[Statement]:
    """RFC 9309 §2.3.1: 4xx is no file, 5xx and no answer refuse all; 429 is read as Google does, as 5xx."""
    status = capture.status
    if status == 0 or status == 429 or status >= 500:
        value = str(status) if status else "no answer"
        yield _unreachable(value, Scope.CRAWL)
    elif status in (401, 403) and profile == "strict":
        yield _unreachable(str(status), Scope.STRICT)
    if capture.file is not None:
        yield from _of_file(capture.file, url, ours, profile)


def _unreachable(value: str, scope: Scope) -> Statement:
    return Statement(signal="robots-unreachable", says=Says.DENY, value=value, where="robots.txt", scope=scope)


def _of_file(robots: Robots, url: str, ours: tuple[str, ...], profile: str) -> Iterator[Statement]:
    path = target(url)
    applying, everyone = robots.group(ours), robots.groups.get("*")
    own = robots.own(ours)
    refusal = _refusal(applying, path, "robots-disallow", Scope.CRAWL)
    yield from refusal
    for kind, signal, scope in (
        ("train", "robots-ai-train", Scope.TRAIN),
        ("assist", "robots-ai-fetch", Scope.STRICT),
    ):
        yield from _first(
            _refusal(robots.groups[name], path, signal, scope, name)
            for name in sorted(agents.tokens(kind) & robots.groups.keys())
        )
    if profile == "strict" and everyone and own is not None and not agents.tokens("train") <= robots.groups.keys():
        # Agents that train and have no group of their own are told what all are told.
        yield from _refusal(everyone, path, "robots-ai-train", Scope.STRICT, "*")
    if refusal:
        return  # no preference is implied for what may not be fetched (AIPREF attach §3.1)
    if applying is not None:
        yield from _usage(applying, path, Scope.CRAWL)
    if own is not None and everyone is not None and profile != "crawl":
        stated = any(line.key in ("content-usage", "content-signal") for line in own.said)
        yield from _usage(everyone, path, Scope.STRICT if stated else Scope.TRAIN)


def _refusal(group: Group | None, path: str, signal: str, scope: Scope, agent: str = "") -> list[Statement]:
    rule = group.decide(path) if group and path != "/robots.txt" else None
    if rule is None or rule.allow:
        return []
    value = shortened(f"{agent}: {rule.line}" if agent else rule.line)
    return [Statement(signal=signal, says=Says.DENY, value=value, where=f"robots.txt line {rule.number}", scope=scope)]


def _first(found: Iterable[list[Statement]]) -> list[Statement]:
    """One agent's refusal is enough."""
    return next((statements for statements in found if statements), [])


def _usage(group: Group, path: str, scope: Scope) -> Iterator[Statement]:
    yield from usage.usage_rules(group.said, path, scope)
    yield from usage.signal_rules(group.said, path, scope)


def _of_latest(capture: Capture, url: str, ours: tuple[str, ...]) -> list[Statement]:
    """A later robots.txt that refuses: recorded, and obeyed by ``strict``."""
    for one in _of_robots(capture, url, ours, "train"):
        if one.says is Says.DENY and one.scope is not Scope.STRICT:
            value = shortened(f"{one.signal}: {one.value}")
            return [replace(one, signal="robots-latest-deny", value=value, scope=Scope.STRICT, source=capture.source)]
    return []
