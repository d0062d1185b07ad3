"""Learning rates as pure functions of the step: resuming needs nothing but its number."""

from __future__ import annotations

import math

from model.config import TrainConfig


def scale(step: int, config: TrainConfig) -> float:
    """The learning rate at a step, as a share of the highest.

    Args:
        step: from 0.
        config: how many steps, and which schedule.

    Returns:
        Between 0 and 1.
    """
    warmup = max(1, round(config.warmup * config.steps))
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "cosine":
        progress = (step - warmup) / max(1, config.steps - 1 - warmup)
        return config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    # Warmup, stable, decay (Hu et al. 2024, MiniCPM).
    falling = max(1, round(config.decay * config.steps))
    left = config.steps - step
    return config.floor + (1 - config.floor) * min(1.0, left / falling)
