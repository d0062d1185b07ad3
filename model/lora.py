"""Low-rank adapters (Hu et al. 2021): h = xW + xAB·s, of which only A and B are trained; files are PEFT's."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.errors import ModelError
from model.gpt import GPT

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_PREFIX = "base_model.model."


class LoRALinear(nn.Module):
    """A matrix that stays, and two thin ones beside it.

    Args:
        base: what stays.
        rank: columns of A, rows of B.
        alpha: what they add is scaled by alpha / rank.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base
        self.base.weight.requires_grad_(False)
        self.scale = alpha / rank
        device, dtype = base.weight.device, base.weight.dtype
        self.a = nn.Parameter(torch.empty(rank, base.in_features, device=device, dtype=dtype))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, device=device, dtype=dtype))
        # As PEFT begins: B is nothing, so the model begins as it was.
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply.

        Args:
            x: (…, in).

        Returns:
            (…, out).
        """
        found: Tensor = self.base(x)
        return found + F.linear(F.linear(x, self.a), self.b) * self.scale

    @property
    def weight(self) -> Tensor:
        """The matrix that does the same.

        Returns:
            (out, in).
        """
        return self.base.weight + self.b @ self.a * self.scale


def inject(gpt: GPT, rank: int, alpha: float, targets: Sequence[str] = TARGETS) -> list[str]:
    """Put adapters into a model; all else is not trained any more.

    Args:
        gpt: the model.
        rank: of adapters.
        alpha: their scale times rank.
        targets: names of the matrices that get one.

    Returns:
        Names of the modules that got one.

    Raises:
        ModelError: the rank is below 1, or no matrix has such a name.
    """
    if rank < 1:
        raise ModelError(f"rank: expected 1 or more, found {rank}")
    for parameter in gpt.parameters():
        parameter.requires_grad_(False)
    chosen = [name for name, module in gpt.named_modules() if isinstance(module, nn.Linear) and _ends(name, targets)]
    if not chosen:
        raise ModelError(f"targets: expected some of {', '.join(TARGETS)}, found {', '.join(targets) or 'none'}")
    for name in chosen:
        parent, _, leaf = name.rpartition(".")
        owner = gpt.get_submodule(parent)
        setattr(owner, leaf, LoRALinear(getattr(owner, leaf), rank, alpha))
    return chosen


def _ends(name: str, targets: Sequence[str]) -> bool:
    return name.rpartition(".")[2] in targets


def adapters(gpt: GPT) -> dict[str, LoRALinear]:
    """The adapters of a model.

    Args:
        gpt: the model.

    Returns:
        By name of the module.
    """
    return {name: module for name, module in gpt.named_modules() if isinstance(module, LoRALinear)}


@torch.no_grad()
def merge(gpt: GPT) -> None:
    """Put what adapters learned into the matrices, and take them out.

    Args:
        gpt: the model.
    """
    for name, module in adapters(gpt).items():
        parent, _, leaf = name.rpartition(".")
        module.base.weight.copy_(module.weight)
        setattr(gpt.get_submodule(parent), leaf, module.base)
    for parameter in gpt.parameters():
        parameter.requires_grad_(True)


def save(gpt: GPT, directory: str | Path, base: str = "") -> None:
    """Write the adapters as PEFT does.

    Args:
        gpt: the model.
        directory: where to.
        base: where the model without them stands.
    """
    found = adapters(gpt)
    one = next(iter(found.values()))
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    described = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": one.a.shape[0],
        "lora_alpha": one.scale * one.a.shape[0],
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "use_rslora": False,
        "target_modules": sorted({name.rpartition(".")[2] for name in found}),
    }
    (place / CONFIG).write_text(json.dumps(described, indent=1) + "\n")
    weights = {}
    for name, module in found.items():
        weights[f"{_PREFIX}{name}.lora_A.weight"] = module.a.detach().cpu().contiguous()
        weights[f"{_PREFIX}{name}.lora_B.weight"] = module.b.detach().cpu().contiguous()
    save_file(weights, place / WEIGHTS)


def load(gpt: GPT, directory: str | Path) -> None:
    """Put adapters that PEFT or we wrote into a model.

    Args:
        gpt: the model.
        directory: with the two files.

    Raises:
        ModelError: they are missing, or do not fit.
    """
    place = Path(directory)
    try:
        described = json.loads((place / CONFIG).read_text())
        weights = load_file(place / WEIGHTS)
    except Exception as error:  # safetensors raises a type of its own
        raise ModelError(f"adapter {place}: cannot be read: {error}") from error
    if described.get("peft_type") != "LORA" or described.get("use_rslora") or described.get("use_dora"):
        raise ModelError(f"adapter {place}: expected plain LoRA, found {described.get('peft_type')!r} or a variant")
    targets = described["target_modules"]
    inject(gpt, described["r"], described["lora_alpha"], [name.rpartition(".")[2] for name in targets])
    with torch.no_grad():
        for name, module in adapters(gpt).items():
            for letter, parameter in (("A", module.a), ("B", module.b)):
                value = weights.get(f"{_PREFIX}{name}.lora_{letter}.weight")
                if value is None or value.shape != parameter.shape:
                    raise ModelError(f"adapter {place}: expected lora_{letter} of {name} of {tuple(parameter.shape)}")
                parameter.copy_(value)
