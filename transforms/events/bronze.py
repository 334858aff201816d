"""Bronze: records as Kafka delivered them, the history from which everything is recomputed."""

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
PLACE = ["topic", "partition", "offset"]  # coordinates of a record, the same in every table


def to_bronze(records: DataFrame, ingest_time: Column) -> DataFrame:
    """Convert rows of Spark's Kafka source to rows of bronze.events.

    Args:
        records: columns of Spark's Kafka source, with `includeHeaders`.
        ingest_time: timestamp of the micro-batch, one for all of its rows.

    Returns:
        BRONZE_COLUMNS; kafka_timestamp is the arrival time (UTC), arrival_date its UTC date, by
        which the table is partitioned.
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
