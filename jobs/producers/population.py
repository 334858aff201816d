"""A synthetic population of users and titles, and the events it produces, of any number.

Scenes, one for each event, are made in chunks of `CHUNK`. A chunk depends on the population and its
own number only, so the same seed gives the same events in whatever order, on however many machines
chunks are made.

A chunk is filled with stories (`STORIES`): short runs of events of one user and title, such as an
impression, a play, a pause, a completion and a rating. The stories of a chunk are interleaved, the
order within a story is kept; the last ones may be cut short. Users and titles are drawn with a long
tail. The fixed attributes of a user (region, device, variants) or a title (kind, length, genres)
are derived from a hash of it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from jobs.producers.viewing import PLAYERS

T = TypeVar("T")

CHUNK = 4096
PLOT, CAST = 1, 2  # random streams of a chunk
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

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "sa-east-1")
DEVICES = tuple(PLAYERS)
CONTENT_TYPES = ("movie", "movie", "episode", "episode", "episode", "trailer", "live")
GENRES = ("Action", "Animation", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Romance")
EXPERIMENTS = ("homepage_v2", "player_ui_v3", "artwork_v1")
VARIANTS = ("control", "treatment")


class Scene(NamedTuple):
    """One event to be made.

    Attributes:
        number: place in the whole run.
        event_type: type of the event.
        story: id of the story, unique in the run.
        user, title: numbers, from 0.
        seed: seed of the population.
        progress: share of the title watched at the event, 0 to 1.
        chance: random number of the event itself, in [0, 1).
        whim: random number of the story, in [0, 1).
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
        users: number of users.
        titles: number of titles.
        seed: seed that distinguishes populations of the same size.
    """

    users: int
    titles: int
    seed: int

    @property
    def name(self) -> str:
        """The population's unique name; the beginning of all its event ids."""
        return f"sim.{self.users}.{self.titles}.{self.seed}"

    def event_types(self, chunk: int) -> list[str]:
        """The event types of a chunk, in order; cheap, as no event is made."""
        return [SEQUENCES[story][step] for story, step in self._plot(chunk)[0]]

    def _plot(self, chunk: int) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
        """The plan of a chunk: which story and step each of its events is.

        Returns:
            For each event, in order, the index of its story in SEQUENCES and the step in it; and,
            as an array, the number of its story in the chunk.
        """
        rng = np.random.default_rng([self.seed, chunk, PLOT])
        kinds = rng.choice(len(SEQUENCES), size=CHUNK, p=list(STORIES.values()))
        lengths = np.array([len(sequence) for sequence in SEQUENCES])[kinds]
        story = np.repeat(np.arange(CHUNK), lengths)[:CHUNK]
        step = np.arange(CHUNK) - (np.cumsum(lengths) - lengths)[story]
        order = np.argsort(rng.random(CHUNK)[story] + 0.02 * step, kind="stable")
        plot = zip(kinds[story][order].tolist(), step[order].tolist(), strict=True)
        return list(plot), story[order]

    def scenes(self, chunk: int) -> Iterator[Scene]:
        """The scenes of a chunk, in order."""
        plot, story = self._plot(chunk)
        rng = np.random.default_rng([self.seed, chunk, CAST])
        who, what, watched, whim = rng.random((4, CHUNK))
        users = (self.users * who**TAIL).astype(int)[story].tolist()
        titles = (self.titles * what**TAIL).astype(int)[story].tolist()
        lengths = [len(SEQUENCES[kind]) for kind, _ in plot]
        share = (np.array([step for _, step in plot]) + 1) / np.array(lengths)
        return map(
            Scene,
            range(chunk * CHUNK, (chunk + 1) * CHUNK),
            [SEQUENCES[kind][step] for kind, step in plot],
            [f"{self.seed}-{chunk}-{number}" for number in story.tolist()],
            users,
            titles,
            repeat(self.seed),
            (np.sqrt(watched[story]) * share).tolist(),
            rng.random(CHUNK).tolist(),
            whim[story].tolist(),
        )


class User(NamedTuple):
    """The fixed attributes of a user.

    Attributes:
        region: region of the user.
        device: device type.
        variants: variant of each of EXPERIMENTS.
    """

    region: str
    device: str
    variants: tuple[str, ...]


class Title(NamedTuple):
    """The fixed attributes of a title.

    Attributes:
        content_type: kind of the title.
        duration: running time in whole seconds.
        genres: names of its genres.
        year: year of release.
    """

    content_type: str
    duration: int
    genres: tuple[str, ...]
    year: int


@lru_cache(maxsize=65_536)
def user_of(number: int, seed: int) -> User:
    """The fixed attributes of a user, by number and seed."""
    traits = _traits(number, seed, "user")
    variants = tuple(pick(VARIANTS, trait) for trait in traits[2:])
    return User(pick(REGIONS, traits[0]), pick(DEVICES, traits[1]), variants)


@lru_cache(maxsize=65_536)
def title_of(number: int, seed: int) -> Title:
    """The fixed attributes of a title, by number and seed."""
    kind, length, genre, other, year = _traits(number, seed, "title")
    genres = dict.fromkeys((pick(GENRES, genre), pick(GENRES, other)))
    return Title(
        pick(CONTENT_TYPES, kind), 300 + int(9000 * length), tuple(genres), 1950 + int(75 * year)
    )


def _traits(number: int, seed: int, what: str) -> tuple[float, ...]:
    """Five numbers in [0, 1) that are fixed for a user or title."""
    digest = hashlib.blake2b(f"{what}/{seed}/{number}".encode(), digest_size=40).digest()
    return tuple(word / 2**64 for word in struct.unpack("<5Q", digest))


def pick(choices: Sequence[T], chance: float) -> T:
    """The choice at a chance in [0, 1), each equally likely."""
    return choices[int(chance * len(choices))]
