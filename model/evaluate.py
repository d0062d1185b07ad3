"""Perplexity of documents, and bits per byte with confidence intervals, by source and language.

Two ways to cut a document that is longer than the context: ``rolling`` as lm-eval does (windows side by side, each
token a target once) and ``strided`` as the guide of transformers does (windows that overlap, of which only the new
tokens count). Bits per byte count the bytes of the text itself, so models with other vocabularies compare.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from model.errors import ModelError
from model.gpt import GPT
from model.loss import IGNORED, token_losses
from model.ngram import KneserNey
from model.shards import Document
from model.tokenizer import Tokenizer

_RESAMPLES = 1000
_ROWS = 16

Losses = Callable[[list[int]], float]


@dataclass(frozen=True)
class Window:
    """A piece of a document.

    Attributes:
        ids: what the model reads.
        targets: the token after each; ignored ones only give context.
    """

    ids: list[int]
    targets: list[int]


def rolling(tokens: Sequence[int], first: int, length: int) -> Iterator[Window]:
    """Windows as ``lm_eval.utils.get_rolling_token_windows`` makes them with a context of one.

    Args:
        tokens: of a document.
        first: what stands before the first.
        length: the most positions.

    Yields:
        Windows in which each token is a target once.
    """
    done = min(length, len(tokens))
    if done:
        yield Window([first, *tokens[: done - 1]], list(tokens[:done]))
    while done < len(tokens):
        count = min(length, len(tokens) - done)
        end = done + count
        ids = list(tokens[max(end - length - 1, 0) : end - 1])
        yield Window(ids, [IGNORED] * (len(ids) - count) + list(tokens[done:end]))
        done = end


def strided(tokens: Sequence[int], first: int, length: int, stride: int) -> Iterator[Window]:
    """Windows that move by a stride and overlap (huggingface.co/docs/transformers/perplexity).

    Args:
        tokens: of a document.
        first: what stands before the first.
        length: positions of a window.
        stride: by how many it moves.

    Yields:
        Windows in which each token is a target once.
    """
    every = [first, *tokens]
    done = 1
    for start in range(0, len(every), stride):
        end = min(start + length + 1, len(every))
        count = end - done
        ids = every[start : end - 1]
        if count:
            yield Window(ids, [IGNORED] * (len(ids) - count) + every[done:end])
        done = end
        if end == len(every):
            return


@torch.no_grad()
def nats(gpt: GPT, windows: Sequence[Window]) -> list[float]:
    """The loss of each window.

    Args:
        gpt: the model.
        windows: any.

    Returns:
        Sums over the targets of each, in nats.
    """
    device = next(gpt.parameters()).device
    found = []
    for start in range(0, len(windows), _ROWS):
        rows = windows[start : start + _ROWS]
        longest = max(len(row.ids) for row in rows)
        # Padding stands behind, where causal attention does not see it.
        ids = torch.tensor([row.ids + [0] * (longest - len(row.ids)) for row in rows], device=device)
        targets = torch.tensor([row.targets + [IGNORED] * (longest - len(row.ids)) for row in rows], device=device)
        losses = token_losses(gpt.logits(gpt(ids)), targets)
        found += losses.double().sum(dim=1).tolist()
    return found


def by_model(gpt: GPT, tokenizer: Tokenizer, *, stride: int = 0, length: int = 0) -> Losses:
    """The loss of documents by a decoder.

    Args:
        gpt: the model.
        tokenizer: its tokenizer.
        stride: of overlapping windows; 0 takes rolling ones.
        length: positions of a window; 0 takes the context.

    Returns:
        A function of a document's tokens.
    """
    room = length or gpt.config.context

    def loss(tokens: list[int]) -> float:
        first = tokenizer.boundary
        windows = strided(tokens, first, room, stride) if stride else rolling(tokens, first, room)
        return sum(nats(gpt, list(windows)))

    return loss


def by_ngrams(baseline: KneserNey, tokenizer: Tokenizer) -> Losses:
    """The loss of documents by n-grams.

    Args:
        baseline: the counts.
        tokenizer: whose tokens were counted.

    Returns:
        A function of a document's tokens.
    """
    return lambda tokens: -float(baseline.log_probabilities([tokenizer.boundary, *tokens])[1:].sum())


def evaluate(losses: Losses, tokenizer: Tokenizer, documents: Iterable[Document], *, seed: int = 1) -> dict[str, Any]:
    """Measure a model on documents.

    Args:
        losses: the loss of a document.
        tokenizer: makes its tokens.
        documents: held-out ones; empty ones are left out.
        seed: of the intervals.

    Returns:
        ``all``, and under ``by_source`` and ``by_language`` the same for parts: how many ``documents``, ``tokens``,
        ``words`` and ``bytes``; ``nats_per_token``, perplexities by each, ``bits_per_byte`` and its interval of 95 %.

    Raises:
        ModelError: there are no documents.
    """
    rows: list[tuple[str, str, list[float]]] = []
    for document in documents:
        tokens = tokenizer.encode(document.text)
        if tokens:
            counts = [len(tokens), len(document.text.split()), len(document.text.encode("utf-8", "replace"))]
            rows.append((document.source, document.language, [losses(tokens), *map(float, counts)]))
    if not rows:
        raise ModelError("there are no documents to evaluate on")
    parts: dict[str, dict[str, list[list[float]]]] = {"by_source": defaultdict(list), "by_language": defaultdict(list)}
    for source, language, values in rows:
        parts["by_source"][source].append(values)
        parts["by_language"][language].append(values)
    return {
        "all": _measure([values for *_, values in rows], seed),
        **{name: {key: _measure(some, seed) for key, some in sorted(one.items())} for name, one in parts.items()},
    }


def _measure(rows: list[list[float]], seed: int) -> dict[str, Any]:
    table = np.array(rows)
    loss, tokens, words, size = table.sum(axis=0)
    picks = np.random.default_rng(seed).integers(0, len(table), (_RESAMPLES, len(table)))
    sums = table[picks][:, :, (0, 3)].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / math.log(2) / sums[:, 1], (0.025, 0.975))
    return {
        "documents": len(table),
        "tokens": int(tokens),
        "words": int(words),
        "bytes": int(size),
        "nats_per_token": loss / tokens,
        "perplexity_per_token": math.exp(loss / tokens),
        "perplexity_per_word": math.exp(min(700.0, loss / max(words, 1))),
        "perplexity_per_byte": math.exp(loss / size),
        "bits_per_byte": loss / math.log(2) / size,
        "bits_per_byte_95": [float(low), float(high)],
    }
