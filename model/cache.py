"""Keys and values of what was already read: decoding costs one position a token and not all before it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from model.config import ModelConfig


class Cache:
    """Room for a batch of sequences that are padded on the left.

    Args:
        config: of the model.
        padding: (B,) positions before each sequence that hold nothing.
        room: positions in all.
        dtype: of keys and values.
    """

    def __init__(self, config: ModelConfig, padding: Tensor, room: int, dtype: torch.dtype) -> None:
        shape = (config.layers, len(padding), config.kv_heads, room, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=padding.device)
        self.values = torch.zeros_like(self.keys)
        self.padding = padding
        self.room = room
        self.length = 0

    def positions(self, steps: int) -> Tensor:
        """The places of the next tokens in their sequences.

        Args:
            steps: how many tokens follow.

        Returns:
            (B, steps); what pads is at place 0.
        """
        places = torch.arange(self.length, self.length + steps, device=self.padding.device)
        return (places[None] - self.padding[:, None]).clamp(min=0)

    def add(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep keys and values of one block.

        Args:
            layer: which block.
            keys: (B, K, T, E).
            values: (B, K, T, E).

        Returns:
            All of the block so far: (B, K, S, E) each.
        """
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of the next tokens to all so far.

        Args:
            q: (B, H, T, E), the last T of S positions.
            k: (B, K, S, E).
            v: (B, K, S, E).

        Returns:
            (B, H, T, E).
        """
        seen, steps = k.shape[2], q.shape[2]
        keys = torch.arange(seen, device=q.device)
        queries = torch.arange(seen - steps, seen, device=q.device)
        mask = (keys[None, None] <= queries[None, :, None]) & (keys[None, None] >= self.padding[:, None, None])
        # What pads sees itself, so that its softmax is defined.
        mask = mask | (keys[None, None] == queries[None, :, None])
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None], enable_gqa=True)

    def advance(self, steps: int) -> None:
        """Count tokens that all blocks have seen.

        Args:
            steps: how many.
        """
        self.length += steps
