"""A profile is the fold of its events: in any order, with any repeats, as of any instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from chispa import assert_df_equality
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.settings import load_settings
from tests.oracles.profiles import Event, profiles_of
from tests.oracles.strict_json import EPOCH, micros
from tests.support.profile_events import delivered, event, prefer, rate, submit, view
from tests.support.shapes import bronze_of, plain_rows
from tests.support.strategies import PROFILES, arrived
from transforms.events.judge import TimeBounds, judge
from transforms.gold.fold import evaluate, merge
from transforms.gold.profile import (
    COLUMNS,
    PROFILE_SOURCES,
    RATINGS,
    USER,
    VIEWING,
    differing_profiles,
    profile_events,
    profiles,
    trail,
)
from transforms.silver.families.profiles import PREFERENCES
from transforms.silver.tables import FAMILIES, silver_of

REGISTRY = load_registry()
REFINE = load_settings(environment={}).refine
BOUNDS = TimeBounds(REFINE.future_tolerance_s, REFINE.oldest_event_days)
SECOND = 1_000_000

few = settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each example is several Spark jobs
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seconds = st.integers(0, 7200)
stars = st.integers(1, 6).map(lambda half_stars: half_stars / 2)
titles = st.sampled_from(["title_x", "title_y"])
preferences = st.fixed_dictionaries(
    {},
    optional={
        "language": st.sampled_from(["en", "de", "pt-BR"]),
        "autoplay": st.booleans(),
        "favouriteGenres": st.lists(st.sampled_from(["Drama", "Comedy"]), max_size=2),
        "dataSaver": st.booleans(),
    },
)
viewings = st.fixed_dictionaries(
    {"watchDuration": seconds},
    optional={
        "completionPercentage": st.sampled_from([0, -0.0, 0.1, 33.3, 100]),
        "pauseEvents": st.lists(seconds, max_size=2),
        "skipEvents": st.lists(st.fixed_dictionaries({"from": seconds, "to": seconds}), max_size=2),
    },
)
previous = st.one_of(st.just({}), st.none() | stars)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events of two users with distinct ids; few instants, so that order is decided by ids too."""
    numbers = count()

    def one() -> Event:
        heading = (f"e{next(numbers)}", draw(st.sampled_from(["ada", "bob"])))
        at = draw(st.integers(0, 3)) * SECOND
        match draw(st.integers(0, 3)):
            case 0:
                changes = {"preferences": draw(preferences)}
                return event("UserPreferencesUpdated", *heading, at, data=changes)
            case 1:
                session = draw(st.sampled_from([{}, {"sessionId": "s1"}, {"sessionId": "s2"}]))
                viewed = {"contentId": draw(titles), **session, "data": draw(viewings)}
                known = "completionPercentage" in viewed["data"]
                version = draw(st.sampled_from(["1.0", "2.0"])) if known else "2.0"
                return event("ContentViewed", *heading, at, **viewed) | {"version": version}
            case 2:
                claimed = draw(previous)
                claim = {} if claimed == {} else {"previousRating": claimed}
                rated = {"contentId": draw(titles), "data": {"rating": draw(stars), **claim}}
                return event("ContentRated", *heading, at, **rated)
        rated = {"contentInfo": {"titleId": draw(titles)}, "rating": draw(stars), "metadata": {}}
        return event("UserRatingSubmitted", *heading, at, **rated)

    return [one() for _ in range(draw(st.integers(1, 30)))]


def silver_events(spark: SparkSession, arriving: Sequence[Event]) -> DataFrame:
    """The events as they come out of silver when refine recognised no repeat."""
    rows: dict[str, list[dict[str, Any]]] = {"silver.profiles": [], "silver.ratings": []}
    for offset, document in enumerate(arriving):
        rows[silver_table(document)].append({**silver_row(document), **heading(document, offset)})
    return profile_events(
        {table: spark.createDataFrame(found, silver_schema(table)) for table, found in rows.items()}
    )


def silver_schema(table: str) -> str:
    columns = FAMILIES[table.split(".")[1]].columns
    return ", ".join(f"`{name}` {ddl}" for name, ddl in columns.items())


def silver_table(document: Event) -> str:
    is_rating = document["eventType"] in ("ContentRated", "UserRatingSubmitted")
    return "silver.ratings" if is_rating else "silver.profiles"


def heading(document: Event, offset: int) -> dict[str, Any]:
    return {
        "event_id": document["eventId"],
        "event_type": document["eventType"],
        "event_time": datetime.fromisoformat(document["timestamp"]),
        "user_id": document["userId"],
        "topic": PROFILES,
        "partition": 0,
        "offset": offset,
        "kafka_timestamp": EPOCH,
    }


def silver_row(document: Event) -> dict[str, Any]:
    match document:
        case {"eventType": "UserPreferencesUpdated", "data": {"preferences": changed}}:
            return {"preferences": {**dict.fromkeys(PREFERENCES), **changed}}
        case {"eventType": "ContentViewed", "contentId": title, "data": viewed}:
            return {
                "title_id": title,
                "session_id": document.get("sessionId"),
                "watch_s": viewed["watchDuration"],
                "completion_percentage": None
                if "completionPercentage" not in viewed
                else float(viewed["completionPercentage"]),
                "skips": viewed.get("skipEvents"),
                "pauses_s": viewed.get("pauseEvents"),
            }
        case {"eventType": "ContentRated", "contentId": title, "data": rated}:
            before = rated.get("previousRating")
            return {
                "title_id": title,
                "half_stars": int(2 * rated["rating"]),
                "previous_half_stars": None if before is None else int(2 * before),
            }
    title, rating = document["contentInfo"]["titleId"], document["rating"]
    return {"title_id": title, "half_stars": int(2 * rating)}


def judged_events(spark: SparkSession, arriving: Sequence[Event]) -> DataFrame:
    """The events through the judge and the mapping to silver."""
    judged = judge(bronze_of(spark, arrived(delivered(arriving))), REGISTRY, BOUNDS).persist()
    assert judged.where("reason IS NOT NULL").isEmpty(), "the test sent an event refine refuses"
    return profile_events(
        {table: silver_of(table.split(".")[1], judged, REGISTRY) for table in PROFILE_SOURCES}
    )


def by_user(rows: DataFrame) -> dict[str, Any]:
    found = plain_rows(rows)
    users = {row.pop("user_id"): row for row in found}
    assert len(users) == len(found), "a user has two profiles"
    return users


def test_the_columns_are_those_declared(spark: SparkSession) -> None:
    rows = profiles(silver_events(spark, [view("a", 0)]))
    empty = spark.createDataFrame([], ", ".join(f"{n} {ddl}" for n, ddl in COLUMNS.items()))
    assert_df_equality(rows.limit(0), empty, ignore_nullable=True)


def test_the_preferences_are_those_of_the_contract() -> None:
    """silver.profiles holds a column for each preference of the contract, and no other."""
    data = REGISTRY.newest("UserPreferencesUpdated").root.fields["data"]
    assert set(data.fields["preferences"].fields) == set(PREFERENCES)


@few
@given(st.data())
def test_any_order_and_any_repeats_give_the_profile_of_the_oracle(
    spark: SparkSession, data: st.DataObject
) -> None:
    history = data.draw(histories())
    again = data.draw(st.lists(st.sampled_from(history), max_size=10))
    arriving = data.draw(st.permutations(history + again))
    expected = profiles_of(history)
    assert profiles_of(arriving) == expected
    assert by_user(profiles(silver_events(spark, arriving))) == expected


@few
@given(histories())
def test_as_of_any_boundary_is_the_profile_of_the_oracle(
    spark: SparkSession, history: list[Event]
) -> None:
    events = silver_events(spark, history).persist()
    boundaries = sorted({micros(e["timestamp"]) for e in history})
    for instant in (boundaries[0] - 1, *boundaries):
        as_of = EPOCH + timedelta(microseconds=instant)
        assert by_user(profiles(events, as_of)) == profiles_of(history, instant)


@few
@given(histories())
def test_the_folds_of_any_split_merge_to_the_fold_of_everything(
    spark: SparkSession, history: list[Event]
) -> None:
    events = silver_events(spark, history).persist()
    late = events.where("crc32(event_id) % 2 = 0")
    early = events.where("crc32(event_id) % 2 = 1")
    for fold in (USER, VIEWING, RATINGS):
        merged = merge(fold, evaluate(fold, late).unionAll(evaluate(fold, early)))
        assert_df_equality(
            merged, evaluate(fold, events), ignore_row_order=True, ignore_nullable=True
        )


@few
@given(histories())
def test_the_trail_leads_from_nothing_to_the_profile(
    spark: SparkSession, history: list[Event]
) -> None:
    """What the events changed, done one after the other, is the state; each `from` is met."""
    steps = plain_rows(trail(silver_events(spark, history)))
    steps.sort(key=lambda step: (step["user_id"], step["event_time"], step["event_id"]))
    met: dict[tuple[str, str], Any] = {}
    disputed = set()
    for step in steps:
        changes = {k: v for k, v in (step["preferences"] or {}).items() if v is not None}
        if step["rating"] is not None:
            changes[step["rating"]["title_id"]] = step["rating"]
            disputed |= {step["event_id"]} if step["rating"]["disputed"] else set()
        for name, change in changes.items():
            assert change["from"] == met.get((step["user_id"], name))
            met[step["user_id"], name] = change["to"]
    state = {
        **{
            (user, name): value
            for user, profile in profiles_of(history).items()
            for name, value in profile["preferences"].items()
            if value is not None
        },
        **{
            (user, rating["title_id"]): rating["half_stars"]
            for user, profile in profiles_of(history).items()
            for rating in profile["ratings"]
        },
    }
    flagged = {
        event_id
        for profile in profiles_of(history).values()
        for rating in profile["ratings"]
        for event_id in rating["disputed"]
    }
    assert (met, disputed, len(steps)) == (state, flagged, len(history))


def test_events_through_the_judge_are_those_of_the_oracle(spark: SparkSession) -> None:
    history = [
        prefer("a", 1, language="en", autoplay=True),
        view("b", 2, session="s", pauseEvents=[7], skipEvents=[{"from": 9, "to": 3}]),
        rate("c", 3, 4.5),
        submit("d", 4, 3),
        rate("e", 5, 1, previousRating=4.5),
    ]
    assert by_user(profiles(judged_events(spark, history))) == profiles_of(history)


def test_preferences_are_last_writer_wins_field_by_field(spark: SparkSession) -> None:
    history = [
        prefer("b", 5, language="en", autoplay=True),
        prefer("a", 5, language="de", favouriteGenres=[]),
        prefer("c", 1, autoplay=False, favouriteGenres=["Drama"]),
    ]
    [row] = profiles(silver_events(spark, history)).collect()
    assert row.preferences.asDict() == {
        **dict.fromkeys(PREFERENCES),
        "language": "en",
        "autoplay": True,
        "favouriteGenres": [],
    }
    assert (row.events, row.last_event.event_id, row.history, row.ratings) == (3, "b", [], [])


def test_views_merge_by_title_and_session(spark: SparkSession) -> None:
    history = [
        view("a", 1, session="s", watchDuration=100, completionPercentage=90, pauseEvents=[10]),
        view("b", 2, session="s", watchDuration=50, skipEvents=[{"from": 900, "to": 20}]),
        view("c", 3),
    ]
    [row] = profiles(silver_events(spark, history)).collect()
    facts = [
        (e.session_id, e.views, e.watch_s, e.furthest_position_s, e.completion_percentage)
        for e in row.history
    ]
    assert facts == [(None, 1, 60, None, 50.0), ("s", 2, 150, 900, 90.0)]


DISPUTES: list[tuple[list[Event], int, list[str]]] = [
    ([rate("a", 1, 4)], 8, []),
    ([rate("a", 1, 4, previousRating=None)], 8, []),
    ([rate("a", 1, 4, previousRating=3)], 8, ["a"]),
    ([rate("a", 1, 4), rate("b", 2, 2, previousRating=4)], 4, []),
    ([rate("a", 1, 4), rate("b", 2, 2)], 4, ["b"]),
    ([rate("a", 1, 4), rate("b", 2, 2, previousRating=3), submit("c", 3, 5)], 10, ["b"]),
    ([submit("a", 1, 3), rate("b", 2, 2, previousRating=3)], 4, []),
    # the late rating between two settles the second
    ([rate("a", 1, 4), rate("c", 3, 2, previousRating=1), submit("b", 2, 1)], 4, []),
]


def test_a_rating_whose_previous_disagrees_is_kept_and_flagged(spark: SparkSession) -> None:
    history = [
        {**rated, "userId": f"u{number}"}
        for number, (rated_by_one, _, _) in enumerate(DISPUTES)
        for rated in rated_by_one
    ]
    found = {row.user_id: row.ratings for row in profiles(silver_events(spark, history)).collect()}
    for number, (rated_by_one, half_stars, disputed) in enumerate(DISPUTES):
        [rating] = found[f"u{number}"]
        assert (rating.half_stars, rating.disputed) == (half_stars, disputed), rated_by_one


def test_differing_names_the_users_that_are_not_the_same(spark: SparkSession) -> None:
    base = [prefer("a", 1), prefer("b", 1, user="bob"), prefer("c", 1, user="cy", language="en")]
    other = [prefer("a", 1), prefer("c", 1, user="cy", language="de"), prefer("d", 1, user="di")]
    stored, refolded = (profiles(silver_events(spark, history)) for history in (base, other))
    assert {row.user_id for row in differing_profiles(stored, refolded).collect()} == {
        "bob",
        "cy",
        "di",
    }
    assert differing_profiles(stored, stored).isEmpty()
