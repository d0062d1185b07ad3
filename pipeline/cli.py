"""The command line. Heavy imports stay inside the verbs: ``joeira --help`` answers at once."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from pipeline import __version__
from pipeline.errors import JoeiraError, UsageError

_FILTERS = (
    "c4",
    "consent",
    "extract",
    "fineweb",
    "gopher_quality",
    "gopher_repetition",
    "language",
    "licence",
    "minhash",
    "nemotron",
    "refinedweb",
    "robots",
    "url",
)
_STAGES = {
    "extract": "records to documents",
    "annotate": "documents to signals",
    "consent": "documents and captures of robots.txt to verdicts with their evidence",
    "dedup": "signals to duplicates",
    "assemble": "signals and thresholds to shards, removed and failed records, report and manifest",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: the arguments, without the program's name; those of the process by default.

    Returns:
        0 done, 1 the run failed, 2 the call or the configuration is wrong.
    """
    # Libraries log what they find odd in what was crawled, page by page; we count and record it instead.
    logging.disable(logging.CRITICAL)
    arguments = list(sys.argv[1:] if argv is None else argv)
    beam_args: list[str] = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, beam_args = arguments[:at], arguments[at + 1 :]
    if arguments[:1] == ["model"]:
        # The trainer is a program of its own, which shares nothing with the pipeline but files.
        return subprocess.call([sys.executable, "-m", "model", *arguments[1:]])
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.verb is None:
        parser.print_help()
        return 2
    options.beam_args = tuple(beam_args)
    try:
        if beam_args:
            from pipeline import runners

            runners.configure_file_systems(beam_args)
        return int(options.do(options))
    except JoeiraError as error:
        if getattr(options, "json", False):
            print(json.dumps({"error": str(error), "exit_code": error.exit_code}))
        print(f"joeira: error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        hint = "; mend this and run the same command again, it goes on"
        print(f"joeira: error: {error.strerror or error}{place}{hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("joeira: stopped; the same command goes on where it was", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="joeira",
        description="Turns crawls into pretraining corpora. Exit codes: 0 done, 1 the run failed, 2 the call is wrong.",
        epilog="Options for Beam itself go after a double dash: joeira curate … --runner dataflow -- --project=P",
    )
    parser.add_argument("--version", action="version", version=f"joeira {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    curate = verbs.add_parser("curate", help="the main job: crawl files to training shards, manifest and report")
    _input_options(curate, required=True)
    _run_options(curate)
    curate.add_argument("--dry-run", action="store_true", help="print the plan and check inputs, models and space")
    curate.add_argument("--print-config", action="store_true", help="print the resolved configuration as YAML")
    curate.set_defaults(do=_curate)

    for name, purpose in _STAGES.items():
        stage = verbs.add_parser(name, help=f"one stage: {purpose}")
        if name == "extract":
            _input_options(stage, required=False)
        else:
            stage.add_argument("--output", required=True, metavar="DIR", help="directory of a run begun by extract")
        _run_options(stage)
        stage.set_defaults(do=_stage)

    cluster = verbs.add_parser("cluster", help="show the copies of a document, and how two of them differ")
    cluster.add_argument("output", metavar="DIR", help="directory of the run")
    cluster.add_argument("id", metavar="ID", help="id of a document, kept or removed")
    cluster.add_argument("--with", metavar="ID", dest="other", help="compare with this member; default: the survivor")
    cluster.add_argument("--json", action="store_true", help="print one JSON object")
    cluster.set_defaults(do=_cluster)

    index = verbs.add_parser("index", help="index what a finished run keeps, for dedup.against of other runs")
    index.add_argument("output", metavar="DIR", help="directory of the run")
    index.add_argument("--index", required=True, metavar="DIR", help="directory to write")
    index.add_argument("--json", action="store_true", help="print one JSON object")
    index.set_defaults(do=_index)

    takedown = verbs.add_parser("takedown", help="remove documents from finished shards")
    takedown.add_argument("output", metavar="DIR", help="directory of the run")
    takedown.add_argument(
        "--list",
        required=True,
        metavar="FILE",
        dest="list_path",
        help="one entry a line: a URL, a URL that ends in * for all that begin so, a host, sha1: of a page, sha256: of "
        "a text, or the id of a document",
    )
    takedown.add_argument("--json", action="store_true", help="print one JSON object")
    takedown.set_defaults(do=_takedown)

    report = verbs.add_parser("report", help="write the report of a finished run again")
    report.add_argument("output", metavar="DIR", help="directory of the run")
    report.add_argument("--json", action="store_true", help="print one JSON object")
    report.set_defaults(do=_report)

    pipe = verbs.add_parser("filter", help="one filter as a Unix pipe: JSON lines in, JSON lines out")
    pipe.add_argument("name", metavar="NAME", choices=_FILTERS, help=", ".join(_FILTERS))
    pipe.add_argument("--config", metavar="FILE", help="configuration in YAML")
    pipe.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="settings", help="one setting")
    pipe.add_argument("--json", action="store_true", help="accepted for uniformity: output is JSON lines anyway")
    pipe.set_defaults(do=_filter)

    verbs.add_parser(
        "model", help="the trainer: tokenizer, pretrain, finetune, lora, sample, evaluate, …", add_help=False
    )

    demo = verbs.add_parser("demo", help="the whole road on the bundled sample crawl")
    demo.add_argument("--output", default="demo-output", metavar="DIR", help="default: demo-output")
    _run_options(demo)
    demo.set_defaults(do=_demo)
    return parser


def _input_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--input",
        nargs="+",
        action="extend",
        metavar="PATTERN",
        required=required,
        help="WARC, ARC, WET, JSON Lines, Parquet or text: paths, directories, wildcards, s3://, gs://, https://, "
        "or lists of paths (warc.paths.gz)",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="directory to write; resumed where it was begun")
    parser.add_argument(
        "--robots",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATTERN",
        help="WARCs with the crawl's captures of robots.txt, tdmrep.json and ai.txt (those among the pages count too)",
    )
    parser.add_argument(
        "--robots-latest",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATTERN",
        help="the same of a later time, for a second verdict",
    )
    parser.add_argument("--base", default="", metavar="PREFIX", help="put before each path of a list")
    parser.add_argument("--sample", type=int, metavar="N", help="take N files, chosen by hash of their path")
    parser.add_argument("--preset", metavar="NAME", help="named configuration; none removes nothing")
    parser.add_argument("--config", metavar="FILE", help="configuration in YAML, over the preset")
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", dest="settings", help="one setting, over the file"
    )


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runner", default="local", metavar="NAME", help="local (default), prism, flink, portable or dataflow"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes on this machine; default: all cores")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _how(options: argparse.Namespace) -> Any:
    from pipeline import job, progress, runners

    workers = _workers(options)
    if not options.quiet:
        progress.say(f"runner: {runners.describe(options.runner, workers)}")
    else:
        runners.runner_name(options.runner)
    return job.How(runner=options.runner, workers=workers, beam_args=options.beam_args, quiet=options.quiet)


def _workers(options: argparse.Namespace) -> int:
    if options.workers is None:
        # The cores this process may use, where the system tells (macOS does not).
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if options.workers < 1:
        raise UsageError(f"--workers {options.workers}: expected 1 or more")
    return int(options.workers)


def _plan(options: argparse.Namespace) -> Any:
    from pipeline import config, runs

    if options.sample is not None and options.sample < 1:
        raise UsageError(f"--sample {options.sample}: expected 1 or more")
    settings = config.load(options.preset, options.config, options.settings)
    captures = {"robots": options.robots, "latest": options.robots_latest}
    return runs.plan(options.output, options.input, settings, base=options.base, sample=options.sample, **captures)


def _curate(options: argparse.Namespace) -> int:
    if options.print_config:
        import yaml

        from pipeline import config

        resolved = config.load(options.preset, options.config, options.settings).to_dict()
        print(json.dumps(resolved) if options.json else yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))
        return 0
    from pipeline import job

    run = _plan(options)
    if options.dry_run:
        return _dry_run(run, options)
    result = job.curate(run, _how(options))
    _tell(options, result)
    return 0


def _dry_run(run: Any, options: argparse.Namespace) -> int:
    from filters import language
    from pipeline import rules, runners, runs
    from pipeline.io import storage

    workers = _workers(options)
    needed, free = runs.space_needed(run), storage.free_bytes(run.output)
    if "language" in run.config.annotate.filters:
        language.identify("model check")
    plan = {
        "output": run.output,
        "preset": run.config.preset,
        "runner": runners.describe(options.runner, workers),
        "inputs": len(run.inputs),
        "input_bytes": sum(item.size for item in run.inputs),
        "splits": len(run.splits),
        "stages": ["extract", "annotate", "consent", "decide", "shards", "report"],
        "rules": [rule.name for rule in rules.resolve(run.config)],
        "models": run.identity()["versions"]["models"],
        "space_needed_bytes": needed,
        "space_free_bytes": free,
    }
    if free is not None and free < needed:
        raise UsageError(f"{run.output}: about {needed} bytes are needed, {free} are free")
    if options.json:
        print(json.dumps(plan))
    else:
        print("\n".join(f"{name}: {value}" for name, value in plan.items()))
    return 0


def _stage(options: argparse.Namespace) -> int:
    from pipeline import exchanges, job, runs

    run = _plan(options) if options.verb == "extract" and options.input else runs.reopen(options.output)
    how = _how(options)
    with runs.claimed(run):
        if options.verb == "assemble":
            job.decide(run, how)
            job.write_shards(run, how)
            result = job.complete(run, how)
            _tell(options, result)
        else:
            if options.verb == "consent":
                exchanges.ask_consent(run, how)
            elif options.verb == "dedup":
                exchanges.ask_consent(run, how)
                exchanges.find_copies(run, how)
            else:
                job.work_on_splits(run, (options.verb,), how)
            if options.json:
                print(json.dumps({"stage": options.verb, "output": options.output, "splits": len(run.splits)}))
    return 0


def _cluster(options: argparse.Namespace) -> int:
    from pipeline.dedup import show

    found = show.cluster(options.output, options.id, options.other)
    if options.json:
        print(json.dumps(found))
        return 0
    print(f"level {found['level']}, {len(found['members'])} members, standing for {found['size']} documents")
    for member in found["members"]:
        mark = "kept" if member["id"] == found["survivor"] else "copy"
        similarity = "" if member["similarity"] is None else f"{member['similarity']:.3f}"
        print(f"{mark}  {member['id']}  {similarity:5}  {member['url'] or ''}")
    print("\n".join(found["diff"]) or "their texts are equal line by line")
    return 0


def _index(options: argparse.Namespace) -> int:
    from pipeline import rules, runs
    from pipeline.dedup import index

    run = runs.reopen(options.output)
    made = index.build(options.output, options.index, rules.parameters(run.config.dedup))
    said = {"index": options.index, "documents": made["documents"], "keys": made["keys"]}
    print(json.dumps(said) if options.json else f"{options.index}: {made['documents']} documents, {made['keys']} keys")
    return 0


def _takedown(options: argparse.Namespace) -> int:
    from pipeline import takedown

    log = takedown.take_down(options.output, options.list_path)
    if options.json:
        print(json.dumps(log))
        return 0
    if log["resumed"]:
        print(f"finished {len(log['resumed'])} takedown that was stopped before")
    if log["number"] is None:
        print(f"{options.output}: no document of the shards falls under any of {log['list']['entries']} entries")
        return 0
    place = f"{options.output}/takedowns/{log['number']:04d}"
    print(f"{log['documents']} documents removed from {len(log['shards'])} shards; {place} has the log")
    if log["without_documents"]:
        print(f"{len(log['without_documents'])} entries have no document in the shards")
    if log["offered"]:
        print(f"{log['offered']} documents in the shards are copies of removed ones: {place}/offered.txt names them")
    if log["work_holds_texts"]:
        print(f"{options.output}/work still holds extracted texts; delete it when it is no longer needed")
    return 0


def _report(options: argparse.Namespace) -> int:
    from pipeline import job

    path = job.write_report(options.output)
    print(json.dumps({"report": path}) if options.json else path)
    return 0


def _filter(options: argparse.Namespace) -> int:
    from pipeline import config, filter_pipe

    return filter_pipe.run(options.name, config.load(None, options.config, options.settings))


def _demo(options: argparse.Namespace) -> int:
    from pipeline import config, demo, job, runs, sample

    run = runs.plan(options.output, [str(sample.DIRECTORY)], config.load())
    result = job.curate(run, _how(options))
    if not options.json:
        _tell(options, result)
    trained = demo.train(options.output, quiet=options.quiet or options.json)
    if options.json:
        _tell(options, result | {"model": trained})
    return 0


def _tell(options: argparse.Namespace, manifest: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps({"output": options.output, **manifest}))
        return
    totals = manifest["conservation"]
    print(f"{totals['in']} in = {totals['kept']} kept + {totals['removed']} removed + {totals['failed']} failed")
    print(f"shards: {options.output}/data ({len(manifest['shards'])} files)")
    print(f"report: {options.output}/report/index.html")
