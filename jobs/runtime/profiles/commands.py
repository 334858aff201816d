"""The write side of profiles: validate a command and publish the event it becomes, or reject it.

    with open_commands(settings, kafka, load_registry(), ratings) as commands:
        commands.send(UpdatePreferences(command_id="c-1", user_id="ada", at=now, changes={...}))

A command may be sent again, after any error or none: its event has the same eventId, so the
pipeline takes the first copy and counts the others as duplicates (docs/semantics.md, Words).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from jobs.runtime.errors import PlayheadError
from jobs.runtime.kafka.publisher import Publisher
from jobs.runtime.outbox import BrokenContractError, contract_of, record_of
from jobs.runtime.settings import KafkaSettings, RefineSettings, Settings
from transforms.commands.profile import (
    Command,
    Event,
    RateContent,
    RecordView,
    UpdatePreferences,
    preferences_event,
    rating_event,
    view_event,
)
from transforms.contracts.registry import Registry
from transforms.contracts.validation import Violation
from transforms.ids import LONGEST_ID, is_id


class ReadModel(Protocol):
    """The read side that commands depend on."""

    def rating(self, user_id: str, title_id: str) -> int | None:
        """The user's current rating of a title.

        Returns:
            The rating in half stars; None if there is none.
        """


class CommandRejected(PlayheadError):  # noqa: N818 - what happened, in the caller's words
    """A command that must not become an event; nothing was published.

    Attributes:
        command_id: id of the command.
        path: JSONPath of the fault in the event, or the command's own field.
        rule: the rule broken: a keyword of JSON Schema, or `json`, `not_future`, `not_old`.
    """

    exit_code = 2

    def __init__(self, command_id: str, violation: Violation) -> None:
        super().__init__(
            f"command {command_id} is rejected: {violation.path}: {violation.message} "
            f"({violation.rule})",
            "correct it; nothing was published",
        )
        self.command_id = command_id
        self.path = violation.path
        self.rule = violation.rule


@dataclass(frozen=True)
class Receipt:
    """The receipt of a command that was published.

    Attributes:
        event_id: the event's eventId.
        topics: names of the topics that hold the event.
    """

    event_id: str
    topics: tuple[str, ...]


class Commands:
    """Validates commands and publishes their events; safe to share between threads.

    Args:
        registry: the contracts that events are validated against.
        ratings: the read model that returns previous ratings.
        publisher: publisher that sends valid events to Kafka.
        bounds: the limits of an event time around its arrival, as refine applies them.
        clock: function that returns now, as an aware datetime.
    """

    def __init__(
        self,
        registry: Registry,
        ratings: ReadModel,
        publisher: Publisher,
        bounds: RefineSettings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._registry = registry
        self._ratings = ratings
        self._publisher = publisher
        self._ahead = timedelta(seconds=bounds.future_tolerance_s)
        self._behind = timedelta(days=bounds.oldest_event_days)
        self._clock = clock

    def send(self, command: Command) -> Receipt:
        """Validate a command and publish its event; return when it is in all of its topics.

        Args:
            command: the command; a repeat with the same user and command id is a duplicate.

        Returns:
            The event's id and topics.

        Raises:
            CommandRejected: it breaks the contract, or refine would quarantine it for its time;
                nothing was published.
            CommandNotPublished: Kafka was away until the deadline; nothing was published.
            CommandOutcomeUnknown: Kafka went away during the commit; all topics have it or none.
            ProducerFenced: another producer has the transactional id; nothing was published.
        """
        self._check_heading(command)
        event = self._event(command)
        try:
            record = record_of(contract_of(self._registry, event), event)
        except BrokenContractError as broken:
            raise CommandRejected(command.command_id, broken.violation) from None
        self._publisher.publish(command.command_id, record.topics, record.key, record.value)
        return Receipt(command.event_id, record.topics)

    def _check_heading(self, command: Command) -> None:
        """Validate what the contract does not cover: the command's id and its time.

        Raises:
            CommandRejected: the id is malformed, or the time is without zone or out of bounds.
        """
        if not is_id(command.command_id):
            message = f"an id has 1 to {LONGEST_ID} letters, digits and _ . : -"
            self._reject(command, "command_id", "pattern", message)
        if command.at.utcoffset() is None:
            self._reject(command, "at", "format", f"{command.at} names no time zone")
        now = self._clock()
        if command.at - now > self._ahead:
            message = f"{command.at} is more than {self._ahead} ahead of the clock"
            self._reject(command, "$.timestamp", "not_future", message)
        if now - command.at > self._behind:
            message = f"{command.at} is more than {self._behind} ago"
            self._reject(command, "$.timestamp", "not_old", message)

    def _reject(self, command: Command, path: str, rule: str, message: str) -> None:
        """Raise CommandRejected for a rule that the command breaks."""
        raise CommandRejected(command.command_id, Violation(path, rule, message))

    def _event(self, command: Command) -> Event:
        """The event that a command becomes; of a rating, with the previous rating.

        Raises:
            CommandRejected: an update of preferences changes nothing.
        """
        match command:
            case UpdatePreferences(changes=changes) if not changes:
                self._reject(command, "$.data.preferences", "minProperties", "nothing is changed")
            case UpdatePreferences():
                return preferences_event(command)
            case RecordView():
                return view_event(command)
            case RateContent():
                previous = self._ratings.rating(command.user_id, command.title_id)
                return rating_event(command, previous)
        raise TypeError(f"no event is known for {type(command).__name__}")


@contextmanager
def open_commands(
    settings: Settings, kafka: KafkaSettings, registry: Registry, ratings: ReadModel
) -> Iterator[Commands]:
    """Open the write side for the time of the block; Kafka is first called when a command is sent.

    Args:
        settings: settings of commands and refine.
        kafka: connection to the cluster that the events are sent to.
        registry: the contracts that events are validated against.
        ratings: the read model that returns previous ratings.

    Yields:
        The write side; its publisher is closed at the end of the block.
    """
    publisher = Publisher(kafka, settings.commands)
    try:
        yield Commands(registry, ratings, publisher, settings.refine)
    finally:
        publisher.close()
