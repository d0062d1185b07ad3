"""Which agents train, assist and crawl, as data (``agents.yaml``)."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml

from filters.consent.robots import token


@cache
def of(kind: str) -> tuple[str, ...]:
    """The agents of one kind.

    Args:
        kind: ``crawl``, ``train`` or ``assist``.

    Returns:
        Their product tokens, as they are written.
    """
    listed = yaml.safe_load((resources.files("filters.consent") / "agents.yaml").read_text())
    return tuple(listed[kind])


@cache
def tokens(kind: str) -> frozenset[str]:
    """The same for comparing.

    Args:
        kind: ``crawl``, ``train`` or ``assist``.

    Returns:
        Product tokens in lower case.
    """
    return frozenset(map(token, of(kind)))
