"""User profiles: built from the events in silver, and verified against those in bronze."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, USER_PROFILE
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.spark.persistence import persist
from transforms.gold.profile import (
    COLUMNS,
    PROFILE_SOURCES,
    differing_profiles,
    profile_events,
    profiles,
    until,
)
from transforms.instants import instant_of

QUERY = "profile"


def profile_events_of(
    lake: Lake, versions: Mapping[str, int] | None = None, user: str | None = None
) -> DataFrame:
    """The `profile_events` of a lake.

    Args:
        lake: the generation to read.
        versions: Delta version, by table of PROFILE_SOURCES; None: the newest.
        user: id of the only user to read; None: all users.

    Returns:
        Columns of `transforms.gold.profile.profile_events`, each event once.
    """
    silver = {table: lake.read(table, (versions or {}).get(table)) for table in PROFILE_SOURCES}
    if user is not None:
        silver = {table: rows.where(F.col("user_id") == user) for table, rows in silver.items()}
    return profile_events(silver, one_task=user is not None)


@contextmanager
def build_profiles(lake: Lake, as_of: datetime | None) -> Iterator[DataFrame]:
    """Build the profiles of all users from the newest silver, which is read once.

    Args:
        lake: the generation to read.
        as_of: aware datetime; later events are left out. None: all events count.

    Yields:
        Rows of gold.user_profile, to be used within the block.
    """
    versions = {table: lake.version(table) for table in PROFILE_SOURCES}
    origin = F.struct(
        F.lit(as_of).cast("timestamp").alias("as_of"),
        *(F.lit(v).cast("bigint").alias(t.split(".")[1]) for t, v in versions.items()),
    )
    with persist(until(profile_events_of(lake, versions), as_of)) as events:
        yield profiles(events).withColumn("built_from", origin)


def store_profiles(lake: Lake, rows: DataFrame) -> None:
    """Replace the content of gold.user_profile.

    Args:
        lake: the generation to write to.
        rows: rows of `build_profiles`.
    """
    lake.ensure([USER_PROFILE])
    lake.replace(USER_PROFILE, rows, Transaction(QUERY, lake.version(USER_PROFILE)))


def verify_profiles(
    lake: Lake, judge: Judge, user: str | None = None
) -> tuple[int, int, list[str]]:
    """Compare gold.user_profile with a fold of the events in bronze.

    Args:
        lake: the generation to verify.
        judge: judge of bronze records.
        user: id of the only user to verify; None: all users.

    Returns:
        The number of profiles it holds, the number of events of bronze that were not in silver when
        it was rebuilt, and the ids of the users that differ, sorted.

    Raises:
        SettingsError: gold.user_profile is empty.
    """
    as_of, versions = _origin(lake)
    bronze, stored = lake.read(BRONZE), lake.read(USER_PROFILE).select(*COLUMNS)
    if user is not None:
        bronze = bronze.where(F.col("key") == F.lit(user.encode()))
        stored = stored.where(F.col("user_id") == user)
    held = profile_events_of(lake, versions, user)
    ids = held.select("user_id", "event_id", F.lit(True).alias("held"))
    families = {table: table.split(".")[1] for table in PROFILE_SOURCES}
    accepted = judge.accepted_events(bronze).where(F.col("family").isin(*families.values()))
    with persist(accepted):
        events = profile_events(
            {t: judge.silver_rows(name, accepted) for t, name in families.items()}
        )
        with persist(events.join(ids, ["user_id", "event_id"], "left")) as marked:
            waiting = marked.where("held IS NULL").count()
            refolded = profiles(marked.where("held"), as_of)
            wrong = differing_profiles(stored, refolded).select("user_id").orderBy("user_id")
            users = [row.user_id for row in wrong.collect()]
    return stored.count(), waiting, users


def _origin(lake: Lake) -> tuple[datetime | None, Mapping[str, int]]:
    """What gold.user_profile was built from.

    Returns:
        The instant that it is as of, None for all events, and the Delta version by table of
        PROFILE_SOURCES.

    Raises:
        SettingsError: gold.user_profile is empty.
    """
    row = None
    if lake.has(USER_PROFILE):
        origin = lake.read(USER_PROFILE).select("built_from.*")
        row = origin.withColumn("as_of", F.unix_micros("as_of")).first()
    if row is None:
        raise SettingsError(f"{USER_PROFILE} is empty", "python -m jobs.profile rebuild fills it")
    versions = {table: row[table.split(".")[1]] for table in PROFILE_SOURCES}
    return None if row.as_of is None else instant_of(row.as_of), versions
