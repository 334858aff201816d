"""Lateness: the events that a watermark, or a lookback, of a given length would have missed.

docs/semantics.md, Lateness. Two measures of each event, and a fold that counts by both.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.gold.fold import Fold, count, greatest, total
from transforms.silver.deduplication import ARRIVAL_ORDER

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
RULES = {"watermark": "behind_us", "lookback": "delay_us"}


def lateness(facts: DataFrame) -> DataFrame:
    """Measure how late each fact came.

    The running maximum over all arrivals is put together from that within a minute of arrival and
    that over the minutes before, so no task has to sort everything.

    Args:
        facts: FACT_COLUMNS and PLACE, a batch DataFrame.

    Returns:
        The columns of `facts`, and in microseconds behind_us bigint, never negative: the greatest
        event time that had arrived, less its own; and delay_us bigint: from event time to arrival,
        negative for an event that arrived before its own time.
    """
    happened = F.unix_micros("event_time")
    placed = facts.withColumn("minute", F.expr(f"unix_micros(kafka_timestamp) div {MINUTE_US}"))
    minutes = placed.groupBy("minute").agg(F.max(happened).alias("newest"))
    sooner = Window.orderBy("minute").rowsBetween(Window.unboundedPreceding, -1)
    earlier = minutes.select("minute", F.max("newest").over(sooner).alias("earlier"))
    by_arrival = Window.partitionBy("minute").orderBy(*ARRIVAL_ORDER)
    within = F.max(happened).over(by_arrival.rowsBetween(Window.unboundedPreceding, -1))
    newest = F.greatest(happened, within, "earlier")  # greatest ignores nulls
    return (
        placed.join(earlier, "minute")
        .withColumns(
            {
                "behind_us": newest - happened,
                "delay_us": F.unix_micros("kafka_timestamp") - happened,
            }
        )
        .select(*facts.columns, *RULES.values())
    )


def late_ledger(delays_s: Iterable[int]) -> Fold:
    """Declare the fold of `lateness` by date: the events that each rule would miss at each delay.

    Args:
        delays_s: lengths of watermark and lookback, in seconds.

    Returns:
        A fold with the statistics events and watch_s (seconds) of the date; behind_us and delay_us,
        the greatest; and for each rule and delay the missed events and watch time (seconds) as
        <rule>_<delay>s_events and <rule>_<delay>s_watch_s.
    """
    missed = {}
    for delay in delays_s:
        for rule, measure in RULES.items():
            is_late = f"{measure} > {delay * SECOND_US}"
            missed[f"{rule}_{delay}s_events"] = count(is_late)
            missed[f"{rule}_{delay}s_watch_s"] = total("watch_s", where=is_late)
    return Fold(
        name="lateness",
        key={"date": "DATE"},
        where="true",
        statistics={
            "events": count("true"),
            "watch_s": total("watch_s"),
            **{measure: greatest(measure, "BIGINT") for measure in RULES.values()},
            **missed,
        },
    )
