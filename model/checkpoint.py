"""Checkpoints: whole or not there, and loadable under any number of processes.

Weights and optimizer state are gathered whole, by the names of parameters, which do not depend on how these were shared
out, and written as safetensors: the files of torch.distributed.checkpoint hold a pickle, which can run code. A
checkpoint is written beside its place, with the digests of its files, and renamed; one whose files do not fit their
digests is passed over for the one before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    set_model_state_dict,
)
from torch.distributed.tensor import DTensor, distribute_tensor

from model.errors import ModelError

Tensors = dict[str, Tensor]
Optimizers = Sequence[torch.optim.Optimizer]

MODEL, OPTIMIZER, META = "model.safetensors", "optimizer.safetensors", "meta.json"
_OPTIONS = StateDictOptions(full_state_dict=True, cpu_offload=True)


@dataclass
class Loaded:
    """What a checkpoint held besides weights and optimizer state.

    Attributes:
        path: where it stands.
        meta: step, configurations, state of the data.
        passed_over: checkpoints after it that are damaged, and how.
    """

    path: Path
    meta: dict[str, Any]
    passed_over: list[str]


def gather(model: nn.Module, optimizers: Optimizers) -> tuple[Tensors, Tensors]:
    """Whole states; all processes must call this.

    Args:
        model: the model.
        optimizers: its optimizers.

    Returns:
        Weights by name, tied ones once; optimizer state by name and kind.
    """
    weights: dict[str, Any] = dict(get_model_state_dict(model, options=_OPTIONS))
    head, embedding = (next((name for name in weights if name.endswith(end)), "") for end in _TIED)
    if head and embedding and _tied(model):
        del weights[head]
    named = {id(parameter): name for name, parameter in model.named_parameters()}
    state = {
        f"{named[id(parameter)]}:{key}": (value.full_tensor() if isinstance(value, DTensor) else value).cpu()
        for part in optimizers
        for parameter, values in part.state.items()
        for key, value in values.items()
    }
    return {name: value.contiguous() for name, value in weights.items()}, state


_TIED = ("lm_head.weight", "embed_tokens.weight")


def _tied(model: nn.Module) -> bool:
    named = {
        end: value
        for name, value in model.named_parameters(remove_duplicate=False)
        for end in _TIED
        if name.endswith(end)
    }
    return len({id(value) for value in named.values()}) == 1


def save(folder: Path, step: int, weights: Tensors, optimizer: Tensors, meta: dict[str, Any]) -> Path:
    """Write a checkpoint, whole or not at all.

    Args:
        folder: of all checkpoints.
        step: of this one.
        weights: of :func:`gather`.
        optimizer: of :func:`gather`.
        meta: plain values that are kept with it.

    Returns:
        Its directory.
    """
    target = folder / f"step-{step:08d}"
    partial = folder / f".step-{step:08d}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        save_file(weights, partial / MODEL)
        save_file({name: value.contiguous() for name, value in optimizer.items()}, partial / OPTIMIZER)
        digests = {name: _digest(partial / name) for name in (MODEL, OPTIMIZER)}
        values = {**meta, "step": step, "digests": digests}
        (partial / META).write_text(json.dumps(values) + "\n")
        for name in (MODEL, OPTIMIZER, META):
            _flush(partial / name)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(target, ignore_errors=True)
    os.replace(partial, target)
    return target


def prune(folder: Path, keep: int, best: int | None) -> None:
    """Remove old checkpoints.

    Args:
        folder: of all checkpoints.
        keep: how many of the last stay.
        best: a step that stays besides.
    """
    for path in _all(folder)[:-keep]:
        if best is None or path.name != f"step-{best:08d}":
            shutil.rmtree(path)


def load(
    folder: Path,
    model: nn.Module,
    optimizers: Optimizers,
    model_config: dict[str, Any] | None = None,
) -> Loaded | None:
    """Go on from the last checkpoint that is whole.

    Args:
        folder: of all checkpoints.
        model: what takes the weights.
        optimizers: what take the state.
        model_config: what the checkpoint must be of.

    Returns:
        What it held, or None where there is none.

    Raises:
        ModelError: there are some, and all are damaged, or of another model.
    """
    passed_over: list[str] = []
    for path in reversed(_all(folder)):
        flaw = check(path)
        if flaw:
            passed_over.append(f"{path}: {flaw}")
            continue
        meta = json.loads((path / META).read_text())
        if model_config is not None and meta["model"] != model_config:
            raise ModelError(f"{path}: holds a model made otherwise; choose another output")
        load_weights(model, load_file(path / MODEL))
        _load_state(model, optimizers, load_file(path / OPTIMIZER))
        return Loaded(path, meta, passed_over)
    if passed_over:
        raise ModelError("no checkpoint is whole: " + "; ".join(passed_over))
    return None


def _load_state(model: nn.Module, optimizers: Optimizers, state: Tensors) -> None:
    owners = {
        id(parameter): part for part in optimizers for group in part.param_groups for parameter in group["params"]
    }
    parameters = dict(model.named_parameters())
    for name, value in state.items():
        owner, _, key = name.rpartition(":")
        parameter = parameters[owner]
        if isinstance(parameter, DTensor) and value.shape == parameter.shape:
            value = distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
        elif value.dim() or parameter.is_cuda:
            value = value.to(parameter.device)
        owners[id(parameter)].state[parameter][key] = value


def load_weights(model: nn.Module, weights: Tensors) -> None:
    """Put weights into a model.

    Args:
        model: the model.
        weights: by name; tied ones once.

    Raises:
        ModelError: names or shapes are others.
    """
    named: dict[str, Any] = dict(weights)
    wanted: dict[str, Any] = dict(get_model_state_dict(model, options=_OPTIONS))
    head, embedding = (next((name for name in wanted if name.endswith(end)), "") for end in _TIED)
    if head and head not in named and embedding in named:
        named[head] = named[embedding]
    strange = sorted(wanted.keys() ^ named.keys())
    if strange:
        raise ModelError(f"weights do not fit the model: {strange[0]} is in one and not in the other")
    wrong = next((name for name in wanted if wanted[name].shape != named[name].shape), None)
    if wrong:
        raise ModelError(f"weights {wrong}: expected {tuple(wanted[wrong].shape)}, found {tuple(named[wrong].shape)}")
    set_model_state_dict(model, named, options=_OPTIONS)


def check(path: Path) -> str:
    """What is wrong with a checkpoint.

    Args:
        path: its directory.

    Returns:
        Nothing if it is whole.
    """
    try:
        digests = json.loads((path / META).read_text())["digests"]
        wrong = next((name for name, digest in digests.items() if _digest(path / name) != digest), None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"cannot be read ({type(error).__name__}: {error})"
    return f"{wrong} is not what was written" if wrong else ""


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*")) if folder.is_dir() else []


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
