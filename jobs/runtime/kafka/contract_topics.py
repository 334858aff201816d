"""Contracts and declared topics compared: where an event goes, and by which field it is keyed."""

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
    """A declared topic that is not as a contract says.

    Attributes:
        file: the declaration of topics.
        reason: what is wrong.
        remedy: what to do about it.
    """

    file: Path
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason} -> {self.remedy}"


def folder_mismatches(folder: Path) -> list[Mismatch]:
    """Compare the contracts of a folder with the topics.yaml beside it, under every profile.

    Returns:
        The mismatches, each once; none if no topics are declared beside the folder.

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
    """Raise SettingsError if a declared topic is not as the contracts say; it names the first."""
    for first in mismatches(registry, declared, file):
        raise SettingsError(f"{first.file}: {first.reason}", first.remedy)


def mismatches(registry: Registry, declared: Mapping[str, Topic], file: Path) -> Iterator[Mismatch]:
    """Compare contracts with declared topics.

    Args:
        registry: the contracts.
        declared: the topics by name.
        file: the place of the declaration, for the reader.

    Returns:
        Contracts whose topic is not declared or has another key, and keys declared for event
        types that no contract has.
    """
    for contract in registry:
        for name in contract.topics:
            yield from _contract_mismatches(contract, name, declared.get(name), file)
    for name, topic in declared.items():
        yield from _needless_keys(registry, name, topic, file)


def _contract_mismatches(
    contract: Contract, name: str, topic: Topic | None, file: Path
) -> Iterator[Mismatch]:
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
