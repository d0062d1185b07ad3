"""The command line of the trainer. Heavy imports stay inside the verbs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.config import PRESETS, TrainConfig, of_dict
from model.errors import ModelError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: the arguments, without the program's name; those of the process by default.

    Returns:
        0 done, 1 the run failed, 2 the call is wrong.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.verb is None:
        parser.print_help()
        return 2
    try:
        answer = options.do(options)
    except ModelError as error:
        if options.json:
            print(json.dumps({"error": str(error), "exit_code": 1}))
        print(f"joeira model: error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        where = error.name if error.name == "tensorboard" else "'joeira[train]'"
        print(f"joeira model: error: {error.name} is not installed: pip install {where}", file=sys.stderr)
        return 2
    # Of several processes that torchrun started one speaks.
    if options.json and answer is not None and os.environ.get("RANK", "0") == "0":
        print(json.dumps(answer))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="joeira model", description="Trains and uses small decoders on Parquet shards."
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    def verb(name: str, does: str, do: Any) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=does, description=does)
        made.add_argument("--json", action="store_true", help="print one JSON object")
        made.set_defaults(do=do)
        return made

    tokenizer = verb("tokenizer", "learn a byte-level BPE from shards", _tokenizer)
    _shards(tokenizer)
    tokenizer.add_argument("--vocab", type=int, default=8192, help="tokens (default 8192)")
    tokenizer.add_argument("--output", required=True, metavar="DIR", help="directory to write")

    tokens = verb("tokenize", "write shards that hold tokens beside texts, which training then reads", _tokenize)
    _shards(tokens)
    tokens.add_argument("--tokenizer", required=True, metavar="DIR", help="directory with tokenizer.json")
    tokens.add_argument("--output", required=True, metavar="DIR", help="directory to write")

    for name, purpose in (
        ("pretrain", "train a model from random weights, going on where it stopped"),
        ("finetune", "go on training a model on other shards (continued pretraining too)"),
        ("lora", "train low-rank adapters beside a model"),
    ):
        trained = verb(name, purpose, _train)
        _shards(trained)
        trained.add_argument("--output", required=True, metavar="DIR", help="directory of the run")
        if name == "pretrain":
            trained.add_argument("--tokenizer", required=True, metavar="DIR", help="directory with tokenizer.json")
            trained.add_argument("--preset", default="tiny", choices=sorted(PRESETS), help="size (default tiny)")
        else:
            trained.add_argument("--model", required=True, metavar="DIR", help="model to begin with")
        if name == "lora":
            trained.add_argument("--rank", type=int, default=8, help="of adapters (default 8)")
            trained.add_argument("--alpha", type=float, default=16.0, help="scale times rank (default 16)")
            trained.add_argument("--targets", nargs="+", metavar="NAME", help="matrices that get one; default all")
            trained.add_argument("--merge", action="store_true", help="also write the model with them merged")
        _settings(trained)

    sample = verb("sample", "go on with prompts", _sample)
    _model(sample)
    sample.add_argument("prompts", nargs="*", default=[""], metavar="PROMPT", help="texts to go on with")
    for name, kind, default in (
        ("temperature", float, 1.0),
        ("top-k", int, 0),
        ("top-p", float, 1.0),
        ("min-p", float, 0.0),
        ("repetition", float, 1.0),
        ("tokens", int, 100),
        ("seed", int, 1),
    ):
        sample.add_argument(f"--{name}", type=kind, default=default, help=f"default {default}")
    sample.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end at this text")

    evaluate = verb("evaluate", "perplexity and bits per byte of held-out documents, beside n-grams", _evaluate)
    _model(evaluate)
    _shards(evaluate)
    evaluate.add_argument("--stride", type=int, default=0, help="of overlapping windows; default: rolling ones")
    evaluate.add_argument("--documents", type=int, default=500, help="the most that are measured (default 500)")
    evaluate.add_argument("--ngrams", type=int, default=3, help="order of the baseline; 0 for none (default 3)")

    ask = verb("ask", "a task of the lecture as the prediction of next words", _ask)
    _model(ask)
    ask.add_argument("task", choices=("sentiment", "question", "summary"))
    ask.add_argument("text")

    export = verb("export", "write a checkpoint of a run as a Hugging Face directory", _export)
    export.add_argument("run", metavar="RUN", help="directory of a run")
    export.add_argument("--output", required=True, metavar="DIR", help="directory to write")

    imported = verb("import", "check that a Hugging Face directory loads, and write it as ours", _import)
    _model(imported)
    imported.add_argument("--output", required=True, metavar="DIR", help="directory to write")

    scaling = verb("scaling", "fit a scaling law to runs, and say how a budget is best divided", _scaling)
    scaling.add_argument("runs", metavar="FILE", help="JSON lines, each with params, tokens and loss (nats a token)")

    energy = verb("energy", "what the training of a run took, as far as the machine has counters", _energy)
    energy.add_argument("run", metavar="RUN", help="directory of a run")
    energy.add_argument(
        "--pue", type=float, default=1.0, help="energy of the building by that of the machines (default 1)"
    )
    energy.add_argument(
        "--grid", type=float, metavar="G", help="grams of CO2 equivalent a kWh; no default, it is local"
    )

    bench = verb("bench", "speed of training at shapes of GPT-2, and of the loader", _bench)
    bench.add_argument("--presets", nargs="+", default=["tiny"], choices=sorted(PRESETS))
    bench.add_argument("--steps", type=int, default=20, help="steps that are timed (default 20)")
    bench.add_argument("--rows", type=int, default=8, help="sequences in a step (default 8)")
    bench.add_argument("--dtype", default="bfloat16", choices=("float32", "bfloat16"))
    bench.add_argument("--compile", action="store_true", help="use torch.compile")
    return parser


def _shards(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shards", required=True, metavar="DIR", help="Parquet shards, or the output of joeira curate")


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="DIR", help="Hugging Face directory, ours or theirs")
    parser.add_argument("--adapter", metavar="DIR", help="LoRA adapter in PEFT's form")


def _settings(parser: argparse.ArgumentParser) -> None:
    for field in dataclasses.fields(TrainConfig):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            action = argparse.BooleanOptionalAction
            parser.add_argument(flag, action=action, default=field.default, help=f"default {field.default}")
        else:
            parser.add_argument(flag, type=type(field.default), default=field.default, help=f"default {field.default}")


def _say(options: argparse.Namespace) -> Any:
    return (lambda line: print(line, file=sys.stderr)) if options.json else print


def _tokenizer(options: argparse.Namespace) -> dict[str, Any]:
    from model.shards import Shards
    from model.tokenizer import Tokenizer

    shards = Shards(options.shards)
    made = Tokenizer.train((one.text for one in shards.documents(held_out=False)), options.vocab)
    made.save(options.output)
    _say(options)(f"{made.size} tokens in {options.output}/tokenizer.json")
    return {"tokens": made.size, "output": options.output}


def _tokenize(options: argparse.Namespace) -> dict[str, Any]:
    from model.shards import Shards, write_tokens
    from model.tokenizer import Tokenizer

    total = write_tokens(Shards(options.shards), Tokenizer.load(options.tokenizer), options.output)
    _say(options)(f"{total:,} tokens in {options.output}")
    return {"tokens": total, "output": options.output}


def _train(options: argparse.Namespace) -> dict[str, Any]:
    from model import hf, lora
    from model.config import preset
    from model.shards import Shards
    from model.tokenizer import Tokenizer
    from model.train import EXPORT, train

    names = [field.name for field in dataclasses.fields(TrainConfig)]
    config: TrainConfig = of_dict(TrainConfig, {name: getattr(options, name) for name in names})
    shards = Shards(options.shards)
    start = None
    if options.verb == "pretrain":
        tokenizer = Tokenizer.load(options.tokenizer)
        # A multiple of 64 multiplies faster, and the rest is never predicted.
        model = preset(options.preset, -(-tokenizer.size // 64) * 64)
    else:
        tokenizer = Tokenizer.load(options.model)
        start = hf.load(options.model)
        model = start.config
    if options.verb == "lora" and start is not None:
        chosen = lora.inject(start, options.rank, options.alpha, options.targets or lora.TARGETS)
        trained = sum(parameter.numel() for parameter in start.parameters() if parameter.requires_grad)
        _say(options)(f"{len(chosen)} adapters: {trained:,} of {model.params:,} parameters are trained")
    result = train(shards, tokenizer, model, config, options.output, start=start, say=_say(options))
    if options.verb == "lora" and start is not None and not result.stopped:
        lora.save(start, Path(options.output) / "adapter", options.model)
        if options.merge:
            lora.merge(start)
            hf.export(start, tokenizer, Path(options.output) / EXPORT, {"shards": shards.manifest})
    found = dataclasses.asdict(result)
    del found["losses"]
    return {**found, "loss": result.losses[-1] if result.losses else None, "output": options.output}


def _loaded(options: argparse.Namespace) -> tuple[Any, Any]:
    from model import hf, lora
    from model.tokenizer import Tokenizer

    model = hf.load(options.model).eval()
    if options.adapter:
        lora.load(model, options.adapter)
    return model, Tokenizer.load(options.model)


def _sample(options: argparse.Namespace) -> dict[str, Any]:
    from model.sample import Sampling, generate

    model, tokenizer = _loaded(options)
    names = ("temperature", "top_k", "top_p", "min_p", "repetition", "tokens", "seed")
    sampling = Sampling(stop=tuple(options.stop), **{name: getattr(options, name) for name in names})
    made = generate(model, tokenizer, options.prompts, sampling)
    if not options.json:
        print("\n---\n".join(prompt + text for prompt, text in zip(options.prompts, made, strict=True)))
    return {"texts": made}


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from itertools import islice

    from model.evaluate import by_model, by_ngrams, evaluate
    from model.ngram import KneserNey
    from model.shards import Shards

    model, tokenizer = _loaded(options)
    shards = Shards(options.shards)
    documents = list(islice(shards.documents(held_out=True), options.documents))
    found = {"model": evaluate(by_model(model, tokenizer, stride=options.stride), tokenizer, documents)}
    if options.ngrams:
        trained = [
            [tokenizer.boundary, *tokenizer.encode(one.text)] for one in shards.documents(held_out=False)
        ]  # fmt: skip
        for order in dict.fromkeys((1, options.ngrams)):
            baseline = KneserNey(trained, tokenizer.size, order)
            found[f"{order}-gram"] = evaluate(by_ngrams(baseline, tokenizer), tokenizer, documents)
    if not options.json:
        print(f"{'':10} {'bits a byte':>12} {'95 %':>18} {'perplexity':>12}")
        for name, values in found.items():
            one = values["all"]
            low, high = one["bits_per_byte_95"]
            between = f"{low:.4f} to {high:.4f}"
            print(f"{name:10} {one['bits_per_byte']:12.4f} {between:>18} {one['perplexity_per_token']:12.2f}")
    return found


def _ask(options: argparse.Namespace) -> dict[str, Any]:
    from model import tasks
    from model.sample import Sampling

    model, tokenizer = _loaded(options)
    sampling = Sampling(temperature=0.7, top_p=0.95, tokens=64)
    answer: Any
    if options.task == "sentiment":
        answer = tasks.sentiment(model, tokenizer, options.text)
    elif options.task == "question":
        answer = tasks.answer(model, tokenizer, options.text, sampling)
    else:
        answer = tasks.summary(model, tokenizer, options.text, sampling)
    if not options.json:
        print(max(answer, key=answer.__getitem__) if isinstance(answer, dict) else answer)
    return {"task": options.task, "answer": answer}


def _export(options: argparse.Namespace) -> dict[str, Any]:
    from safetensors.torch import load_file

    from model import checkpoint, hf
    from model.config import ModelConfig
    from model.gpt import GPT
    from model.tokenizer import Tokenizer
    from model.train import CHECKPOINTS, TOKENIZER

    run = Path(options.run)
    whole = [path for path in sorted((run / CHECKPOINTS).glob("step-*")) if not checkpoint.check(path)]
    if not whole:
        raise ModelError(f"{run}: no whole checkpoint stands here")
    meta = json.loads((whole[-1] / checkpoint.META).read_text())
    gpt = GPT(of_dict(ModelConfig, meta["model"]))
    weights = load_file(whole[-1] / checkpoint.MODEL)
    checkpoint.load_weights(gpt, {name.removeprefix("gpt."): value for name, value in weights.items()})
    hf.export(gpt, Tokenizer.load(run / TOKENIZER), options.output, {"shards": meta["shards"], "step": meta["step"]})
    _say(options)(f"step {meta['step']} of {run} in {options.output}")
    return {"step": meta["step"], "output": options.output}


def _import(options: argparse.Namespace) -> dict[str, Any]:
    from model import hf, lora

    model, tokenizer = _loaded(options)
    if options.adapter:
        lora.merge(model)
    hf.export(model, tokenizer, options.output, {"imported": options.model})
    _say(options)(f"{model.config.params:,} parameters in {options.output}")
    return {"parameters": model.config.params, "output": options.output}


def _scaling(options: argparse.Namespace) -> dict[str, Any]:
    from model.scaling import report

    try:
        runs = [json.loads(line) for line in Path(options.runs).read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise ModelError(f"{options.runs}: cannot be read as JSON lines: {error}") from error
    found = report(runs)
    if not options.json:
        law = found["law"]
        print(f"L = {law['e']:.3f} + {law['a']:.4g} / N^{law['alpha']:.3f} + {law['b']:.4g} / D^{law['beta']:.3f}")
        for budget, best in found["optimum"].items():
            print(f"{budget} operations: {best['params']:.3g} parameters, {best['tokens']:.3g} tokens")
    return found


def _energy(options: argparse.Namespace) -> dict[str, Any]:
    from model.energy import footprint
    from model.train import LOG

    try:
        lines = [json.loads(line) for line in (Path(options.run) / LOG).read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise ModelError(f"{options.run}: no log can be read: {error}") from error
    # A run that was stopped begins to count anew when it goes on.
    following = [*(line["seconds"] for line in lines[1:]), 0.0]
    parts = [line for line, after in zip(lines, following, strict=True) if after < line["seconds"]]
    measured = [one["joules"] for one in parts if one.get("joules") is not None]
    tokens = sum(one["tokens_per_second"] * one["seconds"] for one in parts)
    if not measured:
        _say(options)("unknown: this machine has no counters of energy that may be read")
        return {"joules": None, "tokens": tokens}
    found = footprint(sum(measured), tokens, pue=options.pue, grid=options.grid)
    grams = "" if found.grams is None else f", {found.grams:.3g} g CO2e"
    _say(options)(f"{found.kwh:.3g} kWh{grams}; {found.joules_a_token:.3g} J a token, {tokens:.3g} tokens")
    return {"joules": sum(measured), "tokens": tokens, **dataclasses.asdict(found)}


def _bench(options: argparse.Namespace) -> dict[str, Any]:
    from model.bench import measure

    found = measure(options.presets, options.steps, options.rows, options.dtype, compiled=options.compile)
    if not options.json:
        print(json.dumps(found, indent=1))
    return found
