"""Bring the topics of a Kafka to the state that conf/topics.yaml declares.

Kafka knows a topic's partitions and settings, but not which field its records are keyed by, and
its topic settings take no field of ours. The key is therefore recorded in Kafka too, in the
compacted topic `_playhead-topics` (topic name -> {"key": ...}): it belongs to the cluster, so
every machine that runs this job reads the same record.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType

from jobs.runtime.errors import ServiceError, SettingsError
from jobs.runtime.kafka.clients import admin, producer, python_options
from jobs.runtime.kafka.topics import Existing, Step, Topic
from jobs.runtime.settings import KafkaSettings

REGISTER = "_playhead-topics"


def apply_topics(kafka: KafkaSettings, declared: Mapping[str, Topic]) -> None:
    """Create and update topics so that they are as declared, without touching topics not declared.

    Args:
        kafka: connection to the cluster.
        declared: declared topics, by name.

    Raises:
        SettingsError: a topic would have to grow, shrink, or change key or replication; nothing
            was done.
        ServiceError: Kafka cannot be reached or refuses.
    """
    with admin(kafka) as client:
        take_steps(client, kafka, plan_steps(client, kafka, declared))


def plan_steps(
    client: KafkaAdminClient,
    kafka: KafkaSettings,
    declared: Mapping[str, Topic],
    grow: Collection[str] = (),
) -> list[Step]:
    """Plan the step that each declared topic needs.

    Args:
        client: administration client connected to `kafka`.
        kafka: connection to the cluster.
        declared: declared topics, as `load_topics` returns them.
        grow: names of topics whose partitions may grow although that moves keys.

    Returns:
        A step for each declared topic, those without changes included.

    Raises:
        SettingsError: `grow` names a topic that is not declared.
    """
    _refuse_unknown(grow, declared)
    return _steps(declared, _existing_topics(client, kafka, declared), grow)


def survey_of_none(declared: Mapping[str, Topic], grow: Collection[str] = ()) -> list[Step]:
    """As `plan_steps`, for a Kafka that does not exist yet.

    Args:
        declared: declared topics, as `load_topics` returns them.
        grow: names of topics whose partitions may grow.

    Returns:
        A step for each declared topic, which creates it.

    Raises:
        SettingsError: `grow` names a topic that is not declared.
    """
    _refuse_unknown(grow, declared)
    return _steps(declared, {}, grow)


def _refuse_unknown(grow: Collection[str], declared: Mapping[str, Topic]) -> None:
    """Raise SettingsError if `grow` names a topic that is not declared."""
    unknown = sorted(set(grow) - set(declared))
    if unknown:
        raise SettingsError(f"--grow {unknown[0]}", f"use one of: {', '.join(declared)}")


def _steps(
    declared: Mapping[str, Topic], existing: Mapping[str, Existing], grow: Collection[str]
) -> list[Step]:
    """A step for each declared topic, from its existing state if any."""
    return [
        Step(name, topic, existing.get(name), may_grow=name in grow)
        for name, topic in declared.items()
    ]


def refuse_steps(steps: Sequence[Step]) -> None:
    """Raise SettingsError if any step must not be taken."""
    reasons = [f"{step.name}: {reason}" for step in steps for reason in step.refusals()]
    if reasons:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise SettingsError(
            f"nothing was changed: conf/topics.yaml asks for what cannot be done: {reasons[0]}"
            f"{more}",
            "mend the file, or do as said; --plan shows every topic",
        )


def take_steps(client: KafkaAdminClient, kafka: KafkaSettings, steps: Sequence[Step]) -> None:
    """Take all steps, or none if one must not be taken.

    Args:
        client: administration client connected to `kafka`.
        kafka: connection to the cluster.
        steps: steps, as `plan_steps` returns them.

    Raises:
        SettingsError: a step must not be taken; nothing was done.
        ServiceError: Kafka refuses.
    """
    refuse_steps(steps)
    _create(client, {step.name: step.declared for step in steps if step.now is None})
    configs = [_resource(step.name, step.configs) for step in steps if step.configs]
    if configs:
        _alter(client, configs)
    grown = {step.name: step.declared.partitions for step in steps if step.grows}
    if grown:
        client.create_partitions(grown)
    _record_keys(client, kafka, [step for step in steps if step.records_key])


def _existing_topics(
    client: KafkaAdminClient, kafka: KafkaSettings, declared: Mapping[str, Topic]
) -> dict[str, Existing]:
    """The state of those declared topics that exist, by name."""
    names = sorted(set(client.list_topics()) & set(declared))
    if not names:
        return {}
    keys = _keys_on_record(kafka)
    wanted = [_resource(name, declared[name].configs) for name in names]
    configs = client.describe_configs(wanted, config_filter=ConfigFilterType.ALL)["topic"]
    return {
        topic["name"]: Existing(
            partitions=len(topic["partitions"]),
            replication=len(topic["partitions"][0]["replica_nodes"]),
            configs={key: entry["value"] for key, entry in configs[topic["name"]].items()},
            key=keys.get(topic["name"]),
        )
        for topic in client.describe_topics(names)
    }


def _resource(topic: str, configs: Mapping[str, str]) -> ConfigResource:
    """kafka-python's resource of a topic, with settings to read or change."""
    return ConfigResource(ConfigResourceType.TOPIC, topic, dict(configs))


def _create(client: KafkaAdminClient, topics: Mapping[str, Topic]) -> None:
    """Create topics as declared.

    Raises:
        ServiceError: Kafka refuses a topic.
    """
    _request_topics(
        client,
        {
            name: {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": topic.configs,
            }
            for name, topic in topics.items()
        },
    )


def _request_topics(client: KafkaAdminClient, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    """Create topics.

    Args:
        client: connected administration client.
        wanted: kafka-python's parameters of the topic, by name.

    Raises:
        ServiceError: Kafka refuses a topic.
    """
    if not wanted:
        return
    answer = client.create_topics(wanted, raise_errors=False, wait_for_metadata=True)
    for topic in answer["topics"]:
        if topic["error_code"]:
            raise ServiceError(
                f"Kafka refused to create {topic['name']}: {topic['error_message']}",
                "mend conf/topics.yaml or choose the profile with --env, then repeat",
            )


def _alter(client: KafkaAdminClient, configs: Sequence[ConfigResource]) -> None:
    """Change the settings of topics.

    Raises:
        ServiceError: Kafka refuses them.
    """
    for topic, result in client.alter_configs(configs)["topic"].items():
        if result != "OK":
            raise ServiceError(
                f"Kafka refused the settings of {topic}: {result}", "mend conf/topics.yaml"
            )


def _record_keys(client: KafkaAdminClient, kafka: KafkaSettings, steps: Sequence[Step]) -> None:
    """Record the declared key of each step's topic in REGISTER, creating that if needed."""
    if not steps:
        return
    if REGISTER not in client.list_topics():
        replication = max(step.declared.replication for step in steps)
        configs = {"cleanup.policy": "compact"}
        register = {"num_partitions": 1, "replication_factor": replication, "configs": configs}
        _request_topics(client, {REGISTER: register})
    with producer(kafka) as sender:
        for step in steps:
            value = json.dumps({"key": step.declared.key}).encode()
            sender.send(REGISTER, value, key=step.name.encode())


def _keys_on_record(kafka: KafkaSettings) -> dict[str, str]:
    """Read the recorded keys.

    Returns:
        Name of the key field, by topic; empty if REGISTER does not exist.
    """
    consumer = KafkaConsumer(**python_options(kafka))
    try:
        if REGISTER not in consumer.topics():
            return {}
        partition = TopicPartition(REGISTER, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        keys: dict[str, str] = {}
        while consumer.position(partition) < end:
            for record in consumer.poll(1000).get(partition, []):
                keys[record.key.decode()] = json.loads(record.value)["key"]
        return keys
    finally:
        consumer.close()
