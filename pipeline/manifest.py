"""What a finished run says of itself: from what, by what, how many on every edge, and that it all adds up."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from filters import blocklist, contamination, registry
from pipeline import __version__
from pipeline.config import Config
from pipeline.errors import RunError
from pipeline.tally import Tally, add_counts

FORMAT = 1
# Libraries whose version may change the bytes of the output.
_LIBRARIES = (
    "apache-beam",
    "brotli",
    "fasttext",
    "faust-cchardet",
    "http_sf",
    "justext",
    "lxml",
    "lz4",
    "numpy",
    "pyarrow",
    "pythainlp",
    "regex",
    "rjieba",
    "sudachidict_small",
    "sudachipy",
    "tld",
    "trafilatura",
    "urllib3",
    "warcio",
    "webencodings",
    "zstandard",
)


def versions(config: Config) -> dict[str, Any]:
    """What the output depends on besides configuration and input.

    Args:
        config: tells which filters run.

    Returns:
        Versions of joeira, Python and libraries; of filters; digests of blocklists, evaluation sets and models.
    """
    filters = registry.select(config.annotate.filters)
    indexes = {}
    if config.dedup.against:
        from pipeline.dedup import index  # loads Beam

        indexes = {path: index.digest(path) for path in config.dedup.against}
    return {
        "joeira": __version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "filters": {entry.name: entry.version for entry in filters},
        "blocklists": blocklist.digests(config.urls.blocklists),
        "opt_out_lists": {path: _digest_of_file(path) for path in config.consent.optout},
        "indexes": indexes,
        "evaluation_sets": contamination.digests(config.contamination.files),
        "models": {name: f"sha256:{digest}" for entry in filters for name, digest in entry.models.items()},
    }


def _digest_of_file(path: str) -> str:
    return f"sha256:{hashlib.sha256(Path(path).read_bytes()).hexdigest()}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def summarise(
    extracted: Iterable[Mapping[str, Any]],
    annotated: Iterable[Mapping[str, Any]],
    asked: Iterable[Mapping[str, Any]],
    decided: Iterable[Mapping[str, Any]],
    written: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """Add the receipts of a run up and check that nothing was lost on any edge.

    Args:
        extracted: receipts of ``extract``.
        annotated: receipts of ``annotate``.
        asked: receipts of ``consent``.
        decided: receipts of ``decide``.
        written: receipts of ``shards``.

    Returns:
        ``counts`` on every edge, ``consent``, ``rules``, ``languages``, and ``conservation``.

    Raises:
        RunError: an edge does not conserve; says which, and by how much.
    """
    counts: dict[str, Any] = {"records": {}, "rejected": {}, "errors": {}}
    edges: dict[str, Tally] = {}

    def note(stage: str, receipt: Mapping[str, Any]) -> None:
        for name, values in receipt["tallies"].items():
            edge = f"{stage}.{name}"
            edges[edge] = edges.get(edge, Tally()) + Tally.from_dict(values)

    for receipt in extracted:
        note("extract", receipt)
        add_counts(counts["records"], receipt["records"])
        add_counts(counts["rejected"], receipt["reasons"])
        add_counts(counts["errors"], receipt["errors"])
    annotation = {"documents": 0, "errors": 0}
    for receipt in annotated:
        add_counts(annotation, receipt)
    consent: dict[str, Any] = {}
    for receipt in asked:
        add_counts(consent, receipt)
    rules: dict[str, Any] = {}
    languages: dict[str, Any] = {}
    sizes: dict[str, Any] = {}
    for receipt in decided:
        note("decide", receipt)
        add_counts(rules, receipt["rules"])
        add_counts(languages, receipt["languages"])
        add_counts(sizes, receipt["sizes"])
    for receipt in written:
        note("shards", receipt)

    def get(edge: str) -> Tally:
        return edges.get(edge, Tally())

    equations = {
        "extract: in = documents + rejected + failed": (
            get("extract.in"),
            get("extract.documents") + get("extract.rejected") + get("extract.failed"),
        ),
        "decide: documents = kept + removed + failed": (
            get("extract.documents"),
            get("decide.kept") + get("decide.removed") + get("decide.failed"),
        ),
        "shards: kept = rows in data/": (get("decide.kept"), get("shards.kept")),
        "shards: rejected + removed = rows in removed/": (
            get("extract.rejected") + get("decide.removed"),
            get("shards.removed"),
        ),
        "shards: failed = rows in failed/": (get("extract.failed") + get("decide.failed"), get("shards.failed")),
    }
    for equation, (left, right) in equations.items():
        if left != right:
            raise RunError(
                f"conservation broken on {equation}: {left.count} against {right.count} "
                f"(id checksums {left.to_dict()['checksum']} and {right.to_dict()['checksum']}); "
                "the output is not finished: remove it and run again"
            )
    if annotation["documents"] != get("extract.documents").count:
        raise RunError(
            f"conservation broken: {annotation['documents']} documents annotated of {get('extract.documents').count}"
        )
    totals = {
        "in": get("extract.in"),
        "kept": get("shards.kept"),
        "removed": get("shards.removed"),
        "failed": get("shards.failed"),
    }
    return {
        "counts": {
            **{key: dict(sorted(value.items())) for key, value in counts.items()},
            "captures": get("extract.captures").count,
            "documents": get("extract.documents").count,
            "kept_text": dict(zip(("bytes", "words", "chars"), sizes.get("kept", [0, 0, 0]), strict=True)),
            "removed_text": dict(zip(("bytes", "words", "chars"), sizes.get("removed", [0, 0, 0]), strict=True)),
        },
        "consent": {name: dict(sorted(values.items())) for name, values in sorted(consent.items())},
        "rules": rules,
        "languages": dict(sorted(languages.items())),
        "conservation": {
            **{name: tally.count for name, tally in totals.items()},
            "checksums": {name: tally.to_dict()["checksum"] for name, tally in totals.items()},
            "equations": sorted(equations),
            "holds": True,
        },
    }


def digest_of(values: Any) -> str:
    """A digest of plain values.

    Args:
        values: anything that JSON can hold.

    Returns:
        Hexadecimal SHA-256 of its canonical JSON.
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def encode(values: Any) -> bytes:
    """JSON as we write it to files.

    Args:
        values: plain values.

    Returns:
        Indented UTF-8 with sorted keys.
    """
    return (json.dumps(values, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()
