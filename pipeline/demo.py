"""The end of ``joeira demo``: a tokenizer and a tiny model from the shards, and what they are worth.

The trainer is called as its users call it, since it meets the pipeline at the shards alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from pipeline.errors import RunError
from pipeline.io import storage

# Half a minute on two slow cores; enough to learn what the sample crawl says many times over.
_TRAINING = ("--preset", "tiny", "--steps", "200", "--batch-rows", "8", "--micro-rows", "8", "--device", "cpu")
_RATES = ("--optimizer", "muon", "--lr", "6e-3", "--muon-lr", "3e-2")


def train(output: str, *, quiet: bool) -> dict[str, Any]:
    """Train on the shards of a finished run, and compare with n-grams.

    Args:
        output: directory of the run.
        quiet: show no progress and say nothing.

    Returns:
        Bits a byte of held-out documents by the model and by the baselines, and a text that the model made.
    """
    vocabulary, run = (storage.join(output, "training", name) for name in ("tokenizer", "run"))
    shards = ("--shards", output)
    _call("tokenizer", *shards, "--vocab", "2048", "--output", vocabulary, quiet=quiet)
    _call("pretrain", *shards, "--tokenizer", vocabulary, "--output", run, *_TRAINING, *_RATES, quiet=quiet)
    model = ("--model", storage.join(run, "model"))
    measured = _call("evaluate", *model, *shards, quiet=quiet)
    bits = {name: round(found["all"]["bits_per_byte"], 4) for name, found in measured.items()}
    text = _call("sample", *model, "", "--tokens", "60", "--temperature", "0.7", quiet=quiet)["texts"][0]
    if not quiet:
        print("bits a byte of held-out documents: " + ", ".join(f"{name} {value}" for name, value in bits.items()))
        print(f"the model writes: {' '.join(text.split())}")
        print(f"model: {model[1]}")
    return {"path": model[1], "bits_per_byte": bits, "text": text}


def _call(verb: str, *arguments: str, quiet: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "model", verb, *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE if quiet else None, text=True)
    if done.returncode:
        said = (done.stderr or "").strip() if quiet else "see above"
        raise RunError(f"joeira model {verb} failed: {said}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
