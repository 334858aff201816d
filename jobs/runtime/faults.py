"""Faults of what playhead stands on (disk, Kafka, Spark), as errors that name their remedy."""

from __future__ import annotations

import re

from jobs.runtime.errors import DataError, PlayheadError, ServiceError, first_line


def explained(error: BaseException, query: str) -> PlayheadError:
    """The fault behind a failed query, as an error that names its remedy."""
    fallback = DataError(f"{query}: {first_line(error)}", "this fault is not known: see its trace")
    return known(error, f"{query}: ") or fallback


def known(error: BaseException, where: str = "") -> PlayheadError | None:
    """The fault behind an error, None if its text is of no kind that is known.

    Args:
        error: as it was raised; a PlayheadError is its own explanation.
        where: what failed, put before the problem.
    """
    if isinstance(error, PlayheadError):
        return error
    for pattern, kind, problem, remedy in _FAULTS:
        if re.search(pattern, str(error)):
            return kind(where + problem, remedy)
    return None


_FAULTS: tuple[tuple[str, type[PlayheadError], str, str], ...] = (
    (
        r"No space left on device",
        ServiceError,
        "the disk is full",
        "free space and start again: the batch in progress is repeated whole",
    ),
    (
        r"[Pp]ermission denied|Mkdirs failed to create",
        ServiceError,
        "a file of the lake cannot be written",
        "make lake.root writable and start again",
    ),
    (
        r"(?s)(?:data loss|KAFKA_DATA_LOSS|[Ss]ome data may have been lost)",
        DataError,
        "Kafka no longer holds records that were not yet read (retention, or a topic made anew)",
        "restore the topic, or accept the loss with --set ingest.fail_on_data_loss=false",
    ),
    (
        r"UnknownTopicOrPartition|does not host this topic",
        ServiceError,
        "a topic is missing",
        "create the topics with python -m jobs.topics",
    ),
    (
        r"(?:TimeoutException|Failed to create new KafkaAdminClient|Connection to node)",
        ServiceError,
        "Kafka does not answer",
        "check kafka.bootstrap_servers and that the brokers run, then start again",
    ),
)
