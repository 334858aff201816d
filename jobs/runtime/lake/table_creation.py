"""Tables made as they are declared, and given the columns that a newer playhead declares."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from delta.tables import DeltaTable
from pyspark.sql.types import StructType

from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_tables import DeltaTables
from jobs.runtime.lake.tables import NO_STATISTICS, TABLES
from jobs.runtime.spark.failures import SPARK_ERRORS, explained

AT_ONCE = 4


def create_missing(tables: DeltaTables, names: Iterable[str]) -> None:
    """Create the tables that do not exist, and add columns that a newer playhead declares.

    Raises:
        DataError: a table has a column of another type, or one that is not declared.
        ServiceError: the place cannot be written.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda name: _create_missing(tables, name), names))


def _create_missing(tables: DeltaTables, table: str) -> None:
    declared = TABLES[table]
    if tables.has(table):
        _match(tables, table, declared.schema)
        return
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
        raise explained(error, f"{table} at {tables.path(table)}") from None


def _match(tables: DeltaTables, table: str, declared: StructType) -> None:
    found = {field.name: field.dataType for field in tables.read(table).schema}
    wanted = {field.name: field.dataType for field in declared}
    for name, kind in found.items():
        if wanted.get(name) != kind:
            raise DataError(
                f"{table} at {tables.path(table)}: column '{name}' is {kind.simpleString()}, "
                f"declared {wanted[name].simpleString() if name in wanted else 'nowhere'}",
                "this table was written by another version of playhead: run that version, or "
                "rebuild silver and gold with python -m jobs.recompute",
            )
    missing = [field for field in declared if field.name not in found]
    if missing:
        columns = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in missing)
        tables.spark.sql(f"ALTER TABLE delta.`{tables.path(table)}` ADD COLUMNS ({columns})")
