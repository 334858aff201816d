"""Sending records in bulk: made and sent by Spark's workers, on as many cores as there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs.producers.records import Record
from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.clients import spark_options
from jobs.runtime.settings import KafkaSettings

CHUNKS_PER_TASK = 4  # small tasks, taken up in order, keep the arrival near the order of time
SCHEMA = "topic string, key binary, value binary"
PRODUCER = {  # as jobs.runtime.kafka.clients.PRODUCER, in the words of Java's client
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
        spark: whose workers make and send them.
        chunks: the numbers of the chunks, without gaps.
        make: from the number of a chunk to its records; must not depend on anything else, as a
            chunk is made anew when a task is repeated. The repeats are then duplicates in Kafka.
        kafka: where to.

    Raises:
        ServiceError: Spark could not send everything.
    """

    def made(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
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
    topics, keys, values = zip(*records, strict=True)
    columns = [pa.array(topics), pa.array(keys, pa.binary()), pa.array(values, pa.binary())]
    return pa.RecordBatch.from_arrays(columns, names=["topic", "key", "value"])
