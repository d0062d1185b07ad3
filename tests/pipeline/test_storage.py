"""Files written whole or not at all, on disk and in an S3 that runs on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import sample
from pipeline.cli import main
from pipeline.io import storage
from tests.conftest import digests


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.bin"
    with storage.write_atomically(str(path)) as handle:
        handle.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.bin"]


def test_an_exception_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "b.bin"
    path.write_bytes(b"old")

    def fail() -> None:
        with storage.write_atomically(str(path)) as handle:
            handle.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.bin"]


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".tmp-1-a", "a", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    storage.remove_leftovers(str(tmp_path))
    storage.remove_leftovers(str(tmp_path / "missing"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".hidden", "a"]


def test_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 1_000_000)
    assert storage.digest(str(tmp_path / "a")) == "sha256:" + hashlib.sha256(b"abc" * 1_000_000).hexdigest()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Options for Beam that lead to an S3 of our own; holds the sample crawl in ``s3://crawl/``."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed (pip install 'joeira[aws]')")
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
    for bucket in ("crawl", "corpus"):
        client.create_bucket(Bucket=bucket)
    for path in sample.DIRECTORY.iterdir():
        client.upload_file(str(path), "crawl", f"2026/{path.name}")
    keys = ["--s3_access_key_id=testing", "--s3_secret_access_key=testing", "--s3_region_name=us-east-1"]
    yield [f"--s3_endpoint_url={url}", *keys]
    server.stop()


@pytest.mark.slow
def test_a_run_from_s3_to_s3(s3: list[str], sample_run: Path) -> None:
    """Slow because Beam makes a new S3 client for every operation."""
    arguments = ["curate", "--input", "s3://crawl/2026/", "--output", "s3://corpus/run", "--quiet", "--workers", "2"]
    for _ in range(2):  # the second finds it finished
        assert main([*arguments, "--", *s3]) == 0
    data = storage.read_bytes("s3://corpus/run/data/part-00000.parquet")
    assert hashlib.sha256(data).hexdigest() == digests(sample_run)["part-00000.parquet"]
    assert not storage.list_dir("s3://corpus/run/data", ".tmp-*")
