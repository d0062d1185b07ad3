"""Presets and heuristic rules through the whole job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from filters import heuristics
from filters.heuristics import limits
from filters.heuristics.definition import Options
from filters.textview import TextView
from pipeline import config, rules
from pipeline.errors import UsageError
from tests.conftest import Curate, manifest, rows
from tests.pipeline.test_filter_pipe import pipe

RECIPES = ("c4", "fineweb", "fineweb2-pt", "gopher", "refinedweb", "web-en", "web-pt")
TEXTS = {
    "good": "The river rises in the hills and runs to the sea. Boats carry wheat and salt along its banks. "
    "People who live there have kept records of the floods since the town was built, and they read them aloud.\n"
    "In spring the water is high, so the ferry stops for a week. Nobody minds. The market moves to the square, where "
    "a band plays and children sell lemonade. Old men argue about which year was worst.",
    "javascript": "Please turn javascript on to see this page in full.\n",
    "short": "Too short to keep, and to the point.",
    "pt": "O rio nasce na serra e corre para o mar. Os barcos levam trigo e sal ao longo das margens. Quem mora ali "
    "guarda registros das cheias desde que a vila foi fundada, e costuma lê-los em voz alta na praça.\n"
    "Na primavera a água sobe, e por isso a balsa para durante uma semana. Ninguém se importa. A feira muda para a "
    "praça, onde toca uma banda e as crianças vendem limonada. Os velhos discutem qual foi o pior ano de todos.",
}


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    listed = {**TEXTS, "cleaned": TEXTS["good"] + "\n" + TEXTS["javascript"], "again": "Say it again. " * 60}
    path.write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in listed.items()))
    return path


@pytest.mark.parametrize("name", config.preset_names())
def test_presets_are_whole(name: str) -> None:
    loaded = config.load(name)
    rules.check(loaded)
    assert all(rule.source for rule in rules.resolve(loaded))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_judge_every_text_by_every_rule(name: str, curate: Curate, texts: Path) -> None:
    run = curate(texts, options=("--preset", name))
    kept = {row["record_id"] for row in rows(run, "data")}
    # C4 has no rule on repetition within a line.
    again = {"again"} if name == "c4" else set()
    assert kept == ({"pt"} if name.endswith("pt") else {"good", "cleaned"} | again)
    result = manifest(run)
    documents = result["counts"]["documents"]
    assert all(count["evaluated"] + count["exempt"] <= documents for count in result["rules"].values())
    assert {rule["name"] for rule in result["limits"]} == set(result["rules"])
    for definition in config.load(name).assemble.definitions:
        assert result["versions"]["filters"][definition] == heuristics.BY_NAME[definition].version
    short = next(row for row in rows(run, "removed") if row["record_id"] == "short")
    if name not in ("c4", "fineweb2-pt", "web-pt"):
        # Length before repetition, all reasons kept, and the values they were judged by.
        assert short["reason"].endswith("word_count")
        assert short["reasons"][0] == short["reason"]
        assert dict(short["scores"])[short["reason"]] == 8


def test_shards_hold_the_text_as_it_was_cleaned(curate: Curate, texts: Path) -> None:
    run = curate(texts, options=("--preset", "c4"))
    cleaned = {row["record_id"]: row["text"] for row in rows(run, "data")}
    assert cleaned["cleaned"] == cleaned["good"] == TEXTS["good"]
    raw = {row["record_id"]: row["text"] for row in rows(run, "work/documents")}
    assert TEXTS["javascript"].strip() in raw["cleaned"]


def test_attribution_is_that_of_each_rule_asked_alone(curate: Curate, texts: Path) -> None:
    run = curate(texts, options=("--preset", "fineweb"))
    definitions = config.load("fineweb").assemble.definitions
    alone: dict[str, set[str]] = {}
    for name in definitions:
        definition = heuristics.BY_NAME[name]
        for row in rows(run, "work/documents"):
            text = row["text"]
            if name == "fineweb.fineweb_code":  # it sees what C4 leaves
                text = heuristics.find("c4", "c4_fineweb").measure(TextView(text), Options()).text or ""
            language = {"pt": "pt"}.get(row["record_id"], "en")
            found = definition.measure(TextView(text, language), Options())
            for reason in limits.reasons(found, definition.limits):
                alone.setdefault(f"{name}.{reason}", set()).add(row["record_id"])
    counts = manifest(run)["rules"]
    assert {name: len(found) for name, found in alone.items()} == {
        name: count["fired"] for name, count in counts.items() if count["fired"] and "." in name
    }


def test_limits_change_and_rules_turn_off_by_configuration(curate: Curate, texts: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "preset: gopher\nheuristics: {limits: {gopher_quality.paper: {word_count: {min: 5}}, "
        "gopher_repetition.paper: {top_2gram_char_frac: }}}\n"
    )
    run = curate(texts, options=("--config", str(file)))
    assert "short" in {row["record_id"] for row in rows(run, "data")}
    assert "gopher_repetition.paper.top_2gram_char_frac" not in manifest(run)["rules"]
    limit = next(rule for rule in manifest(run)["limits"] if rule["name"] == "gopher_quality.paper.word_count")
    assert (limit["min"], limit["max"]) == (5, None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["assemble.definitions=[c4.c4_tdfs]"], "unknown definition 'c4.c4_tdfs'; known: c4.c4_tfds"),
        (["assemble.definitions=[c4.c4_tfds]"], "no filter makes the signal 'c4.c4_tfds.badword'"),
        (["annotate.filters=[c4.c4_tfds, language]"], "put 'language' before it"),
        (["heuristics.badwords={en: ass}"], "heuristics.badwords.en: expected a list of words, found 'ass'"),
        (["heuristics.limits={c4.c4_tfds: {sentences: {min: 1}}}"], "sentences: no rule asks for it"),
    ],
)
def test_mistakes_are_named_before_the_run(settings: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rules.check(config.load("none", None, settings))


@pytest.mark.parametrize("family", heuristics.FAMILIES)
def test_families_as_pipes(family: str) -> None:
    lines: list[dict[str, Any]] = [{"id": 1, "text": TEXTS["good"]}, {"id": "empty", "text": ""}]
    lines += [{"id": name, "text": TEXTS["good"], "definition": name} for name in heuristics.FAMILIES[family]]
    lines += [{"id": "bad", "text": "x", "definition": "nope"}, {"id": "lone", "text": "\ud800"}, {"id": "none"}]
    code, out = pipe(family, *lines)
    assert code == 1
    assert [line["id"] for line in out] == [line["id"] for line in lines]
    for line in out[: 2 + len(heuristics.FAMILIES[family])]:
        definition = heuristics.find(family, str(line["definition"]))
        assert line["keep"] == (not line["reasons"])
        assert set(line["signals"]) <= set(definition.signals)  # type: ignore[call-overload]
        assert ("counters" in line) == (family == "c4" and definition.cleans)
    assert "unknown definition 'nope'" in str(out[-3]["error"])
    assert "keep" in out[-2]
    assert "expected a string in 'text'" in str(out[-1]["error"])


def test_pipes_take_limits_words_and_profiles_from_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "heuristics:\n  from_profile: true\n  badwords: {en: [lemonade]}\n"
        "  limits: {gopher_quality.paper: {word_count: {min: 5}}}\n"
    )
    options = ("--config", str(file))
    assert "badword" in pipe("c4", {"text": TEXTS["good"]}, options=options)[1][0]["reasons"]  # type: ignore[operator]
    assert pipe("gopher_quality", {"text": TEXTS["short"]}, options=options)[1][0]["keep"]
    # Eleven characters a word: above the limit for English, which FineWeb-2 raises to 15 for German.
    text = " ".join(["Donaudampfschifffahrt", "der", "die", "Verkehrsbetriebe", "und", "Straßenbahnhaltestelle"] * 20)
    line = {"text": text, "definition": "fineweb2"}
    assert "mean_word_length" in pipe("gopher_quality", line, options=options)[1][0]["reasons"]  # type: ignore[operator]
    line["language"] = "de"
    assert "mean_word_length" not in pipe("gopher_quality", line, options=options)[1][0]["reasons"]  # type: ignore[operator]
