"""Running a streaming query: triggers, progress a person can follow, stopping."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.spark.failures import SPARK_ERRORS, explain
from jobs.runtime.streams.checkpoints import Checkpoint

log = logging.getLogger(__name__)


POLL_S = 1.0


STOP_S = 60.0


STOP_POLL_S = 0.05


FEW = 20_000


@dataclass
class Run:
    """A query that was started.

    Attributes:
        query: Spark's handle.
        raised: what the batch function raised; Spark passes on only its text.
    """

    query: StreamingQuery
    raised: list[Exception]
    _logged: int = -1

    def ended(self, wait_s: float) -> bool:
        """Has the query ended by itself, at the latest after `wait_s` seconds?

        Raises:
            PlayheadError: it failed.
        """
        try:
            return bool(self.query.awaitTermination(wait_s))  # type: ignore[arg-type]
        except StreamingQueryException as error:
            cause = self.raised[0] if self.raised else error
            raise explain(cause, self.query.name) from cause

    def stop(self) -> None:
        """Stop the query between two batches; in mid-batch only if that one outlasts STOP_S."""
        deadline, batch = time.monotonic() + STOP_S, self._last_batch()
        while (
            self.query.status["isTriggerActive"]
            and self._last_batch() == batch
            and time.monotonic() < deadline
        ):
            time.sleep(STOP_POLL_S)
        self.query.stop()

    def _last_batch(self) -> int | None:
        progress = self.query.lastProgress
        return progress["batchId"] if progress else None

    def log_batches(self) -> None:
        """Log a line for every batch with rows since the last call."""
        for progress in self.query.recentProgress:
            if progress["batchId"] > self._logged and progress["numInputRows"]:
                log.info("%s", _progress_line(progress))
                self._logged = progress["batchId"]


def start_versions(lake: Lake, checkpoint: Checkpoint, tables: Iterable[str]) -> dict[str, int]:
    """The version from which a query streams each table: behind what it held at the first start."""
    mark = Transaction(f"{checkpoint.query}-start", checkpoint.generation)
    starts: dict[str, int] = checkpoint.remembered(
        "starts", lambda: {table: lake.stream_start(table, mark) for table in tables}
    )
    return starts


def start(
    rows: DataFrame,
    checkpoint: Checkpoint,
    *,
    trigger_s: float,
    available_now: bool,
    write_batch: Callable[[DataFrame, int], None],
) -> Run:
    """Start a query on its checkpoint.

    Args:
        rows: a streaming DataFrame.
        checkpoint: locked for as long as the query runs.
        trigger_s: seconds between the starts of two micro-batches.
        available_now: work through what is there now, in as many batches as needed, and end.
        write_batch: the sink of each micro-batch and its id.

    Raises:
        PlayheadError: it cannot start.
    """
    raised: list[Exception] = []
    writer = rows.writeStream.foreachBatch(_keeping_what_it_raises(write_batch, raised))
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
    return Run(query, raised)


def follow(*runs: Run, until: Callable[[], bool] = lambda: False) -> None:
    """Wait for queries to end, logging a line a batch; when one fails or at Ctrl-C stop them all.

    Args:
        runs: what to wait for.
        until: stop them once this is true; asked about once a second.

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
    """Stop queries after the batch that they are in."""
    with ThreadPoolExecutor(max_workers=len(runs)) as pool:
        list(pool.map(Run.stop, runs))
    for run in runs:
        run.log_batches()


def _any_active(runs: Sequence[Run]) -> bool:
    """Wait a moment for each run; are any left?"""
    ended = [run.ended(POLL_S / len(runs)) for run in runs]
    return not all(ended)


def _keeping_what_it_raises(
    write_batch: Callable[[DataFrame, int], None], raised: list[Exception]
) -> Callable[[DataFrame, int], None]:
    def write(batch: DataFrame, batch_id: int) -> None:
        try:
            write_batch(batch, batch_id)
        except Exception as error:
            raised.append(error)
            raise

    return write


def _progress_line(progress: Any) -> str:
    seconds = progress["durationMs"].get("triggerExecution", 0) / 1000
    return (
        f"{progress['name']}: batch {progress['batchId']}, {progress['numInputRows']:,} rows "
        f"in {seconds:.1f} s ({progress['processedRowsPerSecond'] or 0:,.0f}/s)"
    )


def coalesce_if_few(rows: DataFrame, count: int, partitions: int = 1) -> DataFrame:
    """The rows of a micro-batch; if they are few, in at most so many partitions.

    What is made of one partition is one task without a shuffle and one file a table; each more
    would cost as much as its share of the rows.
    """
    return rows.coalesce(partitions) if count <= FEW else rows
