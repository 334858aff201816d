"""Parity: whether two builds of a gold table are the same, bit by bit, and the causes if not.

A difference of rows has a cause when two things are shown. Each side's row is the fold of the
side's own events, so only events can be behind the difference; and every event on which the
sides disagree has a cause, with evidence. Anything else is unexplained.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.events.bronze import PLACE
from transforms.gold.facts import FACT_COLUMNS
from transforms.gold.fold import Fold, evaluate, lift

IN_FLIGHT = "in_flight"
LATE_DUPLICATE = "late_duplicate"
CONTRACT_CHANGED = "contract_changed"
QUARANTINE_RELEASED = "quarantine_released"
ERASED = "erased"
CODE_CHANGED = "code_changed"
UNEXPLAINED = "unexplained"

EVIDENCE = (*PLACE, "ingest_time", "refined_by")
CONTENT = [name for name in FACT_COLUMNS if name != "kafka_timestamp"]
SECONDS_AN_HOUR = 3600


@dataclass(frozen=True)
class Side:
    """The content of one build.

    Attributes:
        facts: facts behind its gold, with EVIDENCE.
        holdings: records of silver and quarantine as they are now: PLACE, event_id, held_in (the
            table) and held_by (refined_by, or judged_by of a rejected record).
        read_through: greatest ingest time up to which refine has read every record; None if it has
            read none.
    """

    facts: DataFrame
    holdings: DataFrame
    read_through: datetime | None


@dataclass(frozen=True)
class History:
    """The evidence that bronze gives.

    Attributes:
        bronze: bronze.events now; PLACE at least.
        erasing: whether rows have ever been deleted from it.
        horizon_h: duplicate horizon of the stream, in hours.
    """

    bronze: DataFrame
    erasing: bool
    horizon_h: int


def differences(fold: Fold, old: DataFrame, new: DataFrame) -> DataFrame:
    """The keys whose rows are not identical, from a full outer join on the key.

    Args:
        fold: declaration of the table.
        old: `fold.columns`, one row a key.
        new: `fold.columns`, one row a key, of the other side.

    Returns:
        The key's columns, and the structs `old` and `new` of the statistics, null where that side
        has no row.
    """
    left, right = _packed(fold, old, "old"), _packed(fold, new, "new")
    both = left.join(right, list(fold.key), "full_outer")
    return both.where(~F.col("old").eqNullSafe(F.col("new"))).select(*fold.key, "old", "new")


def event_differences(old: Side, new: Side, history: History) -> DataFrame:
    """The facts on which two sides disagree, each with its causes.

    - in_flight: one side has not read the record yet, or read but not folded it;
    - late_duplicate: one side holds copies of the event that came further apart than the
      duplicate horizon, or the sides took different copies;
    - contract_changed, code_changed: the sides judged or mapped the record differently, under
      different contracts or time bounds, or by different code;
    - quarantine_released: likewise, and the old side had quarantined the record;
    - erased: the record was deleted from bronze;
    - unexplained: none of these can be shown.

    Args:
        old: the side that is compared.
        new: the side that it is compared with.
        history: evidence from bronze.

    Returns:
        FACT_COLUMNS of each side's version of the event, and causes, an array of strings.
    """
    found = _disagreements(old.facts, new.facts)
    place = F.coalesce(F.get("new", F.lit(0)), F.get("old", F.lit(0)))
    placed = found.select("*", *(place[name].alias(name) for name in PLACE))
    witnessed = _with_holding(_with_holding(placed, old, "held_old"), new, "held_new")
    in_bronze = history.bronze.select(*PLACE, F.lit(True).alias("in_bronze")).distinct()
    judged = (
        witnessed.join(in_bronze, [*PLACE], "left")
        .withColumn("causes", _causes(old, new, history))
        .select("causes", F.explode(F.concat("old", "new")).alias("event"))
    )
    return judged.select(*(F.col("event")[name].alias(name) for name in FACT_COLUMNS), "causes")


def explain_differences(
    fold: Fold, differing: DataFrame, events: DataFrame, old: Side, new: Side, *, refolded: bool
) -> DataFrame:
    """Add the cause of each difference.

    Args:
        fold: declaration of the table.
        differing: rows of `differences`.
        events: rows of `event_differences`.
        old: the side of the struct `old`.
        new: the side of the struct `new`.
        refolded: whether the sides were folded by different declarations or code.

    Returns:
        The columns of `differing`, and cause string: several causes are sorted and joined by +.
    """
    key = list(fold.key)
    behind = (
        lift(fold, events, "causes")
        .groupBy(*key)
        .agg(F.flatten(F.collect_set("causes")).alias("c"))
    )
    keys = differing.select(*key)
    result = differing.join(behind, key, "left").withColumn("causes", F.coalesce("c", _none()))
    for name, side in (("old", old), ("new", new)):
        result = result.join(_own(fold, name, side, keys), key, "left")
    unfolded = ~_same("old", "own_old") | ~_same("new", "own_new")
    folding = F.when(unfolded, F.array(F.lit(CODE_CHANGED if refolded else UNEXPLAINED)))
    causes = F.array_distinct(F.concat("causes", F.coalesce(folding, F.array())))
    named = (F.size(causes) > 0) & ~F.array_contains(causes, UNEXPLAINED)
    told = F.when(named, F.array_join(F.sort_array(causes), "+")).otherwise(UNEXPLAINED)
    return result.select(*key, "old", "new", told.alias("cause"))


def _disagreements(old: DataFrame, new: DataFrame) -> DataFrame:
    """Collect the facts of the events whose content differs between the sides.

    Returns:
        event_id, and the arrays `old` and `new` of its facts, sorted by ingest time; empty where
        that side has none.
    """
    both = _told(old, "told_old").join(_told(new, "told_new"), "event_id", "full_outer")
    ids = both.where(~_same("told_old", "told_new")).select("event_id")
    return (
        _listed(old, ids, "old")
        .join(_listed(new, ids, "new"), "event_id", "full_outer")
        .select("event_id", *(F.coalesce(name, F.array()).alias(name) for name in ("old", "new")))
    )


def _told(facts: DataFrame, name: str) -> DataFrame:
    """event_id, and a struct named `name` that digests the content of its facts."""
    content = F.xxhash64(F.to_json(F.struct(*CONTENT)))
    return facts.groupBy("event_id").agg(
        F.struct(F.count(F.lit(1)), F.bit_xor(content), F.max(content)).alias(name)
    )


def _listed(facts: DataFrame, ids: DataFrame, name: str) -> DataFrame:
    """event_id of `ids`, and an array named `name` of its facts, sorted by ingest time."""
    fact = F.struct("ingest_time", *PLACE, "refined_by", *FACT_COLUMNS)
    own = facts.join(ids, "event_id", "left_semi")
    return own.groupBy("event_id").agg(F.sort_array(F.collect_list(fact)).alias(name))


def _with_holding(rows: DataFrame, side: Side, name: str) -> DataFrame:
    """Add the struct (event_id, held_in, held_by) of a side's record at each row's place.

    Args:
        rows: PLACE and any others.
        side: the side.
        name: name of the struct; it is null where the side does not hold the record.
    """
    held = F.struct("event_id", "held_in", "held_by")
    holdings = side.holdings.groupBy(*PLACE).agg(F.first(held).alias(name))
    return rows.join(holdings, [*PLACE], "left")


def _causes(old: Side, new: Side, history: History) -> Column:
    """Causes of an event's difference, an array of strings."""
    missing_new = _missing("old", new, F.col("held_new"), _moved("old", "held_new"))
    gone = F.lit(history.erasing) & F.col("in_bronze").isNull()
    return F.flatten(
        F.array(
            *(_doubled(name, history.horizon_h) for name in ("old", "new")),
            F.when(F.size("old") == 0, _missing("new", old, F.col("held_old"), _released()))
            .when((F.size("new") == 0) & gone, _only(ERASED))
            .when(F.size("new") == 0, missing_new)
            .otherwise(_altered()),
        )
    )


def _doubled(name: str, horizon_h: int) -> Column:
    """Causes of a side's holding an event more than once.

    Returns:
        Array of one cause; empty if the side holds it once or not at all.
    """
    copies = F.col(name)
    places = F.array_distinct(F.transform(copies, lambda c: F.struct(*(c[n] for n in PLACE))))
    times = F.transform(copies, lambda c: F.unix_seconds(c["ingest_time"]))
    apart = F.array_max(times) - F.array_min(times) >= horizon_h * SECONDS_AN_HOUR
    late = (F.size(places) == F.size(copies)) & apart
    several = F.when(late, _only(LATE_DUPLICATE)).otherwise(_only(UNEXPLAINED))
    return F.when(F.size(copies) > 1, several).otherwise(_none())


def _missing(other: str, side: Side, held: Column, moved: Column) -> Column:
    """Causes of an event's absence from the facts of a side.

    Args:
        other: name of the other side's array of facts.
        side: the side that lacks the event.
        held: struct from `_with_holding` of that side.
        moved: causes if the side holds the record, but not as this event.
    """
    event = F.get(other, F.lit(0))
    unread = (
        F.lit(True)
        if side.read_through is None
        else event["ingest_time"] > F.lit(side.read_through)
    )
    unfolded = (held["held_by"].eqNullSafe(event["refined_by"])) & (
        held["event_id"] == event["event_id"]
    )
    return (
        F.when(held.isNull() & unread, _only(IN_FLIGHT))
        .when(held.isNull(), _only(UNEXPLAINED))
        .when(unfolded, _only(IN_FLIGHT))
        .otherwise(moved)
    )


def _released() -> Column:
    """Causes of a new event whose record the old side holds otherwise."""
    changed = _changed(F.col("held_old")["held_by"], F.get("new", F.lit(0))["refined_by"])
    quarantined = F.col("held_old")["held_in"] == "silver.quarantine"
    return F.when(
        quarantined & ~F.array_contains(changed, UNEXPLAINED), _only(QUARANTINE_RELEASED)
    ).otherwise(changed)


def _moved(before: str, after: str) -> Column:
    """Causes of a lost event whose record the side `after` holds otherwise."""
    return _changed(F.get(before, F.lit(0))["refined_by"], F.col(after)["held_by"])


def _altered() -> Column:
    """Causes of different content of an event that both sides have.

    Returns:
        Array of causes; empty if the content is the same.
    """
    before, after = F.get("old", F.lit(0)), F.get("new", F.lit(0))
    same_place = reduce(and_, (before[name].eqNullSafe(after[name]) for name in PLACE))
    changed = _changed(before["refined_by"], after["refined_by"])
    content = [before[name].eqNullSafe(after[name]) for name in CONTENT]
    return (
        F.when(reduce(and_, content), _none())
        .when(~same_place, _only(LATE_DUPLICATE))
        .otherwise(changed)
    )


def _changed(before: Column, after: Column) -> Column:
    """Causes by the differences of two signatures: contracts and bounds, the judge, the mapping.

    Args:
        before: string, refined_by or judged_by on the old side.
        after: string, the same on the new side.

    Returns:
        Array of CONTRACT_CHANGED and CODE_CHANGED as they apply, or of UNEXPLAINED.
    """
    old, new = F.split(before, r"\."), F.split(after, r"\.")
    contracts = F.get(old, F.lit(0)) != F.get(new, F.lit(0))
    judge = F.get(old, F.lit(1)) != F.get(new, F.lit(1))
    mapping = F.coalesce(F.get(old, F.lit(2)) != F.get(new, F.lit(2)), F.lit(False))
    unsigned = before.isNull() | after.isNull()  # written before rows were signed
    code = unsigned | judge | mapping
    return (
        F.when(unsigned, _only(CODE_CHANGED))
        .when(contracts & code, F.array(F.lit(CODE_CHANGED), F.lit(CONTRACT_CHANGED)))
        .when(contracts, _only(CONTRACT_CHANGED))
        .when(code, _only(CODE_CHANGED))
        .otherwise(_only(UNEXPLAINED))
    )


def _own(fold: Fold, name: str, side: Side, keys: DataFrame) -> DataFrame:
    """The fold of the side's own facts for each key, as the struct `own_<name>`."""
    behind = side.facts.where(fold.where).join(F.broadcast(keys), list(fold.key), "left_semi")
    return _packed(fold, evaluate(fold, behind), f"own_{name}")


def _same(left: str, right: str) -> Column:
    """Whether two columns are equal, nulls included."""
    return F.col(left).eqNullSafe(F.col(right))


def _only(cause: str) -> Column:
    """Array of one cause."""
    return F.array(F.lit(cause))


def _none() -> Column:
    """Empty array of causes."""
    return F.array().cast("array<string>")


def _packed(fold: Fold, rows: DataFrame, name: str) -> DataFrame:
    """The key's columns, and a struct named `name` of the statistics."""
    return rows.select(*fold.key, F.struct(*fold.statistics).alias(name))
