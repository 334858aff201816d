"""Features as of an instant: those true of a user just then, or those known by then.

docs/semantics.md, Features as of an instant. A sweep over each user's time: an event **enters** the
windows when it becomes visible and **leaves** each of them its length after it happened, so a
window is the running sum of what entered less what left. Sums of integers are exact in any order,
and one sort by user and time serves all windows of all rows, however many events a user has. Only
sums can be taken out again; the last play and rating are a running merge of what entered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.events.bronze import PLACE
from transforms.gold.facts import facts
from transforms.gold.fold import Fold, latest, lift
from transforms.gold.tables import LAST_PLAY, RATING, USER_DAY, USER_FEATURES, VIEWING
from transforms.silver.deduplication import deduplicate

DAYS = (1, 7, 28)
DAY_US = 86_400_000_000
SPINE = {"user_id": "STRING", "at": "TIMESTAMP"}

WINDOWED = {**VIEWING, "ratings": USER_DAY.statistics["ratings"]}
RATES = {"completion_rate": ("completions", "plays")}
LAST_RATING = {"title_id": "STRING", "half_stars": "BIGINT"}
LAST = {
    "last_play": USER_FEATURES.statistics["last_play"],
    "last_rating": latest(LAST_RATING, where=RATING),
}
LAST_COLUMNS = {
    **{f"last_{of}_time": f"last_{of}.event_time" for of in ("play", "rating")},
    **{f"last_play_{name}": f"last_play.{name}" for name in LAST_PLAY},
    **{f"last_rating_{name}": f"last_rating.{name}" for name in LAST_RATING},
    "last_play_hour": "hour(last_play.event_time)",
    "last_play_genre": "IF(entry.removed, NULL, get(entry.genres, 0))",
}
AS_OF = Fold("as_of", {"user_id": "STRING"}, USER_DAY.where, {**WINDOWED, **LAST})


def features(days: Sequence[int] = DAYS) -> list[str]:
    """Names of the features.

    Args:
        days: lengths of the windows, in days of 24 hours.

    Returns:
        <statistic>_<days>d for each window, and last_<play or rating>_<column>.
    """
    return [*(f"{name}_{d}d" for d in days for name in (*WINDOWED, *RATES)), *LAST_COLUMNS]


def feature_events(silver: Mapping[str, DataFrame]) -> DataFrame:
    """The facts behind the features, deduplicated by user and event_id.

    Args:
        silver: tables of FACT_SOURCES by name.

    Returns:
        FACT_COLUMNS and PLACE of the first copy of each event by arrival order.
    """
    return deduplicate(facts(silver, *PLACE).repartition("user_id"), "user_id")


def features_as_of(
    spine: DataFrame,
    events: DataFrame,
    catalog: DataFrame,
    *,
    days: Sequence[int] = DAYS,
    known: bool = False,
) -> DataFrame:
    """Add to each row of a spine the features of its user at its instant.

    Args:
        spine: SPINE, neither null, and any other columns; rows may repeat.
        events: `feature_events`.
        catalog: rows of silver.catalog, a batch DataFrame.
        days: lengths of the windows, in days of 24 hours.
        known: whether to leave out events and changes that had not arrived by then.

    Returns:
        The columns of the spine and `features(days)`. Without events, counts and sums are 0, rates
        and the columns of the last play and rating are null.
    """
    asked = spine.repartition("user_id").select(
        *("user_id", F.unix_micros("at").alias("t"), F.lit(0).alias("is_step")),
        F.struct("*").alias("row"),
    )
    steps = _steps(events, days, known).unionByName(asked, allowMissingColumns=True)
    # at the same microsecond the row comes first: what happens just then is not before it
    by_time = Window.partitionBy("user_id").orderBy("t", "is_step")
    until = by_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    running = (F.expr(sql).over(until).alias(name) for name, sql in _running(days).items())
    swept = steps.select("is_step", "row", *running).where("is_step = 0")
    return _with_entry(swept, catalog, known).selectExpr(
        "row.*",
        *(f"{sql} AS {name}" for name, sql in _read(days).items()),
    )


def _steps(events: DataFrame, days: Sequence[int], known: bool) -> DataFrame:
    """The steps by which events change the windows.

    in_<days>d is 1 where the event enters the window, -1 where it leaves it, 0 where it does
    neither: an event that arrives when it would have left never enters.

    Args:
        events: `feature_events`.
        days: lengths of the windows, in days.
        known: whether events enter no earlier than they arrive.

    Returns:
        user_id, t bigint (microseconds), is_step int (1), the statistics, and in_<days>d int.
    """
    happened = "unix_micros(event_time)"
    seen = f"greatest({happened}, unix_micros(kafka_timestamp))" if known else happened
    leaves = {d: f"{happened} + {d * DAY_US}L" for d in days}
    enters = {d: f"IF({seen} < {left}, 1, 0)" for d, left in leaves.items()}
    steps = [_step(seen, enters, is_entry=True)]
    steps += [
        _step(left, {**dict.fromkeys(days, "0"), d: f"-{enters[d]}"}, is_entry=False)
        for d, left in leaves.items()
    ]
    return (
        lift(AS_OF, events, "event_time", "kafka_timestamp")
        .selectExpr("user_id", *WINDOWED, *LAST, f"inline(array({', '.join(steps)}))")
        .withColumns({name: F.when(F.col("is_entry"), F.col(name)) for name in LAST})
        .drop("is_entry")
        .withColumn("is_step", F.lit(1))
    )


def _step(t: str, signs: Mapping[int, str], *, is_entry: bool) -> str:
    """SQL of one step: a struct of t, is_entry and in_<days>d.

    Args:
        t: SQL of the instant, in microseconds.
        signs: SQL of in_<days>d, by days.
        is_entry: whether the event enters windows at this step.
    """
    within = "".join(f", 'in_{d}d', {sign}" for d, sign in signs.items())
    return f"named_struct('t', {t}, 'is_entry', {is_entry}{within})"


def _running(days: Sequence[int]) -> dict[str, str]:
    """SQL aggregates over the steps up to a row of the spine, by name."""
    windows = {
        f"{name}_{d}d": stat.merge.format(f"{name} * in_{d}d")
        for d in days
        for name, stat in WINDOWED.items()
    }
    return {**windows, **{name: stat.merge.format(name) for name, stat in LAST.items()}}


def _read(days: Sequence[int]) -> dict[str, str]:
    """SQL of the features over the running aggregates, by name."""
    counts = {f"{name}_{d}d": f"coalesce({name}_{d}d, 0L)" for d in days for name in WINDOWED}
    rates = {
        f"{name}_{d}d": f"try_divide({part}_{d}d, {whole}_{d}d)"
        for d in days
        for name, (part, whole) in RATES.items()
    }
    told = {**counts, **rates, **LAST_COLUMNS}
    return {name: told[name] for name in features(days)}


def _with_entry(rows: DataFrame, catalog: DataFrame, known: bool) -> DataFrame:
    """Add `entry`, the last change of the title of the last play by the time of that play.

    Args:
        rows: rows with last_play, and the row of the spine as the struct `row`.
        catalog: rows of silver.catalog, a batch DataFrame.
        known: whether to leave out changes that had not arrived by the instant of the row.

    Returns:
        The columns of `rows` and entry, a struct; null without such a change.
    """
    change = ("event_time", "event_id", "kafka_timestamp", "removed", "genres")
    changes = (
        deduplicate(catalog)
        .groupBy(F.col("title_id").alias("entry_of"))
        .agg(F.sort_array(F.collect_list(F.struct(*change))).alias("changes"))
    )
    told = "c.event_time <= last_play.event_time"
    if known:
        told += " AND c.kafka_timestamp < row.at"
    same_title = F.col("last_play.title_id") == F.col("entry_of")
    entry = F.expr(f"try_element_at(filter(changes, c -> {told}), -1)")
    return rows.join(F.broadcast(changes), same_title, "left").withColumn("entry", entry)
