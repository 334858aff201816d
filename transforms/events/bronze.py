"""Bronze: the records as Kafka gave them, the history from which everything is recomputed."""

from __future__ import annotations

from pyspark.sql import DataFrame

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


def to_bronze(records: DataFrame) -> DataFrame:
    """Kafka source rows as BRONZE_COLUMNS.

    Args:
        records: the columns of Spark's Kafka source, with `includeHeaders`.

    Returns:
        kafka_timestamp is the arrival time (UTC), arrival_date its UTC date, by which the table
        is partitioned; ingest_time is the instant of the micro-batch, one for all of its rows.
    """
    return records.selectExpr(
        "topic",
        "partition",
        "offset",
        "key",
        "value",
        "headers",
        "timestamp AS kafka_timestamp",
        "timestampType AS kafka_timestamp_type",
        "current_timestamp() AS ingest_time",
        "to_date(timestamp) AS arrival_date",
    )
