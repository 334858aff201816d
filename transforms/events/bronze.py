"""Bronze: the records as Kafka gave them, the history from which everything is recomputed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

BRONZE_COLUMNS = {
    "topic": "STRING",
    "partition": "INT",
    "offset": "BIGINT",
    "key": "BINARY",
    "value": "BINARY",
    "headers": "ARRAY<STRUCT<key: STRING, value: BINARY>>",
    "kafka_timestamp": "TIMESTAMP",
    "kafka_timestamp_type": "INT",
    "ingest_time": "TIMESTAMP",
    "arrival_date": "DATE",
}
PLACE = ["topic", "partition", "offset"]  # of a record in Kafka, the same in every table


def to_bronze(records: DataFrame, ingest_time: Column) -> DataFrame:
    """Kafka source rows as BRONZE_COLUMNS.

    Args:
        records: the columns of Spark's Kafka source, with `includeHeaders`.
        ingest_time: the instant of the micro-batch, one for all of its rows.

    Returns:
        kafka_timestamp is the arrival time (UTC), arrival_date its UTC date, by which the table
        is partitioned.
    """
    arrival = F.col("timestamp")
    return records.withColumns(
        {
            "kafka_timestamp": arrival,
            "kafka_timestamp_type": F.col("timestampType"),
            "ingest_time": ingest_time,
            "arrival_date": F.to_date(arrival),
        }
    ).select(*BRONZE_COLUMNS)
