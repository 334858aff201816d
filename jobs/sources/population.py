"""A made-up population of users and titles, and everything it does, for any number of events.

Events are made in chunks of `CHUNK`. A chunk depends on the seed and its own number only, so the
same seed gives the same bytes in whatever order, on however many machines chunks are made.

A chunk is filled with stories (`STORIES`): short runs of events of one user and title, such as an
impression, a play, a pause, a completion and a rating. The stories of a chunk are interleaved, and
event number i of a run happens at `clock.at(i)`: the order within a story is kept, the gaps between
its events follow from the clock alone. Users and titles are drawn with a long tail, and what is
fixed for a user (region, device, variants) or a title (kind, length, genres) is a hash of it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from jobs.sources.records import Body, instant
from jobs.sources.viewing import PLAYERS

T = TypeVar("T")

CHUNK = 4096
TAIL = 3.0  # popularity: the u-th quantile of users and titles is number count * u ** TAIL

STORIES: dict[tuple[str, ...], float] = {
    ("VideoPlaybackStarted", "VideoPlaybackCompleted"): 0.28,
    ("VideoPlaybackStarted",): 0.12,
    ("UserEngagement", "VideoPlaybackStarted", "VideoPlaybackCompleted"): 0.16,
    ("UserEngagement",): 0.10,
    ("VideoPlaybackStarted", "VideoPlaybackPaused", "VideoPlaybackCompleted"): 0.08,
    (
        "VideoPlaybackStarted",
        "VideoPlaybackSeeked",
        "VideoPlaybackCompleted",
        "UserRatingSubmitted",
    ): 0.08,
    (
        "ExperimentAssignment",
        "UserEngagement",
        "VideoPlaybackStarted",
        "VideoPlaybackPaused",
        "VideoPlaybackCompleted",
        "UserRatingSubmitted",
    ): 0.06,
    ("ContentMetadataUpdated",): 0.04,
    ("ContentViewed", "ContentRated"): 0.03,
    ("UserPreferencesUpdated",): 0.03,
    ("ServiceHealthReported",): 0.014,
    ("ContentMetadataRemoved",): 0.002,
    ("RecommendationModelPublished",): 0.002,
    ("ExperimentResultPublished",): 0.002,
}
SEQUENCES = tuple(STORIES)

NEWEST = {"VideoPlaybackStarted": "2.1"}  # all other event types are at 1.0

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "sa-east-1")
DEVICES = tuple(PLAYERS)
CONTENT_TYPES = ("movie", "movie", "episode", "episode", "episode", "trailer", "live")
GENRES = ("Action", "Animation", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Romance")
SOURCES = (
    *(("recommendation",) * 8),
    *("browse", "search", "continue_watching", "notification", "external"),
)
ENGAGEMENTS = ("impression", "impression", "impression", "click", "search", "add_to_list", "share")
LANGUAGES = ("en", "de", "es", "fr", "ja", "pt")
EXPERIMENTS = ("homepage_v2", "player_ui_v3", "artwork_v1")
VARIANTS = ("control", "treatment")
SERVICES = ("playback-api", "catalogue-api", "recommendation-api", "profile-api")


@dataclass(frozen=True)
class Clock:
    """When events happen: number i at `start + i * step`, in microseconds since 1970."""

    start: int
    step: float

    def at(self, number: int) -> int:
        """The event time of event `number`."""
        return self.start + int(number * self.step)


class Scene(NamedTuple):
    """One event to be: its number, its type, who and what, and what chance gave it.

    Attributes:
        number: place in the whole run.
        event_type: what happens.
        story: number of the story, unique in the run.
        user, title: numbers, from 0.
        seed: of the population.
        progress: share of the title watched at the event, 0 to 1.
        chance: of the event itself, in [0, 1).
        whim: of the story, in [0, 1).
    """

    number: int
    event_type: str
    story: str
    user: int
    title: int
    seed: int
    progress: float
    chance: float
    whim: float


@dataclass(frozen=True)
class Population:
    """Users and titles of one seed.

    Args:
        users: how many users there are.
        titles: how many titles there are.
        seed: what makes two populations of the same size differ.
    """

    users: int
    titles: int
    seed: int

    @property
    def name(self) -> str:
        """A name that no other population has; the beginning of all its event ids."""
        return f"sim.{self.users}.{self.titles}.{self.seed}"

    def event_types(self, chunk: int) -> list[str]:
        """The event types of a chunk, in order: cheap, as no event is made."""
        return [SEQUENCES[story][step] for story, step in self._plot(chunk)[0]]

    def bodies(self, chunk: int, clock: Clock) -> Iterator[Body]:
        """The events of a chunk, in order."""
        for scene in self._scenes(chunk):
            yield {
                "eventType": scene.event_type,
                "version": NEWEST.get(scene.event_type, "1.0"),
                "timestamp": instant(clock.at(scene.number)),
                "eventId": f"{self.name}.{scene.number}",
                **BODIES[scene.event_type](scene),
            }

    def _plot(self, chunk: int) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
        """Which step of which kind of story each event of a chunk is, and of which story."""
        rng = np.random.default_rng([self.seed, chunk, 0])
        kinds = rng.choice(len(SEQUENCES), size=CHUNK, p=list(STORIES.values()))
        lengths = np.array([len(sequence) for sequence in SEQUENCES])[kinds]
        story = np.repeat(np.arange(CHUNK), lengths)[:CHUNK]
        step = np.arange(CHUNK) - (np.cumsum(lengths) - lengths)[story]
        order = np.argsort(rng.random(CHUNK)[story] + 0.02 * step, kind="stable")
        plot = zip(kinds[story][order].tolist(), step[order].tolist(), strict=True)
        return list(plot), story[order]

    def _scenes(self, chunk: int) -> Iterator[Scene]:
        plot, story = self._plot(chunk)
        rng = np.random.default_rng([self.seed, chunk, 1])
        who, what, watched, whim = rng.random((4, CHUNK))
        users = (self.users * who**TAIL).astype(int)[story].tolist()
        titles = (self.titles * what**TAIL).astype(int)[story].tolist()
        lengths = [len(SEQUENCES[kind]) for kind, _ in plot]
        share = (np.array([step for _, step in plot]) + 1) / np.array(lengths)
        return map(
            Scene,
            range(chunk * CHUNK, (chunk + 1) * CHUNK),
            [SEQUENCES[kind][step] for kind, step in plot],
            [f"{chunk}-{number}" for number in story.tolist()],
            users,
            titles,
            repeat(self.seed),
            (np.sqrt(watched[story]) * share).tolist(),
            rng.random(CHUNK).tolist(),
            whim[story].tolist(),
        )


@dataclass(frozen=True)
class User:
    """What is fixed for a user: region, device, and the variant of each experiment."""

    region: str
    device: str
    variants: tuple[str, ...]

    @property
    def groups(self) -> list[str]:
        """The user's experiments with their variants, as playback metadata names them."""
        return [
            f"{name}.{variant}" for name, variant in zip(EXPERIMENTS, self.variants, strict=True)
        ]


@dataclass(frozen=True)
class Title:
    """What is fixed for a title: kind, running time in whole seconds, genres, year of release."""

    content_type: str
    duration: int
    genres: tuple[str, ...]
    year: int


@lru_cache(maxsize=65_536)
def user_of(number: int, seed: int) -> User:
    """The user of a number."""
    traits = _traits(number, seed, "user")
    variants = (_pick(VARIANTS, trait) for trait in traits[2:])
    return User(_pick(REGIONS, traits[0]), _pick(DEVICES, traits[1]), tuple(variants))


@lru_cache(maxsize=65_536)
def title_of(number: int, seed: int) -> Title:
    """The title of a number."""
    kind, length, genre, other, year = _traits(number, seed, "title")
    genres = dict.fromkeys((_pick(GENRES, genre), _pick(GENRES, other)))
    return Title(
        _pick(CONTENT_TYPES, kind), 300 + int(9000 * length), tuple(genres), 1950 + int(75 * year)
    )


def _traits(number: int, seed: int, what: str) -> tuple[float, ...]:
    """Five numbers in [0, 1) that are fixed for a user or title."""
    digest = hashlib.blake2b(f"{what}/{seed}/{number}".encode(), digest_size=40).digest()
    return tuple(word / 2**64 for word in struct.unpack("<5Q", digest))


def _pick(choices: Sequence[T], chance: float) -> T:
    return choices[int(chance * len(choices))]


def _started(scene: Scene) -> Body:
    context: Body = {**_context(scene), "position": 0, "autoPlay": scene.chance < 0.3}
    if scene.chance < 0.5:
        context["previousTitle"] = f"title_{scene.title + 1}"
    return _playback(scene) | {"playbackContext": context}


def _paused(scene: Scene) -> Body:
    return _playback(scene)


def _seeked(scene: Scene) -> Body:
    duration = title_of(scene.title, scene.seed).duration
    seek = {"from": int(duration * scene.progress), "to": int(duration * scene.chance)}
    return _playback(scene) | {"seek": seek}


def _completed(scene: Scene) -> Body:
    return _playback(scene) | {
        "watchDuration": int(title_of(scene.title, scene.seed).duration * scene.progress),
        "completionPercentage": round(100 * scene.progress, 1),
    }


def _playback(scene: Scene) -> Body:
    user, title = user_of(scene.user, scene.seed), title_of(scene.title, scene.seed)
    player = PLAYERS[user.device]
    content: Body = {"titleId": f"title_{scene.title}"}
    if title.content_type == "episode":
        content["episodeId"] = f"episode_{scene.title}_{int(24 * scene.whim)}"
    return {
        "userId": f"user_{scene.user}",
        "sessionId": f"session_{scene.story}",
        "deviceInfo": {
            "deviceType": user.device,
            "platform": player.platform,
            "appVersion": player.app_version,
            "capabilities": player.capabilities,
        },
        "contentInfo": {
            **content,
            "contentType": title.content_type,
            "duration": title.duration,
            "quality": player.quality,
        },
        "playbackContext": _context(scene),
        "metadata": {**_metadata(scene), "abTestGroups": user.groups},
    }


def _context(scene: Scene) -> Body:
    position = int(title_of(scene.title, scene.seed).duration * scene.progress)
    return {"source": _pick(SOURCES, scene.whim), "position": position}


def _metadata(scene: Scene) -> Body:
    return {
        "region": user_of(scene.user, scene.seed).region,
        "correlationId": f"corr_{scene.number}",
    }


def _rated(scene: Scene) -> Body:
    return {
        "userId": f"user_{scene.user}",
        "contentInfo": {"titleId": f"title_{scene.title}"},
        "rating": _stars(scene.chance),
        "metadata": _metadata(scene),
    }


def _stars(chance: float) -> float:
    return 0.5 + int(10 * chance) / 2


def _engaged(scene: Scene) -> Body:
    return {
        "userId": f"user_{scene.user}",
        "sessionId": f"session_{scene.story}",
        "engagement": {
            "kind": _pick(ENGAGEMENTS, scene.chance),
            "titleId": f"title_{scene.title}",
            "source": _pick(SOURCES, scene.whim),
            "rank": 1 + int(20 * scene.chance),
        },
        "metadata": {
            **_metadata(scene),
            "abTestGroups": user_of(scene.user, scene.seed).groups,
        },
    }


def _assigned(scene: Scene) -> Body:
    which = int(scene.chance * len(EXPERIMENTS))
    user = user_of(scene.user, scene.seed)
    return {
        "userId": f"user_{scene.user}",
        "experimentId": EXPERIMENTS[which],
        "variant": user.variants[which],
        "context": {"device": user.device, "region": user.region},
    }


def _decided(scene: Scene) -> Body:
    return {
        "experimentId": _pick(EXPERIMENTS, scene.chance),
        "decision": "keep_running",
        "reasons": ["not enough users yet"],
        "definitionHash": f"sha256:{scene.seed:064x}",
    }


def _catalogued(scene: Scene) -> Body:
    title = title_of(scene.title, scene.seed)
    return {
        "titleId": f"title_{scene.title}",
        "name": f"Title No. {scene.title}",
        "contentType": title.content_type,
        "genres": title.genres,
        "duration": title.duration,
        "releaseDate": f"{title.year}-01-01",
    }


def _removed(scene: Scene) -> Body:
    return {"titleId": f"title_{scene.title}", "reason": "licence ended"}


def _viewed(scene: Scene) -> Body:
    duration = title_of(scene.title, scene.seed).duration
    watched = int(duration * scene.progress)
    player = PLAYERS[user_of(scene.user, scene.seed).device]
    return {
        "userId": f"user_{scene.user}",
        "contentId": f"title_{scene.title}",
        "sessionId": f"session_{scene.story}",
        "data": {
            "watchDuration": watched,
            "completionPercentage": round(100 * scene.progress, 1),
            "quality": player.quality,
            "device": player.platform,
            "skipEvents": [{"from": watched // 2, "to": watched}],
            "pauseEvents": [watched // 3],
        },
    }


def _rated_content(scene: Scene) -> Body:
    previous = _stars(scene.whim) if scene.whim < 0.3 else None
    return {
        "userId": f"user_{scene.user}",
        "contentId": f"title_{scene.title}",
        "data": {"rating": _stars(scene.chance), "previousRating": previous},
    }


def _preferred(scene: Scene) -> Body:
    preferences: Body = {"language": _pick(LANGUAGES, scene.chance)}
    if scene.whim < 0.5:
        preferences["autoplay"] = scene.chance < 0.5
    if scene.whim > 0.3:
        preferences["favouriteGenres"] = [_pick(GENRES, scene.chance)]
    return {"userId": f"user_{scene.user}", "data": {"preferences": preferences}}


def _published(scene: Scene) -> Body:
    return {
        "modelName": "recommender",
        "modelVersion": str(1 + scene.number),
        "alias": "champion",
        "trainedAt": "2024-01-15T10:30:00Z",
        "metrics": {"recall_at_10": round(scene.chance, 4)},
    }


def _reported(scene: Scene) -> Body:
    return {
        "service": _pick(SERVICES, scene.whim),
        "status": "up" if scene.chance < 0.99 else "degraded",
        "latencyP99Ms": int(500 * scene.chance),
        "errorRate": round(scene.chance / 100, 6),
        "region": _pick(REGIONS, scene.chance),
    }


BODIES: dict[str, Callable[[Scene], Body]] = {
    "VideoPlaybackStarted": _started,
    "VideoPlaybackPaused": _paused,
    "VideoPlaybackSeeked": _seeked,
    "VideoPlaybackCompleted": _completed,
    "UserRatingSubmitted": _rated,
    "UserEngagement": _engaged,
    "ContentViewed": _viewed,
    "ContentRated": _rated_content,
    "UserPreferencesUpdated": _preferred,
    "ContentMetadataUpdated": _catalogued,
    "ContentMetadataRemoved": _removed,
    "RecommendationModelPublished": _published,
    "ExperimentAssignment": _assigned,
    "ExperimentResultPublished": _decided,
    "ServiceHealthReported": _reported,
}
