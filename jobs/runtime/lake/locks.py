"""File locks beside a checkpoint or a log, held by the process that works with it."""

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
    lock = lock_of(path, timeout_s=0)
    try:
        lock.acquire()
    except Timeout:
        raise DataError(
            f"{query}: another process is using the checkpoint {path}",
            "stop that process, or give this one a lake.root of its own",
        ) from None
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
