"""The fold of gold.user_day alone, from raw bytes in files, beside Polars and DuckDB.

All three read the same Parquet files, take from each text the fields that the fold counts, and
give the same rows. Spark's fold is the declared one; the others are written as their users would.
How fast Spark reads those fields and does nothing with them is the most that any fold can reach.
Each has two threads, the others' results wait in memory, and the best of eight turns counts.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.settings import load_settings
from jobs.runtime.spark.session import spark_session
from tests.benchmarks.data import reference_events
from transforms.gold.facts import FACT_COLUMNS
from transforms.gold.fold import evaluate
from transforms.gold.tables import DEVICE_TYPES, PLAY, SOURCES, USER_DAY

EVENTS = int(os.environ.get("PLAYHEAD_BENCH_EVENTS", "2000000"))
TURNS = 8
THREADS = 2
SHAPE = (
    "eventType STRING, timestamp STRING, userId STRING, "
    "deviceInfo STRUCT<deviceType: STRING>, playbackContext STRUCT<source: STRING>"
)
PATHS = {
    "timestamp": "$.timestamp",
    "user_id": "$.userId",
    "device_type": "$.deviceInfo.deviceType",
    "source": "$.playbackContext.source",
}
DATE = "CAST(substr(timestamp, 1, 10) AS DATE)"
FIELDS = {"event_type": "e.eventType", **{name: f"e{path[1:]}" for name, path in PATHS.items()}}
PLAYS = {
    "plays": None,
    **{f"plays_on_{device}": ("device_type", device) for device in DEVICE_TYPES},
    **{f"plays_from_{source}": ("source", source) for source in SOURCES},
}


def run() -> dict[str, Any]:
    """Events a second of each; their rows are held to be the same."""
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as folder:
        os.environ["POLARS_MAX_THREADS"] = str(THREADS)  # read when Polars is imported
        spark = spark_session("bench", load_settings().spark)
        made = reference_events(spark, EVENTS, until_ms=int(time.time() * 1000))
        made.write.parquet(f"{folder}/bronze")
        files = sorted(str(file) for file in Path(folder, "bronze").glob("*.parquet"))
        engines: dict[str, Callable[[], Any]] = {
            "spark": lambda: by_spark(spark, files).toArrow(),
            "polars": lambda: by_polars(files),
            "duckdb": lambda: by_duckdb(files),
        }
        rates = {name: EVENTS / best_of(fold) for name, fold in engines.items()}
        refuse_others({name: fold() for name, fold in engines.items()})
        reading = EVENTS / best_of(lambda: nowhere(facts_of(spark, files)))
        spark.stop()
    return {
        "events": EVENTS,
        "rate_per_s": round(rates["spark"]),
        "baseline": "polars",
        "baseline_rate_per_s": round(rates["polars"]),
        "ratio": round(rates["spark"] / rates["polars"], 3),
        "duckdb_rate_per_s": round(rates["duckdb"]),
        "ratio_to_duckdb": round(rates["spark"] / rates["duckdb"], 3),
        "reading_rate_per_s": round(reading),
    }


def by_spark(spark: SparkSession, files: list[str]) -> DataFrame:
    """The fold as it is declared."""
    return evaluate(USER_DAY, facts_of(spark, files)).select(*USER_DAY.key, *PLAYS)


def facts_of(spark: SparkSession, files: list[str]) -> DataFrame:
    """What the fold counts, by Spark's own reader of JSON, which fails on what is none."""
    texts = spark.read.parquet(*files).select(F.col("value").cast("string"))
    events = spark.read.schema(SHAPE).option("mode", "FAILFAST").json(texts)
    read = events.selectExpr(
        "eventType AS event_type", *(f"{path[2:]} AS {name}" for name, path in PATHS.items())
    )
    known = {"date": DATE, **{name: name for name in read.columns}}
    return read.selectExpr(
        *(f"{known.get(name, f'CAST(NULL AS {ddl})')} AS {name}"
          for name, ddl in FACT_COLUMNS.items())
    )  # fmt: skip


def nowhere(rows: DataFrame) -> None:
    """Compute rows and forget them."""
    rows.write.format("noop").mode("overwrite").save()


def by_polars(files: list[str]) -> Any:
    """As a user of Polars would write it."""
    import polars as pl

    text = pl.String
    shape = pl.Struct(
        {
            "eventType": text,
            "timestamp": text,
            "userId": text,
            "deviceInfo": pl.Struct({"deviceType": text}),
            "playbackContext": pl.Struct({"source": text}),
        }
    )
    event = pl.col("value").cast(text).str.json_decode(shape).alias("e")
    fields = {
        "event_type": pl.col("e").struct.field("eventType"),
        "user_id": pl.col("e").struct.field("userId"),
        "date": pl.col("e").struct.field("timestamp").str.slice(0, 10).str.to_date("%Y-%m-%d"),
        "device_type": pl.col("e").struct.field("deviceInfo").struct.field("deviceType"),
        "source": pl.col("e").struct.field("playbackContext").struct.field("source"),
    }
    counts = [
        (pl.len() if told is None else (pl.col(told[0]) == told[1]).sum()).cast(pl.Int64).alias(n)
        for n, told in PLAYS.items()
    ]
    rows = pl.scan_parquet(files).select(event).select(**fields)
    plays = rows.filter(pl.col("event_type") == "VideoPlaybackStarted")
    return plays.group_by(*USER_DAY.key).agg(*counts).collect().to_arrow()


def by_duckdb(files: list[str]) -> Any:
    """As a user of DuckDB would write it."""
    shape = (
        '{"eventType": "VARCHAR", "timestamp": "VARCHAR", "userId": "VARCHAR", '
        '"deviceInfo": {"deviceType": "VARCHAR"}, "playbackContext": {"source": "VARCHAR"}}'
    )
    fields = ", ".join(f"{sql} AS {name}" for name, sql in FIELDS.items())
    counts = ", ".join(
        f"{'count(*)' if told is None else f'''count_if({told[0]} = '{told[1]}')'''}::BIGINT AS {n}"
        for n, told in PLAYS.items()
    )
    with duckdb.connect(config={"threads": THREADS}) as connection:
        return connection.sql(
            f"WITH read AS (SELECT json_transform(decode(value), '{shape}') AS e "
            f"FROM read_parquet({files})), facts AS (SELECT {fields} FROM read), "
            f"dated AS (SELECT *, {DATE} AS date FROM facts) "
            f"SELECT {', '.join(USER_DAY.key)}, {counts} FROM dated WHERE {PLAY} GROUP BY ALL"
        ).to_arrow_table()


def best_of(work: Callable[[], Any]) -> float:
    """The least seconds of TURNS turns, after one that warms up."""
    work()
    seconds = []
    for _ in range(TURNS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def refuse_others(tables: dict[str, Any]) -> None:
    """DataError if the engines do not agree on every row."""
    columns = (*USER_DAY.key, *PLAYS)
    rows = {
        name: sorted(zip(*(table[column].to_pylist() for column in columns), strict=True))
        for name, table in tables.items()
    }
    for name, told in rows.items():
        if told != rows["spark"]:
            raise DataError(f"the rows of {name} are not those of spark", "look at both folds")
