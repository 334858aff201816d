"""Names: the tables of a lake in a catalogue of Spark, for who asks by name instead of path.

The tables stay where the lake has them; a name is an external table at that place. Jobs open
tables by place, so a catalogue that is away stops no stream.
"""

from __future__ import annotations

import re

from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import TABLES


def give_names(lake: Lake, catalog: str | None) -> None:
    """Let `<catalog>.<table>` name every table that is there; of silver and gold this generation's.

    One table after the other: who asks meanwhile may meet tables of both generations. A repeat
    finishes what was killed.

    Args:
        lake: the generation that readers shall see.
        catalog: of Spark; None: no names are given.

    Raises:
        DataError: a name belongs to a table outside the lake; it is left alone.
    """
    if catalog is None:
        return
    for schema in sorted({table.split(".")[0] for table in TABLES}):
        lake.spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{catalog}`.`{schema}`")
    for table in TABLES:
        if lake.has(table):
            _point(lake, f"`{catalog}`.{table}", table)


def _point(lake: Lake, name: str, table: str) -> None:
    spark, wanted = lake.spark, _uri(lake.path(table))
    if spark.catalog.tableExists(name):
        [row] = spark.sql(f"DESCRIBE DETAIL {name}").select("location").collect()
        found = _uri(row.location)
        if found == wanted:
            return
        if not found.startswith(f"{_uri(lake.root)}/"):
            raise DataError(
                f"{name} already names a table at {row.location}",
                "drop that table, or set lake.catalog to a catalogue of this lake's own",
            )
        spark.sql(f"DROP TABLE {name}")  # the name only: the files are the lake's
    spark.sql(f"CREATE TABLE {name} USING DELTA LOCATION '{wanted}'")


def _uri(path: str) -> str:
    """A place as Delta tells it."""
    return re.sub("^(file:)?/+", "file:/", path)
