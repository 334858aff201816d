"""Catalogue names: the tables of a lake as external tables of a Spark catalogue.

Files stay in the lake; a name only points to them. Jobs open tables by path, so an unreachable
catalogue stops no stream.
"""

from __future__ import annotations

import re

from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import TABLES


def give_names(lake: Lake, catalog: str | None) -> None:
    """Register every existing table of the lake as `<catalog>.<table>` in Spark's catalogue.

    Silver and gold are those of the lake's generation. Tables are registered one after the other: a
    reader may see both generations meanwhile. Running it again completes a registration that was
    killed.

    Args:
        lake: the lake, at the generation that readers are to see.
        catalog: name of the Spark catalogue; None: no names are registered.

    Raises:
        DataError: a name belongs to a table outside the lake, which is left unchanged.
    """
    if catalog is None:
        return
    for schema in sorted({table.split(".")[0] for table in TABLES}):
        lake.spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{catalog}`.`{schema}`")
    for table in TABLES:
        if lake.has(table):
            _point(lake, f"`{catalog}`.{table}", table)


def _point(lake: Lake, name: str, table: str) -> None:
    """Make a catalogue name an external table at the path of a lake table.

    Args:
        lake: the lake that holds the table.
        name: quoted catalogue name.
        table: table name in the lake.

    Raises:
        DataError: the name belongs to a table outside the lake.
    """
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
    """A path in the form in which Delta reports locations: `file:/...`, or an object-store URI."""
    return re.sub("^(file:)?/+", "file:/", path)
