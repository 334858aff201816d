"""Known faults of disk, Kafka and Spark, as errors that name their remedy."""

from __future__ import annotations

import re
from errno import ENOSPC

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from jobs.runtime.errors import DataError, PlayheadError, ServiceError, first_line
from jobs.runtime.spark.session import spark_log

SPARK_ERRORS = (PySparkException, Py4JJavaError)


def explain(error: BaseException, what: str) -> PlayheadError:
    """The error to raise for the failure of a query or a table.

    Args:
        error: exception as it was raised.
        what: name of the query or table, put before the problem.

    Returns:
        The known fault behind the exception, else a DataError that names the log.
    """
    log = spark_log()
    trace = f"its trace is in {log if log.exists() else 'the log of the Spark driver'}"
    return known_failure(error, f"{what}: ") or DataError(f"{what}: {first_line(error)}", trace)


def known_failure(error: BaseException, where: str = "") -> PlayheadError | None:
    """The known fault behind an exception.

    Args:
        error: exception as it was raised; a PlayheadError is its own explanation.
        where: name of what failed, put before the problem.

    Returns:
        The fault with its remedy; None if the exception matches no known fault.
    """
    if isinstance(error, PlayheadError):
        return error
    if isinstance(error, OSError) and error.filename and error.errno != ENOSPC:
        remedy = "correct the path, or make it writable"
        return ServiceError(f"{where}{error.filename}: {error.strerror}", remedy)
    text = _whole_text(error)
    for pattern, kind, problem, remedy in _FAULTS:
        if re.search(pattern, text):
            return kind(where + problem, remedy)
    return None


def _whole_text(error: BaseException) -> str:
    """The text of an exception with its stack trace in the JVM, which `str` leaves out."""
    return f"{error}\n{getattr(error, '_stackTrace', '')}"


_FAULTS: tuple[tuple[str, type[PlayheadError], str, str], ...] = (
    (
        r"No space left on device",
        ServiceError,
        "the disk is full",
        "free space and start again: the batch in progress is repeated whole",
    ),
    (
        r"[Pp]ermission denied|AccessDeniedException|Not a directory|Read-only file system"
        r"|Mkdirs failed to create|DELTA_CANNOT_CREATE_LOG_PATH",
        ServiceError,
        "a file of the lake cannot be written",
        "make lake.root writable, or set lake.root to a place that is, and start again",
    ),
    (
        r"KAFKA_DATA_LOSS|[Ss]ome data may have been lost",
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
        r"org\.apache\.kafka\S*TimeoutException|Failed to create new KafkaAdminClient",
        ServiceError,
        "Kafka does not answer",
        "check kafka.bootstrap_servers and that the brokers run, then start again",
    ),
)
