"""Parity: each cause is named by its evidence, and nothing is named without."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, SparkSession

from tests.support.facts import SCHEMA, fact
from transforms.gold.facts import FACT_COLUMNS
from transforms.gold.fold import evaluate
from transforms.gold.parity import (
    EVIDENCE,
    History,
    Side,
    differences,
    event_differences,
    explain_differences,
)
from transforms.gold.tables import USER_DAY

READ = datetime(2026, 11, 2, tzinfo=UTC)
HORIZON_H = 24
PLACES = 10  # offsets of each case
GONE = 9  # the one that bronze no longer holds
SIGNED = "contracts.judge.mapping"
WITH_EVIDENCE = (
    f"{SCHEMA}, topic STRING, partition INT, offset BIGINT, ingest_time TIMESTAMP, "
    "refined_by STRING"
)
HELD = "topic STRING, partition INT, offset BIGINT, event_id STRING, held_in STRING, held_by STRING"

Event = dict[str, Any]


def event(event_id: str, offset: int, **given: Any) -> Event:
    """A play, read and refined on a side."""
    placed = {"topic": "t", "partition": 0, "offset": offset, "refined_by": SIGNED}
    return {**fact(event_id), **placed, "ingest_time": READ - timedelta(hours=1), **given}


def side(spark: SparkSession, events: list[Event], held: list[Event] | None = None) -> Side:
    """A side with these events behind its gold, and `held` in silver or quarantine besides."""
    columns = [*FACT_COLUMNS, *EVIDENCE]
    rows = [tuple(e.get(name) for name in columns) for e in events]
    places = [
        (e["topic"], 0, e["offset"], e["event_id"], e.get("held_in", "silver.playback"),
         e["refined_by"])
        for e in [*events, *(held or [])]
    ]  # fmt: skip
    facts = spark.createDataFrame(rows, WITH_EVIDENCE)
    return Side(facts, spark.createDataFrame(places, HELD), READ)


def told(
    old: Side,
    new: Side,
    *,
    gone: tuple[int, ...] = (),
    erasing: bool = False,
    refolded: bool = False,
    gold: DataFrame | None = None,
) -> dict[str, str]:
    """The causes of the rows of gold.user_day that differ, by user.

    Args:
        old: the old side.
        new: the new side.
        gone: offsets that bronze no longer holds.
        erasing: was anything ever deleted from bronze?
        refolded: was the fold declared otherwise on the old side?
        gold: the old side's table; by default that of its facts.
    """
    spark = old.facts.sparkSession
    offsets = [("t", 0, offset) for offset in range(1000) if offset not in gone]
    places = spark.createDataFrame(offsets, "topic STRING, partition INT, offset BIGINT")
    history = History(places, erasing, HORIZON_H)
    before = evaluate(USER_DAY, old.facts) if gold is None else gold
    found = differences(USER_DAY, before, evaluate(USER_DAY, new.facts)).persist()
    events = event_differences(old, new, history).persist()
    rows = explain_differences(USER_DAY, found, events, old, new, refolded=refolded)
    return {row["user_id"]: row["cause"] for row in rows.collect()}


LATE = READ + timedelta(seconds=1)
QUARANTINED = {"held_in": "silver.quarantine"}


class Case(NamedTuple):
    """What two sides hold of one user: events behind gold, and records held elsewhere."""

    cause: str | None
    old: Sequence[Event] = ()
    new: Sequence[Event] = ()
    held_old: Sequence[Event] = ()
    held_new: Sequence[Event] = ()


CASES = {
    "equal": Case(None, [event("a", 0)], [event("a", 0)]),
    "not read yet": Case("in_flight", new=[event("a", 0, ingest_time=LATE)]),
    "not folded yet": Case("in_flight", new=[event("a", 0)], held_old=[event("a", 0)]),
    "read earlier": Case("in_flight", [event("a", 0, ingest_time=LATE)]),
    "lost by the old side": Case("unexplained", new=[event("a", 0)]),
    "lost by the new side": Case("unexplained", [event("a", 0)]),
    "copy beyond the horizon": Case(
        "late_duplicate",
        [event("a", 0), event("a", 1, ingest_time=READ - timedelta(hours=25))],
        [event("a", 0)],
    ),
    "copy within the horizon": Case("unexplained", [event("a", 0), event("a", 1)], [event("a", 0)]),
    "one record twice": Case("unexplained", [event("a", 0), event("a", 0)], [event("a", 0)]),
    "another copy taken": Case("late_duplicate", [event("a", 1, source="browse")], [event("a", 0)]),
    "released": Case(
        "quarantine_released",
        new=[event("a", 0)],
        held_old=[event("rejected/a", 0, refined_by="before.judge", **QUARANTINED)],
    ),
    "released though nothing changed": Case(
        "unexplained",
        new=[event("a", 0)],
        held_old=[event("rejected/a", 0, refined_by="contracts.judge", **QUARANTINED)],
    ),
    "refused by a new contract": Case(
        "contract_changed",
        [event("a", 0)],
        held_new=[event("rejected/a", 0, refined_by="after.judge", **QUARANTINED)],
    ),
    "another contract, another content": Case(
        "contract_changed",
        [event("a", 0, source="browse", refined_by="before.judge.mapping")],
        [event("a", 0)],
    ),
    "another mapping, another content": Case(
        "code_changed",
        [event("a", 0, source="browse", refined_by="contracts.judge.before")],
        [event("a", 0)],
    ),
    "refined before rows were signed": Case(
        "code_changed", [event("a", 0, source="browse", refined_by=None)], [event("a", 0)]
    ),
    "another content of the same making": Case(
        "unexplained", [event("a", 0, source="browse")], [event("a", 0)]
    ),
    "a cause does not cover another difference": Case(
        "unexplained",
        [event("a", 0, source="browse"), event("b", 1, ingest_time=LATE)],
        [event("a", 0)],
    ),
    "erased": Case("erased", [event("a", 0), event("b", GONE)], [event("a", 0)]),
}


def of_user(user: str, number: int, events: Sequence[Event]) -> list[Event]:
    """The events as those of one user, at places of the user's own."""
    return [
        {
            **one,
            "user_id": user,
            "event_id": f"{one['event_id']} of {number}",
            "offset": number * PLACES + one["offset"],
        }
        for one in events
    ]


def both_sides(spark: SparkSession) -> tuple[Side, Side]:
    """The cases side by side, a user each."""
    held: dict[str, list[Event]] = {name: [] for name in Case._fields[1:]}
    for number, (user, case) in enumerate(CASES.items()):
        for name, events in held.items():
            events += of_user(user, number, getattr(case, name))
    return side(spark, held["old"], held["held_old"]), side(spark, held["new"], held["held_new"])


def test_a_cause_needs_its_evidence(spark: SparkSession) -> None:
    gone = tuple(number * PLACES + GONE for number in range(len(CASES)))
    expected = {user: case.cause for user, case in CASES.items() if case.cause}
    assert told(*both_sides(spark), gone=gone, erasing=True) == expected


def test_a_record_lost_by_a_bronze_that_was_never_deleted_from_is_unexplained(
    spark: SparkSession,
) -> None:
    old, new = side(spark, [event("a", 0), event("b", 1)]), side(spark, [event("a", 0)])
    assert told(old, new, gone=(1,)) == {"u1": "unexplained"}


def test_gold_that_is_not_the_fold_of_its_events_is_a_change_of_code_or_unexplained(
    spark: SparkSession,
) -> None:
    same = side(spark, [event("a", 0), event("b", 1)])
    wrong = evaluate(USER_DAY, same.facts.where("event_id = 'a'"))
    assert told(same, same, gold=wrong) == {"u1": "unexplained"}
    assert told(same, same, gold=wrong, refolded=True) == {"u1": "code_changed"}
