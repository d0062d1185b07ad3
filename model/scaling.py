"""Scaling laws: how loss falls with parameters and tokens, and how a budget is best divided.

L(N, D) = E + A / N^α + B / D^β, fitted as Hoffmann et al. 2022 (arXiv 2203.15556, appendix D.3) do: Huber loss on
logarithms, from a grid of beginnings. A plain power law in the budget is fitted by least squares on logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from model.errors import ModelError

_HUBER = 1e-3
_RESAMPLES = 30
# Beginnings of E, A and B (logarithms), α and β.
_GRID = ((-0.5, 0.5), (2.0, 6.0), (2.0, 6.0), (0.3, 0.6), (0.3, 0.6))


@dataclass(frozen=True)
class Law:
    """The fitted law.

    Attributes:
        e: loss that neither parameters nor tokens remove, in nats a token.
        a: of parameters.
        b: of tokens.
        alpha: exponent of parameters.
        beta: exponent of tokens.
    """

    e: float
    a: float
    b: float
    alpha: float
    beta: float

    def loss(self, params: float, tokens: float) -> float:
        """What a model comes to.

        Args:
            params: N.
            tokens: D.

        Returns:
            Nats a token.
        """
        return float(self.e + self.a / params**self.alpha + self.b / tokens**self.beta)

    def optimum(self, budget: float) -> tuple[float, float]:
        """The best division of a budget, by C = 6·N·D.

        Args:
            budget: floating point operations.

        Returns:
            Parameters and tokens.
        """
        ratio = (self.alpha * self.a / (self.beta * self.b)) ** (1 / (self.alpha + self.beta))
        params = ratio * (budget / 6) ** (self.beta / (self.alpha + self.beta))
        return params, budget / 6 / params


def fit(params: Sequence[float], tokens: Sequence[float], losses: Sequence[float]) -> Law:
    """Fit the law to runs.

    Args:
        params: N of each run.
        tokens: D of each run.
        losses: what each came to, in nats a token.

    Returns:
        The law of the best beginning.

    Raises:
        ModelError: there are fewer runs than numbers to find, or values that are not above 0.
    """
    table = np.array([params, tokens, losses], dtype=np.float64)
    if table.shape[1] < 5 or not (np.isfinite(table).all() and (table > 0).all()):
        raise ModelError(f"scaling: expected five runs or more with values above 0, found {table.shape[1]}")
    n, d, wanted = torch.from_numpy(table).log()
    candidates = [_descend(n, d, wanted, start) for start in product(*_GRID)]
    error, law = min(candidates, key=lambda found: found[0])
    if not math.isfinite(error):
        raise ModelError("scaling: no beginning led to a law; are the losses of one series?")
    return law


def _descend(n: torch.Tensor, d: torch.Tensor, wanted: torch.Tensor, start: Sequence[float]) -> tuple[float, Law]:
    values = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [values], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def objective() -> torch.Tensor:
        e, a, b, alpha, beta = values
        predicted = torch.logsumexp(torch.stack((a - alpha * n, b - beta * d, e.expand_as(n))), dim=0)
        return torch.nn.functional.huber_loss(predicted, wanted, delta=_HUBER, reduction="sum")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        error = objective()
        torch.autograd.backward(error)
        return error

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    e, a, b, alpha, beta = values.detach().tolist()
    error = float(objective().detach())
    return (error if math.isfinite(error) else math.inf), Law(math.exp(e), math.exp(a), math.exp(b), alpha, beta)


def exponent(budgets: Sequence[float], values: Sequence[float]) -> float:
    """The exponent of a power law.

    Args:
        budgets: C of each point.
        values: what is best at each.

    Returns:
        The slope on logarithms.
    """
    slope, _ = np.polyfit(np.log(budgets), np.log(values), 1)
    return float(slope)


def report(runs: Sequence[dict[str, float]], *, seed: int = 1) -> dict[str, Any]:
    """Fit runs, with intervals.

    Args:
        runs: each with ``params``, ``tokens`` and ``loss``.
        seed: of resampling.

    Returns:
        The ``law``, its intervals of 90 % (``between``), and what it says is best for budgets of the runs' size.

    Raises:
        ModelError: a run lacks a value.
    """
    missing = next((name for run in runs for name in ("params", "tokens", "loss") if name not in run), None)
    if missing:
        raise ModelError(f"scaling: expected params, tokens and loss in each run, found one without {missing}")
    columns = [[run[name] for run in runs] for name in ("params", "tokens", "loss")]
    law = fit(*columns)
    source = np.random.default_rng(seed)
    found = []
    for _ in range(_RESAMPLES):
        picks = source.integers(0, len(runs), len(runs))
        if len(set(picks.tolist())) >= 5:
            n, d, wanted = torch.tensor(
                [[column[pick] for pick in picks] for column in columns], dtype=torch.float64
            ).log()
            start = (math.log(law.e), math.log(law.a), math.log(law.b), law.alpha, law.beta)
            found.append(asdict(_descend(n, d, wanted, start)[1]))
    between = {}
    for name in asdict(law):
        bounds = np.quantile([one[name] for one in found], (0.05, 0.95))
        between[name] = [float(bound) for bound in bounds]
    budgets = sorted({6 * run["params"] * run["tokens"] for run in runs})
    best = {f"{budget:.2e}": dict(zip(("params", "tokens"), law.optimum(budget), strict=True)) for budget in budgets}
    return {"law": asdict(law), "between": between, "optimum": best}
