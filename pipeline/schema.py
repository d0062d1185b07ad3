"""The columns of every file that a run writes."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from filters.registry import Filter

_TIME = pa.timestamp("ms", tz="UTC")
_ARROW_TYPES = {
    "int": pa.int64(),
    "float": pa.float64(),  # a limit that is met exactly must stay met
    "string": pa.string(),
    "bytes": pa.binary(),
    "strings": pa.list_(pa.string()),
    "floats": pa.list_(pa.float32()),
}

# Where a document came from: enough to fetch its bytes again.
_PLACE = [
    ("warc_file", pa.string()),
    ("warc_offset", pa.int64()),
    ("warc_length", pa.int64()),
    ("record_id", pa.string()),
]

DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("host", pa.string()),
        ("date", _TIME),
        ("text", pa.string()),
        ("title", pa.string()),
        ("language_hint", pa.string()),
        ("source", pa.string()),
        ("http_signals", pa.list_(pa.string())),
        ("page_signals", pa.list_(pa.string())),
        ("charset", pa.string()),
        ("charset_evidence", pa.string()),
        ("truncated", pa.string()),
        ("payload_digest", pa.string()),
        ("payload_bytes", pa.int64()),
        *_PLACE,
    ]
)

ROBOTS = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("host_key", pa.string()),
        ("path", pa.string()),
        ("date", _TIME),
        ("status", pa.int16()),
        ("headers", pa.list_(pa.string())),
        ("body", pa.binary()),
        ("truncated", pa.string()),
        *_PLACE,
    ]
)

# Row by row beside ``documents/``: what may be done with a document, and every statement that was found.
EVIDENCE_FIELDS = ("signal", "says", "scope", "value", "where", "source", "flaw")
CONSENT = pa.schema(
    [
        ("id", pa.string()),
        ("decision", pa.string()),
        ("crawl", pa.string()),
        ("images", pa.string()),
        ("why", pa.string()),
        ("robots_date", _TIME),
        ("latest", pa.string()),
        ("latest_date", _TIME),
        ("licence", pa.string()),
        ("licence_scope", pa.string()),
        ("licence_url", pa.string()),
        ("signals", pa.list_(pa.string())),
        (
            "evidence",
            pa.list_(pa.struct([(name, pa.string()) for name in EVIDENCE_FIELDS])),
        ),
    ]
)

REMOVED = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("host", pa.string()),
        ("date", _TIME),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("detail", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float32()),
        ("scores", pa.map_(pa.string(), pa.float64())),
        ("text", pa.string()),
        ("source", pa.string()),
        *_PLACE,
    ]
)

FAILED = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("stage", pa.string()),
        ("error", pa.string()),
        ("detail", pa.string()),
        ("warc_file", pa.string()),
        ("warc_offset", pa.int64()),
        ("record_id", pa.string()),
    ]
)

DECISIONS = pa.schema(
    [
        ("id", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("profile", pa.string()),
        ("survivor", pa.string()),
        ("cluster_size", pa.int32()),
        ("cut", pa.list_(pa.uint64())),
        ("cut_starts", pa.list_(pa.int64())),
        ("cut_ends", pa.list_(pa.int64())),
    ]
)

# Row by row beside ``documents/``: the text as filters left it, null where none changed it.
CLEANED = pa.schema([("id", pa.string()), ("text", pa.string())])

DATA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("url", pa.string()),
        ("host", pa.string()),
        ("date", _TIME),
        ("language", pa.string()),
        ("language_score", pa.float32()),
        ("quality", pa.float32()),
        ("toxicity", pa.float32()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("consent", pa.string()),
        ("cluster_size", pa.int32()),
        ("pii_count", pa.int32()),
        *_PLACE,
    ]
)


def data(*, weighted: bool) -> pa.Schema:
    """The columns of training shards.

    Args:
        weighted: whether they say how often a document should be seen.

    Returns:
        The schema.
    """
    return DATA.append(pa.field("weight", pa.int32())) if weighted else DATA


def signals(filters: Iterable[Filter]) -> pa.Schema:
    """The columns of ``signals/``: the document's id, those of each filter, and why none could be computed.

    Args:
        filters: the filters of the run, in order.

    Returns:
        The schema.
    """
    columns = [(name, _ARROW_TYPES[kind]) for entry in filters for name, kind in entry.columns.items()]
    return pa.schema([("id", pa.string()), *columns, ("annotate_error", pa.string())])
