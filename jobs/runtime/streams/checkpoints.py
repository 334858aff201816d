"""Checkpoints of streaming queries: progress, locking and generations.

A checkpoint has a generation: 1 for the first, one more each time it had to begin anew (it was
deleted, or the query's definition changed). A batch's sequence number, generation then batch id
in one long, therefore never repeats and always grows, so it identifies the batch's writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.runtime.errors import DataError
from jobs.runtime.lake.locks import hold_lock
from jobs.runtime.streams.checkpoint_files import Folder, folder_at

BATCH_BITS = 40


LABEL = "playhead.json"


CLOCK_MARGIN = timedelta(hours=1)  # greatest difference between the clocks of two machines


@dataclass(frozen=True)
class Checkpoint:
    """A locked checkpoint.

    Attributes:
        query: name of the query.
        path: folder or URI that Spark keeps progress in.
        generation: number of checkpoints that this query has had, this one included.
        began: time of creation, UTC.
        is_new: whether no batch has been planned with it yet.
    """

    query: str
    path: str
    generation: int
    began: datetime
    is_new: bool

    def sequence(self, batch_id: int) -> int:
        """The sequence number of a micro-batch, greater than those of all earlier ones."""
        return (self.generation << BATCH_BITS) | batch_id

    def is_replaying(self, oldest_us: int | None) -> bool:
        """Whether a batch may hold rows that an earlier checkpoint of the query has written.

        Args:
            oldest_us: time of the batch's oldest row, microseconds since the epoch; None: no rows.
        """
        if self.generation == 1 or oldest_us is None:
            return False
        return oldest_us < (self.began + CLOCK_MARGIN).timestamp() * 1_000_000

    def remembered(self, name: str, first: Callable[[], Any]) -> Any:
        """A JSON value that is computed once and then stored with the checkpoint.

        Args:
            name: name of the value.
            first: function that computes the value if none is stored.

        Returns:
            The stored value.
        """
        folder, file = folder_at(self.path), f"playhead-{name}.json"
        known = folder.read(file)
        if known is None:
            known = json.dumps(first()).encode()
            folder.write(file, known)
        return json.loads(known)

    @property
    def before_first(self) -> int:
        """A number above every sequence of earlier generations and below all of this one."""
        return (self.generation << BATCH_BITS) - 1


@contextmanager
def open_checkpoint(
    path: str, query: str, *, definition: str, last_sequence: int | None
) -> Iterator[Checkpoint]:
    """Lock the checkpoint of a query for the time of the `with` block.

    Args:
        path: folder or URI of the checkpoint.
        query: name of the query, for messages.
        definition: digest or version of what the query computes; a checkpoint of another definition
            is discarded.
        last_sequence: greatest sequence number found in what the query wrote, None if it never
            wrote; a checkpoint made anew takes the generation after it.

    Yields:
        The checkpoint, new or resumed.

    Raises:
        DataError: another process holds the lock, or the checkpoint is damaged.
    """
    with hold_lock(path, query):
        yield _open(path, query, definition, last_sequence)


def discard(path: str, query: str) -> None:
    """Delete the checkpoint of a query that is not running: it begins anew, from its tables.

    Raises:
        DataError: the query is running.
    """
    with hold_lock(path, query):
        folder_at(path).remove()


def read_whole(path: str, sequence: int, *, exactly: bool) -> Mapping[str, int] | None:
    """The last version of each Delta source that was read completely at the end of a batch.

    Args:
        path: folder or URI of the checkpoint.
        sequence: sequence number of the batch.
        exactly: whether to refuse a batch that ends inside a version.

    Returns:
        Delta versions by table id; None if the checkpoint no longer knows the batch.

    Raises:
        DataError: `exactly`, and the batch ends inside a version.
    """
    folder, batch = folder_at(path), sequence & ((1 << BATCH_BITS) - 1)
    planned = folder.read(f"offsets/{batch}")
    if _generation(folder) != sequence >> BATCH_BITS or planned is None:
        return None
    offsets = _offsets(planned)
    if exactly and any(offset["index"] >= 0 for offset in offsets):
        raise DataError(
            f"{path}: batch {batch} ends inside a commit", "try again when it has caught up"
        )
    return _read_whole(planned)


def finished_versions(path: str, ids: Mapping[str, str]) -> Mapping[str, int]:
    """The last version of each source that the finished batches of a query have read completely.

    Args:
        path: folder or URI of the checkpoint.
        ids: Delta table ids of the sources, by table name.

    Returns:
        Delta versions by table name; for a source that no batch has read yet, the version before
        its start, if the checkpoint keeps that. Empty if the query has no checkpoint.
    """
    folder = folder_at(path)
    starts = folder.read("playhead-starts.json")
    finished = [int(name) for name in folder.names("commits") if name.isdigit()]
    planned = folder.read(f"offsets/{max(finished)}") if finished else None
    read = {} if planned is None else _read_whole(planned)
    first = {} if starts is None else json.loads(starts)
    before = {table: version - 1 for table, version in first.items()}
    return before | {table: read[key] for table, key in ids.items() if key in read}


def remembered_value(path: str, name: str, generation: int) -> Any:
    """The value that a checkpoint stores under a name.

    Args:
        path: folder or URI of the checkpoint.
        name: name of the value, as in `Checkpoint.remembered`.
        generation: generation that the checkpoint must have.

    Returns:
        The JSON value; None if there is none, or the checkpoint is of another generation.
    """
    folder = folder_at(path)
    known = folder.read(f"playhead-{name}.json")
    if _generation(folder) != generation or known is None:
        return None
    return json.loads(known)


def _offsets(planned: bytes) -> list[Any]:
    """The offsets at which a batch ends, from its file in `offsets/`.

    Returns:
        One JSON object for each Delta source, without sources that had no data.
    """
    lines = planned.decode().splitlines()[2:]
    return [json.loads(line) for line in lines if line != "-"]


def _read_whole(planned: bytes) -> dict[str, int]:
    """The last version read completely, by Delta table id, from a file in `offsets/`."""
    return {offset["reservoirId"]: offset["reservoirVersion"] - 1 for offset in _offsets(planned)}


def _generation(folder: Folder) -> int | None:
    """The generation in a checkpoint's label, None without a label."""
    label = folder.read(LABEL)
    if label is None:
        return None
    generation: int = json.loads(label)["generation"]
    return generation


def _open(path: str, query: str, definition: str, last_sequence: int | None) -> Checkpoint:
    """Resume the checkpoint at a path, or begin a new one, for a caller that holds the lock."""
    folder = folder_at(path)
    label = folder.read(LABEL)
    if label is not None:
        try:
            written = json.loads(label)
        except ValueError:
            raise _damage_error(LABEL, path, query) from None
        if written["definition"] == definition:
            planned = _planned_batches(folder)
            _refuse_damage(folder, [*planned, "metadata"], path, query)
            began = datetime.fromisoformat(written["began"])
            return Checkpoint(query, path, written["generation"], began, not planned)
        folder.remove()
    generation = 1 if last_sequence is None else 1 + ((last_sequence + 1) >> BATCH_BITS)
    began = datetime.now(UTC)
    told = {"generation": generation, "began": began.isoformat(), "definition": definition}
    folder.write(LABEL, json.dumps(told).encode())
    return Checkpoint(query, path, generation, began, is_new=True)


def _planned_batches(folder: Folder) -> list[str]:
    """The offset files of the planned batches, `offsets/<batch id>`, in order."""
    batches = sorted(int(name) for name in folder.names("offsets") if name.isdigit())
    return [f"offsets/{batch}" for batch in batches]


def _refuse_damage(folder: Folder, files: Sequence[str], path: str, query: str) -> None:
    """Raise DataError if files are damaged, naming the last of them."""
    damaged = [file for file in files if _is_damaged(folder.read(file))]
    if damaged:
        raise _damage_error(damaged[-1], path, query)


def _is_damaged(content: bytes | None) -> bool:
    """Whether a file's content is not the start of what Spark writes: `v1` and JSON, or JSON alone.

    Returns:
        False for a file that does not exist (None).
    """
    return content is not None and not content.startswith((b"v", b"{"))


def _damage_error(file: str, path: str, query: str) -> DataError:
    """The error for a damaged checkpoint file, with its remedy."""
    return DataError(
        f"{query}: the checkpoint file {path}/{file} is empty or damaged (a full disk or a lost "
        "write)",
        f"delete the folder {path}: the next run finds its place from the tables it wrote",
    )
