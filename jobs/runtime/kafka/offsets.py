"""End offsets of topics, and the open transactions that hold records back from readers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import TransactionState
from kafka.errors import KafkaError

from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.clients import admin, partitions_of, python_options
from jobs.runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

OPEN = (TransactionState.ONGOING, TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT)


@dataclass(frozen=True)
class HeldBack:
    """A partition whose end readers of committed records do not see.

    Attributes:
        topic: name of the topic.
        partition: number of the partition.
        records: number of offsets between the last stable offset and the end.
        holder: transactional id of the transaction that is open there; None: not known.
        since: start of that transaction, UTC; None: not known.
        timeout_s: seconds from its start after which Kafka aborts it by itself; None: not known.
    """

    topic: str
    partition: int
    records: int
    holder: str | None = None
    since: datetime | None = None
    timeout_s: float | None = None

    def __str__(self) -> str:
        by = f" by transaction {self.holder}" if self.holder else " by an open transaction"
        since = f", open since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        ends = f" (Kafka aborts it {self.timeout_s:g} s after its start)" if self.timeout_s else ""
        return (
            f"{self.records:,} records of {self.topic}, partition {self.partition}, are held back"
            f"{by}{since}{ends}"
        )


def end_offsets(
    kafka: KafkaSettings, partitions: Iterable[tuple[str, int]], *, committed: bool
) -> dict[tuple[str, int], int]:
    """The offset behind the last record of each partition.

    Args:
        kafka: connection to the cluster.
        partitions: topics and numbers of partitions.
        committed: whether to end before the first record of an open transaction, as readers of
            committed records do.

    Returns:
        Kafka offset by topic and partition.

    Raises:
        ServiceError: Kafka does not answer.
    """
    level = "read_committed" if committed else "read_uncommitted"
    consumer = KafkaConsumer(**python_options(kafka), isolation_level=level)
    try:
        wanted = [TopicPartition(topic, number) for topic, number in partitions]
        ends = consumer.end_offsets(wanted)
        return {(place.topic, place.partition): offset for place, offset in ends.items()}
    except KafkaError as error:
        raise ServiceError(
            f"Kafka at {kafka.bootstrap_servers} does not tell where its topics end: "
            f"{type(error).__name__}",
            "check that the brokers run, then start again",
        ) from None
    finally:
        consumer.close()


def held_back(kafka: KafkaSettings, topics: Sequence[str]) -> list[HeldBack]:
    """The partitions whose newest records an open transaction holds back from readers.

    Args:
        kafka: connection to the cluster.
        topics: names of the topics.

    Raises:
        ServiceError: Kafka cannot be reached.
    """
    with admin(kafka) as client:
        places = partitions_of(client.describe_topics(list(topics)))
        stable = end_offsets(kafka, places, committed=True)
        ends = end_offsets(kafka, places, committed=False)
        behind = {place: ends[place] - stable[place] for place in places}
        waiting = {place: records for place, records in behind.items() if records > 0}
        return list(_with_holders(client, waiting)) if waiting else []


def _with_holders(
    client: KafkaAdminClient, waiting: Mapping[tuple[str, int], int]
) -> Iterator[HeldBack]:
    """Find the transaction that has been open for longest in each partition.

    Args:
        client: connected administration client.
        waiting: number of records held back, by topic and partition.

    Yields:
        One HeldBack for each partition, in order.
    """
    listed = client.list_transactions(state_filters=[state.value for state in OPEN])
    ids = sorted({each.transactional_id for broker in listed.values() for each in broker})
    transactions = client.describe_transactions(ids) if ids else {}
    for (topic, partition), records in sorted(waiting.items()):
        own = {
            name: each
            for name, each in transactions.items()
            if TopicPartition(topic, partition) in each.topic_partitions
        }
        if not own:
            yield HeldBack(topic, partition, records)
            continue
        holder = min(own, key=lambda name: own[name].transaction_start_time_ms)
        since = datetime.fromtimestamp(own[holder].transaction_start_time_ms / 1000, UTC)
        timeout_s = own[holder].transaction_timeout_ms / 1000
        yield HeldBack(topic, partition, records, holder, since, timeout_s)


class HeldBackWatch:
    """Logs a warning, at most every `every_s` seconds, if an open transaction holds records back.

    Args:
        kafka: connection to the cluster.
        topics: names of the topics to watch.
        every_s: seconds between two checks.
    """

    def __init__(self, kafka: KafkaSettings, topics: Sequence[str], every_s: float = 60.0) -> None:
        self._kafka = kafka
        self._topics = topics
        self._every_s = every_s
        self._next = time.monotonic() + every_s

    def __call__(self) -> bool:
        """Check if it is time to.

        Returns:
            False always, so that it may be the `until` of a stream.
        """
        if time.monotonic() >= self._next:
            self.look()
        return False

    def beside(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """Combine the watch with a stream's own `until`.

        Args:
            ask: condition on which the stream ends.

        Returns:
            The same condition, with a check whenever it is evaluated.
        """
        return lambda: self() or ask()

    def look(self) -> list[HeldBack]:
        """Check now, and log a warning for each partition held back.

        Returns:
            The partitions held back; empty if Kafka does not answer, which its readers report.
        """
        self._next = time.monotonic() + self._every_s
        try:
            found = held_back(self._kafka, self._topics)
        except ServiceError:
            return []
        for each in found:
            log.warning("%s: they land when it ends", each)
        return found
