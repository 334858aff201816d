"""An event of ours goes to Kafka as its contract has it, whoever sends it, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import DataError, PlayheadError
from jobs.runtime.experiments import results_refresh
from jobs.runtime.experiments.assignments import Assigner
from jobs.runtime.outbox import BrokenContractError, contract_of, record_of
from jobs.runtime.profiles.commands import CommandRejected, Commands
from jobs.runtime.recommendations import promotion
from jobs.runtime.settings import load_settings
from tests.support.attribution_cases import documents
from tests.support.commands import Ratings
from transforms.commands.profile import RateContent, UpdatePreferences
from transforms.experiments.definitions import catalogue

NOW = datetime(2026, 9, 21, 14, 13, 20, 5, tzinfo=UTC)
SETTINGS = load_settings(environment={})
Records = list[tuple[str, bytes, bytes]]
Way = Callable[["Kafka", str], None]  # sends an event about who or what has this name


class Kafka:
    """Takes what is sent by transaction or by producer."""

    def __init__(self) -> None:
        self.records: Records = []
        self.opened = 0

    def publish(self, _: str, topics: Sequence[str], key: bytes, value: bytes) -> None:
        self.records += [(topic, key, value) for topic in topics]

    def send(self, topic: str, value: bytes, *, key: bytes) -> None:
        self.records.append((topic, key, value))

    def close(self) -> None:
        pass


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    taken = Kafka()

    @contextmanager
    def opened(*_: Any) -> Iterator[Kafka]:
        taken.opened += 1
        yield taken

    monkeypatch.setattr(results_refresh, "producer", opened)
    monkeypatch.setattr(promotion, "kafka_of", opened)
    monkeypatch.setattr(promotion, "Publisher", lambda *_: taken)
    return taken


def command(kafka: Kafka, user: str) -> None:
    commands = Commands(load_registry(), Ratings(), kafka, SETTINGS.refine, lambda: NOW)
    commands.send(RateContent(command_id="c-1", user_id=user, at=NOW, title_id="t_1", stars=4.5))


def preferences(kafka: Kafka, user: str) -> None:
    commands = Commands(load_registry(), Ratings(), kafka, SETTINGS.refine, lambda: NOW)
    changes = {"language": "é", "autoplay": True}
    commands.send(UpdatePreferences(command_id="c-1", user_id=user, at=NOW, changes=changes))


def assignment(kafka: Kafka, user: str) -> None:
    known = documents()
    start, end = (NOW + timedelta(days=days) for days in (-1, 1))
    known["rows.yaml"] |= {"start": start.isoformat(), "end": end.isoformat()}
    known["rows.yaml"]["traffic"][0]["at"] = start.isoformat()
    contract = load_registry().newest("ExperimentAssignment")
    assigner = Assigner(catalogue(known), contract, kafka, clock=lambda: NOW)
    assigner.assign(user, "rows", {"region": "eu", "device_type": "tv"})


def result(kafka: Kafka, experiment: str) -> None:
    row = {
        "experiment_id": experiment,
        "computed_at": NOW,
        "decision": {"verdict": "stop", "reasons": ["guardrail_broken"]},
        "built_from": {"definition_hash": "ab12"},
    }
    sound = {**row, "experiment_id": "sound"} if " " in experiment else row
    results_refresh.publish_results(SETTINGS.kafka, [sound, row])


def model(kafka: Kafka, name: str) -> None:
    tags = {
        "promoted_at": "2026-11-01T00:00:00.000000Z",
        "trained_at": "2026-10-31T00:00:00Z",
        "metric.ndcg": "0.4",
    }
    promotion.publish(SETTINGS, promotion.promotion_event(name, "1", tags))


# the digest is of the records by the newest contract, as first published
WAYS: list[tuple[Way, str, str, str]] = [
    (command, "ContentRated", "$.userId", "ba7cb008a7f54397"),
    (preferences, "UserPreferencesUpdated", "$.userId", "14a5cf024d14cd25"),
    (assignment, "ExperimentAssignment", "$.userId", "f969547cfa4e8334"),
    (result, "ExperimentResultPublished", "$.experimentId", "51a2f2656e1a2505"),
    (model, "RecommendationModelPublished", "$.modelName", "0476e01a3b48a38e"),
]


@pytest.mark.parametrize(("send", "event_type", "path", "digest"), WAYS)
def test_the_bytes_of_an_event_do_not_change(
    kafka: Kafka, send: Way, event_type: str, path: str, digest: str
) -> None:
    send(kafka, "ada")
    told = hashlib.sha256(repr(kafka.records).encode()).hexdigest()
    assert kafka.records
    assert told[:16] == digest, kafka.records


@pytest.mark.parametrize(("send", "event_type", "path", "digest"), WAYS)
def test_an_event_that_breaks_its_contract_is_refused_and_nothing_is_sent(
    kafka: Kafka, send: Way, event_type: str, path: str, digest: str
) -> None:
    with pytest.raises(PlayheadError) as refused:
        send(kafka, "not an id")
    assert kafka.records == []
    assert kafka.opened == 0, "Kafka was called"
    if event_type in ("ContentRated", "UserPreferencesUpdated"):
        assert isinstance(refused.value, CommandRejected)
        assert (refused.value.path, refused.value.rule) == (path, "pattern")
    else:
        assert isinstance(refused.value, DataError)
        assert str(refused.value).startswith(f"{event_type} 1.0 breaks its contract: {path}: ")
        assert "(pattern) -> " in str(refused.value)


def test_a_member_that_the_contract_does_not_declare_is_refused(kafka: Kafka) -> None:
    event = promotion.promotion_event("m", "1", {"promoted_at": "2026-11-01T00:00:00Z",
                                           "trained_at": "2026-11-01T00:00:00Z"})  # fmt: skip
    contract = contract_of(load_registry(), event)
    assert record_of(contract, event).topics == ("recommendation-model-updates",)
    with pytest.raises(BrokenContractError, match=r"additionalProperties"):
        record_of(contract, event | {"more": 1})


def test_an_event_is_held_to_the_version_that_it_names() -> None:
    started = {"eventType": "VideoPlaybackStarted", "version": "2.0"}
    assert contract_of(load_registry(), started).version == "2.0"
    with pytest.raises(DataError, match=r"VideoPlaybackStarted 9\.9 .*-> add conf/schemas"):
        contract_of(load_registry(), started | {"version": "9.9"})
