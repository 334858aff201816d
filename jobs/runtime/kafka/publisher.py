"""Publishing a command's event: into every one of its topics or into none.

An attempt opens a Kafka transaction, awaits the acknowledgement of each record and commits. Until
the commit is requested, nothing is published and the attempt may be repeated. After that, only
Kafka knows the outcome: the request is repeated until the deadline, and without an answer the
outcome is reported as unknown. The next connection under the same transactional id settles it.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence

from kafka.errors import (
    AuthorizationError,
    InvalidProducerEpochError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFencedError,
)
from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_before_delay,
    wait_exponential_jitter,
)

from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.circuit_breaker import CircuitBreaker
from jobs.runtime.kafka.transactions import Transactions
from jobs.runtime.settings import CommandsSettings, KafkaSettings

log = logging.getLogger(__name__)

ATTEMPT_S = 5.0  # a healthy broker takes a transaction in 45 ms (measured)
COMMIT_S = 1.0  # a requested commit gets at least this long: better late than unknown
BACKOFF = wait_exponential_jitter(initial=0.1, max=2.0, jitter=0.1)
FENCED = (ProducerFencedError, InvalidProducerEpochError)
HOPELESS = (*FENCED, AuthorizationError, MessageSizeTooLargeError)  # another attempt cannot help
REPEAT = (
    "see that Kafka is well and has its topics (python -m jobs.topics), then repeat the command "
    "with the same id and time, which is safe: a repeat is recognised"
)


class PublishingError(ServiceError):
    """A command's event was not, or not certainly, published.

    Attributes:
        command_id: id of the command.
        broker: addresses of Kafka.
    """

    outcome: str

    def __init__(self, command_id: str, broker: str, cause: str, remedy: str = REPEAT) -> None:
        super().__init__(
            f"command {command_id}, Kafka at {broker}: {self.outcome}: {cause}", remedy
        )
        self.command_id = command_id
        self.broker = broker


class CommandNotPublished(PublishingError):  # noqa: N818 - what happened, in the caller's words
    """Nothing is published: Kafka did not answer or refused, or the circuit is open."""

    outcome = "not published"


class CommandOutcomeUnknown(PublishingError):  # noqa: N818
    """The commit was requested and not answered: the event is in all of its topics or in none."""

    outcome = "not known whether published"


class ProducerFenced(PublishingError):  # noqa: N818
    """Nothing is published: a newer producer has taken the transactional id, for good."""

    outcome = "not published"


class Publisher:
    """Publishes with retries inside a deadline, and fails at once after repeated failures.

    Threads may share one; their transactions follow one another.

    Args:
        kafka: connection to the cluster that the events are sent to.
        commands: transactional id, deadline and limits of the circuit breaker.
    """

    def __init__(self, kafka: KafkaSettings, commands: CommandsSettings) -> None:
        self._broker = str(kafka.bootstrap_servers)
        self._deadline_s = commands.deadline_s
        self._transactional_id = commands.transactional_id or f"playhead-commands-{uuid.uuid4()}"
        self._transactions = Transactions(kafka, self._transactional_id, self._deadline_s)
        self._circuit = CircuitBreaker(
            failures=commands.circuit_failures, open_s=commands.circuit_open_s
        )
        self._turn = threading.Lock()
        self._is_fenced = False

    def publish(self, command_id: str, topics: Sequence[str], key: bytes, value: bytes) -> None:
        """Return once the record is committed in every topic.

        Args:
            command_id: id of the command, for messages.
            topics: names of the topics that get the record.
            key: key of the record in each topic.
            value: value of the record in each topic.

        Raises:
            CommandNotPublished: it is in no topic; tried until the deadline or, with the circuit
                open, not at all.
            CommandOutcomeUnknown: it is in every topic or in none.
            ProducerFenced: it is in no topic, and this publisher can publish no more.
        """
        until = time.monotonic() + self._deadline_s
        if not self._turn.acquire(timeout=self._deadline_s):
            raise CommandNotPublished(command_id, self._broker, "earlier commands still wait")
        try:
            self._refuse_at_once(command_id)
            self._begin(command_id, topics, key, value, until)
            self._commit(command_id, until)
            self._circuit.succeeded()
        finally:
            self._turn.release()

    def close(self) -> None:
        """Abort an open transaction and disconnect."""
        with self._turn:
            self._transactions.abandon()

    def _refuse_at_once(self, command_id: str) -> None:
        """Refuse to publish without an attempt.

        Raises:
            ProducerFenced: this publisher is fenced.
            CommandNotPublished: the circuit is open.
        """
        if self._is_fenced:
            raise self._fenced(command_id)
        if self._circuit.state == "open":
            cause = f"the circuit is open for another {self._circuit.open_for_s:.0f} s"
            raise CommandNotPublished(command_id, self._broker, cause)

    def _begin(
        self, command_id: str, topics: Sequence[str], key: bytes, value: bytes, until: float
    ) -> None:
        """Open a transaction with all records, with retries until the deadline.

        Args:
            command_id: id of the command, for messages.
            topics: names of the topics that get the record.
            key: key of the record in each topic.
            value: value of the record in each topic.
            until: deadline in monotonic seconds.

        Raises:
            ProducerFenced: a newer producer has taken the transactional id.
            CommandNotPublished: no attempt succeeded.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(KafkaError) & retry_if_not_exception_type(HOPELESS),
            wait=BACKOFF,
            stop=stop_before_delay(_left(until)),
            before_sleep=before_sleep_log(log, logging.INFO),
            reraise=True,
        )
        try:
            for attempt in attempts:
                with attempt:
                    within_s = min(_left(until), ATTEMPT_S)
                    self._transactions.begin(topics, key, value, within_s=within_s)
        except FENCED:
            self._is_fenced = True
            raise self._fenced(command_id) from None
        except KafkaError as error:
            self._circuit.failed()
            raise CommandNotPublished(command_id, self._broker, _said(error)) from error

    def _commit(self, command_id: str, until: float) -> None:
        """Commit the open transaction.

        Args:
            command_id: id of the command, for messages.
            until: deadline in monotonic seconds; at least COMMIT_S seconds are given.

        Raises:
            CommandOutcomeUnknown: there was no answer in time, or an error.
        """
        try:
            self._transactions.commit(within_s=max(_left(until), COMMIT_S))
        except KafkaError as error:
            self._is_fenced = isinstance(error, FENCED)
            self._circuit.failed()
            raise CommandOutcomeUnknown(command_id, self._broker, _said(error)) from error

    def _fenced(self, command_id: str) -> ProducerFenced:
        """The error for a fenced publisher."""
        return ProducerFenced(
            command_id,
            self._broker,
            f"another producer has taken transactional id {self._transactional_id}",
            "give every process a commands.transactional_id of its own, and start this one again",
        )


def _left(until: float) -> float:
    """Seconds until a deadline in monotonic seconds, at least 0."""
    return max(until - time.monotonic(), 0.0)


def _said(error: KafkaError) -> str:
    """The type and arguments of a Kafka error, as one line."""
    return f"{type(error).__name__} {' '.join(map(str, error.args))}".strip()
