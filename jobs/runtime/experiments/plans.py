"""Plans of experiments as rows for Spark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from transforms.gold.experiment_user import PLAN_COLUMNS


def plan_rows(spark: SparkSession, rows: Iterable[tuple[Any, ...]]) -> DataFrame:
    """Plans of experiments as a DataFrame of PLAN_COLUMNS."""
    schema = ", ".join(f"{name} {ddl}" for name, ddl in PLAN_COLUMNS.items())
    return spark.createDataFrame(list(rows), schema)
