"""The commands that change a user's profile, and the event that each becomes.

A command carries all that its event says, its time included, so that a command repeated is its
event repeated: equal commands become equal events. An event's identity is made from the user and
the command id alone; the pipeline recognises a repeat by it (docs/semantics.md, Words) even where
the rest differs: a rating repeated after the read model has moved names another previous rating
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
HALF_STARS = 2  # in a star


@dataclass(frozen=True, kw_only=True)
class Command:
    """What every command says.

    Attributes:
        command_id: names this command among those of the user; a repeat carries it again.
        user_id: who acts.
        at: when, as an aware datetime; part of the command, so a repeat carries it again.
    """

    command_id: str
    user_id: str
    at: datetime

    @property
    def event_id(self) -> str:
        """The event's identity, from user and command id: no user can repeat another's command."""
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
        title_id: what was viewed.
        watch_s: time spent watching, in seconds.
        completion_percentage: share of the title that was watched, 0 to 100.
        session_id: the playback session; None if there was none.
        quality: the picture's; None if unknown.
        device: None if unknown.
        skips_s: jumps as (from, to), positions in seconds, in order.
        pauses_s: positions paused at, in seconds, in order.
    """

    title_id: str
    watch_s: int
    completion_percentage: float
    session_id: str | None = None
    quality: str | None = None
    device: str | None = None
    skips_s: Sequence[tuple[int, int]] = ()
    pauses_s: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class RateContent(Command):
    """Rate a title.

    Attributes:
        title_id: what is rated.
        stars: 0.5 to 5, in steps of a half.
    """

    title_id: str
    stars: float


def preferences_event(command: UpdatePreferences) -> Event:
    """UserPreferencesUpdated 1.0."""
    heading = _heading(command, "UserPreferencesUpdated")
    return {**heading, "data": {"preferences": dict(command.changes)}}


def view_event(command: RecordView) -> Event:
    """ContentViewed 1.0; what is unknown or empty is left out."""
    data = {
        "watchDuration": command.watch_s,
        "completionPercentage": float(command.completion_percentage),
        "quality": command.quality,
        "device": command.device,
        "skipEvents": [{"from": start, "to": end} for start, end in command.skips_s] or None,
        "pauseEvents": list(command.pauses_s) or None,
    }
    heading = _heading(command, "ContentViewed") | {"contentId": command.title_id}
    return _without_nulls(
        {**heading, "sessionId": command.session_id, "data": _without_nulls(data)}
    )


def rating_event(command: RateContent, previous_half_stars: int | None) -> Event:
    """ContentRated 1.0.

    Args:
        command: the rating.
        previous_half_stars: the rating it replaces, in half stars; None for a first rating.
    """
    previous = None if previous_half_stars is None else previous_half_stars / HALF_STARS
    data = _without_nulls({"rating": float(command.stars), "previousRating": previous})
    heading = _heading(command, "ContentRated") | {"contentId": command.title_id}
    return {**heading, "data": data}


def _heading(command: Command, event_type: str) -> Event:
    return {
        "eventType": event_type,
        "version": "1.0",
        "timestamp": rfc3339(command.at),
        "eventId": command.event_id,
        "userId": command.user_id,
    }


def _without_nulls(members: Event) -> Event:
    return {name: value for name, value in members.items() if value is not None}
