"""What may go wrong around a run: one clear sentence and the right exit code."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import sample
from pipeline.cli import main
from tests.conftest import Curate, manifest, rows
from tests.pipeline.warcs import PROSE, page, response

SAMPLE = str(sample.DIRECTORY)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--input", "missing.warc.gz", "--output", "o"], 2, "input missing.warc.gz: no such file"),
        (["--input", SAMPLE, "--output", "o", "--preset", "nonne"], 2, "did you mean 'none'?"),
        (["--input", SAMPLE, "--output", "o", "--set", "extract.engin=x"], 2, "did you mean 'engine'?"),
        (
            ["--input", SAMPLE, "--output", "o", "--set", "extract.engine=x"],
            2,
            "unknown engine 'x'; known: html2txt, trafilatura",
        ),
        (["--input", SAMPLE, "--output", "o", "--set", "assemble.profiles=[xx]"], 2, "unknown language profile 'xx'"),
        (["--input", SAMPLE, "--output", "o", "--runner", "spark"], 2, "unknown runner 'spark'"),
        (["--input", SAMPLE, "--output", "o", "--workers", "0"], 2, "--workers 0: expected 1 or more"),
        (["--input", SAMPLE, "--output", "o", "--sample", "0"], 2, "--sample 0: expected 1 or more"),
        (["--input", SAMPLE, "--output", "/proc/nope"], 2, "cannot write to /proc/nope"),
        (["--input", SAMPLE, "--output", "o", "--config", "none.yaml"], 2, "cannot read configuration none.yaml"),
        (["--input", SAMPLE, "--output", "o", "--", "--direct_num_workers=many"], 2, "Beam refuses the options"),
        (["--input", SAMPLE, "--output", "o", "--set", "extract.options={bad: 1}"], 2, "takes no option 'bad'"),
    ],
)
def test_mistakes(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["curate", "--quiet", *arguments]) == code
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert said[-1].startswith("joeira: error: ")


def test_argparse_mistakes_exit_2() -> None:
    for arguments in (["curat"], ["curate"], ["curate", "--input", SAMPLE], ["filter", "nope"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


def test_another_configuration_is_refused_and_named(curate: Curate, capsys: pytest.CaptureFixture[str]) -> None:
    curate()
    curate(expect=2, options=("--set", "assemble.shard_mib=3"))
    assert "config.assemble.shard_mib was 128, is 3" in capsys.readouterr().err


def test_a_directory_of_something_else_is_left_alone(curate: Curate, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("precious")
    curate(expect=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["thesis.tex"]


def test_a_finished_run_is_not_done_again(curate: Curate, capsys: pytest.CaptureFixture[str]) -> None:
    run = curate()
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file() and path.name != "lock"}
    curate()
    changed = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed <= {"digests.json"}


def test_a_full_disk_ends_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """On a tiny file system of its own, where this machine lets tests mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    try:
        command = ["curate", "--input", SAMPLE, "--output", str(place / "out"), "--quiet", "--workers", "1"]
        process = subprocess.run([sys.executable, "-m", "pipeline", *command], capture_output=True, text=True)
        assert process.returncode == 1
        assert "No space left on device" in process.stderr
        assert "run the same command again" in process.stderr
        assert len(process.stderr.strip().splitlines()) == 1
        final = [path for path in (place / "out").rglob("*.parquet") if not path.name.startswith(".tmp-")]
        import pyarrow.parquet as pq

        for path in final:
            pq.read_table(path)
        subprocess.run(["mount", "-o", "remount,size=40m", str(place)], check=True)
        assert subprocess.run([sys.executable, "-m", "pipeline", *command], capture_output=True).returncode == 0
        assert manifest(place / "out")["conservation"]["holds"]
    finally:
        subprocess.run(["umount", str(place)], check=False)


def bomb(megabytes: int) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        file.write(b"<html><body><p>")
        for _ in range(megabytes):
            file.write(bytes(1 << 20))
    return packed.getvalue()


def test_bombs_and_abysses_are_rows_and_their_neighbours_live(curate: Curate, tmp_path: Path) -> None:
    html = ("Content-Type", "text/html")
    evil = {
        "bomb": response("https://a.example/bomb", bomb(200), headers=(html, ("Content-Encoding", "gzip"))),
        "deep": response("https://a.example/deep", b"<html><body>" + b"<div>" * 100_000 + PROSE.encode()),
        "wide": response("https://a.example/wide", b"<html><body>" + b"<i>x</i>" * 300_000),
        "long": response("https://a.example/long", page("x" * (9 << 20))),
        "mark": response("https://a.example/mark", page("<script>" * 20_000 + PROSE)),
        "attr": response("https://a.example/attr", b"<p " + b"a=1 " * 500_000 + b">" + PROSE.encode()),
    }
    neighbours = [response(f"https://a.example/{n}", page(f"{n} {PROSE * 3}")) for n in range(3)]
    (tmp_path / "evil.warc.gz").write_bytes(b"".join([neighbours[0], *evil.values(), *neighbours[1:]]))
    run = curate(tmp_path / "evil.warc.gz")
    reasons = {row["url"][18:]: row["reason"] for row in rows(run, "removed")}
    assert reasons["bomb"] == "too_large"
    assert reasons["deep"] == "empty"  # libxml2 builds 256 levels, and the text stood below them
    assert reasons["wide"] == "max_nodes"
    assert {row["url"][18:] for row in rows(run, "data")} >= {"0", "1", "2"}
    assert manifest(run)["conservation"]["in"] == 9


def test_real_and_malformed_files_are_all_accounted_for(curate: Curate, shared: Path) -> None:
    run = curate(shared / "crawl/edge", shared / "crawl/real", options=("--preset", "none"))
    counts = manifest(run)["counts"]
    assert manifest(run)["conservation"]["holds"]
    # The better of warcio and FastWARC over these files, less warcio's two phantoms: see test_warc.py.
    assert counts["records"]["response"] + counts["records"]["resource"] + counts["records"]["conversion"] >= 1900
    for row in rows(run, "failed"):
        assert row["warc_file"]
        assert row["warc_offset"] is not None
        assert row["error"]
        assert row["detail"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_an_unwritable_output(curate: Curate, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    curate(output="locked/out", expect=2)


def test_a_dry_run_checks_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "dry"
    assert main(["curate", "--input", SAMPLE, "--output", str(output), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "splits: 3" in said
    assert "lid.176.ftz" in said
    assert not output.exists()
    assert main(["curate", "--input", SAMPLE, "--output", str(output), "--print-config"]) == 0
    assert "engine: trafilatura" in capsys.readouterr().out


def test_noise_in_files_of_every_kind_is_rows_not_an_end(curate: Curate, tmp_path: Path) -> None:
    import random

    noise = random.Random(11)
    folder = tmp_path / "noise"
    folder.mkdir()
    kinds = (
        "warc",
        "warc.gz",
        "warc.zst",
        "warc.lz4",
        "arc",
        "jsonl",
        "jsonl.gz",
        "jsonl.zst",
        "parquet",
        "txt.gz",
        "txt.zst",
    )
    for kind in kinds:
        (folder / f"noise.{kind}").write_bytes(noise.randbytes(20_000))
    magic = {
        "warc.gz": b"\x1f\x8b\x08",
        "warc.zst": b"\x28\xb5\x2f\xfd",
        "warc.lz4": b"\x04\x22\x4d\x18",
        "parquet": b"PAR1",
    }
    for kind, head in magic.items():
        (folder / f"head.{kind}").write_bytes(head + noise.randbytes(5_000))
        (folder / f"only.{kind}").write_bytes(head)
    (folder / "good.warc.gz").write_bytes(response("https://a.example/", page(PROSE * 3)))
    run = curate(folder)
    assert [row["url"] for row in rows(run, "data")] == ["https://a.example/"]
    failed = {row["warc_file"] for row in rows(run, "failed")}
    assert failed >= {f"noise.{kind}" for kind in kinds if kind not in ("jsonl",)}


def test_a_failing_stage_says_one_sentence(tmp_path: Path) -> None:
    """In one process and in several: no traceback of Beam's."""
    (tmp_path / "in.warc.gz").write_bytes(response("https://a.example/", page(PROSE * 3)))
    code = (
        "import logging, sys; logging.disable(50)\n"
        "from pipeline.stages import extract; from pipeline.cli import main\n"
        "def broken(*_): raise OSError(5, 'the disk is on fire', 'sda')\n"
        "extract._read_kind = broken\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = [
        "curate",
        "--input",
        str(tmp_path / "in.warc.gz"),
        "--output",
        str(tmp_path / "o"),
        "--quiet",
        "--workers",
        "1",
    ]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "stage extract" in line
    assert "the disk is on fire (sda); mend this and run the same command again" in line
