"""The inventory of a user: records and rows in the lake, counted before an erasure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.generations import generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, RECORD, RELEASED, TABLES, is_generational
from jobs.runtime.pipeline.progress import OUTPUTS
from jobs.runtime.spark.persistence import persist
from transforms.silver.erasure import ends_of, records_of, row_holds

AT_ONCE = 4
StepRow = Mapping[str, Any]  # the columns of a row of ops.erasures that a step fills
TableOfLake = tuple[Lake, str]  # a pinned lake and the name of a table
T = TypeVar("T")


@dataclass(frozen=True)
class Inventory:
    """What a lake holds of a user.

    Attributes:
        user: id of the user.
        records: number of records in bronze.
        mentions: number of those with somebody else's key.
        tables: rows of ops.erasures, each with the number of rows to be erased.
    """

    user: str
    records: int
    mentions: int
    tables: list[StepRow]

    def lines(self) -> Iterator[str]:
        """The inventory as lines of text."""
        yield f"{self.user}: {self.records:,} records, {self.mentions:,} of them with other keys"
        for row in self.tables:
            where = row.get("table_name") or row["detail"]
            generation = row.get("generation") or "-"
            yield f"{row['rows']:>9,} {generation:>3} {where} {row.get('detail') or ''}".rstrip()


def take_inventory(lake: Lake, user: str) -> Inventory:
    """Count what would be erased: records and rows by table, in all complete generations."""
    bronze = lake.read(BRONZE)
    with persist(records_of(bronze, user)) as records:
        of_bronze = records.count()
        tables: list[StepRow] = [
            {"table_name": BRONZE, "rows": of_bronze, "landed": _last_offsets(bronze)}
        ]
        for build in complete_generations(lake) if of_bronze else []:
            tables += _fate_rows(build, records)
        others = [table for table, declared in TABLES.items() if declared.erased_by != RECORD]
        tables += in_parallel(partial(_rows_holding, user), nonempty_tables(lake, others))
        return Inventory(user, of_bronze, records.where("anothers").count(), tables)


def complete_generations(lake: Lake) -> list[Lake]:
    """The lake pinned to each complete generation."""
    known = generations(lake).values()
    return [lake.of_generation(each.number) for each in known if each.is_complete]


def in_parallel(work: Callable[[Lake, str], T], tables: Iterable[TableOfLake]) -> list[T]:
    """Run a function on several tables, AT_ONCE at a time.

    Args:
        work: function of a lake and the name of a table.
        tables: the tables.

    Returns:
        The results in the order of the tables.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(lambda held: work(*held), tables))


def nonempty_tables(lake: Lake, tables: Iterable[str]) -> list[TableOfLake]:
    """The tables with a commit besides their creation, in every complete generation.

    Args:
        lake: the lake that tables without generations are read from.
        tables: names of tables.
    """
    complete = complete_generations(lake)
    return [
        (own, table)
        for table in tables
        for own in (complete if is_generational(table) else [lake])
        if own.has(table) and own.version(table) > 0
    ]


def step_row(lake: Lake, table: str, **columns: Any) -> StepRow:
    """A row of ops.erasures about a table.

    Args:
        lake: the lake, pinned to the generation.
        table: name of the table.
        columns: values of further columns.
    """
    generation = lake.generation if is_generational(table) else None
    return {"generation": generation, "table_name": table, **columns}


def user_rows(lake: Lake, table: str, user: str) -> DataFrame:
    """The rows of a table that are the user's, or whose texts hold the id.

    Args:
        lake: the lake, pinned to the generation.
        table: name of the table.
        user: id of the user.

    Returns:
        Rows with user_id equal to the id; of a table without user_id, rows with a string that holds
        it.
    """
    rows = lake.read(table)
    if "user_id" in rows.columns:
        return rows.where(F.col("user_id") == user)
    return rows.where(row_holds(rows, user))


def _fate_rows(build: Lake, records: DataFrame) -> list[StepRow]:
    """The user's records in one generation, counted by where they ended."""
    outputs = {table: build.read(table) for table in OUTPUTS}
    ends = [row.asDict() for row in ends_of(records, outputs).collect()]
    if build.has(RELEASED):
        held = build.read(RELEASED).join(records, list(RECORD), "left_semi").count()
        ends.append({"table_name": RELEASED, "rows": held})
    return [{"generation": build.generation, **row} for row in ends]


def _rows_holding(user: str, lake: Lake, table: str) -> StepRow:
    """The number of a user's rows in a table, as a row of ops.erasures."""
    return step_row(lake, table, rows=user_rows(lake, table, user).count())


def _last_offsets(bronze: DataFrame) -> dict[str, int]:
    """The last offset in bronze, by `<topic>/<partition>`."""
    last = bronze.groupBy("topic", "partition").agg(F.max("offset").alias("last")).collect()
    return {f"{row.topic}/{row.partition}": row.last for row in last}
