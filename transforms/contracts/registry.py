"""The registry: every contract by event type and version, and the way to the newest one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from transforms.contracts.contract import Contract, ContractError, Schema


class Registry:
    """All contracts, indexed.

    Args:
        documents: JSON Schema documents by event type, then by version ("2.1").

    Raises:
        ContractError: a document is not a contract.
    """

    def __init__(self, documents: Mapping[str, Mapping[str, Schema]]) -> None:
        self._contracts = {
            event_type: sorted(
                (Contract(event_type, version, schema) for version, schema in versions.items()),
                key=lambda contract: contract.major_minor,
            )
            for event_type, versions in sorted(documents.items())
        }

    def __iter__(self) -> Iterator[Contract]:
        """Every contract, by event type and then from oldest to newest."""
        for versions in self._contracts.values():
            yield from versions

    @property
    def event_types(self) -> tuple[str, ...]:
        """The event types, sorted."""
        return tuple(self._contracts)

    def versions(self, event_type: str) -> tuple[Contract, ...]:
        """The contracts of one event type, oldest first; ContractError if there are none."""
        try:
            return tuple(self._contracts[event_type])
        except KeyError:
            raise ContractError(f"no contract for event type '{event_type}'") from None

    def newest(self, event_type: str) -> Contract:
        """The contract whose shape silver holds; ContractError for an unknown type."""
        return self.versions(event_type)[-1]

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic that some contract names, sorted."""
        return tuple(sorted({topic for contract in self for topic in contract.topics}))
