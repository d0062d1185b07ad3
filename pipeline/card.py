"""The dataset card and the Croissant description of a finished run, made from its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from pipeline import schema

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000)
_NAMES = (
    "n<1K",
    "1K<n<10K",
    "10K<n<100K",
    "100K<n<1M",
    "1M<n<10M",
    "10M<n<100M",
    "100M<n<1B",
    "1B<n<10B",
    "10B<n<100B",
)


def readme(manifest: Mapping[str, Any]) -> str:
    """The card in Hugging Face's form.

    Args:
        manifest: the run's manifest.

    Returns:
        Markdown with a YAML head.
    """
    totals, counts = manifest["conservation"], manifest["counts"]
    kept = {name: entry.get("kept", 0) for name, entry in manifest["languages"].items() if entry.get("kept")}
    head = {
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/*.parquet"}]}],
        "language": sorted(name for name in kept if len(name) <= 3 and name != "und"),
        "size_categories": [_NAMES[sum(totals["kept"] >= size for size in _SIZES)]],
        "task_categories": ["text-generation"],
        "tags": ["joeira"],
    }
    lines = "\n".join(
        f"| {name} | {count} |" for name, count in sorted(kept.items(), key=lambda item: (-item[1], item[0]))
    )
    reasons = "\n".join(f"| {name} | {entry['first']} |" for name, entry in manifest["rules"].items() if entry["first"])
    levels = ", ".join(manifest["config"]["dedup"]["levels"])
    copies = (
        f"Duplicates are resolved by {levels}; `cluster_size` says for how many documents one stands."
        if levels
        else "Duplicates are not resolved by this run: `cluster_size` is 1 throughout."
    )
    rejected = "\n".join(f"| {name} (before extraction) | {count} |" for name, count in counts["rejected"].items())
    return f"""---
{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---

# Corpus {manifest["run_id"]}

Curated by joeira {manifest["versions"]["joeira"]} with preset `{manifest["config"]["preset"]}` from
{len(manifest["inputs"])} input files. {totals["in"]} records in = {totals["kept"]} kept + {totals["removed"]} removed +
{totals["failed"]} failed, checked by count and by id. Kept text: {counts["kept_text"]["bytes"]} bytes,
{counts["kept_text"]["words"]} words.

| language | kept |
|---|---|
{lines}

| reason | removed |
|---|---|
{rejected}
{reasons}

## Before you use it

- The pages stay their owners'. {_consent(manifest)}
- Personal data is not scrubbed by this run: `pii_count` is empty.
- {copies}

{_takedowns(manifest)}Configuration, versions, input digests and counts on every edge: `manifest.json`.
What was removed and why: `removed/`, `failed/`, `report/index.html`.
"""


def _consent(manifest: Mapping[str, Any]) -> str:
    settings, counts = manifest["config"]["consent"], manifest["consent"]
    decisions = counts.get("decisions", {})
    said = ", ".join(f"{decisions.get(name, 0)} {name}" for name in ("allow", "unknown", "deny"))
    done = "those that refuse are removed" if settings["remove"] else "those that refuse are kept and marked `deny`"
    signals = ", ".join(f"`{name}` {count}" for name, count in counts.get("signals", {}).items()) or "none"
    licences = ", ".join(f"{name} {count}" for name, count in counts.get("licences", {}).items()) or "none"
    unknown = sum(counts.get("unknown", {}).values())
    return (
        f"What they and their sites say about training was read under the profile `{settings['profile']}`: {said}; "
        f"{done}. Without any verdict on crawling, for want of a capture of robots.txt: {unknown}. "
        f"Signals found: {signals}. Licences: {licences}."
    )


def _takedowns(manifest: Mapping[str, Any]) -> str:
    done = manifest.get("takedowns", ())
    if not done:
        return ""
    lines = "\n".join(
        f"- {one['at']}: {one['documents']} documents ({one['before']} is the state before)" for one in done
    )
    return f"## Taken down since\n\n{lines}\n\n"


def croissant(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The run in Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html).

    Args:
        manifest: the run's manifest.

    Returns:
        JSON-LD.
    """
    kinds = {"timestamp[ms, tz=UTC]": "sc:Date", "float": "sc:Float", "int32": "sc:Integer", "int64": "sc:Integer"}
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"default/{entry.name}",
            "name": entry.name,
            "dataType": kinds.get(str(entry.type), "sc:Text"),
            "source": {"fileSet": {"@id": "shards"}, "extract": {"column": entry.name}},
        }
        for entry in schema.data(weighted=manifest["config"]["dedup"]["rehydrate"])
    ]
    return {
        "@context": {
            "@language": "en",
            "@vocab": "https://schema.org/",
            "sc": "https://schema.org/",
            "cr": "http://mlcommons.org/croissant/",
            "conformsTo": "http://purl.org/dc/terms/conformsTo",
            "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
            "extract": "cr:extract",
            "field": "cr:field",
            "fileSet": "cr:fileSet",
            "includes": "cr:includes",
            "recordSet": "cr:recordSet",
            "source": "cr:source",
            "column": "cr:column",
        },
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"joeira-{manifest['run_id']}",
        "description": f"{manifest['conservation']['kept']} documents curated by joeira; see README.md",
        "version": manifest["versions"]["joeira"],
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": "shards",
                "name": "shards",
                "encodingFormat": "application/x-parquet",
                "includes": "data/*.parquet",
            }
        ],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "default", "name": "default", "field": fields}],
    }
