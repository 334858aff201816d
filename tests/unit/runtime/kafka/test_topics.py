"""The declaration of topics, and what may separate a Kafka from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.runtime.conf_files import CONF_DIR
from jobs.runtime.errors import SettingsError
from jobs.runtime.kafka.topics import Existing, Step, Topic, load_topics

KEYS = {
    "user-interactions": "userId",
    "user-profile-events": "userId",
    "user-preference-updates": "userId",
    "content-metadata-updates": "titleId",
    "recommendation-model-updates": "modelName",
    "experiment-events": "userId",
    "system-health": "service",
}


def topic(**stated: object) -> Topic:
    defaults = {
        "key": "userId",
        "partitions": 4,
        "retention_days": 7,
        "compression": "snappy",
        "replication": 1,
        "min_insync_replicas": 1,
    }
    return Topic.model_validate({**defaults, **stated})


def step(declared: Topic, *, may_grow: bool = False, **now: object) -> Step:
    same = {
        "partitions": declared.partitions,
        "replication": declared.replication,
        "configs": declared.configs,
        "key": declared.key,
    }
    return Step("t", declared, Existing(**{**same, **now}), may_grow)


def topics_file(folder: Path, text: str) -> Path:
    file = folder / "topics.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(("profile", "copies"), [("local", (1, 1)), ("cluster", (3, 2))])
def test_the_seven_topics_are_declared_for_both_profiles(
    profile: str, copies: tuple[int, int]
) -> None:
    topics = load_topics(profile)
    assert {name: declared.key for name, declared in topics.items()} == KEYS
    for declared in topics.values():
        assert (declared.replication, declared.min_insync_replicas) == copies
        assert declared.configs["retention.ms"] == "604800000"
        assert declared.configs["compression.type"] == "snappy"
        assert declared.configs["message.timestamp.type"] == "LogAppendTime"


def test_an_unknown_key_names_the_file_the_topic_and_what_is_allowed(tmp_path: Path) -> None:
    file = topics_file(tmp_path, "base: {topics: {t: {kee: userId}}}\nprofiles: {local: {}}")
    with pytest.raises(
        SettingsError,
        match=r"topics\.yaml: unknown key 'topics\.t\.kee' -> .*: .*key, .*partitions",
    ):
        load_topics("local", file=file)


def test_more_copies_to_await_than_there_are_is_refused(tmp_path: Path) -> None:
    text = (CONF_DIR / "topics.yaml").read_text()
    file = topics_file(tmp_path, text.replace("min_insync_replicas: 1 ", "min_insync_replicas: 2 "))
    with pytest.raises(SettingsError, match="at most replication"):
        load_topics("local", file=file)


def test_a_topic_as_declared_is_left_alone() -> None:
    assert (step(topic()).action, step(topic()).changes()) == ("unchanged", [])


def test_a_setting_that_differs_is_updated_alone() -> None:
    declared = topic()
    found = step(declared, configs={**declared.configs, "retention.ms": "1000"})
    assert found.action == "update"
    assert found.configs == {"retention.ms": "604800000"}
    assert found.changes() == ["retention.ms: 1000 -> 604800000"]


def test_partitions_grow_only_when_asked() -> None:
    assert step(topic(), partitions=2).action == "refused"
    assert step(topic(), partitions=2, may_grow=True).action == "update"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ({"partitions": 8}, "partitions 8 -> 4: Kafka cannot shrink"),
        ({"key": "titleId"}, "key titleId -> userId: the records already there"),
        ({"replication": 3}, "replication 3 -> 1: moves data"),
    ],
)
def test_what_would_break_the_records_already_there_is_refused_even_if_growth_is_asked(
    now: dict[str, object], reason: str
) -> None:
    refused = step(topic(), may_grow=True, **now)
    assert refused.action == "refused"
    assert [text.startswith(reason) for text in refused.refusals()] == [True]


def test_a_topic_made_by_someone_else_gets_its_key_recorded() -> None:
    assert step(topic(), key=None).changes() == ["key userId: recorded"]
