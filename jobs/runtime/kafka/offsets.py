"""Where the topics of a Kafka end, and which open transactions hold records back from readers."""

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
    """A partition of which readers of committed records do not see the end.

    Attributes:
        topic: of the partition.
        partition: its number.
        records: offsets between the last stable offset and the end.
        holder: transactional id of the transaction that is open there; None: not known.
        since: start of that transaction, UTC; None: not known.
        timeout_s: seconds from its start after which Kafka aborts it by itself.
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
        committed: for readers of committed records: before the first record of an open transaction.
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
    """The partitions whose newest records an open transaction keeps from readers.

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
    """Each partition with the transaction that has been open there for longest."""
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
    """Warns, at most every `every_s` seconds, of records that an open transaction holds back.

    Args:
        kafka: connection to the cluster.
        topics: names of the topics to watch.
        every_s: seconds between two looks.
    """

    def __init__(self, kafka: KafkaSettings, topics: Sequence[str], every_s: float = 60.0) -> None:
        self._kafka = kafka
        self._topics = topics
        self._every_s = every_s
        self._next = time.monotonic() + every_s

    def __call__(self) -> bool:
        """Look, if it is time to; False: it may stand where a stream asks whether to end."""
        if time.monotonic() >= self._next:
            self.look()
        return False

    def beside(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """Another question to a stream, with a look each time that it is asked."""
        return lambda: self() or ask()

    def look(self) -> list[HeldBack]:
        """Look now.

        Returns:
            What is held back; nothing if Kafka does not answer, which its readers tell.
        """
        self._next = time.monotonic() + self._every_s
        try:
            found = held_back(self._kafka, self._topics)
        except ServiceError:
            return []
        for each in found:
            log.warning("%s: they land when it ends", each)
        return found
