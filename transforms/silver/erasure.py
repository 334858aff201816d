"""Erasure: the records that hold a user, and the ledger's end that counts each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.events.bronze import PLACE
from transforms.ids import ID_CHARACTERS

QUARANTINE = "silver.quarantine"
DUPLICATE = "duplicate"


def pattern(user: str) -> str:
    """Regular expression, for Python and Java, that finds a user's id in a text.

    The id stands by itself, not inside a longer run of ID_CHARACTERS. An id that is all digits must
    also be in double quotes or be the whole text, else every such number would match.

    Args:
        user: the user's id.

    Returns:
        The expression, to search for (not to match the whole text).
    """
    if user.isdecimal():
        return rf'(?<="){user}(?=")|\A{user}\Z'
    return rf"(?<![{ID_CHARACTERS}]){re.escape(user)}(?![{ID_CHARACTERS}])"


def holds(text: Column, user: str) -> Column:
    """Whether a string contains the user's id.

    Args:
        text: string.
        user: the user's id.

    Returns:
        Boolean, false for null.
    """
    return F.coalesce(text.rlike(pattern(user)), F.lit(False))


def row_holds(rows: DataFrame, user: str) -> Column:
    """Whether any string of a row, at any depth, contains the user's id.

    Args:
        rows: the row's DataFrame.
        user: the user's id.

    Returns:
        Boolean, never null.
    """
    return holds(F.to_json(F.struct("*")), user)


def records_of(bronze: DataFrame, user: str) -> DataFrame:
    """The records that hold a user in key, value or headers.

    Args:
        bronze: rows of bronze.events.
        user: the user's id.

    Returns:
        topic string, partition int, offset bigint, and anothers boolean: true if the record has a
        key that is not the id.
    """
    in_headers = F.exists(
        F.coalesce("headers", F.array().cast(bronze.schema["headers"].dataType)),
        lambda h: holds(h["key"], user) | holds(_text(h["value"]), user),
    )
    anothers = F.coalesce(_text(F.col("key")) != user, F.lit(False))
    held = holds(_text(F.col("key")), user) | holds(_text(F.col("value")), user) | in_headers
    return bronze.where(held).select(*PLACE, anothers.alias("anothers"))


def ends_of(records: DataFrame, outputs: Mapping[str, DataFrame]) -> DataFrame:
    """Count records by the end that they have in one generation.

    Args:
        records: topic, partition, offset.
        outputs: silver tables and silver.quarantine, by table name.

    Returns:
        table_name string, the output that holds the records, null for duplicates; detail string,
        the end as the ledger names it: `silver/<family>`, `quarantine/<reason>`, `duplicate`; rows
        bigint, the number of records.
    """
    held = reduce(DataFrame.unionAll, (_held(*output) for output in outputs.items()))
    ended = records.select(*PLACE).join(held, [*PLACE], "left")
    detail = F.coalesce("detail", F.lit(DUPLICATE)).alias("detail")
    return ended.groupBy("table_name", detail).agg(F.count(F.lit(1)).alias("rows"))


def _held(table: str, rows: DataFrame) -> DataFrame:
    """PLACE of an output's rows, with table_name and detail as in `ends_of`."""
    named = F.lit(table.replace("silver.", "silver/"))
    detail = F.concat(F.lit("quarantine/"), "reason") if table == QUARANTINE else named
    return rows.select(*PLACE, F.lit(table).alias("table_name"), detail.alias("detail"))


def _text(value: Column) -> Column:
    """Decode bytes to a string with one character for each byte, as ids are ASCII."""
    return F.decode(value, "ISO-8859-1")
