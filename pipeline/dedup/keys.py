"""The keys by which documents are the same: 128 bits of their address or text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from filters import urls
from filters.consent.page import PageSays
from filters.fingerprints import text_digest

_EMPTY_TEXT = text_digest("")


def digest(value: bytes) -> bytes:
    """A key of anything.

    Args:
        value: what is to be the same.

    Returns:
        16 bytes.
    """
    return hashlib.blake2b(value, digest_size=16, person=b"group").digest()


def url_key(row: Mapping[str, Any]) -> bytes | None:
    """The key of a document's address.

    Args:
        row: a document with ``url``.

    Returns:
        16 bytes; None for what is no web address: nothing else has it.
    """
    try:
        return digest(urls.normalise(row["url"]).encode())
    except ValueError:
        return None


def canonical_key(row: Mapping[str, Any]) -> bytes | None:
    """The key of the address that a page gives as its own.

    Args:
        row: a document with ``url`` and ``page_signals``.

    Returns:
        16 bytes; None where there is none, or where it is on another host, which anybody could claim.
    """
    canonical = PageSays.of_lines(row["page_signals"] or ()).canonical
    try:
        own, named = urls.normalise(row["url"]), urls.normalise(urljoin(row["url"], canonical or ""))
    except ValueError:
        return None
    same = named.split("/")[2] == own.split("/")[2]
    return digest(named.encode()) if canonical and same else None


def text_key(row: Mapping[str, Any]) -> bytes | None:
    """The key of a document's text.

    Args:
        row: a document with ``text_digest``.

    Returns:
        16 bytes; None for no text.
    """
    found: bytes = row["text_digest"]
    return None if found == _EMPTY_TEXT else found
