"""The temporal split: what was known at a cut in time, and the hold-out that came after it."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.gold.fold import evaluate
from transforms.gold.tables import USER_TITLE
from transforms.recommendations.histories import Reading, weighted_histories


@dataclass(frozen=True, eq=False)
class Past:
    """What was known at an instant.

    Attributes:
        user_title: rows of gold.user_title, by the events until then.
        facts: events until then, as folds read them.
        as_of_s: instant, in seconds since the epoch, UTC.
    """

    user_title: DataFrame
    facts: DataFrame
    as_of_s: int


def first_meeting_quantile(share: float) -> Column:
    """When `share` of the first meetings of users with titles had happened.

    Returns:
        An aggregate over rows of gold.user_title, in microseconds since the epoch, UTC.
    """
    return F.expr(f"percentile_disc({share}) WITHIN GROUP (ORDER BY unix_micros(first_time))")


def cut_after(micros: int) -> int:
    """The first whole second after an instant, both since the epoch, UTC."""
    return micros // 1_000_000 + 1


def past_before(present: Past, cut_s: int) -> Past:
    """What was known before a cut: gold.user_title is folded anew from the events until then.

    Args:
        present: what is known now.
        cut_s: instant of the cut, in seconds since the epoch, UTC.
    """
    until = present.facts.where(F.unix_seconds("event_time") < cut_s)
    return Past(evaluate(USER_TITLE, until), until, cut_s)


def hold_out(present: Past, past: Past, reading: Reading) -> DataFrame:
    """The users who met a title after a cut, with the history that they had at it.

    Args:
        present: what is known now, the future of the cut included.
        past: what was known at the cut.
        reading: how histories are read.

    Returns:
        user_id; relevant, the titles met after the cut; titles, weights and sitting, the history at
        the cut, all empty for a user who is new.
    """
    later = present.user_title.where(F.unix_seconds("first_time") >= past.as_of_s)
    relevant = later.groupBy("user_id").agg(F.collect_list("title_id").alias("relevant"))
    history = weighted_histories(past.user_title, reading, as_of_s=past.as_of_s)
    numbers = dict.fromkeys(("weights", "sitting"), "array<bigint>")
    nothing = {"titles": "array<string>", **numbers}
    or_empty = {
        name: F.coalesce(name, F.array().cast(ddl)).alias(name) for name, ddl in nothing.items()
    }
    joined = relevant.join(history, "user_id", "left")
    return joined.select("user_id", "relevant", *or_empty.values())
