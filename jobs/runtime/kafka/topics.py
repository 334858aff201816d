"""The topics that conf/topics.yaml declares, and how an existing Kafka differs from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from jobs.runtime.conf_files import CONF_DIR, Section, merge, parse, read_profile, read_yaml

TOPICS = CONF_DIR / "topics.yaml"
DAY_MS = 24 * 60 * 60 * 1000


class Topic(Section):
    """A declared topic.

    Attributes:
        key: name of the field whose value is the Kafka key.
        keys: name of the key field of event types that are keyed by another, by event type.
    """

    key: str
    keys: dict[str, str] = Field(default_factory=dict)
    partitions: int = Field(gt=0)
    retention_days: int = Field(gt=0)
    compression: Literal["snappy", "lz4", "zstd", "gzip"]
    replication: int = Field(gt=0)
    min_insync_replicas: int = Field(gt=0)

    @model_validator(mode="after")
    def _a_write_can_succeed(self) -> Topic:
        """Refuse more min_insync_replicas than replicas, with which every write would fail."""
        if self.min_insync_replicas > self.replication:
            raise ValueError(f"min_insync_replicas of at most replication ({self.replication})")
        return self

    def key_of(self, event_type: str) -> str:
        """The name of the field that events of a type are keyed by."""
        return self.keys.get(event_type, self.key)

    @property
    def configs(self) -> dict[str, str]:
        """The declaration as Kafka's topic settings, without partitions and replication.

        Arrival time is the broker's clock (LogAppendTime): a producer's wrong clock cannot
        touch it, and watermarks run on it.
        """
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_days * DAY_MS),
            "compression.type": self.compression,
            "min.insync.replicas": str(self.min_insync_replicas),
            "message.timestamp.type": "LogAppendTime",
        }


class _Topics(Section):
    """The shape of a profile of conf/topics.yaml."""

    topics: dict[str, Topic]


def load_topics(profile: str, *, file: Path | None = None) -> dict[str, Topic]:
    """Load the declared topics.

    Args:
        profile: name under `profiles:` in the file.
        file: declaration of topics; conf/topics.yaml by default.

    Returns:
        The topics, by name.

    Raises:
        SettingsError: a value is wrong; names the file, the key, the value found and what is
            allowed.
    """
    file = file or TOPICS
    tree = read_profile(file, profile)
    defaults = tree.pop("defaults", None) or {}
    declared = tree.get("topics")
    if isinstance(declared, dict):
        tree["topics"] = {
            name: merge(defaults, stated) if isinstance(stated, dict) else stated
            for name, stated in declared.items()
        }
    return parse(_Topics, tree, origin=str(file)).topics


def profiles(file: Path = TOPICS) -> list[str]:
    """The names of the profiles in a declaration of topics.

    Raises:
        SettingsError: the file cannot be read.
    """
    return list(read_yaml(file).get("profiles") or {})


@dataclass(frozen=True)
class Existing:
    """A topic as Kafka has it.

    Attributes:
        partitions: number of partitions.
        replication: number of replicas.
        configs: Kafka's topic settings.
        key: recorded name of the key field; None: none was ever recorded.
    """

    partitions: int
    replication: int
    configs: Mapping[str, str]
    key: str | None


@dataclass(frozen=True)
class Step:
    """The change of one topic from its present state to its declaration.

    Attributes:
        name: name of the topic.
        declared: declaration of the topic.
        now: present state; None: the topic does not exist.
        may_grow: whether its partitions may grow although that moves keys.
    """

    name: str
    declared: Topic
    now: Existing | None
    may_grow: bool

    @property
    def grows(self) -> bool:
        """Whether the topic exists and is to have more partitions."""
        return self.now is not None and self.declared.partitions > self.now.partitions

    @property
    def records_key(self) -> bool:
        """Whether the topic's key is to be recorded: it is new, or was made by someone else."""
        return self.now is None or self.now.key is None

    @property
    def configs(self) -> dict[str, str]:
        """The settings of an existing topic that are to change, with their new values."""
        if self.now is None:
            return {}
        now = self.now.configs
        return {key: value for key, value in self.declared.configs.items() if now[key] != value}

    @property
    def action(self) -> str:
        """The step in one word: `refused`, `create`, `update` or `unchanged`."""
        if self.refusals():
            return "refused"
        if self.now is None:
            return "create"
        return "update" if self.changes() else "unchanged"

    def changes(self) -> list[str]:
        """The changes that the step makes, as text for a person, empty if there are none."""
        declared, now = self.declared, self.now
        if now is None:
            return [
                f"key {declared.key}, partitions {declared.partitions}, "
                f"replication {declared.replication}, kept {declared.retention_days} days"
            ]
        changes = [f"{key}: {now.configs[key]} -> {value}" for key, value in self.configs.items()]
        if self.grows:
            changes.append(f"partitions: {now.partitions} -> {declared.partitions}")
        if self.records_key:
            changes.append(f"key {declared.key}: recorded")
        return changes

    def refusals(self) -> list[str]:
        """The reasons why the step must not be taken, each with its remedy, empty if it may."""
        declared, now = self.declared, self.now
        if now is None:
            return []
        refusals = []
        if now.key not in (None, declared.key):
            refusals.append(
                f"key {now.key} -> {declared.key}: the records already there are ordered per "
                f"{now.key}; declare a new topic"
            )
        if now.partitions > declared.partitions:
            refusals.append(
                f"partitions {now.partitions} -> {declared.partitions}: Kafka cannot shrink a "
                "topic without dropping records; declare a new topic"
            )
        if self.grows and not self.may_grow:
            refusals.append(
                f"partitions {now.partitions} -> {declared.partitions}: keys would move to other "
                f"partitions, out of order with their past; if that is meant: --grow {self.name}"
            )
        if now.replication != declared.replication:
            refusals.append(
                f"replication {now.replication} -> {declared.replication}: moves data between "
                "brokers; use kafka-reassign-partitions"
            )
        return refusals
