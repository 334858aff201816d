"""Erasure: which records hold a user, and at which end each of them is counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.events.bronze import PLACE

ID_CHARACTERS = "A-Za-z0-9_.:-"
QUARANTINE = "silver.quarantine"
DUPLICATE = "duplicate"


def is_id(text: str) -> bool:
    """Can this be a user's id by the contracts?"""
    return re.fullmatch(f"[{ID_CHARACTERS}]{{1,128}}", text) is not None


def pattern(user: str) -> str:
    """A regular expression, for Python and for Java, of a text that holds a user's id.

    The id stands by itself, not inside a longer run of ID_CHARACTERS. One that is all digits must
    also be in double quotes or be the whole text, else every such number would be the user.
    """
    if user.isdecimal():
        return rf'(?<="){user}(?=")|\A{user}\Z'
    return rf"(?<![{ID_CHARACTERS}]){re.escape(user)}(?![{ID_CHARACTERS}])"


def holds(text: Column, user: str) -> Column:
    """Does a string hold the user? Null: no."""
    return F.coalesce(text.rlike(pattern(user)), F.lit(False))


def row_holds(rows: DataFrame, user: str) -> Column:
    """Does any string of a row hold the user, at any depth?"""
    return holds(F.to_json(F.struct("*")), user)


def records_of(bronze: DataFrame, user: str) -> DataFrame:
    """The records that hold a user.

    Args:
        bronze: rows of bronze.events.
        user: the id.

    Returns:
        topic, partition, offset, and anothers: true if the record has a key that is not the id.
    """
    in_headers = F.exists(
        F.coalesce("headers", F.array().cast(bronze.schema["headers"].dataType)),
        lambda h: holds(h["key"], user) | holds(_text(h["value"]), user),
    )
    anothers = F.coalesce(_text(F.col("key")) != user, F.lit(False))
    held = holds(_text(F.col("key")), user) | holds(_text(F.col("value")), user) | in_headers
    return bronze.where(held).select(*PLACE, anothers.alias("anothers"))


def ends_of(records: DataFrame, outputs: Mapping[str, DataFrame]) -> DataFrame:
    """At which end one generation counts records.

    Args:
        records: topic, partition, offset.
        outputs: the tables of silver by name, and silver.quarantine.

    Returns:
        table_name, the output that holds the record, null of a duplicate; detail, as the ledger
        names the end: `silver/<family>`, `quarantine/<reason>`, `duplicate`; rows, how many.
    """
    held = reduce(DataFrame.unionAll, (_held(*output) for output in outputs.items()))
    ended = records.select(*PLACE).join(held, [*PLACE], "left")
    detail = F.coalesce("detail", F.lit(DUPLICATE)).alias("detail")
    return ended.groupBy("table_name", detail).agg(F.count(F.lit(1)).alias("rows"))


def _held(table: str, rows: DataFrame) -> DataFrame:
    named = F.lit(table.replace("silver.", "silver/"))
    detail = F.concat(F.lit("quarantine/"), "reason") if table == QUARANTINE else named
    return rows.select(*PLACE, F.lit(table).alias("table_name"), detail.alias("detail"))


def _text(value: Column) -> Column:
    """Bytes as a string in which each byte is a character: ids are ASCII."""
    return F.decode(value, "ISO-8859-1")
