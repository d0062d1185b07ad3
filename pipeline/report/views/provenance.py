"""What the run was made of: inputs, configuration, versions, models, and the command to make it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

TITLE = "Provenance"
SHOWN = 50


def data(manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the template shows.

    Args:
        manifest: the run's manifest.
        samples: not used.

    Returns:
        Inputs, versions, and the configuration as YAML.
    """
    versions = manifest["versions"]
    facts = [
        ("run", manifest["run_id"]),
        ("configuration", manifest["config_digest"]),
        ("joeira", versions["joeira"]),
        ("Python", versions["python"]),
        ("runner", manifest["run"]["runner"]),
        *(("model", f"{name} {digest}") for name, digest in versions["models"].items()),
        *(("filter", f"{name}, version {version}") for name, version in versions["filters"].items()),
        *((name, version) for name, version in versions["libraries"].items() if version),
    ]
    return {
        "facts": facts,
        "inputs": manifest["inputs"][:SHOWN],
        "hidden": max(0, len(manifest["inputs"]) - SHOWN),
        "config": yaml.safe_dump(manifest["config"], sort_keys=True, allow_unicode=True),
    }
