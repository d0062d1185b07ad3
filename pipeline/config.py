"""One typed configuration: defaults < preset < file < ``--set``.

Every field's default stands beside the reason for it. Unknown keys and wrong types are refused with the
nearest known key. This module imports nothing heavy, so the command line can read it at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.conversion import convert, merge, nearest, read_yaml, setting
from pipeline.errors import UsageError

PRESETS = Path(__file__).parent / "presets"
DEFAULT_PRESET = "basic"


@dataclass(frozen=True, kw_only=True)
class Read:
    """How inputs are cut and read.

    Attributes:
        split_mib: size of a byte range given to one worker; 0 chooses by the size of all inputs (never by workers, so
            that the output does not depend on them).
        record_mib: content kept of one record; what is longer is removed as ``too_large``.
        skip_mib: content inflated past that to find its end; a gzip bomb ends there.
        text_field: column of JSON Lines and Parquet inputs that holds the text.
        url_field: their column with the URL, optional in the data.
        date_field: their column with the date (ISO 8601), optional in the data.
        id_field: their column with an identifier, kept as ``record_id``; optional in the data.
        source: name of the corpus in the ``source`` column; empty takes ``CC-MAIN-…`` from the path, else
            the kind of input.
    """

    split_mib: int = 0
    record_mib: int = 32
    skip_mib: int = 256
    text_field: str = "text"
    url_field: str = "url"
    date_field: str = "date"
    id_field: str = "id"
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Which responses become documents, and how.

    Attributes:
        engine: a name out of ``filters.extraction.engine.ENGINES``.
        options: keyword arguments of that engine; they go into the manifest.
        accept: media types that are extracted; a type that is missing or vague is sniffed.
        status: HTTP status codes that are extracted.
        body_mib: decoded size beyond which a page is removed (Common Crawl itself cuts at 1 to 5 MiB).
        max_nodes: elements beyond which a page is removed.
        max_depth: levels of nesting beyond which a page is removed; libxml2 itself builds no more than 256,
            so the default removes none, and real pages with unclosed elements do reach it.
        timeout_s: seconds after which a page is killed and recorded (a page takes 0.02 s on average).
        memory_mib: address space of the process that extracts; what needs more is recorded as failed.
        recycle_pages: pages after which that process is replaced, since extractors leak (trafilatura #216).
    """

    engine: str = "trafilatura"
    options: dict[str, Any] = field(default_factory=lambda: {"include_comments": False})
    accept: tuple[str, ...] = ("text/html", "application/xhtml+xml")
    status: tuple[int, ...] = (200,)
    body_mib: int = 10
    max_nodes: int = 200_000
    max_depth: int = 256
    timeout_s: float = 8.0
    memory_mib: int = 2048
    recycle_pages: int = 2000


@dataclass(frozen=True, kw_only=True)
class Urls:
    """Which addresses are refused before anything else is asked.

    Attributes:
        blocklists: ``builtin`` (our own small list), or paths of lists in any form that
            ``filters.blocklist`` reads.
        host_share: share of hosts that is kept, chosen by hash of the host; 1 keeps all.
        host_cap: the most documents of one host, chosen by hash of their ids among those that no rule removes;
            0 sets none.
    """

    blocklists: tuple[str, ...] = ()
    host_share: float = 1.0
    host_cap: int = 0


@dataclass(frozen=True, kw_only=True)
class Annotate:
    """Which signals are computed.

    Attributes:
        filters: names out of ``filters.registry.FILTERS``, in order. A definition that cleans (``c4.c4_tfds``) hands
            its text on: filters after it, and the shards, see what it leaves.
    """

    filters: tuple[str, ...] = ("language", "text_stats")


@dataclass(frozen=True, kw_only=True)
class Heuristics:
    """How the heuristic families are used.

    Attributes:
        limits: changes to limits, by definition and signal: ``{c4.mc4_tfds: {third_longest_line: {min: 100}}}``; an
            empty value turns the rule off.
        from_profile: take limits from the profile of the document's language where it has them.
        badwords: by language, words for which C4 drops a page.
    """

    limits: dict[str, Any] = field(default_factory=dict)
    from_profile: bool = False
    badwords: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Contamination:
    """What is looked for: evaluation items in ``files`` of JSON lines, by ``words`` in a row (GPT-3: 13)."""

    files: tuple[str, ...] = ()
    words: int = 13


@dataclass(frozen=True, kw_only=True)
class Dedup:
    """What counts as a copy, and which copy stays. Only documents that no rule removes are compared.

    Attributes:
        levels: out of ``known`` (what an index of another corpus has), ``url`` (normalised address), ``exact`` (text
            but for white space), ``near`` (MinHash), ``line`` (lines that many documents have are cut) and
            ``substring`` (so are stretches of words that stood before, in the same split); each sees what the ones
            before it left. ``known``, ``exact``, ``near`` and ``line`` need the filter ``fingerprints``.
        against: for ``known``, directories that ``joeira index`` wrote, with the same MinHash parameters.
        prefer: of the members of a cluster stays the first by these: ``consent`` (given before unknown), ``licence``
            (any before none), ``newest``, or a signal of which more is better; ties go to the smallest id.
        url_canonical: let a page's canonical link on the same host stand for its address.
        bands: stretches of a MinHash signature of which one must agree (FineWeb: 14).
        rows: values in each (FineWeb: 8; half of all pairs of Jaccard 0.72 share a band).
        shingle: words in a shingle (FineWeb: 5).
        seed: of the permutations.
        fold_numbers: count all numbers as the same.
        verify: smallest Jaccard similarity of shingles for a pair that shares a band; 0 takes every such pair.
        bucket_pairs: documents that share a band, up to which all pairs are looked at; of more (counted in the
            manifest) each with the first.
        line_definition: ``boilerplate``, or ``c4_tfds``: all lines, cut from all documents but one, and documents of
            fewer than three sentences go.
        line_documents: in how many documents a line must stand to be cut (short lines: in how many of one host).
        line_keep_one: leave it in one of them (C4).
        substring_words: words of the shortest stretch that is cut where it stands again (Lee et al. 2022: 50 tokens).
        least_chars: a document of which less is left after lines or stretches are cut is removed (mC4's 200).
        rehydrate: give shards a column ``weight`` by ``cluster_size``, as FineWeb-2 does.
    """

    levels: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ("consent", "licence", "newest")
    url_canonical: bool = False
    bands: int = 14
    rows: int = 8
    shingle: int = 5
    seed: int = 1
    fold_numbers: bool = False
    verify: float = 0.7
    bucket_pairs: int = 64
    rehydrate: bool = False
    line_definition: str = "boilerplate"
    line_documents: int = 6
    line_keep_one: bool = False
    substring_words: int = 50
    least_chars: int = 200


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What is asked about consent, and what of the answers is obeyed.

    Attributes:
        profile: ``crawl`` (what bound the crawler), ``train`` (every statement about training) or ``strict``
            (``filters.consent.decision``).
        crawler: product tokens of the agent that fetched the pages; empty for Common Crawl's.
        lenient: read robots.txt with misspellings and missing colons, as Google does: it finds more refusals.
        optout: files with what must not be used, one entry a line (``filters.consent.optout``): hosts, URL prefixes,
            content hashes.
        remove: remove documents of which training is refused, as ``consent``; else they are only marked.
    """

    profile: str = "train"
    crawler: tuple[str, ...] = ("CCBot",)
    lenient: bool = True
    optout: tuple[str, ...] = ()
    remove: bool = True


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One reason to remove a document: a signal outside its limits.

    Attributes:
        name: the reason that the document is given.
        signal: the signal's column.
        min: the smallest value that is kept.
        max: the largest value that is kept.
        one_of: the values that are kept.
        from_profile: take ``min`` and ``max`` from the profile of the document's language.
        source: where the limit comes from.
    """

    name: str
    signal: str
    min: float | None = None
    max: float | None = None
    one_of: tuple[str, ...] | None = None
    from_profile: bool = False
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Assemble:
    """Which documents are kept, and how shards are cut.

    Attributes:
        rules: reasons to remove a document, in order; the first that fails is its reason, all are recorded.
        definitions: heuristic definitions (``family.name``) of which every limit is a rule, after ``rules``.
        profiles: languages with a profile of their own (``filters/profiles``).
        fallback_profile: the profile for every other language; empty removes them as ``no_profile``.
        shard_mib: text in one shard, before compression; more rows begin the next.
        removed_text: keep the text of removed documents too.
    """

    rules: tuple[Rule, ...] = ()
    definitions: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ("de", "en", "es", "fr", "ja", "pt", "zh")
    fallback_profile: str = "generic"
    shard_mib: int = 128
    removed_text: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the report shows.

    Attributes:
        samples: removed documents shown for each reason, chosen by hash of their id.
        sample_chars: characters shown of each.
    """

    samples: int = 5
    sample_chars: int = 600


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration of a run; ``preset`` names the file its values started from."""

    preset: str = DEFAULT_PRESET
    read: Read = field(default_factory=Read)
    urls: Urls = field(default_factory=Urls)
    extract: Extract = field(default_factory=Extract)
    annotate: Annotate = field(default_factory=Annotate)
    heuristics: Heuristics = field(default_factory=Heuristics)
    contamination: Contamination = field(default_factory=Contamination)
    consent: Consent = field(default_factory=Consent)
    dedup: Dedup = field(default_factory=Dedup)
    assemble: Assemble = field(default_factory=Assemble)
    report: Report = field(default_factory=Report)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain values.

        Returns:
            Nested dictionaries and lists that JSON and YAML can hold.
        """
        return typing.cast(dict[str, Any], json.loads(json.dumps(dataclasses.asdict(self))))

    def fingerprint(self) -> str:
        """A digest of every value.

        Returns:
            Hexadecimal SHA-256.
        """
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def load(preset: str | None = None, file: str | None = None, settings: typing.Sequence[str] = ()) -> Config:
    """Build a configuration.

    Args:
        preset: name of a preset; a ``preset`` key in the file counts where this is None.
        file: path of a YAML file.
        settings: ``section.key=value`` strings, the value in YAML.

    Returns:
        The configuration.

    Raises:
        UsageError: a preset or file is missing or malformed, a key unknown, a value of the wrong type.
    """
    from_file = read_yaml(Path(file)) if file else {}
    chosen = preset or from_file.pop("preset", None) or DEFAULT_PRESET
    from_file.pop("preset", None)
    merged: dict[str, Any] = {}
    merge(merged, _preset(chosen))
    merge(merged, from_file)
    for text in settings:
        merge(merged, setting(text))
    return from_dict({**merged, "preset": chosen})


def from_dict(values: dict[str, Any]) -> Config:
    """Build a configuration from plain values, checking every one.

    Args:
        values: nested dictionaries, as :meth:`Config.to_dict` makes.

    Returns:
        The configuration.
    """
    return typing.cast(Config, convert(values, Config, ""))


def preset_names() -> list[str]:
    """The presets that ship.

    Returns:
        Their names.
    """
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _preset(name: str) -> dict[str, Any]:
    path = PRESETS / f"{name}.yaml"
    if not path.is_file():
        raise UsageError(f"unknown preset {name!r}{nearest(name, preset_names())}")
    return read_yaml(path)
