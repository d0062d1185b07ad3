"""Text from a model: one token after the other, from what is left of the distribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.cache import Cache
from model.errors import ModelError
from model.gpt import GPT
from model.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: logits are divided by it; 0 takes the most likely token.
        top_k: only so many of the most likely tokens are left; 0 leaves all.
        top_p: only the fewest tokens that together have this probability (Holtzman et al. 2020); 1 leaves all, and at 0
            the most likely one is left.
        min_p: only tokens with this share of the most likely one's probability (Nguyen et al. 2024).
        repetition: logits of tokens that were there are divided by it, negative ones multiplied (Keskar et al. 2019).
        tokens: the most that are made.
        stop: texts at which a sequence ends; they are left out.
        seed: of the choice.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition: float = 1.0
    tokens: int = 100
    stop: tuple[str, ...] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least, most in (("temperature", 0, None), ("top_p", 0, 1), ("min_p", 0, 1), ("top_k", 0, None)):
            value = getattr(self, name)
            if value < least or (most is not None and value > most):
                raise ModelError(
                    f"{name}: expected {least} or more{f', at most {most}' if most else ''}, found {value}"
                )
        if self.repetition <= 0:
            raise ModelError(f"repetition: expected more than 0, found {self.repetition}")


def filtered(logits: Tensor, sampling: Sampling) -> Tensor:
    """Logits of which unlikely tokens are left out.

    Args:
        logits: (B, vocabulary).
        sampling: which are.

    Returns:
        The same shape, minus infinity for what is left out; at least the most likely token stays.
    """
    logits = logits / sampling.temperature if sampling.temperature else logits
    order = torch.argsort(logits, dim=-1, descending=True, stable=True)
    ranked = logits.gather(-1, order)
    probabilities = torch.softmax(ranked.float(), dim=-1)
    out = torch.zeros_like(ranked, dtype=torch.bool)
    if sampling.top_k:
        # By rank and not by value, so that ties do not leave more.
        out[:, sampling.top_k :] = True
    if sampling.top_p < 1:
        # What stands before a token already has enough.
        out |= probabilities.cumsum(dim=-1) - probabilities >= sampling.top_p
    out |= probabilities < sampling.min_p * probabilities[:, :1]
    out[:, 0] = False
    return logits.masked_fill(torch.zeros_like(out).scatter(-1, order, out), float("-inf"))


def choose(logits: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]) -> Tensor:
    """The next token of each sequence.

    Args:
        logits: (B, vocabulary).
        sampling: how.
        generators: of chance, one a sequence, so that a sequence does not depend on those beside it.

    Returns:
        (B,) tokens.
    """
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(filtered(logits, sampling).double(), dim=-1)
    rows = [torch.multinomial(row, 1, generator=one) for row, one in zip(probabilities.cpu(), generators, strict=True)]
    return torch.cat(rows).to(logits.device)


def penalised(logits: Tensor, seen: Tensor, repetition: float) -> Tensor:
    """Logits of which tokens that were there are made less likely.

    Args:
        logits: (B, vocabulary).
        seen: (B, vocabulary), whether each was.
        repetition: how much less.

    Returns:
        The same shape.
    """
    if repetition == 1:
        return logits
    return torch.where(seen, torch.where(logits > 0, logits / repetition, logits * repetition), logits)


@torch.no_grad()
def stream(gpt: GPT, prompts: Sequence[Sequence[int]], sampling: Sampling, *, chunk: int = 0) -> Iterator[list[int]]:
    """Go on with several prompts together.

    Args:
        gpt: the model.
        prompts: tokens of each, at least one.
        sampling: how tokens are chosen.
        chunk: tokens of prompts that are read at once; 0 reads all.

    Yields:
        The next token of each prompt.

    Raises:
        ModelError: a prompt is empty, or does not fit the context.
    """
    device = next(gpt.parameters()).device
    longest = max(map(len, prompts))
    if not min(map(len, prompts)):
        raise ModelError("a prompt is empty: expected one token or more")
    if longest > gpt.config.context:
        raise ModelError(f"a prompt has {longest} tokens, more than the model's context of {gpt.config.context}")
    steps = min(sampling.tokens, gpt.config.context - longest + 1)
    padding = torch.tensor([longest - len(prompt) for prompt in prompts], device=device)
    padded = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    ids = torch.tensor(padded, device=device)
    cache = Cache(gpt.config, padding, longest + steps, next(gpt.parameters()).dtype)
    seen = torch.zeros(len(prompts), gpt.config.vocab_size, dtype=torch.bool, device=device)
    for row, prompt in enumerate(prompts):
        seen[row, torch.tensor(prompt, device=device)] = True
    generators = [torch.Generator().manual_seed(sampling.seed + row) for row in range(len(prompts))]
    hidden = torch.empty(0)
    for part in torch.split(ids, chunk or longest, dim=1):
        hidden = gpt(part, cache=cache)
    for _ in range(steps):
        logits = penalised(gpt.logits(hidden[:, -1]), seen, sampling.repetition)
        following = choose(logits, sampling, generators)
        seen.scatter_(1, following[:, None], True)
        yield following.tolist()
        if cache.length == cache.room:
            return
        hidden = gpt(following[:, None], cache=cache)


def generate(gpt: GPT, tokenizer: Tokenizer, prompts: Sequence[str], sampling: Sampling) -> list[str]:
    """Go on with texts.

    Args:
        gpt: the model.
        tokenizer: its tokenizer.
        prompts: texts; an empty one begins a document.
        sampling: how tokens are chosen.

    Returns:
        What follows each, up to a boundary or a text at which it stops.
    """
    tokens = [[tokenizer.boundary, *tokenizer.encode(prompt)] for prompt in prompts]
    made: list[list[int]] = [[] for _ in prompts]
    done = [False] * len(prompts)
    for following in stream(gpt, tokens, sampling):
        for row, token in enumerate(following):
            if not done[row]:
                done[row] = token == tokenizer.boundary
                if not done[row]:
                    made[row].append(token)
                    done[row] = bool(sampling.stop) and any(one in tokenizer.decode(made[row]) for one in sampling.stop)
        if all(done):
            break
    return [_until(tokenizer.decode(row), sampling.stop) for row in made]


def _until(text: str, stops: Sequence[str]) -> str:
    ends = [text.index(stop) for stop in stops if stop in text]
    return text[: min(ends)] if ends else text
