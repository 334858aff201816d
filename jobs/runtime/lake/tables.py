"""Every table of the lake: its name, schema, partitioning and properties, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql.types import DataType, StructType

from jobs.runtime.errors import DataError
from transforms.events.bronze import BRONZE_COLUMNS, PLACE
from transforms.experiments.results import COLUMNS as RESULT_COLUMNS
from transforms.gold.experiment_user import COLUMNS as EXPERIMENT_USER_COLUMNS
from transforms.gold.profile import COLUMNS as PROFILE_COLUMNS
from transforms.gold.tables import FOLDS
from transforms.recommendations.columns import BLOCK_COLUMNS, HISTORY_COLUMNS, LIST_COLUMNS
from transforms.silver.quarantine import COLUMNS as QUARANTINE_COLUMNS
from transforms.silver.release import COLUMNS as RELEASED_COLUMNS
from transforms.silver.tables import FAMILIES

BRONZE = "bronze.events"
QUARANTINE = "silver.quarantine"
RELEASED = "silver.released"
PARTIALS = "gold.partials"
USER_PROFILE = "gold.user_profile"
EXPERIMENT_USER = "gold.experiment_user"
USER_HISTORY = "gold.user_history"
TITLE_GRAM = "gold.title_gram"
RECOMMENDATIONS = "gold.recommendations"
SILVER = tuple(f"silver.{family}" for family in FAMILIES)
EXPERIMENT_RESULTS = "gold.experiment_results"
LEDGER = "ops.ledger"
FRESHNESS = "ops.freshness"
GENERATIONS = "ops.generations"
PARITY = "ops.parity"
QUALITY = "ops.quality"
ERASURES = "ops.erasures"
RECORD = tuple(PLACE)
# Tables (by prefix) that each build of silver and gold has for itself; the rest are the lake's.
GENERATIONAL = ("silver.", "gold.", LEDGER, FRESHNESS)

# A stream commits every few seconds: checkpointing its log every 10 commits (Delta's default)
# costs more than the longer replay that 100 makes of a cold read.
STREAMED = {"delta.checkpointInterval": "100"}
# For every table: statistics slow each write (bronze: 1.12 times), and the least and the
# greatest user id of a file would stay in the table's log after the user was erased.
NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}

_FILLED_BY = {
    BRONZE: "ingest --available-now",
    RELEASED: "release",
    FRESHNESS: "fold --available-now",
    USER_PROFILE: "profile rebuild",
    EXPERIMENT_USER: "attribute --available-now",
    EXPERIMENT_RESULTS: "experiments results",
    USER_HISTORY: "train",
    TITLE_GRAM: "train",
    RECOMMENDATIONS: "score",
    GENERATIONS: "recompute",
    PARITY: "recompute",
    QUALITY: "quality",
    ERASURES: "erase",
    LEDGER: "refine --available-now",
    "silver.": "refine --available-now",
    "gold.": "fold --available-now",
}  # the first key that a table's name begins with, in this order


@dataclass(frozen=True)
class Table:
    """A Delta table.

    Attributes:
        columns: SQL type by column name, in order.
        partition_by: columns that the table is partitioned by.
        properties: Delta table properties, besides NO_STATISTICS.
        carried: whether a new generation gets a copy, until the table's own job fills it again.
        erased_by: key columns by which the rows of an erased user are deleted: the place of a
            record, or the table's own key. Empty: it holds no user, or is rebuilt without.
    """

    columns: Mapping[str, str]
    partition_by: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    carried: bool = False
    erased_by: tuple[str, ...] = ()

    @property
    def schema(self) -> StructType:
        """The declared columns as a Spark schema."""
        schema = StructType()
        for name, ddl in self.columns.items():
            schema.add(name, DataType.fromDDL(ddl))
        return schema


def is_generational(table: str) -> bool:
    """Whether each generation has a table of this name for itself."""
    return table.startswith(GENERATIONAL)


def filled_by(table: str) -> str:
    """The command that fills a table, such as `python -m jobs.ingest --available-now`."""
    return next(
        f"python -m jobs.{job}" for name, job in _FILLED_BY.items() if table.startswith(name)
    )


def missing_table(root: str, table: str, generation: int) -> DataError:
    """The error for a table that does not exist, which names the job that fills it.

    Args:
        root: root of the lake.
        table: table name.
        generation: number of the generation that was read.
    """
    build = f" in generation {generation}" if is_generational(table) else ""
    return DataError(
        f"the lake at {root} has no {table}{build}",
        f"run {filled_by(table)}, or name another lake: --set lake.root=...",
    )


def _partial_columns() -> dict[str, str]:
    """The columns of gold.partials: one table for the partials of all folds.

    One table makes a micro-batch one commit.

    Returns:
        SQL type by column name: gold_table, sequence, then the columns of all folds.

    Raises:
        ValueError: two folds declare a column with different types.
    """
    columns = {"gold_table": "STRING", "sequence": "BIGINT"}
    for fold in FOLDS.values():
        for name, ddl in fold.columns.items():
            known = columns.setdefault(name, ddl)
            if known != ddl:
                raise ValueError(f"gold.{fold.name}.{name} is {ddl} here and {known} elsewhere")
    return columns


TABLES: Mapping[str, Table] = {
    BRONZE: Table(BRONZE_COLUMNS, ("arrival_date",), STREAMED, erased_by=RECORD),
    **{
        f"silver.{name}": Table(family.columns, ("event_date",), STREAMED, erased_by=RECORD)
        for name, family in FAMILIES.items()
    },
    QUARANTINE: Table(QUARANTINE_COLUMNS, (), STREAMED, erased_by=RECORD),
    RELEASED: Table(RELEASED_COLUMNS, erased_by=RECORD),
    **{f"gold.{fold.name}": Table(fold.columns) for fold in FOLDS.values()},
    USER_PROFILE: Table(
        {
            **PROFILE_COLUMNS,
            "built_from": "STRUCT<as_of: TIMESTAMP, profiles: BIGINT, ratings: BIGINT>",
        }
    ),
    EXPERIMENT_USER: Table(EXPERIMENT_USER_COLUMNS),
    USER_HISTORY: Table(HISTORY_COLUMNS),
    TITLE_GRAM: Table(
        {
            **BLOCK_COLUMNS,
            "titles": "ARRAY<STRING>",
            "counted": "STRUCT<histories: BIGINT, damping: DOUBLE, weighting: STRING>",
        }
    ),
    RECOMMENDATIONS: Table(
        {
            **LIST_COLUMNS,
            "built_from": (
                "STRUCT<model: STRING, model_version: STRING, tables: STRING, shape: STRING>"
            ),
        },
        carried=True,
        erased_by=("user_id",),
    ),
    EXPERIMENT_RESULTS: Table(
        {
            **RESULT_COLUMNS,
            "overlapping_changes": "ARRAY<STRING>",
            "built_from": "STRUCT<definition: STRING, definition_hash: STRING, "
            "generation: BIGINT, experiment_user: BIGINT, models: BIGINT, catalog: BIGINT, "
            "command: STRING>",
        }
    ),
    PARTIALS: Table(_partial_columns(), ("gold_table",), STREAMED),
    LEDGER: Table(
        {
            "sequence": "BIGINT",
            "fate": "STRING",
            "detail": "STRING",
            "events": "BIGINT",
            "at": "TIMESTAMP",
        },
        properties=STREAMED,
    ),
    FRESHNESS: Table(
        {
            "hop": "STRING",
            "sequence": "BIGINT",
            "at": "TIMESTAMP",
            "age_s": "BIGINT",
            "events": "BIGINT",
        },
        properties=STREAMED,
    ),
    GENERATIONS: Table(
        {
            "sequence": "BIGINT",
            "generation": "INT",
            "action": "STRING",
            "at": "TIMESTAMP",
            "bronze_version": "BIGINT",
            "ingested_through": "TIMESTAMP",
            "events": "BIGINT",
            "seconds": "DOUBLE",
            "definition": "STRING",
            "folds": "MAP<STRING, STRING>",
        }
    ),
    QUALITY: Table(
        {
            "at": "TIMESTAMP",
            "generation": "INT",
            "table_name": "STRING",
            "version": "BIGINT",
            "partials_version": "BIGINT",
            "expectation": "STRING",
            "kind": "STRING",
            "severity": "STRING",
            "passed": "BOOLEAN",
            "result": "STRING",
            "found": "STRING",
            "expected": "STRING",
            "why": "STRING",
        },
        erased_by=("at", "table_name", "expectation"),
    ),
    PARITY: Table(
        {
            "at": "TIMESTAMP",
            "generation": "INT",
            "against": "INT",
            "bronze_version": "BIGINT",
            "gold_table": "STRING",
            "cause": "STRING",
            "rows": "BIGINT",
            "examples": "ARRAY<STRING>",
        },
        erased_by=("at", "gold_table", "cause"),
    ),
    ERASURES: Table(
        {
            "erasure": "BIGINT",
            "subject": "STRING",
            "step": "STRING",
            "generation": "INT",
            "table_name": "STRING",
            "detail": "STRING",
            "version": "BIGINT",
            "rows": "BIGINT",
            "landed": "MAP<STRING, BIGINT>",
            "at": "TIMESTAMP",
        }
    ),
}
