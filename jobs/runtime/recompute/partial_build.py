"""A partial build: events in scope are judged again, all others copied from the live generation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER, QUARANTINE
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.pipeline.ledger import Fate
from jobs.runtime.pipeline.progress import BUILD, OUTPUTS, ingested_through
from jobs.runtime.recompute.batch_build import seal
from jobs.runtime.settings import RefineSettings
from jobs.runtime.spark.persistence import materialize
from transforms.events.bronze import PLACE
from transforms.silver.deduplication import ARRIVAL_ORDER, deduplicate, duplicate_places
from transforms.silver.quarantine import quarantine_rows
from transforms.silver.scope import Scope
from transforms.silver.tables import FAMILIES

Keep = Callable[[DataFrame], DataFrame]  # materializes rows for several reads

SILVER = [f"silver.{family}" for family in FAMILIES]


def build_part(
    live: Lake,
    new: Lake,
    judge: Judge,
    settings: RefineSettings,
    bronze_version: int,
    scope: Scope,
) -> int:
    """Fill silver, quarantine and ledger of an empty generation from the live one and a scope.

    Args:
        live: the generation that rows out of scope are copied from; it has read that version of
            bronze.
        new: the empty generation.
        judge: judge of the records in scope.
        settings: share of refused records that is warned of.
        bronze_version: Delta version of bronze.events to build from.
        scope: events to judge again.

    Returns:
        The number of records in that version of bronze.
    """
    new.ensure([*OUTPUTS, LEDGER])
    arrived = new.read(BRONZE, bronze_version).count()
    if new.transaction(LEDGER, BUILD)[1] == bronze_version:
        return arrived
    held = _live_rows(live, bronze_version)
    bronze = new.read(BRONZE, bronze_version).where(_candidates(scope, judge))
    with ExitStack() as until_filled:

        def keep(rows: DataFrame) -> DataFrame:
            """Materialize rows until the build is done."""
            return until_filled.enter_context(materialize(rows))

        again = keep(deduplicate(judge.judge(bronze)))
        for table, rows in _parts(held, again, scope, judge, keep).items():
            if not rows.isEmpty():
                written = rows if table == QUARANTINE else rows.repartition("event_date")
                new.append(table, written, Transaction(BUILD, bronze_version))
    seal(new, arrived, _fates(new), settings, bronze_version)
    return arrived


def _live_rows(live: Lake, bronze_version: int) -> dict[str, DataFrame]:
    """The rows of silver and quarantine that the live generation made of a version of bronze.

    Returns:
        Rows by table, in the declared columns.
    """
    through = ingested_through(live, bronze_version)
    known = F.lit(False) if through is None else F.col("ingest_time") <= F.lit(through)
    return {table: live.read_declared(table).where(known) for table in OUTPUTS}


def _candidates(scope: Scope, judge: Judge) -> Column:
    """Whether a row of bronze could become an event in scope, as a boolean column."""
    types = scope.event_types
    topics = {
        topic
        for contract in judge.registry
        if types is None or contract.event_type in types
        for topic in contract.topics
    }
    return scope.may_hold(sorted(topics), judge.bounds.oldest_event_days)


def _parts(
    held: Mapping[str, DataFrame], again: DataFrame, scope: Scope, judge: Judge, keep: Keep
) -> dict[str, DataFrame]:
    """The rows of all tables: the live ones out of scope, and the judged ones in scope.

    Each set of places and ids is materialized, as several plans read it: otherwise plans would
    contain plans, to the third power of the number of tables.

    Args:
        held: live rows, by table.
        again: judged records without duplicates, of all that could be in scope.
        scope: events to judge again.
        judge: judge of the records in scope.
        keep: function that materializes rows.

    Returns:
        Rows by table of silver and silver.quarantine.
    """
    inside = {table: F.coalesce(scope.holds(held[table]), F.lit(False)) for table in SILVER}
    before = keep(_places(*(held[table].where(inside[table]) for table in SILVER)))
    fresh = {table: _judged_anew(table, again, scope, judge, before) for table in SILVER}
    made = keep(_places(*fresh.values()))
    stays = {
        table: held[table].where(~inside[table]).join(made, PLACE, "left_anti") for table in SILVER
    }
    met = (rows.select("event_id", *ARRIVAL_ORDER) for rows in (*stays.values(), *fresh.values()))
    later = keep(duplicate_places(keep(reduce(DataFrame.unionAll, met))))
    parts = {
        table: stays[table].unionByName(fresh[table]).join(later, PLACE, "left_anti")
        for table in SILVER
    }
    known = held[QUARANTINE]
    refused = (
        quarantine_rows(again).join(before, PLACE, "left_semi").join(known, PLACE, "left_anti")
    )
    parts[QUARANTINE] = known.join(made, PLACE, "left_anti").unionByName(refused)
    return parts


def _judged_anew(
    table: str, again: DataFrame, scope: Scope, judge: Judge, before: DataFrame
) -> DataFrame:
    """A table's rows that are in scope, or whose record was in scope before.

    Args:
        table: name of the silver table.
        again: judged records without duplicates.
        scope: events to judge again.
        judge: judge of the records in scope.
        before: PLACE of the records whose live rows are in scope.
    """
    rows = judge.silver_rows(table.split(".")[1], again)
    marked = rows.join(before.withColumn("_was", F.lit(True)), PLACE, "left")
    return marked.where(scope.holds(rows) | F.col("_was")).select(rows.columns)


def _places(*tables: DataFrame) -> DataFrame:
    """The distinct places (PLACE) of the rows of several tables."""
    return reduce(DataFrame.unionAll, (rows.select(*PLACE) for rows in tables)).distinct()


def _fates(lake: Lake) -> list[Fate]:
    """The number of records by where they ended, counted from the tables themselves."""
    silver = [Fate(family, None, lake.read(f"silver.{family}").count()) for family in FAMILIES]
    reasons = lake.read(QUARANTINE).groupBy("reason").count().collect()
    return [fate for fate in silver if fate.events] + [
        Fate(None, row["reason"], row["count"]) for row in reasons
    ]
