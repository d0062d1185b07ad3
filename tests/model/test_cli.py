"""The verbs, one after the other, as somebody would use them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from model.cli import main  # noqa: E402
from tests.model.conftest import write_shards  # noqa: E402

TRAIN = [
    "--steps",
    "8",
    "--batch-rows",
    "4",
    "--micro-rows",
    "4",
    "--length",
    "32",
    "--eval-rows",
    "2",
    "--device",
    "cpu",
]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_from_shards_to_text(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(shards)
    vocabulary, run = str(tmp_path / "vocabulary"), str(tmp_path / "run")
    assert answer(capsys, "tokenizer", "--shards", place, "--vocab", "300", "--output", vocabulary)["tokens"] == 300
    pretrained = answer(
        capsys, "pretrain", "--shards", place, "--tokenizer", vocabulary, "--output", run, *TRAIN, "--optimizer", "muon"
    )
    assert (pretrained["step"], pretrained["skipped"]) == (8, 0)
    model = f"{run}/model"
    found = answer(capsys, "evaluate", "--model", model, "--shards", place)
    assert set(found) == {"model", "1-gram", "3-gram"}
    texts = answer(capsys, "sample", "--model", model, "o rio", "the sea", "--tokens", "5")["texts"]
    assert len(texts) == 2
    assert answer(capsys, "ask", "--model", model, "sentiment", "o rio é azul")["answer"].keys() == {
        "positive",
        "negative",
    }
    other = str(write_shards(tmp_path / "other", 100, seed=5))
    lora = ["lora", "--model", model, "--shards", other, "--output", str(tmp_path / "lora"), "--rank", "1", "--merge"]
    assert answer(capsys, *lora, *TRAIN)["step"] == 8
    adapted = answer(
        capsys, "sample", "--model", model, "--adapter", f"{tmp_path}/lora/adapter", "o", "--temperature", "0"
    )
    merged = answer(capsys, "sample", "--model", f"{tmp_path}/lora/model", "o", "--temperature", "0")
    assert adapted == merged
    tuned = answer(capsys, "finetune", "--model", model, "--shards", other, "--output", str(tmp_path / "tuned"), *TRAIN)
    assert tuned["step"] == 8
    assert answer(capsys, "export", run, "--output", str(tmp_path / "exported"))["step"] == 8
    weights = [tmp_path / name / "model.safetensors" for name in ("run/model", "exported")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert answer(capsys, "import", "--model", model, "--output", str(tmp_path / "imported"))["parameters"] > 0


def test_errors_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokenizer", "--shards", str(tmp_path), "--output", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err == f"joeira model: error: {tmp_path}: no shards (*.parquet) stand here\n"
    assert main([]) == 2


def test_help_is_quick() -> None:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "model", "--help"], capture_output=True, text=True, check=True)
    assert "pretrain" in done.stdout
    assert time.perf_counter() - began < 2  # 0.1 s here; with torch it would be several
