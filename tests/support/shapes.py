"""Spark's tables in the oracle's shape, and the oracle's records as a DataFrame of bronze."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StructType, TimestampType

from tests.oracles.pipeline import Raw, Table
from tests.oracles.strict_json import EPOCH
from transforms.gold.fold import Fold

RAW = "topic STRING, partition INT, offset BIGINT, key BINARY, value BINARY, arrival BIGINT"


def bronze_of(spark: SparkSession, records: Iterable[Raw], ingested: datetime = EPOCH) -> DataFrame:
    """The records as rows of bronze.events that `judge` reads; `ingested` is their ingest time."""
    rows = [
        raw._replace(
            key=None if raw.key is None else bytearray(raw.key),
            value=None if raw.value is None else bytearray(raw.value),
        )
        for raw in records
    ]
    return spark.createDataFrame(rows, RAW).select(
        *("topic", "partition", "offset", "key", "value"),
        F.timestamp_micros("arrival").alias("kafka_timestamp"),
        F.lit(ingested).cast("timestamp").alias("ingest_time"),
    )


def table_of(fold: Fold, rows: DataFrame) -> Table:
    """A gold table as the oracle gives it; fails if a key has two rows."""
    collected = _comparable_rows(rows, fold.statistics).select(*fold.columns).collect()
    table = {
        tuple(row[name] for name in fold.key): {name: _plain(row[name]) for name in fold.statistics}
        for row in collected
    }
    assert len(table) == len(collected), f"gold.{fold.name} holds a key twice"
    return table


def plain_rows(rows: DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries, at any depth; instants are microseconds since 1970."""
    return [row.asDict(recursive=True) for row in _comparable_rows(rows, rows.columns).collect()]


def _comparable_rows(rows: DataFrame, names: Iterable[str]) -> DataFrame:
    return rows.withColumns(
        {name: _comparable(rows[name], rows.schema[name].dataType) for name in names}
    )


def _comparable(column: Column, kind: DataType) -> Column:
    if isinstance(kind, TimestampType):
        return F.unix_micros(column)
    if isinstance(kind, StructType):
        fields = (_comparable(column[f.name], f.dataType).alias(f.name) for f in kind.fields)
        return F.when(column.isNotNull(), F.struct(*fields))
    if isinstance(kind, ArrayType):
        return F.transform(column, lambda item: _comparable(item, kind.elementType))
    return column


def _plain(value: Any) -> Any:
    return value.asDict(recursive=True) if isinstance(value, Row) else value
