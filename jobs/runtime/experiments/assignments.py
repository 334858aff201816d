"""Assign users to variants, and publish one event for each user and experiment."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.kafka.clients import Producer, producer
from jobs.runtime.outbox import contract_of, record_of
from jobs.runtime.settings import KafkaSettings
from transforms.contracts.contract import Contract
from transforms.experiments.assignment import assign
from transforms.experiments.definitions import Catalogue
from transforms.instants import rfc3339

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:playhead:assignment")
EVENT_TYPE = "ExperimentAssignment"
HEADING = {"eventType": EVENT_TYPE, "version": "1.0"}
LINGER_MS = 5  # an assignment waits this long for others to travel with
REMEMBERED = 1_000_000


class Assigner:
    """Assigns users to variants and publishes each first assignment. For one thread.

    The event's id is made of user and experiment, so what several processes publish, or one that
    was started again, is one event and its duplicates.

    Args:
        definitions: definitions of the experiments.
        contract: the contract of ExperimentAssignment.
        sender: producer that queues the events; one that is not delivered makes the next call
            raise.
        remembered: number of pairs of user and experiment remembered as published; the oldest are
            evicted.
        clock: function that returns now, as an aware datetime.
    """

    def __init__(
        self,
        definitions: Catalogue,
        contract: Contract,
        sender: Producer,
        remembered: int = REMEMBERED,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._definitions = definitions
        self._contract = contract
        self._sender = sender
        self._remembered = remembered
        self._clock = clock
        self._published: OrderedDict[tuple[str, str], None] = OrderedDict()

    def assign(
        self, user_id: str, experiment_id: str, context: Mapping[str, str] | None = None
    ) -> str | None:
        """The user's variant; the first call for a user and experiment publishes the assignment.

        Args:
            user_id: id of the user.
            experiment_id: id of the experiment.
            context: attributes of the user, by name; results are shown by `region` and
                `device_type`.

        Returns:
            The variant; None if the user does not take part, see `assignment.assign`.

        Raises:
            DefinitionError: the experiment has no definition.
            DataError: the event would break its contract; nothing is published.
            ServiceError: Kafka did not take an earlier event.
        """
        at = self._clock()
        variant = assign(user_id, experiment_id, self._definitions, at=at, context=context)
        asked = (experiment_id, user_id)
        if variant is not None and asked not in self._published:
            event = assignment_event(user_id, experiment_id, variant, at, context)
            self._publish(event)
            self._remember(asked)
        return variant

    def _publish(self, event: Mapping[str, Any]) -> None:
        """Validate an event and queue it for its topic."""
        record = record_of(self._contract, event)
        [topic] = record.topics  # no transaction
        self._sender.send(topic, record.value, key=record.key)

    def _remember(self, asked: tuple[str, str]) -> None:
        """Remember a published pair of experiment and user; evict the oldest beyond the limit."""
        self._published[asked] = None
        if len(self._published) > self._remembered:
            self._published.popitem(last=False)


def assignment_event(
    user_id: str,
    experiment_id: str,
    variant: str,
    at: datetime,
    context: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The ExperimentAssignment event of a user and experiment; always under the same eventId.

    Args:
        user_id: id of the user.
        experiment_id: id of the experiment.
        variant: name of the variant.
        at: event time, as an aware datetime.
        context: attributes of the user, by name.
    """
    return {
        **HEADING,
        "timestamp": rfc3339(at),
        "eventId": str(uuid.uuid5(NAMESPACE, f"{experiment_id}/{user_id}")),
        "userId": user_id,
        "experimentId": experiment_id,
        "variant": variant,
        "context": dict(context or {}),
    }


@contextmanager
def open_assigner(kafka: KafkaSettings, definitions: Catalogue) -> Iterator[Assigner]:
    """Open an assigner for the time of the block; at its end every event is acknowledged.

    Args:
        kafka: connection to the cluster that the events are sent to.
        definitions: definitions of the experiments.

    Yields:
        The assigner.

    Raises:
        ServiceError: Kafka cannot be reached, or did not take an event.
    """
    contract = contract_of(load_registry(), HEADING)
    with producer(kafka, linger_ms=LINGER_MS) as sender:
        yield Assigner(definitions, contract, sender)
