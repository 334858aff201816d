"""Bulk sending: records made and sent by Spark's workers, on all available cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs.producers.records import Record
from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.clients import spark_options
from jobs.runtime.settings import KafkaSettings

CHUNKS_PER_TASK = 4  # small tasks, run in order, keep the arrival near the order of time
SCHEMA = "topic string, key binary, value binary"
PRODUCER = {  # as jobs.runtime.kafka.clients.PRODUCER, in the options of Java's client
    "kafka.acks": "all",
    "kafka.enable.idempotence": "true",
    "kafka.compression.type": "snappy",
    "kafka.linger.ms": "20",
    "kafka.batch.size": str(256 * 1024),
}


def send_in_bulk(
    spark: SparkSession, chunks: range, make: Callable[[int], list[Record]], kafka: KafkaSettings
) -> None:
    """Send the records of chunks; return when Kafka has acknowledged all.

    Args:
        spark: session whose workers make and send the records.
        chunks: numbers of the chunks, without gaps.
        make: function from the number of a chunk to its records; must not depend on anything else,
            as a chunk is made again when a task is repeated. The repeats are then duplicates in
            Kafka.
        kafka: connection to the cluster that the records are sent to.

    Raises:
        ServiceError: Spark could not send everything.
    """

    def made(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One Arrow batch of SCHEMA for each chunk number."""
        for batch in batches:
            for chunk in batch.column("id").to_pylist():
                yield _batch(make(chunk))

    tasks = -(-len(chunks) // CHUNKS_PER_TASK)
    records = spark.range(chunks.start, chunks.stop, 1, tasks).mapInArrow(made, SCHEMA)
    try:
        records.write.format("kafka").options(**spark_options(kafka), **PRODUCER).save()
    except PySparkException as error:
        raise ServiceError(
            f"Spark could not send to Kafka at {kafka.bootstrap_servers}: "
            f"{str(error).strip().splitlines()[0]}",
            "see the broker's log; sending again is safe, repeats are recognised",
        ) from error


def _batch(records: list[Record]) -> pa.RecordBatch:
    """Records as an Arrow batch of SCHEMA."""
    topics, keys, values = zip(*records, strict=True)
    columns = [pa.array(topics), pa.array(keys, pa.binary()), pa.array(values, pa.binary())]
    return pa.RecordBatch.from_arrays(columns, names=["topic", "key", "value"])
