"""Creation of declared tables, and the addition of newly declared columns to existing ones."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from delta.tables import DeltaTable
from filelock import Timeout
from pyspark.sql.types import StructField

from jobs.runtime.errors import DataError, ServiceError
from jobs.runtime.lake.delta_tables import DeltaTables
from jobs.runtime.lake.locks import lock_of
from jobs.runtime.lake.tables import NO_STATISTICS, TABLES
from jobs.runtime.spark.failures import SPARK_ERRORS, explain

AT_ONCE = 4
WAIT_S = 300.0  # creating all tables takes some ten seconds on a small machine


def create_missing(tables: DeltaTables, names: Iterable[str]) -> None:
    """Create the tables that do not exist, and add newly declared columns to the others.

    Jobs that start at the same time on a new lake do so one after the other: Delta shows others a
    table that it is still creating.

    Args:
        tables: client of the tables.
        names: table names.

    Raises:
        DataError: a table has a column of another type, or one that is not declared.
        ServiceError: a path cannot be written, or another job did not finish in WAIT_S seconds.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        wanted = list(names)
        whole = pool.map(lambda name: _is_whole(tables, name), wanted)
        incomplete = [name for name, is_whole in zip(wanted, whole, strict=True) if not is_whole]
        if not incomplete:
            return
        lock = lock_of(f"{tables.address.root}/tables", timeout_s=WAIT_S)
        try:
            with lock:
                list(pool.map(lambda name: _complete(tables, name), incomplete))
        except Timeout:
            raise ServiceError(
                f"another job has been creating tables for {WAIT_S:.0f} s: {lock.lock_file}",
                "see what that job does, stop it, and start this one again",
            ) from None


def _is_whole(tables: DeltaTables, table: str) -> bool:
    """Whether the table exists with all declared columns."""
    return tables.has(table) and not _missing_columns(tables, table)


def _complete(tables: DeltaTables, table: str) -> None:
    """Create the table, or add the declared columns that it lacks."""
    if not tables.has(table):
        tables.remove_empty_log(table)
        _create(tables, table)
    elif missing := _missing_columns(tables, table):
        columns = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in missing)
        tables.spark.sql(f"ALTER TABLE delta.`{tables.path(table)}` ADD COLUMNS ({columns})")


def _create(tables: DeltaTables, table: str) -> None:
    """Create the table as declared.

    Raises:
        PlayheadError: Delta failed; names the remedy.
    """
    declared = TABLES[table]
    builder = (
        DeltaTable.createIfNotExists(tables.spark)
        .location(tables.path(table))
        .addColumns(declared.schema)
        .partitionedBy(*declared.partition_by)
    )
    for key, value in {**NO_STATISTICS, **declared.properties}.items():
        builder = builder.property(key, value)
    try:
        builder.execute()
    except SPARK_ERRORS as error:
        raise explain(error, f"{table} at {tables.path(table)}") from None


def _missing_columns(tables: DeltaTables, table: str) -> list[StructField]:
    """The declared columns that a table lacks.

    Raises:
        DataError: the table has a column of another type, or one that is not declared.
    """
    present = {field.name: field.dataType for field in tables.schema(table)}
    declared = {field.name: field for field in TABLES[table].schema}
    for name, kind in present.items():
        if name not in declared or declared[name].dataType != kind:
            wanted = declared[name].dataType.simpleString() if name in declared else "nowhere"
            raise DataError(
                f"{table} at {tables.path(table)}: column '{name}' is {kind.simpleString()}, "
                f"declared {wanted}",
                "this table was written by another version of playhead: run that version, or "
                "rebuild silver and gold with python -m jobs.recompute",
            )
    return [field for name, field in declared.items() if name not in present]
