"""The rows that a micro-batch read, counted apart from what is done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.spark.session import is_local
from transforms.instants import EPOCH


@dataclass(frozen=True)
class Observed:
    """The counts of one micro-batch.

    Attributes:
        events: number of rows read that count as events.
        oldest_us: least watermark column of all rows read, microseconds since the epoch; None
            without rows.
        watermark_ms: watermark of the batch, milliseconds since the epoch; stateful operators
            silently drop rows behind it.
        dropped: number of rows that the stateful operator of deduplication dropped as duplicates,
            by its own count; None where tasks may be repeated, and counted twice.
    """

    events: int
    oldest_us: int | None
    watermark_ms: int
    dropped: int | None


def active_query(spark: SparkSession, query: str) -> Any:
    """Spark's own Java object of an active query, which exposes more of a batch than PySpark."""
    found = next(active for active in spark.streams.active if active.name == query)
    return found._jsq.streamingQuery()


def batch_time(spark: SparkSession, query: str) -> datetime:
    """The time of the running micro-batch of a query, as its `current_timestamp` gives it.

    Args:
        spark: session of the query.
        query: name of the query.

    Returns:
        An instant in UTC, in whole milliseconds.
    """
    metadata = active_query(spark, query).lastExecution().offsetSeqMetadata()
    return EPOCH + timedelta(milliseconds=metadata.batchTimestampMs())


@dataclass(frozen=True)
class Observation:
    """Counts the rows that each micro-batch of a stream of a Delta table reads.

    Args:
        time_column: timestamp column that the watermark runs on.
        after: instant after which rows count as events; None: all rows count.
    """

    time_column: str
    after: datetime | None = None

    @property
    def counts(self) -> Column:
        """A boolean column: whether a row counts as an event."""
        if self.after is None:
            return F.lit(True)
        return F.col(self.time_column) > F.lit(self.after.isoformat()).cast("timestamp")

    def of(self, rows: DataFrame) -> DataFrame:
        """Attach the counters to a streaming DataFrame.

        Args:
            rows: streaming rows with the time column.

        Returns:
            The same rows, counted as they are read.
        """
        events = F.count_if(self.counts).alias("events")
        return rows.observe(_NAME, events, F.min(F.unix_micros(self.time_column)).alias("oldest"))

    def made(self, spark: SparkSession, query: str) -> Observed:
        """The counts of the current micro-batch of a query, after an action has read all of it.

        Tasks that are repeated because an executor was lost are observed twice: on a cluster the
        events are counted once more, in the files that the batch reads.

        Args:
            spark: session of the query.
            query: name of the query.
        """
        execution = active_query(spark, query).lastExecution()
        row = execution.observedMetrics().apply(_NAME)
        local = is_local(spark)
        return Observed(
            events=row.getLong(0) if local else self._in_files(spark, execution),
            oldest_us=None if row.isNullAt(1) else row.getLong(1),
            watermark_ms=execution.offsetSeqMetadata().batchWatermarkMs(),
            dropped=_dropped_duplicates(execution.executedPlan()) if local else None,
        )

    def _in_files(self, spark: SparkSession, execution: Any) -> int:
        """The number of events in the files that a batch reads from Delta."""
        leaves = execution.analyzed().collectLeaves()
        relations = (leaves.apply(i) for i in range(leaves.size()))
        files = [
            file
            for relation in relations
            if relation.isStreaming() and relation.getClass().getSimpleName() == "LogicalRelation"
            for file in relation.relation().location().inputFiles()
        ]
        return spark.read.parquet(*files).where(self.counts).count() if files else 0


_NAME = "read"
_DEDUPLICATION = "StreamingDeduplicateWithinWatermarkExec"


def _dropped_duplicates(plan: Any) -> int | None:
    """The number of rows that deduplication dropped in an executed plan.

    Args:
        plan: Spark's physical plan (Java object), whose tasks are done.

    Returns:
        The operator's own metric; None if the plan does not deduplicate.
    """
    if plan.getClass().getSimpleName() == _DEDUPLICATION:
        return int(plan.metrics().apply("numDroppedDuplicateRows").value())
    children = plan.children()
    found = (_dropped_duplicates(children.apply(i)) for i in range(children.size()))
    return next((count for count in found if count is not None), None)
