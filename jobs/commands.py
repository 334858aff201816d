"""Send one command: validate it, and publish its event to Kafka in one transaction.

The API for services is jobs.runtime.profiles.commands; this is the same from a shell.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jobs.runtime.cli import AwareInstant, job, name_and_value
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.lake.lake import open_live_lake
from jobs.runtime.profiles.commands import ReadModel, open_commands
from jobs.runtime.profiles.ratings import LakeRatings, StatedRating
from jobs.runtime.settings import Settings
from transforms.commands.profile import (
    HALF_STARS,
    Command,
    RateContent,
    RecordView,
    UpdatePreferences,
)

NO_RATING = StatedRating(None)


def _repeatable(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options --command-id and --at, which a repeat of a command needs."""
    identity = click.option(
        "--command-id",
        default=lambda: str(uuid.uuid4()),
        metavar="ID",
        help="Names the command among those of the user. Default: a new one.",
    )
    time = click.option(
        "--at",
        type=AwareInstant(),
        default=lambda: datetime.now(UTC).isoformat(),
        help="When the user acted, as 2026-01-31T12:00:00Z. Default: now.",
    )
    return identity(time(function))


@click.group()
def main() -> None:
    """Change a user's profile by a command: it is validated, and published as one event.

    A command that breaks its contract is rejected with the place and the rule, and publishes
    nothing. Each command prints its --command-id and --at; given again, with the same arguments,
    they repeat it safely: a repeat is recognised and changes nothing.
    """


@job
@_repeatable
@click.argument("user")
@click.argument("changes", nargs=-1, required=True, metavar="NAME=VALUE...")
def update_preferences(
    settings: Settings, user: str, changes: Sequence[str], command_id: str, at: datetime
) -> None:
    """Set preferences of USER; those not named are kept.

    python -m jobs.commands update-preferences ada autoplay=false 'favouriteGenres=["Drama"]'

    A VALUE is JSON, or else text. The event goes to user-profile-events and to
    user-preference-updates, to both or to neither.
    """
    assigned = dict(_parse_change(change) for change in changes)
    command = UpdatePreferences(command_id=command_id, user_id=user, at=at, changes=assigned)
    _send(settings, command)


@job
@_repeatable
@click.argument("user")
@click.argument("title")
@click.option("--watched", "watch_s", type=int, required=True, help="Seconds spent watching.")
@click.option(
    "--completed",
    "completion_percentage",
    type=float,
    help="Share of the title that was watched, 0 to 100. Default: unknown.",
)
@click.option("--session", "session_id", help="The playback session.")
@click.option("--quality", help="The picture's quality, such as 4k_hdr.")
@click.option("--device", help="The device, such as smart_tv.")
def view(settings: Settings, user: str, title: str, **told: Any) -> None:
    """Record that USER viewed TITLE.

    python -m jobs.commands view ada title_7 --watched 2400 --completed 90.9
    """
    _send(settings, RecordView(user_id=user, title_id=title, **told))


@job
@_repeatable
@click.argument("user")
@click.argument("title")
@click.argument("stars", type=float)
@click.option(
    "--previous",
    type=float,
    metavar="STARS",
    help="The rating this one replaces. Default: what the lake's gold tables hold, if any.",
)
def rate(
    settings: Settings,
    user: str,
    title: str,
    stars: float,
    previous: float | None,
    command_id: str,
    at: datetime,
) -> None:
    """Let USER rate TITLE with STARS: 0.5 to 5, in halves.

    python -m jobs.commands rate ada title_7 4.5 --previous 3
    """
    command = RateContent(command_id=command_id, user_id=user, at=at, title_id=title, stars=stars)
    _send(settings, command, _ratings(settings, previous))


main.add_command(update_preferences, "update-preferences")


main.add_command(view, "view")


main.add_command(rate, "rate")


def _ratings(settings: Settings, previous: float | None) -> ReadModel:
    """The read model of ratings: the rating stated, else the lake's.

    Spark starts only where the root may hold gold.
    """
    root = settings.lake.root
    if previous is not None:
        return StatedRating(round(previous * HALF_STARS))
    if "://" not in root and not any(Path(root).glob("generation=*/gold")):
        return StatedRating(None)
    return LakeRatings(open_live_lake("commands", settings))


def _parse_change(change: str) -> tuple[str, Any]:
    """The name and the value, JSON or else text, of one NAME=VALUE.

    Raises:
        SettingsError: there is no value.
    """
    name, text = name_and_value("preference", change)
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _send(settings: Settings, command: Command, ratings: ReadModel = NO_RATING) -> None:
    """Publish a command, and print the options that repeat it and the event's id."""
    click.echo(f"--command-id {command.command_id} --at {command.at.isoformat()}")
    with (
        kafka_of(settings, must_answer=False) as kafka,
        open_commands(settings, kafka, load_registry(), ratings) as commands,
    ):
        receipt = commands.send(command)
    click.echo(f"published to {' and '.join(receipt.topics)} as event {receipt.event_id}")


if __name__ == "__main__":
    main()
