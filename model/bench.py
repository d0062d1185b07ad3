"""``joeira model bench``: tokens a second of training, and what share of a card's arithmetic that is."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from model.config import TrainConfig, preset
from model.gpt import GPT
from model.loss import cross_entropy
from model.optim import Optimizer

VOCABULARY = 50_304
# Dense bfloat16 operations a second by name of the card (nvidia.com data sheets); others are not guessed.
PEAKS = {"NVIDIA H100 80GB HBM3": 989e12, "NVIDIA H200": 989e12, "NVIDIA A100-SXM4-80GB": 312e12}


def measure(presets: list[str], steps: int, rows: int, dtype: str, *, compiled: bool) -> dict[str, Any]:
    """Time training steps on random tokens.

    Args:
        presets: which models.
        steps: how many are timed, after some that are not.
        rows: sequences in a step.
        dtype: ``float32`` or ``bfloat16``.
        compiled: use torch.compile.

    Returns:
        For each model tokens a second, the median time of a step and, on a card that is known, the share of its peak.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    card = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    found: dict[str, Any] = {"device": card, "torch": torch.__version__, "dtype": dtype, "compiled": compiled}
    for name in presets:
        config = preset(name, VOCABULARY)
        gpt = GPT(config).to(device)
        work = torch.compile(gpt) if compiled else gpt
        optimizer = Optimizer(gpt, TrainConfig())
        times = []
        for step in range(steps + 5):
            ids = torch.randint(0, VOCABULARY, (rows, config.context), device=device)
            _wait(device)
            began = time.perf_counter()
            with torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == "bfloat16"):
                hidden = work(ids)
                total, _ = cross_entropy(hidden.flatten(0, 1), gpt.lm_head.weight, ids.roll(-1, 1).flatten())
                torch.autograd.backward(total / ids.numel())
            optimizer.step()
            optimizer.zero_grad()
            _wait(device)
            if step >= 5:
                times.append(time.perf_counter() - began)
        seconds = statistics.median(times)
        rate = rows * config.context / seconds
        peak = PEAKS.get(card)
        found[name] = {
            "parameters": config.params,
            "length": config.context,
            "rows": rows,
            "seconds_a_step": round(seconds, 4),
            "tokens_a_second": round(rate),
            "mfu": None if peak is None else round(rate * config.flops_per_token(config.context) / peak, 4),
        }
    return found


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
