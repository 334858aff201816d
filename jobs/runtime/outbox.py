"""Outbox: an event of ours validated and encoded as a Kafka record; nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.runtime.errors import DataError
from transforms.contracts.contract import Contract
from transforms.contracts.encoding import encode
from transforms.contracts.registry import Registry
from transforms.contracts.validation import Violation, violations


@dataclass(frozen=True)
class Record:
    """An encoded event.

    Attributes:
        topics: all topics that the event goes to, by its contract.
        key: Kafka key of the record in each topic.
        value: bytes of the record in each topic.
    """

    topics: tuple[str, ...]
    key: bytes
    value: bytes


class BrokenContractError(DataError):
    """An event of playhead breaks its contract and must not be sent.

    Attributes:
        violation: first rule that it breaks.
    """

    def __init__(self, contract: Contract, violation: Violation, remedy: str) -> None:
        super().__init__(
            f"{contract.name} breaks its contract: {violation.path}: {violation.message} "
            f"({violation.rule})",
            remedy,
        )
        self.violation = violation


def contract_of(registry: Registry, event: Mapping[str, Any]) -> Contract:
    """The contract of the type and version that an event names.

    Raises:
        DataError: there is no such contract.
    """
    named = (event["eventType"], event["version"])
    for contract in registry:
        if (contract.event_type, contract.version) == named:
            return contract
    raise DataError(
        f"{' '.join(named)} has no contract", f"add conf/schemas/{'/'.join(named)}.json"
    )


def record_of(
    contract: Contract, event: Mapping[str, Any], remedy: str = "correct it; nothing was published"
) -> Record:
    """Validate an event by its contract, and encode it.

    Members that the contract does not declare are refused as well, though readers accept them:
    `encode` drops them, so what they say would be lost silently.

    Args:
        contract: contract of the event's type and version.
        event: event to be sent, as JSON members.
        remedy: advice in the error for an event that is refused.

    Returns:
        The record to send.

    Raises:
        BrokenContractError: the event breaks the contract; it names type, path and rule.
    """
    for violation in violations(contract, event, declared_only=True):
        raise BrokenContractError(contract, violation, remedy)
    return Record(contract.topics, str(event[contract.key]).encode(), encode(contract, event))
