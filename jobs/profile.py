"""User profiles by event sourcing: shown, rebuilt and verified from the events that made them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.refine import accepted_events
from jobs.runtime.cli import AwareInstant, job
from jobs.runtime.errors import DataError, SettingsError, first_line
from jobs.runtime.lake import Lake, Transaction, persisted
from jobs.runtime.session import spark_session
from jobs.runtime.settings import RefineSettings, Settings
from jobs.runtime.tables import BRONZE, USER_PROFILE
from transforms.gold.profile import (
    COLUMNS,
    PROFILE_SOURCES,
    differing,
    profile_events,
    profiles,
    trail,
    until,
)
from transforms.silver.refine import silver_of

log = logging.getLogger(__name__)

QUERY = "profile"
EXAMPLES = 20

as_of_option = click.option(
    "--as-of",
    type=AwareInstant(),
    metavar="INSTANT",
    help="Only events up to this instant, as 2026-01-31T12:00:00Z. Default: all events.",
)


@click.group()
def main() -> None:
    """User profiles, computed from the events in silver (docs/semantics.md, Profile)."""


@job
@click.argument("user")
@as_of_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(settings: Settings, user: str, as_of: datetime | None, as_json: bool) -> None:
    """Show the profile of USER and the events that made it, in order, with what each changed."""
    lake = _lake(settings)
    with persisted(until(profile_events_of(lake, user=user), as_of)) as events:
        state = _documents(profiles(events))
        steps = _documents(trail(events).orderBy("event_time", "event_id"))
    if not state:
        raise SettingsError(
            f"user '{user}' has no profile events{_told(as_of)}",
            "check the user's id; an event counts when python -m jobs.refine has refined it",
        )
    [profile] = state
    if as_json:
        click.echo(json.dumps({"profile": profile, "events": steps}, indent=2))
        return
    for line in _lines(profile, steps):
        click.echo(line)


@job
@as_of_option
@click.option("--out", metavar="PATH", help="Write a new Delta table there instead.")
def rebuild(settings: Settings, as_of: datetime | None, out: str | None) -> None:
    """Rebuild the profiles of all users from silver; replaces gold.user_profile in one commit.

    With --out the lake is left alone, and PATH must not exist.
    """
    lake = _lake(settings)
    with rebuilt(lake, as_of) as rows:
        if out is None:
            replace(lake, rows)
        else:
            _write_new(rows, out)
    log.info("profiles%s are in %s", _told(as_of), out or USER_PROFILE)


@job
@click.argument("user", required=False)
def verify(settings: Settings, user: str | None) -> None:
    """Prove that gold.user_profile, or USER's row of it, is the fold of the events in bronze.

    The events are read from bronze and judged anew, and folded as of the instant at which the
    table was rebuilt. Events that silver did not hold then are counted and left out. Exits
    non-zero if a profile differs.
    """
    lake = _lake(settings)
    users, waiting, wrong = verified(lake, settings.refine, user)
    if user is not None and not users and not wrong:
        raise SettingsError(f"{USER_PROFILE} has no user '{user}'", "check the user's id")
    log.info("%s profiles compared, %s differ", f"{users:,}", f"{len(wrong):,}")
    log.info("%s events of bronze were not in silver at the rebuild", f"{waiting:,}")
    for found in wrong[:EXAMPLES]:
        log.error("%s differs from its events", found)
    if wrong:
        raise DataError(
            f"{len(wrong):,} profiles are not the fold of their events",
            "python -m jobs.profile show USER lists a user's events; rebuild makes the table anew",
        )


main.add_command(show, "show")
main.add_command(rebuild, "rebuild")
main.add_command(verify, "verify")


def profile_events_of(
    lake: Lake, versions: Mapping[str, int] | None = None, user: str | None = None
) -> DataFrame:
    """The `profile_events` of a lake, or of one user; of the newest silver without `versions`."""
    silver = {table: lake.read(table, (versions or {}).get(table)) for table in PROFILE_SOURCES}
    if user is not None:
        silver = {table: rows.where(F.col("user_id") == user) for table, rows in silver.items()}
    return profile_events(silver, one_task=user is not None)


@contextmanager
def rebuilt(lake: Lake, as_of: datetime | None) -> Iterator[DataFrame]:
    """All profiles, as rows of gold.user_profile, from the newest silver read once."""
    versions = {table: lake.version(table) for table in PROFILE_SOURCES}
    origin = F.struct(
        F.lit(as_of).cast("timestamp").alias("as_of"),
        *(F.lit(v).cast("bigint").alias(t.split(".")[1]) for t, v in versions.items()),
    )
    with persisted(until(profile_events_of(lake, versions), as_of)) as events:
        yield profiles(events).withColumn("built_from", origin)


def replace(lake: Lake, rows: DataFrame) -> None:
    """Make `rebuilt` rows the content of gold.user_profile."""
    lake.ensure([USER_PROFILE])
    lake.replace(USER_PROFILE, rows, Transaction(QUERY, lake.version(USER_PROFILE)))


def verified(
    lake: Lake, settings: RefineSettings, user: str | None = None
) -> tuple[int, int, list[str]]:
    """Compare gold.user_profile with a fold of the events in bronze.

    Returns:
        How many profiles it holds, how many events of bronze were not in silver when it was
        rebuilt, and the users that differ, sorted.
    """
    origin = (
        lake.read(USER_PROFILE).select("built_from").first() if lake.has(USER_PROFILE) else None
    )
    if origin is None:
        raise SettingsError(f"{USER_PROFILE} is empty", "python -m jobs.profile rebuild fills it")
    as_of, *versions = origin.built_from
    bronze, stored = lake.read(BRONZE), lake.read(USER_PROFILE).select(*COLUMNS)
    if user is not None:
        bronze = bronze.where(F.col("key") == F.lit(user.encode()))
        stored = stored.where(F.col("user_id") == user)
    held = profile_events_of(lake, dict(zip(PROFILE_SOURCES, versions, strict=True)), user)
    ids = held.select("user_id", "event_id", F.lit(True).alias("held"))
    families = {table: table.split(".")[1] for table in PROFILE_SOURCES}
    accepted = accepted_events(bronze, settings).where(F.col("family").isin(*families.values()))
    with persisted(accepted):
        events = profile_events({t: silver_of(name, accepted) for t, name in families.items()})
        with persisted(events.join(ids, ["user_id", "event_id"], "left")) as marked:
            waiting = marked.where("held IS NULL").count()
            refolded = profiles(marked.where("held"), as_of)
            wrong = differing(stored, refolded).select("user_id").orderBy("user_id")
            users = [row.user_id for row in wrong.collect()]
    return stored.count(), waiting, users


def _lake(settings: Settings) -> Lake:
    lake = Lake(spark_session(QUERY, settings.spark), settings.lake.root, settings.lake.generation)
    for table in PROFILE_SOURCES:
        if not lake.has(table):
            raise SettingsError(
                f"the lake at {lake.root} has no {table}",
                "set lake.root to a lake, or fill this one: "
                "python -m jobs.ingest, then python -m jobs.refine",
            )
    return lake


def _write_new(rows: DataFrame, out: str) -> None:
    try:
        rows.write.format("delta").mode("errorifexists").save(
            out if "://" in out else str(Path(out).absolute())
        )
    except AnalysisException as error:
        raise SettingsError(
            f"{out} cannot be written: {first_line(error)}", "give --out a path that does not exist"
        ) from None


def _documents(rows: DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON documents: instants in RFC 3339, nothing for null."""
    options = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}
    told = rows.select(F.to_json(F.struct("*"), options).alias("document"))
    return [json.loads(row.document) for row in told.collect()]


def _lines(profile: Mapping[str, Any], steps: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{profile['user_id']}: {profile['events']} events"
    for name, value in profile["preferences"].items():
        yield f"  preference {name} = {json.dumps(value)}"
    for kind in ("history", "ratings"):
        for entry in profile[kind]:
            yield f"  {kind} {json.dumps(entry)}"
    yield "events, in order:"
    for step in steps:
        place = f"{step['topic']}/{step['partition']}/{step['offset']}"
        heading = f"{step['event_time']} {step['event_id']} {step['event_type']} {place}"
        changed = {kind: step[kind] for kind in ("preferences", "view", "rating") if kind in step}
        yield f"  {heading} {json.dumps(changed)}"


def _told(as_of: datetime | None) -> str:
    return "" if as_of is None else f" as of {as_of.isoformat()}"


if __name__ == "__main__":
    main()
