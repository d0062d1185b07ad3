"""One statement of a site about the use of its pages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Says(StrEnum):
    """What a statement says about training."""

    ALLOW = "allow"
    DENY = "deny"
    NOTHING = "unknown"


class Scope(StrEnum):
    """Under which profiles a statement decides; where it does not, it is recorded all the same."""

    CRAWL = "crawl"  # under all: what binds the crawler itself
    TRAIN = "train"  # under ``train`` and ``strict``
    STRICT = "strict"  # under ``strict`` alone


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What was found, and where.

    Attributes:
        signal: its name; empty for what is reported and is no signal (a malformed file).
        says: about training.
        value: as it is written, at most 200 characters.
        where: ``header``, ``meta``, or a file and the place in it.
        scope: under which profiles it decides.
        images: whether it refuses the use of images.
        flaw: what is wrong with it.
        source: which capture it stands in (set by who knows); empty for the page itself.
    """

    signal: str
    says: Says = Says.NOTHING
    value: str = ""
    where: str = ""
    scope: Scope = Scope.TRAIN
    images: bool = False
    flaw: str = ""
    source: str = ""


def shortened(value: str) -> str:
    """A value as evidence keeps it.

    Args:
        value: any text.

    Returns:
        In one line, at most 200 characters.
    """
    return " ".join(value.split())[:200]
