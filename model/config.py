"""What a model is made of, and how it is trained; every default stands beside its reason."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A decoder: Qwen3's with ``qk_norm``, Llama's without, so that exports load in transformers with no code of ours.

    Attributes:
        vocab_size: tokens.
        layers: blocks.
        width: of the residual stream.
        heads: of queries.
        kv_heads: of keys and values; each serves heads / kv_heads queries (Ainslie et al. 2023).
        head_dim: width of a head.
        hidden: width inside the MLP.
        context: positions the model is trained on.
        rope_base: of rotary positions (Su et al. 2021).
        norm_eps: of RMSNorm.
        qk_norm: RMSNorm on queries and keys of each head, before rotation.
        tied: the output uses the embedding's matrix.
    """

    vocab_size: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    context: int = 1024
    rope_base: float = 10_000.0
    norm_eps: float = 1e-6
    qk_norm: bool = True
    tied: bool = True

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise ModelError(f"heads: {self.heads} is no multiple of kv_heads, {self.kv_heads}")
        if self.head_dim % 2:
            raise ModelError(f"head_dim: rotary positions need an even width, found {self.head_dim}")
        for name in ("vocab_size", "layers", "width", "heads", "kv_heads", "head_dim", "hidden", "context"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name}: expected 1 or more, found {getattr(self, name)}")

    @property
    def block_params(self) -> int:
        """Parameters of one block.

        Returns:
            Attention, MLP and norms.
        """
        attention = 2 * self.width * self.head_dim * (self.heads + self.kv_heads)
        norms = 2 * self.width + (2 * self.head_dim if self.qk_norm else 0)
        return attention + 3 * self.width * self.hidden + norms

    @property
    def params(self) -> int:
        """All parameters.

        Returns:
            Their number, tied ones once.
        """
        embeddings = self.vocab_size * self.width * (1 if self.tied else 2)
        return embeddings + self.layers * self.block_params + self.width

    @property
    def matmul_params(self) -> int:
        """Parameters that multiply every token, the output matrix among them.

        Returns:
            N of the 6·N·D rule (Kaplan et al. 2020).
        """
        norms = 2 * self.width + (2 * self.head_dim if self.qk_norm else 0)
        return self.layers * (self.block_params - norms) + self.vocab_size * self.width

    def flops_per_token(self, length: int) -> int:
        """Floating point operations of forward and backward (PaLM, appendix B: full attention).

        Args:
            length: positions of a sequence.

        Returns:
            6·N + 12·layers·heads·head_dim·length.
        """
        return 6 * self.matmul_params + 12 * self.layers * self.heads * self.head_dim * length


def lecture_params(layers: int, width: int) -> int:
    """The lecture's count: N ≈ 12 · layers · d², without embeddings.

    Args:
        layers: blocks.
        width: d.

    Returns:
        For GPT-3 (96 layers, 12,288) 174 billion.
    """
    return 12 * layers * width * width


def _preset(layers: int, width: int, heads: int, kv_heads: int, hidden: int, context: int) -> dict[str, Any]:
    return {
        "layers": layers,
        "width": width,
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": width // heads,
        "hidden": hidden,
        "context": context,
    }


# The hidden width is 8/3 of the model's, about: as many parameters as an MLP of 4 times the width (Shazeer 2020).
PRESETS: Mapping[str, dict[str, Any]] = {
    "tiny": _preset(4, 128, 4, 2, 384, 128),
    "15m": _preset(6, 288, 6, 6, 768, 512),
    "124m": _preset(12, 768, 12, 12, 2048, 1024),
    "350m": _preset(24, 1024, 16, 16, 2752, 1024),
    "1.3b": _preset(24, 2048, 16, 16, 5440, 2048),
}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is trained.

    Attributes:
        steps: optimizer steps.
        batch_rows: sequences in a step, over all processes.
        micro_rows: sequences that one process takes at once; more in a step are accumulated.
        length: positions of a sequence; 0 takes the model's context.
        lr: highest learning rate of AdamW.
        muon_lr: of matrices, with ``optimizer: muon`` (updates matched to the size of AdamW's).
        optimizer: ``adamw`` or ``muon`` (matrices by Muon, all else by AdamW).
        weight_decay: of matrices.
        beta2: of AdamW; 0.95 as GPT-3 has it.
        schedule: ``wsd`` (warmup, stable, linear decay) or ``cosine``.
        warmup: share of steps in which the rate rises.
        decay: share of steps at the end in which it falls (``wsd``).
        floor: the last rate as a share of the highest.
        clip: norm to which gradients are scaled down; 0 for none.
        z_loss: weight of the squared log-partition (PaLM: 1e-4), which keeps logits from drifting.
        document_mask: no document sees another in its sequence.
        packing: ``concatenate`` or ``best_fit``.
        mixture: shares of documents by source, ``source=weight,…``; empty takes the shards' own.
        seed: of weights and of the order of documents.
        save_every: steps between checkpoints; 0 saves at the end alone.
        keep: how many checkpoints stay besides the best.
        eval_every: steps between evaluations; 0 evaluates at the end alone.
        eval_rows: sequences of held-out documents in an evaluation.
        bad_steps: steps in a row with a loss that is no number, after which the run stops; such steps are skipped.
        device: ``cpu``, ``cuda``, or ``auto``.
        dtype: ``float32`` or ``bfloat16`` (autocast).
        compile: use torch.compile.
        tensorboard: write losses for TensorBoard too, which must be installed.
        shard: shard parameters over processes (FSDP2) in place of copying them (DDP).
    """

    steps: int = 200
    batch_rows: int = 16
    micro_rows: int = 16
    length: int = 0
    lr: float = 3e-3
    muon_lr: float = 2e-2
    optimizer: str = "adamw"
    weight_decay: float = 0.1
    beta2: float = 0.95
    schedule: str = "wsd"
    warmup: float = 0.05
    decay: float = 0.5
    floor: float = 0.0
    clip: float = 1.0
    z_loss: float = 1e-4
    document_mask: bool = True
    packing: str = "concatenate"
    mixture: str = ""
    seed: int = 1
    save_every: int = 0
    keep: int = 2
    eval_every: int = 0
    eval_rows: int = 32
    bad_steps: int = 5
    device: str = "auto"
    dtype: str = "float32"
    compile: bool = False
    tensorboard: bool = False
    shard: bool = False

    def __post_init__(self) -> None:
        choices = {
            "optimizer": ("adamw", "muon"),
            "schedule": ("wsd", "cosine"),
            "packing": ("concatenate", "best_fit"),
            "dtype": ("float32", "bfloat16"),
            "device": ("auto", "cpu", "cuda"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ModelError(f"{name}: expected one of {', '.join(known)}, found {getattr(self, name)!r}")
        for name in ("steps", "batch_rows", "micro_rows", "keep", "bad_steps"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name}: expected 1 or more, found {getattr(self, name)}")


def of_dict(cls: type, values: Mapping[str, Any]) -> Any:
    """Make a configuration, refusing what it does not know.

    Args:
        cls: :class:`ModelConfig` or :class:`TrainConfig`.
        values: by name.

    Returns:
        The configuration.

    Raises:
        ModelError: a name is unknown; says the nearest.
    """
    known = [field.name for field in dataclasses.fields(cls)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ModelError(f"unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return cls(**values)


def preset(name: str, vocab_size: int, **changes: Any) -> ModelConfig:
    """A model by name.

    Args:
        name: out of :data:`PRESETS`.
        vocab_size: tokens.
        **changes: other values.

    Returns:
        Its configuration.

    Raises:
        ModelError: there is no such preset.
    """
    if name not in PRESETS:
        raise ModelError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    config: ModelConfig = of_dict(ModelConfig, {**PRESETS[name], "vocab_size": vocab_size, **changes})
    return config
