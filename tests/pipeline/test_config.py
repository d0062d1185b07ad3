from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import config
from pipeline.errors import UsageError


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("preset: none\nextract: {timeout_s: 3}\nreport: {samples: 7}\n")
    loaded = config.load(None, str(file), ["report.samples=9"])
    assert (loaded.preset, loaded.assemble.rules) == ("none", ())
    assert (loaded.extract.timeout_s, loaded.report.samples, loaded.report.sample_chars) == (3.0, 9, 600)
    assert config.load("basic", str(file)).preset == "basic"


def test_a_configuration_survives_its_plain_form() -> None:
    for name in config.preset_names():
        loaded = config.load(name, None, ["extract.options={favor_precision: true}"])
        assert config.from_dict(loaded.to_dict()) == loaded
        assert config.from_dict(loaded.to_dict()).fingerprint() == loaded.fingerprint()


def test_every_rule_of_a_preset_has_a_source() -> None:
    for name in config.preset_names():
        assert all(rule.source for rule in config.load(name).assemble.rules)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("extract.timout_s=1", r"unknown key 'extract.timout_s'; did you mean 'timeout_s'\?"),
        ("extrakt.engine=x", r"unknown key 'extrakt'; did you mean 'extract'\?"),
        ("extract.timeout_s=soon", "extract.timeout_s: expected float, found 'soon'"),
        ("extract.max_nodes=true", "expected int, found True"),
        ("extract.accept=3", "extract.accept: expected a list, found 3"),
        ("extract.status=[200, x]", r"extract.status\[1\]: expected int, found 'x'"),
        ("extract=3", "extract: expected keys and values"),
        ("extract", "expected section.key=value"),
        ("extract.engine=[", "the value is not YAML"),
        ("assemble.rules=[{name: a}]", r"assemble.rules\[0\]: 'signal' is missing"),
        ("assemble.rules=[{name: a, signal: b, mim: 3}]", r"rules\[0\].mim'; did you mean 'min'"),
    ],
)
def test_mistakes_are_told_in_one_sentence(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        config.load(None, None, [setting])


@pytest.mark.parametrize(("content", "message"), [("- 1\n", "expected sections"), ("a: [", "is not YAML")])
def test_bad_files(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(content)
    with pytest.raises(UsageError, match=message):
        config.load(None, str(file))
    with pytest.raises(UsageError, match="cannot read configuration"):
        config.load(None, str(tmp_path / "none.yaml"))


def test_unknown_presets_name_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown preset 'basik'; did you mean 'basic'\?"):
        config.load("basik")
