"""Incarnations: a topic that was deleted and made anew is another topic, with places of its own.

Kafka counts the offsets of the new topic from 0 again, so an offset alone would identify two
records. Bronze therefore counts the offsets of a topic's n-th incarnation, n from 0, on from
n x 2^48: its `offset` holds the number of the incarnation above Kafka's own offset, and a place
(topic, partition, offset) is one record for good. The topic ids seen so far are recorded in the
log of bronze.events, one Delta transaction for each, so they outlive every checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE

log = logging.getLogger(__name__)

OFFSET_BITS = 48  # 2.8e14 records of a partition; 15 bits are left for incarnations
APPLICATION = "topic"
REMEDY = (
    "restore what is missing if it matters, then accept the loss with "
    "--set ingest.fail_on_data_loss=false: the new topic is landed from its start"
)


@dataclass(frozen=True)
class Incarnations:
    """The current incarnation of each topic.

    Attributes:
        ids: Kafka's topic id, by topic.
        numbers: number of the incarnation, from 0, by topic.
    """

    ids: Mapping[str, str]
    numbers: Mapping[str, int]

    @property
    def definition(self) -> str:
        """The definition of an ingest checkpoint: a new incarnation begins a new checkpoint."""
        anew = {topic: number for topic, number in sorted(self.numbers.items()) if number}
        return f"2 {anew}" if anew else "2"

    def place_offset(self) -> Column:
        """The `offset` of bronze.events, computed from the columns `topic` and Kafka's `offset`.

        Returns:
            A BIGINT column: Kafka's offset plus the number of the incarnation x 2^48.
        """
        shifts = {t: n << OFFSET_BITS for t, n in self.numbers.items() if n}
        offset = F.col("offset")
        for topic, shift in shifts.items():
            offset = F.when(F.col("topic") == topic, F.col("offset") + shift).otherwise(offset)
        return offset

    def kafka_offset_behind(self, topic: str, last: int | None) -> int | None:
        """Kafka's offset behind the last record of a partition that bronze holds.

        Args:
            topic: name of the topic.
            last: greatest offset of the partition in bronze.events; None: bronze has none of it.

        Returns:
            The offset to read next; None if bronze has no record of the current incarnation.
        """
        if last is None or last >> OFFSET_BITS < self.numbers[topic]:
            return None
        return (last & ((1 << OFFSET_BITS) - 1)) + 1

    def refuse_others(self, ids: Mapping[str, str]) -> None:
        """Refuse topics that were deleted and made anew since the query began.

        Args:
            ids: Kafka's current topic id, by topic.

        Raises:
            DataError: a topic has another id.
        """
        for topic, topic_id in ids.items():
            if topic_id != self.ids[topic]:
                raise DataError(
                    f"ingest: topic {topic} was deleted and made anew while it was read",
                    "start again: that says what is lost, and how to go on",
                )


def read_incarnations(
    lake: Lake,
    ids: Mapping[str, str],
    ends: Mapping[tuple[str, int], int],
    *,
    accept_loss: bool,
) -> Incarnations:
    """Determine the current incarnation of each topic, and record new ones in bronze's log.

    Args:
        lake: lake that has bronze.events.
        ids: Kafka's topic id, by topic.
        ends: end offset in Kafka, by topic and partition.
        accept_loss: whether to land a topic that was made anew, though records of the one before
            may be gone.

    Raises:
        DataError: a topic was made anew, and the loss is not accepted.
    """
    recorded = _recorded(lake)
    unrecorded = [topic for topic in ids if topic not in recorded]
    recorded |= {topic: {"not recorded": 0} for topic in _shrunk(lake, unrecorded, ends)}
    numbers = {}
    for topic, topic_id in ids.items():
        earlier = recorded.get(topic, {})
        numbers[topic] = earlier.get(topic_id, len(earlier))
        if topic_id not in earlier:
            if earlier:
                _accept(topic, topic_id, numbers[topic], accept_loss=accept_loss)
            lake.mark(BRONZE, Transaction(f"{APPLICATION}/{topic}/{topic_id}", numbers[topic]))
    return Incarnations(ids, numbers)


def _accept(topic: str, topic_id: str, number: int, *, accept_loss: bool) -> None:
    """Log a warning for a topic that was made anew.

    Raises:
        DataError: the loss is not accepted.
    """
    if not accept_loss:
        raise DataError(
            f"ingest: topic {topic} was deleted and made anew (topic id {topic_id}): records of "
            "the one before that were not landed are gone",
            REMEDY,
        )
    log.warning("ingest: topic %s is landed anew, as its incarnation %d", topic, number)


def _recorded(lake: Lake) -> dict[str, dict[str, int]]:
    """The number of each topic id that was ever landed, by topic and topic id."""
    found: dict[str, dict[str, int]] = {}
    for application, number in lake.transactions(BRONZE).items():
        kind, _, name = application.partition("/")
        if kind == APPLICATION and name:
            topic, _, topic_id = name.rpartition("/")
            found.setdefault(topic, {})[topic_id] = number
    return found


def _shrunk(lake: Lake, topics: Sequence[str], ends: Mapping[tuple[str, int], int]) -> set[str]:
    """The topics of which bronze holds offsets that Kafka has not reached: they were made anew.

    Only needed for lakes from before ids were recorded: there, offsets are the only evidence.

    Args:
        lake: lake that has bronze.events.
        topics: names of topics without a recorded id.
        ends: end offset in Kafka, by topic and partition.
    """
    rows = lake.read(BRONZE).where(F.col("topic").isin(*topics))
    last = rows.groupBy("topic", "partition").agg(F.max("offset").alias("last")).collect()
    return {row.topic for row in last if row["last"] >= ends.get((row.topic, row.partition), 0)}
