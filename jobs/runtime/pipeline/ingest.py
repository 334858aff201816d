"""Ingest: every topic from Kafka to bronze.events, as it came, exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.kafka.clients import partitions, spark_options
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake import erasure_log
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.settings import KafkaSettings, Settings
from jobs.runtime.streams.backpressure import Backpressure
from jobs.runtime.streams.checkpoints import Checkpoint, open_checkpoint
from jobs.runtime.streams.observation import running
from jobs.runtime.streams.queries import INGEST
from jobs.runtime.streams.query import Run, gathered, start
from transforms.events.bronze import to_bronze

EARLIEST = -2  # Kafka's own mark for the first offset that a partition still holds


@contextmanager
def ingesting(
    lake: Lake,
    settings: Settings,
    kafka: KafkaSettings,
    *,
    available_now: bool,
    backpressure: Backpressure | None = None,
) -> Iterator[Run]:
    """The ingest query, started on its locked checkpoint, held back by others; see `main`."""
    topics = list(load_topics(settings.profile))
    lake.ensure([BRONZE])
    erasure_log.refuse_unfinished(lake, INGEST)
    where = lake.shared_checkpoint(INGEST)
    _, last_sequence = lake.transaction(BRONZE, INGEST)
    with open_checkpoint(where, INGEST, definition="2", last_sequence=last_sequence) as checkpoint:
        records = _records(lake, settings, kafka, topics, checkpoint)

        def write(batch: DataFrame, batch_id: int) -> None:
            transaction = Transaction(INGEST, checkpoint.sequence(batch_id))
            lake.append(BRONZE, _gathered(lake.spark, batch), transaction)
            if backpressure:
                backpressure.hold()

        yield start(
            to_bronze(records, F.current_timestamp()),
            checkpoint,
            trigger_s=settings.ingest.trigger_s,
            available_now=available_now,
            write_batch=write,
        )


def _records(
    lake: Lake,
    settings: Settings,
    kafka: KafkaSettings,
    topics: Sequence[str],
    checkpoint: Checkpoint,
) -> DataFrame:
    offsets = _next_offsets(lake, kafka, topics) if checkpoint.is_new else "earliest"
    return (
        lake.spark.readStream.format("kafka")
        .options(**spark_options(kafka))
        .option("subscribe", ",".join(topics))
        .option("includeHeaders", "true")
        .options(**_READING)
        .option("startingOffsets", offsets)
        .option("maxOffsetsPerTrigger", settings.ingest.max_events_per_batch)
        .option("failOnDataLoss", str(settings.ingest.fail_on_data_loss).lower())
        .load()
    )


_READING = {
    "kafka.isolation.level": "read_committed",
    # fewer, larger fetches: 8 MiB of a partition at a time
    "kafka.max.partition.fetch.bytes": str(8 * 2**20),
    "kafka.max.poll.records": "10000",
    "kafka.receive.buffer.bytes": str(2**20),
}


def _gathered(spark: SparkSession, batch: DataFrame) -> DataFrame:
    """A batch with no file for each Kafka partition if it is small, but read by every core."""
    return gathered(batch, _offsets_read(spark), spark.sparkContext.defaultParallelism)


def _offsets_read(spark: SparkSession) -> int:
    """How many offsets the batch goes through; of a query's first batch, how many lie before."""
    query = running(spark, INGEST)
    ends, begins = (
        {} if offsets.isEmpty() else json.loads(offsets.values().head().json())
        for offsets in (query.availableOffsets(), query.committedOffsets())
    )
    return sum(
        end - begins.get(topic, {}).get(partition, 0)
        for topic, partitions in ends.items()
        for partition, end in partitions.items()
    )


def _next_offsets(lake: Lake, kafka: KafkaSettings, topics: Sequence[str]) -> str:
    """Where a new checkpoint begins: behind what bronze holds, or held, so nothing lands twice."""
    landed = lake.read(BRONZE).groupBy("topic", "partition").agg(F.max("offset").alias("last"))
    last = {(row.topic, row.partition): row.last for row in landed.collect()}
    gone = erasure_log.landed(lake)
    following = {place: max(last.get(place, 0), gone.get(place, 0)) + 1 for place in last | gone}
    starts: dict[str, dict[str, int]] = {topic: {} for topic in topics}
    for topic, partition in partitions(kafka, topics):
        starts[topic][str(partition)] = following.get((topic, partition), EARLIEST)
    return json.dumps(starts)
