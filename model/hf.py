"""Directories of Hugging Face: what we export loads in transformers, PEFT and lm-eval, and theirs load here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.checkpoint import load_weights
from model.config import ModelConfig
from model.errors import ModelError
from model.gpt import GPT
from model.tokenizer import Tokenizer

CONFIG, WEIGHTS, INDEX, NOTES = "config.json", "model.safetensors", "model.safetensors.index.json", "joeira.json"
_NAMES = {True: ("qwen3", "Qwen3ForCausalLM"), False: ("llama", "LlamaForCausalLM")}


def describe(config: ModelConfig, boundary: int) -> dict[str, Any]:
    """A model as transformers describes it.

    Args:
        config: of the model.
        boundary: the token between documents.

    Returns:
        What ``config.json`` holds.
    """
    kind, architecture = _NAMES[config.qk_norm]
    return {
        "architectures": [architecture],
        "model_type": kind,
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_base,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "tie_word_embeddings": config.tied,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": boundary,
        "eos_token_id": boundary,
        "pad_token_id": boundary,
        "torch_dtype": "float32",
        "use_cache": True,
    }


def export(gpt: GPT, tokenizer: Tokenizer, directory: str | Path, notes: dict[str, Any] | None = None) -> None:
    """Write a model as transformers reads it.

    Args:
        gpt: the model.
        tokenizer: its tokenizer.
        directory: where to.
        notes: what it was trained on, kept beside it.
    """
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    described = describe(gpt.config, tokenizer.boundary)
    (place / CONFIG).write_text(json.dumps(described, indent=1) + "\n")
    generation = {"bos_token_id": tokenizer.boundary, "eos_token_id": tokenizer.boundary}
    (place / "generation_config.json").write_text(json.dumps(generation) + "\n")
    tokenizer.save(place, gpt.config.context)
    (place / NOTES).write_text(json.dumps(notes or {}, indent=1) + "\n")
    weights = {name: value.detach().cpu().contiguous() for name, value in gpt.state_dict().items()}
    if gpt.config.tied:
        del weights["lm_head.weight"]
    save_file(weights, place / WEIGHTS, metadata={"format": "pt"})


def read_config(directory: str | Path) -> ModelConfig:
    """The configuration of a directory.

    Args:
        directory: with ``config.json``.

    Returns:
        The same for us.

    Raises:
        ModelError: it is missing, of another kind, or has what we do not.
    """
    path = Path(directory) / CONFIG
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    kind = values.get("model_type")
    if kind not in ("qwen3", "llama"):
        raise ModelError(f"{path}: expected model_type qwen3 or llama, found {kind!r}")
    rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
    odd = [name for name in ("attention_bias", "mlp_bias", "use_sliding_window") if values.get(name)]
    if rope.get("rope_type", "default") != "default":
        odd.append(f"rope_type {rope['rope_type']}")
    if odd:
        raise ModelError(f"{path}: this model has {', '.join(odd)}, which ours has not")
    heads = values["num_attention_heads"]
    return ModelConfig(
        vocab_size=values["vocab_size"],
        layers=values["num_hidden_layers"],
        width=values["hidden_size"],
        heads=heads,
        kv_heads=values.get("num_key_value_heads") or heads,
        head_dim=values.get("head_dim") or values["hidden_size"] // heads,
        hidden=values["intermediate_size"],
        context=values["max_position_embeddings"],
        rope_base=float(values.get("rope_theta") or rope.get("rope_theta") or 10_000.0),
        norm_eps=values["rms_norm_eps"],
        qk_norm=kind == "qwen3",
        tied=bool(values.get("tie_word_embeddings", kind == "qwen3")),
    )


def load(directory: str | Path) -> GPT:
    """A model from a directory, ours or of transformers.

    Args:
        directory: with ``config.json`` and safetensors.

    Returns:
        The model, in single precision.

    Raises:
        ModelError: files are missing or do not fit.
    """
    place = Path(directory)
    gpt = GPT(read_config(place))
    weights: dict[str, Tensor] = {}
    try:
        if (place / INDEX).is_file():
            for name in sorted(set(json.loads((place / INDEX).read_text())["weight_map"].values())):
                weights |= load_file(place / name)
        else:
            weights = load_file(place / WEIGHTS)
    except Exception as error:  # safetensors raises a type of its own, which is no OSError
        raise ModelError(f"{place}: weights cannot be read: {error}") from error
    load_weights(gpt, {name: value.to(torch.float32) for name, value in weights.items()})
    return gpt
