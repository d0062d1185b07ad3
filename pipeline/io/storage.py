"""Files by path or URL: local disks, ``https://``, and ``s3://``, ``gs://``… through Beam's file systems.

Nothing half-written ever stands under a final name: :func:`write_atomically` writes beside it and renames.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from pipeline.errors import UsageError
from pipeline.io import https

TEMPORARY_PREFIX = ".tmp-"


@dataclass(frozen=True)
class FileInfo:
    """A file that exists: its path, its size in bytes, and a string that changes when it does."""

    path: str
    size: int
    version: str


def is_remote(path: str) -> bool:
    """Whether a path has a scheme, like ``s3://`` or ``https://``.

    Args:
        path: a path or URL.

    Returns:
        True for anything that is not on a local disk.
    """
    return "://" in path


def _beam() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def join(base: str, *parts: str) -> str:
    """Join a directory or URL and names below it.

    Args:
        base: a directory or URL, with or without a final slash.
        *parts: names.

    Returns:
        The path.
    """
    return "/".join([base.rstrip("/"), *parts]) if is_remote(base) else os.path.join(base, *parts)


def open_read(path: str) -> BinaryIO:
    """Open a file for reading from any offset; compression is left to the caller.

    Args:
        path: a local path or a URL.

    Returns:
        A binary file that can seek.
    """
    if https.is_http(path):
        return cast(BinaryIO, https.open_read(path))
    if is_remote(path):
        from apache_beam.io.filesystem import CompressionTypes

        return cast(BinaryIO, _beam().open(path, compression_type=CompressionTypes.UNCOMPRESSED))
    return open(path, "rb")


def match(pattern: str) -> list[FileInfo]:
    """The files that a path or pattern names, sorted by path.

    Args:
        pattern: a path, a URL, or either with ``*``, ``?``, ``[…]`` (``**`` crosses directories);
            a directory stands for every file below it.

    Returns:
        The files; empty where nothing matches.

    Raises:
        UsageError: a pattern with wildcards was given for ``https://``, which cannot list.
    """
    if https.is_http(pattern):
        if any(mark in pattern for mark in "*["):
            raise UsageError(f"{pattern}: a web server cannot be listed; give a list of paths (warc.paths.gz) instead")
        size, version = https.stat(pattern)
        return [FileInfo(pattern, size, version)]
    if is_remote(pattern):
        found = _beam().match([f"{pattern}**" if pattern.endswith("/") else pattern])[0].metadata_list
        return sorted(
            (FileInfo(m.path, m.size_in_bytes, f"{m.size_in_bytes}-{m.last_updated_in_seconds}") for m in found),
            key=lambda info: info.path,
        )
    return [_local_info(path) for path in sorted(_local_match(pattern))]


def _local_match(pattern: str) -> Iterator[str]:
    if os.path.isdir(pattern):
        for root, directories, names in os.walk(pattern):
            directories[:] = [name for name in directories if not name.startswith(".")]
            yield from (os.path.join(root, name) for name in names if not name.startswith("."))
    elif os.path.exists(pattern):
        yield pattern
    elif any(mark in pattern for mark in "*?["):
        import glob

        yield from (path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))


def _local_info(path: str) -> FileInfo:
    status = os.stat(path)
    return FileInfo(path, status.st_size, f"{status.st_size}-{status.st_mtime_ns}")


def exists(path: str) -> bool:
    """Whether a file or directory is there.

    Args:
        path: a local path or a URL that Beam's file systems know.

    Returns:
        True where it is.
    """
    return bool(_beam().exists(path)) if is_remote(path) else os.path.exists(path)


def list_dir(path: str, pattern: str = "*") -> list[str]:
    """The names in a directory that match a pattern, sorted; empty where there is no such directory.

    Args:
        path: the directory.
        pattern: as in a shell, for names.

    Returns:
        Names without the directory.
    """
    if is_remote(path):
        found = _beam().match([join(path, "*")])[0].metadata_list
        names = [entry.path.rsplit("/", 1)[1] for entry in found]
    else:
        names = os.listdir(path) if os.path.isdir(path) else []
    return sorted(name for name in names if fnmatch.fnmatch(name, pattern))


def make_dirs(path: str) -> None:
    """Create a directory and those above it; object stores need none.

    Args:
        path: the directory.
    """
    if not is_remote(path):
        os.makedirs(path, exist_ok=True)


def remove(path: str) -> None:
    """Remove a file; one that is not there is no error.

    Args:
        path: the file.
    """
    if is_remote(path):
        if _beam().exists(path):
            _beam().delete([path])
    else:
        Path(path).unlink(missing_ok=True)


@contextmanager
def write_atomically(path: str) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name only when it is whole.

    Args:
        path: the final name; an older file of that name is replaced.

    Yields:
        A binary file to write to. An exception inside the block leaves no trace of it.
    """
    directory, name = path.rsplit("/", 1) if "/" in path else (".", path)
    temporary = f"{directory}/{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{name}"
    make_dirs(directory)
    remote = is_remote(path)
    handle: Any = _beam().create(temporary) if remote else open(temporary, "wb")  # noqa: SIM115
    try:
        with handle:
            yield handle
            if not remote:
                handle.flush()
                os.fsync(handle.fileno())
        if remote:
            remove(path)
            _beam().rename([temporary], [path])
        else:
            os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def write_bytes(path: str, data: bytes) -> None:
    """Write a small file whole or not at all.

    Args:
        path: the final name.
        data: its content.
    """
    with write_atomically(path) as handle:
        handle.write(data)


def read_bytes(path: str) -> bytes:
    """Read a small file.

    Args:
        path: the file.

    Returns:
        Its content.
    """
    with open_read(path) as handle:
        return handle.read()


def remove_leftovers(directory: str) -> None:
    """Remove temporary files that a killed run left in a directory.

    Args:
        directory: the directory; none below it is visited.
    """
    for name in list_dir(directory, TEMPORARY_PREFIX + "*"):
        remove(join(directory, name))


def digest(path: str) -> str:
    """What a file holds, as ``sha256:…``; for a remote file its size and version, to spare a second download.

    Args:
        path: the file.

    Returns:
        The digest.
    """
    if is_remote(path):
        return f"version:{match(path)[0].version}"
    sha256 = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            sha256.update(block)
    return f"sha256:{sha256.hexdigest()}"


def free_bytes(path: str) -> int | None:
    """Free space where a path is or would be.

    Args:
        path: a path that need not exist yet.

    Returns:
        Bytes, or None for a remote path.
    """
    if is_remote(path):
        return None
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def check_writable(path: str) -> None:
    """Try to write below a directory, creating it where needed.

    Args:
        path: the directory.

    Raises:
        UsageError: it cannot be written to.
    """
    try:
        make_dirs(path)
        if is_remote(path):
            probe = join(path, f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
            write_bytes(probe, b"?")  # Beam cannot write an empty object to S3
            remove(probe)
        else:
            with tempfile.TemporaryFile(dir=path, prefix=TEMPORARY_PREFIX):
                pass
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror or error}") from error
