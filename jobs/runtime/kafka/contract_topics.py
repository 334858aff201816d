"""Comparison of contracts with declared topics: the topics of an event, and its key field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import SettingsError
from jobs.runtime.kafka.topics import TOPICS, Topic, load_topics, profiles
from transforms.contracts.contract import Contract
from transforms.contracts.registry import Registry


@dataclass(frozen=True)
class Mismatch:
    """A declared topic that disagrees with a contract.

    Attributes:
        file: declaration of topics.
        reason: difference between declaration and contract.
        remedy: change that resolves it.
    """

    file: Path
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason} -> {self.remedy}"


def folder_mismatches(folder: Path) -> list[Mismatch]:
    """Compare the contracts of a folder with the topics.yaml beside it, under every profile.

    Args:
        folder: folder of the contracts.

    Returns:
        The mismatches, each once; empty if no topics are declared beside the folder.

    Raises:
        SettingsError: a contract or the declaration of topics cannot be read.
    """
    file = folder.parent / TOPICS.name
    if not file.exists():
        return []
    registry = load_registry(folder)
    found = (
        each
        for profile in profiles(file)
        for each in mismatches(registry, load_topics(profile, file=file), file)
    )
    return list(dict.fromkeys(found))


def refuse_mismatches(
    registry: Registry, declared: Mapping[str, Topic], file: Path = TOPICS
) -> None:
    """Raise SettingsError for the first mismatch of contracts and declared topics.

    Args:
        registry: contracts to compare.
        declared: declared topics, by name.
        file: path of the declaration, for the message.
    """
    for first in mismatches(registry, declared, file):
        raise SettingsError(f"{first.file}: {first.reason}", first.remedy)


def mismatches(registry: Registry, declared: Mapping[str, Topic], file: Path) -> Iterator[Mismatch]:
    """Compare contracts with declared topics.

    Args:
        registry: contracts to compare.
        declared: declared topics, by name.
        file: path of the declaration, for messages.

    Yields:
        A mismatch for each contract whose topic is not declared or has another key, and for each
        key that a topic declares for an event type without need.
    """
    for contract in registry:
        for name in contract.topics:
            yield from _contract_mismatches(contract, name, declared.get(name), file)
    for name, topic in declared.items():
        yield from _needless_keys(registry, name, topic, file)


def _contract_mismatches(
    contract: Contract, name: str, topic: Topic | None, file: Path
) -> Iterator[Mismatch]:
    """Compare a contract with one of its topics.

    Args:
        contract: contract to compare.
        name: name of the topic.
        topic: declaration of the topic; None: it is not declared.
        file: path of the declaration.

    Yields:
        At most one mismatch.
    """
    event_type, key = contract.event_type, contract.key
    if topic is None:
        yield Mismatch(
            file,
            f"{name} of {contract.name} is not declared",
            f"declare it under topics:, with key: {key}",
        )
    elif key not in (topic.key, topic.key_of(event_type)):
        of_type = f" for {event_type}" if event_type in topic.keys else ""
        yield Mismatch(
            file,
            f"{name} is keyed by {topic.key_of(event_type)}{of_type}, {contract.name} by {key}",
            f"declare under its keys: {event_type}: {key}",
        )


def _needless_keys(registry: Registry, name: str, topic: Topic, file: Path) -> Iterator[Mismatch]:
    """Find keys that a topic declares for event types without need.

    Yields:
        A mismatch for each event type that no contract of the topic keys by another field.
    """
    of_another_key = {
        contract.event_type
        for contract in registry
        if name in contract.topics and contract.key != topic.key
    }
    for event_type in topic.keys.keys() - of_another_key:
        yield Mismatch(
            file,
            f"{name} declares a key for {event_type}, and no contract there needs one",
            f"take {event_type} out of its keys:",
        )
