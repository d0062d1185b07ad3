"""Training: bitwise resumed, the same in parts and over processes, and robust against what goes wrong."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from model import checkpoint, hf, schedule  # noqa: E402
from model.config import TrainConfig  # noqa: E402
from model.errors import ModelError  # noqa: E402
from model.gpt import GPT  # noqa: E402
from model.optim import Optimizer, groups  # noqa: E402
from model.shards import Shards  # noqa: E402
from model.tokenizer import Tokenizer  # noqa: E402
from model.train import Result, train  # noqa: E402
from tests.model.conftest import config, gpt  # noqa: E402

ROOT = Path(__file__).parents[2]
SETTINGS = TrainConfig(steps=10, batch_rows=8, micro_rows=8, lr=1e-2, eval_rows=4, device="cpu", length=32)


def run(shards: Path, tokenizer: Tokenizer, output: Path, said: list[str] | None = None, **changes: Any) -> Result:
    settings = dataclasses.replace(SETTINGS, **changes)
    say = (said if said is not None else []).append
    return train(Shards(shards), tokenizer, config(), settings, output, say=say)


def weights(output: Path) -> dict[str, Any]:
    return load_file(output / "model/model.safetensors")


def same(one: dict[str, Any], two: dict[str, Any], tolerance: float = 0.0) -> bool:
    return one.keys() == two.keys() and all(float((one[name] - two[name]).abs().max()) <= tolerance for name in one)


@pytest.mark.parametrize("changes", [{}, {"optimizer": "muon", "packing": "best_fit", "document_mask": False}])
def test_ten_steps_are_five_and_five_bitwise(
    shards: Path, tokenizer: Tokenizer, tmp_path: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(shards, tokenizer, tmp_path / "whole", **changes)
    monkeypatch.setattr("model.train._Run._evaluate", lambda self: None)
    first = run(shards, tokenizer, tmp_path / "parts", save_every=5, **changes)
    assert first.losses == whole.losses
    for path in (tmp_path / "parts/checkpoints").glob("step-*10"):
        shutil.rmtree(path)
    monkeypatch.undo()
    said: list[str] = []
    second = run(shards, tokenizer, tmp_path / "parts", said, **changes)
    assert "step 5 of 10" in said[0]
    assert second.losses == whole.losses[5:]
    assert second.evaluation == whole.evaluation
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_accumulated_gradients_are_those_of_the_whole_batch(shards: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Rows have different numbers of targets; the loss is that of all of a step."""
    one = run(shards, tokenizer, tmp_path / "one")
    parts = run(shards, tokenizer, tmp_path / "parts", micro_rows=3)
    assert parts.losses == pytest.approx(one.losses, rel=1e-5)
    assert same(weights(tmp_path / "one"), weights(tmp_path / "parts"), 1e-5)


def test_it_learns(shards: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    for optimizer in ("adamw", "muon"):
        result = run(shards, tokenizer, tmp_path / optimizer, steps=60, optimizer=optimizer)
        assert result.losses[-1] < 0.75 * result.losses[0]
        assert result.evaluation["bits_per_byte"] < 3
        assert result.skipped == 0


@pytest.mark.parametrize("shard", [False, True])
def test_two_processes_train_as_one_and_one_goes_on(
    shards: Path, tokenizer: Tokenizer, tmp_path: Path, shard: bool
) -> None:
    """Copied parameters (DDP) and parameters that are shared out (FSDP2)."""
    tokenizer.save(tmp_path / "tokenizer")
    common = ["-m", "model", "pretrain", "--shards", str(shards), "--tokenizer", str(tmp_path / "tokenizer")]
    common += ["--batch-rows", "8", "--micro-rows", "4", "--length", "32", "--device", "cpu", "--json"]

    def call(output: str, launcher: Sequence[str] = (), *more: str) -> dict[str, Any]:
        command = [sys.executable, *launcher, *common, "--output", str(tmp_path / output), "--steps", "8", *more]
        command += ["--save-every", "4", "--eval-rows", "4", "--lr", "1e-4"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29511")
    alone = call("alone")
    both = call("both", launcher, *(["--shard"] if shard else []))
    assert both["loss"] == pytest.approx(alone["loss"], abs=1e-6)
    # AdamW moves an element by the rate however small its gradient: at larger rates the order of sums shows.
    assert same(weights(tmp_path / "alone"), weights(tmp_path / "both"), 1e-6)
    shutil.rmtree(tmp_path / "both/checkpoints/step-00000008")
    again = call("both")
    assert again["loss"] == pytest.approx(alone["loss"], abs=1e-6)


def test_a_damaged_checkpoint_is_passed_over_and_it_is_said(shards: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    run(shards, tokenizer, tmp_path / "run", save_every=4, keep=5)
    folder = tmp_path / "run/checkpoints"
    shutil.rmtree(folder / "step-00000010")
    damaged = folder / "step-00000008" / checkpoint.MODEL
    damaged.write_bytes(damaged.read_bytes()[:-7])
    said: list[str] = []
    result = run(shards, tokenizer, tmp_path / "run", said, keep=5)
    assert "passed over a damaged checkpoint" in said[0]
    assert "step 4 of 10" in said[1]
    assert result.step == 10
    for path in folder.glob("step-*"):
        (path / checkpoint.META).write_text("{}")
    with pytest.raises(ModelError, match="no checkpoint is whole"):
        run(shards, tokenizer, tmp_path / "run")


def test_killed_while_saving_the_one_before_is_whole(shards: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from model import checkpoint
from tests.model.test_train import run
from model.tokenizer import Tokenizer
from collections.abc import Sequence
from pathlib import Path
plain = checkpoint.save_file
def deadly(tensors, path):
    plain(tensors, path)
    if "step-00000006" in str(path) and str(path).endswith(checkpoint.OPTIMIZER):
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.save_file = deadly
run(Path({str(shards)!r}), Tokenizer.load({str(tmp_path)!r}), Path({str(tmp_path / "run")!r}), save_every=3)
"""
    tokenizer.save(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=240)
    assert done.returncode == -signal.SIGKILL
    said: list[str] = []
    result = run(shards, tokenizer, tmp_path / "run", said)
    assert "step 3 of 10" in said[0]
    whole = run(shards, tokenizer, tmp_path / "whole")
    assert result.losses == whole.losses[3:]


def test_a_full_disk_loses_a_checkpoint_and_not_the_run(
    shards: Path, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = checkpoint.save_file
    calls: list[str] = []

    def full(tensors: Any, path: Path) -> None:
        calls.append(str(path))
        if "step-00000006" in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full)
    said: list[str] = []
    result = run(shards, tokenizer, tmp_path / "run", said, save_every=3, keep=9)
    assert any("step 6 could not be saved: No space left on device" in line for line in said)
    assert result.step == 10
    names = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert names == ["step-00000003", "step-00000009", "step-00000010"]


def test_losses_that_are_no_numbers_are_skipped_and_end_the_run_at_last(
    shards: Path, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model import train as module

    plain = module.Objective.forward
    broken = {3, 4}
    calls = [0]

    def forward(self: Any, *args: Any) -> Any:
        total, loss = plain(self, *args)
        if torch.is_grad_enabled():
            calls[0] += 1
            if calls[0] in broken:
                return total * float("nan"), loss * float("nan")
        return total, loss

    monkeypatch.setattr(module.Objective, "forward", forward)
    result = run(shards, tokenizer, tmp_path / "some")
    assert result.skipped == 2
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "some").values())
    broken.update(range(100))
    with pytest.raises(ModelError, match="no number for 5 steps in a row"):
        run(shards, tokenizer, tmp_path / "all")


def test_who_asks_to_stop_finds_it_saved(shards: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    said: list[str] = []

    class Asking(list):  # type: ignore[type-arg]
        def append(self, line: str) -> None:
            said.append(line)
            if line.startswith("step 4/"):
                os.kill(os.getpid(), signal.SIGTERM)

    result = run(shards, tokenizer, tmp_path / "run", Asking(), steps=20)
    assert (result.step, result.stopped) == (4, True)
    assert "stopped at step 4 and saved" in said[-1]
    following = run(shards, tokenizer, tmp_path / "run", steps=20)
    whole = run(shards, tokenizer, tmp_path / "whole", steps=20)
    assert following.losses == whole.losses[4:]


def test_the_last_checkpoints_and_the_best_stay(shards: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    run(shards, tokenizer, tmp_path / "run", steps=12, save_every=2, eval_every=2, keep=2, lr=3e-2, schedule="cosine")
    names = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    meta = json.loads((tmp_path / "run/checkpoints/step-00000012/meta.json").read_text())
    assert set(names) == {"step-00000010", "step-00000012", f"step-{meta['best'][1]:08d}"}
    assert meta["shards"]["files"] == [{"file": "part-00000.parquet", "rows": 400}]


def test_what_was_trained_is_exported_with_what_it_was_trained_on(
    shards: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    result = run(shards, tokenizer, tmp_path / "run")
    notes = json.loads((tmp_path / "run/model/joeira.json").read_text())
    assert notes["shards"]["files"][0]["rows"] == 400
    assert notes["evaluation"] == result.evaluation
    assert hf.load(tmp_path / "run/model").config == config()


def test_schedules() -> None:
    wsd = TrainConfig(steps=100, warmup=0.1, decay=0.5)
    values = [schedule.scale(step, wsd) for step in range(100)]
    assert values[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert values[10:51] == [1.0] * 41
    assert values[50:] == pytest.approx([(100 - step) / 50 for step in range(50, 100)])
    cosine = TrainConfig(steps=101, warmup=0.01, schedule="cosine", floor=0.1)
    assert schedule.scale(1, cosine) == 1.0
    assert schedule.scale(100, cosine) == pytest.approx(0.1)
    middle = (1 + 100) / 2
    assert schedule.scale(int(middle), cosine) == pytest.approx(0.55, abs=0.01)


def test_every_parameter_is_in_one_group() -> None:
    model = gpt(tied=False)
    roles = groups(model)
    ids = [id(parameter) for some in roles.values() for parameter in some]
    assert len(ids) == len(set(ids)) == len(list(model.parameters()))
    assert len(roles["embeddings"]) == 2
    assert all(parameter.dim() == 1 for parameter in roles["gains"])


def test_steps_are_those_of_torch() -> None:
    def stepped(make: Any) -> list[Any]:
        model = gpt(layers=1)
        optimizer = make(model)
        for step in range(5):
            torch.manual_seed(step)
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)
            optimizer.step()
        return list(model.parameters())

    def plain(model: GPT) -> Any:
        matrices = [parameter for parameter in model.parameters() if parameter.dim() == 2][1:]
        others = [parameter for parameter in model.parameters() if not any(parameter is one for one in matrices)]
        return torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
            lr=3e-3,
            betas=(0.9, 0.95),
        )

    found = stepped(lambda model: Optimizer(model, TrainConfig()))
    assert all(torch.allclose(one, two, atol=1e-6) for one, two in zip(found, stepped(plain), strict=True))


def test_mistakes_in_settings_are_named(shards: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    for changes, message in (
        ({"optimizer": "sgd"}, "optimizer: expected one of adamw, muon, found 'sgd'"),
        ({"steps": 0}, "steps: expected 1 or more"),
    ):
        with pytest.raises(ModelError, match=message):
            dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    run(shards, tokenizer, tmp_path / "run")
    with pytest.raises(ModelError, match="holds a model made otherwise"):
        train(Shards(shards), tokenizer, config(hidden=64), SETTINGS, tmp_path / "run", say=lambda line: None)
    with pytest.raises(ModelError, match="the tokenizer has 300 tokens, the model 280"):
        train(Shards(shards), tokenizer, config(vocab_size=280), SETTINGS, tmp_path / "other", say=lambda line: None)
