"""Plain values to typed sections: YAML files, settings of the command line, and every value checked."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UsageError


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a configuration file.

    Args:
        path: the file.

    Returns:
        Its sections.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read configuration {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if values is not None and not isinstance(values, dict):
        raise UsageError(f"{path}: expected sections with keys, found {type(values).__name__}")
    return values or {}


def setting(setting: str) -> dict[str, Any]:
    """Read a setting of the command line.

    Args:
        setting: ``section.key=value``, the value in YAML.

    Returns:
        Nested dictionaries that hold it.

    Raises:
        UsageError: it has another form.
    """
    path, equals, raw = setting.partition("=")
    if not equals or not path:
        raise UsageError(f"--set {setting}: expected section.key=value")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {setting}: the value is not YAML: {' '.join(str(error).split())}") from error
    for key in reversed(path.split(".")):
        value = {key: value}
    return typing.cast(dict[str, Any], value)


def merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    """Put values over others, section by section.

    Args:
        into: what is changed in place.
        values: what goes over it.
    """
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """What a name that is unknown may have meant.

    Args:
        name: the name.
        known: names that there are.

    Returns:
        The end of a sentence.
    """
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(options)}"


def convert(value: Any, kind: Any, where: str) -> Any:
    """Check a plain value against a type and give it that type.

    Args:
        value: the value.
        kind: the type: a section, a number, a string, or one of the collections that sections use.
        where: what it is called.

    Returns:
        The value.

    Raises:
        UsageError: it is of another type; says where, what was found and what was expected.
    """
    if dataclasses.is_dataclass(kind):
        return _convert_section(value, typing.cast(type, kind), where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else convert(value, arguments[0], where)
    if origin is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise UsageError(f"{where}: expected a list, found {value!r}")
        return tuple(convert(item, arguments[0], f"{where}[{index}]") for index, item in enumerate(items))
    if origin is dict:
        if not isinstance(value, dict):
            raise UsageError(f"{where}: expected keys and values, found {value!r}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UsageError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value


def _convert_section(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, dict):
        raise UsageError(f"{where or 'configuration'}: expected keys and values, found {value!r}")
    hints = typing.get_type_hints(kind)
    unknown = [key for key in value if key not in hints]
    if unknown:
        full = f"{where}.{unknown[0]}".lstrip(".")
        raise UsageError(f"unknown key {full!r}{nearest(str(unknown[0]), hints)}")
    missing = [
        entry.name
        for entry in dataclasses.fields(kind)
        if entry.name not in value
        and entry.default is dataclasses.MISSING
        and entry.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UsageError(f"{where}: {missing[0]!r} is missing")
    return kind(**{key: convert(item, hints[key], f"{where}.{key}".lstrip(".")) for key, item in value.items()})
