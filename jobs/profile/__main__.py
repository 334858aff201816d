"""User profiles by event sourcing: show, rebuild and verify them from the events behind them.

In a folder without __init__: spark-submit puts jobs/ on Python's path, where a profile.py would
shadow the standard library's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.cli import AwareInstant, job
from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.features.training_sets import write_new
from jobs.runtime.lake.lake import Lake, open_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.lake.tables import USER_PROFILE
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.profiles.profiles import (
    QUERY,
    build_profiles,
    profile_events_of,
    store_profiles,
    verify_profiles,
)
from jobs.runtime.settings import Settings
from jobs.runtime.spark.persistence import persist
from jobs.runtime.streams.queries import PROFILE
from transforms.gold.profile import PROFILE_SOURCES, profiles, trail, until

log = logging.getLogger(__name__)

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
    """Show the profile of USER and its events, in order, with what each changed."""
    lake = _lake(settings)
    with persist(until(profile_events_of(lake, user=user), as_of)) as events:
        state = _documents(profiles(events))
        steps = _documents(trail(events).orderBy("event_time", "event_id"))
    if not state:
        raise SettingsError(
            f"user '{user}' has no profile events{_as_of_text(as_of)}",
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

    With --out the lake is not written to, and PATH must not exist.
    """
    lake = _lake(settings)
    with ExitStack() as stack:
        if out is None:
            stack.enter_context(run_alone(lake.shared_checkpoint(PROFILE), PROFILE))
        rows = stack.enter_context(build_profiles(lake, as_of))
        if out is None:
            store_profiles(lake, rows)
        else:
            write_new(rows, out)
    log.info("profiles%s are in %s", _as_of_text(as_of), out or USER_PROFILE)


@job
@click.argument("user", required=False)
def verify(settings: Settings, user: str | None) -> None:
    """Prove that gold.user_profile, or USER's row of it, is the fold of the events in bronze.

    The events are read from bronze and judged again, and folded as of the instant at which the
    table was rebuilt. Events that silver did not hold then are counted and left out. Exits non-zero
    if a profile differs.
    """
    lake = _lake(settings)
    users, waiting, wrong = verify_profiles(lake, load_judge(settings.refine), user)
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


def _lake(settings: Settings) -> Lake:
    """Open the lake at its live or pinned generation.

    Raises:
        DataError: a table of PROFILE_SOURCES does not exist.
    """
    lake = open_lake(QUERY, settings)
    lake.require(*PROFILE_SOURCES)
    return lake


def _documents(rows: DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON documents: instants in RFC 3339, null values left out."""
    options = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}
    told = rows.select(F.to_json(F.struct("*"), options).alias("document"))
    return [json.loads(row.document) for row in told.collect()]


def _lines(profile: Mapping[str, Any], steps: list[dict[str, Any]]) -> Iterator[str]:
    """A profile and its events as lines of text."""
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


def _as_of_text(as_of: datetime | None) -> str:
    """An instant as part of a message.

    Returns:
        The text ` as of <instant>`; empty without an instant.
    """
    return "" if as_of is None else f" as of {as_of.isoformat()}"


if __name__ == "__main__":
    main()
