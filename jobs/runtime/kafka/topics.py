"""The topics that conf/topics.yaml declares, and what separates a Kafka from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from jobs.runtime.settings import CONF_DIR, Section, merge, parse, read_profile, read_yaml

TOPICS = CONF_DIR / "topics.yaml"
DAY_MS = 24 * 60 * 60 * 1000


class Topic(Section):
    """One topic as declared.

    Attributes:
        key: the field whose value is the Kafka key.
        keys: the field of event types that are keyed by another, by event type.
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
        if self.min_insync_replicas > self.replication:
            raise ValueError(f"min_insync_replicas of at most replication ({self.replication})")
        return self

    def key_of(self, event_type: str) -> str:
        """The field that events of a type are keyed by."""
        return self.keys.get(event_type, self.key)

    @property
    def configs(self) -> dict[str, str]:
        """The declaration in Kafka's topic settings, all but partitions and replication.

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
    topics: dict[str, Topic]


def load_topics(profile: str, *, file: Path | None = None) -> dict[str, Topic]:
    """The declared topics by name.

    Args:
        profile: a name under `profiles:` in the file.
        file: the declaration; conf/topics.yaml by default.

    Raises:
        SettingsError: naming the file, the key, what was found and what is allowed.
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
    """The profiles that a declaration of topics has; SettingsError if it cannot be read."""
    return list(read_yaml(file).get("profiles") or {})


@dataclass(frozen=True)
class Existing:
    """A topic as Kafka has it; `key` is None where none was ever recorded."""

    partitions: int
    replication: int
    configs: Mapping[str, str]
    key: str | None


@dataclass(frozen=True)
class Step:
    """From a topic as it is (`now`, None where there is none) to the topic as declared."""

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
        """The settings of an existing topic that are to change."""
        if self.now is None:
            return {}
        now = self.now.configs
        return {key: value for key, value in self.declared.configs.items() if now[key] != value}

    @property
    def action(self) -> str:
        """One word for it."""
        if self.refusals():
            return "refused"
        if self.now is None:
            return "create"
        return "update" if self.changes() else "unchanged"

    def changes(self) -> list[str]:
        """What will be done, for a person to read."""
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
        """Why it must not be done, each with the way out."""
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
