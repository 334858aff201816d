"""Running a streaming query: triggers, progress lines in the log, and stopping."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.spark.failures import SPARK_ERRORS, explain
from jobs.runtime.streams.checkpoints import Checkpoint, discard, finished_versions

log = logging.getLogger(__name__)


POLL_S = 1.0


STOP_S = 60.0


STOP_POLL_S = 0.05


FEW = 20_000


@dataclass
class Run:
    """A query that was started.

    Attributes:
        query: Spark's handle of the query.
        raised: exceptions of the batch function; Spark passes on only their text.
        notes: what the batch function said of batches that are not logged yet, by batch id.
    """

    query: StreamingQuery
    raised: list[Exception]
    notes: dict[int, str] = field(default_factory=dict)
    _logged: int = -1

    def ended(self, wait_s: float) -> bool:
        """Whether the query has ended by itself, after waiting for it.

        Args:
            wait_s: longest wait in seconds.

        Raises:
            PlayheadError: the query failed.
        """
        try:
            return bool(self.query.awaitTermination(wait_s))  # type: ignore[arg-type]
        except StreamingQueryException as error:
            cause = self.raised[0] if self.raised else error
            raise explain(cause, self.query.name) from cause

    def stop(self) -> None:
        """Stop the query between two batches, or in mid-batch after STOP_S seconds."""
        deadline, batch = time.monotonic() + STOP_S, self._last_batch()
        while (
            self.query.status["isTriggerActive"]
            and self._last_batch() == batch
            and time.monotonic() < deadline
        ):
            time.sleep(STOP_POLL_S)
        self.query.stop()

    def _last_batch(self) -> int | None:
        """The id of the last finished batch, None before the first."""
        progress = self.query.lastProgress
        return progress["batchId"] if progress else None

    def log_batches(self) -> None:
        """Log a line for every batch with rows since the last call."""
        for progress in self.query.recentProgress:
            if progress["batchId"] > self._logged and progress["numInputRows"]:
                note = self.notes.pop(progress["batchId"], None)
                log.info("%s", _progress_line(progress) + (f"; {note}" if note else ""))
                self._logged = progress["batchId"]


def start_versions(lake: Lake, checkpoint: Checkpoint, tables: Iterable[str]) -> dict[str, int]:
    """The version from which a query streams each table: behind what it held at the first start.

    Args:
        lake: the lake that holds the tables.
        checkpoint: checkpoint that stores the versions at the first call.
        tables: table names.

    Returns:
        Delta start versions by table name.
    """
    mark = Transaction(f"{checkpoint.query}-start", checkpoint.generation)
    starts: dict[str, int] = checkpoint.remembered(
        "starts", lambda: {table: lake.stream_start(table, mark) for table in tables}
    )
    return starts


def discard_if_outrun(
    lake: Lake, query: str, tables: Sequence[str], refuse_lost: Callable[[], None] | None = None
) -> None:
    """Discard the checkpoint of a query that stood still until Delta forgot what it reads next.

    It is then made anew from what the tables hold, as if it had been lost.

    Args:
        lake: the lake, at the generation of the query.
        query: name of the query, which is not running.
        tables: Delta tables that it streams; they exist.
        refuse_lost: check that raises if the query could not begin anew; None: it always can.

    Raises:
        DataError: another process holds the checkpoint, or `refuse_lost` raised; the checkpoint is
            kept.
    """
    path, ids = lake.checkpoint(query), {table: lake.table_id(table) for table in tables}
    for table, read in finished_versions(path, ids).items():
        oldest = lake.oldest_commit(table)
        if read + 1 < oldest:
            if refuse_lost is not None:
                refuse_lost()
            log.warning(
                "%s: has read %s through version %d, and the log of that table now begins at "
                "version %d: its checkpoint is made anew",
                *(query, table, read, oldest),
            )
            discard(path, query)
            return


def start(
    rows: DataFrame,
    checkpoint: Checkpoint,
    *,
    trigger_s: float,
    available_now: bool,
    write_batch: Callable[[DataFrame, int], str | None],
) -> Run:
    """Start a query on its checkpoint.

    Args:
        rows: a streaming DataFrame.
        checkpoint: checkpoint of the query, locked for as long as the query runs.
        trigger_s: seconds between the starts of two micro-batches.
        available_now: whether to process what is available now, in as many batches as needed, and
            end.
        write_batch: sink of each micro-batch, called with its rows and its batch id; what it
            returns is put behind the batch's line in the log.

    Raises:
        PlayheadError: the query cannot start.
    """
    raised: list[Exception] = []
    notes: dict[int, str] = {}
    writer = rows.writeStream.foreachBatch(_keeping_what_it_says(write_batch, raised, notes))
    triggered = (
        writer.trigger(availableNow=True)
        if available_now
        else writer.trigger(processingTime=f"{int(trigger_s * 1000)} milliseconds")
    )
    named = triggered.queryName(checkpoint.query)
    try:
        query = named.option("checkpointLocation", checkpoint.path).start()
    except SPARK_ERRORS as error:
        raise explain(error, checkpoint.query) from error
    return Run(query, raised, notes)


def follow(*runs: Run, until: Callable[[], bool] = lambda: False) -> None:
    """Wait for queries to end, logging a line a batch.

    If one fails or at Ctrl-C, all are stopped.

    Args:
        runs: queries to wait for.
        until: condition on which to stop the queries, asked about once a second.

    Raises:
        PlayheadError: a query failed; known faults come with their remedy.
    """
    try:
        while _any_active(runs) and not until():
            for run in runs:
                run.log_batches()
    finally:
        stop(*runs)


def stop(*runs: Run) -> None:
    """Stop queries in parallel, each after its current batch."""
    with ThreadPoolExecutor(max_workers=len(runs)) as pool:
        list(pool.map(Run.stop, runs))
    for run in runs:
        run.log_batches()


def _any_active(runs: Sequence[Run]) -> bool:
    """Whether any query is still active, after waiting up to POLL_S seconds in all.

    Raises:
        PlayheadError: a query failed.
    """
    ended = [run.ended(POLL_S / len(runs)) for run in runs]
    return not all(ended)


def _keeping_what_it_says(
    write_batch: Callable[[DataFrame, int], str | None],
    raised: list[Exception],
    notes: dict[int, str],
) -> Callable[[DataFrame, int], None]:
    """A batch function that keeps what it returns in `notes`, and what it raises in `raised`."""

    def write(batch: DataFrame, batch_id: int) -> None:
        """Call the batch function, keep its note, and append what it raises."""
        try:
            note = write_batch(batch, batch_id)
        except Exception as error:
            raised.append(error)
            raise
        if note:
            notes[batch_id] = note

    return write


def _progress_line(progress: Any) -> str:
    """The log line of a batch: query, batch id, rows, seconds and rows per second."""
    seconds = progress["durationMs"].get("triggerExecution", 0) / 1000
    return (
        f"{progress['name']}: batch {progress['batchId']}, {progress['numInputRows']:,} rows "
        f"in {seconds:.1f} s ({progress['processedRowsPerSecond'] or 0:,.0f}/s)"
    )


def coalesce_if_few(rows: DataFrame, count: int, partitions: int = 1) -> DataFrame:
    """Coalesce the rows of a micro-batch of at most FEW rows.

    One partition means one task without a shuffle, and one file a table; each further one costs as
    much as its share of the rows.

    Args:
        rows: rows of the micro-batch.
        count: number of rows, or an upper bound.
        partitions: greatest number of partitions of a small batch.

    Returns:
        The same rows.
    """
    return rows.coalesce(partitions) if count <= FEW else rows
