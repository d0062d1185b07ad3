"""Laws that are known are found again, and counters are read right."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from model import energy, scaling  # noqa: E402
from model.cli import main  # noqa: E402
from model.errors import ModelError  # noqa: E402
from model.scaling import Law  # noqa: E402

# Hoffmann et al. 2022, appendix D.3.
CHINCHILLA = Law(1.69, 406.4, 410.7, 0.34, 0.28)


def runs(law: Law) -> list[dict[str, float]]:
    return [
        {"params": n, "tokens": d, "loss": law.loss(n, d)}
        for n in (5e7, 2e8, 1e9, 5e9)
        for d in (1e9, 5e9, 2e10, 1e11)
    ]  # fmt: skip


def test_a_law_is_found_again() -> None:
    points = runs(CHINCHILLA)
    found = scaling.fit(*([one[name] for one in points] for name in ("params", "tokens", "loss")))
    for name in ("e", "a", "b", "alpha", "beta"):
        assert getattr(found, name) == pytest.approx(getattr(CHINCHILLA, name), rel=0.01)


def test_the_optimum_is_the_lowest_of_its_budget() -> None:
    budget = 1e21
    params, tokens = CHINCHILLA.optimum(budget)
    assert 6 * params * tokens == pytest.approx(budget)
    others = [CHINCHILLA.loss(params * factor, tokens / factor) for factor in np.geomspace(0.1, 10, 41)]
    assert CHINCHILLA.loss(params, tokens) == pytest.approx(min(others))


def test_points_that_others_measured_have_their_exponents() -> None:
    """nanochat's compute-optimal points (its lab notebook, 2026-01-27)."""
    budgets = [1e18, 2e18, 5e18, 1e19]
    assert scaling.exponent(budgets, [110.7e6, 167.8e6, 250.7e6, 381.8e6]) == pytest.approx(0.54, abs=0.02)
    assert scaling.exponent(budgets, [1.24e9, 1.79e9, 2.64e9, 3.81e9]) == pytest.approx(0.49, abs=0.02)


def test_the_verb_fits_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.jsonl"
    source = np.random.default_rng(1)
    noisy = [one | {"loss": one["loss"] * float(np.exp(source.normal(0, 1e-3)))} for one in runs(CHINCHILLA)]
    path.write_text("".join(json.dumps(one) + "\n" for one in noisy))
    assert main(["scaling", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["law"]["alpha"] == pytest.approx(0.34, abs=0.03)
    low, high = found["between"]["alpha"]
    assert low < high
    path.write_text('{"params": 1}\n')
    assert main(["scaling", str(path)]) == 1
    assert "found one without tokens" in capsys.readouterr().err
    with pytest.raises(ModelError, match="expected five runs or more"):
        scaling.fit([1.0], [1.0], [1.0])


def test_counters_of_processors_are_added_and_wrap_around(tmp_path: Path) -> None:
    for name, most in (("intel-rapl:0", 1000e6), ("intel-rapl:1", 1000e6), ("intel-rapl:0:0", 1000e6)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text("900000000\n")
        (tmp_path / name / "max_energy_range_uj").write_text(f"{most:.0f}\n")
    meter = energy.Meter(tmp_path, SimpleNamespace())
    assert meter.sources == ["processors"]
    (tmp_path / "intel-rapl:0/energy_uj").write_text("950000000\n")
    assert meter.joules() == pytest.approx(50)
    (tmp_path / "intel-rapl:1/energy_uj").write_text("100000000\n")  # around: 100 to the end, and 100
    assert meter.joules() == pytest.approx(250)


def test_counters_of_cards(tmp_path: Path) -> None:
    values = {"a": 5000.0, "b": 7000.0}
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda number: "ab"[number],
        nvmlDeviceGetTotalEnergyConsumption=lambda card: values[card],
    )
    meter = energy.Meter(tmp_path / "none", nvml)
    values.update(a=6500.0, b=7500.0)
    assert (meter.sources, meter.joules()) == (["cards"], 2.0)
    found = energy.footprint(3.6e6, 1e6, pue=1.5, grid=400.0)
    assert (found.kwh, found.joules_a_token, found.grams) == (1.5, 3.6, 600.0)


def test_what_cannot_be_measured_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert energy.Meter(tmp_path / "none", SimpleNamespace()).joules() is None
    line = {"step": 1, "seconds": 2.0, "tokens_per_second": 10, "joules": None}
    (tmp_path / "log.jsonl").write_text(json.dumps(line) + "\n")
    assert main(["energy", str(tmp_path)]) == 0
    assert "unknown" in capsys.readouterr().out
    # Stopped after 2 s and gone on for 3: counters begin anew.
    lines = [line | {"joules": 5.0}, line | {"seconds": 1.0, "joules": 2.0}, line | {"seconds": 3.0, "joules": 8.0}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    assert main(["energy", str(tmp_path), "--grid", "100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["joules"], found["tokens"]) == (13.0, 50.0)
