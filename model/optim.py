"""Which parameter is trained how: matrices by Muon or AdamW, embeddings and gains by AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from model.config import TrainConfig


def groups(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Parameters by their role, each once.

    Args:
        model: any of ours.

    Returns:
        ``matrices`` of blocks, ``embeddings`` (the output's too), ``gains`` (one dimension); those that are trained.
    """
    found: dict[str, list[nn.Parameter]] = {"matrices": [], "embeddings": [], "gains": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            role = "gains" if parameter.dim() < 2 else "embeddings" if _embeds(name) else "matrices"
            found[role].append(parameter)
    return found


def _embeds(name: str) -> bool:
    return "embed_tokens" in name or "lm_head" in name


class Optimizer:
    """One or two of torch's optimizers that step together.

    Args:
        model: what is trained.
        config: how.
    """

    def __init__(self, model: nn.Module, config: TrainConfig) -> None:
        roles = groups(model)
        by_adam: list[dict[str, Any]] = [
            {"params": roles["embeddings"], "weight_decay": 0.0},
            {"params": roles["gains"], "weight_decay": 0.0},
        ]
        self.parts: list[torch.optim.Optimizer] = []
        if config.optimizer == "muon" and roles["matrices"]:
            # Sizes of updates are those of AdamW, so that one schedule serves both (Liu et al. 2025, Moonlight).
            self.parts.append(
                torch.optim.Muon(
                    roles["matrices"],
                    lr=config.muon_lr,
                    weight_decay=config.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        else:
            by_adam.insert(0, {"params": roles["matrices"], "weight_decay": config.weight_decay})
        filled = [group for group in by_adam if group["params"]]
        if filled:
            # One kernel for all parameters, on CPUs too: a quarter of the time there.
            self.parts.append(torch.optim.AdamW(filled, lr=config.lr, betas=(0.9, config.beta2), fused=True))
        self._highest = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def set_scale(self, scale: float) -> None:
        """Set learning rates.

        Args:
            scale: share of the highest.
        """
        for part, highest in zip(self.parts, self._highest, strict=True):
            for group, lr in zip(part.param_groups, highest, strict=True):
                group["lr"] = lr * scale

    def step(self) -> None:
        """Update all parameters."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Forget gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)


def clip(parameters: Iterable[nn.Parameter], limit: float) -> float:
    """Scale gradients down to a norm.

    Args:
        parameters: whose.
        limit: the largest norm; 0 leaves them.

    Returns:
        The norm before.
    """
    norm = torch.nn.utils.clip_grad_norm_(list(parameters), limit if limit else float("inf"))
    full = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    return float(full)
