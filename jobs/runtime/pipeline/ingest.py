"""Ingest: every topic from Kafka to bronze.events, unchanged, exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.clients import (
    admin,
    describe_topics,
    partitions_of,
    spark_options,
    topic_ids,
)
from jobs.runtime.kafka.offsets import end_offsets
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake import erasure_log
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.incarnations import Incarnations, read_incarnations
from jobs.runtime.pipeline.ingest_clock import ingest_clock
from jobs.runtime.settings import KafkaSettings, Settings
from jobs.runtime.streams.backpressure import Backpressure
from jobs.runtime.streams.checkpoints import open_checkpoint
from jobs.runtime.streams.observation import active_query, batch_time
from jobs.runtime.streams.queries import INGEST
from jobs.runtime.streams.query import Run, coalesce_if_few, start
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
    """Run the ingest query on its locked checkpoint, as jobs/ingest.py describes it.

    Args:
        lake: the lake to write to, at any generation.
        settings: profile of the topics, and the settings of ingest.
        kafka: connection to the cluster that is read.
        available_now: whether to process what Kafka holds now and end.
        backpressure: wait for downstream queries after each batch; None: no wait.

    Yields:
        The started query; the caller stops it.

    Raises:
        ServiceError: Kafka does not answer, or a topic does not exist.
        DataError: an erasure is unfinished, another process holds the checkpoint, or a topic was
            made anew and the loss is not accepted.
    """
    topics = list(load_topics(settings.profile))
    lake.ensure([BRONZE])
    erasure_log.refuse_unfinished(lake, INGEST)
    where = lake.shared_checkpoint(INGEST)
    _, last_sequence = lake.transaction(BRONZE, INGEST)
    described = describe_topics(kafka, topics)
    ends = end_offsets(kafka, partitions_of(described), committed=False)
    incarnations = read_incarnations(
        lake, topic_ids(described), ends, accept_loss=not settings.ingest.fail_on_data_loss
    )
    with (
        open_checkpoint(
            where, INGEST, definition=incarnations.definition, last_sequence=last_sequence
        ) as checkpoint,
        TopicIdCheck(kafka, incarnations) as topic_id_check,
    ):
        offsets = "earliest"  # for partitions added later; a checkpoint has its own offsets
        if checkpoint.is_new:
            offsets = _next_offsets(lake, partitions_of(described), incarnations)
        records = _records(lake, settings, kafka, topics, offsets)
        placed = records.withColumn("offset", incarnations.place_offset())
        clock = ingest_clock(lake)

        def write(batch: DataFrame, batch_id: int) -> None:
            """Append one micro-batch to bronze.events, as the function given to foreachBatch."""
            topic_id_check.run()
            transaction = Transaction(INGEST, checkpoint.sequence(batch_id))
            few = _coalesce_small_batch(lake.spark, batch)
            rows = clock.stamp(few, batch_time(lake.spark, INGEST))
            lake.append(BRONZE, rows, transaction)
            if backpressure:
                backpressure.hold()

        yield start(
            to_bronze(placed, F.current_timestamp()),
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
    offsets: str,
) -> DataFrame:
    """The Kafka source.

    Args:
        lake: lake whose session reads.
        settings: settings of ingest.
        kafka: connection to the cluster.
        topics: names of the topics.
        offsets: Spark's `startingOffsets`.

    Returns:
        A streaming DataFrame with the columns of Spark's Kafka source, headers included.
    """
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


def _coalesce_small_batch(spark: SparkSession, batch: DataFrame) -> DataFrame:
    """Coalesce a small batch to at most one partition a core, not one a Kafka partition."""
    return coalesce_if_few(batch, _offsets_read(spark), spark.sparkContext.defaultParallelism)


def _offsets_read(spark: SparkSession) -> int:
    """The number of offsets in this batch.

    Returns:
        Kafka offsets of all partitions; for the first batch, counted from offset 0.
    """
    query = active_query(spark, INGEST)
    ends, begins = (
        {} if offsets.isEmpty() else json.loads(offsets.values().head().json())
        for offsets in (query.availableOffsets(), query.committedOffsets())
    )
    return sum(
        end - begins.get(topic, {}).get(partition, 0)
        for topic, partitions in ends.items()
        for partition, end in partitions.items()
    )


def _next_offsets(lake: Lake, places: Sequence[tuple[str, int]], incarnations: Incarnations) -> str:
    """The offsets at which a new checkpoint begins: behind all that bronze holds, or held.

    Nothing lands twice, erased records included.

    Args:
        lake: lake that has bronze.events.
        places: topics and partition numbers.
        incarnations: current incarnation of each topic.

    Returns:
        Kafka's offsets by topic and partition, as JSON; EARLIEST where bronze has none.
    """
    rows = lake.read(BRONZE).groupBy("topic", "partition").agg(F.max("offset").alias("last"))
    last = {(row.topic, row.partition): row["last"] for row in rows.collect()}
    for place, erased in erasure_log.last_offsets(lake).items():
        last[place] = max(last.get(place, erased), erased)
    starts: dict[str, dict[str, int]] = {}
    for topic, partition in places:
        following = incarnations.kafka_offset_behind(topic, last.get((topic, partition)))
        starts.setdefault(topic, {})[str(partition)] = EARLIEST if following is None else following
    return json.dumps(starts)


class TopicIdCheck:
    """Checks before each batch that the topics still have the ids that the query began with.

    Args:
        kafka: connection to the cluster.
        incarnations: incarnation of each topic when the query began.
    """

    def __init__(self, kafka: KafkaSettings, incarnations: Incarnations) -> None:
        self._kafka = kafka
        self._incarnations = incarnations
        self._stack = ExitStack()
        self._client: KafkaAdminClient | None = None

    def __enter__(self) -> TopicIdCheck:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """Compare the topic ids once.

        A Kafka that does not answer is left to the query to report.

        Raises:
            DataError: a topic was deleted and made anew meanwhile.
        """
        with suppress(ServiceError, KafkaError):
            if self._client is None:
                self._client = self._stack.enter_context(admin(self._kafka))
            described = self._client.describe_topics(list(self._incarnations.ids))
            there = [topic for topic in described if not topic["error_code"]]
            self._incarnations.refuse_others(topic_ids(there))
