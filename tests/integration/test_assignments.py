"""Assignments reach Kafka once for each user and experiment, as the contract has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import DataError
from jobs.runtime.experiments.assignments import EVENT_TYPE, Assigner, open_assigner
from jobs.runtime.experiments.results_refresh import publish_results
from jobs.runtime.kafka.clients import producer, python_options
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.settings import KafkaSettings, load_settings
from tests.support.attribution_cases import documents
from tests.support.contracts import assert_sound
from transforms.experiments.assignment import hashed_variant
from transforms.experiments.definitions import Catalogue, catalogue

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def definitions() -> Catalogue:
    known = documents()
    known["rows.yaml"]["start"] = (NOW - timedelta(days=1)).isoformat()
    known["rows.yaml"]["traffic"][0]["at"] = known["rows.yaml"]["start"]
    known["rows.yaml"]["end"] = (NOW + timedelta(days=1)).isoformat()
    return catalogue(known)


@pytest.fixture(scope="module")
def kafka(broker: KafkaSettings) -> KafkaSettings:
    apply_topics(broker, load_topics(load_settings(environment={}).profile))
    return broker


def published(kafka: KafkaSettings, key: str) -> list[dict]:
    """The events of experiments whose key begins so, each held to its contract."""
    consumer = KafkaConsumer(
        "experiment-events",
        **python_options(kafka),
        auto_offset_reset="earliest",
        consumer_timeout_ms=3000,
    )
    records = [(record.topic, record.key, record.value) for record in consumer]
    consumer.close()
    return [assert_sound(*record) for record in records if record[1].startswith(key.encode())]


def test_a_user_is_published_once_and_as_hashed(
    kafka: KafkaSettings, definitions: Catalogue
) -> None:
    users = [f"once_{number}" for number in range(50)]
    with open_assigner(kafka, definitions) as assigner:
        answers = [assigner.assign(user, "rows", {"region": "eu"}) for user in users * 3]
    events = published(kafka, "once_")
    told = {event["userId"]: event["variant"] for event in events}
    assert len(events) == len(told) == 50
    assert answers == [told[user] for user in users * 3]
    experiment = definitions.experiments["rows"]
    assert told == {user: hashed_variant(experiment, user) for user in users}
    assert {event["experimentId"] for event in events} == {"rows"}
    assert {event["context"]["region"] for event in events} == {"eu"}


def test_another_process_publishes_a_duplicate(
    kafka: KafkaSettings, definitions: Catalogue
) -> None:
    for _ in range(2):
        with open_assigner(kafka, definitions) as assigner:
            assigner.assign("twice", "rows")
    first, second = published(kafka, "twice")
    assert first["eventId"] == second["eventId"]


def test_who_takes_no_part_is_not_published(kafka: KafkaSettings, definitions: Catalogue) -> None:
    with producer(kafka) as sender:
        contract = load_registry().newest(EVENT_TYPE)
        late = Assigner(definitions, contract, sender, clock=lambda: NOW + timedelta(days=2))
        assert late.assign("late", "rows") is None
    assert published(kafka, "late") == []


def test_a_user_that_breaks_the_contract_is_refused(
    kafka: KafkaSettings, definitions: Catalogue
) -> None:
    with (
        open_assigner(kafka, definitions) as assigner,
        pytest.raises(DataError, match=r"\$\.userId"),
    ):
        assigner.assign("not an id", "rows")
    assert published(kafka, "not an id") == []


def test_a_decision_is_published_once_for_an_experiment(kafka: KafkaSettings) -> None:
    row = {
        "experiment_id": "decided",
        "computed_at": NOW,
        "decision": {"verdict": "stop", "reasons": ["guardrail_broken", "goal_worsened"]},
        "built_from": {"definition_hash": "ab12"},
    }
    publish_results(kafka, [{**row, "metric": "plays"}, {**row, "metric": "back"}])
    [event] = published(kafka, "decided")
    assert (event["decision"], event["reasons"]) == ("stop", ["guardrail_broken", "goal_worsened"])
    assert event["definitionHash"] == "ab12"
