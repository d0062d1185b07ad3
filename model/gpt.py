"""The decoder: pre-RMSNorm, rotary positions, grouped-query attention, QK-norm, SwiGLU, no biases.

Modules have the names that transformers gives them, so weights need no translation. Shapes: B sequences, T positions,
D width, H heads, K heads of keys and values, E width of a head, S positions that are seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.cache import Cache
from model.config import ModelConfig


class RMSNorm(nn.Module):
    """Root mean square normalisation (Zhang and Sennrich 2019).

    Args:
        width: of what is normalised.
        eps: added to the mean square.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise.

        Args:
            x: (…, width).

        Returns:
            The same shape.
        """
        return F.rms_norm(x, x.shape[-1:], self.weight, self.eps)


def rotary(positions: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines of positions.

    Args:
        positions: (B, T).
        config: of the model.

    Returns:
        Two tensors (B, 1, T, E), halves repeated.
    """
    steps = torch.arange(0, config.head_dim, 2, dtype=torch.float32, device=positions.device) / config.head_dim
    angles = positions[:, None, :, None].float() * config.rope_base**-steps  # (B, 1, T, E/2)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of coordinates (i, i + E/2) by its angle.

    Args:
        x: (B, H, T, E).
        cos: (B, 1, T, E).
        sin: (B, 1, T, E).

    Returns:
        (B, H, T, E).
    """
    first, second = x.chunk(2, dim=-1)
    return torch.addcmul(x * cos, torch.cat((-second, first), dim=-1), sin).to(x.dtype)


class Attention(nn.Module):
    """Causal attention of groups of queries over shared keys and values.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.q_proj = nn.Linear(config.width, config.heads * config.head_dim, bias=False)
        self.k_proj = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.v_proj = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.o_proj = nn.Linear(config.heads * config.head_dim, config.width, bias=False)
        if config.qk_norm:
            self.q_norm = RMSNorm(config.head_dim, config.norm_eps)
            self.k_norm = RMSNorm(config.head_dim, config.norm_eps)

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], attend: Attend, cache: Cache | None, layer: int
    ) -> Tensor:
        """Attend.

        Args:
            x: (B, T, D).
            angles: of :func:`rotary`.
            attend: what is seen.
            cache: keys and values before, to which these are added.
            layer: which block this is.

        Returns:
            (B, T, D).
        """
        shape = (*x.shape[:2], -1, self.config.head_dim)
        q = self.q_proj(x).view(shape).transpose(1, 2)  # (B, H, T, E)
        k = self.k_proj(x).view(shape).transpose(1, 2)  # (B, K, T, E)
        v = self.v_proj(x).view(shape).transpose(1, 2)
        if self.config.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k = rotate(q, *angles), rotate(k, *angles)
        if cache is not None:
            k, v = cache.add(layer, k, v)  # (B, K, S, E)
        y = attend(q, k, v)
        found: Tensor = self.o_proj(y.transpose(1, 2).flatten(2))
        return found


Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


class MLP(nn.Module):
    """SwiGLU (Shazeer 2020).

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.up_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.down_proj = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position.

        Args:
            x: (B, T, D).

        Returns:
            (B, T, D).
        """
        found: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return found


class Block(nn.Module):
    """Attention and MLP, each on what is normalised before it and added to what came in.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.width, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.width, config.norm_eps)
        self.mlp = MLP(config)

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], attend: Attend, cache: Cache | None, layer: int
    ) -> Tensor:
        """One step of the residual stream.

        Args:
            x: (B, T, D).
            angles: of :func:`rotary`.
            attend: what is seen.
            cache: keys and values before.
            layer: which block this is.

        Returns:
            (B, T, D).
        """
        x = x + self.self_attn(self.input_layernorm(x), angles, attend, cache, layer)
        found: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return found


class Decoder(nn.Module):
    """Embedding, blocks and last norm.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_eps)


class GPT(nn.Module):
    """The whole model.

    Args:
        config: what it is made of.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)
        if config.tied:
            self.lm_head.weight = self.model.embed_tokens.weight
        self.init_weights()

    @torch.no_grad()
    def init_weights(self) -> None:
        """Normal with deviation 0.02; projections back to the stream smaller by the root of their number (GPT-2)."""
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                nn.init.ones_(parameter)
            else:
                back = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.layers) if back else 0.02)

    def forward(self, ids: Tensor, documents: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """The stream after the last norm.

        Args:
            ids: (B, T) tokens.
            documents: (B, T) numbers of documents; positions begin anew with each, and none sees another. None: one.
            cache: what was seen before; the positions of it come first.

        Returns:
            (B, T, D); :meth:`logits` makes tokens of it.
        """
        attend: Attend = causal(documents) if cache is None else cache.attend
        positions = _positions(ids, documents) if cache is None else cache.positions(ids.shape[1])
        angles = rotary(positions, self.config)
        x = self.model.embed_tokens(ids)
        for layer, block in enumerate(self.model.layers):
            x = block(x, angles, attend, cache, layer)
        if cache is not None:
            cache.advance(ids.shape[1])
        found: Tensor = self.model.norm(x)
        return found

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all tokens.

        Args:
            hidden: (…, D).

        Returns:
            (…, vocabulary).
        """
        found: Tensor = self.lm_head(hidden)
        return found


def _positions(ids: Tensor, documents: Tensor | None) -> Tensor:
    """Places in documents: (B, T)."""
    places = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    if documents is None:
        return places
    first = torch.ones_like(documents, dtype=torch.bool)
    first[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return places - torch.where(first, places, 0).cummax(dim=1).values


def causal(documents: Tensor | None) -> Attend:
    """Attention to what came before, within documents where there are several.

    Args:
        documents: (B, T), or None.

    Returns:
        A function of queries (B, H, T, E), keys and values (B, K, T, E).
    """
    if documents is None:
        return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    if documents.is_cuda:
        return _flex(documents)
    length = documents.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=documents.device).tril()
    mask = (before & (documents[:, :, None] == documents[:, None, :]))[:, None]  # (B, 1, T, T)
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)


def _flex(documents: Tensor) -> Attend:
    """FlexAttention, which skips what a document mask leaves out; blocks of 128."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def seen(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents[row, query] == documents[row, key])

    rows, length = documents.shape
    mask: Any = create_block_mask(seen, rows, None, length, length, device=str(documents.device))
    return lambda q, k, v: flex_attention(q, k, v, block_mask=mask, enable_gqa=True)  # type: ignore[return-value]
