"""``make bench``: our decoder beside GPT-2 of transformers, at the shape and budget of nanoGPT on a CPU.

4 layers of width 128, 64 characters, 12 rows, 2,000 steps with nanoGPT's own rates (``train_shakespeare_char.py`` as
its README has it for a CPU). Both see the same batches, interleaved, and are measured on the same held-out rows.
nanoGPT's model is GPT-2's; its code is not to be had here, and that of transformers is the same arithmetic.
"""

from __future__ import annotations

import gzip
import json
import math
import statistics
import time
from typing import Any

import torch
import torch.nn.functional as F

from model.config import ModelConfig, TrainConfig
from model.gpt import GPT
from model.loss import cross_entropy
from model.optim import Optimizer
from tests.conftest import SHARED

LENGTH, ROWS, VOCABULARY = 64, 12, 96
STEPS = 2000
_RATE, _LAST, _WARMUP = 1e-3, 1e-4, 100


def characters() -> torch.Tensor:
    """Texts of people from the dev crawl, or invented ones, as characters; rare ones are one."""
    path = SHARED / "crawl/gold.dev.jsonl.gz"
    if path.exists():
        with gzip.open(path, "rt") as lines:
            rows = [json.loads(line) for line in lines]
        name = next(key for key in rows[0] if "text" in key)
        text = "\n".join(row[name] for row in rows if row.get(name))[:1_500_000]
    else:
        from pipeline.sample import prose

        text = "\n".join(map(str, vars(prose).values())) * 20
    return torch.tensor([code - 32 if 32 <= (code := ord(one)) < 127 else 95 for one in text])


def rate(step: int) -> float:
    """nanoGPT's schedule."""
    if step < _WARMUP:
        return _RATE * (step + 1) / (_WARMUP + 1)
    share = (step - _WARMUP) / (STEPS - _WARMUP)
    return _LAST + 0.5 * (1 + math.cos(math.pi * share)) * (_RATE - _LAST)


class Plain:
    """nanoGPT's optimizer on a CPU: matrices decay, all else does not; fused on cards alone."""

    def __init__(self, module: torch.nn.Module) -> None:
        matrices = [parameter for parameter in module.parameters() if parameter.dim() >= 2]
        others = [parameter for parameter in module.parameters() if parameter.dim() < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        self._adam = torch.optim.AdamW(groups, lr=_RATE, betas=(0.9, 0.99))

    def set_scale(self, scale: float) -> None:
        for group in self._adam.param_groups:
            group["lr"] = _RATE * scale

    def step(self) -> None:
        self._adam.step()

    def zero_grad(self) -> None:
        self._adam.zero_grad()


def main() -> None:
    """Print what was measured."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    data = characters()
    held = len(data) * 9 // 10
    # As many parameters: 12 d² a block, with a gate in the MLP and without.
    shape = ModelConfig(
        vocab_size=VOCABULARY, layers=4, width=128, heads=4, kv_heads=4, head_dim=32, hidden=344, context=LENGTH
    )
    ours = GPT(shape)
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=128, n_layer=4, n_head=4,
            bos_token_id=0, eos_token_id=0,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )
    )  # fmt: skip
    models: dict[str, torch.nn.Module] = {"ours": ours, "gpt2": theirs}
    config = TrainConfig(lr=_RATE, beta2=0.99, weight_decay=0.1)
    optimizers = {"ours": Optimizer(ours, config), "gpt2": Plain(theirs)}
    times: dict[str, list[float]] = {name: [] for name in models}

    def loss(name: str, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if name == "ours":
            return cross_entropy(ours(ids).flatten(0, 1), ours.lm_head.weight, targets.flatten())[0] / targets.numel()
        return F.cross_entropy(theirs(ids).logits.flatten(0, 1), targets.flatten())

    source = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        starts = torch.randint(0, held - LENGTH - 1, (ROWS,), generator=source)
        rows = torch.stack([data[start : start + LENGTH + 1] for start in starts])
        for name in models:
            began = time.perf_counter()
            optimizers[name].set_scale(rate(step) / _RATE)
            torch.autograd.backward(loss(name, rows[:, :-1], rows[:, 1:]))
            torch.nn.utils.clip_grad_norm_(models[name].parameters(), 1.0)
            optimizers[name].step()
            optimizers[name].zero_grad()
            times[name].append(time.perf_counter() - began)
    counts = {name: sum(parameter.numel() for parameter in model.parameters()) for name, model in models.items()}
    found: dict[str, Any] = {"parameters": counts}
    starts = torch.arange(held, len(data) - LENGTH - 1, LENGTH)[:1000]
    rows = torch.stack([data[start : start + LENGTH + 1] for start in starts])
    with torch.no_grad():
        found["held_out_nats"] = {name: round(float(loss(name, rows[:, :-1], rows[:, 1:])), 4) for name in models}
    speeds = {name: ROWS * LENGTH / statistics.median(some) for name, some in times.items()}
    found["tokens_a_second"] = {name: round(value) for name, value in speeds.items()}
    found["times_gpt2"] = round(speeds["ours"] / speeds["gpt2"], 2)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
