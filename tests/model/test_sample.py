"""Choosing tokens: hand cases, frequencies, and rows that do not depend on one another."""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice

import pytest

torch = pytest.importorskip("torch")

from model.errors import ModelError  # noqa: E402
from model.sample import Sampling, choose, filtered, generate, penalised, stream  # noqa: E402
from model.tokenizer import Tokenizer  # noqa: E402
from tests.model.conftest import gpt  # noqa: E402

PROBABILITIES = torch.tensor([[0.05, 0.4, 0.3, 0.2, 0.05]])


def left(**changes: object) -> list[int]:
    logits = filtered(PROBABILITIES.log(), Sampling(**changes))  # type: ignore[arg-type]
    return sorted(torch.isfinite(logits[0]).nonzero().flatten().tolist())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"top_k": 2}, [1, 2]),
        ({"top_k": 9}, [0, 1, 2, 3, 4]),
        ({"top_p": 0.7}, [1, 2]),  # 0.4 + 0.3 is enough
        ({"top_p": 0.71}, [1, 2, 3]),
        ({"top_p": 0.0}, [1]),
        ({"top_p": 1.0}, [0, 1, 2, 3, 4]),
        ({"min_p": 0.49}, [1, 2, 3]),
        ({"min_p": 1.0}, [1]),
        ({"top_k": 3, "top_p": 0.5}, [1, 2]),
    ],
)
def test_what_is_left(changes: dict[str, object], expected: list[int]) -> None:
    assert left(**changes) == expected


def test_ties_leave_no_more_than_asked() -> None:
    logits = filtered(torch.zeros(1, 10), Sampling(top_k=3))
    assert int(torch.isfinite(logits).sum()) == 3


def test_frequencies_are_the_probabilities() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = PROBABILITIES.log().expand(2000, -1)
    counts = Counter[int]()
    for _ in range(25):
        counts.update(choose(logits, Sampling(temperature=2.0), [generator] * 2000).tolist())
    wanted = PROBABILITIES[0].sqrt() / PROBABILITIES[0].sqrt().sum()
    total = sum(counts.values())
    chi = sum((counts[token] - total * float(one)) ** 2 / (total * float(one)) for token, one in enumerate(wanted))
    assert chi < 13.28  # 1 % of chi-square with four degrees of freedom


def test_no_temperature_is_the_most_likely() -> None:
    assert choose(PROBABILITIES.log(), Sampling(temperature=0), []).tolist() == [1]


def test_repetition_makes_what_was_there_less_likely() -> None:
    logits = torch.tensor([[2.0, -2.0, 1.0]])
    seen = torch.tensor([[True, True, False]])
    assert penalised(logits, seen, 2.0).tolist() == [[1.0, -4.0, 1.0]]


def test_a_row_does_not_depend_on_those_beside_it() -> None:
    model = gpt()
    prompts = [[1, 2, 3], [7], list(range(10, 30))]
    sampling = Sampling(tokens=20, top_k=20, seed=5)
    together = list(stream(model, prompts, sampling))
    for row, prompt in enumerate(prompts):
        alone = list(stream(model, [prompt], Sampling(tokens=20, top_k=20, seed=5 + row)))
        assert [step[0] for step in alone] == [step[row] for step in together]


@pytest.mark.parametrize("chunk", [1, 7, 0])
def test_greedy_decoding_is_that_of_the_whole_forward(chunk: int) -> None:
    model = gpt()
    ids = [5, 9, 200]
    found = [step[0] for step in stream(model, [ids], Sampling(temperature=0, tokens=40), chunk=chunk)]
    for token in found:
        with torch.no_grad():
            assert int(model.logits(model(torch.tensor([ids])))[0, -1].argmax()) == token
        ids.append(token)
    assert len(found) == 40


def test_the_seed_decides(tokenizer: Tokenizer) -> None:
    model = gpt()
    runs = [generate(model, tokenizer, ["o rio"], Sampling(tokens=30, seed=seed))[0] for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_it_ends_at_a_text_and_at_the_end_of_the_context(tokenizer: Tokenizer) -> None:
    model = gpt()
    whole = generate(model, tokenizer, ["o rio"], Sampling(tokens=40, seed=3))[0]
    stop = whole[8:10]
    assert (
        generate(model, tokenizer, ["o rio"], Sampling(tokens=40, seed=3, stop=(stop,)))[0]
        == whole[: whole.index(stop)]
    )
    longest = list(stream(model, [[1] * 60], Sampling(tokens=100)))
    assert len(longest) == model.config.context - 60 + 1
    with pytest.raises(ModelError, match="65 tokens, more than the model's context of 64"):
        next(stream(model, [[1] * 65], Sampling()))
    with pytest.raises(ModelError, match="a prompt is empty"):
        next(stream(model, [[]], Sampling()))
    with pytest.raises(ModelError, match="top_p: expected"):
        Sampling(top_p=1.5)
    assert len(list(islice(stream(model, [[1]], Sampling(tokens=2)), 9))) == 2
    assert math.isfinite(float(model.logits(model(torch.tensor([[1]]))).sum()))
