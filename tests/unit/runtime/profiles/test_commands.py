"""Commands become events that keep their contract, are the same when repeated, or are refused."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.profiles.commands import CommandRejected, Commands
from jobs.runtime.settings import load_settings
from tests.support.commands import Ratings
from tests.support.contracts import assert_in_order, assert_sound
from transforms.commands.profile import Command, RateContent, RecordView, UpdatePreferences
from transforms.contracts.contract import Contract
from transforms.contracts.validation import violations

REGISTRY = load_registry()
BOUNDS = load_settings(environment={}).refine
NOW = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
RATE = RateContent(command_id="c-1", user_id="ada", at=NOW, title_id="t_1", stars=4.5)
VIEW = RecordView(
    command_id="c-1", user_id="ada", at=NOW, title_id="t_1", watch_s=60, completion_percentage=50
)
PREFER = UpdatePreferences(command_id="c-1", user_id="ada", at=NOW, changes={"autoplay": True})

ids = st.text("abAB09_.:-", min_size=1, max_size=8)
few_ids = st.sampled_from(["a", "aa", "a.a", ".a", "a."])
labels = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
positions = st.integers(0, 86400)
heading = {
    "command_id": ids,
    "user_id": ids,
    "at": st.datetimes(
        NOW.replace(tzinfo=None) - timedelta(days=300),
        NOW.replace(tzinfo=None),
        timezones=st.just(UTC),
    ),
}
preferences = st.fixed_dictionaries(
    {},
    optional={
        "language": labels,
        "subtitles": labels,
        "maturityRating": labels,
        "autoplay": st.booleans(),
        "favouriteGenres": st.lists(labels, max_size=3),
        "dataSaver": st.booleans(),
    },
).filter(bool)
commands = st.one_of(
    st.builds(UpdatePreferences, changes=preferences, **heading),
    st.builds(
        RecordView,
        title_id=ids,
        watch_s=positions,
        completion_percentage=st.floats(0, 100),
        session_id=st.none() | ids,
        quality=st.none() | labels,
        device=st.none() | labels,
        skips_s=st.lists(st.tuples(positions, positions), max_size=2),
        pauses_s=st.lists(positions, max_size=2),
        **heading,
    ),
    st.builds(
        RateContent,
        title_id=ids,
        stars=st.integers(1, 10).map(lambda half_stars: half_stars / 2),
        **heading,
    ),
)


class Outbox:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes]] = []

    def publish(self, command_id: str, topics: Sequence[str], key: bytes, value: bytes) -> None:
        self.records += [(topic, key, value) for topic in topics]


def published(command: Command, ratings: Ratings | None = None) -> list[tuple[str, bytes, bytes]]:
    outbox = Outbox()
    Commands(REGISTRY, ratings or Ratings(), outbox, BOUNDS, lambda: NOW).send(command)
    return outbox.records


def rejection(command: Command) -> tuple[str, str]:
    outbox = Outbox()
    with pytest.raises(CommandRejected) as raised:
        Commands(REGISTRY, Ratings(), outbox, BOUNDS, lambda: NOW).send(command)
    assert outbox.records == []
    return raised.value.path, raised.value.rule


@given(commands)
def test_an_event_keeps_its_contract_and_the_contracts_order(command: Command) -> None:
    for topic, key, value in published(command):
        assert_sound(topic, key, value)
        assert_in_order(value)


@given(commands, st.randoms())
def test_a_repeat_has_the_same_bytes_however_it_is_spelt(command: Command, random: Any) -> None:
    elsewhere = timezone(timedelta(hours=random.randint(-12, 12)))
    again = replace(command, at=command.at.astimezone(elsewhere))
    if isinstance(again, UpdatePreferences):
        names = random.sample(sorted(again.changes), len(again.changes))
        again = replace(again, changes={name: again.changes[name] for name in names})
    assert published(again) == published(command)


@given(few_ids, few_ids, few_ids, few_ids)
def test_event_ids_are_equal_for_one_command_of_one_user_only(
    user: str, command: str, other_user: str, other_command: str
) -> None:
    one = replace(RATE, user_id=user, command_id=command)
    other = replace(VIEW, user_id=other_user, command_id=other_command)
    is_same = (user, command) == (other_user, other_command)
    assert (one.event_id == other.event_id) is is_same


def test_an_event_id_never_changes_between_releases() -> None:
    # a UUID of version 5 is a SHA-1 (RFC 9562): derived here without the uuid functions of its kind
    urls = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
    namespace = _version_5(urls, "urn:playhead:command")
    assert RATE.event_id == str(_version_5(namespace, "ada/c-1"))


def _version_5(namespace: uuid.UUID, name: str) -> uuid.UUID:
    digest = hashlib.sha1(namespace.bytes + name.encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=5)


def test_preferences_go_to_the_event_store_and_to_the_published_copy() -> None:
    records = published(PREFER)
    assert [topic for topic, _, _ in records] == ["user-profile-events", "user-preference-updates"]
    assert len({(key, value) for _, key, value in records}) == 1


def test_a_rating_names_the_one_it_replaces() -> None:
    ((_, _, value),) = published(RATE, Ratings({("ada", "t_1"): 7}))
    assert json.loads(value)["data"] == {"rating": 4.5, "previousRating": 3.5}


def test_a_first_rating_names_none() -> None:
    ((_, _, value),) = published(RATE, Ratings({("ada", "t_2"): 7, ("eve", "t_1"): 7}))
    assert json.loads(value)["data"] == {"rating": 4.5}


def test_a_rating_repeated_after_the_read_model_moved_has_the_same_event_id() -> None:
    ((_, _, first),) = published(RATE)
    ((_, _, repeat),) = published(RATE, Ratings({("ada", "t_1"): 9}))
    assert json.loads(first)["eventId"] == json.loads(repeat)["eventId"]


@pytest.mark.parametrize(
    ("command", "path", "rule"),
    [
        (replace(RATE, stars=5.5), "$.data.rating", "maximum"),
        (replace(RATE, stars=4.25), "$.data.rating", "multipleOf"),
        (replace(RATE, stars=float("nan")), "$.data.rating", "json"),
        (replace(RATE, user_id="ada lovelace"), "$.userId", "pattern"),
        (replace(RATE, title_id=""), "$.contentId", "minLength"),
        (replace(VIEW, watch_s=-1), "$.data.watchDuration", "minimum"),
        (replace(VIEW, watch_s=1.5), "$.data.watchDuration", "type"),
        (replace(VIEW, skips_s=[(0, 1), (0, -1)]), "$.data.skipEvents[1].to", "minimum"),
        (replace(VIEW, pauses_s=[1] * 1001), "$.data.pauseEvents", "maxItems"),
        (replace(VIEW, device="\ud800"), "$.data.device", "json"),
        (replace(PREFER, changes={"autoplay": 1}), "$.data.preferences.autoplay", "type"),
        (replace(PREFER, changes={"autoplay": None}), "$.data.preferences.autoplay", "type"),
        (replace(PREFER, changes={"theme": "dark"}), "$.data.preferences", "additionalProperties"),
        (replace(PREFER, changes={"language": object()}), "$.data.preferences.language", "json"),
        (replace(PREFER, changes={}), "$.data.preferences", "minProperties"),
        (replace(PREFER, command_id=""), "command_id", "pattern"),
        (replace(PREFER, command_id="a b"), "command_id", "pattern"),
        (replace(PREFER, at=NOW.replace(tzinfo=None)), "at", "format"),
        (replace(PREFER, at=NOW + timedelta(seconds=301)), "$.timestamp", "not_future"),
        (replace(PREFER, at=NOW - timedelta(days=401)), "$.timestamp", "not_old"),
    ],
)
def test_a_rejected_command_says_where_and_why_and_publishes_nothing(
    command: Command, path: str, rule: str
) -> None:
    assert rejection(command) == (path, rule)


@pytest.mark.parametrize("at", [NOW + timedelta(seconds=300), NOW - timedelta(days=400)])
def test_the_bounds_of_time_themselves_are_taken(at: datetime) -> None:
    assert published(replace(VIEW, at=at))


def test_a_date_that_does_not_exist_breaks_the_contract() -> None:
    contract: Contract = REGISTRY.newest("ContentRated")
    ((_, _, value),) = published(RATE)
    event = json.loads(value) | {"timestamp": "2026-02-30T00:00:00Z"}
    assert [(found.path, found.rule) for found in violations(contract, event)] == [
        ("$.timestamp", "format")
    ]
