"""What filters need of their input lines."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]


class LineError(ValueError):
    """An input line that lacks what the filter needs."""


def need_text(row: Mapping[str, Any], field: str = "text") -> str:
    """A string field that a filter cannot do without.

    Args:
        row: the input line.
        field: its name.

    Returns:
        The string.

    Raises:
        LineError: it is missing or no string.
    """
    value = row.get(field)
    if not isinstance(value, str):
        found = f"it is {type(value).__name__}" if field in row else f"the line has {sorted(row)[:10]}"
        raise LineError(f"expected a string in {field!r}; {found}")
    return value


def need_bytes(row: Mapping[str, Any], field: str) -> bytes | None:
    """The bytes of an optional ``…_b64`` field.

    Args:
        row: the input line.
        field: its name.

    Returns:
        The bytes, or None where it is missing.

    Raises:
        LineError: it is not Base64.
    """
    if row.get(field) is None:
        return None
    try:
        return base64.b64decode(need_text(row, field), validate=True)
    except binascii.Error as error:
        raise LineError(f"{field!r} is not Base64: {error}") from error


def optional(row: Mapping[str, Any], field: str, kind: type, default: Any = None) -> Any:
    """A field that may be missing.

    Args:
        row: the input line.
        field: its name.
        kind: what it must be.
        default: what stands for a missing one.

    Returns:
        The value.

    Raises:
        LineError: it is of another kind.
    """
    value = row.get(field)
    if value is None:
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise LineError(f"expected {kind.__name__} in {field!r}; it is {type(value).__name__}")
    return value
