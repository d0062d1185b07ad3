"""``/ai.txt`` (Spawning): the syntax of robots.txt, with media types as endings of file names."""

from __future__ import annotations

from filters.consent import robots
from filters.consent.patterns import target
from filters.consent.robots import Rule
from filters.consent.statement import Says, Statement

_TEXT = ("/page.txt", "/page.html")
_IMAGES = ("/image.jpg", "/image.jpeg", "/image.png", "/image.gif", "/image.webp")


def read(content: str, url: str, agents: tuple[str, ...]) -> Statement | None:
    """What the file says of a page.

    Args:
        content: the file.
        url: the page's.
        agents: product tokens that count as ours.

    Returns:
        A refusal if the page or texts in general are refused, a permission if a rule allows the page; None if it says
        nothing.
    """
    group = robots.parse(content).group(agents)
    if group is None:
        return None
    page = group.decide(target(url))
    texts = [group.decide(path) for path in _TEXT]
    refused = next((rule for rule in (page, *texts) if rule and not rule.allow), None)
    images = any(rule and not rule.allow for rule in map(group.decide, _IMAGES))
    rule: Rule | None = refused or page
    if rule is None and not images:
        return None
    return Statement(
        signal="ai-txt",
        says=Says.DENY if refused else Says.ALLOW if page else Says.NOTHING,
        value=rule.line if rule else "images",
        where=f"ai.txt line {rule.number}" if rule else "ai.txt",
        images=images,
    )
