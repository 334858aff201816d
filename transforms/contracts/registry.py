"""The registry: every contract by event type and version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from transforms.contracts.contract import Contract, ContractError, Schema


class Registry:
    """All contracts, indexed by event type.

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
        """Iterate over all contracts, by event type and then from oldest to newest."""
        for versions in self._contracts.values():
            yield from versions

    @property
    def event_types(self) -> tuple[str, ...]:
        """The event types, sorted."""
        return tuple(self._contracts)

    def versions(self, event_type: str) -> tuple[Contract, ...]:
        """The contracts of one event type, oldest first.

        Raises:
            ContractError: the event type is unknown.
        """
        try:
            return tuple(self._contracts[event_type])
        except KeyError:
            raise ContractError(f"no contract for event type '{event_type}'") from None

    def newest(self, event_type: str) -> Contract:
        """The newest contract of an event type, whose shape silver holds.

        Raises:
            ContractError: the event type is unknown.
        """
        return self.versions(event_type)[-1]

    @property
    def topics(self) -> tuple[str, ...]:
        """All topics of all contracts, sorted."""
        return tuple(sorted({topic for contract in self for topic in contract.topics}))
