"""The commands that change a user's profile, and the event that each becomes.

A command carries all content of its event, its time included, so a repeated command is a repeated
event: equal commands become equal events. The id of an event is made from the user and the
command id alone; the pipeline recognises a duplicate by it (docs/semantics.md, Words) even where
the rest differs: a rating repeated after the read model has moved on names another previous rating
and is a duplicate all the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from transforms.instants import rfc3339

Event = dict[str, Any]

EVENT_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:playhead:command")
HALF_STARS = 2  # half stars in a star


@dataclass(frozen=True, kw_only=True)
class Command:
    """The fields that every command has.

    Attributes:
        command_id: id of this command among those of the user; a repeat carries it again.
        user_id: id of the acting user.
        at: instant of the command, an aware datetime; a repeat carries it again.
    """

    command_id: str
    user_id: str
    at: datetime

    @property
    def event_id(self) -> str:
        """Id of the event, made from user and command id: no user can repeat another's command."""
        return str(uuid.uuid5(EVENT_IDS, f"{self.user_id}/{self.command_id}"))


@dataclass(frozen=True, kw_only=True)
class UpdatePreferences(Command):
    """Set the preferences given, keep the others.

    Attributes:
        changes: new values by the names of the contract, such as `autoplay` or `language`.
    """

    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RecordView(Command):
    """Record that the user viewed a title.

    Attributes:
        title_id: id of the title.
        watch_s: time spent watching, in seconds.
        completion_percentage: share of the title that was watched, 0 to 100; None if unknown.
        session_id: id of the playback session; None if there was none.
        quality: picture quality; None if unknown.
        device: device; None if unknown.
        skips_s: jumps as (from, to), positions in seconds, in order.
        pauses_s: positions of pauses in seconds, in order.
    """

    title_id: str
    watch_s: int
    completion_percentage: float | None = None
    session_id: str | None = None
    quality: str | None = None
    device: str | None = None
    skips_s: Sequence[tuple[int, int]] = ()
    pauses_s: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class RateContent(Command):
    """Rate a title.

    Attributes:
        title_id: id of the title.
        stars: rating, 0.5 to 5, in steps of a half.
    """

    title_id: str
    stars: float


def preferences_event(command: UpdatePreferences) -> Event:
    """The event UserPreferencesUpdated 1.0 of a command."""
    heading = _heading(command, "UserPreferencesUpdated", "1.0")
    return {**heading, "data": {"preferences": dict(command.changes)}}


def view_event(command: RecordView) -> Event:
    """The event ContentViewed 2.0 of a command, without unknown and empty values."""
    share = command.completion_percentage
    data = {
        "watchDuration": command.watch_s,
        "completionPercentage": None if share is None else float(share),
        "quality": command.quality,
        "device": command.device,
        "skipEvents": [{"from": start, "to": end} for start, end in command.skips_s] or None,
        "pauseEvents": list(command.pauses_s) or None,
    }
    heading = _heading(command, "ContentViewed", "2.0") | {"contentId": command.title_id}
    return _without_nulls(
        {**heading, "sessionId": command.session_id, "data": _without_nulls(data)}
    )


def rating_event(command: RateContent, previous_half_stars: int | None) -> Event:
    """The event ContentRated 2.0 of a command.

    Args:
        command: the rating.
        previous_half_stars: rating that it replaces, in half stars; None for a first rating.
    """
    previous = None if previous_half_stars is None else previous_half_stars / HALF_STARS
    data = _without_nulls({"rating": float(command.stars), "previousRating": previous})
    heading = _heading(command, "ContentRated", "2.0") | {"contentId": command.title_id}
    return {**heading, "data": data}


def _heading(command: Command, event_type: str, version: str) -> Event:
    """The fields that all events of commands share."""
    return {
        "eventType": event_type,
        "version": version,
        "timestamp": rfc3339(command.at),
        "eventId": command.event_id,
        "userId": command.user_id,
    }


def _without_nulls(members: Event) -> Event:
    """The members whose value is not None."""
    return {name: value for name, value in members.items() if value is not None}
