"""gold.user_profile: the fold of a user's profile events, as of any instant.

docs/semantics.md, Profile, declared as folds by user, by viewing and by rated title, and put
together to one row a user when read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from transforms.gold.fold import Fold, count, evaluate, every, greatest, latest, least, total
from transforms.silver.deduplication import ARRIVAL_ORDER, deduplicate
from transforms.silver.families.profiles import ERASURE, PREFERENCES, PREFERENCES_STRUCT

PROFILE_SOURCES = ("silver.profiles", "silver.ratings")

VIEW = "event_type = 'ContentViewed'"
RATING = "half_stars IS NOT NULL"

USER = Fold(
    name="profile_user",
    key={"user_id": "STRING"},
    where="true",
    statistics={
        "events": count("true"),
        "last_event": latest({"event_type": "STRING"}, where="true"),
        **{name: latest({name: ddl}, f"{name} IS NOT NULL") for name, ddl in PREFERENCES.items()},
    },
)
VIEWING = Fold(
    name="profile_viewing",
    key={"user_id": "STRING", "title_id": "STRING", "session_id": "STRING"},
    where=VIEW,
    statistics={
        "views": count(VIEW),
        "watch_s": total("watch_s"),
        "furthest_position_s": greatest("position_s", "BIGINT"),
        "completion_percentage": greatest("completion_percentage", "DOUBLE"),
        "first_time": least("event_time", "TIMESTAMP"),
        "last_time": greatest("event_time", "TIMESTAMP"),
    },
)
RATED = {"half_stars": "BIGINT", "previous_half_stars": "BIGINT", "event_type": "STRING"}
RATINGS = Fold(
    name="profile_ratings",
    key={"user_id": "STRING", "title_id": "STRING"},
    where=RATING,
    statistics={"ratings": every(RATED, where=RATING)},
)

_LAST_EVENT = USER.statistics["last_event"].ddl
_HISTORY = {name: ddl for name, ddl in VIEWING.columns.items() if name != "user_id"}
_RATING = {
    "title_id": "STRING",
    "event_time": "TIMESTAMP",
    "event_id": "STRING",
    "half_stars": "BIGINT",
    "disputed": "ARRAY<STRING>",
}


def _struct(fields: Mapping[str, str]) -> str:
    """SQL type of a struct with the given fields."""
    return f"STRUCT<{', '.join(f'{name}: {ddl}' for name, ddl in fields.items())}>"


COLUMNS = {
    "user_id": "STRING",
    "events": "BIGINT",
    "last_event": _LAST_EVENT,
    "preferences": PREFERENCES_STRUCT,
    "history": f"ARRAY<{_struct(_HISTORY)}>",
    "ratings": f"ARRAY<{_struct(_RATING)}>",
}

_POSITIONS = (
    "concat(coalesce(pauses_s, array()), "
    "flatten(transform(coalesce(skips, array()), jump -> array(jump.from, jump.to))))"
)


def _disputes(rated: str, met: str) -> str:
    """SQL condition: a rating disputes the rating that precedes it.

    Args:
        rated: prefix of the rating's columns, such as `rated.`; may be empty.
        met: SQL expression, half stars of the preceding rating; null for none.
    """
    return f"{rated}event_type = 'ContentRated' AND NOT {rated}previous_half_stars <=> {met}"


def profile_events(silver: Mapping[str, DataFrame], *, one_task: bool = False) -> DataFrame:
    """The events of profiles, deduplicated by user and event_id.

    Args:
        silver: tables of PROFILE_SOURCES by name, of all users or of some.
        one_task: whether they are few enough for one task, which is faster than an exchange.

    Returns:
        event_id, event_type, event_time, topic, partition, offset, kafka_timestamp, user_id,
        title_id; session_id, watch_s, position_s (seconds) and completion_percentage of views; the
        fields of PREFERENCES; half_stars and previous_half_stars of ratings. Columns that an event
        lacks are null.
    """
    heading = ("event_id", "event_type", "event_time", *ARRIVAL_ORDER, "user_id", "title_id")
    stored = silver["silver.profiles"].where(F.col("event_type") != ERASURE)
    changed = stored.selectExpr(
        *heading,
        "session_id",
        "watch_s",
        f"array_max({_POSITIONS}) AS position_s",
        "completion_percentage + 0.0D AS completion_percentage",  # one zero: -0.0 becomes 0.0
        *(f"preferences.{name} AS {name}" for name in PREFERENCES),
    )
    rated = silver["silver.ratings"].selectExpr(*heading, "half_stars", "previous_half_stars")
    events = changed.unionByName(rated, allowMissingColumns=True)
    # one exchange, or none, serves deduplication, every fold and the joins of folds
    placed = events.coalesce(1) if one_task else events.repartition("user_id")
    return deduplicate(placed, "user_id")


def profiles(events: DataFrame, as_of: datetime | None = None) -> DataFrame:
    """Fold profile events to profiles.

    Args:
        events: `profile_events`.
        as_of: latest event time to count, an aware datetime; None to count all.

    Returns:
        COLUMNS, one row for each user with an event.
    """
    counted = until(events, as_of)
    history = _listed(evaluate(VIEWING, counted), "history", list(_HISTORY))
    ratings = _listed(_ratings(evaluate(RATINGS, counted)), "ratings", list(_RATING))
    users = (
        evaluate(USER, counted).join(history, "user_id", "left").join(ratings, "user_id", "left")
    )
    preferences = F.struct(*(F.col(f"{name}.{name}").alias(name) for name in PREFERENCES))
    return users.withColumn("preferences", preferences).select(
        *(
            F.coalesce(name, F.array()).alias(name) if name in ("history", "ratings") else name
            for name in COLUMNS
        )
    )


def until(events: DataFrame, as_of: datetime | None) -> DataFrame:
    """The events whose event time is at or before an instant.

    Args:
        events: event_time and any others.
        as_of: the instant, an aware datetime; None for all events.
    """
    return events if as_of is None else events.where(F.col("event_time") <= F.lit(as_of))


def trail(events: DataFrame) -> DataFrame:
    """The change that each event made to its user's profile, at its place in the order.

    Args:
        events: `profile_events`.

    Returns:
        user_id, event_time, event_id, event_type, topic, partition, offset, and one of three
        structs, the others null: preferences, of each field given a struct (from, to); view, the
        view's own fields; rating, a struct (title_id, from, to, previous, disputed) in half stars.
        `from` is null where there was no value.
    """
    by_order = Window.partitionBy("user_id").orderBy("event_time", "event_id")
    of_title = Window.partitionBy("user_id", "title_id", F.expr(RATING)).orderBy(
        "event_time", "event_id"
    )
    before = by_order.rowsBetween(Window.unboundedPreceding, -1)
    changes = (_change(name, F.last(name, ignorenulls=True).over(before)) for name in PREFERENCES)
    view = ("title_id", "session_id", "watch_s", "position_s", "completion_percentage")
    rating = F.struct(
        "title_id",
        F.col("met").alias("from"),
        F.col("half_stars").alias("to"),
        F.col("previous_half_stars").alias("previous"),
        F.expr(_disputes("", "met")).alias("disputed"),
    )
    return events.withColumn("met", F.lag("half_stars").over(of_title)).select(
        *("user_id", "event_time", "event_id", "event_type", "topic", "partition", "offset"),
        F.when(F.expr("event_type = 'UserPreferencesUpdated'"), F.struct(*changes)).alias(
            "preferences"
        ),
        F.when(F.expr(VIEW), F.struct(*view)).alias("view"),
        F.when(F.expr(RATING), rating).alias("rating"),
    )


def differing_profiles(stored: DataFrame, refolded: DataFrame) -> DataFrame:
    """The users whose profiles are not identical, or are on one side only.

    Args:
        stored: COLUMNS, one row a user.
        refolded: COLUMNS, one row a user, of the other side.

    Returns:
        user_id, and the structs `stored` and `refolded` of the other columns, null where that
        side has no row.
    """
    sides = (
        rows.select(
            "user_id", F.struct(*(name for name in COLUMNS if name != "user_id")).alias(side)
        )
        for side, rows in {"stored": stored, "refolded": refolded}.items()
    )
    left, right = sides
    return left.join(right, "user_id", "full_outer").where("NOT stored <=> refolded")


def _ratings(folded: DataFrame) -> DataFrame:
    """The last rating of each user and title, with the event_ids of the disputed ones."""
    last = F.element_at("ratings", -1)
    disputes = _disputes("rated.", met="get(ratings, i - 1).half_stars")
    return folded.select(
        "user_id",
        "title_id",
        *(last[name].alias(name) for name in ("event_time", "event_id", "half_stars")),
        F.expr(
            f"transform(filter(ratings, (rated, i) -> {disputes}), rated -> rated.event_id)"
        ).alias("disputed"),
    )


def _listed(rows: DataFrame, name: str, fields: list[str]) -> DataFrame:
    """One row a user: the list `name` of structs of the fields, sorted."""
    entries = F.collect_list(F.struct(*fields))
    return rows.groupBy("user_id").agg(F.sort_array(entries).alias(name))


def _change(name: str, before: Column) -> Column:
    """The change of one preference by an event.

    Returns:
        Struct (from, to), named as the preference; null where the event does not give it.
    """
    change = F.struct(before.alias("from"), F.col(name).alias("to"))
    return F.when(F.col(name).isNotNull(), change).alias(name)
