"""Cross-entropy of tokens straight from the stream, some rows at a time.

The logits of a batch (rows by vocabulary) are the largest tensor of a small model's training. Each chunk's are made,
used for the loss and its gradients, and forgotten: gradients of a sum are known in the forward pass.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100
_ROWS = 2048


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, hidden: Tensor, weight: Tensor, targets: Tensor, z_loss: float, rows: int
    ) -> tuple[Tensor, Tensor]:
        needs = hidden.requires_grad or weight.requires_grad
        grad_hidden = torch.empty_like(hidden) if needs else None
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if needs else None
        loss = hidden.new_zeros((), dtype=torch.float32)
        penalty = hidden.new_zeros((), dtype=torch.float32)
        for start in range(0, len(hidden), rows):
            chunk = slice(start, start + rows)
            h, t = hidden[chunk], targets[chunk]
            logits = (h @ weight.T.to(h.dtype)).float()  # (rows, vocabulary)
            counted = t != IGNORED
            partition = torch.logsumexp(logits, dim=-1)
            chosen = logits.gather(1, t.clamp(min=0)[:, None])[:, 0]
            loss += ((partition - chosen) * counted).sum()
            penalty += z_loss * (partition.square() * counted).sum()
            if grad_hidden is not None and grad_weight is not None:
                # d/dlogits of (lse - chosen) + z·lse²: softmax·(1 + 2·z·lse) - one-hot.
                grad = torch.softmax(logits, dim=-1) * (1 + 2 * z_loss * partition)[:, None]
                grad.scatter_add_(1, t.clamp(min=0)[:, None], -torch.ones_like(chosen)[:, None])
                grad = (grad * counted[:, None]).to(h.dtype)
                grad_hidden[chunk] = grad @ weight.to(h.dtype)
                grad_weight += (grad.T @ h).float()
        context.save_for_backward(grad_hidden, grad_weight)
        context.dtype = weight.dtype
        return loss + penalty, loss

    @staticmethod
    def backward(context: Any, *grads: Any) -> tuple[Any, ...]:
        grad_hidden, grad_weight = context.saved_tensors
        scale = grads[0]
        return grad_hidden * scale, (grad_weight * scale).to(context.dtype), None, None, None


def cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, z_loss: float = 0.0, rows: int = _ROWS
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The loss of next tokens, summed.

    Args:
        hidden: (N, D) of the stream.
        weight: (vocabulary, D).
        targets: (N,) tokens; :data:`IGNORED` ones do not count.
        z_loss: weight of the squared log-partition.
        rows: how many are worked on at once.

    Returns:
        What is minimised (gradients flow from it alone), and the cross-entropy in it, both sums in nats.
    """
    total, loss = _ChunkedCrossEntropy.apply(hidden, weight, targets, z_loss, rows)  # type: ignore[no-untyped-call]
    return total, loss.detach()


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each token.

    Args:
        logits: (…, vocabulary).
        targets: (…).

    Returns:
        (…) nats; 0 where ignored.
    """
    flat = F.cross_entropy(logits.float().flatten(0, -2), targets.flatten(), ignore_index=IGNORED, reduction="none")
    return flat.view(targets.shape)
