"""The outbox: an event of ours held to its contract and encoded, before it is sent by any way."""

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
    """An event as Kafka gets it.

    Attributes:
        topics: all that are to have it, as its contract says.
        key: the record's key in each topic.
        value: the record's value in each topic.
    """

    topics: tuple[str, ...]
    key: bytes
    value: bytes


class BrokenContractError(DataError):
    """An event of ours that must not be sent.

    Attributes:
        violation: the first rule that it breaks.
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
        DataError: there is none.
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
    """Hold an event of ours to its contract, and encode it.

    Members that the contract does not declare are refused as well, though readers accept them:
    `encode` leaves them out, so what they say would be lost in silence.

    Args:
        contract: of the event's type and version.
        event: what is to be sent.
        remedy: what to do about an event that is refused.

    Raises:
        BrokenContractError: the event breaks the contract; it names type, path and rule.
    """
    for violation in violations(contract, event, declared_only=True):
        raise BrokenContractError(contract, violation, remedy)
    return Record(contract.topics, str(event[contract.key]).encode(), encode(contract, event))
