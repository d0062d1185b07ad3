"""The keys by which documents are the same: 128 bits of their address or text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from filters import urls
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


def text_key(row: Mapping[str, Any]) -> bytes | None:
    """The key of a document's text.

    Args:
        row: a document with ``text_digest``.

    Returns:
        16 bytes; None for no text.
    """
    found: bytes = row["text_digest"]
    return None if found == _EMPTY_TEXT else found
