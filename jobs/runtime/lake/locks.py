"""File locks beside a checkpoint or a log, held by the process that works with it; and of jobs."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from jobs.runtime.errors import DataError


@contextmanager
def hold_lock(path: str, query: str) -> Iterator[None]:
    """Hold a checkpoint's lock during the block, so that its query cannot run.

    Args:
        path: folder or URI of the checkpoint.
        query: name of the query, for the message.

    Raises:
        DataError: the lock is held already, in this process or another one.
    """
    error = DataError(
        f"{query}: another process is using the checkpoint {path}",
        "stop that process, or give this one a lake.root of its own",
    )
    with _acquired(lock_of(path, timeout_s=0), error):
        yield


@contextmanager
def run_alone(path: str, job: str) -> Iterator[None]:
    """Hold a job's lock during the block, so that a second one of it on the lake ends at once.

    Args:
        path: folder or URI of the job's lock.
        job: name of the job, for the message.

    Raises:
        DataError: the lock is held already, in this process or another one.
    """
    error = DataError(
        f"{job}: another process is using {path}: the same job, or an erasure",
        "wait until it has ended, then start this one again",
    )
    with _acquired(lock_of(path, timeout_s=0), error):
        yield


@contextmanager
def wait_for_lock(path: str, what: str, timeout_s: float) -> Iterator[None]:
    """Hold a lock during the block, after waiting for it.

    Args:
        path: folder or URI that the lock is beside.
        what: name of what is locked, for the message.
        timeout_s: longest wait in seconds.

    Raises:
        DataError: another process has held the lock for that long.
    """
    lock = lock_of(path, timeout_s=timeout_s)
    error = DataError(
        f"{what}: another process has held {lock.lock_file} for {timeout_s:.0f} s",
        "wait until what it does has ended, then try again",
    )
    with _acquired(lock, error):
        yield


@contextmanager
def _acquired(lock: BaseFileLock, error: DataError) -> Iterator[None]:
    """Hold a lock during the block; raise the error if it cannot be had."""
    try:
        lock.acquire()
    except Timeout:
        raise error from None
    try:
        yield
    finally:
        lock.release()


def lock_of(path: str, *, timeout_s: float) -> BaseFileLock:
    """The lock of a checkpoint or log: a file beside it.

    Object stores have no locks: for a URI the file is in the folder for temporary files, and
    excludes only processes on the same machine.

    Args:
        path: folder or URI of the checkpoint or log.
        timeout_s: seconds to wait for the lock before Timeout is raised; 0: do not wait.

    Returns:
        The lock, not acquired yet.
    """
    beside = Path(path)
    if "://" in path:
        name = hashlib.sha256(path.encode()).hexdigest()[:16]
        beside = Path(tempfile.gettempdir()) / f"playhead-{name}"
    beside.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(beside.with_name(f"{beside.name}.lock"), timeout=timeout_s)
