"""The tasks of the lecture, each as the prediction of next words."""

from __future__ import annotations

from collections.abc import Sequence

from model.evaluate import Window, nats
from model.gpt import GPT
from model.loss import IGNORED
from model.sample import Sampling, generate
from model.tokenizer import Tokenizer

SENTIMENT = 'The sentiment of the sentence "{text}" is:'
QUESTION = "Q: {text} A:"
SUMMARY = "{text}\ntl;dr"


def log_probability(gpt: GPT, tokenizer: Tokenizer, prompt: str, continuation: str) -> float:
    """How likely a text is after another.

    Args:
        gpt: the model.
        tokenizer: its tokenizer.
        prompt: what stands before.
        continuation: what is asked about.

    Returns:
        The natural logarithm of its probability.
    """
    before = [tokenizer.boundary, *tokenizer.encode(prompt)]
    after = tokenizer.encode(continuation)
    before = before[-(gpt.config.context + 1 - len(after)) :]
    every = before + after
    return -nats(gpt, [Window(every[:-1], [IGNORED] * (len(before) - 1) + after)])[0]


def sentiment(
    gpt: GPT, tokenizer: Tokenizer, text: str, labels: Sequence[str] = (" positive", " negative")
) -> dict[str, float]:  # fmt: skip
    """The sentiment of a sentence, by which word is likelier after it.

    Args:
        gpt: the model.
        tokenizer: its tokenizer.
        text: the sentence.
        labels: words that are compared.

    Returns:
        The logarithm of the probability of each.
    """
    prompt = SENTIMENT.format(text=text)
    return {label.strip(): log_probability(gpt, tokenizer, prompt, label) for label in labels}


def answer(gpt: GPT, tokenizer: Tokenizer, text: str, sampling: Sampling) -> str:
    """What follows a question.

    Args:
        gpt: the model.
        tokenizer: its tokenizer.
        text: the question.
        sampling: how words are chosen.

    Returns:
        The answer.
    """
    return generate(gpt, tokenizer, [QUESTION.format(text=text)], sampling)[0]


def summary(gpt: GPT, tokenizer: Tokenizer, text: str, sampling: Sampling) -> str:
    """What follows a text and "tl;dr".

    Args:
        gpt: the model.
        tokenizer: its tokenizer.
        text: what is summarised.
        sampling: how words are chosen.

    Returns:
        The summary.
    """
    return generate(gpt, tokenizer, [SUMMARY.format(text=text)], sampling)[0]
