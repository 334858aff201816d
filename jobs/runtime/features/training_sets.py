"""Training sets: a spine of users and instants, with point-in-time correct features."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, TimestampType

from jobs.runtime.errors import DataError, SettingsError, first_line
from jobs.runtime.lake.lake import Lake
from jobs.runtime.spark.failures import SPARK_ERRORS
from transforms import provenance
from transforms.features import as_of
from transforms.features.as_of import SPINE, feature_events, features, features_as_of
from transforms.gold.facts import FACT_SOURCES

log = logging.getLogger(__name__)


QUERY = "training-set"


CATALOG = "silver.catalog"


SOURCES = (*FACT_SOURCES, CATALOG)


BUILT_FROM = "built_from"


HAS_OFFSET = r"(Z|[+-][0-9]{2}:[0-9]{2})$"


def training_set(
    lake: Lake,
    spine: DataFrame,
    versions: Mapping[str, int],
    *,
    days: list[int],
    known: bool = False,
) -> DataFrame:
    """The features of a spine over pinned versions of silver, and what they were built from.

    Args:
        lake: the generation to read.
        spine: SPINE (user_id string, at timestamp), neither null, and any other columns.
        versions: Delta version, by table of SOURCES.
        days: lengths of the windows, in days of 24 hours.
        known: whether to leave out what had not arrived by the instant.

    Returns:
        The columns of `features_as_of`, and the struct built_from: known, generation, the version
        of each table, and the digest of the definition.
    """
    silver = {table: lake.read(table, version) for table, version in versions.items()}
    rows = features_as_of(spine, feature_events(silver), silver[CATALOG], days=days, known=known)
    return rows.withColumn(BUILT_FROM, _origin(lake.generation, versions, known))


def read_spine(spark: SparkSession, path: str, days: list[int]) -> DataFrame:
    """The rows of a spine, with SPINE in its types.

    Args:
        spark: session to read with.
        path: path of a Delta table, a Parquet file or folder, or a .csv file with a header.
        days: lengths of the windows, in days; their features' names are reserved.

    Returns:
        The spine's columns; `at` as a timestamp.

    Raises:
        SettingsError: it cannot be read, lacks a column, has one of another type, or one that is a
            feature's name.
        DataError: a row has no user or no instant, or there are no rows.
    """
    rows = _read(spark, path)
    missing = [name for name in SPINE if name not in rows.columns]
    if missing:
        raise SettingsError(
            f"{path} has no {' and no '.join(missing)}; its columns: {', '.join(rows.columns)}",
            "a spine has a user_id and an instant at",
        )
    taken = [name for name in rows.columns if name in (*features(days), BUILT_FROM)]
    if taken:
        raise SettingsError(
            f"{path} has columns that features would have: {', '.join(taken)}", "rename them"
        )
    at = _instant(rows, path)
    _refuse_rows(rows, at, path)
    return rows.withColumn("at", at)


def write_new(rows: DataFrame, out: str) -> None:
    """Write rows as a new Delta table.

    Args:
        rows: the rows to write.
        out: path of the table; nothing may exist there.

    Raises:
        SettingsError: the path exists already or cannot be written.
    """
    try:
        rows.write.format("delta").mode("errorifexists").save(_absolute(out))
    except SPARK_ERRORS as error:
        raise SettingsError(
            f"{out} cannot be written: {first_line(error)}", "name a path that does not exist"
        ) from None


def _read(spark: SparkSession, path: str) -> DataFrame:
    """The rows of a Delta table, Parquet or CSV at a path.

    Raises:
        SettingsError: they cannot be read.
    """
    where = _absolute(path)
    try:
        if where.endswith(".csv"):
            return spark.read.csv(where, header=True, mode="FAILFAST")
        is_delta = DeltaTable.isDeltaTable(spark, where)
        return spark.read.format("delta" if is_delta else "parquet").load(where)
    except SPARK_ERRORS as error:
        raise SettingsError(
            f"the spine {path} cannot be read: {first_line(error)}",
            "name a Delta table, a Parquet file or folder, or a .csv file with a header",
        ) from None


def _instant(rows: DataFrame, path: str) -> Column:
    """The spine's column `at` as a timestamp.

    Returns:
        A timestamp column, null where a text is not an instant with its time zone.

    Raises:
        SettingsError: user_id is no string, or `at` has no time zone.
    """
    kinds = {name: rows.schema[name].dataType for name in SPINE}
    if not isinstance(kinds["user_id"], StringType):
        raise SettingsError(
            f"{path}: user_id is {kinds['user_id'].simpleString()}", "make it a string"
        )
    if isinstance(kinds["at"], StringType):
        return F.when(F.col("at").rlike(HAS_OFFSET), F.expr("try_cast(at AS TIMESTAMP)"))
    if not isinstance(kinds["at"], TimestampType):
        raise SettingsError(
            f"{path}: at is {kinds['at'].simpleString()}, without a time zone",
            "make it a timestamp in UTC, or text such as 2026-01-31T12:00:00Z",
        )
    return F.col("at")


def _refuse_rows(rows: DataFrame, at: Column, path: str) -> None:
    """Stop if the spine is empty or a row lacks a user or an instant.

    Raises:
        DataError: it does; with an example row as JSON.
    """
    is_wrong = F.col("user_id").isNull() | at.isNull()
    given = F.to_json(F.struct(*SPINE), {"ignoreNullFields": "false"})
    example = F.max(F.when(is_wrong, given)).alias("example")
    counts = (F.count("*").alias("rows"), F.count_if(is_wrong).alias("wrong"))
    [found] = rows.agg(*counts, example).collect()
    if not found.rows:
        raise DataError(f"{path} has no rows", "name a spine with a row for each example")
    if found.wrong:
        raise DataError(
            f"{path}: {found.wrong:,} of {found.rows:,} rows lack a user or an instant with its "
            f"time zone, such as {found.example}",
            "give each row a user_id, and at as in 2026-01-31T12:00:00Z",
        )


def newest_versions(lake: Lake) -> dict[str, int]:
    """The newest Delta version of each table of SOURCES.

    Raises:
        DataError: a table does not exist.
    """
    lake.require(*SOURCES)
    return {table: lake.version(table) for table in SOURCES}


def versions_behind(lake: Lake, path: str) -> dict[str, int]:
    """The versions of SOURCES that a training set was built from.

    Args:
        lake: the generation that the training set must be of.
        path: path of the training set.

    Returns:
        Delta version, by table.

    Raises:
        DataError: the training set has no rows.
        SettingsError: it cannot be read, or was built from another generation.
    """
    row = _read(lake.spark, path).select(f"{BUILT_FROM}.*").first()
    if row is None:
        raise DataError(f"{path} has no rows", "name a training set that has")
    if row.generation != lake.generation:
        raise SettingsError(
            f"{path} was made from generation {row.generation}, this is {lake.generation}",
            f"--set lake.generation={row.generation}",
        )
    return {table: row[_short(table)] for table in SOURCES}


def _origin(generation: int, versions: Mapping[str, int], known: bool) -> Column:
    """The struct built_from: all that determines the features besides the spine."""
    facts = {
        "known": F.lit(known),
        "generation": F.lit(generation),
        **{_short(table): F.lit(v).cast("bigint") for table, v in versions.items()},
        "definition": F.lit(provenance.digest(repr(as_of.AS_OF), provenance.code(as_of))),
    }
    return F.struct(*(value.alias(name) for name, value in facts.items()))


def _short(table: str) -> str:
    """The name of a table without its schema, such as `playback`."""
    return table.partition(".")[2]


def _absolute(path: str) -> str:
    """A local path as an absolute one; a URI unchanged."""
    return path if "://" in path else str(Path(path).absolute())
