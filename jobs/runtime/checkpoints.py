"""Checkpoints: where a query's progress lives, who may use it, and which one in line it is.

A checkpoint has a generation: 1 for the first, one more each time it had to begin anew (it was
deleted, or the query's definition changed). A batch's sequence number, generation then batch id
in one long, therefore never repeats and always grows, so it can name the batch's writes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jobs.runtime.errors import DataError

BATCH_BITS = 40
CLOCK_MARGIN = timedelta(hours=1)  # how far the clocks of two machines may be apart


@dataclass(frozen=True)
class Checkpoint:
    """A locked checkpoint.

    Attributes:
        query: the query's name.
        path: the folder Spark keeps progress in.
        generation: how many checkpoints this query has had, this one included.
        began: when it was made; UTC.
        is_new: no batch has been planned with it yet.
    """

    query: str
    path: str
    generation: int
    began: datetime
    is_new: bool

    def sequence(self, batch_id: int) -> int:
        """The number of a micro-batch, greater than those of all earlier ones."""
        return (self.generation << BATCH_BITS) | batch_id

    def is_replaying(self, oldest_us: int | None) -> bool:
        """Could a batch whose oldest row has this time have been written by a predecessor?"""
        if self.generation == 1 or oldest_us is None:
            return False
        return oldest_us < (self.began + CLOCK_MARGIN).timestamp() * 1_000_000

    def remembered(self, name: str, first: Callable[[], Any]) -> Any:
        """A JSON value that is computed once and then stays with the checkpoint."""
        file = Path(self.path) / f"playhead-{name}.json"
        if not file.exists():
            _write_whole(file, first())
        return json.loads(file.read_text(encoding="utf-8"))

    @property
    def before_first(self) -> int:
        """Greater than every number of earlier generations, less than all of this one."""
        return (self.generation << BATCH_BITS) - 1


@contextmanager
def open_checkpoint(
    path: str, query: str, *, definition: str, last_sequence: int | None
) -> Iterator[Checkpoint]:
    """Lock the checkpoint of a query for the time of the `with` block.

    Args:
        path: the checkpoint's folder.
        query: the query's name, for messages.
        definition: what the query computes; a checkpoint of another definition is discarded.
        last_sequence: the greatest sequence number found in what the query wrote, None if it
            never wrote; a checkpoint made anew takes the generation after it.

    Raises:
        DataError: another process holds the lock, or the checkpoint is damaged.
    """
    with locked(path, query):
        yield _opened(Path(path), query, definition, last_sequence)


@contextmanager
def locked(path: str, query: str) -> Iterator[None]:
    """Keep a query from running for the time of the `with` block, without touching its progress.

    Raises:
        DataError: it is running, in this process or another one.
    """
    folder = Path(path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f"{folder.name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise DataError(
            f"{query}: another process is using the checkpoint {folder}",
            "stop that process, or give this one a lake.root of its own",
        ) from None
    try:
        yield
    finally:
        lock.release()


def read_whole(path: str, sequence: int, *, exactly: bool) -> Mapping[str, int] | None:
    """Through which version of each Delta table a batch and those before it have read all.

    Args:
        path: the checkpoint's folder.
        sequence: the batch.
        exactly: a batch that ends inside a version is refused.

    Returns:
        Versions by table id; None if the checkpoint no longer knows the batch.

    Raises:
        DataError: `exactly`, and the batch ends inside a version.
    """
    folder, batch = Path(path), sequence & ((1 << BATCH_BITS) - 1)
    file = folder / "offsets" / str(batch)
    if _generation(folder) != sequence >> BATCH_BITS or not file.exists():
        return None
    offsets = _offsets(file)
    if exactly and any(offset["index"] >= 0 for offset in offsets):
        raise DataError(
            f"{folder.name}: batch {batch} ends inside a commit", "try again when it has caught up"
        )
    return _read_whole(file)


def reached(path: str, ids: Mapping[str, str]) -> Mapping[str, int]:
    """Through which version of each source the finished batches of a query have read all.

    Args:
        path: the checkpoint's folder.
        ids: the table ids of the sources, by name.

    Returns:
        Versions by name: of a source that no batch has read yet, the one before its start. Empty
        if the query has no checkpoint.
    """
    folder = Path(path)
    starts = folder / "playhead-starts.json"
    if not starts.exists():
        return {}
    finished = [int(file.name) for file in (folder / "commits").glob("*") if file.name.isdigit()]
    read = _read_whole(folder / "offsets" / str(max(finished))) if finished else {}
    first = json.loads(starts.read_text(encoding="utf-8"))
    return {table: read.get(ids[table], version - 1) for table, version in first.items()}


def remembered(path: str, name: str, generation: int) -> Any:
    """What a checkpoint remembers under a name; None if it is not of that generation."""
    file = Path(path) / f"playhead-{name}.json"
    if _generation(Path(path)) != generation or not file.exists():
        return None
    return json.loads(file.read_text(encoding="utf-8"))


def _offsets(file: Path) -> list[Any]:
    """The offsets of the Delta sources that a batch ends at."""
    lines = file.read_text(encoding="utf-8").splitlines()[2:]
    return [json.loads(line) for line in lines if line != "-"]


def _read_whole(file: Path) -> dict[str, int]:
    return {offset["reservoirId"]: offset["reservoirVersion"] - 1 for offset in _offsets(file)}


def _generation(folder: Path) -> int | None:
    label = folder / "playhead.json"
    if not label.exists():
        return None
    generation: int = json.loads(label.read_text(encoding="utf-8"))["generation"]
    return generation


def _opened(folder: Path, query: str, definition: str, last_sequence: int | None) -> Checkpoint:
    label = folder / "playhead.json"
    if label.exists():
        try:
            written = json.loads(label.read_text(encoding="utf-8"))
        except ValueError:
            raise _damaged(label, folder, query) from None
        if written["definition"] == definition:
            _refuse_damage(folder, query)
            began = datetime.fromisoformat(written["began"])
            return Checkpoint(
                query, str(folder), written["generation"], began, not _planned(folder)
            )
        shutil.rmtree(folder)
    generation = 1 if last_sequence is None else 1 + ((last_sequence + 1) >> BATCH_BITS)
    folder.mkdir(parents=True, exist_ok=True)
    began = datetime.now(UTC)
    told = {"generation": generation, "began": began.isoformat(), "definition": definition}
    _write_whole(label, told)
    return Checkpoint(query, str(folder), generation, began, is_new=True)


def _write_whole(file: Path, value: Any) -> None:
    """Write JSON so that the file is there whole or not at all, whatever is killed."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(value), encoding="utf-8")
    unfinished.replace(file)


def _planned(folder: Path) -> list[Path]:
    return sorted(
        (file for file in (folder / "offsets").glob("*") if file.name.isdigit()),
        key=lambda file: int(file.name),
    )


def _refuse_damage(folder: Path, query: str) -> None:
    damaged = [file for file in [*_planned(folder), folder / "metadata"] if _is_damaged(file)]
    if damaged:
        raise _damaged(damaged[-1], folder, query)


def _is_damaged(file: Path) -> bool:
    """Is this not the start of what Spark writes: `v1` and JSON, or JSON alone?"""
    return file.exists() and not file.read_bytes().startswith((b"v", b"{"))


def _damaged(file: Path, folder: Path, query: str) -> DataError:
    return DataError(
        f"{query}: the checkpoint file {file} is empty or damaged (a full disk or a lost write)",
        f"delete the folder {folder}: the next run finds its place from the tables it wrote",
    )
