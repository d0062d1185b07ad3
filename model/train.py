"""Training: teacher forcing on packed rows, until the steps are done or somebody asks to stop."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model import checkpoint, dist, hf
from model.config import ModelConfig, TrainConfig
from model.data import Batch, Loader, Prefetched, batch_of, streams_for
from model.energy import Meter
from model.errors import ModelError
from model.gpt import GPT
from model.lora import adapters
from model.loss import IGNORED, cross_entropy
from model.optim import Optimizer, clip
from model.packing import Concatenate, Row
from model.schedule import scale
from model.shards import Shards
from model.tokenizer import Tokenizer

CHECKPOINTS, LOG, EXPORT, TOKENIZER = "checkpoints", "log.jsonl", "model", "tokenizer"


class Objective(nn.Module):
    """A model with its loss, so that what is distributed is one module.

    Args:
        gpt: the model.
        z_loss: weight of the squared log-partition.
    """

    def __init__(self, gpt: GPT, z_loss: float) -> None:
        super().__init__()
        self.gpt = gpt
        self.z_loss = z_loss

    def forward(self, ids: Tensor, targets: Tensor, documents: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sums over targets.

        Args:
            ids: (B, T).
            targets: (B, T).
            documents: (B, T), or None.

        Returns:
            What is minimised, and the cross-entropy in it, in nats.
        """
        hidden = self.gpt(ids, documents)
        return cross_entropy(
            hidden.flatten(0, 1), self.gpt.lm_head.weight, targets.flatten(), z_loss=self.z_loss
        )  # fmt: skip


@dataclass
class Result:
    """What training gave.

    Attributes:
        step: the last.
        losses: of each step that was made in this call, in nats a token.
        evaluation: of the held-out documents, nats a token and bits a byte.
        stopped: whether somebody asked to stop.
        skipped: steps without a finite loss.
        waited: share of the time in which the model waited for data.
        tokens_per_second: over all processes.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    evaluation: dict[str, float] = field(default_factory=dict)
    stopped: bool = False
    skipped: int = 0
    waited: float = 0.0
    tokens_per_second: float = 0.0


def train(
    shards: Shards,
    tokenizer: Tokenizer,
    model: ModelConfig,
    config: TrainConfig,
    output: str | Path,
    *,
    start: GPT | None = None,
    say: Callable[[str], None] = print,
) -> Result:
    """Train a model, going on where a run in the same directory stopped.

    Args:
        shards: what to read.
        tokenizer: makes tokens.
        model: what is trained.
        config: how.
        output: directory of the run.
        start: weights to begin with, in place of random ones.
        say: takes a line for people.

    Returns:
        Losses and the last evaluation.

    Raises:
        ModelError: the directory holds another run, or losses are no numbers.
    """
    device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    with dist.group(device) as (rank, world):
        run = _Run(shards, tokenizer, model, config, Path(output), device, rank, world, start)
        run.say = say if rank == 0 else lambda line: None
        return run.work()


class _Run:
    def __init__(
        self,
        shards: Shards,
        tokenizer: Tokenizer,
        model: ModelConfig,
        config: TrainConfig,
        output: Path,
        device: str,
        rank: int,
        world: int,
        start: GPT | None,
    ) -> None:
        if tokenizer.size > model.vocab_size:
            raise ModelError(f"vocabulary: the tokenizer has {tokenizer.size} tokens, the model {model.vocab_size}")
        self.shards, self.tokenizer, self.model, self.config = shards, tokenizer, model, config
        self.output, self.device, self.rank, self.world = output, device, rank, world
        self.say: Callable[[str], None] = print
        self.length = config.length or model.context
        torch.manual_seed(config.seed)
        gpt = start if start is not None else GPT(model)
        self.objective = Objective(gpt.to(device), config.z_loss)
        self.trained = dist.wrap(self.objective, device, shard=config.shard)
        if config.compile:
            self.trained = torch.compile(self.trained)  # type: ignore[assignment]
        self.optimizer = Optimizer(self.objective, config)
        self.result = Result()
        self.best: tuple[float, int] | None = None
        self.meter = Meter()
        self.board: Any = None
        if config.tensorboard and rank == 0:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(self.output / "tensorboard"))

    def work(self) -> Result:
        config = self.config
        wanted = dataclasses.asdict(self.model)
        found = checkpoint.load(self.output / CHECKPOINTS, self.objective, self.optimizer.parts, wanted)
        streams = streams_for(self.shards, config.batch_rows, self.world)
        if found is not None:
            self._resume(found)
            streams = len(found.meta["data"])
        loader = Loader(
            self.shards,
            self.tokenizer,
            rows=config.batch_rows,
            length=self.length,
            packing=config.packing,
            seed=config.seed,
            streams=streams,
            mixture=config.mixture,
            rank=self.rank,
            world=self.world,
        )
        if found is not None:
            loader.load(found.meta["data"])
        self.say(self._plan())
        if self.rank == 0:
            self.tokenizer.save(self.output / TOKENIZER, self.model.context)
        batches = Prefetched(loader)
        try:
            with _asked_to_stop() as asked:
                self._steps(batches, asked)
            self._finish(batches)
        finally:
            batches.close()
        return self.result

    def _resume(self, found: checkpoint.Loaded) -> None:
        for flaw in found.passed_over:
            self.say(f"passed over a damaged checkpoint: {flaw}")
        self.result.step = found.meta["step"]
        self.best = tuple(found.meta["best"]) if found.meta["best"] else None
        self.say(f"going on from {found.path} (step {self.result.step} of {self.config.steps})")

    def _plan(self) -> str:
        tokens = self.config.batch_rows * self.length
        flops = self.model.flops_per_token(self.length)
        return (
            f"{self.model.params:,} parameters ({self.model.layers} layers of width {self.model.width}); "
            f"{self.config.steps} steps of {tokens:,} tokens; {flops * tokens * self.config.steps:.2e} operations; "
            f"{self.world} process{'es' if self.world > 1 else ''} on {self.device}"
        )

    def _steps(self, batches: Prefetched, asked: list[int]) -> None:
        config, result = self.config, self.result
        began, waited, bad = time.perf_counter(), 0.0, 0
        first = result.step
        while result.step < config.steps and not asked:
            before = time.perf_counter()
            batch = batches.next()
            waited += time.perf_counter() - before
            self.optimizer.set_scale(scale(result.step, config))
            loss, norm = self._step(batch)
            bad = 0 if math.isfinite(loss) else bad + 1
            result.skipped += bad > 0
            if bad >= config.bad_steps:
                raise ModelError(f"the loss was no number for {bad} steps in a row, the last of them {result.step + 1}")
            result.step += 1
            result.losses.append(loss)
            elapsed = time.perf_counter() - began
            result.waited = waited / elapsed
            result.tokens_per_second = (result.step - first) * config.batch_rows * self.length / elapsed
            self._log(loss, norm, elapsed, first)
            last = result.step == config.steps
            if config.eval_every and result.step % config.eval_every == 0 and not last:
                self._evaluate()
            if config.save_every and result.step % config.save_every == 0 and not last:
                self._save(batches)
        result.stopped = bool(asked) and result.step < config.steps

    def _step(self, batch: Batch) -> tuple[float, float]:
        """One update; a loss that is no number leaves the weights as they are."""
        config = self.config
        counts = [float((batch.targets != IGNORED).sum())]
        (targets,) = dist.total(counts, self.device)
        losses = torch.zeros((), dtype=torch.float64)
        starts = range(0, len(batch.ids), config.micro_rows)
        for start in starts:
            rows = slice(start, start + config.micro_rows)
            ids, wanted, documents = (
                part[rows].to(self.device) for part in (batch.ids, batch.targets, batch.documents)
            )
            last = start == starts[-1]
            with self._synchronised(last), self._precision():
                total, loss = self.trained(ids, wanted, documents if config.document_mask else None)
                # Gradients are averaged over processes; the loss is that of all targets of the step.
                (total * (self.world / max(targets, 1.0))).backward()
            losses += loss.double().cpu()
        (summed,) = dist.total([float(losses)], self.device)
        mean = summed / max(targets, 1.0)
        norm = float("nan")
        if math.isfinite(mean):
            norm = clip(self.objective.parameters(), config.clip)
            if math.isfinite(norm):
                self.optimizer.step()
            else:
                mean = float("nan")
        self.optimizer.zero_grad()
        return mean, norm

    def _synchronised(self, last: bool) -> Any:
        if last or not isinstance(self.trained, nn.parallel.DistributedDataParallel):
            return contextlib.nullcontext()
        return self.trained.no_sync()

    def _precision(self) -> Any:
        if self.config.dtype == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=torch.bfloat16)

    def _log(self, loss: float, norm: float, elapsed: float, first: int) -> None:
        result, config = self.result, self.config
        left = elapsed / (result.step - first) * (config.steps - result.step)
        line = {
            "step": result.step,
            "loss": loss,
            "lr_scale": scale(result.step - 1, config),
            "grad_norm": norm,
            "tokens_per_second": round(result.tokens_per_second),
            "waited": round(result.waited, 4),
            "joules": self.meter.joules(),
            "seconds": round(elapsed, 2),
        }
        if self.rank == 0:
            self.output.mkdir(parents=True, exist_ok=True)
            with (self.output / LOG).open("a") as log:
                log.write(json.dumps(line) + "\n")
            if self.board is not None:
                for name in ("loss", "grad_norm", "tokens_per_second"):
                    self.board.add_scalar(name, line[name], result.step)
        if result.step == 1 or result.step % max(1, config.steps // 20) == 0 or result.step == config.steps:
            self.say(
                f"step {result.step}/{config.steps} ({100 * result.step / config.steps:.0f} %) loss {loss:.4f} "
                f"norm {norm:.2f} lr ×{line['lr_scale']:.2f} {result.tokens_per_second:,.0f} tok/s "
                f"waited {100 * result.waited:.1f} % {elapsed:.0f} s, {left:.0f} s left"
            )

    @cached_property
    def _held_out(self) -> Batch | None:
        """Held-out documents in packed rows; the same at each evaluation, and made once."""
        packer = Concatenate(self.length)
        rows: list[Row] = []
        for document in self.shards.documents(held_out=True):
            packer.add([np.array([self.tokenizer.boundary, *self.tokenizer.encode(document.text)], dtype=np.int32)])
            while len(rows) < self.config.eval_rows and (row := packer.take()) is not None:
                rows.append(row)
            if len(rows) == self.config.eval_rows:
                break
        return batch_of(rows) if rows else None

    def _evaluate(self) -> None:
        """Loss of held-out documents."""
        batch = self._held_out
        if batch is None:
            return
        nats = targets = size = 0.0
        lengths = torch.from_numpy(self.tokenizer.token_bytes)
        with torch.no_grad(), self._precision():
            for start in range(0, len(batch.ids), self.config.micro_rows):
                part = slice(start, start + self.config.micro_rows)
                wanted = batch.targets[part]
                documents = batch.documents[part].to(self.device) if self.config.document_mask else None
                _, loss = self.objective(batch.ids[part].to(self.device), wanted.to(self.device), documents)
                counted = wanted != IGNORED
                nats += float(loss)
                targets += float(counted.sum())
                size += float(lengths[wanted[counted].clamp(max=len(lengths) - 1)].sum())
        self.result.evaluation = {
            "step": float(self.result.step),
            "nats_per_token": nats / targets,
            "bits_per_byte": nats / math.log(2) / size,
        }
        if self.best is None or nats / targets < self.best[0]:
            self.best = (nats / targets, self.result.step)
        found = self.result.evaluation
        self.say(f"held out: {found['nats_per_token']:.4f} nats a token, {found['bits_per_byte']:.4f} bits a byte")

    def _save(self, batches: Prefetched) -> None:
        """Write a checkpoint; a disk that is full loses this one, and not the run."""
        weights, optimizer = checkpoint.gather(self.objective, self.optimizer.parts)
        data = dist.gathered(batches.state())
        if self.rank:
            return
        meta = {
            "model": dataclasses.asdict(self.model),
            "train": dataclasses.asdict(self.config),
            "data": data,
            "best": list(self.best) if self.best else None,
            "shards": self.shards.manifest,
        }
        folder = self.output / CHECKPOINTS
        try:
            checkpoint.save(folder, self.result.step, weights, optimizer, meta)
        except OSError as error:
            self.say(f"step {self.result.step} could not be saved: {error.strerror or error}; the one before is whole")
            if self.result.step >= self.config.steps or self.result.stopped:
                raise ModelError(f"{folder}: {error.strerror or error}; mend this and run the same again") from error
            return
        checkpoint.prune(folder, self.config.keep, self.best[1] if self.best else None)

    def _finish(self, batches: Prefetched) -> None:
        if not self.result.stopped:
            self._evaluate()
        self._save(batches)
        if self.result.stopped:
            self.say(f"stopped at step {self.result.step} and saved; the same command goes on")
        elif not adapters(self.objective.gpt):
            self._export()

    def _export(self) -> None:
        """Write the model as transformers reads it; where its parameters are shared out they are gathered before."""
        weights, _ = checkpoint.gather(self.objective, ())
        if self.rank == 0:
            whole = GPT(self.model)
            checkpoint.load_weights(whole, {name.removeprefix("gpt."): value for name, value in weights.items()})
            notes = {"shards": self.shards.manifest, "evaluation": self.result.evaluation}
            hf.export(whole, self.tokenizer, self.output / EXPORT, notes)


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """Signals that ask to stop: the step at hand is finished first."""
    asked: list[int] = []
    kinds = (signal.SIGTERM, signal.SIGINT)
    try:
        before = [signal.signal(kind, lambda number, _: asked.append(number)) for kind in kinds]
    except ValueError:  # not the main thread: nobody can ask
        yield asked
        return
    try:
        yield asked
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
