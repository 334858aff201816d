"""The mapping from MovieLens to events: what a streaming service would have recorded.

| MovieLens | event | when |
|---|---|---|
| each film | ContentMetadataUpdated 1.0 | a day before the first rating |
| the first rating of a sitting, if recommended | UserEngagement 1.0, a click | as playback starts |
| each rating | VideoPlaybackStarted 2.1 | the watched time before the end of playback |
| a rating of a film watched to `ABANDONED` or further | VideoPlaybackCompleted 1.0 | 30 s before |
| each rating | UserRatingSubmitted 1.0 | the rating's own time |

Taken from the data: user, film, stars and time of each rating; name, genres and year of the film;
the region, from the first character of the zip code; the sitting, which is the session: ratings of
one person with gaps of at most half an hour. People rated what they had seen over years within
minutes, so playbacks of a sitting overlap: their end is tied to the rating, their length is not
squeezed in between.

Synthetic, but plausible and deterministic: the running time of a film (75 to 165 minutes); the
share of it that was watched, by the stars (`WATCHED`: people who disliked a film left early); the
device, one a sitting, by the person's age (`DEVICES`); the source of the play (`SOURCES`); the
position in its list of a recommendation that was clicked (`PASSED_OVER`); picture quality by
device. The plays after the first of a sitting start automatically: nobody clicked. Every such
choice hashes the identifiers it is about, no generator is involved.

Identifiers are user_<number>, title_<number>, session_<user>_<sitting>. An eventId is the UUID 5 of
event type, user and film, so it depends on neither the clock nor the run: events of a second replay
are recognised as duplicates of the first, whatever times they are given.
"""

from __future__ import annotations

import hashlib
import math
import struct
import uuid
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from jobs.producers.movielens import Film, MovieLens, Person, Rating
from jobs.producers.records import Body, instant

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:playhead:movielens-100k")
SITTING_GAP_S = 1800
CATALOGUE_LEAD_S = 86_400
RATING_DELAY_S = 30
SHORTEST_S, LONGEST_S = 75 * 60, 165 * 60
ABANDONED = 0.3
PASSED_OVER = 0.75  # share of those who look at a position in a list that look at the next
WATCHED = {1: (0.05, 0.6), 2: (0.2, 0.95), 3: (0.6, 1.0), 4: (0.85, 1.0), 5: (0.95, 1.0)}

Weights = Mapping[str, float]
SOURCES: Weights = {
    "recommendation": 0.62,
    "browse": 0.14,
    "search": 0.12,
    "continue_watching": 0.07,
    "notification": 0.03,
    "external": 0.02,
}
DEVICES: Mapping[int, Weights] = {  # by greatest age in years
    24: {"mobile": 0.4, "desktop": 0.25, "console": 0.2, "smart_tv": 0.1, "tablet": 0.05},
    44: {"smart_tv": 0.4, "mobile": 0.25, "desktop": 0.15, "streaming_stick": 0.15, "tablet": 0.05},
    200: {"smart_tv": 0.55, "tablet": 0.2, "desktop": 0.15, "streaming_stick": 0.1},
}
REGIONS = {  # by the first digit of the zip code, which counts from the north-east to the west
    **dict.fromkeys("012", "us-east-1"),
    **dict.fromkeys("345", "us-east-2"),
    **dict.fromkeys("67", "us-central-1"),
    **dict.fromkeys("89", "us-west-2"),
}
ABROAD = "ca-central-1"  # zip codes that begin with a letter are Canadian


@dataclass(frozen=True)
class Player:
    """The player on a device type.

    Attributes:
        platform: operating system or platform.
        app_version: version of the application.
        capabilities: formats that it can play.
        quality: picture quality.
    """

    platform: str
    app_version: str
    capabilities: tuple[str, ...]
    quality: str

    def info(self, device: str) -> Body:
        """The deviceInfo object of playback events."""
        return {
            "deviceType": device,
            "platform": self.platform,
            "appVersion": self.app_version,
            "capabilities": list(self.capabilities),
        }


PLAYERS = {
    "smart_tv": Player("tizen", "8.2.1", ("4k", "hdr", "dolby_atmos"), "4k_hdr"),
    "streaming_stick": Player("roku", "8.2.1", ("4k", "hdr"), "4k_hdr"),
    "console": Player("playstation", "8.1.0", ("4k",), "4k"),
    "desktop": Player("web", "8.3.0", ("hd",), "hd"),
    "tablet": Player("ipados", "8.3.2", ("hd", "download"), "hd"),
    "mobile": Player("android", "8.3.2", ("hd", "download"), "hd"),
}


@dataclass(frozen=True, slots=True)
class Viewing:
    """One person's viewing of one film, with the rating that ended it.

    Attributes:
        rating: the rating; its time is in seconds of the data set.
        person: the person.
        session: number of the person's sitting, from 1.
        previous: number of the film rated before in the same sitting; None for the first.
        watched: share of the film watched, 0 to 1.
        source: source of the play.
        rank: position in its list, from 1, if it was recommended.
        device: device type.
    """

    rating: Rating
    person: Person
    session: int
    previous: int | None
    watched: float
    source: str
    rank: int
    device: str

    @property
    def was_clicked(self) -> bool:
        """Whether it began with a click on a recommendation."""
        return self.previous is None and self.source == "recommendation"

    @property
    def watch_s(self) -> int:
        """Seconds watched, whole."""
        return int(self.watched * running_time_s(self.rating.item))

    @property
    def user_id(self) -> str:
        """The userId of its events."""
        return f"user_{self.rating.user}"

    @property
    def session_id(self) -> str:
        """The sessionId of its events."""
        return f"session_{self.rating.user}_{self.session}"

    @property
    def context(self) -> dict[str, str]:
        """The person's `region` and `device_type` as they press play."""
        region = REGIONS.get(self.person.zip_code[:1], ABROAD)
        return {"region": region, "device_type": self.device}

    @property
    def ended(self) -> int:
        """The end of playback, in seconds of the data set."""
        return self.rating.at - RATING_DELAY_S

    @property
    def started(self) -> int:
        """The start of playback, in seconds of the data set."""
        return self.ended - self.watch_s


Subject = Film | Viewing


@dataclass(frozen=True, slots=True)
class Moment:
    """One event to be made.

    Attributes:
        at: event time in seconds of the data set.
        event_type: type of the event.
        subject: the film or viewing that it is about.
    """

    at: int
    event_type: str
    subject: Subject

    def body(self, shift_s: int) -> Body:
        """The event's JSON object, its time moved forward by `shift_s` seconds."""
        members = _body_of(self.event_type, self.subject)
        envelope = {
            "eventType": self.event_type,
            "version": "2.1" if self.event_type == "VideoPlaybackStarted" else "1.0",
            "timestamp": instant((self.at + shift_s) * 1_000_000),
            "eventId": str(uuid.uuid5(NAMESPACE, f"{self.event_type}/{_name(self.subject)}")),
        }
        return envelope | members


def history(data: MovieLens) -> list[Moment]:
    """All events of the data set, in order of time."""
    first = data.ratings[0].at - CATALOGUE_LEAD_S
    moments = [Moment(first, "ContentMetadataUpdated", film) for film in data.films.values()]
    for viewing in viewings(data):
        if viewing.was_clicked:
            moments.append(Moment(viewing.started, "UserEngagement", viewing))
        moments.append(Moment(viewing.started, "VideoPlaybackStarted", viewing))
        if viewing.watched >= ABANDONED:
            moments.append(Moment(viewing.ended, "VideoPlaybackCompleted", viewing))
        moments.append(Moment(viewing.rating.at, "UserRatingSubmitted", viewing))
    return sorted(moments, key=lambda moment: moment.at)


def viewings(data: MovieLens) -> Iterator[Viewing]:
    """One viewing for each rating, in the order of the ratings."""
    last: dict[int, Rating] = {}
    sitting: dict[int, int] = {}
    for rating in data.ratings:
        before = last.get(rating.user)
        goes_on = before is not None and rating.at - before.at <= SITTING_GAP_S
        if not goes_on:
            sitting[rating.user] = sitting.get(rating.user, 0) + 1
        last[rating.user] = rating
        share, origin, place = _chances(f"viewing/{rating.user}/{rating.item}")[:3]
        low, high = WATCHED[rating.stars]
        person, session = data.people[rating.user], sitting[rating.user]
        yield Viewing(
            rating,
            person,
            session,
            before.item if before is not None and goes_on else None,
            low + (high - low) * share,
            _chosen(SOURCES, origin),
            1 + int(math.log(1 - place, PASSED_OVER)),
            _device(person, session),
        )


@cache
def running_time_s(item: int) -> int:
    """The synthetic running time of a film, in whole seconds."""
    return SHORTEST_S + int((LONGEST_S - SHORTEST_S) * _chances(f"film/{item}")[0])


def _name(subject: Subject) -> str:
    """The unique name of a film or viewing in event ids."""
    if isinstance(subject, Film):
        return str(subject.item)
    return f"{subject.rating.user}/{subject.rating.item}"


def _body_of(event_type: str, subject: Subject) -> Body:
    """The members of an event besides its envelope."""
    if isinstance(subject, Film):
        return _catalogue(subject)
    if event_type == "UserRatingSubmitted":
        return _rated(subject)
    if event_type == "VideoPlaybackCompleted":
        return _completed(subject)
    if event_type == "UserEngagement":
        return _clicked(subject)
    return _started(subject)


def _catalogue(film: Film) -> Body:
    """The members of ContentMetadataUpdated."""
    known = {} if film.year is None else {"releaseDate": f"{film.year}-01-01"}
    return {
        "titleId": f"title_{film.item}",
        "name": film.name,
        "contentType": "movie",
        "genres": list(film.genres),
        "duration": running_time_s(film.item),
        **known,
    }


def _started(viewing: Viewing) -> Body:
    """The members of VideoPlaybackStarted."""
    context = {"source": viewing.source, "position": 0, "autoPlay": viewing.previous is not None}
    if viewing.previous is not None:
        context["previousTitle"] = f"title_{viewing.previous}"
    return _playback(viewing, context)


def _completed(viewing: Viewing) -> Body:
    """The members of VideoPlaybackCompleted."""
    return _playback(viewing, {"source": viewing.source, "position": viewing.watch_s}) | {
        "watchDuration": viewing.watch_s,
        "completionPercentage": round(100 * viewing.watched, 1),
    }


def _playback(viewing: Viewing, context: Body) -> Body:
    """The members that playback events share."""
    item = viewing.rating.item
    player = PLAYERS[viewing.device]
    return {
        "userId": viewing.user_id,
        "sessionId": viewing.session_id,
        "deviceInfo": player.info(viewing.device),
        "contentInfo": {
            "titleId": f"title_{item}",
            "contentType": "movie",
            "duration": running_time_s(item),
            "quality": player.quality,
        },
        "playbackContext": context,
        "metadata": _metadata(viewing),
    }


def _rated(viewing: Viewing) -> Body:
    """The members of UserRatingSubmitted."""
    return {
        "userId": viewing.user_id,
        "contentInfo": {"titleId": f"title_{viewing.rating.item}"},
        "rating": viewing.rating.stars,
        "metadata": _metadata(viewing),
    }


def _clicked(viewing: Viewing) -> Body:
    """The members of UserEngagement."""
    return {
        "userId": viewing.user_id,
        "sessionId": viewing.session_id,
        "engagement": {
            "kind": "click",
            "titleId": f"title_{viewing.rating.item}",
            "source": viewing.source,
            "rank": viewing.rank,
        },
        "metadata": _metadata(viewing),
    }


def _metadata(viewing: Viewing) -> Body:
    """The metadata object of an event."""
    return {
        "region": viewing.context["region"],
        "correlationId": f"corr_{viewing.rating.user}_{viewing.rating.item}",
    }


@cache
def _device(person: Person, session: int) -> str:
    """The device type of a person's sitting, drawn by age."""
    weights = next(weights for oldest, weights in DEVICES.items() if person.age <= oldest)
    return _chosen(weights, _chances(f"sitting/{person.user}/{session}")[0])


def _chosen(weights: Weights, chance: float) -> str:
    """The name that a chance in [0, 1) selects by weight."""
    names = list(weights)
    place = bisect_right(list(accumulate(weights.values())), chance)
    return names[min(place, len(names) - 1)]


def _chances(name: str) -> tuple[float, ...]:
    """Four numbers in [0, 1) that depend on the name alone."""
    digest = hashlib.blake2b(name.encode(), digest_size=32).digest()
    return tuple(word / 2**64 for word in struct.unpack("<4Q", digest))
