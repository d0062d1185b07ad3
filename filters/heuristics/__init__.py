"""The heuristic families of the field, each with the definitions under which it is known.

The same rule has different arithmetic in different code bases, so a family is a module, and a definition in it a
name: ``gopher_repetition.gopher_datatrove``, ``gopher_repetition.gopher_dclm`` and so on.
"""

from __future__ import annotations

from collections.abc import Mapping

from filters.heuristics import c4, fineweb, gopher_quality, gopher_repetition, nemotron, refinedweb
from filters.heuristics.definition import Definition

# The first of a family is what its name alone means.
FAMILIES: Mapping[str, Mapping[str, Definition]] = {
    module.DEFINITIONS[0].family: {definition.name: definition for definition in module.DEFINITIONS}
    for module in (c4, gopher_quality, gopher_repetition, fineweb, refinedweb, nemotron)
}
BY_NAME: Mapping[str, Definition] = {
    definition.full_name: definition for family in FAMILIES.values() for definition in family.values()
}


def find(family: str, name: str | None = None) -> Definition:
    """Look a definition up.

    Args:
        family: the family.
        name: the definition; None takes the family's first.

    Returns:
        The definition.

    Raises:
        ValueError: the family has no such definition; says which it has.
    """
    definitions = FAMILIES[family]
    if name is None:
        return next(iter(definitions.values()))
    if name not in definitions:
        raise ValueError(f"unknown definition {name!r} of {family}; known: {', '.join(definitions)}")
    return definitions[name]
