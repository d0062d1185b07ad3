"""Perplexity and its baselines against brute force, closed forms and the texts of the sources."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from model import tasks  # noqa: E402
from model.errors import ModelError  # noqa: E402
from model.evaluate import Window, by_model, by_ngrams, evaluate, nats, rolling, strided  # noqa: E402
from model.loss import IGNORED  # noqa: E402
from model.ngram import KneserNey  # noqa: E402
from model.shards import Document, Shards  # noqa: E402
from model.tokenizer import Tokenizer  # noqa: E402
from tests.model.conftest import gpt  # noqa: E402


def lm_eval_windows(tokens: list[int], prefix: int, length: int) -> list[tuple[list[int], list[int]]]:
    """What ``get_rolling_token_windows(tokens, prefix, length, 1)`` gives, as its documentation says it."""
    found = []
    first = min(length, len(tokens))
    found.append(([prefix, *tokens[: first - 1]], tokens[:first]))
    done = first
    while done < len(tokens):
        count = min(len(tokens) - done, length)
        end = done + count
        found.append((tokens[max(0, end - length - 1) : end - 1], tokens[end - count : end]))
        done = end
    return found


@given(st.lists(st.integers(1, 99), min_size=1, max_size=40), st.integers(1, 12))
def test_rolling_windows_are_those_of_lm_eval(tokens: list[int], length: int) -> None:
    found = [(one.ids, [target for target in one.targets if target != IGNORED]) for one in rolling(tokens, 0, length)]
    assert found == lm_eval_windows(tokens, 0, length)
    assert all(len(one.ids) == len(one.targets) <= length for one in rolling(tokens, 0, length))


@given(st.lists(st.integers(1, 99), min_size=1, max_size=40), st.integers(2, 12), st.integers(1, 12))
def test_strided_windows_count_each_token_once(tokens: list[int], length: int, stride: int) -> None:
    stride = min(stride, length)
    windows = list(strided(tokens, 0, length, stride))
    assert [target for one in windows for target in one.targets if target != IGNORED] == tokens
    for one in windows:
        assert len(one.ids) == len(one.targets) <= length
        whole = [0, *tokens]
        places = [place for place in range(len(whole)) if whole[place : place + len(one.ids)] == one.ids]
        assert places


def test_losses_of_windows_are_those_of_logits() -> None:
    model = gpt()
    tokens = torch.randint(1, 300, (50,), generator=torch.Generator().manual_seed(3)).tolist()
    windows = list(rolling(tokens, 0, 20)) + list(strided(tokens, 0, 20, 7))
    for one, found in zip(windows, nats(model, windows), strict=True):
        logits = model.logits(model(torch.tensor([one.ids])))[0].log_softmax(-1)
        expected = -sum(float(logits[place, t].detach()) for place, t in enumerate(one.targets) if t != IGNORED)
        assert found == pytest.approx(expected, rel=1e-5)


def test_measures_follow_from_the_loss(tokenizer: Tokenizer) -> None:
    documents = [
        Document("1", "o rio é azul", "a", "pt"),
        Document("2", "the sea", "b", "en"),
        Document("3", "", "b", "en"),
    ]
    found = evaluate(lambda tokens: 2.0 * len(tokens), tokenizer, documents)
    one = found["all"]
    size, words = len("o rio é azul".encode()) + len("the sea"), 6
    assert (one["documents"], one["bytes"], one["words"]) == (2, size, words)
    assert one["perplexity_per_token"] == pytest.approx(math.exp(2))
    assert one["bits_per_byte"] == pytest.approx(2 * one["tokens"] / math.log(2) / size)
    assert one["perplexity_per_word"] == pytest.approx(math.exp(2 * one["tokens"] / words))
    assert set(found["by_language"]) == {"pt", "en"}
    assert found["by_source"]["a"]["documents"] == 1
    low, high = one["bits_per_byte_95"]
    assert low <= one["bits_per_byte"] <= high
    with pytest.raises(ModelError, match="no documents"):
        evaluate(len, tokenizer, [documents[2]])  # type: ignore[arg-type]


def by_counting(texts: list[list[int]], vocabulary: int, order: int) -> object:
    """Interpolated Kneser-Ney over dictionaries, as Chen and Goodman write it."""
    grams: list[dict[tuple[int, ...], float]] = []
    for size in range(1, order + 1):
        counts: dict[tuple[int, ...], float] = defaultdict(float)
        if size == order:
            for text in texts:
                for start in range(len(text) - size + 1):
                    counts[tuple(text[start : start + size])] += 1
        else:
            longer = {tuple(text[start : start + size + 1]) for text in texts for start in range(len(text) - size)}
            for gram in longer:
                counts[gram[1:]] += 1
        grams.append(dict(counts))

    def probability(history: tuple[int, ...], token: int) -> float:
        size = len(history) + 1
        lower = probability(history[1:], token) if history else 1 / vocabulary
        counts = grams[size - 1]
        ones, twos = (sum(count == number for count in counts.values()) for number in (1, 2))
        discount = ones / (ones + 2 * twos) if ones and twos else 0.5
        following = [count for gram, count in counts.items() if gram[:-1] == history]
        if not following:
            return lower
        own = max(counts.get((*history, token), 0) - discount, 0)
        return (own + discount * len(following) * lower) / sum(following)

    return probability


TEXTS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=12), min_size=1, max_size=5)


@settings(max_examples=60)
@given(TEXTS, st.integers(1, 4), st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_kneser_ney_is_that_of_counting(texts: list[list[int]], order: int, text: list[int]) -> None:
    model = KneserNey(texts, 7, order)
    probability = by_counting(texts, 7, order)
    expected = [
        probability(tuple(text[max(0, place - order + 1) : place]), token)  # type: ignore[operator]
        for place, token in enumerate(text)
    ]
    assert np.exp(model.log_probabilities(text)) == pytest.approx(expected, rel=1e-9)


def test_probabilities_of_ngrams_sum_to_one() -> None:
    model = KneserNey([[0, 1, 2, 3, 1, 2, 4, 0, 1], [2, 1, 2, 3]], 8, 3)
    for history in ([0, 1], [1, 2], [7, 7], [2], []):
        total = sum(math.exp(model.log_probabilities([*history, token])[-1]) for token in range(8))
        assert total == pytest.approx(1)


def test_more_context_makes_a_better_baseline(shards: Path, tokenizer: Tokenizer) -> None:
    opened = Shards(shards)
    trained = [[tokenizer.boundary, *tokenizer.encode(one.text)] for one in opened.documents(held_out=False)]
    documents = list(opened.documents(held_out=True))
    models = [by_ngrams(KneserNey(trained, tokenizer.size, order), tokenizer) for order in (1, 2)]
    bits = [evaluate(one, tokenizer, documents)["all"]["bits_per_byte"] for one in models]
    assert bits[1] < bits[0]  # words are drawn without memory, so two say nothing more of a third
    uniform = evaluate(by_model(gpt(), tokenizer), tokenizer, documents)["all"]["bits_per_byte"]
    assert bits[0] < uniform


def test_the_word_that_is_likelier_is_the_answer(tokenizer: Tokenizer) -> None:
    model = gpt()
    found = tasks.sentiment(model, tokenizer, "o rio")
    prompt = tokenizer.encode('The sentiment of the sentence "o rio" is:')
    for word, value in found.items():
        after = tokenizer.encode(f" {word}")
        ids = [tokenizer.boundary, *prompt, *after]
        assert len(ids) <= model.config.context + 1
        logits = model.logits(model(torch.tensor([ids[:-1]])))[0].log_softmax(-1)
        expected = sum(float(logits[len(prompt) + place, token].detach()) for place, token in enumerate(after))
        assert value == pytest.approx(expected, rel=1e-4)
    long = tasks.log_probability(model, tokenizer, "mar " * 200, " azul")
    assert math.isfinite(long)
    assert nats(model, [Window([1], [2])])[0] > 0
